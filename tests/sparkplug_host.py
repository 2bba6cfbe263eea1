"""A primary host of Sparkplug B: somebody else's MQTT client and somebody else's Protobuf.

    sparkplug_host.py BROKER_PORT GROUP HOST

It holds every message against what it knows of the session, and adds up what it is told. Obeys one JSON
object a line: `{"do": "be", "what": "online" | "offline" | "rebirth"}`, `{"do": "report"}`.
"""

import json
import sys
import threading
import time

import paho.mqtt.client as mqtt
from esio_spb_builder.core import sparkplug_b_pb2 as sparkplug

PORT, GROUP, HOST = int(sys.argv[1]), sys.argv[2], sys.argv[3]
STATE = f"spBv1.0/STATE/{HOST}"
VALUES = ("int_value", "long_value", "float_value", "double_value", "boolean_value", "string_value")


class Host:
    def __init__(self):
        self.lock = threading.Lock()
        self.node = None
        self.seq = None
        self.birth = None
        self.aliases = {}
        self.now = {}
        self.records = {}
        self.faults = []
        self.births = []
        self.deaths = []
        self.device_births = 0
        self.messages = 0
        self.historical = 0
        self.live = 0

    def take(self, topic, payload):
        self.messages += 1
        _, _, what, node, *device = topic.split("/")
        device = device[0] if device else None
        message = sparkplug.Payload()
        message.ParseFromString(payload)
        self.node = node
        if what == "NDEATH":
            number = next(m.long_value for m in message.metrics if m.name == "bdSeq")
            self.deaths.append(number)
            if message.HasField("seq"):
                self.fault(topic, "has a number")
            if number == self.birth:
                self.seq = self.birth = None
                self.aliases.clear()
            return
        if what == "NBIRTH":
            self.aliases.clear()
            self.birth = next(m.long_value for m in message.metrics if m.name == "bdSeq")
            self.births.append(self.birth)
            expected = 0
        else:
            expected = None if self.seq is None else (self.seq + 1) % 256
        if not message.HasField("seq") or message.seq != expected:
            self.fault(topic, f"number {message.seq} instead of {expected}")
        self.seq = message.seq
        if what == "DDEATH":
            self.aliases = {a: m for a, m in self.aliases.items() if m[0] != device}
        elif what in ("NBIRTH", "DBIRTH"):
            self.device_births += what == "DBIRTH"
            for metric in message.metrics:
                if metric.HasField("alias"):
                    self.aliases[metric.alias] = (device, metric.name)
                self.now[f"{device or ''}/{metric.name}"] = value(metric)
        else:
            self.data(topic, device, message)

    def data(self, topic, device, message):
        row = {}
        historical = any(metric.is_historical for metric in message.metrics)
        for metric in message.metrics:
            owner, name = self.aliases.get(metric.alias, (None, None))
            if name is None or owner != device:
                self.fault(topic, f"alias {metric.alias} was not born")
                continue
            if metric.is_historical != historical or not metric.HasField("timestamp"):
                self.fault(topic, f"{name} has no time, or is not of its row")
            row[name] = value(metric)
            if not historical:
                self.now[f"{device or ''}/{name}"] = row[name]
        heads = [name[: -len("/seq")] for name in row if name.endswith("/seq")]
        for head in heads:
            self.historical += historical
            self.live += not historical
            key = (row[f"{head}/run"], row[f"{head}/seq"])
            part = {name[len(head) + 1 :]: value for name, value in row.items()}
            self.records[key] = {"topic": f"{device or ''}/{head}", **part}

    def fault(self, topic, why):
        self.faults.append(f"{topic}: {why}")

    def report(self):
        made, missing = {}, []
        for record in self.records.values():
            device, _, tail = record["topic"].partition("/")
            if tail == "kpi/1m":
                total = made.setdefault(device, {"good": 0, "scrap": 0})
                total["good"] += record["good"] or 0
                total["scrap"] += record["scrap"] or 0
        for run in {run for run, _ in self.records}:
            seqs = {seq for of, seq in self.records if of == run}
            missing += [f"{run} {seq}" for seq in range(1, max(seqs)) if seq not in seqs]
        return {
            "faults": self.faults[:10],
            "births": self.births,
            "deaths": self.deaths,
            "device_births": self.device_births,
            "messages": self.messages,
            "historical": self.historical,
            "live": self.live,
            "made": made,
            "missing": missing[:10],
            "waiting": self.now.get("/status/waiting"),
            "states": {
                device: self.now.get(f"{device}/state/state") for device in ("press-1", "press-2")
            },
        }


def value(metric):
    if metric.is_null:
        return None
    which = metric.WhichOneof("value")
    if which not in VALUES:
        raise ValueError(f"{metric.name} has neither a value nor none")
    return getattr(metric, which)


def state(online, timestamp):
    return json.dumps({"online": online, "timestamp": timestamp})


def main():
    host = Host()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=HOST)
    began = int(time.time() * 1000)
    client.will_set(STATE, state(False, began), qos=1, retain=True)
    subscribed = threading.Event()

    def on_connect(client, *_):
        client.subscribe(f"spBv1.0/{GROUP}/#", qos=1)

    def on_message(_client, _userdata, message):
        with host.lock:
            if "CMD/" in message.topic:
                return
            try:
                host.take(message.topic, message.payload)
            except Exception as error:  # whatever is wrong with a message is reported
                host.fault(message.topic, repr(error))

    client.on_connect = on_connect
    client.on_message = on_message
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect("127.0.0.1", PORT)
    client.loop_start()
    subscribed.wait(20)
    print(json.dumps({"port": PORT}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        answer = {}
        if order["do"] == "report":
            with host.lock:
                answer = host.report()
        elif order["what"] in ("online", "offline"):
            online = order["what"] == "online"
            client.publish(STATE, state(online, int(time.time() * 1000)), 1, True).wait_for_publish()
        elif order["what"] == "rebirth":
            command = sparkplug.Payload()
            command.timestamp = int(time.time() * 1000)
            metric = command.metrics.add()
            metric.name = "Node Control/Rebirth"
            metric.datatype = 11
            metric.boolean_value = True
            topic = f"spBv1.0/{GROUP}/NCMD/{host.node}"
            client.publish(topic, command.SerializeToString(), 0).wait_for_publish()
        print(json.dumps(answer), flush=True)


main()
