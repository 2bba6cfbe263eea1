//! A simulated tempering oven that publishes by MQTT, and lies now and then.
//!
//! Pure like the presses. Every second it says its mode with its counter, and its temperature.

use super::script::{Die, Made, Script, TICK_MS};

/// What an oven does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Heats parts through.
    Run,
    /// Waits for parts.
    Wait,
    /// Stopped by its own alarm.
    Alarm,
}

/// What is wrong with what it publishes; what it does is as true as ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// The state is cut off in the middle.
    BrokenJson,
    /// The counter and the temperature are words.
    Words,
    /// The temperature is that of the sun.
    Impossible,
}

/// One step of its script.
pub type Step = (Doing, Option<Lie>);

/// It works on through its lies, so nothing that it makes may go uncounted.
const SCRIPT: &[(Step, u64)] = &[
    ((Doing::Run, None), 8),
    ((Doing::Run, Some(Lie::BrokenJson)), 2),
    ((Doing::Run, None), 6),
    ((Doing::Wait, None), 4),
    ((Doing::Run, None), 4),
    ((Doing::Run, Some(Lie::Words)), 2),
    ((Doing::Run, None), 5),
    ((Doing::Alarm, None), 6),
    ((Doing::Run, Some(Lie::Impossible)), 3),
    ((Doing::Run, None), 6),
];

/// How often it publishes, in milliseconds.
const PERIOD_MS: u64 = 1000;

/// A message it publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Mode and counter, as JSON.
    State,
    /// Temperature in °C, a bare number.
    Temperature,
}

/// One oven.
#[derive(Debug, Clone)]
pub struct Oven {
    die: Die,
    script: Script<Step>,
    cycle_ms: u64,
    started: Option<u64>,
    moved_ms: u64,
    halted: bool,
    part_ms: u64,
    parts: u32,
    celsius: f64,
}

impl Oven {
    /// An oven that takes `cycle_ms` for a part, give or take a tenth.
    pub const fn new(cycle_ms: u64, seed: u64) -> Oven {
        let mut die = Die::new(seed);
        let script = Script::new(SCRIPT, &mut die);
        Oven {
            die,
            script,
            cycle_ms,
            started: None,
            moved_ms: 0,
            halted: false,
            part_ms: cycle_ms,
            parts: 0,
            celsius: 480.0,
        }
    }

    /// Starts it, unless it has been.
    pub const fn start(&mut self, now_ms: u64) {
        if self.started.is_none() {
            self.started = Some(now_ms);
        }
    }

    /// Moves it up to `now_ms`, then stops it for good; tells what it has to say last.
    pub fn halt(&mut self, now_ms: u64) -> [(Topic, String); 2] {
        self.advance(now_ms);
        self.halted = true;
        self.messages()
    }

    /// Moves it up to `now_ms`; tells what it publishes on the way. The first thing it says, at
    /// its start, is that it has made nothing yet.
    pub fn advance(&mut self, now_ms: u64) -> Vec<(Topic, String)> {
        let mut said = Vec::new();
        let Some(started) = self.started else {
            return said;
        };
        while !self.halted && started + self.moved_ms + TICK_MS <= now_ms {
            if self.moved_ms.is_multiple_of(PERIOD_MS) {
                said.extend(self.messages());
            }
            self.moved_ms += TICK_MS;
            self.tick();
        }
        said
    }

    fn tick(&mut self) {
        let (doing, _) = self.script.step();
        if doing == Doing::Run {
            self.part_ms = self.part_ms.saturating_sub(TICK_MS);
            if self.part_ms == 0 {
                self.parts = self.parts.wrapping_add(1);
                self.part_ms = self.die.about(self.cycle_ms);
            }
        }
        let goal = match doing {
            Doing::Run => 560.0,
            Doing::Wait => 520.0,
            // The controller has lost hold of the burner.
            Doing::Alarm => 660.0,
        };
        let trembling = self.die.below(11) as f64 - 5.0;
        self.celsius += (goal - self.celsius) * 0.01 + trembling * 0.05;
        self.script.tick(&mut self.die);
    }

    fn messages(&self) -> [(Topic, String); 2] {
        let mode = match self.doing() {
            Doing::Run => "run",
            Doing::Wait => "wait",
            Doing::Alarm => "alarm",
        };
        let state = match self.lie() {
            Some(Lie::BrokenJson) => format!("{{\"mode\":\"{mode}\",\"par"),
            Some(Lie::Words) => format!("{{\"mode\":\"{mode}\",\"parts\":\"many\"}}"),
            _ => format!("{{\"mode\":\"{mode}\",\"parts\":{}}}", self.parts),
        };
        let temperature = match self.lie() {
            Some(Lie::Words) => String::from("hot"),
            Some(Lie::Impossible) => String::from("5500"),
            _ => format!("{:.1}", self.celsius),
        };
        [(Topic::State, state), (Topic::Temperature, temperature)]
    }

    /// What it does.
    pub const fn doing(&self) -> Doing {
        if self.halted || self.started.is_none() {
            return Doing::Wait;
        }
        self.script.step().0
    }

    /// What is wrong with what it says.
    pub const fn lie(&self) -> Option<Lie> {
        if self.halted || self.started.is_none() {
            return None;
        }
        self.script.step().1
    }

    /// What it has really made.
    pub const fn made(&self) -> Made {
        Made {
            good: self.parts as u64,
            scrap: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(seed: u64) -> (Oven, Vec<(Topic, String)>) {
        let mut oven = Oven::new(1000, seed);
        assert_eq!(oven.advance(100_000), []);
        oven.start(100_000);
        let said = (100_000..160_000)
            .step_by(100)
            .flat_map(|now| oven.advance(now));
        let said = said.collect();
        (oven, said)
    }

    #[test]
    fn a_minute_shows_every_mode_and_every_lie_whatever_the_seed() {
        for seed in 0..20 {
            let (_, said) = minute(seed);
            let states: Vec<&str> = texts(&said, Topic::State);
            let temperatures = texts(&said, Topic::Temperature);
            assert_eq!(states.len(), 60);
            assert_eq!(states[0], r#"{"mode":"run","parts":0}"#);
            for mode in ["run", "wait", "alarm"] {
                assert!(states.iter().any(|s| s.contains(mode)), "{seed}: {mode}");
            }
            assert!(
                states.iter().any(|s| !s.ends_with('}')),
                "{seed}: {states:?}"
            );
            assert!(states.iter().any(|s| s.contains("many")), "{seed}");
            assert!(temperatures.contains(&"hot"), "{seed}");
            assert!(temperatures.contains(&"5500"), "{seed}");
        }
    }

    #[test]
    fn the_last_word_is_true() {
        for seed in 0..20 {
            let (mut oven, _) = minute(seed);
            let last = oven.halt(160_000 + seed * 500);
            let expected = format!(r#"{{"mode":"wait","parts":{}}}"#, oven.made().good);
            assert_eq!(last[0], (Topic::State, expected));
            assert_eq!(oven.advance(500_000), []);
        }
    }

    fn texts(said: &[(Topic, String)], topic: Topic) -> Vec<&str> {
        let on_topic = said.iter().filter(|(on, _)| *on == topic);
        on_topic.map(|(_, text)| text.as_str()).collect()
    }
}
