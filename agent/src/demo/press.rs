//! A simulated press: pure, deterministic, and a good deal less reliable than a real one.
//!
//! Its registers are those of the profile `press` of the example configuration. It stands still,
//! with all counters at 0, until it is started; halted, it stands still for good, with a working
//! link, so that whoever reads it then learns everything it has made.

use super::script::{Die, Made, Script, TICK_MS};

/// What a press does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Makes parts.
    Run,
    /// Waits for material.
    Starve,
    /// Tool change.
    Setup,
    /// Stopped by a failure; the code is what its status register shows.
    Fault(u16),
    /// No order.
    Idle,
    /// Shows a status that nobody has told the agent of.
    Mystery,
}

/// What its network connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Answers.
    Up,
    /// Takes requests and never answers.
    Silent,
    /// Closes connections, and every new one at once.
    Closed,
}

/// One step of a press's script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    doing: Doing,
    wire: Wire,
    /// The fitter sets the counters to 0 half-way through.
    resets: bool,
}

const fn step(doing: Doing, seconds: u64) -> (Step, u64) {
    let step = Step {
        doing,
        wire: Wire::Up,
        resets: false,
    };
    (step, seconds)
}

const fn on_wire(wire: Wire, seconds: u64) -> (Step, u64) {
    let step = Step {
        doing: Doing::Run,
        wire,
        resets: false,
    };
    (step, seconds)
}

const RESETTING: Step = Step {
    doing: Doing::Setup,
    wire: Wire::Up,
    resets: true,
};

/// Every script shows all it has within a minute.
const SCRIPTS: [&[(Step, u64)]; 3] = [
    &[
        step(Doing::Run, 9),
        step(Doing::Starve, 4),
        step(Doing::Run, 8),
        step(Doing::Fault(OVERPRESSURE), 6),
        step(Doing::Run, 9),
        step(Doing::Setup, 5),
    ],
    &[
        step(Doing::Run, 7),
        step(Doing::Fault(LIGHT_CURTAIN), 5),
        step(Doing::Run, 6),
        on_wire(Wire::Silent, 4),
        on_wire(Wire::Closed, 4),
        step(Doing::Run, 9),
        step(Doing::Starve, 5),
    ],
    &[
        step(Doing::Run, 8),
        (RESETTING, 6),
        step(Doing::Run, 9),
        step(Doing::Mystery, 4),
        step(Doing::Idle, 6),
        step(Doing::Run, 8),
        step(Doing::Starve, 3),
    ],
];

/// Status code: hydraulic overpressure.
pub const OVERPRESSURE: u16 = 4;
/// Status code: light curtain tripped.
pub const LIGHT_CURTAIN: u16 = 7;
/// A status outside everything that is mapped.
pub const MYSTERY: u16 = 200;

/// One press.
#[derive(Debug, Clone)]
pub struct Press {
    die: Die,
    script: Script<Step>,
    cycle_ms: u64,
    started: Option<u64>,
    /// Milliseconds since the start up to which it has moved.
    moved_ms: u64,
    halted: bool,
    in_step_ms: u64,
    part_ms: u64,
    made: Made,
    good: u32,
    scrap: u16,
    celsius: f32,
    decibar: i16,
}

impl Press {
    /// The press with this number, from 0; `cycle_ms` is what a part takes, give or take a tenth.
    pub const fn new(number: usize, cycle_ms: u64, seed: u64) -> Press {
        let mut die = Die::new(seed.wrapping_add(number as u64));
        let script = Script::new(SCRIPTS[number % SCRIPTS.len()], &mut die);
        Press {
            die,
            script,
            cycle_ms,
            started: None,
            moved_ms: 0,
            halted: false,
            in_step_ms: 0,
            part_ms: cycle_ms,
            made: Made { good: 0, scrap: 0 },
            good: 0,
            scrap: 0,
            celsius: 24.0,
            decibar: STANDING,
        }
    }

    /// Starts it, unless it has been.
    pub const fn start(&mut self, now_ms: u64) {
        if self.started.is_none() {
            self.started = Some(now_ms);
        }
    }

    /// Moves it up to `now_ms`, then stops it for good.
    pub fn halt(&mut self, now_ms: u64) {
        self.advance(now_ms);
        self.halted = true;
    }

    /// Moves it up to `now_ms`.
    pub fn advance(&mut self, now_ms: u64) {
        let Some(started) = self.started else { return };
        while !self.halted && started + self.moved_ms + TICK_MS <= now_ms {
            self.moved_ms += TICK_MS;
            self.tick();
        }
    }

    fn tick(&mut self) {
        self.in_step_ms += TICK_MS;
        let step = self.script.step();
        if step.doing == Doing::Run {
            self.part_ms = self.part_ms.saturating_sub(TICK_MS);
            if self.part_ms == 0 {
                let scrap = self.die.below(25) == 0;
                self.eject(scrap);
            }
        }
        if step.resets && self.in_step_ms == 2000 {
            self.good = 0;
            self.scrap = 0;
        }
        self.drift(step.doing);
        if let Some(next) = self.script.tick(&mut self.die) {
            self.in_step_ms = 0;
            // What is in the press when it breaks down is spoilt.
            if matches!(next.doing, Doing::Fault(_)) {
                self.eject(true);
            }
        }
    }

    const fn eject(&mut self, scrap: bool) {
        if scrap {
            self.made.scrap += 1;
            self.scrap = self.scrap.wrapping_add(1);
        } else {
            self.made.good += 1;
            self.good = self.good.wrapping_add(1);
        }
        self.part_ms = self.die.about(self.cycle_ms);
    }

    /// Temperature follows work slowly, pressure at once; both tremble like real ones.
    fn drift(&mut self, doing: Doing) {
        let (goal, decibar) = match doing {
            Doing::Run => (62.0, 1800),
            Doing::Fault(OVERPRESSURE) => (55.0, 2450),
            _ => (35.0, STANDING),
        };
        self.celsius += (goal - self.celsius) * 0.003 + self.trembling() * 0.02;
        self.decibar = decibar + self.trembling() as i16;
    }

    /// From -5 to 5.
    const fn trembling(&mut self) -> f32 {
        self.die.below(11) as f32 - 5.0
    }

    /// What it does.
    pub const fn doing(&self) -> Doing {
        if self.halted || self.started.is_none() {
            return Doing::Idle;
        }
        self.script.step().doing
    }

    /// What its connection does.
    pub const fn wire(&self) -> Wire {
        if self.halted || self.started.is_none() {
            return Wire::Up;
        }
        self.script.step().wire
    }

    /// What it has really made.
    pub const fn made(&self) -> Made {
        self.made
    }

    /// Holding registers from 0: status, good parts (two, low word first), scrap.
    pub const fn holding(&self) -> [u16; 4] {
        let status = match self.doing() {
            Doing::Idle => 0,
            Doing::Setup => 1,
            Doing::Run => 2,
            Doing::Starve => 3,
            Doing::Fault(code) => code,
            Doing::Mystery => MYSTERY,
        };
        let [low, high] = [self.good as u16, (self.good >> 16) as u16];
        [status, low, high, self.scrap]
    }

    /// Input registers from [`INPUTS_FROM`]: temperature in °C (single precision, high word
    /// first), pressure in 0.1 bar.
    pub const fn inputs(&self) -> [u16; 3] {
        let bits = self.celsius.to_bits();
        [(bits >> 16) as u16, bits as u16, self.decibar as u16]
    }

    /// Discrete input 0: the door stands open, as in a tool change or with a tripped curtain.
    pub const fn door_open(&self) -> bool {
        matches!(self.doing(), Doing::Setup | Doing::Fault(LIGHT_CURTAIN))
    }
}

/// Address of the first input register.
pub const INPUTS_FROM: u16 = 10;

/// Hydraulic pressure of a press that stands, in 0.1 bar.
const STANDING: i16 = 220;

#[cfg(test)]
mod tests {
    use super::*;

    /// One press after each second of a minute, for any of the three and several seeds.
    fn minutes() -> impl Iterator<Item = (u64, Vec<Vec<Press>>)> {
        (0..20).map(|seed| {
            let presses = (0..3).map(|number| {
                let mut press = Press::new(number, 500, seed);
                press.start(1000);
                let seconds = (0..60).map(|second| {
                    press.advance(1000 + second * 1000);
                    press.clone()
                });
                seconds.collect()
            });
            (seed, presses.collect())
        })
    }

    #[test]
    fn a_minute_shows_every_disturbance_whatever_the_seed() {
        for (seed, presses) in minutes() {
            let seen = |what: &dyn Fn(&Press) -> bool| presses.iter().flatten().any(what);
            for doing in [
                Doing::Run,
                Doing::Starve,
                Doing::Setup,
                Doing::Fault(OVERPRESSURE),
                Doing::Fault(LIGHT_CURTAIN),
                Doing::Idle,
                Doing::Mystery,
            ] {
                assert!(seen(&|press| press.doing() == doing), "{seed}: {doing:?}");
            }
            for wire in [Wire::Silent, Wire::Closed] {
                assert!(seen(&|press| press.wire() == wire), "{seed}: {wire:?}");
            }
            let reset = presses[2].windows(2).any(|two| two[1].good < two[0].good);
            assert!(reset, "{seed}: counters never reset");
        }
    }

    #[test]
    fn how_often_it_is_looked_at_changes_nothing() {
        let mut often = Press::new(1, 500, 7);
        let mut once = often.clone();
        often.start(3);
        once.start(3);
        for now in 0..47_123 {
            often.advance(now);
        }
        once.advance(47_122);
        assert_eq!(often.holding(), once.holding());
        assert_eq!(often.inputs(), once.inputs());
        assert_eq!(often.made(), once.made());
    }

    #[test]
    fn counters_and_truth_differ_only_by_what_was_reset() {
        for (_, presses) in minutes() {
            for press in presses.concat() {
                let shown = u64::from(press.good) + u64::from(press.scrap);
                assert!(shown <= press.made().total());
            }
            let steady = presses[0].last().unwrap();
            assert_eq!(u64::from(steady.good), steady.made().good);
            assert_eq!(u64::from(steady.scrap), steady.made().scrap);
            // About 28 s of work at half a second a part.
            assert!((40..90).contains(&steady.made().total()));
        }
    }

    #[test]
    fn nothing_is_made_while_counters_are_reset() {
        for (_, presses) in minutes() {
            for two in presses[2].windows(2) {
                if two[1].good < two[0].good {
                    assert_eq!(two[1].made(), two[0].made());
                    assert_eq!((two[1].good, two[1].scrap), (0, 0));
                }
            }
        }
    }

    #[test]
    fn it_stands_before_the_start_and_after_the_halt() {
        let mut press = Press::new(1, 500, 1);
        press.advance(100_000);
        assert_eq!(press.holding(), [0, 0, 0, 0]);
        press.start(100_000);
        // Halted in the middle of its lost link.
        press.advance(120_000);
        assert_ne!(press.wire(), Wire::Up);
        press.halt(120_500);
        let made = press.made();
        press.advance(200_000);
        assert_eq!(press.made(), made);
        assert_eq!((press.doing(), press.wire()), (Doing::Idle, Wire::Up));
    }

    #[test]
    fn registers_are_laid_out_as_the_example_profile_says() {
        let mut press = Press::new(0, 500, 1);
        press.good = 0x0001_0002;
        press.scrap = 3;
        press.celsius = 60.5;
        press.decibar = 1805;
        assert_eq!(press.holding(), [0, 0x0002, 0x0001, 3]);
        assert_eq!(press.inputs(), [0x4272, 0x0000, 1805]);
    }
}
