//! Every key of a summary from its parts, as `agent/docs/figures.md` has it, in exact fractions.

use std::collections::BTreeMap;

/// The parts of a window; times in the order of the states.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    pub times: [u64; 7],
    pub uncounted_ms: u64,
    pub good: Option<u64>,
    pub scrap: Option<u64>,
    pub total: Option<u64>,
    pub gap_total: u64,
    /// Parts were learned by a reading over unknown time; how long before the window that before it was.
    pub gap_before_ms: u64,
    /// Planned time is unknown since the last reading of a counter; how long before the end that was.
    pub gap_after_ms: u64,
    pub failures: u64,
    pub repairs: u64,
    pub repair_ms: u64,
    /// In planned, producing and uncounted time; thousandths of a part.
    pub capacity: Option<[u128; 3]>,
    /// Planned time without a rated rate, of a machine that has one, and how much of it was producing.
    pub unrated: [u64; 2],
    /// The rated rate at the end, in thousandths of a part per hour.
    pub rate: Option<u64>,
}

impl Parts {
    pub fn window_ms(&self) -> u64 {
        self.times.iter().sum()
    }
}

/// What a figure needs.
pub struct Needs {
    /// Ten-thousandths.
    pub min_coverage: u64,
    pub min_exposure: u64,
}

/// The value of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Whole(i128),
    /// As it is written, with all of its decimals.
    Decimal(String),
    Text(String),
}

pub type Keys = BTreeMap<String, Value>;

/// A figure, or why there is none.
type Figure = Result<(u128, u128), &'static str>;

/// The reasons, the most important first; those after them say nothing of the data.
const NOTABLE: [&str; 6] = [
    "low-coverage",
    "no-planned-time",
    "counts-across-gap",
    "no-count",
    "no-rated-rate",
    "no-scrap-count",
];

pub fn whole(value: impl Into<i128>) -> Value {
    Value::Whole(value.into())
}

fn known(value: Option<u64>) -> Value {
    value.map_or(Value::Null, whole)
}

/// A fraction with so many decimals, rounded half up; null without anything to divide by.
fn decimal(numerator: u128, denominator: u128, decimals: u32) -> Value {
    if denominator == 0 {
        return Value::Null;
    }
    let unit = 10u128.pow(decimals);
    let scaled = numerator * unit;
    let (down, rest) = (scaled / denominator, scaled % denominator);
    let units = if rest * 2 >= denominator {
        down + 1
    } else {
        down
    };
    let width = decimals as usize;
    Value::Decimal(format!("{}.{:0width$}", units / unit, units % unit))
}

/// All keys that follow from the parts.
pub fn keys(parts: &Parts, needs: &Needs) -> Keys {
    let [
        producing,
        setup,
        delayed,
        faulted,
        idle,
        planned_stop,
        unknown,
    ] = parts.times;
    let mut keys = Keys::new();
    let mut put = |key: &str, value: Value| keys.insert(key.to_owned(), value);
    put("window_ms", whole(parts.window_ms()));
    put("producing_ms", whole(producing));
    put("setup_ms", whole(setup));
    put("delayed_ms", whole(delayed));
    put("faulted_ms", whole(faulted));
    put("idle_ms", whole(idle));
    put("planned_stop_ms", whole(planned_stop));
    put("unknown_ms", whole(unknown));
    put("uncounted_ms", whole(parts.uncounted_ms));
    put("good", known(parts.good));
    put("scrap", known(parts.scrap));
    put("total", known(parts.total));
    put("gap_total", known(parts.total.map(|_| parts.gap_total)));
    if parts.gap_before_ms > 0 {
        put("gap_before_ms", whole(parts.gap_before_ms));
    }
    if parts.gap_after_ms > 0 {
        put("gap_after_ms", whole(parts.gap_after_ms));
    }
    put("failures", whole(parts.failures));
    put("repairs", whole(parts.repairs));
    put("repair_ms", whole(parts.repair_ms));
    let made = |at: usize| {
        parts
            .capacity
            .map_or(Value::Null, |makes| whole(makes[at].cast_signed()))
    };
    put("capacity", made(0));
    put("capacity_producing", made(1));
    put("capacity_uncounted", made(2));
    if parts.unrated[0] > 0 {
        put("unrated_ms", whole(parts.unrated[0]));
        put("unrated_producing_ms", whole(parts.unrated[1]));
    }
    let rated = |rate: u64| Value::Decimal(format!("{}.{:03}", rate / 1000, rate % 1000));
    put("rated_per_h", parts.rate.map_or(Value::Null, rated));

    let [producing, setup, delayed, faulted, unknown] =
        [producing, setup, delayed, faulted, unknown].map(u128::from);
    let pbt = u128::from(parts.window_ms() - planned_stop);
    let k = pbt - unknown;
    let b = producing + setup + delayed + faulted;
    let d = producing + delayed + faulted;
    let exposure = producing + setup;

    let covered: Result<(), &str> = if pbt == 0 {
        Err("no-planned-time")
    } else if k == 0 || k * 10_000 < pbt * u128::from(needs.min_coverage) {
        Err("low-coverage")
    } else {
        Ok(())
    };
    let exposed: Result<(), &str> = match exposure {
        0 => Err("too-short"),
        _ if exposure < u128::from(needs.min_exposure) => Err("too-short"),
        _ => Ok(()),
    };
    let over = |numerator: u128, denominator: u128, or: &'static str| match denominator {
        0 => Err(or),
        _ => Ok((numerator, denominator)),
    };
    let total = parts.total.map(u128::from).ok_or(match parts.good {
        Some(_) => "no-scrap-count",
        None => "no-count",
    });
    let good = parts.good.map(u128::from).ok_or(match parts.total {
        Some(_) => "no-scrap-count",
        None => "no-count",
    });
    let made_in_time = total.map(|total| total.saturating_sub(u128::from(parts.gap_total)));
    let capacity = parts.capacity.ok_or("no-rated-rate");
    // Time without a rated rate is taken to be like the rest, if that is enough.
    let rated = |time: u128, unrated: u64| match time - u128::from(unrated) {
        _ if unrated == 0 => Ok((1, 1)),
        0 => Err("no-rated-rate"),
        rated if rated * 10_000 < time * u128::from(needs.min_coverage) => Err("no-rated-rate"),
        rated => Ok((rated, time)),
    };

    let mut figures: Vec<(&str, u32, Figure, Option<[Value; 2]>)> = vec![];
    let mut share = |key, part: u128, of: u128, possible: u128| {
        let value = covered.and_then(|()| over(part, of, "too-short"));
        let bounds = [
            decimal(part, possible, 4),
            decimal(part + unknown, possible, 4),
        ];
        figures.push((key, 4, value, Some(bounds)));
    };
    share("availability", producing, k, pbt);
    share("fault_time_ratio", faulted, k, pbt);
    share("allocation_efficiency", b, k, pbt);
    share("utilisation_efficiency", producing, b, b + unknown);
    share("technical_efficiency", producing, d, d + unknown);
    for (key, count) in [("capacity_utilisation", total), ("oee", good)] {
        let all = count.and_then(|count| {
            let capacity = capacity?;
            let (rated, time) = rated(pbt, parts.unrated[0])?;
            let [planned, _, uncounted] = capacity.map(|makes| makes * time);
            Ok((1_000 * count * rated, planned, uncounted))
        });
        // Of a gap that began before, all may have been made before; in one that goes on, as much as
        // the rated rate allows.
        let doubted = match parts.gap_before_ms {
            0 => 0,
            _ => u128::from(parts.gap_total),
        };
        let open = unknown.min(u128::from(parts.gap_after_ms));
        let surely = count.and_then(|count| {
            let (rated, _) = rated(pbt, parts.unrated[0])?;
            Ok(1_000 * count.saturating_sub(doubted) * rated)
        });
        let value = all.and_then(|(made, planned, uncounted)| {
            covered?;
            if parts.gap_before_ms > 0 || parts.gap_after_ms > 0 {
                return Err("counts-across-gap");
            }
            over(made, planned.saturating_sub(uncounted), "low-coverage")
        });
        let bounds = match all {
            Ok((made, planned, uncounted)) => [
                surely.map_or(Value::Null, |surely| decimal(surely, planned, 4)),
                decimal((made + uncounted) * pbt + planned * open, planned * pbt, 4),
            ],
            Err(_) => [Value::Null, Value::Null],
        };
        figures.push((key, 4, value, Some(bounds)));
    }
    let effectiveness = made_in_time.and_then(|made| {
        let [_, makes, _] = capacity?;
        let (rated, time) = rated(producing, parts.unrated[1])?;
        covered?;
        over(1_000 * made * rated, makes * time, "too-short")
    });
    figures.push(("effectiveness", 4, effectiveness, None));
    let quality = good.and_then(|good| over(good, total?, "no-count"));
    figures.push(("quality_ratio", 4, quality, None));
    let with_exposure = covered.and(exposed);
    let failures = u128::from(parts.failures);
    let of_time = with_exposure.and_then(|()| over(failures * 3_600_000, exposure, "too-short"));
    figures.push(("fault_rate_per_h", 3, of_time, None));
    let mean = with_exposure.and_then(|()| over(exposure, failures * 1_000, "no-failures"));
    figures.push(("mtbf_s", 3, mean, None));
    let (repair, repairs) = (u128::from(parts.repair_ms), u128::from(parts.repairs));
    let mean = with_exposure.and_then(|()| over(repair, repairs * 1_000, "no-failures"));
    figures.push(("mttr_s", 3, mean, None));
    let throughput = made_in_time.and_then(|made| {
        with_exposure?;
        over(made * 3_600_000, b, "too-short")
    });
    figures.push(("throughput_per_h", 3, throughput, None));
    figures.push(("coverage", 4, over(k, pbt, "no-planned-time"), None));

    let mut reasons = vec![];
    for (key, decimals, value, bounds) in figures {
        match value {
            Ok((numerator, denominator)) => {
                keys.insert(key.to_owned(), decimal(numerator, denominator, decimals));
            }
            Err(why) => {
                keys.insert(key.to_owned(), Value::Null);
                keys.insert(format!("{key}_reason"), Value::Text(why.to_owned()));
                reasons.push(why);
            }
        }
        if let Some([low, high]) = bounds {
            keys.insert(format!("{key}_low"), low);
            keys.insert(format!("{key}_high"), high);
        }
    }
    let reason = NOTABLE.into_iter().find(|why| reasons.contains(why));
    let reason = reason.map_or(Value::Null, |why| Value::Text(why.to_owned()));
    keys.insert("reason".to_owned(), reason);
    keys
}
