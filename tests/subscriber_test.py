"""The recipes of agent/docs/subscribing.md, run: a day and a half of a machine, as the agent sends
them, goes through mosquitto and subscriber.py into PostgreSQL, twice and out of order, and figures.sql
computes from the minutes what the agent says of hours, shifts and days: the same, to the last decimal.

    subscriber_test.py MESSAGES

MESSAGES comes from `ANDON_MESSAGES=FILE cargo test -p andon --test recomputed every_figure`.
"""

import glob
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import paho.mqtt.client as mqtt
import psycopg
from psycopg.rows import dict_row

RECIPES = Path(__file__).resolve().parent.parent / "agent/docs/recipes"
PARTS = (
    "window_ms producing_ms setup_ms delayed_ms faulted_ms idle_ms planned_stop_ms unknown_ms "
    "uncounted_ms good scrap total gap_total failures repairs repair_ms capacity "
    "capacity_producing capacity_uncounted"
).split()
FIGURES = (
    "coverage availability fault_time_ratio allocation_efficiency utilisation_efficiency "
    "technical_efficiency capacity_utilisation oee effectiveness quality_ratio fault_rate_per_h "
    "mtbf_s mttr_s throughput_per_h"
).split()


class Database:
    """A PostgreSQL of one's own behind a Unix socket; it refuses to be root's."""

    def __init__(self, directory):
        self.directory = directory
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
        self.programs = Path(found[-1]).parent if found else Path()
        self.owner = "postgres" if os.getuid() == 0 else None
        if self.owner:
            shutil.chown(directory, self.owner)
            directory.chmod(0o755)
        data = directory / "data"
        self.call("initdb", "-D", data, "-A", "trust", "-E", "UTF8", "--locale=C", "-U", "plant")
        settings = f"-c listen_addresses='' -c unix_socket_directories='{directory}'"
        self.call("pg_ctl", "-D", data, "-o", settings, "-l", directory / "log", "-w", "start")

    def call(self, program, *arguments):
        command = [str(self.programs / program), *map(str, arguments)]
        who = {}
        if self.owner:
            entry = pwd.getpwnam(self.owner)
            who = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.directory, **who)

    def address(self, name="postgres"):
        return f"host={self.directory} user=plant dbname={name}"

    def stop(self):
        self.call("pg_ctl", "-D", self.directory / "data", "-m", "immediate", "stop")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_broker(directory):
    port = free_port()
    config = directory / "mosquitto.conf"
    config.write_text(
        f"user root\nlistener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
    )
    broker = subprocess.Popen(["mosquitto", "-c", config], stderr=subprocess.DEVNULL)
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return broker, port
        time.sleep(0.1)
    sys.exit("mosquitto does not answer")


def start_subscriber(port, database):
    arguments = [f"mqtt://127.0.0.1:{port}/andon", database]
    return subprocess.Popen([sys.executable, RECIPES / "subscriber.py", *arguments])


def wait_for(what, look):
    for _ in range(3000):
        if look():
            return
        time.sleep(0.1)
    sys.exit(f"still no {what}")


def messages(file):
    """What three gateways send: the same machine, one that makes more, and one whose total alone is
    counted."""
    for line in Path(file).read_text("utf-8").splitlines():
        tail, _, payload = line.partition(" ")
        if "/kpi/" not in tail:
            continue
        said = json.loads(payload)
        yield "andon/v1/here/hall/gw", tail, said
        more = dict(said, gateway="gw-2", run="000000000002", line="A")
        for key in ("good", "scrap", "total", "gap_total"):
            more[key] = None if said[key] is None else 3 * said[key]
        yield "andon/v1/here/hall/gw-2", tail, more
        bare = dict(said, gateway="gw-3", run="000000000003", line="A", good=None, scrap=None)
        yield "andon/v1/here/hall/gw-3", tail, bare


def publish(port, sent):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="gateways")
    client.max_inflight_messages_set(100)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for head, tail, said in sent:
        last = client.publish(f"{head}/{tail}", json.dumps(said), qos=1)
    last.wait_for_publish(600)
    client.disconnect()


def quotient(numerator, denominator, ten):
    """Rounded half up, as agent/docs/figures.md says."""
    if not denominator:
        return None
    return (numerator * ten + denominator // 2) // denominator / ten


def check_roll_up(cursor):
    """The minutes of each machine make its hours, shifts and days."""
    cursor.execute(
        """SELECT r.body, d.sums, f.*
           FROM andon_kpi AS k
           JOIN andon_record AS r ON r.head = k.head AND r.tail = k.device || '/kpi/' || k."window"
            AND (r.body->>'start_ms')::bigint = k.start_ms AND (r.body->>'rev')::bigint = k.rev,
           LATERAL (SELECT to_jsonb(s.sums) AS sums, s.sums AS raw
                    FROM andon_sums_by_device('1m', k.start_ms, k.end_ms) AS s
                    WHERE s.head = k.head AND s.device = k.device) AS d,
           LATERAL andon_figures(d.raw) AS f
           WHERE k."window" <> '1m' AND k.head LIKE '%/gw'"""
    )
    figures = 0
    tiers = {}
    for row in cursor.fetchall():
        body = row["body"]
        where = f"{body['window']} from {body['start_ms']}"
        tiers[body["window"]] = tiers.get(body["window"], 0) + 1
        for part in PARTS:
            assert row["sums"][part] == body[part], (where, part, row["sums"][part], body[part])
        for key in FIGURES:
            value = None if row[key] is None else float(row[key])
            assert value == body[key], (where, key, value, body[key])
            figures += 1
    return tiers, figures


def check_total(cursor):
    """Three machines as one: sum, then compute."""
    cursor.execute("""SELECT * FROM andon_kpi WHERE "window" = '1h'""")
    hours = cursor.fetchall()

    def add(key, heads=("gw", "gw-2", "gw-3")):
        chosen = [hour for hour in hours if hour["head"].rsplit("/", 1)[1] in heads]
        return int(sum(hour[key] or 0 for hour in chosen))

    cursor.execute("SELECT * FROM andon_total('1h', 0, 9000000000000000000)")
    total = cursor.fetchone()
    known = add("window_ms") - add("planned_stop_ms") - add("unknown_ms")
    counted = add("capacity") - add("capacity_uncounted")
    two = ("gw", "gw-2")
    # The gaps of all three are the same. One that is cut by the end of the time leaves nothing.
    last = max(hours, key=lambda hour: hour["start_ms"])
    is_cut = bool(last["gap_after_ms"])
    counted_good = add("capacity", two) - add("capacity_uncounted", two)
    expected = {
        "devices": 3,
        "total": add("total"),
        "good": add("good"),
        "availability": quotient(add("producing_ms"), known, 10_000),
        "fault_time_ratio": quotient(add("faulted_ms"), known, 10_000),
        "capacity_utilisation": None if is_cut else quotient(1000 * add("total"), counted, 10_000),
        # The third counts no good parts: its capacity is no measure for those of the others.
        "oee": None if is_cut else quotient(1000 * add("good"), counted_good, 10_000),
        "quality_ratio": quotient(add("good"), add("total", two), 10_000),
        "fault_rate_per_h": quotient(
            add("failures") * 3_600_000, add("producing_ms") + add("setup_ms"), 1000
        ),
    }
    for key, value in expected.items():
        told = None if total[key] is None else float(total[key])
        assert told == value, (key, told, value)
    cursor.execute("SELECT line, count(*) FROM andon_line_shift GROUP BY line ORDER BY line")
    lines = {row["line"]: row["count"] for row in cursor.fetchall()}
    assert lines.keys() == {"-", "A"} and lines["-"] == lines["A"] >= 3, lines


def check_live(cursor):
    """A retained value counts while its gateway is online with the same run."""
    head = "andon/v1/here/hall/gw"

    def say(tail, **said):
        payload = json.dumps(said) if said else ""
        cursor.execute("SELECT andon_store(%s, %s)", (f"{head}/{tail}", payload))

    def live():
        cursor.execute("SELECT tail FROM andon_live ORDER BY tail")
        return [row["tail"] for row in cursor.fetchall()]

    say("status", status="online", run="b")
    say("press/state", state="producing", run="a")
    assert live() == ["status"], live()
    say("press/state", state="producing", run="b")
    assert live() == ["press/state", "status"], live()
    say("cmd/ack", id="press.fault", token="secret", run="b")
    say("press/state")
    assert live() == ["status"], live()
    say("status", status="offline", run="b")
    assert live() == [], live()


def main():
    directory = Path(tempfile.mkdtemp(prefix="subscriber-"))
    database_directory = directory / "database"
    directory.chmod(0o755)
    database_directory.mkdir()
    database = Database(database_directory)
    broker = subscriber = None
    try:
        broker, port = start_broker(directory)
        with psycopg.connect(database.address(), autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.cursor()
            for file in ("tables.sql", "figures.sql"):
                cursor.execute((RECIPES / file).read_text("utf-8"))
            count = lambda table: cursor.execute(f"SELECT count(*) FROM {table}").fetchone()["count"]

            sent = list(messages(sys.argv[1]))
            again = sent + sent[::7]
            random.Random(1).shuffle(again)
            subscriber = start_subscriber(port, database.address())
            # Nothing is sent before the broker knows its session.
            def is_heard():
                publish(port, [("andon/v1/here/hall/gw", "status", {"status": "online"})])
                return count("andon_current")

            wait_for("subscriber", is_heard)
            publish(port, again[: len(again) // 2])
            wait_for("hundred records", lambda: count("andon_record") > 100)
            subscriber.send_signal(signal.SIGKILL)
            subscriber.wait()
            publish(port, again[len(again) // 2 :])
            publish(port, [("andon/v1/here/hall/gw", "event", "no object"), ("andon/v1", "x", {})])
            subscriber = start_subscriber(port, database.address())
            wait_for("all records", lambda: count("andon_record") == len(sent))

            tiers, figures = check_roll_up(cursor)
            assert tiers.keys() == {"1h", "shift", "1d"} and figures > 500, (tiers, figures)
            check_total(cursor)
            wait_for("what is no JSON", lambda: count("andon_refused") == 2)
            check_live(cursor)
            print(f"{len(sent)} records of {len(again)} messages; windows {tiers}, {figures} figures")
    finally:
        for process in (subscriber, broker):
            if process:
                process.kill()
                process.wait()
        database.stop()
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
