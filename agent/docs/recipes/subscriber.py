"""Stores what Andon gateways publish in PostgreSQL (tables.sql).

    pip install paho-mqtt 'psycopg[binary]'
    python subscriber.py mqtt://broker:1883/andon 'dbname=plant'

The broker keeps a session for it: what is sent while this program is away comes when it is back. A
message is acknowledged only after it was committed, so nothing is lost between broker and database,
and what comes twice is stored once. If the database is gone it ends; let systemd start it again.
"""

import sys
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import psycopg


class Subscriber:
    def __init__(self, broker, database):
        self.database = psycopg.connect(database, autocommit=True)
        self.topic = broker.path.strip("/") + "/#"
        self.failure = None
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id="andon-postgresql",
            clean_session=False,
            manual_ack=True,
        )
        if broker.username:
            self.client.username_pw_set(broker.username, broker.password)
        if broker.scheme == "mqtts":
            self.client.tls_set()
        self.client.on_connect = self.on_connect
        self.client.on_message = self.on_message

    def on_connect(self, client, _userdata, _flags, reason, _properties):
        if reason.is_failure:
            self.fail(f"the broker refuses: {reason}")
        client.subscribe(self.topic, qos=1)

    def on_message(self, client, _userdata, message):
        try:
            self.store(message.topic, message.payload.decode())
        except psycopg.OperationalError as error:
            self.fail(f"the database: {error}")  # not acknowledged: it comes again
            return
        except (psycopg.Error, UnicodeDecodeError) as error:
            self.refuse(message, error)
        client.ack(message.mid, message.qos)

    def store(self, topic, payload):
        self.database.execute("SELECT andon_store(%s, %s)", (topic, payload))

    def refuse(self, message, error):
        """No message of a gateway: kept for a person to look at, and not asked for again."""
        payload = message.payload.decode(errors="backslashreplace").replace("\0", "\\0")
        self.database.execute(
            "INSERT INTO andon_refused (topic, payload, why) VALUES (%s, %s, %s)",
            (message.topic, payload, str(error)),
        )

    def fail(self, why):
        self.failure = why
        self.client.disconnect()

    def run(self, broker):
        default = 8883 if broker.scheme == "mqtts" else 1883
        self.client.connect(broker.hostname, broker.port or default)
        self.client.loop_forever()
        sys.exit(self.failure)


if __name__ == "__main__":
    broker = urlsplit(sys.argv[1])
    Subscriber(broker, sys.argv[2]).run(broker)
