//! What a machine sends by its own time stamps after nobody knew of that time.

use super::history::{tiers_are_sums, times_follow_from_segments};
use super::*;
use crate::history::Corrections;
use crate::plant::Rates;
use crate::sample::Sample;
use crate::tag::Place;

const HOUR: u64 = 3_600_000;
const STATUS: u16 = 0;
const GOOD: u16 = 1;
const PRODUCT: u16 = 3;

/// A press that publishes its status and its good parts, with their times.
pub(super) fn publishing() -> Plant {
    let mut plant = plant();
    let mut model = (*plant.devices[0].model).clone();
    for tag in &mut model.tags {
        tag.source = Source::Message(Place::bare(None, tag.kind()));
    }
    plant.devices[0].model = Arc::new(model);
    plant.devices[0].late_ms = HOUR;
    plant
}

/// The same with a product that says how fast it is, once it was read.
fn publishing_products() -> Plant {
    let mut plant = publishing();
    plant.devices[0].rated_rate = None;
    let model = Arc::make_mut(&mut plant.devices[0].model);
    let mut product = tag("product", 9, Kind::U16, None);
    product.source = Source::Message(Place::bare(None, Kind::U16));
    model.tags.push(product);
    model.rates = Some(Rates {
        by: TagIndex(PRODUCT),
        map: (0..)
            .zip(RATES)
            .map(|(n, rate)| (Value::Int(n), rate))
            .collect(),
        otherwise: None,
    });
    plant
}

/// Of the products 0, 1 and 2.
const RATES: [u64; 3] = [3_600_000, 7_200_000, 123_457];

/// What was read of a tag, when, and when it arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    tag: u16,
    value: i64,
    taken: u64,
    arrives: u64,
}

pub(super) fn told(tag: u16, value: i64, taken: u64, arrives: u64) -> Told {
    Told {
        tag,
        value,
        taken,
        arrives,
    }
}

impl Bench {
    pub(super) fn hears(&mut self, told: &Told) {
        self.pass(told.arrives.saturating_sub(1));
        self.hear_at(told.arrives, &[*told]);
    }

    fn hear_at(&mut self, arrives: u64, batch: &[Told]) {
        let sample = |told: &Told| {
            let reading = Reading::Good(Value::Int(told.value));
            let time = Some(now(told.taken).wall);
            (TagIndex(told.tag), Sample { reading, time })
        };
        let samples: Vec<_> = batch.iter().map(sample).collect();
        self.engine
            .handle_readings(DeviceIndex(0), at(arrives), &samples);
        self.drain();
    }

    /// The records with every window as it was told last.
    fn newest(&self) -> Vec<Record> {
        newest(&self.records)
    }
}

fn newest(records: &[Record]) -> Vec<Record> {
    let mut newest: Vec<Record> = vec![];
    for record in records {
        let Body::Summary(summary) = &record.body else {
            newest.push(record.clone());
            continue;
        };
        let is_same = |other: &&mut Record| match &other.body {
            Body::Summary(other) => {
                (other.tier, other.start, other.fold, &other.device)
                    == (summary.tier, summary.start, summary.fold, &summary.device)
            }
            _ => false,
        };
        match newest.iter_mut().find(is_same) {
            Some(known) => {
                let Body::Summary(before) = &known.body else {
                    unreachable!()
                };
                assert_eq!(summary.rev, before.rev + 1, "told again, once each");
                assert_eq!(summary.end, before.end);
                *known = record.clone();
            }
            None => {
                assert_eq!(summary.rev, 0);
                newest.push(record.clone());
            }
        }
    }
    newest
}

/// The pages as they are read after a restart.
pub(super) fn corrected(pages: &[Page]) -> Vec<Page> {
    let (mut pages, mut corrections) = (pages.to_vec(), Corrections::default());
    pages.iter().for_each(|page| corrections.note(page));
    pages.iter_mut().for_each(|page| corrections.apply(page));
    pages
}

/// Every figure that follows from another does.
fn is_consistent(bench: &Bench) {
    let newest = bench.newest();
    tiers_are_sums(&bench.engine, 0, &newest);
    times_follow_from_segments("press-1", &newest, &bench.pages);
}

/// A press that is heard each second up to 30 s, and then not until it has sent, at `flush`, all
/// that it did up to 150 s: a fault from 40 s to 50 s, a part each second.
fn silent_for_two_minutes(bench: &mut Bench, flush: u64, in_one: bool) {
    for second in 0..=30 {
        bench.hears(&told(STATUS, 2, second * 1000, second * 1000));
        bench.hears(&told(GOOD, second as i64, second * 1000, second * 1000));
    }
    bench.pass(flush - 1);
    let mut batch = vec![];
    for second in 31..=150 {
        let status = if (40..50).contains(&second) { 7 } else { 2 };
        batch.push(told(STATUS, status, second * 1000, flush));
        batch.push(told(GOOD, second as i64, second * 1000, flush));
    }
    if in_one {
        bench.hear_at(flush, &batch);
    } else {
        for (n, one) in batch.chunks(2).enumerate() {
            let arrives = flush + n as u64 * 10;
            bench.pass(arrives - 1);
            bench.hear_at(arrives, one);
        }
    }
}

#[test]
fn unknown_time_is_filled_and_told_again_once() {
    for in_one in [true, false] {
        let mut bench = Bench::left(publishing(), now(0), None);
        silent_for_two_minutes(&mut bench, 200_000, in_one);
        for second in 202..=260 {
            bench.hears(&told(STATUS, 2, second * 1000, second * 1000));
            bench.hears(&told(GOOD, second as i64, second * 1000, second * 1000));
        }
        bench.pass(360_000);
        let newest = bench.newest();
        let minutes = windows(&newest, Tier::Minute);
        let times = |minute: usize, state| minutes[minute].times.of(state);
        let revs: Vec<u32> = minutes.iter().map(|minute| minute.rev).collect();
        assert_eq!(revs, [1, 1, 1, 0, 0, 0], "in one message: {in_one}");
        // What was read at 30 s was believed up to 33 s, and the time up to then was known.
        assert_eq!(times(0, State::Producing), 50_000);
        assert_eq!(times(0, State::Faulted), 10_000);
        assert_eq!((minutes[0].failures, minutes[0].repairs), (1, 1));
        assert_eq!(minutes[0].repair_ms, 10_000);
        assert_eq!(times(1, State::Producing), 60_000);
        assert_eq!(times(2, State::Producing), 33_000, "up to 153 s");
        assert_eq!(times(2, State::Unknown), 27_000);
        let good: Vec<_> = minutes.iter().map(|minute| minute.parts.good).collect();
        // The reading at a full minute belongs to the next one.
        assert_eq!(good[..3], [Some(59), Some(60), Some(31)]);
        assert_eq!(minutes[3].parts.good, Some(239 - 150));
        let gaps: Vec<_> = minutes
            .iter()
            .map(|minute| minute.parts.gap_total)
            .collect();
        assert_eq!(gaps, [0, 0, 0, 52, 0, 0], "after 153 s nobody knew");
        // What ended in the gap as it was told first does not as it is told again.
        let open = |minutes: &[&Summary]| -> Vec<u64> {
            let first = minutes.iter().take(3);
            first.map(|minute| minute.parts.gap_after_ms).collect()
        };
        assert_eq!(open(&bench.summaries()), [30_000, 90_000, 150_000]);
        assert_eq!(open(&minutes), [0, 0, 30_000]);
        is_consistent(&bench);
    }
}

#[test]
fn a_product_that_is_read_late_is_made_from_its_time_on() {
    let mut bench = Bench::left(publishing_products(), now(0), None);
    bench.hears(&told(PRODUCT, 0, 0, 0));
    bench.pass(200_000);
    assert_eq!(bench.engine.info(DeviceIndex(0)).rate, Some(RATES[0]));
    bench.published.clear();
    bench.hears(&told(PRODUCT, 1, 90_000, 200_000));
    bench.hears(&told(PRODUCT, 0, 60_000, 201_000));
    bench.pass(241_000);
    let newest = bench.newest();
    let planned = |n: usize| windows(&newest, Tier::Minute)[n].capacity.unwrap().planned;
    assert_eq!(
        [0, 1, 2, 3].map(planned),
        [60_000, 90_000, 120_000, 120_000]
    );
    assert_eq!(bench.engine.info(DeviceIndex(0)).rate, Some(RATES[1]));
    assert!(bench.published.contains(&Current::Info(DeviceIndex(0))));
    // One that was read in time since then has the last word, also before the other is looked at.
    bench.hears(&told(PRODUCT, 1, 250_000, 250_000));
    bench.hears(&told(PRODUCT, 2, 245_000, 251_000));
    bench.pass(260_000);
    bench.hears(&told(PRODUCT, 0, 255_000, 262_000));
    bench.hears(&told(PRODUCT, 1, 265_000, 265_000));
    bench.pass(301_000);
    let newest = bench.newest();
    let minutes = windows(&newest, Tier::Minute);
    assert_eq!(minutes[4].capacity.unwrap().planned, 110_000);
    is_consistent(&bench);
}

#[test]
fn a_product_that_is_read_late_follows_the_one_before_whenever_that_came() {
    // The one before is the same as ever, or another.
    for before in [0, 2] {
        let mut bench = Bench::left(publishing_products(), now(0), None);
        bench.hears(&told(PRODUCT, 0, 0, 0));
        bench.hears(&told(PRODUCT, before, 58_000, 60_000));
        bench.hears(&told(PRODUCT, 1, 59_000, 63_000));
        bench.pass(181_000);
        let newest = bench.newest();
        let minutes = windows(&newest, Tier::Minute);
        let planned: Vec<u64> = minutes
            .iter()
            .map(|minute| minute.capacity.unwrap().planned)
            .collect();
        assert_eq!(planned, [60_000, 120_000, 120_000], "{before}");
        is_consistent(&bench);
    }
}

#[test]
fn late_time_goes_on_to_what_comes_in_time_without_a_gap() {
    let mut bench = Bench::left(publishing(), now(0), None);
    bench.hears(&told(STATUS, 2, 0, 0));
    // Read each second while the link was down; the last three of them are no later than `stale_after`.
    let arrives = 60_400;
    let batch: Vec<Told> = (10..=60)
        .map(|second| {
            told(
                STATUS,
                if second < 58 { 2 } else { 3 },
                second * 1000,
                arrives,
            )
        })
        .collect();
    bench.pass(arrives - 1);
    bench.hear_at(arrives, &batch);
    for second in 61..=125 {
        bench.hears(&told(STATUS, 3, second * 1000, second * 1000));
    }
    let newest = bench.newest();
    let times = |minute: usize| windows(&newest, Tier::Minute)[minute].times;
    let unknown = 10_000 - STALE;
    assert_eq!(
        times(0).of(State::Unknown),
        unknown,
        "before the first that was kept"
    );
    assert_eq!(times(0).of(State::Producing), 58_000 - unknown);
    assert_eq!(times(0).of(State::Delayed), 2_000);
    assert_eq!(times(1).of(State::Unknown), 0);
    is_consistent(&bench);
}

#[test]
fn a_fault_that_follows_late_time_where_a_minute_ends_is_one() {
    for (edge, stale) in [(60_000, STALE), (50_000, STALE), (120_000, 60_000)] {
        let mut plant = publishing();
        plant.devices[0].stale_after_ms = stale;
        let mut bench = Bench::left(plant, now(0), None);
        bench.pass(edge - 1);
        // The newest of what was kept goes stale at the very moment at which all of it arrives.
        let batch = [
            told(STATUS, 2, edge - stale, edge),
            told(STATUS, 4, edge, edge),
        ];
        bench.hear_at(edge, &batch);
        for second in edge / 1000 + 1..=185 {
            bench.hears(&told(STATUS, 4, second * 1000, second * 1000));
        }
        let newest = bench.newest();
        let minutes = windows(&newest, Tier::Minute);
        let failures: Vec<u32> = minutes.iter().map(|minute| minute.failures).collect();
        let at = usize::try_from(edge / 60_000).unwrap();
        assert_eq!(failures[at], 1, "{failures:?}");
        assert_eq!(failures.iter().sum::<u32>(), 1, "{failures:?}");
        is_consistent(&bench);
    }
}

#[test]
fn longer_windows_that_were_told_are_told_again_and_are_sums() {
    let mut bench = Bench::left(publishing(), now(0), None);
    // 14:14 to 15:05, silent over the full hour.
    let mut silent = vec![];
    for second in (0..51 * 60).step_by(2) {
        let ms = second * 1000;
        let status = [2, 2, 7, 3, 0][(second / 37 % 5) as usize];
        let both = [
            told(STATUS, status, ms, ms),
            told(GOOD, second as i64, ms, ms),
        ];
        if (2600..2900).contains(&second) {
            silent.extend(both);
            continue;
        }
        both.iter().for_each(|told| bench.hears(told));
    }
    let hour = windows(&bench.records, Tier::Hour)[0].clone();
    assert!(hour.times.of(State::Unknown) > 100_000);
    let shown = |bench: &Bench| bench.engine.now(DeviceIndex(0)).unwrap().h24.sum;
    bench.pass(52 * 60_000);
    bench.hear_at(52 * 60_000 + 5, &silent);
    bench.pass(54 * 60_000);
    let newest = bench.newest();
    let again = windows(&newest, Tier::Hour)[0];
    assert_eq!((again.rev, again.times.of(State::Unknown)), (1, 0));
    assert_eq!((again.start, again.end), (hour.start, hour.end));
    is_consistent(&bench);
    let unknown = 3 * 60_000 - 1_000;
    assert_eq!(
        shown(&bench).times.of(State::Unknown),
        unknown,
        "since 51 min"
    );
}

#[test]
fn what_a_live_reading_has_counted_is_not_counted_again() {
    let mut bench = Bench::left(publishing(), now(0), None);
    bench.hears(&told(STATUS, 2, 1000, 1000));
    bench.hears(&told(GOOD, 10, 1000, 1000));
    // It comes back, and sends what it had kept after that.
    bench.hears(&told(STATUS, 2, 100_000, 100_000));
    bench.hears(&told(GOOD, 110, 100_000, 100_000));
    let batch: Vec<Told> = (2..99)
        .flat_map(|second| {
            let ms = second * 1000;
            [
                told(STATUS, 2, ms, 100_500),
                told(GOOD, 10 + second as i64, ms, 100_500),
            ]
        })
        .collect();
    bench.hear_at(100_500, &batch);
    bench.pass(180_000);
    let newest = bench.newest();
    let minutes = windows(&newest, Tier::Minute);
    let good: u64 = minutes.iter().filter_map(|minute| minute.parts.good).sum();
    assert_eq!(good, 100);
    assert_eq!(minutes[1].parts.good, Some(100), "where it was read");
    assert_eq!(minutes[0].times.of(State::Producing), 59_000);
    // The last is young enough to be a reading of now, and older than the newest.
    assert_eq!(bench.engine.late_passed_over(), 96);
    is_consistent(&bench);
}

#[test]
fn a_late_state_begins_after_what_else_happens_where_known_time_ends() {
    // Known up to 60 s, where a minute ends; by the late reading faulted from 59 s to 62 s.
    let minutes_with = |goes_on: bool| {
        let mut bench = Bench::left(publishing(), now(0), None);
        bench.hears(&told(STATUS, 2, 57_000, 57_000));
        if goes_on {
            bench.hears(&told(STATUS, 2, 60_000, 60_000));
        }
        bench.hears(&told(STATUS, 7, 59_000, 100_000));
        bench.pass(180_000);
        is_consistent(&bench);
        let newest = bench.newest();
        let minutes = windows(&newest, Tier::Minute).into_iter();
        let faults = |minute: &Summary| (minute.failures, minute.times.of(State::Faulted));
        minutes.take(2).map(faults).collect::<Vec<_>>()
    };
    assert_eq!(minutes_with(false), [(0, 0), (1, 2_000)]);
    // Known time goes on at that very moment: the machine was not seen faulted for any time.
    assert_eq!(minutes_with(true), [(0, 0), (0, 0)]);
}

#[test]
fn what_is_too_old_or_not_in_order_is_passed_over() {
    let mut plant = publishing();
    plant.devices[0].late_ms = 120_000;
    let mut bench = Bench::left(plant, now(0), None);
    bench.hears(&told(STATUS, 2, 1000, 1000));
    bench.pass(600_000);
    bench.hear_at(600_100, &[told(STATUS, 2, 300_000, 0)]);
    assert_eq!(bench.engine.late_passed_over(), 1);
    bench.hear_at(600_200, &[told(STATUS, 2, 550_000, 0)]);
    let passed_over = bench.engine.late_passed_over();
    bench.hear_at(600_300, &[told(STATUS, 7, 540_000, 0)]);
    assert_eq!(bench.engine.late_passed_over(), passed_over + 1);
    bench.pass(720_000);
    let newest = bench.newest();
    let minutes = windows(&newest, Tier::Minute);
    let revs: Vec<u32> = minutes.iter().map(|minute| minute.rev).collect();
    assert_eq!(revs, [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
    assert_eq!(minutes[9].times.of(State::Producing), STALE);
    is_consistent(&bench);
}

#[test]
fn a_device_without_a_span_is_never_corrected() {
    let mut plant = publishing();
    plant.devices[0].late_ms = 0;
    let mut bench = Bench::left(plant, now(0), None);
    silent_for_two_minutes(&mut bench, 200_000, true);
    bench.pass(360_000);
    assert!(bench.summaries().iter().all(|minute| minute.rev == 0));
    assert!(bench.summaries()[1].times.of(State::Unknown) == 60_000);
}

#[test]
fn over_a_restart_the_silence_is_filled_and_what_was_before_stays() {
    let plant = publishing();
    let mut bench = Bench::left(plant.clone(), now(0), None);
    // Silent from 30 s on; killed at 100 s.
    silent_for_two_minutes(&mut bench, 500_000, true);
    bench.pass(600_000);
    let second = |second: u64| {
        [
            told(STATUS, 2, second * 1000, 0),
            told(GOOD, second as i64, second * 1000, 0),
        ]
    };
    for s in 600..700 {
        second(s).iter().for_each(|one| {
            bench.hears(&Told {
                arrives: s * 1000,
                ..*one
            })
        });
    }
    let checkpoint = bench.engine.checkpoint();
    bench.drain();
    let pages = corrected(&bench.pages);
    let (mut records, all_pages) = (bench.records.clone(), bench.pages.clone());
    let left = Some(Left::Newest(&checkpoint));
    let mut again = Bench::kept(plant, now(1_000_000), left, &pages);
    // The broker kept what came meanwhile, and something from before the kill.
    let kept: Vec<Told> = (500..990).flat_map(second).collect();
    again.hear_at(1_000_500, &kept);
    again.pass(3 * HOUR);
    records.append(&mut again.records);
    again.records = records;
    let mut pages = all_pages;
    pages.append(&mut again.pages);
    again.pages = pages;
    let newest = again.newest();
    let unknown = |from: u64, to: u64| {
        let minutes = windows(&newest, Tier::Minute);
        let within = minutes
            .iter()
            .filter(|minute| now(from).wall <= minute.start && minute.end <= now(to).wall);
        within
            .map(|minute| minute.times.of(State::Unknown))
            .sum::<u64>()
    };
    assert_eq!(unknown(660_000, 960_000), 0);
    assert_eq!(
        unknown(300_000, 600_000),
        300_000,
        "known to nobody before the kill"
    );
    let good: u64 = windows(&newest, Tier::Minute)
        .iter()
        .filter_map(|m| m.parts.good)
        .sum();
    assert_eq!(good, 989);
    is_consistent(&again);
}

#[test]
fn a_machine_that_does_much_is_remembered_for_a_shorter_time_and_rightly() {
    let mut plant = publishing();
    plant.devices[0].late_ms = 300_000;
    let mut bench = Bench::left(plant, now(0), None);
    // Another state each half second fills the log in little more than a minute.
    for half in 0..1200u64 {
        let status = [2, 3, 7][(half % 3) as usize];
        let ms = half * 500;
        if (600..620).contains(&half) {
            continue;
        }
        bench.hears(&told(STATUS, status, ms, ms));
        if half == 700 {
            let batch: Vec<Told> = (600..620)
                .map(|half| told(STATUS, 2, half * 500, 0))
                .collect();
            bench.hear_at(ms + 1, &batch);
        }
    }
    bench.pass(660_000);
    is_consistent(&bench);
}

#[test]
fn a_hall_that_comes_back_at_once_is_corrected_soon_and_once_each() {
    const DEVICES: u16 = 60;
    let mut plant = publishing();
    plant.devices[0].late_ms = 15 * 60_000;
    let devices = (0..DEVICES).map(|n| Device {
        id: alloc::format!("press-{n}").into(),
        ..plant.devices[0].clone()
    });
    plant.devices = devices.collect();
    plant.alarms.clear();
    let mut bench = Bench::left(plant, now(0), None);
    bench.pass(800_000);
    let sample = |second: u64| Sample {
        reading: Reading::Good(Value::Int(2)),
        time: Some(now(second * 1000).wall),
    };
    let batch: Vec<_> = (10..790).map(|s| (TagIndex(STATUS), sample(s))).collect();
    for device in 0..DEVICES {
        let device = DeviceIndex(device);
        bench.engine.handle_readings(device, at(800_000), &batch);
        bench.drain();
    }
    bench.pass(900_000);
    let again = bench
        .summaries()
        .into_iter()
        .filter(|minute| minute.rev > 0);
    assert!(again.clone().all(|minute| minute.rev == 1));
    // The minute in which they came is told again only of those for which there was no room at once.
    let closed = again.filter(|minute| minute.start < now(780_000).wall);
    assert_eq!(closed.count(), usize::from(DEVICES) * 13);
    let newest = bench.newest();
    let minutes = windows(&newest, Tier::Minute);
    let mut filled = minutes
        .iter()
        .filter(|minute| minute.start < now(840_000).wall);
    assert!(filled.all(|minute| minute.times.of(State::Producing) >= 12_000));
}

#[test]
fn a_clock_that_is_stepped_all_the_time_makes_no_more_corrections_than_planned() {
    let mut plant = publishing();
    plant.devices[0].late_ms = 120_000;
    let mut bench = Bench::left(plant, now(0), None);
    let mut off = 0;
    for second in 0..400u64 {
        off += [3_700_000, -3_600_000][(second % 2) as usize];
        let clock = |ms: u64| Now {
            wall: now(ms).wall + off,
            ..now(ms)
        };
        bench.engine.handle_time(clock(second * 1000));
        bench.drain();
        if second % 50 == 49 {
            let sample = |back: u64| Sample {
                reading: Reading::Good(Value::Int(2)),
                time: Some(clock((second - back) * 1000).wall),
            };
            let batch: Vec<_> = (4..45)
                .rev()
                .map(|back| (TagIndex(STATUS), sample(back)))
                .collect();
            let moment = at(second * 1000 + 1);
            bench.engine.handle_readings(DeviceIndex(0), moment, &batch);
            bench.drain();
        }
    }
    let newest = bench.newest();
    let known = |minute: &&&Summary| minute.times.of(State::Producing) > 0;
    assert!(windows(&newest, Tier::Minute).iter().filter(known).count() > 20);
    tiers_are_sums(&bench.engine, 0, &newest);
    times_follow_from_segments("press-1", &newest, &bench.pages);
}

/// One sample in a random stream.
#[derive(Debug, Clone, Copy)]
struct Draw {
    after: u64,
    status: Option<usize>,
    parts: Option<u64>,
    /// The product is read.
    product: Option<usize>,
    /// It comes when it is taken, later with others, or never.
    way: u8,
}

fn draw() -> impl Strategy<Value = Draw> {
    let after = prop_oneof![5 => 1u64..3_000, 2 => 1u64..15_000, 1 => 20_000u64..100_000];
    let way = prop_oneof![6 => Just(0u8), 4 => Just(1), 1 => Just(2)];
    (
        after,
        proptest::option::weighted(0.8, 0usize..5),
        proptest::option::weighted(0.7, 0u64..4),
        proptest::option::weighted(0.3, 0..RATES.len()),
        way,
    )
        .prop_map(|(after, status, parts, product, way)| Draw {
            after,
            status,
            parts,
            product,
            way,
        })
}

const CODES: [i64; 5] = [0, 1, 2, 3, 7];
const STATES: [State; 5] = [
    State::Idle,
    State::Setup,
    State::Producing,
    State::Delayed,
    State::Faulted,
];

/// What the stream comes to, millisecond by millisecond.
struct Reference {
    /// Index into [`STATES`], or none, for each millisecond.
    states: Vec<Option<usize>>,
    /// Readings of the counter that count, by their time.
    counts: Vec<(u64, u64)>,
    /// The same of the product.
    products: Vec<(u64, u64)>,
}

impl Reference {
    /// Of these samples, each with whether it came late; over a restart at this moment, if there is
    /// one: what was shown before holds no longer, and nothing before it is corrected.
    fn of(samples: &[(Told, bool)], end: u64, restart: Option<u64>) -> Reference {
        let restart = restart.unwrap_or(0);
        let is_refused = |(told, is_late): &&(Told, bool)| {
            *is_late && told.arrives > restart && told.taken < restart
        };
        let taken = samples.iter().filter(|sample| !is_refused(sample));
        let samples: Vec<(Told, bool)> = taken.copied().collect();
        let samples = &samples[..];
        let length = usize::try_from(end).unwrap();
        let spread = |late: bool| {
            let mut states = vec![None; length];
            let shown: Vec<(u64, usize)> = samples
                .iter()
                .filter(|(told, is_late)| *is_late == late && told.tag == STATUS)
                .map(|(told, _)| {
                    (
                        told.taken,
                        CODES.iter().position(|c| *c == told.value).unwrap(),
                    )
                })
                .collect();
            for (n, (from, state)) in shown.iter().enumerate() {
                let next = shown.get(n + 1).map_or(u64::MAX, |next| next.0);
                let mut until = (from + STALE).min(next).min(end);
                if *from < restart {
                    until = until.min(restart);
                }
                for ms in *from..until {
                    states[ms as usize] = Some(*state);
                }
            }
            states
        };
        let (known, late) = (spread(false), spread(true));
        let states = known
            .iter()
            .zip(late)
            .map(|(known, late)| known.or(late))
            .collect();
        // In the order of arrival: one that is followed by another that was counted is not.
        let that_count = |tag: u16| {
            let mut counted: Vec<(u64, u64)> = vec![];
            let mut arriving: Vec<&(Told, bool)> =
                samples.iter().filter(|(told, _)| told.tag == tag).collect();
            arriving.sort_by_key(|(told, _)| told.arrives);
            for (told, _) in arriving {
                if counted.last().is_none_or(|last| last.0 < told.taken) {
                    counted.push((told.taken, told.value as u64));
                }
            }
            counted
        };
        Reference {
            states,
            counts: that_count(GOOD),
            products: that_count(PRODUCT - 1),
        }
    }

    /// What the rated rate would have made up to the end of each minute up to `to`, and how much
    /// planned time had none.
    fn capacities(&self, to: u64, pause: &core::ops::Range<u64>) -> Vec<(u64, u64)> {
        let (mut made, mut unrated) = (0, 0);
        let mut all = vec![];
        for ms in 0..to {
            if ms % 60_000 == 0 {
                all.push(((made + 1_800_000) / 3_600_000, unrated));
            }
            let shown = self.states[ms as usize].map_or(State::Unknown, |state| STATES[state]);
            if shown.accounted(!pause.contains(&ms)) == State::PlannedStop {
                continue;
            }
            let product = self.products.iter().rev().find(|product| product.0 <= ms);
            match product {
                Some(product) => made += RATES[product.1 as usize],
                None => unrated += 1,
            }
        }
        all.push(((made + 1_800_000) / 3_600_000, unrated));
        all
    }

    fn times(&self, from: u64, to: u64, pause: &core::ops::Range<u64>) -> crate::state::Times {
        let mut times = crate::state::Times::default();
        for ms in from..to {
            let state = self.states[ms as usize];
            let shown = state.map_or(State::Unknown, |state| STATES[state]);
            times.add(shown.accounted(!pause.contains(&ms)), 1);
        }
        times
    }

    /// Good parts, and those across unknown time, of a window; none if nothing was read in it.
    fn parts(&self, from: u64, to: u64) -> Option<(u64, u64)> {
        let mut parts = None;
        for (n, (at, value)) in self.counts.iter().enumerate() {
            if !(from..to).contains(at) {
                continue;
            }
            let (good, gap) = parts.get_or_insert((0, 0));
            if let Some((then, before)) = n.checked_sub(1).map(|n| self.counts[n]) {
                *good += value - before;
                let between = &self.states[then as usize..*at as usize];
                if between.iter().any(Option::is_none) {
                    *gap += value - before;
                }
            }
        }
        parts
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Whatever comes in time, late, together or one by one: every minute is what the reference says
    /// that knows the whole stream, longer windows are sums, and the segments tell the same.
    #[test]
    fn late_data_come_to_what_they_had_come_to(
        draws in proptest::collection::vec(draw(), 1..200),
        flushes in proptest::collection::vec((1usize..40, any::<bool>()), 1..8),
        has_break in any::<bool>(),
        merge_faults_ms in prop_oneof![Just(0u64), 1u64..20_000],
        restart in proptest::option::of(0usize..100),
    ) {
        let mut plant = publishing_products();
        let model = Arc::make_mut(&mut plant.devices[0].model);
        model.tags.remove(2);
        model.rates.as_mut().unwrap().by = TagIndex(PRODUCT - 1);
        plant.devices[0].no_scrap = true;
        plant.devices[0].merge_faults_ms = merge_faults_ms;
        // WALL is 14:14; the break is from 14:16 to 14:19.
        let pause = if has_break { 120_000..300_000 } else { 0..0 };
        if has_break {
            plant.calendar.shifts = vec![crate::calendar::Shift {
                name: "all".into(),
                days: [true; 7],
                start: 0,
                end: 0,
                crews: vec![],
                breaks: vec![(14 * 60 + 16, 14 * 60 + 19)],
            }];
        }
        // Samples in time as they come, and late ones kept until the next flush.
        let (mut ms, mut count) = (1u64, 0u64);
        let mut heard: Vec<(Told, bool)> = vec![];
        let mut kept: Vec<Told> = vec![];
        let mut arrivals: Vec<Vec<Told>> = vec![];
        let mut flushes = flushes.iter().cycle();
        let mut wait = flushes.next().unwrap().0;
        for draw in &draws {
            ms += draw.after;
            count += draw.parts.unwrap_or(0);
            let status = draw.status.map(|status| told(STATUS, CODES[status], ms, ms));
            let good = draw.parts.map(|_| told(GOOD, count as i64, ms, ms));
            let product = draw.product.map(|number| told(PRODUCT - 1, number as i64, ms, ms));
            let both: Vec<Told> = status.into_iter().chain(good).chain(product).collect();
            match draw.way {
                0 => {
                    heard.extend(both.iter().map(|told| (*told, false)));
                    arrivals.push(both);
                }
                1 => kept.extend(both),
                _ => {}
            }
            wait = wait.saturating_sub(1);
            if wait == 0 && !kept.is_empty() {
                let (next, one_by_one) = *flushes.next().unwrap();
                wait = next;
                // All of it is stale by then.
                ms += STALE;
                let mut sent = core::mem::take(&mut kept);
                for told in &mut sent {
                    ms += u64::from(one_by_one);
                    told.arrives = ms;
                }
                heard.extend(sent.iter().map(|told| (*told, true)));
                if one_by_one {
                    arrivals.extend(sent.into_iter().map(|told| vec![told]));
                } else {
                    arrivals.push(sent);
                }
            }
        }
        let end = (ms / 60_000 + 2) * 60_000;
        let mut bench = Bench::left(plant.clone(), now(0), None);
        let mut restarted = None;
        for (n, batch) in arrivals.iter().filter(|batch| !batch.is_empty()).enumerate() {
            let arrives = batch[0].arrives;
            bench.pass(arrives - 1);
            if restart == Some(n) {
                restarted = Some(arrives - 1);
                bench = restart_at(bench, &plant, arrives - 1);
            }
            bench.hear_at(arrives, batch);
        }
        bench.pass(end + 60_000);
        let reference = Reference::of(&heard, end, restarted);
        let capacities = reference.capacities(end, &pause);
        let newest = bench.newest();
        let minutes = windows(&newest, Tier::Minute);
        for (n, minute) in minutes.iter().enumerate().take((end / 60_000) as usize) {
            let from = n as u64 * 60_000;
            prop_assert_eq!(minute.start, now(from).wall);
            let to = from + 60_000;
            prop_assert_eq!(minute.times, reference.times(from, to, &pause), "minute {}", n);
            let parts = minute.parts.good.map(|good| (good, minute.parts.gap_total));
            prop_assert_eq!(parts, reference.parts(from, to), "minute {}", n);
            let capacity = minute.capacity.map_or(0, |capacity| capacity.planned);
            let (before, (made, unrated)) = (capacities[n], capacities[n + 1]);
            prop_assert_eq!(capacity, made - before.0, "minute {}", n);
            prop_assert_eq!(minute.unrated.planned_ms, unrated - before.1, "minute {}", n);
        }
        tiers_are_sums_without_scrap(&bench, &newest);
        if merge_faults_ms == 0 {
            times_follow_from_segments("press-1", &newest, &bench.pages);
        }
        // The same minutes are on disk.
        let pages = corrected(&bench.pages);
        let kept: Vec<_> = pages.iter().filter_map(|page| match &page.leaf {
            crate::history::Leaf::Minute(rows) => Some(rows.rows[0].sum),
            _ => None,
        }).collect();
        let told: Vec<_> = minutes.iter().map(|minute| minute.sum()).collect();
        prop_assert_eq!(kept, told);
    }
}

/// Stops in order and starts again at once.
fn restart_at(mut bench: Bench, plant: &Plant, ms: u64) -> Bench {
    bench.engine.end(now(ms));
    bench.drain();
    let checkpoint = bench.engine.checkpoint();
    bench.drain();
    let left = Some(Left::Newest(&checkpoint));
    let mut again = Bench::kept(plant.clone(), now(ms), left, &corrected(&bench.pages));
    bench.records.append(&mut again.records);
    bench.pages.append(&mut again.pages);
    (again.records, again.pages) = (bench.records, bench.pages);
    again
}

fn tiers_are_sums_without_scrap(bench: &Bench, newest: &[Record]) {
    for tier in [Tier::Hour, Tier::Day] {
        let mut minutes = windows(newest, Tier::Minute).into_iter();
        for window in windows(newest, tier) {
            let mut sum = crate::summary::Sum::default();
            while sum.times.total() < window.window_ms() {
                sum.add(&minutes.next().unwrap().sum());
            }
            assert_eq!(sum, window.sum(), "{tier:?}");
        }
        let mut rest = crate::summary::Sum::default();
        minutes.for_each(|minute| rest.add(&minute.sum()));
        let open = bench.engine.devices[0].tiers.so_far(tier);
        assert_eq!(open.map(|open| open.sum).unwrap_or_default(), rest);
    }
}
