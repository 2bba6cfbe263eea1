#!/usr/bin/env python3
"""What a machine log comes to, straight from the raw file; needs nothing but Python.

    tests/replay/totals.py haute-borne-spring      prints JSON

It knows nothing of the agent but the rules that the agent promises (agent/docs/figures.md):

- A line arrives at its own time stamp, or with the line before it if its stamp is earlier: so would
  a gateway see it whose clock is right.
- A value counts only if its stamp is not earlier than the newest of the same name.
- A state begins when it arrives and holds until the next one, or until `stale` after its stamp;
  from then on, and before the first, it is unknown.
- A counter's difference counts in the window in which it is read, and is a gap if unknown time lies
  in between. A counter that drops makes no parts: the time since its last reading is uncounted.
- A fault is an entry into `faulted` from another known state. Unknown time does not end it.
- A level holds from its arrival until its next reading, good or bad, or until `stale` after its stamp.
  Its mean is weighted with that time; least and greatest are those of all that was read or held.

The windows are those that end between the minute in which the first line arrives and the first local
midnight after the last.
"""

import csv
import json
import math
import pathlib
import sys
from datetime import datetime, timedelta, timezone

MINUTE, HOUR = 60_000, 3_600_000
STATES = ["producing", "setup", "delayed", "faulted", "idle", "planned_stop", "unknown"]


def ms(stamp):
    """RFC 3339 to milliseconds since 1970; what is finer is cut off."""
    whole, offset = (stamp[:-1], "+00:00") if stamp.endswith("Z") else (stamp[:-6], stamp[-6:])
    whole, _, fraction = whole.partition(".")
    moment = datetime.fromisoformat(whole + offset)
    return round(moment.timestamp()) * 1000 + int((fraction + "000")[:3])


def wind_farm(path):
    """Rows of all turbines: [(turbine, stamp, {column: text})]."""
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield row["Wind_turbine_name"].lower(), ms(row["Date_time"]), row


def lathe(path):
    """Lines of an MTConnect adapter, `STAMP|NAME|VALUE|NAME|VALUE...`, told to three devices."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            stamp, *pairs = line.rstrip("\n").split("|")
            values = dict(zip(pairs[::2], pairs[1::2]))
            for device in CUTS:
                yield device, ms(stamp), values


def turbine_state(row):
    if row["Ba_avg"] == "":
        return None
    pitch = float(row["Ba_avg"])
    return "producing" if pitch <= 20 else "idle" if pitch <= 60 else "faulted"


def lathe_state(values):
    shown = {"ACTIVE": "producing", "READY": "idle", "PROGRAM_COMPLETED": "idle"}
    return shown[values["pexecution"]] if "pexecution" in values else None


def paris(at):
    """Hours ahead of UTC: summer from the last Sunday of March, 01:00 UTC, to that of October."""
    year = datetime.fromtimestamp(at / 1000, timezone.utc).year

    def last_sunday(month):
        end = datetime(year, month, 31, 1, tzinfo=timezone.utc)
        return (end - timedelta(days=(end.weekday() + 1) % 7)).timestamp() * 1000

    return 2 if last_sunday(3) <= at < last_sunday(10) else 1


def new_york(_):
    """Hours ahead of UTC in summer; the log is of one day in August."""
    return -4


# Which counter a device has, and for how long it believes what it was told.
CUTS = {
    "okuma": ("ppartcount", 2 * MINUTE),
    "okuma-cutting": ("pCuttingTime", 2 * MINUTE),
    "okuma-patient": ("pCuttingTime", 10 * MINUTE),
}
LEVELS = {"pitch": "Ba_avg", "power": "P_avg"}
FARM = (wind_farm, turbine_state, lambda _: (None, 30 * MINUTE), LEVELS, paris)
LOGS = {
    "haute-borne-spring": ("haute-borne-spring.csv", *FARM),
    "haute-borne-autumn": ("haute-borne-autumn.csv", *FARM),
    "haute-borne-outage": ("haute-borne-outage.csv", *FARM),
    "okuma": ("okuma.shdr", lathe, lathe_state, CUTS.get, {}, new_york),
}


def midnight_after(at, hours_ahead):
    """The first local midnight later than `at`."""
    at = at // HOUR * HOUR + HOUR
    while (at // HOUR + hours_ahead(at)) % 24:
        at += HOUR
    return at


def stretches(shown, stale, begin, end):
    """[(from, to, state)] without holes, empty ones included: they can begin a fault."""
    told, at, until, state = [], begin, begin, "unknown"
    for arrival, stamp, next_state in [*shown, (end, None, None)]:
        if state != "unknown" and until <= arrival:
            told.append((at, until, state))
            at, state = until, "unknown"
        told.append((at, arrival, state))
        if stamp is not None:
            at, until, state = arrival, stamp + stale, next_state
    return told


def faults(told):
    """Moments at which a fault began, and [(moment, faulted time)] of those that ended."""
    began, ended, before, fault, spent = [], [], "unknown", False, 0
    for at, to, state in told:
        if state == "faulted":
            if not fault and before != "unknown":
                began.append(at)
            fault, spent = True, spent + to - at
        elif fault and state != "unknown":
            ended.append((at, spent))
            fault, spent = False, 0
        before = state
    return began, ended


def overlap(stretch, begin, end):
    return max(0, min(stretch[1], end) - max(stretch[0], begin))


def nine_digits(number):
    return float(f"{number:.8e}")


def level(readings, stale, name, start, to):
    """What a level has come to between two moments."""
    held = []
    for (at, stamp, value), (following, _, _) in zip(readings, [*readings[1:], (to, 0, None)]):
        stretch = (at, max(at, min(following, stamp + stale)))
        if value is not None and (overlap(stretch, start, to) or start <= at < to):
            held.append((value, overlap(stretch, start, to)))
    good = sum(time for _, time in held)
    values = [value for value, _ in held]
    return {
        f"{name}_mean": math.fsum(value * time for value, time in held) / good if good else None,
        f"{name}_min": nine_digits(min(values)) if values else None,
        f"{name}_max": nine_digits(max(values)) if values else None,
        f"{name}_last": values[-1] if values else None,
        f"{name}_good_ms": good,
    }


def account(lines, state_of, counter, stale, levels, hours_ahead, begin, end):
    shown, counted, newest = [], [], {}
    for arrival, stamp, values in lines:
        is_fresh = arrival - stamp < stale
        for name, put in [
            ("state", lambda: shown.append((arrival, stamp, state_of(values)))),
            ("count", lambda: counted.append((arrival, int(values[counter])))),
        ]:
            there = state_of(values) is not None if name == "state" else counter in values
            if there and stamp >= newest.get(name, stamp):
                newest[name] = stamp
                if is_fresh:
                    put()
    told = stretches(shown, stale, begin, end)
    began, ended = faults(told)
    unknown = [stretch for stretch in told if stretch[2] == "unknown"]
    made = []
    for (then, before), (now, count) in zip(counted, counted[1:]):
        gap = any(overlap(stretch, then, now) for stretch in unknown)
        parts, lost = (count - before, 0) if count >= before else (0, now - then)
        made.append((now, parts, parts if gap else 0, lost))

    def window(start, to):
        within = lambda at: start <= at < to  # noqa: E731
        is_counted = any(within(at) for at, _ in counted)
        total = lambda column: sum(one[column] for one in made if within(one[0]))  # noqa: E731
        repaired = [spent for at, spent in ended if within(at)]
        return {
            "start_ms": start,
            "end_ms": to,
            **{
                f"{state}_ms": sum(overlap(one, start, to) for one in told if one[2] == state)
                for state in STATES
            },
            "uncounted_ms": total(3),
            "total": total(1) if is_counted else None,
            "gap_total": total(2) if is_counted else None,
            "failures": sum(map(within, began)),
            "repairs": len(repaired),
            "repair_ms": sum(repaired),
        }

    read = {
        name: [
            (at, stamp, float(values[column]) if values[column] else None)
            for at, stamp, values in lines
        ]
        for name, column in levels.items()
    }

    def tags(start, to):
        told = {"start_ms": start, "end_ms": to}
        for name, readings in read.items():
            told |= level(readings, stale, name, start, to)
        return told

    def windows(next_edge, of):
        start, all_of_them = begin, []
        while (to := next_edge(start)) <= end:
            all_of_them.append(of(start, to))
            start = to
        return all_of_them

    edges = {
        "1m": lambda at: at // MINUTE * MINUTE + MINUTE,
        "1h": lambda at: at // HOUR * HOUR + HOUR,
        "1d": lambda at: midnight_after(at, hours_ahead),
    }
    return {
        "all": window(begin, end),
        "kpi": {tier: windows(edge, window) for tier, edge in edges.items()},
        "tags": {tier: windows(edges[tier], tags) for tier in ["1h", "1d"] if levels},
    }


def main(name):
    file, read, state_of, of_device, levels, hours_ahead = LOGS[name]
    path = pathlib.Path(__file__).parent / file
    now, lines, back, same = 0, {}, 0, 0
    last = {}
    for device, stamp, values in read(path):
        back += stamp < now
        same += stamp == last.get(device)
        last[device] = stamp
        now = max(now, stamp)
        lines.setdefault(device, []).append((now, stamp, values))
    begin = min(all_of_one[0][0] for all_of_one in lines.values()) // MINUTE * MINUTE
    end = midnight_after(now, hours_ahead)
    devices = {
        device: account(all_of_one, state_of, *of_device(device), levels, hours_ahead, begin, end)
        for device, all_of_one in lines.items()
    }
    disorder = {"earlier_than_before": back, "same_as_before": same}
    json.dump({"begin_ms": begin, "end_ms": end, "disorder": disorder, "devices": devices}, sys.stdout)
    print()


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in LOGS:
        sys.exit(f"usage: totals.py {'|'.join(LOGS)}")
    main(sys.argv[1])
