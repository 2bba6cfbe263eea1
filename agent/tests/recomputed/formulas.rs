//! The formulas of `docs/figures.md`, in plain integers.

use std::collections::HashMap;

/// Milliseconds by state, and what else is additive.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    pub times: HashMap<String, i64>,
    pub good: i64,
    pub total: i64,
    pub gap_total: i64,
    pub gap_before_ms: i64,
    pub gap_after_ms: i64,
    pub failures: i64,
    pub repairs: i64,
    pub repair_ms: i64,
    pub capacity: i64,
    pub capacity_producing: i64,
}

/// A figure: its value or the reason that there is none, and its bounds.
#[derive(Debug, PartialEq)]
pub struct Figure {
    pub value: Result<f64, &'static str>,
    pub bounds: Option<[Option<f64>; 2]>,
}

/// A quotient with so many decimals, rounded half up.
fn quotient(of: i64, by: i64, decimals: u32) -> Option<f64> {
    if by == 0 {
        return None;
    }
    let (of, by, ten) = (i128::from(of), i128::from(by), 10_i128.pow(decimals));
    let units = (2 * of * ten + by) / (2 * by);
    Some(units as f64 / ten as f64)
}

impl Parts {
    pub fn of(&self, state: &str) -> i64 {
        self.times.get(state).copied().unwrap_or(0)
    }

    /// Every figure by its key. Known are counts of good parts and scrap, and a rated rate.
    pub fn figures(&self) -> Vec<(&'static str, Figure)> {
        let [producing, setup, delayed, faulted] =
            ["producing", "setup", "delayed", "faulted"].map(|state| self.of(state));
        let unknown = self.of("unknown");
        let pbt = self.times.values().sum::<i64>() - self.of("planned_stop");
        let known = pbt - unknown;
        let busy = producing + setup + delayed + faulted;
        let worked = producing + delayed + faulted;
        let load = producing + setup;
        let covered = match () {
            () if pbt == 0 => Err("no-planned-time"),
            () if known == 0 || known * 2 < pbt => Err("low-coverage"),
            () => Ok(()),
        };
        let exposed = covered.and(if load < 1_800_000 {
            Err("too-short")
        } else {
            Ok(())
        });
        let share = |part: i64, of: i64, possible: i64| Figure {
            value: covered.and_then(|()| quotient(part, of, 4).ok_or("too-short")),
            bounds: Some([part, part + unknown].map(|part| quotient(part, possible, 4))),
        };
        // A gap that the window does not contain as a whole: what it told may have been made before,
        // what it will tell may have been made here.
        let is_whole = self.gap_before_ms == 0 && self.gap_after_ms == 0;
        let doubted = if self.gap_before_ms == 0 {
            0
        } else {
            self.gap_total
        };
        let open = unknown.min(self.gap_after_ms);
        let made = |parts: i64| Figure {
            value: covered
                .and(if is_whole {
                    Ok(())
                } else {
                    Err("counts-across-gap")
                })
                .and_then(|()| quotient(1000 * parts, self.capacity, 4).ok_or("low-coverage")),
            bounds: Some([
                quotient(1000 * (parts - doubted).max(0), self.capacity, 4),
                quotient(
                    1000 * parts * pbt + self.capacity * open,
                    self.capacity * pbt,
                    4,
                ),
            ]),
        };
        let plain = |value| Figure {
            value,
            bounds: None,
        };
        let counted = self.total - self.gap_total;
        let rate = |of: i64, by: i64, decimals: u32, or: &'static str| {
            plain(exposed.and_then(|()| quotient(of, by, decimals).ok_or(or)))
        };
        vec![
            ("capacity_utilisation", made(self.total)),
            ("availability", share(producing, known, pbt)),
            ("fault_time_ratio", share(faulted, known, pbt)),
            ("allocation_efficiency", share(busy, known, pbt)),
            (
                "utilisation_efficiency",
                share(producing, busy, busy + unknown),
            ),
            (
                "technical_efficiency",
                share(producing, worked, worked + unknown),
            ),
            ("oee", made(self.good)),
            (
                "effectiveness",
                plain(covered.and_then(|()| {
                    quotient(1000 * counted, self.capacity_producing, 4).ok_or("too-short")
                })),
            ),
            (
                "quality_ratio",
                plain(quotient(self.good, self.total, 4).ok_or("no-count")),
            ),
            (
                "fault_rate_per_h",
                rate(self.failures * 3_600_000, load, 3, "too-short"),
            ),
            ("mtbf_s", rate(load, self.failures * 1000, 3, "no-failures")),
            (
                "mttr_s",
                rate(self.repair_ms, self.repairs * 1000, 3, "no-failures"),
            ),
            (
                "throughput_per_h",
                rate(counted * 3_600_000, busy, 3, "too-short"),
            ),
            (
                "coverage",
                plain(quotient(known, pbt, 4).ok_or("no-planned-time")),
            ),
        ]
    }
}
