use super::*;

fn counting(top: Option<i64>) -> Counting {
    let dial = Dial {
        parts: 1,
        top,
        source: 0,
    };
    Counting::new([Some(dial), Some(dial), None], false)
}

/// `elapsed` milliseconds after the start, `unknown` of them unknown.
fn odometer(elapsed: u64, unknown: u64) -> Odometer {
    Odometer {
        elapsed_ms: elapsed,
        planned_ms: elapsed,
        unknown_ms: unknown,
        made: elapsed,
    }
}

/// Uncounted time at a rate of one part a second.
fn uncounted(ms: u64) -> Uncounted {
    Uncounted { ms, made: ms }
}

fn read(counting: &mut Counting, role: Counts, raw: i64, now: Odometer) {
    counting.read(role, &Value::Int(raw), &now, 0, Some(3_600_000));
}

#[test]
fn a_total_that_lags_behind_makes_up_for_it_in_the_next_window() {
    let dial = Dial {
        parts: 1,
        top: None,
        source: 0,
    };
    let mut c = Counting::new([Some(dial), None, Some(dial)], false);
    read(&mut c, Counts::Total, 0, odometer(0, 0));
    read(&mut c, Counts::Good, 0, odometer(0, 0));
    let mut sums = [0; 3];
    // The total is read before the good parts, and so shows one less than there are.
    for (total, good) in [(5, 6), (8, 9), (12, 10), (20, 16)] {
        read(&mut c, Counts::Total, total, odometer(1000, 0));
        read(&mut c, Counts::Good, good, odometer(1000, 0));
        let parts = c.parts(0).0;
        let counts = [parts.good, parts.scrap, parts.total].map(Option::unwrap);
        assert_eq!(counts[0] + counts[1], counts[2]);
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum += count;
        }
        c.begin_window();
    }
    assert_eq!(sums, [16, 4, 20]);
}

#[test]
fn the_first_reading_is_where_counting_begins() {
    let mut c = counting(Some(65_535));
    assert_eq!(c.parts(0).0.good, None);
    read(&mut c, Counts::Good, 500, odometer(0, 0));
    assert_eq!(c.parts(0).0.good, Some(0));
    read(&mut c, Counts::Good, 507, odometer(1000, 0));
    assert_eq!(c.parts(0).0.good, Some(7));
}

#[test]
fn two_of_three_give_the_third_and_nobody_invents_it() {
    let mut c = counting(None);
    read(&mut c, Counts::Good, 0, odometer(0, 0));
    read(&mut c, Counts::Good, 5, odometer(1000, 0));
    assert_eq!((c.parts(0).0.scrap, c.parts(0).0.total), (None, None));
    read(&mut c, Counts::Scrap, 0, odometer(1000, 0));
    read(&mut c, Counts::Scrap, 2, odometer(2000, 0));
    assert_eq!(c.parts(0).0.total, Some(7));
    let mut none = Counting::new(
        [
            Some(Dial {
                parts: 1,
                top: None,
                source: 0,
            }),
            None,
            None,
        ],
        true,
    );
    read(&mut none, Counts::Good, 0, odometer(0, 0));
    read(&mut none, Counts::Good, 3, odometer(1000, 0));
    assert_eq!(
        (none.parts(0).0.scrap, none.parts(0).0.total),
        (Some(0), Some(3))
    );
}

#[test]
fn a_wrap_that_fits_the_rated_rate_is_counted() {
    let mut c = counting(Some(65_535));
    read(&mut c, Counts::Good, 65_534, odometer(0, 0));
    // One part a second is rated: in 4 s four parts, up to half as many again and one more.
    read(&mut c, Counts::Good, 2, odometer(4000, 0));
    assert_eq!(
        c.parts(0),
        (
            Parts {
                good: Some(4),
                ..Parts::default()
            },
            uncounted(0)
        )
    );
}

#[test]
fn a_drop_that_does_not_fit_is_a_reset_and_its_time_is_uncounted() {
    let mut c = counting(Some(65_535));
    read(&mut c, Counts::Good, 65_534, odometer(0, 0));
    read(&mut c, Counts::Good, 40, odometer(4000, 0));
    assert_eq!(
        c.parts(0),
        (
            Parts {
                good: Some(0),
                ..Parts::default()
            },
            uncounted(4000)
        )
    );
    // From the middle of the range it is a reset however small the new value is.
    let mut c = counting(Some(65_535));
    read(&mut c, Counts::Good, 30_000, odometer(0, 0));
    read(&mut c, Counts::Good, 1, odometer(2000, 0));
    read(&mut c, Counts::Good, 3, odometer(4000, 0));
    assert_eq!(
        c.parts(0),
        (
            Parts {
                good: Some(2),
                ..Parts::default()
            },
            uncounted(2000)
        )
    );
}

/// An odometer of six digits, packed BCD of eight, a byte of a register.
#[test]
fn a_counter_wraps_where_its_type_or_its_digits_end() {
    for (top, before, after, made) in [
        (999_999, 999_998, 2, 4),
        (99_999_999, 99_999_997, 0, 3),
        (255, 254, 1, 3),
    ] {
        let mut c = counting(Some(top));
        read(&mut c, Counts::Good, before, odometer(0, 0));
        read(&mut c, Counts::Good, after, odometer(3000, 0));
        assert_eq!(
            (c.parts(0).0.good, c.parts(0).1),
            (Some(made), uncounted(0)),
            "{top}"
        );
    }
}

#[test]
fn two_counters_reset_together_do_not_double_the_uncounted_time() {
    let mut c = counting(None);
    for role in [Counts::Good, Counts::Scrap] {
        read(&mut c, role, 900, odometer(0, 0));
    }
    for role in [Counts::Good, Counts::Scrap] {
        read(&mut c, role, 0, odometer(5000, 0));
    }
    assert_eq!(c.parts(0).1, uncounted(5000));
}

#[test]
fn parts_over_unknown_time_are_counted_and_marked() {
    let mut c = counting(None);
    read(&mut c, Counts::Good, 10, odometer(0, 0));
    read(&mut c, Counts::Scrap, 0, odometer(0, 0));
    c.begin_window();
    let later = odometer(90_000, 30_000);
    c.read(Counts::Good, &Value::Int(40), &later, 60_000, None);
    c.read(Counts::Scrap, &Value::Int(0), &later, 60_000, None);
    let parts = c.parts(0).0;
    assert_eq!(
        (parts.total, parts.gap_total, parts.gap_before_ms),
        (Some(30), 30, 60_000)
    );
}

#[test]
fn a_gap_stays_open_until_the_counter_is_read_again() {
    let mut c = counting(None);
    c.pass_unknown();
    assert_eq!(c.parts(500).0.gap_after_ms, 0, "nothing to count from");
    read(&mut c, Counts::Good, 10, odometer(1000, 0));
    read(&mut c, Counts::Scrap, 0, odometer(2000, 0));
    assert_eq!(c.parts(9000).0.gap_after_ms, 0, "all of it is known");
    c.pass_unknown();
    assert_eq!(c.parts(9000).0.gap_after_ms, 8000);
    c.begin_window();
    assert_eq!(c.parts(69_000).0.gap_after_ms, 68_000);
    let mut other = counting(None);
    other.resume(&c);
    read(&mut other, Counts::Good, 10, odometer(70_000, 9000));
    assert_eq!(other.parts(71_000).0.gap_after_ms, 69_000, "of the scrap");
    read(&mut other, Counts::Scrap, 0, odometer(71_000, 9000));
    assert_eq!(other.parts(71_000).0.gap_after_ms, 0);
}

#[test]
fn a_counter_that_became_another_one_starts_anew() {
    let mut before = counting(Some(65_535));
    read(&mut before, Counts::Good, 100, odometer(0, 0));
    let mut same = counting(Some(65_535));
    same.resume(&before);
    read(&mut same, Counts::Good, 105, odometer(1000, 0));
    assert_eq!(same.parts(0).0.good, Some(5));
    let mut other = counting(None);
    other.resume(&before);
    read(&mut other, Counts::Good, 105, odometer(1000, 0));
    assert_eq!(other.parts(0).0.good, Some(0));
}

#[test]
fn counters_that_leap_over_their_whole_range_overflow_nothing() {
    let dial = Dial {
        parts: 4,
        top: None,
        source: 0,
    };
    let mut c = Counting::new([Some(dial), Some(dial), None], false);
    for role in [Counts::Good, Counts::Scrap] {
        read(&mut c, role, i64::MIN, odometer(0, 0));
        read(&mut c, role, i64::MAX, odometer(1000, 500));
    }
    let parts = c.parts(0).0;
    assert_eq!((parts.total, parts.gap_total), (Some(u64::MAX), u64::MAX));
}

/// Three counters, each count of one part.
fn three() -> Counting {
    let dial = Dial {
        parts: 1,
        top: None,
        source: 0,
    };
    let mut c = Counting::new([Some(dial); 3], false);
    for role in [Counts::Good, Counts::Scrap, Counts::Total] {
        read(&mut c, role, 0, odometer(0, 0));
    }
    c.begin_window();
    c
}

#[test]
fn a_count_with_a_counter_of_its_own_is_not_made_up_while_that_is_not_read() {
    let mut c = three();
    read(&mut c, Counts::Good, 7, odometer(1000, 0));
    read(&mut c, Counts::Scrap, 1, odometer(1000, 0));
    assert_eq!(c.parts(0).0.total, None, "or it would be counted twice");
    c.begin_window();
    read(&mut c, Counts::Total, 8, odometer(2000, 0));
    assert_eq!(c.parts(0).0.total, Some(8));
}

#[test]
fn parts_of_a_gap_are_known_where_the_other_count_was_not_read() {
    let mut c = counting(None);
    read(&mut c, Counts::Good, 0, odometer(0, 0));
    read(&mut c, Counts::Good, 8, odometer(9000, 5000));
    let parts = c.parts(0).0;
    assert_eq!((parts.total, parts.gap_total), (None, 8));
}

#[test]
fn a_gap_of_any_counter_reaches_back() {
    let mut c = three();
    let now = odometer(9000, 5000);
    c.read(Counts::Good, &Value::Int(8), &now, 6000, None);
    c.read(Counts::Total, &Value::Int(0), &now, 6000, None);
    let parts = c.parts(0).0;
    assert_eq!((parts.gap_total, parts.gap_before_ms), (0, 6000));
}

#[test]
fn a_total_that_is_read_alone_makes_up_for_what_it_lacked() {
    let dial = Dial {
        parts: 1,
        top: None,
        source: 0,
    };
    let mut c = Counting::new([Some(dial), None, Some(dial)], false);
    read(&mut c, Counts::Total, 0, odometer(0, 0));
    read(&mut c, Counts::Good, 0, odometer(0, 0));
    c.begin_window();
    read(&mut c, Counts::Total, 3, odometer(1000, 0));
    read(&mut c, Counts::Good, 5, odometer(1000, 0));
    assert_eq!(c.parts(0).0.total, Some(5));
    c.begin_window();
    read(&mut c, Counts::Total, 6, odometer(2000, 0));
    let parts = c.parts(0).0;
    assert_eq!((parts.total, parts.scrap), (Some(1), None));
}
