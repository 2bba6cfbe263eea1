"""A machine that answers HTTP requests: Python's own server, this file only says what with.

The scenario writes one JSON object per line to stdin, and each is answered by one line on stdout;
the first line says where the server listens: {"port": 41234}.

    {"do": "show", "path": "/status.json", "body": "{}", "status": 200}
                                        what a page answers from now on; others are 404
    {"do": "report"}                    {"asked": {"/status.json": 7}, "connections": 1}

With --cert and --key it speaks TLS.
"""

import argparse
import http.server
import json
import ssl
import sys
import threading

PAGES = {}
ASKED = {}
CONNECTIONS = set()


class Machine(http.server.BaseHTTPRequestHandler):
    """Keeps connections open, as machines do."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):  # noqa: N802, the name is the library's
        """Whatever the page shows now."""
        CONNECTIONS.add(self.client_address)
        ASKED[self.path] = ASKED.get(self.path, 0) + 1
        status, body = PAGES.get(self.path, (404, "no such page"))
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format, *args):  # noqa: A002, the name is the library's
        """Nothing: what was asked is in the report."""


def obey(order):
    """Does one order; what it is answered."""
    if order["do"] == "show":
        PAGES[order["path"]] = (order.get("status", 200), order["body"])
        return {}
    return {"asked": ASKED, "connections": len(CONNECTIONS)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    arguments = parser.parse_args()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", arguments.port), Machine)
    if arguments.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(arguments.cert, arguments.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"port": server.server_address[1]}), flush=True)
    for line in sys.stdin:
        print(json.dumps(obey(json.loads(line))), flush=True)


main()
