#!/usr/bin/env python3
"""How long it takes from a fault bit on the wire to people, with the broker unreachable.

    tests/bench/alarm_latency.py target/release/andon [SECONDS] [--full-disk]

The load is W2 of docs/performance.md: 200 devices behind as many Modbus TCP servers on loopback, 100
registers each, read every second. Each device falls into a fault at a random moment, every six seconds on
average, and stays in it for two seconds. The broker's port is closed, so that nothing of it can help. With
--full-disk the data directory lies on a small file system without a free byte (root only).

An end is where an alarm arrives. Each is watched by the clock that the faults are made by:

    journal   the line that the agent logs when the alarm's record has left the engine
    horn      the write of the horn's coil, at the relay module's Modbus TCP server
    message   AT+CMGS, at the scripted modem tests/modem.py on a pseudo-terminal

The faults of the first 40 devices are of high priority, and sound and are told to somebody, of each to another
person; they come one after the other, each acknowledged by a reply before the next, so that horn and modem are
at rest when it comes. Those of the others are of low priority, only load, and measured up to the journal.

Every fault must arrive everywhere; there is a moment at the end for the last. The last line says what the median
is allowed to be: one poll interval and 50 ms, of which polling at that interval costs half an interval.
"""

import asyncio
import errno
import json
import pathlib
import random
import re
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

DEVICES, REGISTERS, INTERVAL_S, TOLD = 200, 100, 1.0, 40
SPACING_S, HOLD_S, WARM_S, LAST_S = 6.0, 2.0, 8, 3.0
ALLOWED_MS = INTERVAL_S * 1000 + 50
PRODUCING, FAULTED = 2, 4
READ_COILS, WRITE_COIL = 1, 5
MODEM = pathlib.Path(__file__).resolve().parent.parent / "modem.py"


async def request(reader):
    """One Modbus TCP request: its number, unit, function and the rest."""
    number, _, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
    function, *_ = body = await reader.readexactly(length - 1)
    return number, unit, function, body[1:]


def answer(number, unit, function, body):
    return struct.pack(">HHHBB", number, 0, 2 + len(body), unit, function) + body


class Device:
    """A machine: a status, a counter, and registers that move."""

    def __init__(self, number):
        self.is_told = number < TOLD
        self.name, self.phone = f"{'t' if self.is_told else 'd'}{number}", f"+86138{number:08}"
        self.status, self.polls, self.begun = PRODUCING, 0, None

    async def serve(self, reader, writer):
        try:
            while True:
                number, unit, function, body = await request(reader)
                first, count = struct.unpack(">HH", body)
                self.polls += 1
                moving = [1000 + at * 7 + self.polls % 97 for at in range(2, REGISTERS)]
                registers = [self.status, self.polls & 0xFFFF, *moving][first : first + count]
                packed = struct.pack(f">B{count}H", 2 * count, *registers)
                writer.write(answer(number, unit, function, packed))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()


class Faults:
    """Every fault, and when it arrived where."""

    def __init__(self):
        self.all = {}  # (device, when it began): {end: ms}

    def begin(self, device):
        device.status, device.begun = FAULTED, time.monotonic()
        self.all[device.name, device.begun] = {}

    def seen(self, end, device, at=None):
        """Each counts once."""
        arrived = self.all.get((device.name, device.begun))
        if arrived is not None and end not in arrived:
            arrived[end] = ((at or time.monotonic()) - device.begun) * 1000


class Journal:
    """The agent's own log."""

    name = "journal"
    LINE = re.compile(r"alarm ([dt]\d+)\.fault number \d+: \S+ to unack-active")

    def __init__(self, bench):
        self.bench, self.is_disk_refused = bench, False

    async def watch(self, agent):
        async for line in agent.stdout:
            found = self.LINE.search(line.decode())
            if found:
                self.bench.seen(self.name, self.bench.by_name[found.group(1)])
            self.is_disk_refused |= b"records wait in memory" in line


class Horn:
    """A relay module behind a link of its own."""

    name = "horn"

    def __init__(self, bench):
        self.bench, self.is_on = bench, False

    async def start(self):
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        try:
            while True:
                number, unit, function, body = await request(reader)
                if function == WRITE_COIL:
                    self.is_on = body[2] == 0xFF
                    if self.is_on:
                        self.bench.seen_by_all(self.name)
                elif function == READ_COILS:
                    body = bytes([1, self.is_on])
                writer.write(answer(number, unit, function, body))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()

    def sections(self):
        yield f'[[link]]\nid = "relays"\nmodbus_tcp = "127.0.0.1:{self.port}"'
        yield '[[device]]\nid = "relays"\nlink = "relays"\nunit = 1\nallow_write = [{ at = "coil:0" }]'
        yield '[device.tags]\nhorn = { at = "coil:0", type = "bool" }'
        yield '[horn]\nthrough = [{ modbus = { link = "relays", unit = 1, coil = 0 } }]\nfrom_priority = "high"'


class Message:
    """The scripted modem."""

    name = "message"

    def __init__(self, bench):
        self.bench = bench

    async def start(self, folder):
        self.modem = await asyncio.create_subprocess_exec(
            sys.executable, MODEM, "--told", folder / "modem.log", "--print-commands", stdin=-1, stdout=-1
        )
        self.port = (await self.modem.stdout.readline()).decode().strip()

    async def watch(self):
        async for line in self.modem.stdout:
            told = json.loads(line)
            if told["command"].startswith("AT+CMGS="):
                self.bench.seen_by_all(self.name, told["at"])

    def reply(self, number):
        order = {"deliver": {"from": number, "text": "OK"}}
        self.modem.stdin.write(json.dumps(order).encode() + b"\n")

    def sections(self):
        yield f'[sms]\nmodem = "{self.port}"\npause = "500 ms"\nper_hour = 3600\nper_day = 10000'
        for device in self.bench.told:
            yield f'[[sms.person]]\nname = "{device.name}"\nnumber = "{device.phone}"'
            yield f'devices = ["{device.name}"]\nfrom_priority = "high"\nlanguage = "zh"'


class FullDisk:
    """A small file system, or the folder itself."""

    def __init__(self, folder, is_wanted):
        self.path, self.is_wanted = folder / "disk", is_wanted

    def __enter__(self):
        self.path.mkdir()
        if self.is_wanted:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", self.path], check=True)
        return self

    def fill(self):
        if not self.is_wanted:
            return
        with open(self.path / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def __exit__(self, *_):
        if self.is_wanted:
            subprocess.run(["umount", "-l", self.path], check=True)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Bench:
    def __init__(self):
        self.devices = [Device(number) for number in range(DEVICES)]
        self.told = [device for device in self.devices if device.is_told]
        self.by_name = {device.name: device for device in self.devices}
        self.faults, self.current = Faults(), None
        self.journal, self.horn, self.message = Journal(self), Horn(self), Message(self)

    def seen(self, end, device, at=None):
        if device.begun is not None:
            self.faults.seen(end, device, at)

    def seen_by_all(self, end, at=None):
        """Of those that are told there is only one at a time."""
        if self.current is not None:
            self.seen(end, self.current, at)

    def config(self, folder, data, ports):
        tags = ['status = { at = "holding:0", type = "u16" }']
        tags.append('total = { at = "holding:1", type = "u16", role = "total_count" }')
        tags += [f'r{n} = {{ at = "holding:{n}", type = "u16" }}' for n in range(2, REGISTERS)]
        parts = [
            '[gateway]\nid = "gw"\nsite = "s"\narea = "a"',
            f'data_dir = "{data}"\nmemory_budget = "64 MiB"\ndisk_budget = "12 MiB"',
            f'[upstream]\nbroker = "mqtt://127.0.0.1:{free_port()}"',
            f'[[profile]]\nid = "press"\nevery = "{int(INTERVAL_S * 1000)} ms"\nrated_rate = "3600/h"\n[profile.tags]',
            *tags,
            '[profile.state]\nfrom = "status"\nproducing = [2]\nfaulted = ["4..99"]',
            '[[alarm]]\nid = "fault"\ndevices = ["t*"]\nwhen = "state == faulted"\npriority = "high"',
            '[[alarm]]\nid = "fault"\ndevices = ["d*"]\nwhen = "state == faulted"\npriority = "low"',
            *self.horn.sections(),
            *self.message.sections(),
        ]
        for device, port in zip(self.devices, ports):
            parts.append(f'[[link]]\nid = "{device.name}"\nmodbus_tcp = "127.0.0.1:{port}"')
            parts.append(f'[[device]]\nid = "{device.name}"\nprofile = "press"\nlink = "{device.name}"\nunit = 1')
        file = folder / "andon.toml"
        file.write_text("\n".join(parts) + "\n")
        return file

    async def life(self, device):
        """Falls into faults at random moments of the polling."""
        while True:
            await asyncio.sleep(random.uniform(0, 2 * (SPACING_S - HOLD_S)))
            self.faults.begin(device)
            await asyncio.sleep(HOLD_S)
            device.status = PRODUCING
            # The alarm must have seen that it is gone before it can be raised again.
            await asyncio.sleep(1.5 * INTERVAL_S)

    async def tell(self):
        """Those that are told, one after the other."""
        while True:
            for device in self.told:
                await asyncio.sleep(random.uniform(1, 1 + INTERVAL_S))
                self.current = device
                self.faults.begin(device)
                arrived = self.faults.all[device.name, device.begun]
                while not {"journal", "horn", "message"} <= set(arrived):
                    await asyncio.sleep(0.02)
                self.current = None
                self.message.reply(device.phone)
                while self.horn.is_on:
                    await asyncio.sleep(0.02)
                device.status = PRODUCING

    async def measure(self, andon, seconds, folder, disk):
        servers = [await asyncio.start_server(device.serve, "127.0.0.1", 0) for device in self.devices]
        ports = [server.sockets[0].getsockname()[1] for server in servers]
        await self.horn.start()
        await self.message.start(folder)
        data = disk.path / "data"
        data.mkdir()
        file = self.config(folder, data, ports)
        agent = await asyncio.create_subprocess_exec(
            andon, "run", "--config", file, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        watching = [asyncio.create_task(self.journal.watch(agent)), asyncio.create_task(self.message.watch())]
        try:
            waited = time.monotonic()
            while any(device.polls == 0 for device in self.devices):
                if time.monotonic() - waited > 60 or agent.returncode is not None:
                    raise SystemExit("the agent does not read every device")
                await asyncio.sleep(0.2)
            disk.fill()
            await asyncio.sleep(WARM_S)
            quiet = [device for device in self.devices if not device.is_told]
            lives = [asyncio.create_task(self.life(device)) for device in quiet]
            telling = asyncio.create_task(self.tell())
            await asyncio.sleep(seconds)
            for one in [*lives, telling]:
                one.cancel()
            # Nothing new begins; what has begun arrives.
            await asyncio.sleep(LAST_S)
        finally:
            if agent.returncode is None:
                agent.terminate()
            await agent.wait()
            for one in watching:
                one.cancel()
            self.message.modem.stdin.close()
            await self.message.modem.wait()

    def report(self, full):
        faults = self.faults.all
        disk = "full" if full else "as it should be"
        print(f"{DEVICES} devices x {REGISTERS} registers x {INTERVAL_S:g} s, {len(faults)} faults")
        print(f"broker unreachable, disk {disk}")
        if full != self.journal.is_disk_refused:
            raise SystemExit("the disk was not as it was meant to be")
        well = True
        for end in ("journal", "horn", "message"):
            meant = [key for key in faults if end == "journal" or self.by_name[key[0]].is_told]
            missing = [name for name, begun in meant if end not in faults[name, begun]]
            all_ms = [faults[key][end] for key in meant if end in faults[key]]
            if len(all_ms) < 2:
                raise SystemExit(f"{end}: nothing arrived")
            cuts = statistics.quantiles(all_ms, n=100)
            median = statistics.median(all_ms)
            print(f"{end:<8} {len(all_ms)} of {len(meant)} arrived; missing: {', '.join(missing) or 'none'}")
            print(f"{'':<8} p50 {median:.0f} ms, p90 {cuts[89]:.0f} ms, p99 {cuts[98]:.0f} ms, most {max(all_ms):.0f} ms")
            well &= median <= ALLOWED_MS and not missing
        told = [arrived for arrived in faults.values() if "message" in arrived and "journal" in arrived]
        for end in ("horn", "message"):
            beyond = [arrived[end] - arrived["journal"] for arrived in told if end in arrived]
            print(f"{end} after the journal: p50 {statistics.median(beyond):.0f} ms, most {max(beyond):.0f} ms")
        print(f"allowed at the median: {ALLOWED_MS:.0f} ms; {'met' if well else 'NOT met'}")
        return well


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--full-disk"]
    full = len(arguments) != len(sys.argv) - 1
    seconds = int(arguments[1]) if len(arguments) > 1 else 60
    bench = Bench()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with FullDisk(folder, full) as disk:
            asyncio.run(bench.measure(arguments[0], seconds, folder, disk))
    sys.exit(0 if bench.report(full) else 1)


main()
