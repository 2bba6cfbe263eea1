#!/usr/bin/env python3
"""How long it takes from a fault bit on the wire to the alarm, with the broker unreachable.

    tests/bench/alarm_latency.py target/release/andon [SECONDS]

The load is W2 of docs/performance.md: 200 devices behind as many Modbus TCP servers on loopback, 100
registers each, read every second. Each device falls into a fault at a random moment, every six seconds on
average, and stays in it for two seconds. The broker's port is closed, so that nothing of it can help.

An end is where an alarm arrives. Each is watched in this process, by the clock that the faults are made by:

    journal   the line that the agent logs when the alarm's record has left the engine

Further ends (the horn's command, AT+CMGS) are further classes with `name`, `sections` for the configuration,
`start` and `stop`, which call `seen(device)`. The last lines say what the median is allowed to be: half of the
poll interval, which is what polling at that interval costs, and 50 ms.
"""

import asyncio
import pathlib
import random
import re
import socket
import statistics
import struct
import sys
import tempfile
import time

DEVICES, REGISTERS, INTERVAL_S = 200, 100, 1.0
SPACING_S, HOLD_S, WARM_S = 6.0, 2.0, 8
ALLOWED_MS = INTERVAL_S * 1000 / 2 + 50
PRODUCING, FAULTED = 2, 4


class Device:
    """A machine: a status, a counter, and registers that move."""

    def __init__(self, number):
        self.name, self.status, self.polls, self.begun = f"d{number}", PRODUCING, 0, None

    async def answer(self, reader, writer):
        try:
            while True:
                number, _, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
                request = await reader.readexactly(length - 1)
                first, count = struct.unpack(">HH", request[1:5])
                self.polls += 1
                moving = [1000 + at * 7 + self.polls % 97 for at in range(2, REGISTERS)]
                registers = [self.status, self.polls & 0xFFFF, *moving][first : first + count]
                head = struct.pack(">HHHBBB", number, 0, 3 + 2 * count, unit, request[0], 2 * count)
                writer.write(head + struct.pack(f">{count}H", *registers))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()


class Journal:
    """The agent's own log."""

    name, sections = "journal", ""
    LINE = re.compile(rb"alarm (d\d+)\.fault number \d+: \S+ to unack-active")

    async def watch(self, agent, seen):
        async for line in agent.stdout:
            found = self.LINE.search(line)
            if found:
                seen(self.name, found.group(1).decode())


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def config(folder, ports, sections):
    tags = ['status = { at = "holding:0", type = "u16" }']
    tags.append('total = { at = "holding:1", type = "u16", role = "total_count" }')
    tags += [f'r{n} = {{ at = "holding:{n}", type = "u16" }}' for n in range(2, REGISTERS)]
    parts = [
        '[gateway]\nid = "gw"\nsite = "s"\narea = "a"',
        f'data_dir = "{folder}/data"\nmemory_budget = "64 MiB"',
        f'[upstream]\nbroker = "mqtt://127.0.0.1:{free_port()}"',
        f'[[profile]]\nid = "press"\nevery = "{int(INTERVAL_S * 1000)} ms"\nrated_rate = "3600/h"\n[profile.tags]',
        *tags,
        '[profile.state]\nfrom = "status"\nproducing = [2]\nfaulted = ["4..99"]',
        '[[alarm]]\nid = "fault"\ndevices = ["*"]\nwhen = "state == faulted"\npriority = "high"',
        *sections,
    ]
    for number, port in enumerate(ports):
        parts.append(f'[[link]]\nid = "l{number}"\nmodbus_tcp = "127.0.0.1:{port}"')
        parts.append(f'[[device]]\nid = "d{number}"\nprofile = "press"\nlink = "l{number}"\nunit = 1')
    file = folder / "andon.toml"
    file.write_text("\n".join(parts) + "\n")
    return file


async def life(device, faults):
    """Falls into faults at random moments of the polling, and tells when."""
    while True:
        await asyncio.sleep(random.uniform(0, 2 * (SPACING_S - HOLD_S)))
        device.status, device.begun = FAULTED, time.monotonic()
        faults.append(device.name)
        await asyncio.sleep(HOLD_S)
        device.status = PRODUCING
        # The alarm must have seen that it is gone before it can be raised again.
        await asyncio.sleep(1.5 * INTERVAL_S)
        device.begun = None


async def measure(andon, seconds, folder):
    devices = [Device(number) for number in range(DEVICES)]
    by_name = {device.name: device for device in devices}
    servers = [await asyncio.start_server(device.answer, "127.0.0.1", 0) for device in devices]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    ends = [Journal()]
    file = config(folder, ports, [end.sections for end in ends])
    (folder / "data").mkdir()
    agent = await asyncio.create_subprocess_exec(
        andon, "run", "--config", file, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    faults, latencies, answered = [], {end.name: [] for end in ends}, {end.name: {} for end in ends}

    def seen(end, name):
        begun = by_name[name].begun
        # Each fault counts once.
        if begun is not None and answered[end].get(name) != begun:
            answered[end][name] = begun
            latencies[end].append((time.monotonic() - begun) * 1000)

    watching = [asyncio.create_task(end.watch(agent, seen)) for end in ends]
    try:
        waited = time.monotonic()
        while any(device.polls == 0 for device in devices):
            if time.monotonic() - waited > 60 or agent.returncode is not None:
                raise SystemExit("the agent does not read every device")
            await asyncio.sleep(0.2)
        await asyncio.sleep(WARM_S)
        lives = [asyncio.create_task(life(device, faults)) for device in devices]
        await asyncio.sleep(seconds)
        for one in lives:
            one.cancel()
        # Those of the last moment are not counted as missing.
        late = sum(1 for device in devices if device.begun and time.monotonic() - device.begun < INTERVAL_S + 0.5)
    finally:
        if agent.returncode is None:
            agent.terminate()
        await agent.wait()
        for one in watching:
            one.cancel()
    return len(faults), late, latencies


def report(faults, late, latencies):
    well = True
    print(f"{DEVICES} devices x {REGISTERS} registers x {INTERVAL_S:g} s, broker unreachable, {faults} faults")
    for end, all_ms in latencies.items():
        if len(all_ms) < 2:
            raise SystemExit(f"{end}: nothing arrived")
        cuts = statistics.quantiles(all_ms, n=100)
        median = statistics.median(all_ms)
        print(f"{end:<10} arrived {len(all_ms)}, of the last moment at most {late} not yet")
        print(f"{'':<10} p50 {median:.0f} ms, p90 {cuts[89]:.0f} ms, p99 {cuts[98]:.0f} ms, most {max(all_ms):.0f} ms")
        well &= median <= ALLOWED_MS and len(all_ms) + late >= faults
    print(f"allowed at the median: {ALLOWED_MS:.0f} ms; {'met' if well else 'NOT met'}")
    return well


def main():
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    with tempfile.TemporaryDirectory() as folder:
        told = asyncio.run(measure(sys.argv[1], seconds, pathlib.Path(folder)))
    sys.exit(0 if report(*told) else 1)


main()
