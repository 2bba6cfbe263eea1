//! How well the Modbus links and their units do: counts, answer times, how busy the bus is.
//!
//! Everything has its place before the first request and grows no further: one [`Meter`] for each
//! link, with the units that are configured behind it. The links write, whoever shows a status
//! takes a [`Meters::snapshot`]. Nothing here decides anything.

use crate::settings::Endpoint;
use andon_core::plant::Device;
use andon_core::tag::LinkIndex;
use andon_core::time::Mono;
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How far the occupancy looks back, in seconds.
const SECONDS: usize = 60;

/// Answer times are kept in four classes for each doubling, from 64 µs to 67 s.
const CLASSES: usize = 80;
const FIRST_OCTAVE: u32 = 6;

/// From so many answer times on, older ones count less and less.
const MANY: u32 = 1024;

/// The meters of all Modbus links, in the order of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Meters(Arc<[(LinkIndex, Meter)]>);

impl Meters {
    pub(super) fn new(meters: Vec<(LinkIndex, Meter)>) -> Meters {
        Meters(meters.into())
    }

    /// Of no link at all.
    #[cfg(test)]
    pub fn none() -> Meters {
        Meters::default()
    }

    /// That of one link; none if it does not speak Modbus.
    pub fn of(&self, link: LinkIndex) -> Option<&Meter> {
        let (_, meter) = self.0.iter().find(|(known, _)| *known == link)?;
        Some(meter)
    }

    /// What they show at `now`.
    pub fn snapshot(&self, now: Mono) -> Vec<LinkFigures> {
        self.0
            .iter()
            .map(|(_, meter)| meter.snapshot(now))
            .collect()
    }
}

/// Bytes that the meter of a link takes without its units, or that of a unit.
pub const BYTES: usize = if size_of::<Shared>() > size_of::<UnitMeter>() {
    size_of::<Shared>()
} else {
    size_of::<UnitMeter>()
};

/// One Modbus link, for a status.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LinkFigures {
    /// Id of the link.
    pub link: Arc<str>,
    /// `modbus-tcp`, `modbus-rtu` or `modbus-rtu-tcp`.
    pub protocol: &'static str,
    /// Host and port, or path of the port.
    pub address: String,
    /// Whether it is connected; null before the first attempt has ended.
    pub up: Option<bool>,
    /// How often it was connected since the start.
    pub connects: u64,
    /// Share of the last minute in which a request was on its way, waited for, or the silence after
    /// it kept: 0 to 1.
    pub occupancy: f64,
    /// The units behind it, by number.
    pub units: Vec<UnitFigures>,
}

/// One unit behind a link, for a status. Counts are since the start.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UnitFigures {
    /// Unit id on the wire.
    pub unit: u8,
    /// The devices that are read from it.
    pub devices: Vec<Arc<str>>,
    /// Whether its last request was answered; null before the first.
    pub answering: Option<bool>,
    /// Requests made, retries and synchronisers included.
    pub requests: u64,
    /// Those that were answered, exceptions included.
    pub answers: u64,
    /// Answers that were exceptions.
    pub exceptions: u64,
    /// Requests that nothing came for in time.
    pub timeouts: u64,
    /// Answers with a wrong checksum, or that were not one frame.
    pub crc_errors: u64,
    /// Sound answers to another request than the one that was made.
    pub wrong_answers: u64,
    /// Requests that were repeated because there was no answer.
    pub retries: u64,
    /// Requests that only tell a late answer from the next one.
    pub synchronisers: u64,
    /// Time from the end of the request to the end of the answer in milliseconds: of half of the
    /// latest answers at most this; null before the first.
    pub answer_ms_p50: Option<f64>,
    /// The same of 99 in 100 of them.
    pub answer_ms_p99: Option<f64>,
    /// Milliseconds since its last answer; null before the first.
    pub answered_ms_ago: Option<u64>,
}

/// The meter of one link.
#[derive(Debug, Clone)]
pub struct Meter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    link: Arc<str>,
    protocol: &'static str,
    address: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    up: Option<bool>,
    connects: u64,
    busy: Busy,
    units: Vec<UnitMeter>,
}

/// What happened to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It was made.
    Request,
    /// It is a repetition.
    Retry,
    /// It is a synchroniser.
    Synchroniser,
    /// Content came, after so many microseconds.
    Content(u64),
    /// An exception came, after so many microseconds.
    Exception(u64),
    /// Nothing came in time.
    Timeout,
    /// Something damaged came.
    CrcError,
    /// Something else came.
    WrongAnswer,
    /// The connection was lost while it was waited for.
    Lost,
}

impl Meter {
    /// The meter of a link with these devices behind it, at zero.
    pub(super) fn new<'a>(
        link: Arc<str>,
        endpoint: &Endpoint,
        devices: impl Iterator<Item = &'a Device>,
        now: Mono,
    ) -> Meter {
        let mut units: Vec<UnitMeter> = Vec::new();
        for device in devices {
            match units.iter_mut().find(|unit| unit.unit == device.unit) {
                Some(known) => known.devices.push(device.id.clone()),
                None => units.push(UnitMeter::new(device.unit, device.id.clone())),
            }
        }
        units.sort_by_key(|unit| unit.unit);
        Meter(Arc::new(Shared {
            link,
            protocol: endpoint.protocol(),
            address: endpoint.to_string(),
            state: Mutex::new(State {
                up: None,
                connects: 0,
                busy: Busy::new(now),
                units,
            }),
        }))
    }

    /// It was connected, or could not be or is no longer.
    pub fn connected(&self, up: bool) {
        let mut state = self.state();
        state.connects += u64::from(up);
        state.up = Some(up);
    }

    /// Something happened to a request to `unit`. A unit that is not configured is not counted.
    pub fn note(&self, unit: u8, event: Event, now: Mono) {
        let mut state = self.state();
        if let Some(unit) = state.units.iter_mut().find(|known| known.unit == unit) {
            unit.note(event, now);
        }
    }

    /// The bus was busy for so many microseconds up to `now`.
    pub fn busy(&self, us: u64, now: Mono) {
        self.state().busy.add(us, now);
    }

    /// What it shows at `now`.
    pub fn snapshot(&self, now: Mono) -> LinkFigures {
        let state = self.state();
        LinkFigures {
            link: self.0.link.clone(),
            protocol: self.0.protocol,
            address: self.0.address.clone(),
            up: state.up,
            connects: state.connects,
            occupancy: state.busy.share(now),
            units: state.units.iter().map(|unit| unit.figures(now)).collect(),
        }
    }

    /// Nothing that holds the lock can panic, and if it did the counts would still be counts.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct UnitMeter {
    unit: u8,
    devices: Vec<Arc<str>>,
    answering: Option<bool>,
    requests: u64,
    answers: u64,
    exceptions: u64,
    timeouts: u64,
    crc_errors: u64,
    wrong_answers: u64,
    retries: u64,
    synchronisers: u64,
    times: Times,
    answered: Option<Mono>,
}

impl UnitMeter {
    fn new(unit: u8, device: Arc<str>) -> UnitMeter {
        UnitMeter {
            unit,
            devices: vec![device],
            answering: None,
            requests: 0,
            answers: 0,
            exceptions: 0,
            timeouts: 0,
            crc_errors: 0,
            wrong_answers: 0,
            retries: 0,
            synchronisers: 0,
            times: Times::default(),
            answered: None,
        }
    }

    fn note(&mut self, event: Event, now: Mono) {
        match event {
            Event::Request => self.requests += 1,
            Event::Retry => self.retries += 1,
            Event::Synchroniser => self.synchronisers += 1,
            Event::Content(us) | Event::Exception(us) => {
                self.answers += 1;
                self.exceptions += u64::from(matches!(event, Event::Exception(_)));
                self.times.add(us);
                self.answered = Some(now);
                self.answering = Some(true);
            }
            Event::Timeout => self.timeouts += 1,
            Event::CrcError => self.crc_errors += 1,
            Event::WrongAnswer => self.wrong_answers += 1,
            Event::Lost => {}
        }
        if matches!(
            event,
            Event::Timeout | Event::CrcError | Event::WrongAnswer | Event::Lost
        ) {
            self.answering = Some(false);
        }
    }

    fn figures(&self, now: Mono) -> UnitFigures {
        UnitFigures {
            unit: self.unit,
            devices: self.devices.clone(),
            answering: self.answering,
            requests: self.requests,
            answers: self.answers,
            exceptions: self.exceptions,
            timeouts: self.timeouts,
            crc_errors: self.crc_errors,
            wrong_answers: self.wrong_answers,
            retries: self.retries,
            synchronisers: self.synchronisers,
            answer_ms_p50: self.times.percentile(50),
            answer_ms_p99: self.times.percentile(99),
            answered_ms_ago: self.answered.map(|at| now.since(at)),
        }
    }
}

/// How many answers took how long.
#[derive(Debug)]
struct Times {
    counts: [u16; CLASSES],
    sum: u32,
}

impl Default for Times {
    fn default() -> Times {
        Times {
            counts: [0; CLASSES],
            sum: 0,
        }
    }
}

impl Times {
    fn add(&mut self, us: u64) {
        if self.sum >= MANY {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.sum = self.counts.iter().map(|count| u32::from(*count)).sum();
        }
        self.counts[class(us)] += 1;
        self.sum += 1;
    }

    /// In milliseconds: the upper end of the class in which it lies.
    fn percentile(&self, percent: u32) -> Option<f64> {
        let wanted = (self.sum * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let at = self.counts.iter().position(|count| {
            seen += u32::from(*count);
            seen >= wanted
        });
        at.map(|class| upper_us(class) as f64 / 1000.0)
    }
}

fn class(us: u64) -> usize {
    let us = us.max(1 << FIRST_OCTAVE);
    let octave = us.ilog2();
    let quarter = (us >> (octave - 2)) & 3;
    let class = u64::from(octave - FIRST_OCTAVE) * 4 + quarter;
    usize::try_from(class).map_or(CLASSES - 1, |class| class.min(CLASSES - 1))
}

/// The first time in microseconds that is above the class.
const fn upper_us(class: usize) -> u64 {
    let octave = FIRST_OCTAVE as usize + class / 4;
    (1 << octave) + ((class as u64 % 4 + 1) << (octave - 2))
}

/// How long the bus was busy in each of the last seconds.
#[derive(Debug)]
struct Busy {
    began: Mono,
    /// The newest second.
    second: u64,
    /// Microseconds; a second has its place by its number.
    slots: [u32; SECONDS],
}

impl Busy {
    const fn new(now: Mono) -> Busy {
        Busy {
            began: now,
            second: now.0 / 1000,
            slots: [0; SECONDS],
        }
    }

    fn add(&mut self, us: u64, now: Mono) {
        self.advance(now);
        let (mut left, mut second) = (us, now.0 / 1000);
        let mut room = now.0 % 1000 * 1000;
        for _ in 0..SECONDS {
            let here = left.min(room);
            let slot = &mut self.slots[place(second)];
            *slot = slot.saturating_add(u32::try_from(here).unwrap_or(u32::MAX));
            left -= here;
            if left == 0 || second == 0 {
                return;
            }
            (second, room) = (second - 1, 1_000_000);
        }
    }

    fn share(&self, now: Mono) -> f64 {
        let second = now.0 / 1000;
        let within = |age: &u64| *age < SECONDS as u64 && second - age <= self.second;
        let ages = (0..SECONDS as u64).filter(within);
        let busy: u64 = ages
            .map(|age| u64::from(self.slots[place(second - age)]))
            .sum();
        let looked = now
            .since(self.began)
            .min((SECONDS as u64 - 1) * 1000 + now.0 % 1000);
        (busy as f64 / 1000.0 / looked.max(1) as f64).min(1.0)
    }

    fn advance(&mut self, now: Mono) {
        let second = now.0 / 1000;
        for passed in (self.second + 1..=second).rev().take(SECONDS) {
            self.slots[place(passed)] = 0;
        }
        self.second = self.second.max(second);
    }
}

const fn place(second: u64) -> usize {
    (second % SECONDS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_times_are_told_to_a_quarter() {
        for us in [64, 100, 1_000, 4_321, 50_000, 999_999, 60_000_000] {
            let mut times = Times::default();
            times.add(us);
            let told = times.percentile(50).unwrap() * 1000.0;
            assert!(
                told > us as f64 && told <= us as f64 * 1.25 + 1.0,
                "{us}: {told}"
            );
        }
        assert_eq!(class(u64::MAX), CLASSES - 1);
        assert_eq!(Times::default().percentile(99), None);
    }

    #[test]
    fn the_slowest_of_a_hundred_is_the_99th_and_not_the_50th() {
        let mut times = Times::default();
        for n in 0..1000 {
            times.add(if n % 50 == 0 { 400_000 } else { 10_000 });
        }
        assert!(times.percentile(50).unwrap() < 13.0);
        assert!(times.percentile(99).unwrap() > 400.0);
        // What was long ago counts less and less.
        for _ in 0..20_000 {
            times.add(10_000);
        }
        assert!(times.percentile(99).unwrap() < 13.0);
    }

    #[test]
    fn occupancy_is_the_busy_share_of_the_last_minute() {
        let mut busy = Busy::new(Mono(500_000));
        for n in 1..=600 {
            busy.add(25_000, Mono(500_000 + n * 100));
        }
        let near = |share: f64, wanted: f64| (share - wanted).abs() < 0.01;
        assert!(
            near(busy.share(Mono(560_000)), 0.25),
            "{}",
            busy.share(Mono(560_000))
        );
        assert!(
            near(busy.share(Mono(590_000)), 0.125),
            "{}",
            busy.share(Mono(590_000))
        );
        assert!(near(busy.share(Mono(700_000)), 0.0));
        // One that took three seconds, at the end of a minute of rest.
        busy.add(3_000_000, Mono(800_500));
        assert!(near(busy.share(Mono(800_500)), 3.0 / 59.5));
    }

    #[test]
    fn occupancy_after_the_start_is_that_since_the_start() {
        let mut busy = Busy::new(Mono(500_250));
        busy.add(500_000, Mono(501_250));
        assert!((busy.share(Mono(501_250)) - 0.5).abs() < 0.01);
    }
}
