//! What a demo came to: the agent's own account, what arrived at the other end, what was true.

use super::Language;
use super::line::Truth;
use super::watch::Seen;
use crate::run;
use serde::Serialize;
use std::fmt::Write as _;

/// What a demo came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The agent's own account.
    #[serde(flatten)]
    pub agent: run::Account,
    /// Records that the independent subscriber received, each counted once.
    pub received: u64,
    /// Records that it received more than once.
    pub duplicates: u64,
    /// Numbers that it misses below the highest of the run.
    pub holes: u64,
    /// Machine by machine.
    pub machines: Vec<Tally>,
    /// Whether nothing is lost or missing.
    pub complete: bool,
}

/// One machine: what it made and what was told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Which.
    pub device: &'static str,
    /// Parts that it really made.
    pub made: u64,
    /// Parts in the windows that were published.
    pub published: u64,
    /// The least that those windows must hold, by what the machine had told when they closed.
    pub at_least: u64,
    /// The most that they can hold.
    pub at_most: u64,
    /// Parts made since: in the window that is still open.
    pub open: u64,
}

impl Tally {
    fn new(truth: &Truth, seen: &Seen) -> Tally {
        let device = seen.devices.get(truth.id);
        let until = device.and_then(|device| device.published_until_ms);
        let published = device.map_or(0, |device| device.published);
        let (at_least, at_most) = until.map_or((0, 0), |until| truth.told_by(until));
        Tally {
            device: truth.id,
            made: truth.made.total(),
            published,
            at_least,
            at_most,
            open: truth.made.total().saturating_sub(published),
        }
    }

    const fn agrees(&self) -> bool {
        self.at_least <= self.published && self.published <= self.at_most
    }
}

impl Outcome {
    /// Puts the three accounts side by side.
    pub fn new(agent: run::Account, seen: &Seen, truth: &[Truth]) -> Outcome {
        let machines = truth.iter().map(|truth| Tally::new(truth, seen));
        let machines: Vec<Tally> = machines.collect();
        let (received, holes) = (seen.received(), seen.holes());
        Outcome {
            agent,
            received,
            duplicates: seen.duplicates,
            holes,
            // A number that still waits is no hole: events overtake summaries.
            complete: agent.lost == 0
                && received >= agent.acknowledged
                && holes <= agent.waiting
                && machines.iter().all(Tally::agrees),
            machines,
        }
    }

    /// For people.
    pub fn to_text(&self, language: Language) -> String {
        let agent = &self.agent;
        let figures = [
            (["samples read", "采样"], agent.samples),
            (["bad samples", "坏采样"], agent.bad_samples),
            (["windows closed", "已结窗口"], agent.windows),
            (["records stored", "已存记录"], agent.stored),
            (["acknowledged", "已确认"], agent.acknowledged),
            (["waiting", "待发"], agent.waiting),
            (["lost", "丢失"], agent.lost),
            (["received, each once", "对端收到(去重)"], self.received),
            (["holes in seq", "序号缺口"], self.holes),
        ];
        let mut text = String::new();
        for (names, value) in figures {
            let name = super::table::fit(names[language as usize], 22);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {name}{value:>8}");
        }
        for machine in &self.machines {
            let _ = writeln!(text, "  {}", machine.to_text(language));
        }
        let verdict = match (self.complete, language) {
            (true, Language::En) => "Nothing was lost.",
            (true, Language::Zh) => "没有丢失。",
            (false, Language::En) => {
                "Something is lost or missing: the figures above do not agree."
            }
            (false, Language::Zh) => "有丢失或缺失: 上面的数字对不上。",
        };
        text.push_str(verdict);
        text
    }
}

impl Tally {
    fn to_text(&self, language: Language) -> String {
        let Tally {
            device,
            made,
            published,
            open,
            ..
        } = self;
        let mut text = match language {
            Language::En => {
                format!(
                    "{device}: {made} parts made: {published} in published windows, {open} since"
                )
            }
            Language::Zh => {
                format!("{device}: 实产 {made}: 已上报窗口 {published}, 此后 {open}")
            }
        };
        if !self.agrees() {
            let (low, high) = (self.at_least, self.at_most);
            let _ = match language {
                Language::En => write!(text, "; published should be {low} to {high}"),
                Language::Zh => write!(text, "; 已上报应为 {low} 到 {high}"),
            };
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::script::Made;
    use std::collections::VecDeque;

    fn seen(seqs: &[u64], total: u64) -> Seen {
        let mut seen = Seen::default();
        for seq in seqs {
            let total = if *seq == 1 { total } else { 0 };
            let payload = format!(
                r#"{{"gateway":"g","run":"r","seq":{seq},"total":{total},"end_ms":60000}}"#
            );
            seen.take("andon/v1/a/b/g/press-1/kpi/1m", payload.as_bytes());
        }
        seen
    }

    fn truth() -> [Truth; 1] {
        [Truth {
            id: "press-1",
            made: Made {
                good: 50,
                scrap: 10,
            },
            told: VecDeque::from([(57_000, 38), (58_000, 40), (62_000, 41), (63_000, 60)]),
        }]
    }

    const AGENT: run::Account = run::Account {
        samples: 100,
        bad_samples: 3,
        windows: 3,
        stored: 3,
        acknowledged: 3,
        waiting: 0,
        lost: 0,
    };

    #[test]
    fn it_is_complete_when_all_three_accounts_agree() {
        for published in [40, 41] {
            let outcome = Outcome::new(AGENT, &seen(&[1, 2, 3], published), &truth());
            assert!(outcome.complete, "{outcome:?}");
            assert_eq!(outcome.machines[0].open, 60 - published);
        }
    }

    #[test]
    fn it_is_not_complete_when_anything_is_missing() {
        let complete =
            |agent, seqs: &[u64], total| Outcome::new(agent, &seen(seqs, total), &truth()).complete;
        assert!(!complete(AGENT, &[1, 2, 3], 39), "a part too few");
        assert!(!complete(AGENT, &[1, 2, 3], 42), "a part too many");
        assert!(!complete(AGENT, &[1, 2, 4], 40), "a hole");
        assert!(
            !complete(AGENT, &[1, 2], 40),
            "acknowledged, never received"
        );
        let lost = run::Account { lost: 1, ..AGENT };
        assert!(!complete(lost, &[1, 2, 3], 40), "a loss");
        let waiting = run::Account {
            waiting: 1,
            ..AGENT
        };
        assert!(complete(waiting, &[1, 2, 4], 40), "3 still waits");
    }

    #[test]
    fn as_json_the_keys_of_the_contract_stand_beside_the_rest() {
        let outcome = Outcome::new(AGENT, &seen(&[1, 2, 3], 40), &truth());
        let json = serde_json::to_value(&outcome).unwrap();
        for key in [
            "samples",
            "windows",
            "stored",
            "acknowledged",
            "waiting",
            "lost",
            "bad_samples",
            "received",
            "holes",
        ] {
            assert!(json[key].is_u64(), "{key}");
        }
        assert_eq!(json["machines"][0]["device"], "press-1");
        assert_eq!(json["complete"], true);
    }

    #[test]
    fn the_text_names_what_does_not_agree() {
        let good = Outcome::new(AGENT, &seen(&[1, 2, 3], 40), &truth());
        let text = good.to_text(Language::En);
        assert!(text.contains("press-1: 60 parts made: 40 in published windows, 20 since"));
        assert!(text.ends_with("Nothing was lost."));
        let bad = Outcome::new(AGENT, &seen(&[1, 2, 3], 39), &truth());
        let text = bad.to_text(Language::En);
        assert!(text.contains("published should be 40 to 41"), "{text}");
    }
}
