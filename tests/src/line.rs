//! The press line of `press-line.toml` with everything around it: what most scenarios start from.

use crate::agent::Agent;
use crate::broker::Broker;
use crate::network::{CENTRE, Gateway};
use crate::oven::Oven;
use crate::presses::{Made, Presses};
use crate::recorder::Recorder;
use crate::records::{Record, check_all, sum, windows};
use crate::scenario::Scenario;
use crate::{Failure, Outcome, SOON, next_minute, now_ms, sleep_until, wait_for};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::PathBuf;

/// Status words of the press profile.
pub mod status {
    /// No order.
    pub const IDLE: u16 = 0;
    /// Being set up.
    pub const SETUP: u16 = 1;
    /// Making parts.
    pub const PRODUCING: u16 = 2;
    /// Starved or blocked.
    pub const DELAYED: u16 = 3;
    /// Hydraulic overpressure, one of the faults.
    pub const OVERPRESSURE: u16 = 4;
}

/// Two presses, an oven, a broker and a subscriber; the agent is started by the scenario.
#[derive(Debug)]
pub struct Line {
    /// The directory.
    pub scenario: Scenario,
    /// Press 1 and 2, both producing.
    pub presses: Presses,
    /// The broker, for machines and upstream alike.
    pub broker: Broker,
    /// The subscriber upstream.
    pub recorder: Recorder,
    /// The oven.
    pub oven: Oven,
    config: PathBuf,
    /// Where presses and agent are, if not here.
    gateway: Option<Gateway>,
}

impl Line {
    /// The line as shipped, with its shifts.
    pub fn as_shipped(name: &str) -> Outcome<Self> {
        Self::new(name, Scenario::press_line, None)
    }

    /// The line without shifts, with presses and agent behind a link of their own; the broker, the oven
    /// and the subscriber are here.
    pub fn behind(name: &str, gateway: Gateway) -> Outcome<Self> {
        let around_the_clock = Scenario::press_line_around_the_clock;
        let line = Self::new(name, around_the_clock, Some(gateway))?;
        let text = fs::read_to_string(&line.config)?;
        let broker = format!("mqtt://127.0.0.1:{}", line.broker.port());
        let there = format!("mqtt://{CENTRE}:{}", line.broker.port());
        fs::write(&line.config, text.replace(&broker, &there))?;
        Ok(line)
    }

    /// The line without shifts: all time is planned.
    pub fn around_the_clock(name: &str) -> Outcome<Self> {
        Self::new(name, Scenario::press_line_around_the_clock, None)
    }

    /// The line with shifts of two minutes: all time is planned.
    pub fn in_short_shifts(name: &str) -> Outcome<Self> {
        Self::new(name, Scenario::press_line_in_short_shifts, None)
    }

    fn new(
        name: &str,
        write_config: impl Fn(&Scenario, u16, u16) -> Outcome<PathBuf>,
        gateway: Option<Gateway>,
    ) -> Outcome<Self> {
        let scenario = Scenario::new(name)?;
        let mut presses = match &gateway {
            Some(gateway) => gateway.inside(|| Presses::start(&scenario, 2))?,
            None => Presses::start(&scenario, 2)?,
        };
        for unit in [1, 2] {
            // Both halves of the good counter move, and the scrap counter wraps, within minutes.
            presses.set(
                unit,
                json!({ "status": status::PRODUCING, "good": 65_533, "scrap": 65_534 }),
            )?;
        }
        let broker = Broker::start(&scenario)?;
        let config = write_config(&scenario, presses.port(), broker.port())?;
        let recorder = Recorder::start(&scenario, broker.port())?;
        let oven = Oven::start(broker.port())?;
        Ok(Self {
            scenario,
            presses,
            broker,
            recorder,
            oven,
            config,
            gateway,
        })
    }

    /// Adds sections to the configuration, for the agent that is started next.
    pub fn configure(&self, sections: &str) -> Outcome {
        let before = fs::read_to_string(&self.config)?;
        Ok(fs::write(&self.config, format!("{before}\n{sections}"))?)
    }

    /// Adds keys to `[upstream]`, for the agent that is started next.
    pub fn upstream(&self, keys: &str) -> Outcome {
        let before = fs::read_to_string(&self.config)?;
        let after = before.replacen("[upstream]\n", &format!("[upstream]\n{keys}\n"), 1);
        Ok(fs::write(&self.config, after)?)
    }

    /// The link of the gateway.
    pub fn gateway(&self) -> Outcome<&Gateway> {
        let none = || Failure::new("the gateway of this line has no link of its own");
        self.gateway.as_ref().ok_or_else(none)
    }

    /// Starts the agent, or starts it again on the same data.
    pub fn start_agent(&self) -> Outcome<Agent> {
        let start = || Agent::run(&self.config, &self.scenario.path("agent.log"));
        match &self.gateway {
            Some(gateway) => gateway.inside(start),
            None => start(),
        }
    }

    /// What the agent has written to standard output and error so far.
    pub fn log(&self) -> Outcome<String> {
        Ok(fs::read_to_string(self.scenario.path("agent.log"))?)
    }

    /// Waits until the agent has read both presses and told so: from then on every part counts.
    pub fn wait_until_read(&self) -> Outcome {
        for press in ["press-1", "press-2"] {
            let tail = format!("{press}/state");
            self.recorder.wait_current(&tail, "state", "producing")?;
        }
        Ok(())
    }

    /// Sets both presses to work, slower than rated.
    pub fn work(&mut self) -> Outcome {
        self.presses.pace(1, 4.0, 15.0)?;
        self.presses.pace(2, 5.0, 25.0)
    }

    /// Lets both presses rest; returns what each made.
    pub fn rest(&mut self) -> Outcome<[(&'static str, Made); 2]> {
        self.presses.rest(1)?;
        self.presses.rest(2)?;
        Ok([
            ("press-1", self.presses.report(1)?.made),
            ("press-2", self.presses.report(2)?.made),
        ])
    }

    /// Waits until the minute that is open now has ended, and the summaries of it have arrived.
    pub fn wait_for_minute(&self) -> Outcome<i64> {
        let end = next_minute(now_ms());
        sleep_until(end);
        for device in ["press-1", "press-2", "oven-7"] {
            let tail = format!("{device}/kpi/1m");
            self.recorder
                .wait_record(&format!("{tail} up to {end}"), |record| {
                    record.tail == tail && record.int("end_ms").is_ok_and(|at| at >= end)
                })?;
        }
        Ok(end)
    }

    /// Ends the agent after the presses have rested and the last minute was sent; then everything
    /// that was made must be in the windows, whatever happened before.
    pub fn settle(mut self, agent: Agent) -> Outcome<Vec<Record>> {
        let made = self.rest()?;
        self.wait_for_minute()?;
        wait_for("empty outbox", SOON, || {
            let status = self.recorder.current("status").ok().flatten()?;
            (status.get("waiting")?.as_i64()? == 0).then_some(())
        })?;
        let status = self.stop_cleanly(agent)?;
        let records = check_all(&self.recorder.records()?)?;
        let last = records
            .iter()
            .map(|record| Ok((record.int("boot")?, record.int("seq")?)))
            .collect::<Outcome<Vec<_>>>()?;
        let done = ["done_boot", "done_seq"].map(|key| status.get(key).and_then(Value::as_i64));
        if last.into_iter().max() != done[0].zip(done[1]) {
            return Err(Failure::new(format!(
                "the last status does not name the last record as done: {status:?}"
            )));
        }
        for (device, made) in made {
            let windows = windows(&records, device, "1m")?;
            let counted = Made {
                good: sum(&windows, "good")?,
                scrap: sum(&windows, "scrap")?,
            };
            if counted != made {
                return Err(Failure::new(format!(
                    "{device} made {made:?}, the windows say {counted:?}"
                )));
            }
        }
        Ok(records)
    }

    /// SIGTERM with the broker there: exit 0, and the last word, returned, is that the gateway is
    /// offline.
    pub fn stop_cleanly(&self, agent: Agent) -> Outcome<Map<String, Value>> {
        let ended = agent.terminate()?;
        if !ended.success() {
            return Err(Failure::new(format!("after SIGTERM: {ended}")));
        }
        self.recorder.wait_current("status", "status", "offline")
    }
}
