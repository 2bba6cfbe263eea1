"""Devices that nobody has documentation for, behind one Modbus endpoint: pymodbus answers.

The units and what their registers hold come as one JSON object in the first line of stdin:

    {"1": {"holding": {"0": [2, 7, 65530]}, "input": {...}, "coil": {"0": [1, 0]},
           "moves": {"holding:2": 3},          what a register grows by with each read of it
           "most": 60,                         registers in one answer; more is refused (3)
           "pause_ms": 20,                     a request sooner after the last answer is lost
           "after_connect_ms": 500}}           so is one sooner after a new connection

Addresses that are not named do not exist. The first line of stdout says where the server listens:
{"port": 41234}, or with --line 9600,N,1 the pseudo-terminal that is the other end of a serial line
with these settings: {"port": "/dev/pts/7"}, or with --rtu where RTU is spoken on a TCP connection, as
a converter does. What is sent on a line with other settings arrives as nothing. (A pseudo-terminal keeps speed and stop bits, but not that there is a parity bit. It keeps
that parity is to be checked, and whether it would be odd; that has to do.)

It ends with stdin. Standard error is a capture: "connected" for each connection, and "heard" with
the bytes in hexadecimal for whatever arrives.
"""

import argparse
import asyncio
import fcntl
import json
import os
import struct
import sys
import termios
import time
import tty

from pymodbus.datastore import ModbusServerContext
from pymodbus.datastore.context import ModbusBaseSlaveContext
from pymodbus.framer import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer

ILLEGAL_ADDRESS = 2
ILLEGAL_VALUE = 3

TCGETS2 = 0x802C542A

TABLES = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}


class Device(ModbusBaseSlaveContext):
    """One unit: what it has, and how it wants to be asked."""

    def __init__(self, told):
        self.most = told.get("most", 2000)
        self.pause = told.get("pause_ms", 0) / 1000
        self.after_connect = told.get("after_connect_ms", 0) / 1000
        self.moves = told.get("moves", {})
        self.last_answer = 0.0
        self.tables = {}
        for name in TABLES.values():
            blocks = told.get(name, {}).items()
            self.tables[name] = {int(at) + i: v for at, values in blocks for i, v in enumerate(values)}

    def validate(self, fc_as_hex, address, count=1):
        """Every address must exist."""
        table = self.tables[TABLES[fc_as_hex]]
        return all(at in table for at in range(address, address + count))

    def getValues(self, fc_as_hex, address, count=1):
        """What the registers hold, and from now on hold."""
        name = TABLES[fc_as_hex]
        table = self.tables[name]
        if not self.validate(fc_as_hex, address, count):
            return ILLEGAL_ADDRESS
        if count > self.most:
            return ILLEGAL_VALUE
        values = [table[at] for at in range(address, address + count)]
        for at in range(address, address + count):
            table[at] = (table[at] + self.moves.get(f"{name}:{at}", 0)) % 65536
        return values

    def setValues(self, fc_as_hex, address, values):
        """Nobody may write."""
        raise RuntimeError(f"write of {values} at {address} (function {fc_as_hex})")


class Bus:
    """All units of an endpoint."""

    def __init__(self, told):
        self.units = {int(unit): Device(device) for unit, device in told.items()}
        self.context = ModbusServerContext(slaves=dict(self.units), single=False)
        self.connected = 0.0
        self.told = 0

    def connect(self, connected):
        """Begins the time in which some devices do not listen yet."""
        self.told += connected
        # pymodbus tells each twice: when it comes, and when it has a handler.
        if connected and self.told % 2 == 0:
            self.connected = time.monotonic()
            capture("connected")

    @staticmethod
    def packet(sending, data):
        """Writes down what arrives."""
        if not sending:
            capture(f"heard {data.hex()}")
        return data

    def trace(self, sending, pdu):
        """Loses requests that come too soon by asking for nobody."""
        device = self.units.get(pdu.dev_id)
        now = time.monotonic()
        if sending:
            if device:
                device.last_answer = now
            return pdu
        if device:
            too_soon = now - device.last_answer < device.pause
            too_new = now - self.connected < device.after_connect
            if too_soon or too_new:
                pdu.dev_id = 254
        return pdu


def capture(what):
    print(what, file=sys.stderr, flush=True)


class Line:
    """A serial line between two pseudo-terminals, whose device has settings of its own."""

    def __init__(self, settings):
        self.settings = settings
        self.master, master_port = os.openpty()
        self.device, device_port = os.openpty()
        tty.setraw(master_port)
        tty.setraw(device_port)
        self.port = os.ttyname(master_port)
        self.device_port = os.ttyname(device_port)
        # Open as long as this process runs: unplugging is not what this is about.
        self.kept = (master_port, device_port)
        loop = asyncio.get_running_loop()
        loop.add_reader(self.master, self.carry, self.master, self.device)
        loop.add_reader(self.device, self.carry, self.device, self.master)

    def carry(self, source, to):
        """Hands on what was sent if both ends speak alike."""
        sent = os.read(source, 4096)
        if self.now() == self.settings:
            os.write(to, sent)

    def now(self):
        """The settings of the master's end, as 9600,N,1."""
        # struct termios2: Python's own termios knows no speed that was set as a number.
        raw = fcntl.ioctl(self.master, TCGETS2, bytes(44))
        checks, _, flags, _, _, _, speed, _ = struct.unpack("4I B19s 2I", raw)
        parity = "N"
        if checks & termios.INPCK:
            parity = "O" if flags & termios.PARODD else "E"
        return f"{speed},{parity},{2 if flags & termios.CSTOPB else 1}"


async def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--rtu", action="store_true", help="speak RTU on the TCP connection")
    arguments.add_argument("--line", help="speak RTU on a serial line instead: BAUD,PARITY,STOP")
    arguments = arguments.parse_args()

    lines = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    bus = Bus(json.loads(await lines.readline()))
    if arguments.line:
        line = Line(arguments.line)
        server = ModbusSerialServer(
            bus.context,
            framer=FramerType.RTU,
            port=line.device_port,
            ignore_missing_slaves=True,
            trace_pdu=bus.trace,
            trace_packet=bus.packet,
        )
        await server.serve_forever(background=True)
        port = line.port
    else:
        server = ModbusTcpServer(
            bus.context,
            framer=FramerType.RTU if arguments.rtu else FramerType.SOCKET,
            address=("127.0.0.1", arguments.port),
            ignore_missing_slaves=True,
            trace_pdu=bus.trace,
            trace_packet=bus.packet,
            trace_connect=bus.connect,
        )
        await server.serve_forever(background=True)
        port = server.transport.sockets[0].getsockname()[1]
    print(json.dumps({"port": port}), flush=True)
    await lines.read()
    await server.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
