"""A robot of a group chat, or a program that takes JSON: Python's own server, this file says what it wants
to see and what it answers. Signatures are computed as in the examples of the products.

The scenario writes one JSON object per line to stdin, and each is answered by one line on stdout;
the first line says where the server listens: {"port": 41234}.

    {"do": "be", "what": "busy", "times": 2}
                    what it is for so many requests, then well again: well, busy, failing (500), hanging, page
                    (of a proxy), vanishing (has the message and closes without an answer)
    {"do": "report"}
                    {"requests": [{"path": "/send", "headers": {}, "body": {}, "told": true}]}

With --cert and --key it speaks TLS. --clock moves its clock by so many seconds.
"""

import argparse
import base64
import hashlib
import hmac
import http.server
import json
import ssl
import sys
import threading
import time
import urllib.parse

REQUESTS = []
MOOD = {"what": "well", "times": 0}
LOCK = threading.Lock()

BUSY = {
    "wecom": {"errcode": 45009, "errmsg": "api freq out of limit"},
    "dingtalk": {"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"},
    "feishu": {"code": 11232, "msg": "create message trigger system frequency limit"},
}


def signed(key, text):
    """HMAC-SHA256 in Base64."""
    digest = hmac.new(key.encode(), text.encode(), digestmod=hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def wecom(query, headers, body, options):
    """群机器人配置说明."""
    if query.get("key") != options.token:
        return {"errcode": 93000, "errmsg": "invalid webhook url, hint: [1], from ip: 127.0.0.1"}
    kind = body["msgtype"]
    text = body[kind]["content"]
    if len(text.encode()) > {"text": 2048, "markdown": 4096}[kind]:
        return {"errcode": 93000, "errmsg": "Invalid input : content exceed max length."}
    return {"errcode": 0, "errmsg": "ok"}


def dingtalk(query, headers, body, options):
    """自定义机器人安全设置."""
    if query.get("access_token") != options.token:
        return {"errcode": 300005, "errmsg": "token is not exist"}
    if options.secret:
        at = query.get("timestamp", "0")
        if abs(int(at) / 1000 - now(options)) > 3600:
            return {"errcode": 310000, "errmsg": "invalid timestamp"}
        if query.get("sign") != signed(options.secret, f"{at}\n{options.secret}"):
            return {"errcode": 310000, "errmsg": "sign not match"}
    if options.keyword and options.keyword not in body["text"]["content"]:
        return {"errcode": 310000, "errmsg": "keywords not in content"}
    return {"errcode": 0, "errmsg": "ok"}


def feishu(query, headers, body, options):
    """自定义机器人使用指南."""
    if options.secret:
        at = body.get("timestamp", "0")
        early_or_late = abs(int(at) - now(options)) > 3600
        if early_or_late or body.get("sign") != signed(f"{at}\n{options.secret}", ""):
            why = "sign match fail or timestamp is not within one hour from current time"
            return {"code": 19021, "msg": why, "data": {}}
    if options.keyword and options.keyword not in body["content"]["text"]:
        return {"code": 19024, "msg": "Key Words Not Found", "data": {}}
    return {"code": 0, "msg": "success", "data": {}}


def program(query, headers, body, options):
    """A program that lets in whoever has the token and signs."""
    if options.token and headers.get("authorization") != f"Bearer {options.token}":
        return 401
    if options.secret:
        signed = f"{headers.get('andon-timestamp')}.".encode() + headers["raw"]
        sign = hmac.new(options.secret.encode(), signed, digestmod=hashlib.sha256).hexdigest()
        if headers.get("andon-signature") != f"sha256={sign}":
            return 403
    return 204


KINDS = {"wecom": wecom, "dingtalk": dingtalk, "feishu": feishu, "json": program}


def now(options):
    return time.time() + options.clock


class Robot(http.server.BaseHTTPRequestHandler):
    """One request on a connection, as they come."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):  # noqa: N802, the name is the library's
        options = self.server.options
        address = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(address.query))
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.loads(raw)
        with LOCK:
            mood = MOOD["what"] if MOOD["times"] > 0 else "well"
            MOOD["times"] -= 1
            answer = KINDS[options.kind](query, headers | {"raw": raw}, body, options)
            well = answer == 204 or isinstance(answer, dict) and 0 in answer.values()
            told = well and mood in ("well", "vanishing")
            request = {"path": address.path, "headers": headers, "body": body, "told": told}
            REQUESTS.append(request | {"answer": answer, "mood": mood})
        if mood == "vanishing":
            self.close_connection = True
            return
        if mood == "hanging":
            time.sleep(3600)
        if mood == "failing":
            return self.say(500, "text/html", b"<html>Internal Server Error</html>")
        if mood == "page":
            return self.say(200, "text/html", b"<html>Please log in</html>")
        if mood == "busy":
            answer = BUSY.get(options.kind, 429)
        if isinstance(answer, int):
            return self.say(answer, "text/plain", b"")
        self.say(200, "application/json", json.dumps(answer).encode())

    def say(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp=None):
        return super().date_time_string(now(self.server.options))

    def log_message(self, format, *args):  # noqa: A002, the name is the library's
        """Nothing: what was asked is in the report."""


def obey(order):
    """Does one order; what it is answered."""
    with LOCK:
        if order["do"] == "be":
            MOOD.update(what=order["what"], times=order.get("times", 1 << 30))
            return {}
        return {"requests": REQUESTS}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", choices=KINDS)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", default="")
    parser.add_argument("--secret", default="")
    parser.add_argument("--keyword", default="")
    parser.add_argument("--clock", type=float, default=0)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    options = parser.parse_args()
    http.server.ThreadingHTTPServer.daemon_threads = True
    server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Robot)
    server.options = options
    if options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert, options.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"port": server.server_address[1]}), flush=True)
    for line in sys.stdin:
        print(json.dumps(obey(json.loads(line))), flush=True)


main()
