"""Modbus TCP units that show registers and nothing else: pymodbus answers.

Reads one line of JSON from stdin, what each unit holds, and ends with stdin:

    {"units": {"1": {"gaps": "refused", "holding": {"0": 4660, "1": 22136}, "coil": {"7": 1}}}}

An address that is not listed does not exist (exception 2), or with "gaps": "junk" holds the same
everywhere, as devices do that answer for more than they have. One line on stdout says where the
server listens: {"port": 41234}.
"""

import asyncio
import json
import sys

from pymodbus.datastore import ModbusServerContext
from pymodbus.datastore.context import ModbusBaseSlaveContext
from pymodbus.pdu.pdu import ExceptionResponse
from pymodbus.server import ModbusTcpServer

TABLES = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
JUNK = 0xDEAD


class Unit(ModbusBaseSlaveContext):
    """One unit."""

    def __init__(self, image):
        self.junk = image.pop("gaps") == "junk"
        self.tables = {
            table: {int(address): value for address, value in values.items()}
            for table, values in image.items()
        }

    def getValues(self, fc_as_hex, address, count=1):
        """What the addresses hold, or why they do not."""
        table = self.tables.get(TABLES[fc_as_hex], {})
        asked = range(address, address + count)
        if not self.junk and any(at not in table for at in asked):
            return ExceptionResponse.ILLEGAL_ADDRESS
        return [table.get(at, JUNK) for at in asked]

    def setValues(self, fc_as_hex, address, values):
        """Nobody may write."""
        raise RuntimeError(f"write of {values} at {address} (function {fc_as_hex})")


async def main():
    lines = asyncio.StreamReader(limit=1 << 22)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    images = json.loads(await lines.readline())["units"]
    units = {int(unit): Unit(image) for unit, image in images.items()}
    server = ModbusTcpServer(
        ModbusServerContext(slaves=units, single=False), address=("127.0.0.1", 0)
    )
    await server.serve_forever(background=True)
    port = server.transport.sockets[0].getsockname()[1]
    print(json.dumps({"port": port}), flush=True)
    await lines.read()
    await server.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
