//! Payloads are written here by the wire format (Protobuf, Encoding) and the numbers of the fields,
//! not with the structures that read them. `agent/tests/messages/` reads those of another encoder.

use super::*;
use proptest::prelude::*;

const MAX: usize = 64 * 1024;
const TS: u64 = 1_790_000_000_000;

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn number_field(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn bytes_field(field: u64, value: &[u8]) -> Vec<u8> {
    [
        varint(field << 3 | 2),
        varint(value.len() as u64),
        value.to_vec(),
    ]
    .concat()
}

/// A payload of metrics, each of which is its fields.
fn payload(metrics: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let metrics = metrics
        .iter()
        .map(|fields| bytes_field(2, &fields.concat()));
    let metrics: Vec<_> = metrics.collect();
    [number_field(1, TS), metrics.concat(), number_field(3, 7)].concat()
}

fn name(name: &str) -> Vec<u8> {
    bytes_field(1, name.as_bytes())
}

fn alias(alias: u64) -> Vec<u8> {
    number_field(2, alias)
}

fn time(time: u64) -> Vec<u8> {
    number_field(3, time)
}

fn datatype(number: u64) -> Vec<u8> {
    number_field(4, number)
}

fn int(value: u32) -> Vec<u8> {
    number_field(10, u64::from(value))
}

fn long(value: u64) -> Vec<u8> {
    number_field(11, value)
}

fn quality(code: u64) -> Vec<u8> {
    let value = [number_field(1, 3), number_field(3, code)].concat();
    bytes_field(
        9,
        &[bytes_field(1, b"Quality"), bytes_field(2, &value)].concat(),
    )
}

fn metric(name: &str, kind: Kind) -> Place {
    Place {
        format: Format::Metric(name.into()),
        ..Place::bare(Some("spBv1.0/g/DDATA/n/d".into()), kind)
    }
}

struct Device {
    session: Session,
    places: Vec<Place>,
}

impl Device {
    fn new(places: Vec<Place>) -> Device {
        Device {
            session: Session::new(&places),
            places,
        }
    }

    fn samples(&self, said: &Message) -> Vec<(TagIndex, Sample)> {
        let tags = (0..).map(TagIndex).zip(&self.places);
        self.session.samples(said, tags, false)
    }

    fn birth(&mut self, metrics: &[Vec<Vec<u8>>]) -> Vec<(TagIndex, Sample)> {
        let said = self.session.birth(&payload(metrics), MAX).unwrap();
        self.samples(&said)
    }

    fn data(&mut self, metrics: &[Vec<Vec<u8>>]) -> Vec<(TagIndex, Sample)> {
        let said = self.session.data(&payload(metrics), MAX).unwrap();
        self.samples(&said)
    }
}

fn sample(tag: u16, reading: Result<Value, Reason>, time: Option<u64>) -> (TagIndex, Sample) {
    let reading = match reading {
        Ok(value) => Reading::Good(value),
        Err(reason) => Reading::Bad(reason),
    };
    let time = time.map(|time| Wall(i64::try_from(time).unwrap()));
    (TagIndex(tag), Sample { reading, time })
}

/// One metric by name in a data message.
fn read(kind: Kind, fields: &[Vec<u8>]) -> Result<Value, Reason> {
    let mut device = Device::new(vec![metric("m", kind)]);
    let fields = [&[name("m")], fields].concat();
    match device.data(&[fields]).as_slice() {
        [(_, sample)] => match &sample.reading {
            Reading::Good(value) => Ok(value.clone()),
            Reading::Bad(reason) => Err(*reason),
            Reading::Uncertain(..) => panic!("not retained"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn scalars_of_every_type_are_read() {
    let float = [vec![12 << 3 | 5], 812.5_f32.to_le_bytes().to_vec()].concat();
    let double = [vec![13 << 3 | 1], 0.1_f64.to_le_bytes().to_vec()].concat();
    let truth = number_field(14, 1);
    let text = bytes_field(15, "运行".as_bytes());
    let run = Value::Text("运行".try_into().unwrap());
    for (number, value, kind, expected) in [
        (1, int(0xFF), Kind::I16, Value::Int(-1)),
        (1, int(0xFFFF_FF80), Kind::I16, Value::Int(-128)),
        (2, int(0xFFFE), Kind::I32, Value::Int(-2)),
        (2, int(0xFFFF_FFFE), Kind::F64, Value::Float(-2.0)),
        (3, int(u32::MAX), Kind::I64, Value::Int(-1)),
        (4, long(u64::MAX), Kind::I64, Value::Int(-1)),
        (5, int(200), Kind::U16, Value::Int(200)),
        (6, int(40_000), Kind::U16, Value::Int(40_000)),
        (7, int(u32::MAX), Kind::U32, Value::Int(4_294_967_295)),
        (7, long(4_294_967_295), Kind::U32, Value::Int(4_294_967_295)),
        (8, long(1 << 40), Kind::U64, Value::Int(1 << 40)),
        (8, long(u64::MAX), Kind::F64, Value::Float(u64::MAX as f64)),
        (9, float, Kind::F32, Value::Float(812.5)),
        (10, double, Kind::F64, Value::Float(0.1)),
        (11, truth, Kind::Bool, Value::Bool(true)),
        (12, text.clone(), Kind::Text, run.clone()),
        (13, long(TS), Kind::I64, Value::Int(1_790_000_000_000)),
        (14, text.clone(), Kind::Text, run.clone()),
        (15, text, Kind::Text, run),
    ] {
        assert_eq!(
            read(kind, &[datatype(number), value]),
            Ok(expected),
            "type {number}"
        );
    }
}

#[test]
fn what_does_not_fit_is_no_value() {
    for (fields, kind, expected) in [
        (
            vec![datatype(3), number_field(7, 1)],
            Kind::I32,
            Reason::Missing,
        ),
        (vec![datatype(3)], Kind::I32, Reason::Missing),
        (
            vec![datatype(17), bytes_field(16, b"x")],
            Kind::Text,
            Reason::WrongType,
        ),
        (
            vec![datatype(8), long(u64::MAX)],
            Kind::U64,
            Reason::OutOfRange,
        ),
        (
            vec![datatype(1), int(0x1234)],
            Kind::I16,
            Reason::OutOfRange,
        ),
        (
            vec![datatype(7), int(70_000)],
            Kind::U16,
            Reason::OutOfRange,
        ),
        (vec![datatype(3), int(5)], Kind::Text, Reason::WrongType),
        (
            vec![datatype(11), number_field(14, 1)],
            Kind::F64,
            Reason::WrongType,
        ),
        (
            vec![datatype(12), bytes_field(15, b"on")],
            Kind::F64,
            Reason::WrongType,
        ),
        (
            vec![
                datatype(10),
                [vec![13 << 3 | 1], f64::NAN.to_le_bytes().to_vec()].concat(),
            ],
            Kind::F64,
            Reason::NotFinite,
        ),
    ] {
        assert_eq!(read(kind, &fields), Err(expected), "{fields:?}");
    }
}

#[test]
fn bits_of_a_type_that_nobody_told_are_what_the_tag_says_or_nothing() {
    assert_eq!(read(Kind::F64, &[int(5)]), Ok(Value::Float(5.0)));
    assert_eq!(read(Kind::I32, &[int(u32::MAX)]), Ok(Value::Int(-1)));
    assert_eq!(
        read(Kind::U32, &[int(u32::MAX)]),
        Ok(Value::Int(4_294_967_295))
    );
    assert_eq!(read(Kind::I64, &[long(u64::MAX)]), Ok(Value::Int(-1)));
    assert_eq!(
        read(Kind::I64, &[long(3_000_000_000)]),
        Ok(Value::Int(3_000_000_000))
    );
    for kind in [Kind::F64, Kind::I64, Kind::U64] {
        assert_eq!(
            read(kind, &[int(u32::MAX)]),
            Err(Reason::Missing),
            "{kind:?}"
        );
    }
}

#[test]
fn the_quality_of_its_source_counts() {
    for (code, expected) in [
        (192, Ok(Value::Int(5))),
        (0, Err(Reason::BadAtSource)),
        (500, Err(Reason::Stale)),
        (64, Err(Reason::BadAtSource)),
    ] {
        assert_eq!(
            read(Kind::I32, &[datatype(3), int(5), quality(code)]),
            expected,
            "{code}"
        );
    }
}

#[test]
fn an_alias_is_what_the_birth_certificate_says() {
    let mut device = Device::new(vec![metric("temp", Kind::F64), metric("mode", Kind::I16)]);
    let born = device.birth(&[
        vec![name("mode"), alias(7), datatype(1), int(2)],
        vec![name("other"), alias(9), datatype(3), int(9)],
        vec![name("temp"), alias(8), datatype(3), int(20)],
    ]);
    assert_eq!(
        born,
        [
            sample(0, Ok(Value::Float(20.0)), Some(TS)),
            sample(1, Ok(Value::Int(2)), Some(TS)),
        ]
    );
    // The type comes from the certificate too: 0xFF is −1 in eight bits.
    let data = device.data(&[vec![alias(7), int(0xFF)], vec![alias(9), int(1)]]);
    assert_eq!(data, [sample(1, Ok(Value::Int(-1)), Some(TS))]);
    // Born anew, the aliases are others.
    device.birth(&[
        vec![name("temp"), alias(7), datatype(3), int(21)],
        vec![name("mode"), alias(8), datatype(1), int(2)],
    ]);
    let data = device.data(&[vec![alias(7), int(22)]]);
    assert_eq!(data, [sample(0, Ok(Value::Float(22.0)), Some(TS))]);
}

#[test]
fn without_the_birth_certificate_an_alias_is_nothing() {
    let mut device = Device::new(vec![metric("temp", Kind::F64), metric("mode", Kind::I16)]);
    let missing = |tag| sample(tag, Err(Reason::Missing), None);
    assert_eq!(
        device.data(&[vec![alias(7), int(5)]]),
        [missing(0), missing(1)]
    );
    let by_name = vec![name("temp"), datatype(3), int(5)];
    assert_eq!(
        device.data(&[vec![alias(7), int(5)], by_name.clone()]),
        [sample(0, Ok(Value::Float(5.0)), Some(TS)), missing(1)]
    );
    assert_eq!(
        device.data(&[by_name]),
        [sample(0, Ok(Value::Float(5.0)), Some(TS))]
    );
    assert!(!device.session.is_born());
}

#[test]
fn half_a_birth_certificate_is_none() {
    let mut device = Device::new(vec![metric("temp", Kind::F64)]);
    let whole = payload(&[vec![name("temp"), alias(7), datatype(3), int(5)]]);
    let broken = [whole.clone(), bytes_field(2, &[0xFF])].concat();
    assert_eq!(
        device.session.birth(&broken, MAX).unwrap_err(),
        Reason::Malformed
    );
    assert!(!device.session.is_born());
    assert_eq!(
        device.data(&[vec![alias(7), int(5)]]),
        [sample(0, Err(Reason::Missing), None)]
    );
    assert_eq!(
        device.session.birth(&whole, 8).unwrap_err(),
        Reason::TooLong
    );
}

#[test]
fn what_a_birth_certificate_does_not_have_is_missing() {
    let mut device = Device::new(vec![metric("temp", Kind::F64)]);
    assert_eq!(device.birth(&[]), [sample(0, Err(Reason::Missing), None)]);
    assert_eq!(device.data(&[]), [], "what did not change is not said");
}

#[test]
fn times_are_those_of_the_metrics_and_history_is_not_now() {
    let mut device = Device::new(vec![metric("temp", Kind::F64)]);
    let at = |value, t| vec![name("temp"), time(t), datatype(3), int(value)];
    assert_eq!(
        device.data(&[
            at(3, TS - 1),
            at(2, TS - 2),
            [at(1, TS), vec![number_field(5, 1)]].concat(),
        ]),
        [
            sample(0, Ok(Value::Float(2.0)), Some(TS - 2)),
            sample(0, Ok(Value::Float(3.0)), Some(TS - 1)),
        ]
    );
    // What a birth certificate says holds now, however long ago it changed.
    let born = device.birth(&[at(4, TS - 86_400_000)]);
    assert_eq!(born, [sample(0, Ok(Value::Float(4.0)), Some(TS))]);
}

#[test]
fn a_death_is_told_from_that_of_a_session_before() {
    let certificate = |number| payload(&[vec![name("bdSeq"), datatype(4), long(number)]]);
    let mut session = Session::new(&[metric("temp", Kind::F64)]);
    assert!(
        session.is_own_death(&certificate(3)),
        "which was born is not known"
    );
    session.node_born(&certificate(4));
    assert!(!session.is_own_death(&certificate(3)));
    assert!(session.is_own_death(&certificate(4)));
    assert!(
        session.is_own_death(&payload(&[])),
        "a device's has no number"
    );
}

#[test]
fn topics_are_those_of_the_namespace() {
    let of = |topic| Address::of(topic).map(|address| (address.what, address.data_topic()));
    let device = "spBv1.0/g/DDATA/n/d".to_owned();
    let node = "spBv1.0/g/NDATA/n".to_owned();
    for (topic, expected) in [
        ("spBv1.0/g/DDATA/n/d", Some((What::Data, device.clone()))),
        ("spBv1.0/g/DBIRTH/n/d", Some((What::Birth, device.clone()))),
        ("spBv1.0/g/DDEATH/n/d", Some((What::Death, device))),
        ("spBv1.0/g/NDATA/n", Some((What::Data, node.clone()))),
        ("spBv1.0/g/NBIRTH/n", Some((What::Birth, node.clone()))),
        ("spBv1.0/g/NDEATH/n", Some((What::Death, node))),
        ("spBv1.0/g/DCMD/n/d", None),
        ("spBv1.0/g/NCMD/n", None),
        ("spBv1.0/g/DDATA/n", None),
        ("spBv1.0/g/NDATA/n/d", None),
        ("spBv1.0/g/DDATA/n/d/x", None),
        ("spBv1.0/STATE/host", None),
        ("spAv1.0/g/DDATA/n/d", None),
    ] {
        assert_eq!(of(topic), expected, "{topic}");
    }
}

/// Many small things must not become many large ones.
#[test]
fn a_payload_of_half_a_million_metrics_stays_small() {
    let bytes = [2 << 3 | 2, 0].repeat(512 * 1024);
    let mut device = Device::new(vec![metric("temp", Kind::F64)]);
    let said = device.session.data(&bytes, 1 << 20).unwrap();
    assert_eq!(device.samples(&said), []);
    let many = payload(&vec![vec![name("temp"), datatype(3), int(5)]; 2000]);
    let said = device.session.data(&many, MAX).unwrap();
    assert_eq!(device.samples(&said).len(), MOST_SAMPLES);
}

proptest! {
    #[test]
    fn any_bytes_end_as_samples_or_a_reason(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut device = Device::new(vec![metric("a", Kind::F64), metric("", Kind::Text)]);
        device.session.node_born(&bytes);
        let said = [device.session.birth(&bytes, MAX), device.session.data(&bytes, MAX)];
        for said in said.iter().flatten() {
            device.samples(said);
        }
    }

    #[test]
    fn whole_numbers_come_back(value in any::<i64>(), small in any::<i32>()) {
        prop_assert_eq!(read(Kind::I64, &[datatype(4), long(value.cast_unsigned())]), Ok(Value::Int(value)));
        prop_assert_eq!(
            read(Kind::I32, &[datatype(3), int(small.cast_unsigned())]),
            Ok(Value::Int(i64::from(small)))
        );
    }
}
