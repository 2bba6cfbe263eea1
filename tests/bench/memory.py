#!/usr/bin/env python3
"""What the agent takes of memory beside what `andon check` plans, with a thousand devices of twenty tags.

    tests/bench/memory.py target/release/andon [SECONDS]

Serves the devices behind five Modbus TCP ports, with mosquitto as the broker, all on loopback; prints
the plan and the resident memory as the system counts it, in MiB.
"""

import asyncio
import json
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import time

LINKS, UNITS, TAGS = 5, 200, 20
MIB = 1 << 20


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def config(folder, broker, ports):
    tags = ['word = { at = "holding:0", type = "u16" }']
    tags.append('total = { at = "holding:1", type = "u16", role = "total_count" }')
    tags += [f'v{n} = {{ at = "holding:{n}", type = "u16" }}' for n in range(2, TAGS)]
    shifts = [("day", "06:00", "18:00"), ("night", "18:00", "06:00")]
    days = '["mon", "tue", "wed", "thu", "fri", "sat", "sun"]'
    parts = [
        '[gateway]\nid = "gw"\nsite = "s"\narea = "a"\ntimezone = "Asia/Shanghai"',
        f'data_dir = "{folder}/data"\nmemory_budget = "64 MiB"',
        f'[upstream]\nbroker = "mqtt://127.0.0.1:{broker}"',
        *[f'[[shift]]\nname = "{name}"\ndays = {days}\nstart = "{a}"\nend = "{b}"' for name, a, b in shifts],
        '[[profile]]\nid = "press"\nevery = "2 s"\nrated_rate = "3600/h"\n[profile.tags]',
        *tags,
        '[profile.state]\nfrom = "word"\nidle = [0]\nproducing = [2]\nfaulted = [3]',
    ]
    for link, port in enumerate(ports):
        parts.append(f'[[link]]\nid = "l{link}"\nmodbus_tcp = "127.0.0.1:{port}"')
        for unit in range(1, UNITS + 1):
            keys = f'profile = "press"\nlink = "l{link}"\nunit = {unit}'
            parts.append(f'[[device]]\nid = "d{link}-{unit}"\n{keys}')
    file = folder / "andon.toml"
    file.write_text("\n".join(parts) + "\n")
    return file


async def answer(reader, writer, begun):
    try:
        while True:
            number, _, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
            request = await reader.readexactly(length - 1)
            first, count = struct.unpack(">HH", request[1:5])
            now = int(time.monotonic() - begun)
            moving = [1000 + 7 * at + (13 * now + 5 * unit + at) % 97 for at in range(TAGS)]
            registers = [2, now & 0xFFFF, *moving[2:]][first : first + count]
            head = struct.pack(">HHHBBB", number, 0, 3 + 2 * count, unit, request[0], 2 * count)
            writer.write(head + struct.pack(f">{count}H", *registers))
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        writer.close()


async def measure(andon, seconds, folder):
    ports, broker = [free_port() for _ in range(LINKS)], free_port()
    begun = time.monotonic()
    for port in ports:
        await asyncio.start_server(lambda r, w: answer(r, w, begun), "127.0.0.1", port)
    file = config(folder, broker, ports)
    plan = json.loads(subprocess.run([andon, "check", "--json", file], check=True, capture_output=True).stdout)
    (folder / "data").mkdir()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    mosquitto = subprocess.Popen(["mosquitto", "-p", str(broker)], **quiet)
    await asyncio.sleep(1)
    agent = subprocess.Popen([andon, "run", "--config", file], **quiet)
    try:
        await asyncio.sleep(seconds)
        status = pathlib.Path(f"/proc/{agent.pid}/status").read_text()
    finally:
        agent.terminate()
        agent.wait()
        mosquitto.terminate()
        mosquitto.wait()
    told = dict(line.split(":", 1) for line in status.splitlines())
    resident = {key: int(told[key].split()[0]) * 1024 / MIB for key in ("VmRSS", "VmHWM")}
    print(f"planned   {plan['memory_sum'] / MIB:6.1f}")
    well = plan["memory_while_well"] / MIB
    print(f"while well{well:6.1f}")
    for key, value in resident.items():
        print(f"{key:<10}{value:6.1f}  {100 * value / well:.0f} %")


def main():
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 150
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(sys.argv[1], seconds, pathlib.Path(folder)))


main()
