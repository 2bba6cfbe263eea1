"""Writes the payloads beside it: those of a node `press-shop/line-a` with a device `oven-7`.

They are made by another encoder, so that ours and its own reader cannot be wrong together:
    pip install pysparkplug==0.6.1 && python generate.py
"""

from pathlib import Path

from pysparkplug import DataType, DBirth, DData, DDeath, Metric, NBirth, NDeath
from pysparkplug import _protobuf as protobuf

HERE = Path(__file__).parent
TS = 1_790_000_000_000


def write(name, message):
    (HERE / f"{name}.bin").write_bytes(message.encode())


def metric(name, datatype, value, alias=None, at=TS, **more):
    return Metric(timestamp=at, name=name, datatype=datatype, value=value, alias=alias, **more)


bd_seq = metric("bdSeq", DataType.INT64, 7)
write("nbirth", NBirth(TS, 0, (bd_seq, metric("Node Control/Rebirth", DataType.BOOLEAN, False))))
write("ndeath", NDeath(TS, bd_seq))
write("ndeath-before", NDeath(TS, metric("bdSeq", DataType.INT64, 6)))
write("ddeath", DDeath(TS, 5))

VALUES = [
    ("Temperature", DataType.FLOAT, 812.5, 10),
    ("Setpoint", DataType.DOUBLE, 0.1, 11),
    ("Offset", DataType.INT8, -5, 12),
    ("Trim", DataType.INT16, -300, 13),
    ("Balance", DataType.INT32, -70000, 14),
    ("Drift", DataType.INT64, -5_000_000_000, 15),
    ("Zone", DataType.UINT8, 200, 16),
    ("Parts", DataType.UINT32, 4_000_000_000, 17),
    ("Energy", DataType.UINT64, 1 << 40, 18),
    ("Door", DataType.BOOLEAN, True, 19),
    ("Mode", DataType.STRING, "运行", 20),
]
# The values last changed long before the device was born.
born = [metric(name, of, value, alias, at=TS - 3_600_000) for name, of, value, alias in VALUES]
nothing = metric("Probe", DataType.FLOAT, None, 21, is_null=True)
write("dbirth", DBirth(TS, 1, tuple(born) + (nothing,)))

write(
    "ddata-named",
    DData(
        TS + 1000,
        2,
        (
            metric("Temperature", DataType.FLOAT, 813.25, at=TS + 900),
            metric("Temperature", DataType.FLOAT, 1.0, at=TS - 60_000, is_historical=True),
            metric("Mode", DataType.STRING, "stop", at=TS + 800),
        ),
    ),
)

# Only aliases, as a node does that saves bytes; names and types are those of the birth.
by_alias = protobuf.Payload()
by_alias.timestamp = TS + 2000
by_alias.seq = 3
for alias, field, value in [
    (12, "int_value", (-6) & 0xFFFFFFFF),
    (17, "int_value", 4_000_000_001),
    (19, "boolean_value", False),
    (99, "int_value", 1),
]:
    of_alias = by_alias.metrics.add()
    of_alias.alias = alias
    of_alias.timestamp = TS + 2000
    setattr(of_alias, field, value)
(HERE / "ddata-aliases.bin").write_bytes(by_alias.SerializeToString())

# What its source calls good, bad and stale.
judged = protobuf.Payload()
judged.timestamp = TS + 3000
judged.seq = 4
for name, quality in [("Temperature", 192), ("Setpoint", 0), ("Trim", 500)]:
    of_quality = judged.metrics.add()
    of_quality.name = name
    of_quality.timestamp = TS + 3000
    of_quality.datatype = 3
    of_quality.int_value = 21
    of_quality.properties.keys.append("Quality")
    value = of_quality.properties.values.add()
    value.type = 3
    value.int_value = quality
(HERE / "ddata-judged.bin").write_bytes(judged.SerializeToString())
