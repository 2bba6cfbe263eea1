//! The oracle: random streams of everything that happens to a gateway, computed by the engine and by
//! a slow reference that is written from the contract, in whole numbers over the whole stream.
//!
//! Every window of every tier is compared, key by key, as it is published. A difference is shown with
//! the smallest stream that still has one.
//!
//!     ANDON_ORACLE_STREAMS=1000000 cargo test -p andon-core --test oracle    more of them
//!     ANDON_ORACLE_SEED=4711 ANDON_ORACLE_STREAMS=1 ...                      from this seed on

mod calendar;
mod drive;
mod figures;
mod reference;
mod stream;

use andon_core::message::Message;
use andon_core::record::{Body, Record, Run};
use andon_core::summary::Tier;
use figures::{Keys, Needs, Value, whole};
use reference::{Life, Window};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use stream::{Event, Stream};

/// Streams of the normal run.
const STREAMS: u64 = 10_000;

/// What was compared, so that a comparison of nothing is seen.
#[derive(Debug, Clone, Copy, Default)]
struct Compared {
    windows: u64,
    longer: u64,
    keys: u64,
}

#[test]
fn the_engine_computes_what_a_slow_reference_does() {
    let number = |name: &str, or: u64| {
        let set = std::env::var(name).ok();
        set.map_or(or, |text| {
            text.parse().expect("a number of streams, or a seed")
        })
    };
    let first = number("ANDON_ORACLE_SEED", 0);
    let count = number("ANDON_ORACLE_STREAMS", STREAMS);
    let mut all = Compared::default();
    for seed in first..first + count {
        let stream = stream::stream(seed);
        match differences(&stream) {
            Ok(compared) => {
                all.windows += compared.windows;
                all.longer += compared.longer;
                all.keys += compared.keys;
            }
            Err(_) => {
                let smallest = shrunk(stream);
                let why = differences(&smallest).expect_err("it is kept only if it differs");
                panic!("{why}\n\n{smallest:?}");
            }
        }
    }
    println!("{count} streams from seed {first}: {all:?}");
    let enough = all.windows >= 10 * count && all.longer >= count && all.keys >= 60 * all.windows;
    assert!(count < 1_000 || enough, "{all:?} is no comparison");
}

/// Compares everything that both make of a stream; a panic of the engine is a difference too.
fn differences(stream: &Stream) -> Result<Compared, String> {
    let usual = std::panic::take_hook();
    let said = Arc::new(Mutex::new(String::new()));
    let hears = Arc::clone(&said);
    std::panic::set_hook(Box::new(move |panic| {
        if let Ok(mut said) = hears.lock() {
            *said = panic.to_string();
        }
    }));
    let compared = catch_unwind(AssertUnwindSafe(|| compare(stream)));
    std::panic::set_hook(usual);
    let said = || {
        said.lock()
            .map_or_else(|_| String::new(), |said| said.clone())
    };
    compared.unwrap_or_else(|_| Err(said()))
}

fn compare(stream: &Stream) -> Result<Compared, String> {
    let facts = stream.facts();
    let plant = Arc::new(drive::plant(stream));
    let records = drive::drive(stream, &plant, &facts);
    no_key_twice(&records)?;
    let life = Life::of(&facts);
    let calendar = calendar::Calendar::new(stream.zone, &stream.works, &life.labels());
    // Where silences are cut is for the engine to say, as far as it keeps to the rules.
    let minutes = summaries(&records, 0, Tier::Minute);
    let lengths: Vec<u64> = minutes.map(|(_, summary)| summary.window_ms()).collect();
    let minutes = reference::minutes(&life, &calendar, &lengths)?;
    let mut compared = Compared::default();
    for (index, machine) in stream.machines.iter().enumerate() {
        let needs = Needs {
            min_coverage: machine.min_coverage,
            min_exposure: machine.min_exposure,
        };
        let windows = reference::windows(stream, &life, &calendar, index, &minutes);
        for tier in Tier::ALL {
            let mut published = summaries(&records, index, tier);
            for window in windows.iter().filter(|window| window.tier == tier.as_str()) {
                let what = format!("{} {} {}", drive::id(index), window.tier, window.start);
                let (record, _) = published
                    .next()
                    .ok_or_else(|| format!("{what} is missing: {window:?}"))?;
                let expected = expected(window, machine, index, &needs);
                compared.keys += same_keys(&expected, &plant.gateway, record)
                    .map_err(|key| format!("{what}: {key}\n{window:?}"))?;
                compared.windows += 1;
                compared.longer += u64::from(tier != Tier::Minute);
            }
            if let Some((_, more)) = published.next() {
                return Err(format!(
                    "{} {tier:?} {:?} is one too many: {more:?}",
                    drive::id(index),
                    more.start
                ));
            }
        }
    }
    Ok(compared)
}

fn summaries(
    records: &[Record],
    device: usize,
    tier: Tier,
) -> impl Iterator<Item = (&Record, &andon_core::summary::Summary)> {
    let id = drive::id(device);
    records.iter().filter_map(move |record| match &record.body {
        Body::Summary(summary) if summary.tier == tier && *summary.device == *id => {
            Some((record, &**summary))
        }
        _ => None,
    })
}

/// Device, tier, start, fold and revision name a window.
fn no_key_twice(records: &[Record]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for record in records {
        let Body::Summary(summary) = &record.body else {
            continue;
        };
        let key = (
            summary.device.clone(),
            summary.tier,
            summary.start,
            summary.fold,
            summary.rev,
        );
        if !seen.insert(key.clone()) {
            return Err(format!("{key:?} names two windows"));
        }
    }
    Ok(())
}

/// Every key of a summary but those of the envelope.
fn expected(window: &Window, machine: &stream::Machine, index: usize, needs: &Needs) -> Keys {
    let mut keys = figures::keys(&window.parts, needs);
    let mut put = |key: &str, value: Value| keys.insert(key.to_owned(), value);
    put("device", Value::Text(drive::id(index)));
    put("window", Value::Text(window.tier.to_owned()));
    put("start_ms", whole(window.start));
    put("end_ms", whole(window.end));
    put("fold", whole(window.fold));
    put("rev", whole(0));
    put("merged", whole(window.merged));
    put("every_ms", whole(1_000));
    let step = i128::from(window.end - window.start) - i128::from(window.parts.window_ms());
    if step != 0 {
        put("clock_step_ms", whole(step));
    }
    if window.tier == "shift" {
        let text = |text: Option<String>| text.map_or(Value::Null, Value::Text);
        put(
            "shift",
            text(window.shift.map(|(index, _)| drive::shift_name(index))),
        );
        put(
            "shift_date",
            text(window.shift.map(|(_, day)| drive::date_of(day).to_string())),
        );
        put(
            "crew",
            text(window.shift.map(|(index, day)| drive::crew(index, day))),
        );
    }
    let rated = |rate: u64| Value::Decimal(format!("{}.{:03}", rate / 1000, rate % 1000));
    put("rated_per_h", machine.rate.map_or(Value::Null, rated));
    keys
}

/// The keys of every record.
const ENVELOPE: [&str; 10] = [
    "v",
    "gateway",
    "run",
    "boot",
    "seq",
    "n",
    "ts",
    "clock",
    "historical",
    "cfg",
];

/// Compares a record as it is published with what is expected of it; how many keys they were.
fn same_keys(
    expected: &Keys,
    gateway: &andon_core::plant::Gateway,
    record: &Record,
) -> Result<u64, String> {
    let run = Run {
        id: 0,
        boot: 0,
        cfg: 0,
    };
    let message = Message {
        gateway,
        run: &run,
        record,
        historical: false,
    };
    let published = serde_json::to_value(&message).map_err(|error| error.to_string())?;
    let published = published.as_object().ok_or("no object")?;
    for (key, value) in expected {
        let told = published
            .get(key)
            .ok_or_else(|| format!("{key} is not published"))?;
        let is_same = match value {
            Value::Null => told.is_null(),
            Value::Whole(whole) => told.as_i64().map(i128::from) == Some(*whole),
            Value::Text(text) => told.as_str() == Some(text),
            // To the last bit of the published number.
            Value::Decimal(text) => {
                text.parse().ok().map(f64::to_bits) == told.as_f64().map(f64::to_bits)
            }
        };
        if !is_same {
            return Err(format!("{key} is {told} and should be {value:?}"));
        }
    }
    let mut others = published.keys().filter(|key| !expected.contains_key(*key));
    match others.find(|key| !ENVELOPE.contains(&key.as_str())) {
        Some(key) => Err(format!("{key} is published and should not be")),
        None => Ok(expected.len() as u64),
    }
}

/// The smallest stream that still shows a difference, as far as leaving things out makes it smaller.
fn shrunk(mut stream: Stream) -> Stream {
    loop {
        let smaller = candidates(&stream).find(|candidate| differences(candidate).is_err());
        match smaller {
            Some(smaller) => stream = smaller,
            None => break,
        }
    }
    stream
}

/// The stream with something left out or simpler, the most first.
fn candidates(stream: &Stream) -> impl Iterator<Item = Stream> + '_ {
    let count = stream.events.len();
    let sizes = std::iter::successors(Some(count.div_ceil(2)), |size| Some(size / 2))
        .take_while(|size| *size > 0);
    let without = sizes.flat_map(move |size| {
        (0..count)
            .step_by(size)
            .map(move |from| without(stream, from, (from + size).min(count)))
    });
    let simpler: [fn(&mut Stream); 6] = [
        |it| it.works.shifts.clear(),
        |it| it.works.holidays.clear(),
        |it| it.works.day_start = 0,
        |it| it.pace = None,
        |it| it.zone = stream::Zone::Shanghai,
        |it| it.machines.truncate(1),
    ];
    let simpler = simpler.into_iter().filter_map(move |change| {
        let mut candidate = stream.clone();
        change(&mut candidate);
        let machines = candidate.machines.len();
        candidate
            .events
            .retain(|(_, event)| !matches!(event, Event::Read(at, _) if *at >= machines));
        (format!("{candidate:?}") != format!("{stream:?}")).then_some(candidate)
    });
    let readings = (0..count).filter_map(move |at| {
        let mut candidate = stream.clone();
        match &mut candidate.events[at].1 {
            Event::Read(_, readings) if readings.len() > 1 => readings.truncate(readings.len() - 1),
            _ => return None,
        }
        Some(candidate)
    });
    without.chain(simpler).chain(readings)
}

/// The stream without some events; the others stay where they are.
fn without(stream: &Stream, from: usize, to: usize) -> Stream {
    let mut candidate = stream.clone();
    let waits: u64 = candidate.events.drain(from..to).map(|(wait, _)| wait).sum();
    if let Some((wait, _)) = candidate.events.get_mut(from) {
        *wait += waits;
    }
    candidate
}
