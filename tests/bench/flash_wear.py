#!/usr/bin/env python3
"""What the agent writes to its disk, with 200 devices whose minutes are summed up.

    tests/bench/flash_wear.py target/release/andon [MINUTES] [--offline]

Serves the devices behind Modbus TCP on loopback, with mosquitto as the broker (none with --offline). The
data directory is an ext4 of its own on a loop device, so that what reaches the device, journal and all,
is counted by the device; needs root. Prints bytes a day by the process's own account (/proc/PID/io) and
by the device's, and the resident memory.
"""

import asyncio
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import time

UNITS = 200


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def config(data, broker, port):
    parts = [
        '[gateway]\nid = "gw"\nsite = "s"\narea = "a"\ntimezone = "Asia/Shanghai"',
        f'data_dir = "{data}"',
        f'[upstream]\nbroker = "mqtt://127.0.0.1:{broker}"',
        '[[profile]]\nid = "press"\nevery = "2 s"\nrated_rate = "3600/h"\n[profile.tags]',
        'word = { at = "holding:0", type = "u16", publish = false }',
        'total = { at = "holding:1", type = "u16", role = "total_count", publish = false }',
        '[profile.state]\nfrom = "word"\nidle = [0]\nproducing = [2]\nfaulted = [3]',
        f'[[link]]\nid = "l"\nmodbus_tcp = "127.0.0.1:{port}"',
    ]
    for unit in range(1, UNITS + 1):
        parts.append(f'[[device]]\nid = "press-{unit}"\nprofile = "press"\nlink = "l"\nunit = {unit}')
    return "\n".join(parts) + "\n"


async def answer(reader, writer, begun):
    try:
        while True:
            number, _, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
            request = await reader.readexactly(length - 1)
            first, count = struct.unpack(">HH", request[1:5])
            now = time.monotonic() - begun
            made = int(now * (20 + unit % 17) / 40)
            registers = [2, made & 0xFFFF][first : first + count]
            head = struct.pack(">HHHBBB", number, 0, 3 + 2 * count, unit, request[0], 2 * count)
            writer.write(head + struct.pack(f">{count}H", *registers))
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        writer.close()


def by_process(pid):
    lines = pathlib.Path(f"/proc/{pid}/io").read_text().splitlines()
    told = dict(line.split(": ") for line in lines)
    return int(told["write_bytes"])


def by_device(name):
    return int(pathlib.Path(f"/sys/block/{name}/stat").read_text().split()[6]) * 512


async def measure(andon, minutes, offline, folder):
    image, mounted = folder / "image", folder / "mnt"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(256 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    # Tables that are made later would be counted with what is measured.
    subprocess.run(["mount", "-o", "loop,noinit_itable", image, mounted], check=True)
    try:
        source = subprocess.run(["findmnt", "-no", "SOURCE", mounted], check=True, capture_output=True, text=True)
        await run(andon, minutes, offline, folder, mounted / "data", pathlib.Path(source.stdout.strip()).name)
    finally:
        subprocess.run(["umount", mounted], check=True)


async def run(andon, minutes, offline, folder, data, device):
    port, broker = free_port(), free_port()
    begun = time.monotonic()
    server = await asyncio.start_server(lambda r, w: answer(r, w, begun), "127.0.0.1", port)
    file = folder / "andon.toml"
    file.write_text(config(data, broker, port))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    mosquitto = None if offline else subprocess.Popen(["mosquitto", "-p", str(broker)], **quiet)
    agent = subprocess.Popen([andon, "run", "--config", file], **quiet)
    try:
        # The start, with its first alarms and windows, is not what is measured.
        await asyncio.sleep(90)
        before = (by_process(agent.pid), by_device(device))
        await asyncio.sleep(60 * minutes)
        after = (by_process(agent.pid), by_device(device))
        resident = next(
            line for line in pathlib.Path(f"/proc/{agent.pid}/status").read_text().splitlines() if "VmRSS" in line
        )
    finally:
        agent.terminate()
        agent.wait()
        if mosquitto:
            mosquitto.terminate()
            mosquitto.wait()
        server.close()
    names = ("written by the process", "written to the device")
    for name, one, other in zip(names, before, after):
        print(f"{name:<24}{(other - one) * 1440 / minutes / 1e6:8.1f} MB a day")
    print(f"{'resident':<24}{int(resident.split()[1]) / 1024:8.1f} MiB")


def main():
    arguments = [text for text in sys.argv[1:] if not text.startswith("--")]
    minutes = int(arguments[1]) if len(arguments) > 1 else 10
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(arguments[0], minutes, "--offline" in sys.argv, pathlib.Path(folder)))


main()
