//! What must hold for any bytes that a machine sends or somebody calls a configuration: no panic,
//! and no value that is not theirs.

use andon::config::{self, Entry, Loaded, Report};
use andon::field::Answer;
use andon::field::modbus::ask;
use andon::field::payload::sparkplug::Session;
use andon::field::payload::{MOST_SAMPLES, Payload, Reader};
use andon::field::push;
use andon::run::Wanted;
use andon::sms::modem::{Modem, Setup};
use andon::upstream::command::asked;
use andon_core::modbus::plan::Read;
use andon_core::modbus::rtu::{Asked, Progress};
use andon_core::plant::Plant;
use andon_core::sample::{Reading, Sample, Value};
use andon_core::sms::receive::{Received, receive};
use andon_core::sms::submit::Unit;
use andon_core::tag::{
    Column, CsvPlace, DeviceIndex, Format, JsonPlace, Kind, LinkIndex, Literal, Place, Table,
    TagIndex,
};
use andon_core::time::Wall;
use jiff::tz::TimeZone;
use std::fs;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::runtime::Runtime;
use tokio::time::Instant;
use tokio_modbus::client::tcp::attach;

/// Pointers that the seeds have something at, and some that nothing can be at.
const POINTERS: [Option<&str>; 6] = [
    None,
    Some(""),
    Some("/mode"),
    Some("/t/zone/0/c"),
    Some("/0/0/0"),
    Some("no pointer"),
];

/// An MQTT payload gives a reading for each tag, and a value only of the tag's type. Returns
/// whether it gave any value.
pub fn payload(bytes: &[u8]) -> bool {
    let mut accepted = false;
    let reader = Reader {
        device: "press-1",
        zone: &TimeZone::UTC,
        retained: false,
    };
    let payload = Payload::new(bytes, 4096);
    for pointer in POINTERS {
        for (_, kind) in Kind::ALL {
            let place = match pointer {
                Some(at) => Place::json(None, at, kind),
                None => Place::bare(None, kind),
            };
            let samples = payload.samples([(TagIndex(0), &place)], reader);
            assert_eq!(samples.len(), 1, "one document is one sample");
            match &samples[0].1.reading {
                Reading::Good(value) => {
                    assert!(is_of(value, kind), "{value:?} for {kind:?}");
                    accepted = true;
                }
                Reading::Bad(_) => {}
                Reading::Uncertain(..) => unreachable!("not retained"),
            }
        }
    }
    accepted
}

/// Places in batches of samples: by name, of the device, whatever there is.
fn batch_places() -> Vec<Place> {
    let place =
        |each: Option<&str>, conditions: &[(&str, Literal)], at: &str, time: Option<&str>| {
            let conditions = conditions.iter().cloned();
            Place {
                format: Format::Json(JsonPlace {
                    each: each.map(Into::into),
                    conditions: conditions.map(|(at, is)| (at.into(), is)).collect(),
                    at: at.into(),
                    time: time.map(Into::into),
                }),
                ..Place::bare(None, Kind::F64)
            }
        };
    let temp = Literal::Text("temp".into());
    vec![
        place(Some(""), &[], "", None),
        place(Some(""), &[("/name", temp.clone())], "/value", Some("/ts")),
        place(
            Some("/machines"),
            &[("/id", Literal::Device)],
            "/good",
            None,
        ),
        place(
            None,
            &[("/name", temp), ("/ok", Literal::Bool(true))],
            "/value",
            Some("/ts"),
        ),
    ]
}

/// Places in rows of text.
fn row_places() -> Vec<Place> {
    let place = |column, time, separator, kind| Place {
        format: Format::Csv(CsvPlace {
            column,
            time,
            separator,
        }),
        ..Place::bare(None, kind)
    };
    let name = |name: &str| Column::Name(name.into());
    vec![
        place(Column::Number(0), None, None, Kind::F64),
        place(Column::Number(2), Some(Column::Number(0)), None, Kind::Text),
        place(name("temp"), None, Some(b';'), Kind::I32),
        place(name("temp"), Some(name("at")), None, Kind::F32),
    ]
}

/// A batch gives samples of each tag in the order of their time, no more than are taken. Returns
/// whether it gave any value.
pub fn batch(bytes: &[u8]) -> bool {
    samples(bytes, &batch_places())
}

/// Rows of text give samples of each tag. Returns whether they gave any value.
pub fn rows(bytes: &[u8]) -> bool {
    samples(bytes, &row_places())
}

fn samples(bytes: &[u8], places: &[Place]) -> bool {
    let reader = Reader {
        device: "press-1",
        zone: &TimeZone::UTC,
        retained: false,
    };
    let payload = Payload::new(bytes, 64 * 1024);
    let tags = (0..).map(TagIndex).zip(places);
    let read = tags.map(|tag| payload.samples([tag], reader));
    in_order(&read.collect::<Vec<_>>(), places)
}

/// Whether any sample has a value, all of which are of their tag's type.
fn in_order(read: &[Vec<(TagIndex, Sample)>], places: &[Place]) -> bool {
    for (samples, place) in read.iter().zip(places) {
        assert!(samples.len() <= MOST_SAMPLES);
        let time = |(_, sample): &(TagIndex, Sample)| sample.time.map_or(i64::MAX, |time| time.0);
        assert!(samples.iter().map(time).is_sorted(), "{samples:?}");
        for (_, sample) in samples {
            let value = sample.reading.value();
            assert!(
                value.is_none_or(|value| is_of(value, place.kind)),
                "{value:?}"
            );
        }
    }
    let mut all = read.iter().flatten();
    all.any(|(_, sample)| sample.reading.value().is_some())
}

/// A payload of Sparkplug B, as a birth certificate and then as data, gives samples of its metrics.
/// Returns whether it gave any value.
pub fn sparkplug(bytes: &[u8]) -> bool {
    let metric = |name: &str, kind| Place {
        format: Format::Metric(name.into()),
        ..Place::bare(None, kind)
    };
    let places = [
        metric("Temperature", Kind::F64),
        metric("Offset", Kind::I16),
        metric("Parts", Kind::U32),
        metric("Mode", Kind::Text),
        metric("Door", Kind::Bool),
    ];
    let mut session = Session::new(&places);
    session.node_born(bytes);
    let birth = session.birth(bytes, 64 * 1024);
    let data = session.data(bytes, 64 * 1024);
    let mut gave = false;
    for said in [birth, data].iter().flatten() {
        let tags = (0..).map(TagIndex).zip(&places);
        let read = tags.map(|tag| session.samples(said, [tag], false));
        gave |= in_order(&read.collect::<Vec<_>>(), &places);
    }
    gave
}

/// A payload of a command names what is asked for in lines that can be read in one way only, and can
/// want five things at most; or it is refused in words. Returns whether it is one.
pub fn command(bytes: &[u8]) -> bool {
    const TOPIC: &str = "andon/v1/site/area/gw-1/cmd/ack";
    const COMMANDS: [&str; 5] = ["ack", "silence", "reset", "shelve", "unshelve"];
    let asked = match asked::Asked::read(bytes) {
        Ok(asked) => asked,
        Err(why) => {
            assert!(!why.is_empty());
            return false;
        }
    };
    let signed = asked.signed(TOPIC);
    assert_eq!(signed.split('\n').count(), 9, "{signed:?}");
    assert!(
        signed.len() < 2 * asked::LARGEST,
        "longer than what is in it"
    );
    assert!(!asked.nonce.is_empty() && asked.nonce.len() <= asked::LONGEST_NONCE);
    for other in ["call", "solve", "out-of-service", "return", "", "ACK"] {
        assert!(asked.wanted(other).is_err(), "{other} is commanded");
    }
    for command in COMMANDS {
        match asked.wanted(command) {
            Ok(Wanted::Alarm(wanted)) => {
                assert_eq!(wanted.verb.as_str(), command);
                assert_eq!(wanted.act.by.as_deref(), asked.by.as_deref());
            }
            Ok(Wanted::Silence(_)) => assert_eq!(command, "silence"),
            Err(why) => assert!(!why.is_empty()),
        }
    }
    true
}

/// The configuration of what scripts push to.
const PUSHED: &str = r#"
gateway = { id = "gw-1", site = "here", area = "hall" }
upstream = { broker = "mqtt://broker" }
http = { listen = "127.0.0.1:8080" }
[[link]]
id = "scripts"
http_push = true
token_file = "push.token"
[[link]]
id = "others"
http_push = true
token_file = "others.token"
[[device]]
id = "saw"
link = "scripts"
tags = { speed = { type = "f64" }, mode = { type = "string" }, parts = { type = "u16" }, on = { type = "bool" } }
[[device]]
id = "lathe"
link = "scripts"
tags = { speed = { type = "f32" } }
[[device]]
id = "robot"
link = "others"
tags = { speed = { type = "i64" } }
"#;

/// The plant that [`push`] is checked with.
pub fn pushed_plant(folder: &Path) -> Plant {
    let file = folder.join("andon.toml");
    fs::write(&file, PUSHED).expect("a folder to write to");
    let loaded = config::load(&file).expect("the configuration of this check is good");
    loaded.settings.plant
}

/// A body that a script pushes is taken as samples of devices behind its link, each with the
/// values of its tags' types, those of one tag in the order of time; or it is refused in words.
/// Returns whether it was taken.
pub fn push(plant: &Plant, bytes: &[u8]) -> bool {
    const SCRIPTS: LinkIndex = LinkIndex(0);
    let pushed = match push::samples(bytes, plant, &[SCRIPTS]) {
        Ok(pushed) => pushed,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    let samples: usize = pushed.iter().map(|of| of.samples.len()).sum();
    assert!(samples <= bytes.len(), "{samples} samples of so few bytes");
    for (at, of) in pushed.iter().enumerate() {
        let device = plant.device(of.device);
        assert_eq!(device.link, SCRIPTS, "{} is not pushed to", device.id);
        let again = pushed[..at].iter().any(|other| other.device == of.device);
        assert!(!again, "{} comes twice", device.id);
        let latest = Wall(i64::MAX);
        let mut times = vec![Wall(i64::MIN); device.model.tags.len()];
        for (tag, sample) in &of.samples {
            let index = usize::from(tag.0);
            if let Some(value) = sample.reading.value() {
                assert!(is_of(value, device.model.tags[index].kind()), "{value:?}");
            }
            let time = sample.time.unwrap_or(latest);
            assert!(times[index] <= time, "out of order");
            times[index] = time;
        }
    }
    true
}

fn is_of(value: &Value, kind: Kind) -> bool {
    match value {
        Value::Bool(_) => kind == Kind::Bool,
        Value::Int(_) => kind.is_integer() && kind != Kind::Bool,
        Value::Float(x) => matches!(kind, Kind::F32 | Kind::F64) && x.is_finite(),
        Value::Text(_) => kind == Kind::Text,
    }
}

/// An answer to a Modbus request is accepted only if it begins with exactly the frame that the
/// request calls for, and with the values in it. The first byte chooses the request. Returns
/// whether it was accepted.
pub fn mbap(runtime: &Runtime, bytes: &[u8]) -> bool {
    let Some((choice, answer)) = bytes.split_first() else {
        return false;
    };
    let read = request(*choice);
    let outcome = runtime.block_on(async {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        let mut context = attach(ours);
        let send = async {
            // It may have hung up already; and the end of the stream ends the request.
            let _ = theirs.write_all(answer).await;
            let _ = theirs.shutdown().await;
        };
        let asked = ask(&mut context, &read, Duration::from_secs(60));
        tokio::join!(asked, send).0
    });
    match &outcome {
        Ok(Ok(accepted)) => assert_eq!(Some(items(accepted)), expected(&read, answer)),
        // Whatever function it names: an exception brings no value.
        Ok(Err(code)) => {
            assert!(answer[..2] == [0, 0] && answer[6] == read.unit);
            assert!(answer[7] >= 0x80 && answer[8] == *code);
        }
        Err(_) => {}
    }
    matches!(outcome, Ok(Ok(_)))
}

fn request(choice: u8) -> Read {
    let tables = [Table::Coil, Table::Discrete, Table::Holding, Table::Input];
    Read {
        link: LinkIndex(0),
        device: DeviceIndex(0),
        unit: 17,
        table: tables[usize::from(choice % 4)],
        start: 100,
        count: u16::from(choice / 4) + 1,
        every_ms: 1000,
        tags: [].into(),
    }
}

const fn function(read: &Read) -> u8 {
    match read.table {
        Table::Coil => 1,
        Table::Discrete => 2,
        Table::Holding => 3,
        Table::Input => 4,
    }
}

fn items(answer: &Answer) -> Vec<u16> {
    match answer {
        Answer::Registers(registers) => registers.clone(),
        Answer::Bits(bits) => bits.iter().map(|bit| u16::from(*bit)).collect(),
    }
}

/// What a correct answer in `bytes` says, read by the book (Modbus Messaging on TCP/IP 1.0b, §3.1)
/// and without the code under test.
fn expected(read: &Read, bytes: &[u8]) -> Option<Vec<u16>> {
    let count = usize::from(read.count);
    let size = if read.table.is_bits() {
        count.div_ceil(8)
    } else {
        count * 2
    };
    let head = [
        0,
        0,
        0,
        0,
        0,
        size as u8 + 3,
        17,
        function(read),
        size as u8,
    ];
    let content = bytes.strip_prefix(&head)?.get(..size)?;
    Some(if read.table.is_bits() {
        (0..count)
            .map(|at| u16::from(content[at / 8] >> (at % 8) & 1))
            .collect()
    } else {
        content
            .chunks(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .collect()
    })
}

/// What separates the files of a configuration that is one text: the file that is named, one that
/// it may include as `a.toml`, and a table that it may name as `devices.csv`.
const CUT: &[u8] = b"\n---\n";

/// Several files, written into this folder, are settings or mistakes that can be shown. Returns
/// whether they are settings.
pub fn config(folder: &Path, bytes: &[u8]) -> bool {
    let mut rest = bytes;
    for name in ["andon.toml", "a.toml", "devices.csv"] {
        let cut = rest.windows(CUT.len()).position(|window| window == CUT);
        let (file, after) = match cut {
            Some(at) => (&rest[..at], &rest[at + CUT.len()..]),
            None => (rest, &rest[..0]),
        };
        fs::write(folder.join(name), file).expect("a folder to write to");
        rest = after;
    }
    is_told(config::load(&folder.join("andon.toml"))).is_some()
}

/// The configuration that a table is checked with.
const AROUND: &str = r#"
devices_csv = "devices.csv"
[gateway]
id = "gw-1"
site = "here"
area = "hall"
[upstream]
broker = "mqtt://broker"
[[profile]]
id = "mill"
tags = { status = { at = "holding:0", type = "u16" } }
"#;

/// A table of devices, written into this folder, is devices or mistakes that can be shown, and
/// there is no device that it does not name. Returns whether it is devices.
pub fn csv(folder: &Path, bytes: &[u8]) -> bool {
    fs::write(folder.join("andon.toml"), AROUND).expect("a folder to write to");
    fs::write(folder.join("devices.csv"), bytes).expect("a folder to write to");
    let Some(loaded) = is_told(config::load(&folder.join("andon.toml"))) else {
        return false;
    };
    let devices = &loaded.settings.plant.devices;
    let lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).count();
    let written_out = bytes
        .windows(4)
        .any(|key| key.eq_ignore_ascii_case(b"each"));
    for device in devices.iter().filter(|_| !written_out && !is_utf16(bytes)) {
        let id = device.id.as_bytes();
        assert!(
            bytes.windows(id.len()).any(|part| part == id),
            "{}",
            device.id
        );
        assert!(devices.len() < lines, "{} of {lines} lines", devices.len());
    }
    !devices.is_empty()
}

fn is_utf16(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff])
}

/// Whatever was found can be shown, and programs are told the same places as people.
fn is_told(loaded: Result<Loaded, Report>) -> Option<Loaded> {
    let report = match &loaded {
        Ok(loaded) => &loaded.warnings,
        Err(report) => report,
    };
    assert!(loaded.is_ok() || !report.is_empty());
    let shown = report.to_string();
    for Entry {
        file, line, column, ..
    } in report.entries().take(50)
    {
        if let (Some(line), Some(column)) = (line, column) {
            assert!(
                shown.contains(&format!("> {file}:{line}:{column}\n")),
                "{shown}"
            );
        }
    }
    loaded.ok()
}

/// What is heard on a serial line is the answer to a request only if it is exactly the one frame
/// that the request calls for, or an exception to it. The first byte chooses the request; the
/// second, if it is odd, has the right checksum put behind the rest. Returns whether it was taken.
pub fn rtu(bytes: &[u8]) -> bool {
    let [choice, sum, heard @ ..] = bytes else {
        return false;
    };
    let read = request(*choice);
    let [start, count] = [read.start, read.count].map(u16::to_be_bytes);
    let request = with_sum(&[
        read.unit,
        function(&read),
        start[0],
        start[1],
        count[0],
        count[1],
    ]);
    let asked = Asked::of(&request).expect("a request of ours");
    let heard = match sum % 2 {
        0 => heard.to_vec(),
        _ => with_sum(heard),
    };
    let whole = is_answer(&read, &heard);
    assert_eq!(asked.judge(&heard).is_ok(), whole);
    for end in 0..=heard.len() {
        match asked.progress(&heard[..end]) {
            Progress::Whole => assert!(is_answer(&read, &heard[..end])),
            Progress::Missing(bytes) => {
                assert!(bytes > 0 && end + bytes <= asked.answer_bytes().max(5));
            }
            // Nothing that follows makes an answer of it.
            Progress::Hopeless => assert!(!whole),
        }
    }
    whole
}

/// Read by the book (Modbus over Serial Line 1.02, §2.5.1), without the code under test.
fn is_answer(read: &Read, heard: &[u8]) -> bool {
    let Some((content, _)) = heard.split_last_chunk::<2>() else {
        return false;
    };
    if heard != with_sum(content) {
        return false;
    }
    let size = match read.table.is_bits() {
        true => usize::from(read.count).div_ceil(8),
        false => usize::from(read.count) * 2,
    };
    match content {
        [unit, code, _] if *code == function(read) | 0x80 => *unit == read.unit,
        [unit, code, count, items @ ..] => {
            (*unit, *code) == (read.unit, function(read))
                && usize::from(*count) == size
                && items.len() == size
        }
        _ => false,
    }
}

/// The bytes with their checksum, bit by bit as in the appendix of the standard.
fn with_sum(bytes: &[u8]) -> Vec<u8> {
    let mut sum = 0xFFFF_u16;
    for byte in bytes {
        sum ^= u16::from(*byte);
        for _ in 0..8 {
            let odd = sum & 1 == 1;
            sum >>= 1;
            if odd {
                sum ^= 0xA001;
            }
        }
    }
    [bytes, &sum.to_le_bytes()].concat()
}

/// What a modem shows of a message that it has received: its text is never longer than its octets
/// hold. Returns whether it was one.
pub fn sms(bytes: &[u8]) -> bool {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    match receive(&hex) {
        Ok(Received::Message(message)) => {
            assert!(message.text.chars().count() <= bytes.len() * 8 / 7 + 1);
            assert!(message.from.chars().count() <= 512);
            if let Some(part) = message.part {
                assert!((1..=part.of).contains(&part.index));
            }
            true
        }
        Ok(Received::Report(_)) => true,
        Err(_) => {
            // As text, which is what a modem really sends.
            let _ = receive(&String::from_utf8_lossy(bytes));
            false
        }
    }
}

/// The text of the message that a modem is told, and its length for `AT+CMGS`.
const MESSAGE: (&str, usize) = ("0001000B", 3);

/// A modem that says `said`, whatever it is told, byte by byte.
struct Babbler<'s> {
    said: &'s [u8],
    heard: usize,
    /// What it was told, and how much it had said by then.
    told: Vec<(Vec<u8>, usize)>,
}

impl AsyncRead for Babbler<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Nothing more is an unplugged modem.
        if let Some(byte) = self.said.get(self.heard) {
            into.put_slice(&[*byte]);
            self.heard += 1;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Babbler<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let told = std::str::from_utf8(bytes).expect("commands are text");
        if told.contains('\u{1a}') {
            // The text, and only where it is asked for.
            assert_eq!(told, format!("{}\u{1a}", MESSAGE.0));
            let (before, at) = self.told.last().expect("a command before the text");
            assert_eq!(before, format!("AT+CMGS={}\r", MESSAGE.1).as_bytes());
            let since = &self.said[*at..self.heard];
            assert!(since.ends_with(b"> "), "the text was not asked for");
        } else {
            assert!(!told.contains("CPIN="), "a PIN that nobody has");
            assert!(told == "\u{1b}\r" || told.starts_with("AT") && told.ends_with('\r'));
        }
        let heard = self.heard;
        self.told.push((bytes.to_vec(), heard));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Whatever a modem says, it is told no text that it did not ask for and no PIN that it was not
/// given, and every conversation with it ends. Returns whether it has taken the message.
pub fn modem(runtime: &Runtime, bytes: &[u8]) -> bool {
    let conversation = async {
        let port = Babbler {
            said: bytes,
            heard: 0,
            told: Vec::new(),
        };
        let mut modem = Modem::new(port).patient(Duration::from_secs(1));
        let setup = Setup {
            network: Duration::from_secs(3),
            ..Setup::default()
        };
        let _ = modem.start(&setup).await;
        let (hex, length) = MESSAGE;
        let unit = Unit {
            hex: hex.to_owned(),
            length,
        };
        let sent = modem.send(&unit).await;
        let _ = modem.choose_memory().await;
        for (_, hex) in modem.stored_messages().await.unwrap_or_default() {
            let _ = receive(&hex);
        }
        let _ = modem.read("ME", 1).await;
        let _ = modem.delete(1).await;
        let _ = modem.look().await;
        while modem.hear(Instant::now()).await.is_ok() {}
        sent.is_ok()
    };
    runtime.block_on(conversation)
}
