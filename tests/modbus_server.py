"""Presses behind one Modbus TCP endpoint: pymodbus answers, this file only says what happened.

Every unit has the register map of the `press` profile in press-line.toml. The scenario writes one
JSON object per line to stdin, and each is answered by one line on stdout; the first line says
where the server listens: {"port": 41234}.

    {"do": "set", "unit": 1, "status": 2, "good": 65530}    change what the registers show
    {"do": "pace", "unit": 1, "good_s": 4, "scrap_s": 15}    while its status is 2 the press makes
                                                            a good part every 4 s, scrap every 15
    {"do": "set", "unit": 9, "stuck": false}                the coils of a relay module read as off, whatever
                                                            is written
    {"do": "dead", "unit": 3, "dead": true}                 the unit stops answering
    {"do": "report"}                                        what was made and who was asked when
    {"do": "relays"}                                        what was written to the relay module

Parts are made only from second 5 to second 55 of each wall-clock minute, so that a part never
falls on the boundary of a window and what each minute made is beyond doubt.
"""

import argparse
import asyncio
import json
import struct
import sys
import time

from pymodbus.datastore import ModbusServerContext
from pymodbus.datastore.context import ModbusBaseSlaveContext
from pymodbus.server import ModbusTcpServer

PRODUCING = 2
TICK_S = 0.05


class Press(ModbusBaseSlaveContext):
    """One press: what its registers show, and what it really made."""

    def __init__(self):
        self.status = 0
        self.good = 0
        self.scrap = 0
        self.temperature = 60.5
        self.pressure = 152
        self.door_open = False
        self.pace = {}
        self.due = {}
        self.made = {"good": 0, "scrap": 0}
        self.minutes = {}
        self.polls = []

    def count(self, kind, now_ms):
        """One part more, on the counter and in the books."""
        width = {"good": 32, "scrap": 16}[kind]
        setattr(self, kind, (getattr(self, kind) + 1) % (1 << width))
        minute = now_ms - now_ms % 60_000
        self.made[kind] += 1
        self.minutes.setdefault(minute, {"good": 0, "scrap": 0})[kind] += 1

    def work(self, now_ms):
        """Makes what is due."""
        may_count = 5_000 <= now_ms % 60_000 < 55_000
        for kind, every_s in self.pace.items():
            if now_ms < self.due[kind] or self.status != PRODUCING or not may_count:
                continue
            self.count(kind, now_ms)
            self.due[kind] = now_ms + int(every_s * 1000)

    def getValues(self, fc_as_hex, address, count=1):
        """The registers of the map; what lies between them reads 0."""
        if fc_as_hex == 3:
            good = [self.good & 0xFFFF, self.good >> 16]
            image = {0: [self.status], 1: good, 3: [self.scrap]}
        elif fc_as_hex == 4:
            temperature = struct.unpack(">HH", struct.pack(">f", self.temperature))
            image = {10: list(temperature), 12: [self.pressure & 0xFFFF]}
        else:
            image = {0: [self.door_open]}
        flat = {start + i: v for start, values in image.items() for i, v in enumerate(values)}
        return [flat.get(address + i, 0) for i in range(count)]

    def setValues(self, fc_as_hex, address, values):
        """Nobody may write to a press."""
        raise RuntimeError(f"write of {values} at {address} (function {fc_as_hex})")

    def validate(self, fc_as_hex, address, count=1):
        """Every address may be read."""
        return True


class Relays(ModbusBaseSlaveContext):
    """A relay module of eight coils, and what was written to them; it has nothing else."""

    COILS = 8

    def __init__(self):
        self.coils = [False] * self.COILS
        self.writes = []
        self.stuck = None  # how its coils read whatever is written; none: as they are

    def getValues(self, fc_as_hex, address, count=1):
        if fc_as_hex == 1 and self.stuck is not None:
            return [self.stuck] * count
        return self.coils[address : address + count]

    def setValues(self, fc_as_hex, address, values):
        for offset, value in enumerate(values):
            self.coils[address + offset] = bool(value)
            self.writes.append([now_ms(), fc_as_hex, address + offset, int(value)])

    def validate(self, fc_as_hex, address, count=1):
        """Coils are read one or many at a time, and written one at a time."""
        return fc_as_hex in (1, 5) and address + count <= self.COILS


class Plant:
    """The units, and the conversation with the scenario."""

    def __init__(self, units, relays):
        self.units = {unit: Press() for unit in units}
        self.relays = {unit: Relays() for unit in relays}
        everybody = {**self.units, **self.relays}
        self.context = ModbusServerContext(slaves=everybody, single=False)

    def trace(self, sending, pdu):
        """Notes every request, also of units that do not answer."""
        if not sending and pdu.dev_id in self.units:
            asked = [now_ms(), pdu.function_code, pdu.address]
            self.units[pdu.dev_id].polls.append(asked)
        return pdu

    def obey(self, order):
        """Does what one line says, and returns the answer."""
        what = order.pop("do")
        if what == "report":
            return {"units": {unit: self.report(press) for unit, press in self.units.items()}}
        if what == "relays":
            return {
                unit: {"coils": module.coils, "writes": module.writes}
                for unit, module in self.relays.items()
            }
        unit = order.pop("unit")
        press = self.units.get(unit) or self.relays[unit]
        if what == "set":
            for key, value in order.items():
                if not hasattr(press, key):
                    raise KeyError(key)
                setattr(press, key, value)
        elif what == "pace":
            press.pace = {key.removesuffix("_s"): every for key, every in order.items()}
            press.due = {kind: now_ms() for kind in press.pace}
        elif what == "dead":
            if order["dead"]:
                del self.context[unit]
            else:
                self.context[unit] = press
        else:
            raise ValueError(what)
        return {"ok": True}

    @staticmethod
    def report(press):
        return {"made": press.made, "minutes": press.minutes, "polls": press.polls}

    async def work(self):
        while True:
            for press in self.units.values():
                press.work(now_ms())
            await asyncio.sleep(TICK_S)

    async def converse(self):
        lines = asyncio.StreamReader(limit=1 << 20)
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
        )
        while line := await lines.readline():
            say(self.obey(json.loads(line)))


def now_ms():
    return time.time_ns() // 1_000_000


def say(message):
    print(json.dumps(message), flush=True)


async def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--units", type=int, default=2, help="units 1..N")
    arguments.add_argument("--relays", type=int, nargs="*", default=[], help="relay modules")
    arguments.add_argument("--port", type=int, default=0)
    arguments = arguments.parse_args()

    plant = Plant(range(1, arguments.units + 1), arguments.relays)
    server = ModbusTcpServer(
        plant.context,
        address=("127.0.0.1", arguments.port),
        ignore_missing_slaves=True,
        trace_pdu=plant.trace,
    )
    await server.serve_forever(background=True)
    say({"port": server.transport.sockets[0].getsockname()[1]})
    work = asyncio.create_task(plant.work())
    # Ends with stdin: a scenario that dies takes its server along.
    await plant.converse()
    work.cancel()
    await server.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
