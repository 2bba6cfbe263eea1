use super::*;
use crate::calendar::tests::{at, press_line, zone};
use crate::state::State;
use crate::summary::{Capacity, Parts as Counts};
use alloc::vec;
use alloc::vec::Vec;
use jiff::civil::date;
use proptest::prelude::*;

const MINUTE: i64 = 60_000;

/// What `tell` was told.
#[derive(Debug, Clone, Default, PartialEq)]
struct Told {
    tiers: [Vec<Closed>; 3],
    pieces: Vec<Piece>,
    /// Of each minute, the tiers that were cut before it.
    cut: Vec<TierSet>,
}

impl Told {
    fn take(&mut self, ended: Ended) {
        match ended {
            Ended::Tier(tier, closed) => {
                let at = SUMMED.iter().position(|summed| *summed == tier).unwrap();
                self.tiers[at].push(closed);
            }
            Ended::Piece(piece) => self.pieces.push(piece),
        }
    }
}

fn minute(start: Wall, end: Wall) -> (Window, Sum) {
    let mut sum = Sum::default();
    let ms = u64::try_from(end - start).unwrap();
    sum.times.add(State::Producing, ms);
    sum.parts.good = Some(1);
    sum.capacity = Some(Capacity {
        planned: ms,
        producing: ms,
        uncounted: 0,
        rate: 3_600_000,
    });
    let window = Window {
        start,
        end,
        fold: 0,
        stepped_ms: 0,
        clock_step_ms: 0,
        unset: None,
    };
    (window, sum)
}

fn add(calendar: &Calendar, tiers: &mut Tiers, told: &mut Told, (window, sum): &(Window, Sum)) {
    let frames = Frames::over(calendar, window);
    let cut = tiers.add(window, sum, &frames, |ended| told.take(ended));
    told.cut.push(cut);
}

/// The minutes from one label to another, added one by one.
fn minutes(calendar: &Calendar, from: Wall, to: Wall) -> Told {
    let (mut tiers, mut told) = (Tiers::default(), Told::default());
    let mut now = from;
    while now < to {
        add(calendar, &mut tiers, &mut told, &minute(now, now + MINUTE));
        now = now + MINUTE;
    }
    told
}

fn lengths(closed: &[Closed]) -> Vec<u64> {
    closed
        .iter()
        .map(|closed| closed.sum.times.total() / MINUTE.unsigned_abs())
        .collect()
}

#[test]
fn a_day_has_its_hours_its_shifts_and_itself() {
    let zone = zone("Asia/Shanghai");
    let calendar = press_line(zone.clone());
    let told = minutes(
        &calendar,
        at(&zone, "2026-11-27T08:00"),
        at(&zone, "2026-11-30T08:00"),
    );
    let [hours, shifts, days] = &told.tiers;
    assert_eq!(lengths(hours), [60; 72]);
    assert_eq!(lengths(days), [24 * 60; 3]);
    // Friday by day and night, Saturday by day, its night off, Sunday off.
    assert_eq!(
        lengths(shifts),
        [12 * 60, 12 * 60, 12 * 60, 12 * 60, 24 * 60]
    );
    let runs: Vec<_> = shifts.iter().map(|closed| closed.shift).collect();
    let friday = date(2026, 11, 27);
    assert_eq!(
        runs,
        [
            Some((0, friday)),
            Some((1, friday)),
            Some((0, date(2026, 11, 28))),
            None,
            None
        ]
    );
    assert!(
        hours
            .iter()
            .chain(days)
            .all(|closed| closed.shift.is_none())
    );
}

#[test]
fn a_production_day_over_a_clock_change_holds_what_really_passed() {
    let zone = zone("Europe/Berlin");
    let mut calendar = press_line(zone.clone());
    calendar.shifts[1].days = [true; 7];
    let day = |from: &str, to: &str| {
        let told = minutes(&calendar, at(&zone, from), at(&zone, to));
        (
            told.tiers[0].len(),
            lengths(&told.tiers[1]),
            lengths(&told.tiers[2]),
        )
    };
    assert_eq!(
        day("2026-03-28T08:00", "2026-03-29T08:00"),
        (23, vec![12 * 60, 11 * 60], vec![23 * 60])
    );
    assert_eq!(
        day("2026-10-24T08:00", "2026-10-25T08:00"),
        (25, vec![12 * 60, 13 * 60], vec![25 * 60])
    );
}

#[test]
fn pieces_end_where_any_of_the_three_does() {
    let zone = zone("Asia/Kolkata");
    let mut calendar = press_line(zone.clone());
    calendar.day_start = 7 * 60 + 20;
    calendar.shifts[0].start = 8 * 60 + 45;
    calendar.shifts[1].end = 8 * 60 + 45;
    let told = minutes(
        &calendar,
        at(&zone, "2026-11-24T07:00"),
        at(&zone, "2026-11-24T10:00"),
    );
    let pieces: Vec<_> = told
        .pieces
        .iter()
        .map(|piece| {
            (
                piece.sum.times.total() / 60_000,
                piece.ended.iter().collect(),
            )
        })
        .collect();
    let (hour, shift, day) = (Tier::Hour, Tier::Shift, Tier::Day);
    let expected: Vec<(u64, Vec<Tier>)> = vec![
        (20, vec![day]),
        (40, vec![hour]),
        (45, vec![shift]),
        (15, vec![hour]),
        (60, vec![hour]),
    ];
    assert_eq!(pieces, expected);
}

#[test]
fn a_clock_step_inside_an_hour_is_named_and_one_out_of_it_ends_it() {
    let zone = zone("Asia/Shanghai");
    let calendar = press_line(zone.clone());
    let ten = at(&zone, "2026-11-24T10:00");
    let (mut tiers, mut told) = (Tiers::default(), Told::default());
    let mut step = |start: i64, end: i64, stepped_ms: i64| {
        let (mut window, sum) = minute(ten + start * MINUTE, ten + end * MINUTE);
        window.stepped_ms = stepped_ms * MINUTE;
        add(&calendar, &mut tiers, &mut told, &(window, sum));
    };
    step(0, 30, 0);
    // Back to 10:10, and on to 10:20; then forward to 13:10.
    step(10, 20, -20);
    step(190, 240, 170);
    let hours = &told.tiers[0];
    let of = |closed: &Closed| {
        let window = closed.window;
        (
            (window.start - ten) / MINUTE,
            (window.end - ten) / MINUTE,
            window.clock_step_ms / MINUTE,
            closed.sum.times.total() / 60_000,
        )
    };
    let hours: Vec<_> = hours.iter().map(of).collect();
    assert_eq!(hours, [(0, 20, -20, 40), (190, 240, 0, 50)]);
    // The shift goes on over all of it.
    assert!(told.tiers[1].is_empty());
    let shift = tiers.so_far(Tier::Shift).unwrap();
    assert_eq!(of(&shift), (0, 240, 150, 90));
}

#[test]
fn time_that_is_in_no_window_ends_what_is_open() {
    let calendar = Calendar::always(jiff::tz::TimeZone::UTC);
    let (mut tiers, mut told) = (Tiers::default(), Told::default());
    add(
        &calendar,
        &mut tiers,
        &mut told,
        &minute(Wall(0), Wall(10 * MINUTE)),
    );
    add(
        &calendar,
        &mut tiers,
        &mut told,
        &minute(Wall(20 * MINUTE), Wall(60 * MINUTE)),
    );
    assert_eq!(lengths(&told.tiers[0]), [10, 40]);
    assert_eq!(told.tiers[2].len(), 1, "and the day begins anew");
}

#[test]
fn a_silence_of_days_is_one_window_of_each_tier() {
    let zone = zone("Asia/Shanghai");
    let calendar = press_line(zone.clone());
    let (mut tiers, mut told) = (Tiers::default(), Told::default());
    let eight = at(&zone, "2026-11-24T08:00");
    add(
        &calendar,
        &mut tiers,
        &mut told,
        &minute(eight, eight + 3 * 24 * 60 * MINUTE),
    );
    let merged: Vec<_> = told
        .tiers
        .iter()
        .map(|closed| (closed.len(), closed[0].merged))
        .collect();
    assert_eq!(merged, [(1, 72), (1, 6), (1, 3)]);
    assert_eq!(told.tiers[1][0].shift, None, "it stands for several");
}

#[test]
fn a_gap_is_of_the_window_that_it_began_in() {
    let calendar = Calendar::always(jiff::tz::TimeZone::UTC);
    let hour_with = |gap_minute: i64, before: u64| {
        let (mut tiers, mut told) = (Tiers::default(), Told::default());
        for n in 0..60 {
            let (window, mut sum) = minute(Wall(n * MINUTE), Wall((n + 1) * MINUTE));
            if n == gap_minute {
                sum.parts.gap_before_ms = before;
            }
            add(&calendar, &mut tiers, &mut told, &(window, sum));
        }
        told.tiers[0][0].sum.parts.gap_before_ms
    };
    assert_eq!(hour_with(5, 5 * 60_000), 0, "from the start of the hour");
    assert_eq!(hour_with(5, 5 * 60_000 + 1), 1);
}

#[test]
fn a_gap_that_goes_on_is_of_the_window_that_ends_in_it() {
    let calendar = Calendar::always(jiff::tz::TimeZone::UTC);
    let hour_with = |gap_minute: i64| {
        let (mut tiers, mut told) = (Tiers::default(), Told::default());
        for n in 0..60 {
            let (window, mut sum) = minute(Wall(n * MINUTE), Wall((n + 1) * MINUTE));
            sum.parts.gap_after_ms = if n == gap_minute { 7 } else { 0 };
            add(&calendar, &mut tiers, &mut told, &(window, sum));
        }
        told.tiers[0][0].sum.parts.gap_after_ms
    };
    assert_eq!((hour_with(58), hour_with(59)), (0, 7));
}

#[test]
fn a_third_count_comes_from_the_sums_of_the_two_that_are_read() {
    let mut sum = Sum::default();
    let minute = |good, scrap, total| Sum {
        parts: Counts {
            good,
            scrap,
            total,
            ..Counts::default()
        },
        ..Sum::default()
    };
    // Scrap was not read in the first minute: nobody knows that minute's total.
    sum.add(&minute(Some(10), None, None));
    sum.add(&minute(Some(5), Some(3), Some(8)));
    assert_eq!(sum.parts.total, Some(8));
    sum.derive(crate::tag::Counts::Total);
    assert_eq!(sum.parts.total, Some(18));
}

/// What comes next in a stream of minutes.
#[derive(Debug, Clone)]
enum Next {
    /// Minutes.
    Minutes(u8),
    /// Part of one, then a step of the clock.
    Step(i64),
    /// Time that is in no window.
    Gap(i64),
    /// Many minutes as one window.
    Silence(i64),
}

fn next() -> impl Strategy<Value = Next> {
    prop_oneof![
        6 => (1u8..200).prop_map(Next::Minutes),
        1 => (-90 * MINUTE..90 * MINUTE).prop_map(Next::Step),
        1 => (1..4 * 60 * MINUTE).prop_map(Next::Gap),
        1 => (1i64..4 * 24 * 60).prop_map(Next::Silence),
    ]
}

/// The windows of a stream, as the engine would close them.
fn stream(from: Wall, nexts: &[Next]) -> Vec<(Window, Sum)> {
    let (mut now, mut stepped, mut windows) = (from, 0, vec![]);
    let mut push = |now: &mut Wall, end: Wall, stepped: &mut i64| {
        let (mut window, mut sum) = minute(*now, end);
        window.stepped_ms = core::mem::take(stepped);
        window.fold = u32::try_from(windows.len()).unwrap();
        sum.failures = window.fold % 3;
        sum.parts.scrap = window.fold.is_multiple_of(4).then_some(2);
        windows.push((window, sum));
        *now = end;
    };
    for next in nexts {
        let edge = |now: Wall, minutes: i64| Wall((now.0.div_euclid(MINUTE) + minutes) * MINUTE);
        match *next {
            Next::Minutes(count) => {
                for _ in 0..count {
                    let end = edge(now, 1);
                    push(&mut now, end, &mut stepped);
                }
            }
            Next::Step(by) => {
                let end = edge(now, 1) + -1;
                if end > now {
                    push(&mut now, end, &mut stepped);
                }
                now = now + by;
                stepped += by;
            }
            Next::Gap(ms) => {
                now = now + ms;
                stepped = 0;
            }
            Next::Silence(minutes) => {
                let end = edge(now, minutes);
                push(&mut now, end, &mut stepped);
            }
        }
    }
    windows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Every tier is the exact sum of the minutes inside it, as large as the calendar lets it be;
    /// and whether minutes are added as they come or again after a restart makes no difference.
    #[test]
    fn tiers_are_the_sums_of_their_minutes(
        nexts in proptest::collection::vec(next(), 1..30),
        begin in 0i64..(400 * 24 * 60),
        restart in 0.0..1.0f64,
        zone_at in 0usize..3,
        day_start in 0u16..1440,
    ) {
        let zone = zone(["Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe"][zone_at]);
        let mut calendar = press_line(zone.clone());
        calendar.day_start = day_start;
        let windows = stream(at(&zone, "2026-01-01T00:00") + begin * MINUTE, &nexts);
        let (mut tiers, mut told) = (Tiers::default(), Told::default());
        let restart = (windows.len() as f64 * restart) as usize;
        let mut before = Told::default();
        let mut since_piece = 0;
        for (index, window) in windows.iter().enumerate() {
            if index == restart {
                before = told.clone();
            }
            let pieces = told.pieces.len();
            add(&calendar, &mut tiers, &mut told, window);
            if told.pieces.len() > pieces && index < restart {
                let last = told.pieces.last().unwrap().window.end;
                since_piece = if last == window.0.end { index + 1 } else { index };
            }
        }
        for (tier, closed) in SUMMED.into_iter().zip(&told.tiers) {
            let mut rest = &windows[..];
            for closed in closed {
                let count = {
                    let mut sum = Sum::default();
                    rest.iter().position(|(_, part)| {
                        sum.add(part);
                        sum.times.total() == closed.sum.times.total()
                    }).unwrap() + 1
                };
                let (inside, after) = rest.split_at(count);
                let mut sum = Sum::default();
                inside.iter().for_each(|(_, part)| sum.add(part));
                prop_assert_eq!(sum, closed.sum);
                let (first, last) = (inside[0].0, inside[count - 1].0);
                prop_assert_eq!(
                    (closed.window.start, closed.window.end, closed.window.fold),
                    (first.start, last.end, first.fold)
                );
                let length = closed.sum.times.total() as i64;
                let labels = closed.window.end - closed.window.start;
                prop_assert_eq!(labels, length + closed.window.clock_step_ms);
                let frame = frame(&calendar, tier, first.start).unwrap();
                for (window, _) in &inside[1..] {
                    prop_assert!(frame.contains(window.start));
                }
                prop_assert!(last.end <= frame.until || closed.merged > 1);
                if let Some((next, _)) = after.first() {
                    let follows = next.start == last.end + next.stepped_ms;
                    prop_assert!(!follows || last.end >= frame.until || !frame.contains(next.start));
                }
                rest = after;
            }
        }
        // The same after a restart: from the pieces, and the minutes after the last of them.
        let mut tiers = Tiers::default();
        let mut again = before.clone();
        for piece in &before.pieces {
            let frames = Frames::over(&calendar, &piece.window);
            tiers.recall_piece(piece, &frames, |_, _| {});
        }
        for (index, (window, sum)) in windows.iter().enumerate().take(restart).skip(since_piece) {
            let frames = Frames::over(&calendar, window);
            let cut = before.cut[index];
            tiers.recall_minute(window, sum, cut, &frames, |_, _| {});
        }
        for window in &windows[restart..] {
            add(&calendar, &mut tiers, &mut again, window);
        }
        prop_assert_eq!(again, told);
    }
}
