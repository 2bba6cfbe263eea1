//! A machine as they are: two shifts, minor stops, tool changes that nobody reports, warm-ups, rest
//! over night and over the weekend. It is deterministic, by its seed.

use std::f64::consts::TAU;

/// Registers of the machine.
pub const REGISTERS: usize = 30;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// Xorshift (Marsaglia, 2003).
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Noise {
        Noise(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From 0 to 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// About normal, around 0 with a deviation of 1.
    pub fn normal(&mut self) -> f64 {
        (0..6).map(|_| self.unit() - 0.5).sum::<f64>() * 2f64.sqrt()
    }

    /// Exponential with this mean.
    fn waits(&mut self, mean: f64) -> u64 {
        (-mean * (1.0 - self.unit()).ln()).clamp(1.0, 1e6) as u64
    }
}

/// What happens out of shifts.
#[derive(Clone, Copy, PartialEq)]
pub enum Rest {
    /// The controller stays on; what is measured is zero or nearly so.
    Idle,
    /// Also the sensors are switched off: all that is measured is zero.
    Dark,
    /// Nobody answers.
    Off,
}

pub struct Machine {
    pub noise: Noise,
    pub rest: Rest,
    /// Seconds since a Monday, 00:00.
    pub t: u64,
    /// What its status says.
    pub producing: bool,
    pub answers: bool,
    pub registers: [u16; REGISTERS],
    next_stop: u64,
    stop_until: u64,
    tool_until: u64,
    next_tool: u64,
    started: u64,
    temperature: f64,
    level: f64,
    refills: bool,
    weight: f64,
    set_point: f64,
    next_set_point: u64,
    speed: f64,
    recipe: u16,
    energy: f64,
    good: f64,
    scrap: f64,
}

impl Machine {
    pub fn new(seed: u64, rest: Rest) -> Machine {
        Machine {
            noise: Noise::new(seed),
            rest,
            t: 0,
            producing: false,
            answers: true,
            registers: [0; REGISTERS],
            next_stop: 0,
            stop_until: 0,
            tool_until: 0,
            next_tool: 0,
            started: 0,
            temperature: 22.0,
            level: 80.0,
            refills: false,
            weight: 0.0,
            set_point: 180.0,
            next_set_point: 0,
            speed: 0.0,
            recipe: 4,
            energy: 48_211.0,
            good: 100_000.0,
            scrap: 1_000.0,
        }
    }

    /// Monday to Friday from 06:00 to 22:00, Saturday to 14:00.
    fn is_shift(&self) -> bool {
        let (day, second) = ((self.t / DAY) % 7, self.t % DAY);
        match day {
            0..=4 => (6 * HOUR..22 * HOUR).contains(&second),
            5 => (6 * HOUR..14 * HOUR).contains(&second),
            _ => false,
        }
    }

    /// Lets `seconds` pass.
    pub fn pass(&mut self, seconds: u64) {
        self.t += seconds;
        let shift = self.is_shift();
        let on = shift || self.rest == Rest::Idle;
        // The controller is on half an hour before the shift.
        let soon = (self.t + HOUR / 2) % DAY / HOUR == 6;
        self.answers = self.rest != Rest::Off || shift || soon;
        self.look_at_work(shift);
        let works = self.producing && self.t >= self.tool_until;
        let dt = seconds as f64;
        let n = self.noise.normal();

        // A heater that swings around its set point, and cools when it is off.
        let target = if shift {
            self.set_point + 3.0 * (self.t as f64 / 1800.0 * TAU).sin()
        } else {
            22.0
        };
        let speed = if shift { 300.0 } else { 5000.0 };
        self.temperature += (target - self.temperature) * (1.0 - (-dt / speed).exp());
        self.float(6, on, self.temperature + 0.3 * n);
        let slow = (self.temperature * 2.0 + 0.1 * self.noise.normal()).round();
        self.whole(8, on, slow);

        let cycle = self.t % 6;
        let stroke = if works && cycle < 4 {
            900.0 + 20.0 * n
        } else {
            0.0
        };
        self.whole(9, on, stroke);
        // An inrush in the first second of a start.
        let starts = self.t.saturating_sub(self.started) < seconds && self.producing;
        let current = match (self.producing, starts) {
            (true, true) => 60.0 + 5.0 * n,
            (true, false) => 12.0 + 0.4 * n,
            _ => 0.0,
        };
        self.float(10, on, current);
        if self.t >= self.next_set_point {
            // Twice a shift, by hand.
            self.next_set_point = self.t + 3 * HOUR + self.noise.waits(3600.0);
            self.set_point = (160.0 + 40.0 * self.noise.unit()).round();
            self.recipe = 1 + (self.noise.unit() * 9.0) as u16;
        }
        self.float(12, true, self.set_point);
        let shakes = if works { 4.0 } else { 0.05 };
        let vibration = (self.noise.normal() * shakes).abs() + shakes;
        self.float(14, on, vibration);

        if works {
            self.level -= 0.01 * dt;
        }
        self.refills = (self.refills || self.level < 20.0) && self.level < 95.0;
        if self.refills {
            self.level += 1.2 * dt;
        }
        self.whole(16, on, (self.level * 10.0 + 0.4 * n).round());
        // A batch of ten minutes: filled, held, emptied, and a pause at zero.
        self.weight = match (self.t % 600, self.producing) {
            (phase @ 0..120, true) => 500.0 * phase as f64 / 120.0,
            (120..420, true) if self.weight < 450.0 => (500.0 + 12.0 * n).round(),
            (120..420, _) => self.weight,
            (420..480, _) => (self.weight - 9.0 * dt).max(0.0),
            (480.., _) => 0.0,
            (_, false) => self.weight,
        };
        self.whole(17, on, self.weight.round());
        let hour = self.t as f64 / HOUR as f64;
        let ambient = 25.0 + 5.0 * ((hour - 9.0) / 24.0 * TAU).sin();
        let shown = ambient * 10.0 + 0.8 * self.noise.normal();
        self.whole(18, on, shown);
        let wanted = if works { 50.0 } else { 0.0 };
        let ramp = dt.min(60.0) * 0.8;
        self.speed += (wanted - self.speed).clamp(-ramp, ramp);
        self.whole(19, on, (self.speed * 100.0).round());
        let step = if works { cycle as f64 } else { 0.0 };
        self.whole(20, true, step);
        self.registers[21] = self.recipe;
        let torque = if works { 80.0 + 3.0 * n } else { 0.0 };
        self.float(22, on, torque);
        let flow = if self.producing { 40.0 + n } else { 0.0 };
        self.float(24, on, flow);

        self.energy += dt / 3600.0 * if self.producing { 18.0 } else { 0.9 };
        self.long(4, (self.energy * 10.0) as u32);
        if works {
            // One in six seconds, 1 % of them scrap in bursts.
            let made = dt / 6.0;
            let is_bad = (self.t / 1800).is_multiple_of(13);
            self.scrap += if is_bad { made * 0.15 } else { 0.0 };
            self.good += if is_bad { made * 0.85 } else { made };
        }
        self.long(1, self.good as u32);
        self.registers[3] = self.scrap as u16;
        self.registers[0] = match (shift, self.producing) {
            (_, true) => 2,
            (true, false) => 3,
            (false, false) => 0,
        };
    }

    fn look_at_work(&mut self, shift: bool) {
        let warm = self.temperature > self.set_point - 15.0;
        if !shift {
            self.producing = false;
        } else if self.producing && self.t >= self.next_stop {
            self.producing = false;
            self.stop_until = self.t + 60 + self.noise.waits(240.0);
        } else if !self.producing && self.t >= self.stop_until && warm {
            self.producing = true;
            self.started = self.t;
            self.next_stop = self.t + 120 + self.noise.waits(2400.0);
        }
        if self.producing && self.t >= self.next_tool {
            // Its status goes on to say that it produces.
            self.tool_until = self.t + 240 + self.noise.waits(60.0);
            self.next_tool = self.t + 2 * HOUR + self.noise.waits(1800.0);
        }
    }

    fn float(&mut self, at: usize, on: bool, value: f64) {
        let bits = if on { (value as f32).to_bits() } else { 0 };
        self.registers[at] = (bits >> 16) as u16;
        self.registers[at + 1] = bits as u16;
    }

    fn whole(&mut self, at: usize, on: bool, value: f64) {
        let value = if on { value as i16 } else { 0 };
        self.registers[at] = value.cast_unsigned();
    }

    fn long(&mut self, at: usize, value: u32) {
        self.registers[at] = (value >> 16) as u16;
        self.registers[at + 1] = value as u16;
    }
}
