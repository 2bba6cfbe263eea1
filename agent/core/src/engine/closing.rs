//! Where windows end: minutes on the clock's tick and at its steps, and with them hours, shifts and
//! production days.
//!
//! A silence is accounted for in as many windows as the tiers need: cut where an hour or a shift
//! ends, up to a day of it; of a longer one, up to where each tier ends first, and from where the
//! last production day begins. What lies between is one window of each tier.

use super::{Action, Current, Engine, Entry};
use crate::calendar::CalendarIndex;
use crate::history::{self, Head, Leaf, Rows, tags_of};
use crate::late::{Closes, Input};
use crate::limits;
use crate::machine::Label;
use crate::plant::Device;
use crate::record::{Body, Event, Relabel};
use crate::rolling::Grain;
use crate::summary::{ShiftRun, Sum, Summary, Tier, TierSet};
use crate::tiers::{Closed, Ended, Piece, Window};
use crate::time::{ClockState, Mono, Now, Wall};
use crate::window::MINUTE_MS;
use alloc::boxed::Box;
use alloc::sync::Arc;

/// Of a silence longer than this, what lies between its first and its last day is one window.
const LONG_SILENCE_MS: u64 = 24 * 3_600_000;

/// What one minute of a device can end: of each tier one before it and one with it, and two pieces.
pub(super) type AllEnded = heapless::Vec<Ended, 8>;

impl Engine {
    /// Accounts for everything up to `to`, whatever it takes: what the actions have no room for
    /// becomes one window.
    pub(super) fn roll(&mut self, to: Mono) {
        self.roll_on(to, true);
    }

    /// Accounts for everything up to `to`: calendar edges and window ends in their order. True when
    /// it is done; unless it `must` be, it stops where the actions may not have room for more.
    pub(super) fn roll_on(&mut self, to: Mono, must: bool) -> bool {
        let mut rolled = false;
        loop {
            let edge = self.plan_until().min(self.window_end);
            if edge > to {
                break;
            }
            let is_last = to.since(edge) < MINUTE_MS.unsigned_abs();
            if !must && !is_last && self.is_crowded() {
                return false;
            }
            rolled = true;
            self.now = self.now.max(edge);
            for index in 0..self.devices.len() {
                self.advance(index, edge);
            }
            // What follows from a break or a shift that ends here belongs to the time after it.
            let is_end = edge == self.window_end;
            if is_end {
                self.close_windows(edge);
            }
            self.turn_pages(edge);
            if is_end {
                self.next_window(edge, to, must);
            }
        }
        self.now = self.now.max(to);
        self.join();
        if rolled {
            for index in 0..self.devices.len() {
                self.tell_state(index);
            }
            self.tell_now();
        }
        true
    }

    /// A window was closed: how each device has done lately is another answer.
    fn tell_now(&mut self) {
        self.renew_frames();
        for index in 0..self.devices.len() {
            if self.devices[index].machine.is_some() {
                self.act(Action::Publish(Current::Now(super::device_index(index))));
            }
        }
    }

    /// Whether the actions have no room for one more window besides what may follow from an input.
    fn is_crowded(&self) -> bool {
        self.actions.room() < limits::one_closing(&self.plant) + limits::reserve(&self.plant)
    }

    /// Devices without a past begin when the others have come to now.
    fn join(&mut self) {
        let now = self.now;
        let label = self.timeline.label(now);
        for index in 0..self.devices.len() {
            let device = &self.plant.devices[index];
            let planned = self.course(device.calendar).span.planned;
            let entry = &mut self.devices[index];
            if entry.machine.is_none() && device.model.state.is_some() {
                entry.machine = super::machine(device, now, label, planned);
                self.begin_late_of(index);
                self.mark(index);
            }
        }
    }

    fn close_windows(&mut self, edge: Mono) {
        let end = self.timeline.label(edge);
        self.close_windows_at(edge, end, end);
    }

    /// Closes every open window at `edge`, labelled `end`; the next ones begin there, labelled `next`.
    pub(super) fn close_windows_at(&mut self, edge: Mono, end: Wall, next: Wall) {
        let plant = Arc::clone(&self.plant);
        self.late_falls_due();
        self.settle_late(edge);
        let (mut before, mut minutes, mut pieces) = (None, None, None);
        for entry in &mut self.devices {
            entry.ended.iter_mut().for_each(heapless::Vec::clear);
        }
        for (index, device) in plant.devices.iter().enumerate() {
            let Entry { machine, late, .. } = &mut self.devices[index];
            let Some(machine) = machine else {
                continue;
            };
            let label = Label {
                fold: self.timeline.fold_at(machine.ledger().window_start),
                merged: self.window_merged,
            };
            if let Some(late) = late {
                let closes = Closes {
                    end,
                    next,
                    label,
                    stepped_ms: self.stepped_ms,
                    unset: self.timeline.is_unset().then_some(0),
                    rev: 0,
                };
                let calendar = plant.calendar_at(device.calendar);
                late.note(device, calendar, edge, Input::Closes(closes));
                late.forget(device, calendar, edge);
            }
            let Some(minute) = machine.close(device, end, next, label) else {
                continue;
            };
            let (window, sum) = (self.window_of(&minute), minute.sum());
            let frames = self.frames_of(device.calendar, &window);
            self.devices[index].asked.push(Grain::Minute, &window, &sum);
            self.publish(index, edge, minute);
            let mut ended = AllEnded::new();
            let cut = self.devices[index]
                .tiers
                .add(&window, &sum, &frames, |one| push(&mut ended, one));
            put(
                &mut minutes,
                &device.id,
                head(window, cut, TierSet::NONE),
                sum,
            );
            for ended in ended {
                match ended {
                    Ended::Tier(tier, closed) => {
                        if let Some(recent) = &mut self.devices[index].recent {
                            recent.push(tier, &closed);
                        }
                        let summary = self.summary(device, tier, &closed);
                        self.publish(index, edge, summary);
                    }
                    Ended::Piece(piece) => {
                        let asked = &mut self.devices[index].asked;
                        asked.push(Grain::Piece, &piece.window, &piece.sum);
                        let head = head(piece.window, piece.cut, piece.ended);
                        let page = if head.ended.is_empty() {
                            &mut before
                        } else {
                            &mut pieces
                        };
                        put(page, &device.id, head, piece.sum);
                    }
                }
            }
        }
        self.renew_figures();
        let minute = self.end_minute_of_tags(edge, end, next);
        for index in self.calendar_indexes() {
            let closed = minute.and_then(|minute| self.close_tags(index, edge, minute));
            let Some((window, sum, cut, ended)) = closed else {
                continue;
            };
            let name = tags_of(plant.calendar_at(index));
            put(&mut minutes, &name, head(window, cut, TierSet::NONE), sum);
            for ended in ended {
                let Ended::Piece(piece) = ended else { continue };
                let head = head(piece.window, piece.cut, piece.ended);
                let page = if head.ended.is_empty() {
                    &mut before
                } else {
                    &mut pieces
                };
                put(page, &name, head, piece.sum);
            }
        }
        // A piece holds minutes of earlier pages: the order matters where they are added up again.
        if let Some(before) = before {
            self.keep(Leaf::Piece(before));
        }
        if let Some(minutes) = minutes {
            self.stepped_ms = 0;
            self.keep(Leaf::Minute(minutes));
        }
        if let Some(pieces) = pieces {
            self.keep(Leaf::Piece(pieces));
            self.keep_tags();
            self.mark_all_again(edge);
        } else {
            self.keep_learned_if_due(edge);
        }
        self.act(Action::Commit);
    }

    /// Ends the open hours, shifts and days where they stand: their clock says no more.
    pub(super) fn end_tiers(&mut self, at: Mono) {
        let plant = Arc::clone(&self.plant);
        let mut pieces = None;
        for (index, device) in plant.devices.iter().enumerate() {
            let mut all = AllEnded::new();
            let entry = &mut self.devices[index];
            entry.ended.iter_mut().for_each(heapless::Vec::clear);
            entry.tiers.end(|one| push(&mut all, one));
            for ended in all {
                match ended {
                    Ended::Tier(tier, closed) => {
                        if let Some(recent) = &mut self.devices[index].recent {
                            recent.push(tier, &closed);
                        }
                        let summary = self.summary(device, tier, &closed);
                        self.publish(index, at, summary);
                    }
                    Ended::Piece(piece) => {
                        let asked = &mut self.devices[index].asked;
                        asked.push(Grain::Piece, &piece.window, &piece.sum);
                        put_piece(&mut pieces, &device.id, &piece);
                    }
                }
            }
        }
        for index in self.calendar_indexes() {
            let mut all = AllEnded::new();
            let Some(Some(tiers)) = self.tags.tiers.get_mut(usize::from(index.0)) else {
                continue;
            };
            tiers.end(|one| push(&mut all, one));
            let name = tags_of(plant.calendar_at(index));
            for ended in all {
                match ended {
                    Ended::Tier(tier, closed) => self.tell_tags(index, tier, &closed, at),
                    Ended::Piece(piece) => put_piece(&mut pieces, &name, &piece),
                }
            }
        }
        if let Some(pieces) = pieces {
            self.keep(Leaf::Piece(pieces));
            self.keep_tags();
        }
    }

    /// The wall clock is set for the first time since the start. All that was labelled before is
    /// moved by the same time, so that hours stay the sums of their minutes; the open windows end
    /// here, for they began at no full minute, and in a shift that nobody knew.
    pub(super) fn set_clock(&mut self, now: Now, clock: ClockState) {
        let at = now.mono;
        for index in 0..self.devices.len() {
            self.advance(index, at);
        }
        let end = self.timeline.label(at);
        let by = now.wall - end;
        self.window_merged = 1;
        self.close_windows_at(at, end, now.wall);
        self.end_tiers(at);
        self.mark_step(end, now.wall);
        self.turn_marks();
        self.act(Action::Relabel(Relabel {
            seq_from: self.labels_from.seq,
            seq_to: self.seq,
            by_ms: by,
            clock,
        }));
        self.keep(Leaf::Relabel(history::Relabel {
            first: self.labels_from.page,
            by_ms: by,
            to: now.wall,
        }));
        self.act(Action::Checkpoint);
        for entry in &mut self.devices {
            if let Some(recent) = &mut entry.recent {
                recent.relabel(by);
            }
        }
        let from = self.timeline.clock;
        self.timeline.set(at, by, clock);
        self.window_end = self.timeline.moment(self.timeline.next_minute(at));
        self.reset_frames(now.wall);
        for index in self.calendar_indexes() {
            self.turn_page(index, at);
        }
        self.begin_late();
        self.relabel_alarms(self.labels_from.label, end, by);
        for index in 0..self.devices.len() {
            self.tell_labels(index);
        }
        let event = Event::Clock {
            from,
            to: clock,
            step_ms: by,
        };
        self.event(at, event);
    }

    /// Tells what is told of a device with labels in it.
    fn tell_labels(&mut self, index: usize) {
        if self.devices[index].machine.is_some() {
            let device = super::device_index(index);
            self.act(Action::Publish(Current::State(device)));
            self.act(Action::Publish(Current::Now(device)));
        }
    }

    pub(super) fn window_of(&self, minute: &Summary) -> Window {
        Window {
            start: minute.start,
            end: minute.end,
            fold: minute.fold,
            stepped_ms: self.stepped_ms,
            clock_step_ms: 0,
            unset: self.timeline.is_unset().then_some(0),
        }
    }

    /// A window of a device as it is published.
    pub(super) fn summary(&self, device: &Device, tier: Tier, closed: &Closed) -> Summary {
        let mut sum = closed.sum;
        if let Some(third) = device.third() {
            sum.derive(third);
        }
        Summary {
            line: device.line.clone(),
            every_ms: device.model.every_ms,
            needs: device.needs(),
            ..self.summary_alone(&device.id, Some(device.calendar), tier, closed, &sum)
        }
    }

    /// The same for a device that is no longer configured; without its calendar nobody can say which
    /// shift it was.
    pub(super) fn summary_alone(
        &self,
        id: &Arc<str>,
        calendar: Option<CalendarIndex>,
        tier: Tier,
        closed: &Closed,
        sum: &Sum,
    ) -> Summary {
        let calendar = calendar.map(|index| self.plant.calendar_at(index));
        let shift = calendar.zip(closed.shift);
        Summary {
            device: id.clone(),
            tier,
            shift: shift.and_then(|(calendar, of)| ShiftRun::of(calendar, of)),
            start: closed.window.start,
            end: closed.window.end,
            fold: closed.window.fold,
            merged: closed.merged,
            clock_step_ms: closed.window.clock_step_ms,
            ..Summary::of(sum)
        }
    }

    pub(super) fn publish(&mut self, index: usize, at: Mono, summary: Summary) {
        self.tally.windows += 1;
        let parts = &summary.parts;
        let counts = [parts.good, parts.scrap, parts.total];
        let full = self.devices[index].ended[summary.tier as usize].push(counts);
        debug_assert!(full.is_ok(), "a minute ends at most two windows of a tier");
        if !self.plant.devices[index].publishes.contains(summary.tier) {
            return;
        }
        let count = &mut self.devices[index].summaries[summary.tier as usize];
        *count += 1;
        let n = *count;
        self.store(at, n, Body::Summary(Box::new(summary)));
    }

    /// Where the windows end that begin at `edge`. If it `must` come to `to` in this call and the
    /// actions have no room for more windows, one is made of all that is left.
    fn next_window(&mut self, edge: Mono, to: Mono, must: bool) {
        let next = self.timeline.moment(self.timeline.next_minute(edge));
        let behind = to.since(next);
        let minutes = behind / MINUTE_MS.unsigned_abs();
        let last = next + minutes * MINUTE_MS.unsigned_abs();
        self.window_end = last;
        if behind < LONG_SILENCE_MS {
            self.silent_from = None;
        }
        if minutes > 0 && !(must && self.is_crowded()) {
            let begin = self.timeline.label(edge);
            let cut = if behind < LONG_SILENCE_MS {
                self.timeline.moment(self.first_end(begin))
            } else {
                let from = *self.silent_from.get_or_insert(begin);
                let cut = self.cut_of_silence(from, begin, self.timeline.label(last));
                self.timeline.moment(cut)
            };
            // Frames end at whole minutes; only a zone of another century could differ.
            self.window_end = last.min(cut.max(next));
        }
        let merged = self
            .window_end
            .since(edge)
            .div_ceil(MINUTE_MS.unsigned_abs());
        self.window_merged = u32::try_from(merged).unwrap_or(u32::MAX);
    }

    /// The wall clock was stepped: the open minutes end here, the next ones begin at the new label.
    pub(super) fn step_clock(&mut self, at: Mono, by: i64) {
        for index in 0..self.devices.len() {
            self.advance(index, at);
        }
        let end = self.timeline.label(at);
        self.window_merged = 1;
        self.close_windows_at(at, end, end + by);
        self.mark_step(end, end + by);
        self.stepped_ms += by;
        self.timeline.step(at, by);
        self.window_end = self.timeline.moment(self.timeline.next_minute(at));
        for index in self.calendar_indexes() {
            self.turn_page(index, at);
        }
    }
}

pub(super) fn head(window: Window, cut: TierSet, ended: TierSet) -> Head {
    Head { window, cut, ended }
}

/// There is room for all that [`AllEnded`] counts.
pub(super) fn push(all: &mut AllEnded, one: Ended) {
    let full = all.push(one).is_err();
    debug_assert!(
        !full,
        "a minute ends at most one window of each kind before it and one with it"
    );
}

fn put_piece(rows: &mut Option<Rows>, device: &Arc<str>, piece: &Piece) {
    put(
        rows,
        device,
        head(piece.window, piece.cut, piece.ended),
        piece.sum,
    );
}

pub(super) fn put(rows: &mut Option<Rows>, device: &Arc<str>, head: Head, sum: Sum) {
    rows.get_or_insert_with(|| Rows::new(head))
        .push(device.clone(), head, sum);
}
