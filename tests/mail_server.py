"""A server that takes mail: aiosmtpd, this file only says what it is to refuse, and tells what came.

The scenario writes one JSON object per line to stdin, and each is answered by one line on stdout;
the first line says where the server listens: {"port": 41234}.

    {"do": "be", "what": "greylisting", "times": 2}
                    what it is for so many mails, then well again: well, greylisting (451 to a mailbox), full (452
                    to the mail), unknown (550 to a mailbox), spam (554 to the mail), breaking (hangs up in the
                    middle of the mail), vanishing (has the mail and hangs up)
    {"do": "report"}
                    {"mails": [{"from": ..., "to": ..., "subject": ..., "text": ..., "headers": {}}], "asked": 3}

--security is none, starttls or tls; with --user and --password it lets nobody else send.
"""

import argparse
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

MAILS = []
MOOD = {"what": "well", "times": 0, "asked": 0}


def mood():
    return MOOD["what"] if MOOD["times"] > 0 else "well"


class Breaking(SMTP):
    """Hangs up in the middle of a mail, if it is to."""

    async def smtp_DATA(self, arg):  # noqa: N802, the name is the library's
        if mood() != "breaking":
            return await super().smtp_DATA(arg)
        MOOD["times"] -= 1
        await self.push("354 go on")
        await self._reader.readline()
        self.transport.abort()


class Mailboxes:
    """What is done with what comes."""

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        MOOD["asked"] += 1
        refusal = {
            "greylisting": "451 4.7.1 Greylisted, try again later",
            "unknown": "550 5.1.1 No such mailbox here",
        }.get(mood())
        if refusal:
            MOOD["times"] -= 1
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        now = mood()
        refusal = {
            "full": "452 4.3.1 Insufficient system storage",
            "spam": "554 5.7.1 Looks like spam",
        }.get(now)
        if now != "well":
            MOOD["times"] -= 1
        if refusal:
            return refusal
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        MAILS.append(
            {
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "subject": mail["Subject"],
                "text": mail.get_content(),
                "headers": {name: str(value) for name, value in mail.items()},
                "defects": [str(defect) for defect in mail.defects],
                "encrypted": server.transport.get_extra_info("cipher") is not None,
                "user": str(session.auth_data or ""),
            }
        )
        if now == "vanishing":
            server.transport.abort()
        return "250 2.0.0 OK"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--security", default="none")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    options = parser.parse_args()
    context = None
    if options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert, options.key)

    def authenticate(server, session, envelope, mechanism, data):
        right = (data.login.decode(), data.password.decode()) == (options.user, options.password)
        return AuthResult(success=right, handled=False, auth_data=data.login.decode() if right else None)

    class Server(Controller):
        def factory(self):
            return Breaking(
                self.handler,
                hostname="mail.plant.example",
                enable_SMTPUTF8=False,
                tls_context=context if options.security == "starttls" else None,
                require_starttls=options.security == "starttls",
                authenticator=authenticate,
                auth_exclude_mechanism=None if options.user else ["LOGIN", "PLAIN"],
                auth_required=options.user is not None,
                auth_require_tls=options.security == "starttls",
            )

    controller = Server(
        Mailboxes(),
        hostname="127.0.0.1",
        port=options.port,
        ssl_context=context if options.security == "tls" else None,
    )
    controller.start()
    print(json.dumps({"port": options.port}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "be":
            MOOD.update(what=order["what"], times=order.get("times", 1 << 30))
            answer = {}
        else:
            answer = {"mails": MAILS, "asked": MOOD["asked"]}
        print(json.dumps(answer), flush=True)


main()
