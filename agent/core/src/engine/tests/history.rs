//! Hours, shifts and production days, and what is kept of them over restarts.

use super::*;
use crate::history::Leaf;
use crate::segments::{Fills, Segments};
use crate::summary::Sum;

/// Every window of every tier is the exact sum of minutes that follow one another, and what is
/// left over is the open one.
pub(super) fn tiers_are_sums(engine: &Engine, device: usize, records: &[Record]) {
    let entry = &engine.devices[device];
    let id = &engine.plant.devices[device].id;
    let of_device = |tier| {
        let all = windows(records, tier).into_iter();
        all.filter(|summary| summary.device == *id)
            .collect::<Vec<_>>()
    };
    let minutes = of_device(Tier::Minute);
    for tier in crate::tiers::SUMMED {
        let calendar = engine
            .plant
            .calendar_at(engine.plant.devices[device].calendar);
        if tier == Tier::Shift && calendar.shifts.is_empty() {
            continue;
        }
        let mut rest = &minutes[..];
        for summary in of_device(tier) {
            let mut sum = Sum::default();
            let count = rest.iter().position(|minute| {
                sum.add(&minute.sum());
                sum.times.total() == summary.times.total()
            });
            let (inside, after) = rest.split_at(count.unwrap() + 1);
            assert_eq!(inside[0].start, summary.start);
            assert_eq!(inside.last().unwrap().end, summary.end);
            sum.derive(Counts::Total);
            assert_eq!(sum, summary.sum(), "{tier:?}");
            rest = after;
        }
        let mut left = Sum::default();
        rest.iter().for_each(|minute| left.add(&minute.sum()));
        let open = entry.tiers.so_far(tier).map(|open| open.sum);
        assert_eq!(open.unwrap_or_default(), left, "open {tier:?}");
    }
}

/// The times of every minute add up again from the segments, to the millisecond. Steps of the clock and
/// silences of unknown length take no time: both are put on one row of milliseconds.
pub(super) fn times_follow_from_segments(id: &str, records: &[Record], pages: &[Page]) {
    let marks = pages.iter().filter_map(|page| match &page.leaf {
        Leaf::Marks(marks) => Some(marks),
        _ => None,
    });
    let mut fills = Fills::default();
    marks.clone().flatten().for_each(|mark| fills.note(mark));
    let (mut segments, mut told) = (Segments::with(fills), vec![]);
    for mark in marks.flatten() {
        segments.take(mark, |segment| told.push(segment));
    }
    told.extend(segments.open());
    told.retain(|segment| &*segment.device == id);
    // State and end of each, in milliseconds since the first began.
    let mut row: Vec<(State, u64)> = vec![];
    for segment in &told {
        let begin = row.last().map_or(0, |last| last.1);
        let length = segment.to.map_or(i64::MAX, |to| to - segment.from);
        row.push((segment.state, begin.saturating_add(length.unsigned_abs())));
    }
    let (mut from, mut faults) = (0, 0);
    for minute in windows(records, Tier::Minute) {
        if &*minute.device != id {
            continue;
        }
        let to = from + minute.window_ms();
        let mut times = crate::state::Times::default();
        let mut begin = 0;
        for &(state, end) in &row {
            times.add(state, end.min(to).saturating_sub(begin.max(from)));
            begin = end;
        }
        assert_eq!(times, minute.times, "from {from} to {to}: {told:?}");
        from = to;
        faults += minute.failures;
    }
    // So do the faults: entries from a known state, of which one that unknown time or a break has
    // interrupted is no new one.
    let (mut open, mut before, mut counted, mut begin) = (false, State::Unknown, 0, 0);
    for (state, end) in row {
        if begin >= from {
            break;
        }
        // What held for no time at all says nothing: the export leaves it out.
        if end == begin {
            continue;
        }
        match state {
            State::Faulted if !open => {
                counted += u32::from(!matches!(before, State::Unknown | State::PlannedStop));
                open = true;
            }
            State::Faulted | State::Unknown | State::PlannedStop => {}
            _ => open = false,
        }
        (before, begin) = (state, end);
    }
    assert_eq!(counted, faults, "{told:?}");
}

/// A press that is read each ten seconds from 14:14 on, over a restart if `silent` milliseconds of it
/// are, and what came of it until `until`.
fn after_silence(plant: &Plant, silent: u64, until: u64) -> Bench {
    let mut bench = Bench::left(plant.clone(), now(0), None);
    for second in (0..130).step_by(2) {
        bench.read(second * 1000, [2, u16::try_from(second).unwrap(), 0]);
    }
    let checkpoint = bench.engine.checkpoint();
    bench.drain();
    let (mut records, mut pages) = (bench.records, bench.pages);
    let left = Some(Left::Newest(&checkpoint));
    let mut bench = Bench::kept(plant.clone(), now(128_000 + silent), left, &pages);
    bench.pass(until);
    records.append(&mut bench.records);
    pages.append(&mut bench.pages);
    let numbers: Vec<u64> = pages.iter().map(|page| page.number).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    (bench.records, bench.pages) = (records, pages);
    tiers_are_sums(&bench.engine, 0, &bench.records);
    times_follow_from_segments("press-1", &bench.records, &bench.pages);
    bench
}

const HOUR: u64 = 3_600_000;

/// 14:14 in UTC.
fn clock(wall: Wall) -> (i64, i64, i64) {
    let minutes = (wall - Wall(WALL)) / 60_000 + 14 * 60 + 14;
    (
        minutes.div_euclid(1440),
        minutes.rem_euclid(1440) / 60,
        minutes % 60,
    )
}

fn two_shifts() -> Plant {
    let mut plant = plant();
    plant.calendar.day_start = 6 * 60;
    let shift = |name: &str, start: u16, end: u16| crate::calendar::Shift {
        name: name.into(),
        days: [true; 7],
        start,
        end,
        breaks: vec![(start + 120, start + 135)],
        crews: vec![],
    };
    plant.calendar.shifts = vec![
        shift("early", 6 * 60, 14 * 60),
        shift("late", 14 * 60, 22 * 60),
    ];
    plant
}

#[test]
fn a_silence_within_a_day_is_cut_at_hours_and_shifts() {
    let plant = two_shifts();
    let bench = after_silence(&plant, 9 * HOUR, 9 * HOUR + 300_000);
    let hours = windows(&bench.records, Tier::Hour);
    let starts: Vec<_> = hours.iter().map(|hour| clock(hour.start)).collect();
    let expected: Vec<_> = [(0, 14, 14)]
        .into_iter()
        .chain((15..23).map(|hour| (0, hour, 0)))
        .collect();
    assert_eq!(starts, expected);
    assert!(hours.iter().all(|hour| hour.merged == 1));
    let shifts = windows(&bench.records, Tier::Shift);
    let shift = shifts[0].shift.as_ref().unwrap();
    assert_eq!((&*shift.name, &*shift.date), ("late", "2026-09-21"));
    assert_eq!((shifts.len(), clock(shifts[0].end)), (1, (0, 22, 0)));
    assert_eq!(shifts[0].parts.good, Some(128));
}

#[test]
fn of_a_silence_of_days_the_middle_is_one_window_of_each_tier() {
    let plant = two_shifts();
    // To 23:16 nine days later.
    let bench = after_silence(&plant, 9 * 24 * HOUR + 9 * HOUR, 9 * 24 * HOUR + 10 * HOUR);
    let of = |tier| -> Vec<_> {
        let windows = windows(&bench.records, tier).into_iter();
        windows
            .map(|window| (clock(window.start), clock(window.end), window.merged))
            .collect()
    };
    let hours = of(Tier::Hour);
    // Its own first hour, up to the end of the shift, to the next day; then all days but the last.
    let expected = [
        ((0, 14, 14), (0, 15, 0), 1),
        ((0, 15, 0), (0, 22, 0), 7),
        ((0, 22, 0), (1, 6, 0), 8),
        ((1, 6, 0), (9, 6, 0), 8 * 24),
        ((9, 6, 0), (9, 7, 0), 1),
    ];
    assert_eq!(hours[..5], expected);
    assert_eq!(hours.len(), 4 + 18);
    let expected = [
        ((0, 14, 14), (0, 22, 0), 1),
        ((0, 22, 0), (1, 6, 0), 1),
        ((1, 6, 0), (9, 6, 0), 8 * 3),
        ((9, 6, 0), (9, 14, 0), 1),
        ((9, 14, 0), (9, 22, 0), 1),
    ];
    assert_eq!(of(Tier::Shift), expected);
    let expected = [((0, 14, 14), (1, 6, 0), 1), ((1, 6, 0), (9, 6, 0), 8)];
    assert_eq!(of(Tier::Day), expected);
    let merged = windows(&bench.records, Tier::Shift)[2];
    assert_eq!(merged.shift, None, "it stands for several");
    // Planned all the same, but for breaks and nights.
    let planned = 8 * (16 * HOUR - 2 * 15 * 60_000);
    assert_eq!(merged.planned_ms(), planned);
}

#[test]
fn a_year_of_silence_is_few_windows() {
    let plant = two_shifts();
    let year = 365 * 24 * HOUR;
    let bench = after_silence(&plant, year, year + 200_000);
    for tier in Tier::ALL {
        assert!(windows(&bench.records, tier).len() < 50, "{tier:?}");
    }
}

#[test]
fn a_removed_device_ends_its_windows_and_does_not_end_them_again() {
    let mut both = plant();
    let mut other = both.devices[0].clone();
    other.id = "press-0".into();
    both.devices.push(other);
    let mut bench = Bench::left(both, now(0), None);
    bench.pass(50 * 60_000);
    let checkpoint = bench.engine.checkpoint();
    bench.drain();
    let (mut records, mut pages) = (bench.records, bench.pages);
    let left = Some(Left::Newest(&checkpoint));
    let mut bench = Bench::kept(plant(), now(50 * 60_000 + 100), left, &pages);
    records.append(&mut bench.records);
    let checkpoint = bench.engine.checkpoint();
    bench.drain();
    pages.append(&mut bench.pages);
    let of = |tier| {
        let all = windows(&records, tier).into_iter();
        all.filter(|window| &*window.device == "press-0")
            .map(|window| (clock(window.start), clock(window.end)))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of(Tier::Hour),
        [((0, 14, 14), (0, 15, 0)), ((0, 15, 0), (0, 15, 4))]
    );
    assert_eq!(of(Tier::Day), [((0, 14, 14), (0, 15, 4))]);
    let left = Some(Left::Newest(&checkpoint));
    let bench = Bench::kept(plant(), now(51 * 60_000), left, &pages);
    let again = |record: &&Record| match &record.body {
        Body::Summary(summary) => &*summary.device == "press-0",
        _ => false,
    };
    assert_eq!(bench.records.iter().filter(again).count(), 0);
}

#[test]
fn a_shift_that_is_moved_ends_where_it_did_and_begins_there() {
    let plant = two_shifts();
    let mut bench = Bench::left(plant.clone(), now(0), None);
    // Over the end of the late shift, at 22:00.
    bench.pass(8 * HOUR);
    let checkpoint = bench.engine.checkpoint();
    bench.drain();
    let (mut records, pages) = (bench.records, bench.pages);
    let mut moved = plant;
    moved.calendar.shifts[1].end = 23 * 60;
    moved.calendar.shifts[1].start = 15 * 60;
    let left = Some(Left::Newest(&checkpoint));
    let mut bench = Bench::kept(moved, now(8 * HOUR + 60_000), left, &pages);
    bench.pass(10 * HOUR);
    records.append(&mut bench.records);
    tiers_are_sums(&bench.engine, 0, &records);
    let shifts = windows(&records, Tier::Shift);
    let edges: Vec<_> = shifts
        .iter()
        .map(|shift| (clock(shift.start), clock(shift.end)))
        .collect();
    assert_eq!(edges, [((0, 14, 14), (0, 22, 0)), ((0, 22, 0), (0, 23, 0))]);
}

#[test]
fn without_a_checkpoint_the_open_windows_end_where_they_stood() {
    let mut bench = Bench::new();
    bench.pass(180_000);
    let (mut records, pages) = (bench.records, bench.pages);
    let mut bench = Bench::kept(plant(), now(200_500), None, &pages);
    bench.pass(300_000);
    records.append(&mut bench.records);
    let hours = windows(&records, Tier::Hour);
    assert_eq!(hours.len(), 1);
    assert_eq!(hours[0].end, Wall(WALL + 180_000));
    tiers_are_sums(&bench.engine, 0, &records);
    assert!(bench.pages[0].number > pages.last().unwrap().number);
}

#[test]
fn what_is_shown_now_is_the_sum_of_its_minutes() {
    let plant = two_shifts();
    let mut bench = Bench::left(plant.clone(), now(0), None);
    let mut good = 0;
    let mut work = |bench: &mut Bench, from: u64, to: u64| {
        for minute in (from..to).step_by(17) {
            good += 5;
            let status = [2, 2, 7, 0][usize::try_from(minute / 17 % 4).unwrap()];
            bench.read(minute * 60_000 + 500, [status, good, 0]);
        }
    };
    let check = |bench: &Bench, records: &[Record], ms: u64| {
        let shown = bench.engine.now(DeviceIndex(0)).unwrap();
        assert_eq!(shown.ts, now(ms).wall);
        let minutes = windows(records, Tier::Minute);
        let open = bench.engine.machine(DeviceIndex(0)).unwrap().ledger();
        let (run, shift) = shown.shift.unwrap();
        assert!(run.is_some() || (22..24).contains(&clock(shown.ts).1) || clock(shown.ts).1 < 6);
        for (lately, longest) in [
            (shift, 8 * HOUR),
            (shown.h24, 25 * HOUR),
            (shown.d30, 31 * 24 * HOUR),
        ] {
            let age = u64::try_from(shown.ts - lately.from).unwrap();
            assert!(age <= longest);
            let mut sum = Sum::default();
            for minute in minutes.iter().filter(|minute| minute.start >= lately.from) {
                sum.add(&minute.sum());
            }
            sum.add(&open.so_far());
            sum.derive(Counts::Total);
            (sum.repairs, sum.repair_ms) = (lately.sum.repairs, lately.sum.repair_ms);
            assert_eq!(lately.sum, sum);
            assert_eq!(sum.times.total(), age);
        }
        shown.h24.from
    };
    work(&mut bench, 0, 26 * 60);
    let first = 26 * HOUR;
    bench.pass(first);
    let from = check(&bench, &bench.records, first);
    assert_eq!(clock(from), (0, 16, 0), "16:14 now, so 16:00 yesterday");
    let checkpoint = bench.engine.checkpoint();
    bench.drain();
    let (mut records, pages) = (bench.records, bench.pages);
    let left = Some(Left::Newest(&checkpoint));
    let mut bench = Bench::kept(plant.clone(), now(first + 100), left, &pages);
    work(&mut bench, 26 * 60 + 1, 26 * 60 + 40);
    let later = first + 40 * 60_000 + 7_000;
    bench.pass(later);
    bench.engine.handle_time(now(later));
    bench.drain();
    records.extend(bench.records.iter().cloned());
    check(&bench, &records, later);
}
