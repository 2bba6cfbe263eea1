use super::*;
use alloc::collections::BTreeMap;
use alloc::vec;
use proptest::prelude::*;

const MINUTE: u64 = 60_000;

fn new() -> Hygiene {
    Hygiene::new(100, Mono(0), Wall(0))
}

fn raise(hygiene: &mut Hygiene, alarm: u16, ms: u64) {
    hygiene.raised(alarm, Mono(ms), Wall(ms as i64));
}

fn pass(hygiene: &mut Hygiene, ms: u64) {
    hygiene.pass(Mono(ms), Wall(ms as i64));
}

#[test]
fn a_flood_begins_above_ten_in_ten_minutes_and_ends_below_five() {
    let mut hygiene = new();
    for n in 0..10 {
        raise(&mut hygiene, n, u64::from(n) * 1_000);
    }
    assert!(!hygiene.rates().flood, "ten are none yet");
    raise(&mut hygiene, 10, MINUTE);
    assert!(hygiene.rates().flood);
    // Five more a little later: when the first ten are out of the window, six are left.
    for n in 0..5 {
        raise(&mut hygiene, n, 2 * MINUTE);
    }
    pass(&mut hygiene, 10 * MINUTE);
    assert_eq!(hygiene.rates().ten_minutes, 6);
    assert!(hygiene.rates().flood, "six are enough to go on");
    pass(&mut hygiene, 11 * MINUTE);
    assert_eq!(hygiene.rates().ten_minutes, 5);
    assert!(hygiene.rates().flood);
    pass(&mut hygiene, 12 * MINUTE);
    let rates = hygiene.rates();
    assert!(!rates.flood);
    assert_eq!((rates.floods, rates.day, rates.hour), (1, 16, 16));
    assert_eq!(rates.worst_ten_minutes, 16);
    assert_eq!(rates.flood_minutes, 11, "from minute 1 to minute 11");
}

#[test]
fn a_day_later_nothing_is_left_but_the_month() {
    let mut hygiene = new();
    raise(&mut hygiene, 3, 0);
    pass(&mut hygiene, 1439 * MINUTE);
    assert_eq!(hygiene.rates().day, 1);
    pass(&mut hygiene, 1440 * MINUTE);
    assert_eq!(hygiene.rates().day, 0);
    assert_eq!(hygiene.totals().raised, 1);
    pass(&mut hygiene, 30 * 1440 * MINUTE);
    assert_eq!(hygiene.totals(), Totals::default());
    assert_eq!(hygiene.since(), Wall(30 * 1440 * MINUTE as i64));
}

#[test]
fn three_times_in_a_minute_is_chatter_until_it_is_quiet() {
    let mut hygiene = new();
    raise(&mut hygiene, 7, 0);
    raise(&mut hygiene, 7, 30_000);
    assert!(!hygiene.chatters(7, Mono(30_000)));
    raise(&mut hygiene, 7, 60_000);
    assert!(hygiene.chatters(7, Mono(60_000)));
    // Slower, and still the same.
    raise(&mut hygiene, 7, 400_000);
    assert!(hygiene.chatters(7, Mono(400_000)));
    assert!(!hygiene.chatters(7, Mono(400_000 + CHATTER_OVER_MS)));
    assert_eq!(hygiene.totals().chattered, 1);
    assert!(!hygiene.chatters(8, Mono(60_000)));
}

#[test]
fn what_goes_before_anybody_could_look_is_fleeting() {
    let mut hygiene = new();
    raise(&mut hygiene, 1, 0);
    hygiene.cleared(1, Mono(FLEETING_MS - 1));
    assert_eq!(hygiene.totals().fleeting, 1);
    raise(&mut hygiene, 2, 0);
    hygiene.cleared(2, Mono(FLEETING_MS));
    raise(&mut hygiene, 3, 0);
    hygiene.acknowledged(3, Mono(4_000), 4_000);
    hygiene.cleared(3, Mono(5_000));
    assert_eq!(hygiene.totals().fleeting, 1);
    let totals = hygiene.totals();
    assert_eq!(
        (totals.acknowledged, totals.ack_ms, totals.longest_ack_ms),
        (1, 4_000, 4_000)
    );
}

#[test]
fn the_median_is_that_of_the_newest_acknowledgements() {
    let mut hygiene = new();
    assert_eq!(hygiene.ack_median_ms(), None);
    for (after, median) in [(9_000, 9_000), (1_000, 5_000), (2_000, 2_000)] {
        hygiene.acknowledged(1, Mono(0), after);
        assert_eq!(hygiene.ack_median_ms(), Some(median));
    }
    // The newest 64 take the place of the older ones, over a restart too.
    for n in 0..100 {
        hygiene.acknowledged(1, Mono(0), 100_000 + n);
    }
    let mut after = new();
    after.resume(&hygiene.kept(|alarm| alarm), None, |id| Some(*id));
    assert_eq!(after.ack_median_ms(), Some(100_067));
    after.acknowledged(1, Mono(0), u64::MAX);
    assert_eq!(after.ack_median_ms(), Some(100_068));
}

#[test]
fn over_a_restart_the_counts_are_as_old_as_they_are() {
    let mut before = new();
    for n in 0..12 {
        raise(&mut before, n, u64::from(n) * 1_000);
    }
    pass(&mut before, 5 * MINUTE);
    let kept = before.kept(|alarm| alarm);
    let bytes = postcard::to_allocvec(&kept).unwrap();
    assert!(bytes.len() < 120, "{} bytes", bytes.len());
    let kept: Kept<u16> = postcard::from_bytes(&bytes).unwrap();

    let mut after = Hygiene::new(100, Mono(0), Wall(7 * MINUTE as i64));
    // One alarm is not there any more.
    after.resume(&kept, Some(2 * MINUTE), |id| (*id != 5).then_some(*id));
    assert!(after.rates().flood);
    assert_eq!(after.rates().day, 12);
    assert_eq!(after.top().len(), 11);
    after.pass(Mono(3 * MINUTE), Wall(10 * MINUTE as i64));
    assert_eq!(after.rates().ten_minutes, 0, "they are ten minutes old now");
    assert!(!after.rates().flood);

    let mut unknown = new();
    unknown.resume(&kept, None, |id| Some(*id));
    assert_eq!(unknown.rates().day, 0);
    assert_eq!(unknown.totals().raised, 12);
}

proptest! {
    /// The rates are those that a list of all moments gives, and the sketch keeps its promise: it
    /// never counts too few, by no more than it says too many, and whoever has more than a
    /// thirty-second part of all is in it.
    #[test]
    fn counts_are_those_of_a_plain_list(
        steps in proptest::collection::vec((0u64..200_000, 0u16..60), 1..400),
    ) {
        let mut hygiene = new();
        let mut now = 0;
        let mut all = vec![];
        for (wait, alarm) in steps {
            now += wait;
            // A third of all is one alarm.
            let alarm = if alarm < 20 { 99 } else { alarm };
            raise(&mut hygiene, alarm, now);
            all.push((now, alarm));
        }
        let minute = now / MINUTE;
        let last = |minutes: u64| {
            let within = all.iter().filter(|(at, _)| at / MINUTE + minutes > minute);
            within.count() as u32
        };
        let rates = hygiene.rates();
        prop_assert_eq!(rates.ten_minutes, last(10));
        prop_assert_eq!(rates.hour, last(60));
        prop_assert_eq!(rates.day, last(1440));
        let mut truth: BTreeMap<u16, u64> = BTreeMap::new();
        for (_, alarm) in &all {
            *truth.entry(*alarm).or_default() += 1;
        }
        let top = hygiene.top();
        for one in &top {
            let real = truth.get(&one.alarm).copied().unwrap_or(0);
            prop_assert!(real <= one.count && one.count - one.over <= real);
        }
        for (alarm, count) in truth {
            if count > all.len() as u64 / SKETCH as u64 {
                prop_assert!(top.iter().any(|one| one.alarm == alarm));
            }
        }
    }
}
