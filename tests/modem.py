#!/usr/bin/env python3
"""A GSM modem on a pseudo-terminal, for tests.

It speaks AT commands as a Quectel EC25 does, echo, prompt and unasked lines included, and takes
messages in PDU mode. Its port is printed on standard output; what it is told goes into a file, one
JSON object a line. It ends with its standard input. `gammu` takes it for a modem, too
(tests/system/gammu.rs).

What it does wrong is told on its standard input, one JSON object a line:

    {"do": {"refuse": [38, 500]}}    the next messages are refused, with these CMS errors
    {"do": {"swallow": 1}}           the next one goes out, and nothing is answered
    {"do": {"no_prompt": 1}}         the next one is not asked for
    {"do": {"late_prompt": 0.5}}     from now on it is asked for after so many seconds
    {"do": {"unplug_in_text": true}} the next one goes out, and the modem is unplugged at once
    {"do": {"dead": true}}           it answers nothing any more until it is started anew
    {"do": {"mute_index": true}}     it announces messages as `+CMTI: ,-1`
    {"do": {"direct": true}}         it shows messages at once (+CMT)
    {"do": {"unannounced": true}}    it does not announce messages at all
    {"do": {"echo": true}}           it echoes although it was told not to
    {"do": {"status": 70}}           reports say that it was not delivered (TP-Status)
    {"do": {"full": 2}}              its memory has room for so many messages
    {"deliver": {"from": "+8613800000001", "text": "OK"}}
    {"unplug": true}, {"plug": true}
"""

import argparse
import json
import os
import select
import sys
import time
import tty


class Modem:
    def __init__(self, options):
        self.options = options
        self.near = None
        self.plug()
        self.locked = options.pin is not None
        self.tries = 3
        self.echo = True
        self.prompt = None
        self.line = b""
        self.asked = 0
        self.reference = 16
        self.reports = False
        self.pdu_mode = False
        self.later = []  # (time, lines)
        self.prompt_at = None
        self.registration = {}  # what it tells of it, by the question
        self.commands = b""
        self.memories = {"SM": {}, "ME": {}}  # of the card and its own, each {place: (state, unit)}
        self.reads, self.receives = "SM", "ME"
        self.wrong = {}  # what it does wrong

    def plug(self):
        """A port, by its own name or that of a link that stays the same."""
        if self.near is not None:
            return
        self.near, far = os.openpty()
        tty.setraw(far)
        self.port = os.ttyname(far)
        self.far = far  # kept open: the port outlives its users
        if self.options.link:
            if os.path.lexists(self.options.link):
                os.remove(self.options.link)
            os.symlink(self.port, self.options.link)
            self.port = self.options.link
        self.restart()

    def restart(self):
        self.echo, self.prompt, self.line = True, None, b""
        self.pdu_mode = self.reports = self.announces = False
        self.prompt_at = None

    def unplug(self):
        if self.near is None:
            return
        if self.options.link:
            os.remove(self.options.link)
        os.close(self.far)
        os.close(self.near)
        self.near = None
        self.later = []

    def write(self, data):
        if self.near is not None:
            os.write(self.near, data)

    def say(self, *lines):
        for line in lines:
            self.write(b"\r\n" + line.encode() + b"\r\n")

    def once(self, what):
        """Whether it does this wrong now, and once less from now on."""
        left = self.wrong.get(what, 0)
        self.wrong[what] = max(left - 1, 0)
        return left > 0

    def order(self, order):
        """Something on standard input."""
        self.wrong.update(order.get("do", {}))
        if "unplug" in order:
            self.unplug()
        if "plug" in order:
            self.plug()
        if "deliver" in order:
            self.deliver(**order["deliver"])

    def room(self):
        return self.wrong.get("full", 20)

    @property
    def memory(self):
        """That which commands read and delete."""
        return self.memories[self.reads]

    def deliver(self, text, **more):
        """A message of somebody, as the network hands it over."""
        digits = more["from"].lstrip("+")
        padded = digits + "F" * (len(digits) % 2)
        number = "".join(padded[at + 1] + padded[at] for at in range(0, len(padded), 2))
        kind = "91" if more["from"].startswith("+") else "81"
        data = text.encode("utf-16-be").hex().upper()
        stamp = "62114201000023"
        unit = f"0004{len(digits):02X}{kind}{number}0008{stamp}{len(data) // 2:02X}{data}"
        self.come(unit, "+CMT", "+CMTI")

    def come(self, unit, head, stored):
        """Something has come: shown at once, or stored and announced."""
        if self.wrong.get("direct") and head == "+CMT":
            self.say(f"{head}: ,{len(unit) // 2 - 1}\r\n{unit}")
            return
        memory = self.memories[self.receives]
        if len(memory) >= self.room():
            self.tell(lost=unit)
            return
        place = min(set(range(1, 256)) - set(memory))
        memory[place] = (0, unit)
        if self.wrong.get("mute_index"):
            self.say(f"{stored}: ,-1")
        elif not self.wrong.get("unannounced"):
            self.say(f'{stored}: "{self.receives}",{place}')

    def tell(self, **what):
        with open(self.options.told, "a", encoding="utf-8") as told:
            print(json.dumps(what), file=told)

    def take(self, byte):
        if self.prompt is not None:
            if byte == b"\x1b":
                self.prompt, self.line = None, b""
                self.say("OK")
            elif byte == b"\x1a":
                self.message(self.line.decode("ascii", "replace"))
                self.prompt, self.line = None, b""
            else:
                self.line += byte
            return
        if byte == b"\x1b":
            self.line = b""
        elif byte == b"\r":
            line, self.line = self.line.decode("ascii", "replace"), b""
            if self.wrong.get("dead") and "CFUN=1,1" not in line.upper():
                return
            if self.echo or self.wrong.get("echo"):
                self.write(line.encode() + b"\r")
            if line:
                self.command(line)
        elif byte != b"\n":
            self.line += byte

    def command(self, line):
        if self.options.print_commands:
            print(json.dumps({"at": time.monotonic(), "command": line}), flush=True)
        upper = line.upper()
        if self.options.chatty:
            self.say("+CREG: 1", '^RSSI:21')
        if not upper.startswith("AT"):
            return
        body = upper[2:]
        if body in ("", "E0", "E1", "Z"):
            self.echo = {"E0": False, "E1": True}.get(body, self.echo)
            self.say("OK")
        elif body == "+CFUN=1,1":
            self.tell(started_anew=True)
            self.wrong["dead"] = False
            self.restart()
            self.say("OK", "RDY")
        elif body.startswith("+CMEE") or body.startswith("+CFUN="):
            self.say("OK")
        elif body == "+CPMS=?":
            self.say('+CPMS: ("SM","ME"),("SM","ME"),("SM","ME")', "OK")
        elif body.startswith("+CPMS="):
            names = [name.strip('"') for name in body.split("=")[1].split(",")]
            if not set(names) <= set(self.memories):
                self.say("+CMS ERROR: 302")
                return
            # For reading, for writing, for what comes: those that are not named stay.
            self.reads = names[0]
            self.receives = names[2] if len(names) > 2 else self.receives
            used = [f"{len(self.memories[name])},{self.room()}" for name in (self.reads, self.reads, self.receives)]
            self.say(f"+CPMS: {','.join(used)}", "OK")
        elif body == "+CMGL=4":
            for place, (state, unit) in sorted(self.memory.items()):
                self.memory[place] = (1, unit)
                self.say(f"+CMGL: {place},{state},,{len(unit) // 2 - 1}\r\n{unit}")
            self.say("OK")
        elif body.startswith("+CMGR="):
            place = int(body.split("=")[1])
            if place in self.memory:
                state, unit = self.memory[place]
                self.memory[place] = (1, unit)
                self.say(f"+CMGR: {state},,{len(unit) // 2 - 1}\r\n{unit}", "OK")
            else:
                self.say("+CMS ERROR: 321")
        elif body.startswith("+CMGD="):
            numbers = [int(number) for number in body.split("=")[1].split(",")]
            self.tell(deleted=numbers)
            if len(numbers) == 1:
                self.memory.pop(numbers[0], None)
            else:
                self.memories[self.reads] = {at: one for at, one in self.memory.items() if one[0] == 0}
            self.say("OK")
        elif body == "+CGMI":
            self.say("Quectel", "OK")
        elif body == "+CGMM":
            self.say("EC25", "OK")
        elif body == "+CGMR":
            self.say("EC25EFAR06A01M4G", "OK")
        elif body in ("+CGSN", "+GSN"):
            self.say("861107030000003", "OK")
        elif body.startswith("+COPS=3,"):
            self.say("OK")
        elif body == "+CGATT?":
            self.say("+CGATT: 1", "OK")
        elif body == "+COPS?":
            self.say('+COPS: 0,2,"46000",7', "OK")
        elif body == "+CPIN?":
            self.tell(pin_asked=True)
            if self.tries == 0:
                self.say("+CPIN: SIM PUK", "OK")
            elif self.locked:
                self.say("+CPIN: SIM PIN", "OK")
            else:
                self.say("+CPIN: READY", "OK")
        elif body.startswith("+CPIN="):
            given = line.split("=", 1)[1].strip('"')
            self.tell(pin_given=given)
            if given == self.options.pin:
                self.locked = False
                self.say("OK")
            else:
                self.tries -= 1
                self.say("+CME ERROR: 16")
        elif body in ("+CREG?", "+CEREG?", "+CGREG?"):
            self.asked += 1
            state = self.options.state if self.asked > self.options.registered_after else 2
            told = self.registration.get(body[:-1], 0)
            where = ',"1A2B","0123ABCD",7' if told == 2 else ""
            self.say(f"{body[:-1]}: {told},{state}{where}", "OK")
        elif body[:-1] in ("+CREG=", "+CEREG=", "+CGREG=") and body[-1] in "012":
            self.registration[body[:-2]] = int(body[-1])
            self.say("OK")
        elif body == "+CSQ":
            self.say("+CSQ: 21,99", "OK")
        elif body == "+CMGF=0":
            self.pdu_mode = True
            self.say("OK")
        elif body == "+CSCA?":
            self.say('+CSCA: "+8613800100500",145', "OK")
        elif body.startswith("+CNMI="):
            numbers = body.split("=")[1].split(",")
            # As the EC25: reports only with the buffer discarded.
            if numbers[4:] == ["0"] and numbers[3] in ("0", "1"):
                self.reports = numbers[3] == "1"
                self.say("OK")
            else:
                self.say("+CMS ERROR: 303")
        elif body.startswith("+CMGS="):
            if not self.pdu_mode or self.locked:
                self.say("+CMS ERROR: 304")
                return
            if self.once("no_prompt"):
                self.tell(no_prompt=True)
                return
            self.prompt = int(body.split("=")[1])
            # It asks when it is ready, and takes what comes before that for the text all the same.
            self.prompt_at = time.monotonic() + self.wrong.get("late_prompt", 0)
            self.ask()
        else:
            self.say("ERROR")

    def ask(self):
        if self.prompt_at is not None and self.prompt_at <= time.monotonic():
            self.prompt_at = None
            self.write(b"\r\n> ")

    def message(self, pdu):
        if self.prompt_at is not None:
            self.tell(said_too_early=pdu)
        octets = bytes.fromhex(pdu)
        if len(octets) - 1 - octets[0] != self.prompt:
            self.tell(wrong_length=self.prompt, pdu=pdu)
            self.say("+CMS ERROR: 304")
            return
        refusals = self.wrong.get("refuse", [])
        if self.options.refuse is not None or refusals:
            code = refusals.pop(0) if refusals else self.options.refuse
            self.tell(pdu=pdu, refused=code)
            self.say(f"+CMS ERROR: {code}")
            return
        self.tell(pdu=pdu)
        self.reference = (self.reference + 1) % 256
        if self.options.silent or self.once("swallow"):
            return
        if self.once("unplug_in_text"):
            self.unplug()
            return
        self.say(f"+CMGS: {self.reference}", "OK")
        wants_report = octets[1] & 0x20
        if wants_report and self.reports and not self.options.no_report:
            digits = octets[3]
            address = octets[3 : 5 + (digits + 1) // 2]
            stamp = bytes.fromhex("62114201000023")
            unit = bytes([6, self.reference]) + address + stamp + stamp + bytes([self.wrong.get("status", self.options.status)])
            line = f"+CDS: {len(unit)}"
            self.later.append((time.monotonic() + 0.2, [line + "\r\n00" + unit.hex().upper()]))

    def serve(self):
        print(self.port, flush=True)
        while True:
            ports = [] if self.near is None else [self.near]
            ready, _, _ = select.select(ports + [sys.stdin], [], [], 0.02)
            if sys.stdin in ready:
                data = sys.stdin.buffer.raw.read(4096)
                if not data:
                    return
                *orders, self.commands = (self.commands + data).split(b"\n")
                for order in orders:
                    self.order(json.loads(order))
            if self.near is not None and self.near in ready:
                for byte in os.read(self.near, 4096):
                    self.take(bytes([byte]))
            self.ask()
            now = time.monotonic()
            for due, lines in [one for one in self.later if one[0] <= now]:
                self.say(*lines)
            self.later = [one for one in self.later if one[0] > now]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--told", required=True, help="where to write what it is told")
    parser.add_argument("--link", help="a name for the port that stays the same")
    parser.add_argument("--pin")
    parser.add_argument("--registered-after", type=int, default=0, help="questions until there is a network")
    parser.add_argument("--state", type=int, default=1, help="registration")
    parser.add_argument("--refuse", type=int, help="CMS error for messages")
    parser.add_argument("--status", type=int, default=0, help="TP-Status in reports")
    parser.add_argument("--no-report", action="store_true")
    parser.add_argument("--silent", action="store_true")
    parser.add_argument("--chatty", action="store_true")
    parser.add_argument("--print-commands", action="store_true", help="each with its moment, on standard output")
    Modem(parser.parse_args()).serve()


main()
