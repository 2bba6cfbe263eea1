#!/usr/bin/env python3
"""A GSM modem on a pseudo-terminal, for tests.

It speaks AT commands as a Quectel EC25 does, echo, prompt and unasked lines included, and takes
messages in PDU mode. Its port is printed on standard output; what it is told goes into a file, one
JSON object a line. It ends with its standard input. `gammu` takes it for a modem, too.
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
        self.near, far = os.openpty()
        tty.setraw(far)
        self.port = os.ttyname(far)
        self.far = far  # kept open: the port outlives its users
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

    def say(self, *lines):
        for line in lines:
            os.write(self.near, b"\r\n" + line.encode() + b"\r\n")

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
            if self.echo:
                os.write(self.near, line.encode() + b"\r")
            if line:
                self.command(line)
        elif byte != b"\n":
            self.line += byte

    def command(self, line):
        upper = line.upper()
        if self.options.chatty:
            self.say("+CREG: 1", '^RSSI:21')
        if not upper.startswith("AT"):
            return
        body = upper[2:]
        if body in ("", "E0", "E1", "Z"):
            self.echo = {"E0": False, "E1": True}.get(body, self.echo)
            self.say("OK")
        elif body.startswith("+CMEE") or body.startswith("+CFUN="):
            self.say("OK")
        elif body == "+CGMI":
            self.say("Quectel", "OK")
        elif body == "+CGMM":
            self.say("EC25", "OK")
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
            self.say(f"{body[:-1]}: 0,{state}", "OK")
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
            self.prompt = int(body.split("=")[1])
            os.write(self.near, b"\r\n> ")
        else:
            self.say("ERROR")

    def message(self, pdu):
        octets = bytes.fromhex(pdu)
        if len(octets) - 1 - octets[0] != self.prompt:
            self.tell(wrong_length=self.prompt, pdu=pdu)
            self.say("+CMS ERROR: 304")
            return
        self.tell(pdu=pdu)
        if self.options.refuse is not None:
            self.say(f"+CMS ERROR: {self.options.refuse}")
            return
        self.reference += 1
        if self.options.silent:
            return
        self.say(f"+CMGS: {self.reference}", "OK")
        wants_report = octets[1] & 0x20
        if wants_report and self.reports and not self.options.no_report:
            digits = octets[3]
            address = octets[3 : 5 + (digits + 1) // 2]
            stamp = bytes.fromhex("62114201000023")
            unit = bytes([6, self.reference]) + address + stamp + stamp + bytes([self.options.status])
            line = f"+CDS: {len(unit)}"
            self.later.append((time.monotonic() + 0.2, [line + "\r\n00" + unit.hex().upper()]))

    def serve(self):
        print(self.port, flush=True)
        while True:
            ready, _, _ = select.select([self.near, sys.stdin], [], [], 0.05)
            if sys.stdin in ready and not sys.stdin.buffer.raw.read(1):
                return
            if self.near in ready:
                for byte in os.read(self.near, 4096):
                    self.take(bytes([byte]))
            now = time.monotonic()
            for due, lines in [one for one in self.later if one[0] <= now]:
                self.say(*lines)
            self.later = [one for one in self.later if one[0] > now]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--told", required=True, help="where to write what it is told")
    parser.add_argument("--pin")
    parser.add_argument("--registered-after", type=int, default=0, help="questions until there is a network")
    parser.add_argument("--state", type=int, default=1, help="registration")
    parser.add_argument("--refuse", type=int, help="CMS error for messages")
    parser.add_argument("--status", type=int, default=0, help="TP-Status in reports")
    parser.add_argument("--no-report", action="store_true")
    parser.add_argument("--silent", action="store_true")
    parser.add_argument("--chatty", action="store_true")
    Modem(parser.parse_args()).serve()


main()
