use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn schedule(reads: &[(u8, u64)], patience_ms: u64, now: u64) -> Schedule {
    let reads = (0..)
        .map(ReadIndex)
        .zip(reads)
        .map(|(read, (unit, every))| (read, *unit, *every, patience_ms));
    Schedule::new(reads, Mono(now))
}

/// A link whose units answer after 10 ms, or not at all; every event with its time.
struct Bench {
    schedule: Schedule,
    now: u64,
    dead: Vec<u8>,
    units: Vec<u8>,
    /// (when asked, read, whether it answered)
    asked: Vec<(u64, u32, bool)>,
    skipped: Vec<(u64, u32)>,
}

impl Bench {
    fn new(reads: &[(u8, u64)], patience_ms: u64) -> Bench {
        Bench {
            schedule: schedule(reads, patience_ms, 0),
            now: 0,
            dead: vec![],
            units: reads.iter().map(|read| read.0).collect(),
            asked: vec![],
            skipped: vec![],
        }
    }

    fn run_until(&mut self, end: u64) {
        while self.now < end {
            match self.schedule.next(Mono(self.now)) {
                Step::Ask { slot, patience_ms } => {
                    let read = self.schedule.read(slot).0;
                    let answers = !self.dead.contains(&self.units[read as usize]);
                    self.asked.push((self.now, read, answers));
                    if answers {
                        self.now += 10;
                        self.schedule.answered(slot);
                    } else {
                        self.now += patience_ms;
                        self.schedule.failed(slot, Reason::Timeout, Mono(self.now));
                    }
                }
                Step::Skip { slot, reason } => {
                    assert_eq!(reason, Reason::Timeout);
                    self.skipped.push((self.now, self.schedule.read(slot).0));
                }
                Step::Wait(until) => {
                    assert!(until.0 > self.now, "waits for the past");
                    self.now = until.0;
                }
                Step::Idle => return,
            }
        }
    }

    fn asked_of(&self, read: u32) -> Vec<u64> {
        self.asked
            .iter()
            .filter(|asked| asked.1 == read)
            .map(|asked| asked.0)
            .collect()
    }
}

#[test]
fn without_reads_there_is_nothing_to_do() {
    assert_eq!(schedule(&[], 500, 0).next(Mono(5)), Step::Idle);
}

#[test]
fn the_first_reading_is_at_once_and_then_at_multiples_of_the_period() {
    let mut schedule = schedule(&[(1, 1000)], 500, 12_345);
    assert!(matches!(
        schedule.next(Mono(12_345)),
        Step::Ask {
            patience_ms: 500,
            ..
        }
    ));
    assert_eq!(schedule.next(Mono(12_360)), Step::Wait(Mono(13_000)));
}

#[test]
fn missed_deadlines_are_skipped_and_not_queued() {
    let mut schedule = schedule(&[(1, 1000)], 500, 0);
    let asked = |step| matches!(step, Step::Ask { .. });
    assert!(asked(schedule.next(Mono(0))));
    assert!(asked(schedule.next(Mono(7_300))));
    assert_eq!(schedule.next(Mono(7_310)), Step::Wait(Mono(8_000)));
}

#[test]
fn the_oldest_deadline_goes_first() {
    let mut bench = Bench::new(&[(1, 1000), (2, 200)], 500);
    bench.run_until(1000);
    assert_eq!(bench.asked_of(1), [0, 200, 400, 600, 800]);
    assert_eq!(bench.asked_of(0), [10]);
}

#[test]
fn the_other_due_reads_of_a_unit_that_does_not_answer_fail_with_the_first() {
    let mut bench = Bench::new(&[(1, 1000), (1, 1000), (2, 1000)], 500);
    bench.dead = vec![1];
    bench.run_until(1000);
    assert_eq!(bench.asked, [(0, 0, false), (500, 2, true)]);
    assert_eq!(bench.skipped, [(500, 1)]);
}

#[test]
fn a_unit_that_failed_comes_after_those_that_answer() {
    let mut bench = Bench::new(&[(1, 1000), (2, 1000), (3, 1000)], 500);
    bench.dead = vec![1];
    bench.run_until(2000);
    let reads: Vec<u32> = bench.asked.iter().map(|asked| asked.1).collect();
    assert_eq!(reads, [0, 1, 2, 1, 2, 0]);
}

#[test]
fn a_dead_unit_is_probed_ever_more_rarely() {
    let mut bench = Bench::new(&[(1, 1000), (2, 1000)], 500);
    bench.dead = vec![1];
    bench.run_until(200_000);
    let asked = bench.asked_of(0);
    let pauses: Vec<u64> = asked
        .windows(2)
        .map(|pair| (pair[1] - pair[0]) / 1000)
        .collect();
    assert_eq!(pauses[..6], [1, 2, 3, 5, 9, 17]);
    assert!(pauses[6..].iter().all(|pause| *pause == 31), "{pauses:?}");
    let told = asked.len() + bench.skipped.len();
    assert_eq!(told, 200, "each deadline is told once");
}

#[test]
fn a_unit_alone_on_its_link_is_probed_every_few_seconds() {
    let mut bench = Bench::new(&[(1, 1000)], 500);
    bench.dead = vec![1];
    bench.run_until(100_000);
    let asked = bench.asked_of(0);
    assert!(
        asked.windows(2).all(|pair| pair[1] - pair[0] <= 6_000),
        "{asked:?}"
    );
}

#[test]
fn one_good_answer_brings_a_unit_back() {
    let mut bench = Bench::new(&[(1, 1000), (1, 1000), (2, 1000)], 500);
    bench.dead = vec![1];
    bench.run_until(10_000);
    bench.dead.clear();
    let failed = bench.asked.len();
    bench.run_until(20_000);
    let back = bench.asked[failed..]
        .iter()
        .find(|asked| asked.1 == 0)
        .unwrap()
        .0;
    let other: Vec<u64> = bench
        .asked_of(1)
        .into_iter()
        .filter(|at| *at >= back)
        .collect();
    assert_eq!(
        other[0] / 1000,
        back / 1000,
        "its other reads follow in the same round"
    );
    assert_eq!(other.len() as u64, 20 - back / 1000);
}

#[test]
fn death_and_return_are_told_once_each() {
    let mut schedule = schedule(&[(1, 1000)], 500, 0);
    let changes = [Change::None, Change::Lost, Change::None, Change::None];
    for change in changes {
        assert_eq!(schedule.failed(Slot(0), Reason::Timeout, Mono(0)), change);
    }
    assert_eq!(schedule.answered(Slot(0)), Change::Back);
    assert_eq!(schedule.answered(Slot(0)), Change::None);
    schedule.failed(Slot(0), Reason::Timeout, Mono(0));
    assert_eq!(
        schedule.answered(Slot(0)),
        Change::None,
        "one failure is not a death"
    );
}

#[test]
fn one_dead_unit_of_five_delays_no_poll_by_more_than_an_interval() {
    let mut bench = Bench::new(
        &[(1, 1000), (2, 1000), (3, 1000), (4, 1000), (5, 1000)],
        500,
    );
    bench.dead = vec![3];
    bench.run_until(300_000);
    for read in [0, 1, 3, 4] {
        let asked = bench.asked_of(read);
        assert_eq!(asked.len(), 300, "read {read} missed a deadline");
        assert!(asked.iter().zip(0..).all(|(at, n)| at - n * 1000 <= 1000));
    }
}

#[test]
fn a_dead_unit_slower_to_fail_than_the_others_are_polled_costs_them_one_interval_at_most() {
    let mut bench = Bench::new(&[(1, 200), (2, 1000)], 500);
    bench.run_until(2_000);
    bench.dead = vec![2];
    bench.run_until(200_000);
    let asked = bench.asked_of(0);
    let late = asked
        .windows(2)
        .filter(|pair| pair[1] - pair[0] > 400)
        .count();
    let full = bench.asked_of(1).len().div_ceil(4);
    assert!(
        late <= full,
        "{late} gaps, {full} probes with the whole patience"
    );
}

#[test]
fn a_link_without_a_free_moment_still_finds_a_unit_that_came_back() {
    let mut bench = Bench::new(&[(1, 10), (2, 1000)], 500);
    bench.dead = vec![2];
    bench.run_until(60_000);
    bench.dead.clear();
    bench.run_until(200_000);
    assert!(bench.asked.iter().any(|asked| asked.1 == 1 && asked.2));
}

#[test]
fn a_unit_that_needs_a_pause_is_passed_over_until_it_has_had_it() {
    let mut schedule = schedule(&[(1, 1000), (1, 1000), (2, 1000)], 500, 0);
    let asked = |step| match step {
        Step::Ask { slot, .. } => slot.0,
        other => panic!("{other:?}"),
    };
    assert_eq!(asked(schedule.next(Mono(0))), 0);
    schedule.pause(1, Mono(90));
    assert_eq!(asked(schedule.next(Mono(10))), 2);
    assert_eq!(schedule.next(Mono(20)), Step::Wait(Mono(90)));
    assert_eq!(asked(schedule.next(Mono(90))), 1);
}

proptest! {
    #[test]
    fn every_deadline_is_told_at_most_once_and_none_is_forgotten(
        reads in prop::collection::vec((1..6_u8, prop::sample::select(vec![200_u64, 500, 1000, 5000])), 1..20),
        dead in prop::collection::vec(1..6_u8, 0..5),
    ) {
        let mut bench = Bench::new(&reads, 500);
        bench.dead = dead;
        bench.run_until(120_000);
        let mut told: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        let asked = bench.asked.iter().map(|asked| (asked.0, asked.1));
        for (at, read) in asked.chain(bench.skipped.iter().copied()) {
            told.entry(read).or_default().push(at);
        }
        for (at, (unit, every)) in (0..).zip(&reads) {
            let told = told.get_mut(&at).unwrap();
            told.sort_unstable();
            // Once in each period at most, and never silent for longer than a dead unit may cost.
            prop_assert!(told.windows(2).all(|pair| pair[0] / every < pair[1] / every));
            let longest = 2 * every + 500 * 6 + 20 * 10 * 6;
            prop_assert!(told.windows(2).all(|pair| pair[1] - pair[0] <= longest), "{unit} {every} {told:?}");
        }
    }
}

#[test]
fn what_failed_need_not_wait_for_a_long_period() {
    let mut schedule = Schedule::new([(ReadIndex(0), 1, 3_600_000, 500)].into_iter(), Mono(50));
    let Step::Ask { slot, .. } = schedule.next(Mono(50)) else {
        panic!("due at once");
    };
    schedule.again_by(slot, Mono(10_000));
    assert_eq!(schedule.next(Mono(51)), Step::Wait(Mono(10_000)));
    schedule.again_by(slot, Mono(20_000));
    assert_eq!(
        schedule.next(Mono(51)),
        Step::Wait(Mono(10_000)),
        "never later"
    );
}

#[test]
fn slow_reads_that_were_missed_are_made_soon_after_their_unit_is_back() {
    // Three reads a quarter of an hour apart, of a unit that is dead at first, and a healthy one.
    const SLOW: u64 = 900_000;
    let mut bench = Bench::new(&[(1, SLOW), (1, SLOW), (1, SLOW), (2, SLOW)], 500);
    bench.dead = vec![1];
    bench.run_until(100_000);
    // Only the probes of one read are made, and each of them costs the others no more than before.
    let in_vain = bench.asked.iter().filter(|asked| !asked.2).count();
    assert!((4..=8).contains(&in_vain), "{:?}", bench.asked);
    assert_eq!(
        bench.asked_of(3),
        [500],
        "what was read waits for its period"
    );
    bench.dead.clear();
    bench.run_until(150_000);
    for read in 0..3 {
        let answered = bench
            .asked
            .iter()
            .filter(|asked| asked.1 == read && asked.2);
        let times: Vec<u64> = answered.map(|asked| asked.0).collect();
        assert!(
            matches!(times[..], [once] if once < 142_000),
            "{read}: {times:?}"
        );
    }
}

#[test]
fn one_lost_answer_of_a_slow_read_costs_some_seconds() {
    let mut bench = Bench::new(&[(1, 300_000)], 500);
    bench.dead = vec![1];
    bench.run_until(600);
    bench.dead.clear();
    bench.run_until(400_000);
    assert_eq!(bench.asked_of(0), [0, 10_000, 300_000]);
}
