"""An energy meter on a serial line: pymodbus answers, this file only says what it shows.

    meter_server.py --port /path/of/a/port --unit 17

Input registers 52 and 53 hold its power in watts as a 32-bit float, high word first; every other
register holds its own address. One line on stdout says that it listens; each line on stdin, such as
{"power": 1234.5} or {"silent": true}, is obeyed and answered by how often it was asked:
{"asked": 12, "functions": [4]}. It ends with its stdin.
"""

import argparse
import asyncio
import json
import struct
import sys

from pymodbus.datastore import ModbusServerContext
from pymodbus.datastore.context import ModbusBaseSlaveContext
from pymodbus.server import ModbusSerialServer

POWER = 52


class Meter(ModbusBaseSlaveContext):
    """What its registers show."""

    def __init__(self):
        self.power = 0.0

    def getValues(self, fc_as_hex, address, count=1):
        power = struct.unpack(">HH", struct.pack(">f", self.power))
        image = {POWER: power[0], POWER + 1: power[1]}
        return [image.get(at, at) for at in range(address, address + count)]

    def setValues(self, fc_as_hex, address, values):
        raise RuntimeError(f"write of {values} at {address} (function {fc_as_hex})")

    def validate(self, fc_as_hex, address, count=1):
        return fc_as_hex == 4


class Line:
    """The meter on its line, and the books on what it was asked."""

    def __init__(self, unit):
        self.unit = unit
        self.meter = Meter()
        self.context = ModbusServerContext(slaves={unit: self.meter}, single=False)
        self.asked = 0
        self.functions = set()

    def trace(self, sending, pdu):
        if not sending:
            self.asked += 1
            self.functions.add(pdu.function_code)
        return pdu

    def obey(self, order):
        if "power" in order:
            self.meter.power = order["power"]
        if order.get("silent"):
            del self.context[self.unit]
        elif "silent" in order:
            self.context[self.unit] = self.meter
        return {"asked": self.asked, "functions": sorted(self.functions)}

    async def converse(self):
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
        )
        while line := await lines.readline():
            say(self.obey(json.loads(line)))


def say(message):
    print(json.dumps(message), flush=True)


async def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--port", required=True)
    arguments.add_argument("--unit", type=int, default=17)
    arguments = arguments.parse_args()

    line = Line(arguments.unit)
    server = ModbusSerialServer(
        line.context,
        port=arguments.port,
        # A pseudo-terminal has neither speed nor parity.
        baudrate=19200,
        parity="N",
        ignore_missing_slaves=True,
        trace_pdu=line.trace,
    )
    await server.serve_forever(background=True)
    say({"port": arguments.port})
    await line.converse()
    await server.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
