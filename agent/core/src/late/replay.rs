//! Playing the log of a device through its accounting again.

use super::{Closes, Entry, Input};
use crate::calendar::Calendar;
use crate::history::Fill;
use crate::machine::{Machine, Showing};
use crate::plant::Device;
use crate::sample::{Quality, Value};
use crate::state::State;
use crate::summary::{Summary, TierSet};
use crate::tiers::{Ended, Frames, Tiers, Window};
use crate::time::Mono;

/// What comes of playing a log.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    Minute(Summary, Window, TierSet),
    Ended(Ended),
    Fill(Fill),
}

impl Outcome {
    pub(super) const fn is_fill(&self) -> bool {
        matches!(self, Outcome::Fill(_))
    }
}

/// The accounting on its way through a log.
#[derive(Debug, Clone)]
pub(super) struct Replay {
    pub(super) machine: Machine,
    pub(super) tiers: Tiers,
    /// Until when what was read in time is fresh.
    known_until: Mono,
    /// The newest late state, and until when it is fresh.
    late: Option<(State, Value, Quality, Mono)>,
    /// The machine shows that.
    shows_late: bool,
    /// The hour, the shift and the day of the last minute.
    frames: Option<Frames>,
}

impl Replay {
    pub(super) fn new(machine: &Machine, tiers: &Tiers) -> Replay {
        Replay {
            known_until: machine.known_until(),
            machine: machine.clone(),
            tiers: tiers.clone(),
            late: None,
            shows_late: false,
            frames: None,
        }
    }

    pub(super) fn take(
        &mut self,
        entry: &Entry,
        device: &Device,
        calendar: &Calendar,
        tell: &mut impl FnMut(Outcome),
    ) {
        let merge_ms = device.merge_faults_ms;
        self.pass(entry.at, merge_ms, tell);
        match &entry.input {
            Input::Plans(planned) => self.machine.plan(*planned, merge_ms),
            Input::Shows {
                state,
                code,
                quality,
                until,
                is_late: false,
            } => {
                show(&mut self.machine, *state, code, *quality, *until, merge_ms);
                self.known_until = *until;
                self.shows_late = false;
            }
            Input::Shows {
                state,
                code,
                quality,
                until,
                is_late: true,
            } => {
                self.late = Some((*state, code.clone(), *quality, *until));
                if self.known_until <= entry.at {
                    show(&mut self.machine, *state, code, *quality, *until, merge_ms);
                    self.shows_late = true;
                }
            }
            Input::Counts { role, value, .. } => {
                self.machine
                    .count(*role, &Value::Int(*value), device.highest_rate());
            }
            Input::Makes(product) => {
                self.machine.make(device, product);
            }
            Input::Closes(closes) => self.close(closes, device, calendar, tell),
        }
    }

    /// Time passes. Where known time ends, a late state takes over that is still fresh; if that is at
    /// `to`, only after what else happens then: a minute may end, or known time go on.
    pub(super) fn pass(&mut self, to: Mono, merge_ms: u64, tell: &mut impl FnMut(Outcome)) {
        if let Some((state, code, quality, until)) = &self.late
            && !self.shows_late
            && self.known_until < to
            && self.known_until < *until
        {
            let (state, code, quality, until) = (*state, code.clone(), *quality, *until);
            self.machine.advance_within(self.known_until, merge_ms);
            show(&mut self.machine, state, &code, quality, until, merge_ms);
            self.shows_late = true;
        }
        let from = self.machine.ledger().reached();
        let shown = self.machine.shown();
        let code = self.machine.code().cloned();
        let quality = self.machine.quality();
        let begin = self.machine.accounted_to();
        let ms = self.machine.known_until().min(to).since(begin);
        while !self.machine.advance(to, merge_ms) {}
        if self.shows_late && shown != State::Unknown && ms > 0 {
            tell(Outcome::Fill(Fill {
                from,
                to: from + ms.cast_signed(),
                state: shown,
                code,
                quality,
            }));
        }
    }

    fn close(
        &mut self,
        closes: &Closes,
        device: &Device,
        calendar: &Calendar,
        tell: &mut impl FnMut(Outcome),
    ) {
        let minute = self
            .machine
            .close(device, closes.end, closes.next, closes.label);
        let Some(minute) = minute else {
            return;
        };
        let window = Window {
            start: minute.start,
            end: minute.end,
            fold: minute.fold,
            stepped_ms: closes.stepped_ms,
            clock_step_ms: 0,
            unset: closes.unset,
        };
        let known = self.frames.filter(|frames| frames.hold(&window));
        let frames = known.unwrap_or_else(|| Frames::over(calendar, &window));
        // Those of a longer window are not those of the next one.
        self.frames = Some(frames).filter(|frames| frames.hold(&window));
        let mut ended = heapless::Vec::<Ended, 8>::new();
        let add = |one| {
            let full = ended.push(one).is_err();
            debug_assert!(!full, "a minute ends two windows of each tier at most");
        };
        let cut = self.tiers.add(&window, &minute.sum(), &frames, add);
        tell(Outcome::Minute(minute, window, cut));
        for mut one in ended {
            // As it is told: with the count that follows from the two others.
            if let (Ended::Tier(_, closed), Some(third)) = (&mut one, device.third()) {
                closed.sum.derive(third);
            }
            tell(Outcome::Ended(one));
        }
    }
}

/// A machine shows a state, by a status in time or late.
fn show(
    machine: &mut Machine,
    state: State,
    code: &Value,
    quality: Quality,
    fresh_until: Mono,
    merge_ms: u64,
) {
    let showing = Showing {
        state,
        code: Some(code),
        quality,
        fresh_until,
        failing: None,
        turn: None,
    };
    machine.show(&showing, merge_ms);
}
