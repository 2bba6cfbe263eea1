//! A serial line to the microsecond, and the units on it: pure, with the time as an argument.
//!
//! Only one can speak on it. A byte takes its time from one end to the other, a unit takes a request
//! for one when the line has been silent after it, and what two say at once is no longer what either
//! of them said. Units work through their requests one after the other; how they answer is scripted.
//! Every register holds a value that names its unit and its address.

use super::harness::{Random, bit, value};
use andon_core::line::Line as Speed;
use andon_core::modbus::rtu::checksum;
use std::collections::{BTreeMap, VecDeque};

/// How a unit answers one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    Answer,
    Exception(u8),
    Never,
    /// So many microseconds later than a good unit.
    Late(u64),
    /// Once as it should, and once more so many microseconds after that.
    Twice(u64),
    /// The first answer late, and once more after that.
    LateTwice(u64, u64),
    WrongUnit,
    WrongFunction,
    /// With so many registers, or bytes of bits, more or fewer, checksum and byte count to match.
    Count(i16),
    /// The byte count says one thing, the frame holds another.
    ByteCountLies(u8),
    BrokenSum,
    /// One bit of it turned over.
    Flipped(usize),
    Before(Vec<u8>),
    After(Vec<u8>),
    Cut(usize),
    /// Two frames without a gap: its own answer, and that of another unit.
    Glued,
    /// With a pause of so many microseconds in the middle.
    Halting(u64),
    /// What it was asked before, in place of what it was asked now.
    Previous,
    Garbage(Vec<u8>),
}

/// What happens to what is said while somebody else speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clash {
    /// Nobody understands either.
    Garbles,
    /// The master does not listen while it sends.
    Deaf,
    /// The master hears all the same, but the unit it spoke to does not.
    Heard,
}

/// The line.
pub(super) struct Line {
    speed: Speed,
    /// Of an answer, no byte begins later than so long after its request.
    pub(super) late_us: u64,
    pub(super) clash: Clash,
    /// A unit that is not there.
    pub(super) missing: Option<u8>,
    script: VecDeque<Act>,
    units: BTreeMap<u8, Unit>,
    /// What is on its way to the master: when each byte has arrived.
    coming: VecDeque<(u64, u8)>,
    /// When each frame of the master began and ended, with its bytes.
    pub(super) frames: Vec<(u64, u64, Vec<u8>)>,
    /// A request that the units have not yet taken: when they will, and whether it is whole.
    asked: Option<(u64, Vec<u8>, bool)>,
    /// The end of the last byte on the line.
    silent_since: u64,
    /// Of each frame of the master, for which unit, and how long the line was silent before it.
    pub(super) gaps: Vec<(u8, u64)>,
    /// Frames of the master that began before the line had been silent for long enough.
    pub(super) too_early: Vec<String>,
    pub(super) faults: usize,
    /// Somebody nobody asked says this, so long after the next frame of the master has begun.
    pub(super) meddler: Option<(u64, Vec<u8>)>,
    random: Random,
}

#[derive(Default)]
struct Unit {
    /// Its last word has been said then.
    free_from: u64,
    /// The answer to its last request, and when it took that.
    previous: Option<(u64, Vec<u8>)>,
}

impl Line {
    pub(super) fn new(speed: Speed, script: Vec<Act>, seed: u64) -> Line {
        Line {
            speed,
            late_us: 900_000,
            clash: Clash::Garbles,
            missing: None,
            script: script.into(),
            units: BTreeMap::new(),
            coming: VecDeque::new(),
            frames: Vec::new(),
            asked: None,
            silent_since: 0,
            gaps: Vec::new(),
            too_early: Vec::new(),
            faults: 0,
            meddler: None,
            random: Random(seed),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.script.is_empty()
    }

    /// The master writes a frame.
    pub(super) fn hears(&mut self, now: u64, frame: &[u8]) {
        let gap = now.saturating_sub(self.silent_since);
        if gap < self.speed.silent_us() && !self.frames.is_empty() {
            let silent = self.speed.silent_us();
            self.too_early
                .push(format!("{gap} of {silent} µs before {frame:02x?}"));
        }
        self.gaps.push((frame[0], gap));
        let end = now + self.speed.characters_us(frame.len() as u64);
        let whole = !self.clash_with(now, end);
        self.frames.push((now, end, frame.to_vec()));
        self.silent_since = self.silent_since.max(end);
        self.asked = Some((end + self.speed.silent_us(), frame.to_vec(), whole));
        if let Some((after_us, bytes)) = self.meddler.take() {
            self.say(now + after_us, &bytes);
        }
    }

    /// When something happens next, if the master says nothing, and its port hands over what it
    /// hears in blocks of so many bytes at most.
    pub(super) fn next(&self, block: usize) -> Option<u64> {
        let asked = self.asked.as_ref().map(|(at, ..)| *at);
        let far = 2 * self.speed.characters_us(1);
        let arrivals = || self.coming.iter().map(|(at, _)| *at);
        let follows = |(before, at): &(u64, u64)| at - before < far;
        let run = 1 + arrivals()
            .zip(arrivals().skip(1))
            .take_while(follows)
            .count();
        let coming = arrivals().nth(run.min(block) - 1);
        [asked, coming].into_iter().flatten().min()
    }

    /// What has arrived at the master by `now`.
    pub(super) fn arrived(&mut self, now: u64) -> Vec<u8> {
        if let Some((at, frame, whole)) = self.asked.take_if(|(at, ..)| *at <= now)
            && whole
        {
            self.take(at, &frame);
        }
        let mut bytes = Vec::new();
        while let Some((at, byte)) = self.coming.front().filter(|(at, _)| *at <= now) {
            self.silent_since = self.silent_since.max(*at);
            bytes.push(*byte);
            self.coming.pop_front();
        }
        bytes
    }

    /// What is on its way meets a frame of the master from `start` to `end`.
    fn clash_with(&mut self, start: u64, end: u64) -> bool {
        let char_us = self.speed.characters_us(1);
        let meets = |at: u64| at > start && at - char_us < end;
        let any = self.coming.iter().any(|(at, _)| meets(*at));
        let (clash, noise) = (self.clash, self.random.below(255) as u8 + 1);
        match clash {
            Clash::Garbles => {
                let meeting = self.coming.iter_mut().filter(|(at, _)| meets(*at));
                meeting.for_each(|(_, byte)| *byte ^= noise);
            }
            Clash::Deaf => self.coming.retain(|(at, _)| !meets(*at)),
            Clash::Heard => {}
        }
        any
    }

    /// A unit takes a request.
    fn take(&mut self, now: u64, frame: &[u8]) {
        let Some((request, sum)) = frame.split_last_chunk::<2>() else {
            return;
        };
        let is_whole = checksum(request) == u16::from_le_bytes(*sum) && request.len() == 6;
        if !is_whole || self.missing == Some(request[0]) {
            return;
        }
        let act = self.script.pop_front().unwrap_or(Act::Answer);
        self.faults += usize::from(act != Act::Answer);
        let right = framed(&content(request, 0));
        let unit = self.units.entry(request[0]).or_default();
        // It is still busy with the one before, and does not hear this one.
        if unit.free_from > now && self.random.below(2) == 0 {
            return;
        }
        let own = match act {
            Act::Exception(code) => framed(&[request[0], request[1] | 0x80, code]),
            _ => right.clone(),
        };
        let previous = unit.previous.replace((now, own.clone()));
        let previous = previous.filter(|(at, _)| now - at < self.late_us);
        let begin = unit.free_from.max(now);
        let latest = now + self.late_us;
        let mut says = Vec::new();
        let other = |at: usize, to: u8| {
            let mut other = content(request, 0);
            other[at] = to;
            framed(&other)
        };
        match act {
            Act::Answer | Act::Exception(_) => says.push((begin, own)),
            Act::Never => {}
            Act::Late(us) => says.push((begin + us, right)),
            Act::Twice(us) => {
                let again = begin + self.speed.characters_us(right.len() as u64) + us;
                says.push((begin, right.clone()));
                says.push((again, right));
            }
            Act::LateTwice(first, second) => {
                says.push((begin + first, right.clone()));
                says.push((begin + first + second, right));
            }
            Act::WrongUnit => {
                let mut from_other = request.to_vec();
                from_other[0] ^= 1;
                says.push((begin, framed(&content(&from_other, 0))));
            }
            Act::WrongFunction => says.push((begin, other(1, request[1] ^ 7))),
            Act::Count(more) => says.push((begin, framed(&content(request, more)))),
            Act::ByteCountLies(count) => says.push((begin, other(2, count))),
            Act::BrokenSum => {
                let mut broken = right;
                *broken.last_mut().unwrap() ^= 0x40;
                says.push((begin, broken));
            }
            Act::Flipped(at) => {
                let mut flipped = right;
                let bits = flipped.len() * 8;
                flipped[at % bits / 8] ^= 1 << (at % 8);
                says.push((begin, flipped));
            }
            Act::Before(mut noise) => {
                noise.extend(right);
                says.push((begin, noise));
            }
            Act::After(noise) => says.push((begin, [right, noise].concat())),
            Act::Cut(left) => says.push((begin, right[..left % right.len()].to_vec())),
            Act::Glued => {
                let mut from_other = request.to_vec();
                from_other[0] ^= 1;
                says.push((begin, [right, framed(&content(&from_other, 0))].concat()));
            }
            Act::Halting(us) => {
                let (head, tail) = right.split_at(right.len() / 2);
                let then = begin + self.speed.characters_us(head.len() as u64) + us;
                says.push((begin, head.to_vec()));
                says.push((then, tail.to_vec()));
            }
            Act::Previous => says.push((begin, previous.map_or(right, |(_, answer)| answer))),
            Act::Garbage(bytes) => says.push((begin, bytes)),
        }
        for (at, bytes) in says {
            if at <= latest {
                let end = self.say(at, &bytes);
                let unit = self.units.entry(request[0]).or_default();
                unit.free_from = unit.free_from.max(end);
            }
        }
    }

    /// Somebody says something from `at` on; when it has been said.
    fn say(&mut self, at: u64, bytes: &[u8]) -> u64 {
        let char_us = self.speed.characters_us(1);
        for (n, byte) in (1..).zip(bytes) {
            let arrives = at + n * char_us;
            // Another unit speaks: the byte is anybody's guess.
            let near = |other: &(u64, u8)| other.0.abs_diff(arrives) < char_us;
            let byte = match self.coming.iter_mut().find(|other| near(other)) {
                Some(other) => {
                    other.1 ^= 0xA5;
                    continue;
                }
                None => *byte,
            };
            let place = self.coming.partition_point(|other| other.0 <= arrives);
            self.coming.insert(place, (arrives, byte));
        }
        at + bytes.len() as u64 * char_us
    }
}

/// The right answer to a frame.
pub(super) fn answer(frame: &[u8]) -> Vec<u8> {
    framed(&content(&frame[..frame.len() - 2], 0))
}

/// A frame with its checksum.
pub(super) fn framed(content: &[u8]) -> Vec<u8> {
    let mut frame = content.to_vec();
    frame.extend(checksum(content).to_le_bytes());
    frame
}

/// The answer to a request, with `more` registers or bytes of bits than were asked for; no checksum.
fn content(request: &[u8], more: i16) -> Vec<u8> {
    let (unit, function) = (request[0], request[1]);
    if function > 4 {
        return request.to_vec();
    }
    let word = |at: usize| u16::from_be_bytes([request[at], request[at + 1]]);
    let (start, count) = (word(2), word(4));
    let items: Vec<u8> = if function <= 2 {
        let bytes = count.div_ceil(8).saturating_add_signed(more).min(250);
        let of = |at: u16| {
            let bit = |i: u16| bit(unit, start.wrapping_add(at * 8 + i));
            (0..8).fold(0, |byte, i| byte | u8::from(bit(i)) << i)
        };
        (0..bytes).map(of).collect()
    } else {
        let registers = count.saturating_add_signed(more).min(125);
        let of = |at: u16| value(unit, start.wrapping_add(at)).to_be_bytes();
        (0..registers).flat_map(of).collect()
    };
    let mut content = vec![unit, function, items.len() as u8];
    content.extend(items);
    content
}

/// A fault, each kind about as often as any other; the worst of them more often.
pub(super) fn random_act(random: &mut Random) -> Act {
    let late = |random: &mut Random| match random.below(4) {
        0 => random.below(20_000),
        1 => 80_000 + random.below(60_000),
        _ => random.below(900_000),
    };
    let noise = |random: &mut Random, most: u64| -> Vec<u8> {
        let length = 1 + random.below(most);
        (0..length).map(|_| random.below(256) as u8).collect()
    };
    match random.below(24) {
        0 => Act::Exception(random.below(256) as u8),
        1 => Act::Never,
        2..=5 => Act::Late(late(random)),
        6 | 7 => Act::Twice(late(random)),
        8 => Act::LateTwice(late(random), late(random)),
        9 => Act::WrongUnit,
        10 => Act::WrongFunction,
        11 => Act::Count(random.below(20) as i16 - 10),
        12 => Act::ByteCountLies(random.below(256) as u8),
        13 => Act::BrokenSum,
        14 => Act::Flipped(random.below(4096) as usize),
        15 => Act::Before(noise(random, 6)),
        16 => Act::After(noise(random, 6)),
        17 => Act::Cut(random.below(256) as usize),
        18 => Act::Glued,
        19 => Act::Halting(random.below(40_000)),
        20 | 21 => Act::Previous,
        22 => Act::Garbage(noise(random, 300)),
        _ => Act::Answer,
    }
}
