//! The oracle: random streams of everything that happens to a gateway, computed by the engine and by
//! a slow reference that is written from the contract, in whole numbers over the whole stream.
//!
//! Every window of every tier is compared, key by key, as it was published last. A difference is shown
//! with the smallest stream that still has one.
//!
//!     ANDON_ORACLE_STREAMS=1000000 cargo test -p andon-core --test oracle    more of them
//!     ANDON_ORACLE_SEED=4711 ANDON_ORACLE_STREAMS=1 ...                      from this seed on

mod calendar;
mod chance;
mod drive;
mod figures;
mod machine;
mod plant;
mod published;
mod reference;
mod shop;
mod shrink;
mod stream;

use andon_core::summary::Tier;
use published::Published;
use reference::Life;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use stream::Stream;

/// Streams of the normal run.
const STREAMS: u64 = 10_000;

/// Seeds beyond those whose streams once differed: compared in every run.
const REGRESSIONS: [u64; 5] = [1_012_508, 1_024_166, 7_008_275, 7_018_153, 7_039_012];

/// What was compared, so that a comparison of nothing is seen.
#[derive(Debug, Clone, Copy, Default)]
struct Compared {
    windows: u64,
    longer: u64,
    corrected: u64,
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
    for seed in REGRESSIONS.into_iter().chain(first..first + count) {
        let stream = chance::stream(seed);
        match differences(&stream) {
            Ok(compared) => {
                all.windows += compared.windows;
                all.longer += compared.longer;
                all.corrected += compared.corrected;
                all.keys += compared.keys;
            }
            Err(_) => {
                let smallest = shrink::shrunk(stream);
                let why = differences(&smallest).expect_err("it is kept only if it differs");
                panic!("{why}\n\n{smallest:?}");
            }
        }
    }
    println!("{count} streams from seed {first}: {all:?}");
    let enough = all.windows >= 10 * count
        && all.longer >= count
        && all.corrected >= count / 4
        && all.keys >= 60 * all.windows;
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
    let records = drive::drive(stream, &facts);
    let published = Published::of(&records)?;
    let life = Life::of(stream, &facts);
    let calendars: Vec<_> = stream
        .calendars
        .iter()
        .map(|works| calendar::Calendar::new(stream.zone, works, &life.labels()))
        .collect();
    let minutes = reference::minutes(&life, &calendars);
    let mut compared = Compared::default();
    for (index, machine) in stream.machines.iter().enumerate() {
        let calendar = &calendars[machine.calendar];
        let presences = life.presences.iter().filter(|it| it.machine == index);
        let windows: Vec<_> = presences
            .flat_map(|it| reference::windows(&life, calendar, machine, it, &minutes))
            .collect();
        for tier in Tier::ALL {
            let mut told = published.windows(index, tier).iter();
            for window in windows.iter().filter(|it| it.tier == tier.as_str()) {
                let what = format!("{} {} {}", plant::id(index), window.tier, window.start);
                let told = told
                    .next()
                    .ok_or_else(|| format!("{what} is missing: {window:?}"))?;
                compared.keys += told
                    .is(window, machine, index)
                    .map_err(|key| format!("{what}: {key}\n{window:?}"))?;
                compared.windows += 1;
                compared.longer += u64::from(tier != Tier::Minute);
                compared.corrected += u64::from(told.revisions() > 0);
            }
            if let Some(more) = told.next() {
                return Err(format!(
                    "{} {tier:?} {more:?} is one too many",
                    plant::id(index)
                ));
            }
        }
    }
    Ok(compared)
}
