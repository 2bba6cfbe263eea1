"""Are all these messages as the contract's files say? By a validator that nobody here wrote.

    validate.py SCHEMAS HEAD <ARRIVALS

SCHEMAS is a directory with a schema for each payload (agent/docs/schema), HEAD the topic up to the
gateway, ARRIVALS a line for each message: topic, space, payload. Ends with 1 and says topic, place and
what is wrong there of up to ten messages; otherwise says how many were right.
"""

import json
import sys
from pathlib import Path

from jsonschema import Draft202012Validator

MOST = 10


def load(directory):
    """A validator for each payload; of `event`, one for each word."""
    validators = {}
    for file in Path(directory).glob("*.json"):
        schema = json.loads(file.read_text("utf-8"))
        if file.stem == "asyncapi":
            continue
        Draft202012Validator.check_schema(schema)
        for kind in schema.get("oneOf", [schema]):
            words = kind["properties"].get("event", {}).get("enum", [None])
            for word in words:
                validators[file.stem, word] = Draft202012Validator(kind)
    return validators


def name_of(tail):
    """The payload on a topic below the gateway."""
    match tail.split("/"):
        case ["status" | "event" as name]:
            return name
        case [_, "info" | "state" | "now" as name]:
            return name
        case [_, "kpi" | "tags" as name, "1m" | "1h" | "shift" | "1d"]:
            return name
        case [_, "alarm", _]:
            return "alarm"


def faults(validators, head, line):
    topic, _, payload = line.partition(" ")
    name = name_of(topic.removeprefix(head)) if topic.startswith(head) else None
    if name is None:
        return [f"{topic}: no topic of the contract"]
    if payload == "":
        retained = name not in ("event", "kpi", "tags")
        return [] if retained else [f"{topic}: a record that is empty"]
    message = json.loads(payload)
    word = message.get("event") if name == "event" else None
    validator = validators.get((name, word))
    if validator is None:
        return [f"{topic}: no event of the contract: {word}"]
    return [
        f"{topic}: {error.json_path}: {error.message}"
        for error in validator.iter_errors(message)
    ]


def main():
    validators = load(sys.argv[1])
    lines = [line.rstrip("\n") for line in sys.stdin]
    wrong = 0
    for line in lines:
        found = faults(validators, sys.argv[2], line)
        if found and wrong < MOST:
            print("\n".join(found), f"\n    in {line}")
        wrong += bool(found)
    if wrong:
        sys.exit(f"{wrong} of {len(lines)} messages are not as agent/docs/schema says")
    print(f"{len(lines)} messages are as they should be")


if __name__ == "__main__":
    main()
