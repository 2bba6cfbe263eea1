//! Hours, shifts and production days: each the exact sum of the `1m` windows inside it.
//!
//! A tier's window is made of minutes and of nothing else: what it holds follows from the minutes
//! that were closed, in their order, and from the calendar. So it does not matter whether they are
//! added as they are closed or again after a restart, nor whether one by one or summed up to a
//! piece: the minutes up to where an hour, a shift or a production day ends.

use crate::calendar::{Calendar, Frame};
use crate::summary::{Sum, Tier, TierSet};
use crate::time::Wall;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// The tiers that are sums, in the order of [`Tiers`].
pub const SUMMED: [Tier; 3] = [Tier::Hour, Tier::Shift, Tier::Day];

/// The label of a window that is added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Label of the start.
    pub start: Wall,
    /// Label of the end.
    pub end: Wall,
    /// See [`crate::summary::Summary::fold`].
    pub fold: u32,
    /// By how much the wall clock was stepped where this window begins.
    pub stepped_ms: i64,
    /// By how much it was stepped inside; never inside a minute.
    pub clock_step_ms: i64,
    /// The clock had not been set once when it was made: by how much its labels have been moved
    /// since then.
    pub unset: Option<i64>,
}

impl Window {
    /// Moves the labels of a window that was made by a clock that had not been set, which stood
    /// `by` milliseconds behind.
    #[must_use]
    pub fn moved(self, by: i64) -> Window {
        Window {
            start: self.start + by,
            end: self.end + by,
            unset: self.unset.map(|before| before + by),
            ..self
        }
    }
}

/// The hour, the shift and the production day that a window begins in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frames {
    /// In the order of [`SUMMED`]; no shift where there are none at all.
    frames: [Option<Frame>; 3],
    piece: Frame,
    /// How many of each a window touches that began here: more than one after a silence.
    touched: [u32; 3],
}

impl Frames {
    /// Those of a window that begins at `start`.
    pub fn at(calendar: &Calendar, start: Wall) -> Frames {
        let frames = SUMMED.map(|tier| frame(calendar, tier, start));
        let [hour, shift, day] = frames;
        let whole = hour.into_iter().chain(shift).chain(day);
        let piece = whole.reduce(|one, other| one.overlap(&other));
        Frames {
            frames,
            piece: piece.unwrap_or_else(|| calendar.hour_at(start)),
            touched: [1; 3],
        }
    }

    /// Those of a window, counted. By a clock that is not set nobody can say which shift it is, and
    /// hours and days are what that clock shows of them.
    pub fn over(calendar: &Calendar, window: &Window) -> Frames {
        let by = window.unset.unwrap_or(0);
        let (start, end) = (window.start + -by, window.end + -by);
        let mut all = Frames::at(calendar, start);
        if window.unset.is_some() {
            all = all.without_shift(calendar, start);
        }
        for (tier, (first, touched)) in SUMMED
            .into_iter()
            .zip(all.frames.iter().zip(&mut all.touched))
        {
            let mut last = *first;
            while let Some(next) = last.map(|last| last.until).filter(|until| *until < end) {
                last = frame(calendar, tier, next);
                *touched += 1;
            }
        }
        all.piece = all.piece.moved(by);
        all.frames = all.frames.map(|frame| frame.map(|frame| frame.moved(by)));
        all
    }

    /// Those of a clock that is not set, which shows `start`.
    #[must_use]
    pub fn without_shift(self, calendar: &Calendar, start: Wall) -> Frames {
        let [hour, _, day] = self.frames;
        let whole = hour.into_iter().chain(day);
        let piece = whole.reduce(|one, other| one.overlap(&other));
        Frames {
            frames: [hour, None, day],
            piece: piece.unwrap_or_else(|| calendar.hour_at(start)),
            touched: self.touched,
        }
    }

    /// Whether a window lies within all of them, so that they are its own.
    pub fn hold(&self, window: &Window) -> bool {
        window.unset.is_none()
            && self.piece.contains(window.start)
            && window.end <= self.piece.until
    }

    /// The frame of a tier; none for minutes.
    pub fn of(&self, tier: Tier) -> Option<&Frame> {
        let at = SUMMED.iter().position(|summed| *summed == tier)?;
        self.frames[at].as_ref()
    }

    /// Where the first of them ends.
    pub const fn piece(&self) -> &Frame {
        &self.piece
    }
}

/// The hour, shift or day that a moment lies in; none for minutes, and without shifts.
pub fn frame(calendar: &Calendar, tier: Tier, at: Wall) -> Option<Frame> {
    match tier {
        Tier::Minute => None,
        Tier::Hour => Some(calendar.hour_at(at)),
        Tier::Shift => calendar.shift_at(at),
        Tier::Day => Some(calendar.day_at(at)),
    }
}

/// A window that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// Its label.
    pub window: Window,
    /// How many hours, shifts or days it stands for.
    pub merged: u32,
    /// The shift with the date it started on.
    pub shift: Option<(usize, Date)>,
    /// Its parts.
    pub sum: Sum,
}

/// The minutes up to where an hour, a shift or a production day ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Its label.
    pub window: Window,
    /// Its parts.
    pub sum: Sum,
    /// The tiers that were ended before it, for they do not go on with it.
    pub cut: TierSet,
    /// The tiers that ended with it.
    pub ended: TierSet,
}

/// What ended when a window was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// A window of a tier.
    Tier(Tier, Closed),
    /// A piece.
    Piece(Piece),
}

/// The open windows of one device.
#[derive(Debug, Clone, Default)]
pub struct Tiers {
    /// In the order of [`SUMMED`].
    summed: [Open; 3],
    piece: Open,
    /// [`Piece::cut`] of the open piece.
    cut: TierSet,
}

impl Tiers {
    /// Adds a minute that follows what was added before; `frames` are those of its start. Returned
    /// are the tiers that were ended before it, for they do not go on with it.
    pub fn add(
        &mut self,
        minute: &Window,
        sum: &Sum,
        frames: &Frames,
        mut tell: impl FnMut(Ended),
    ) -> TierSet {
        if let Some(closed) = self.piece.cut(minute) {
            tell(Ended::Piece(piece(&closed, self.cut, TierSet::NONE)));
        }
        let (mut cut, mut ended) = (TierSet::NONE, TierSet::NONE);
        for (index, tier) in SUMMED.into_iter().enumerate() {
            let open = &mut self.summed[index];
            if let Some(closed) = open.cut(minute) {
                cut = cut.with(tier);
                tell(Ended::Tier(tier, closed));
            }
            let Some(frame) = &frames.frames[index] else {
                continue;
            };
            if let Some(closed) = open.add(minute, sum, frame, frames.touched[index]) {
                ended = ended.with(tier);
                tell(Ended::Tier(tier, closed));
            }
        }
        if self.piece.0.is_none() {
            self.cut = cut;
        }
        if let Some(closed) = self.piece.add(minute, sum, &frames.piece, 1) {
            tell(Ended::Piece(piece(&closed, self.cut, ended)));
        }
        cut
    }

    /// Adds a minute that was stored before a restart and is in no stored piece. `cut` are the tiers
    /// that were ended before it then; `see` is called with their windows.
    pub fn recall_minute(
        &mut self,
        minute: &Window,
        sum: &Sum,
        cut: TierSet,
        frames: &Frames,
        see: impl FnMut(Tier, Closed),
    ) {
        self.recall(minute, sum, cut, frames, see);
        if self.piece.recall(minute, sum, &frames.piece, 1) {
            self.cut = cut;
        }
    }

    /// Adds a piece that was stored before a restart, and calls `see` with the windows that ended
    /// before or with it.
    pub fn recall_piece(
        &mut self,
        piece: &Piece,
        frames: &Frames,
        mut see: impl FnMut(Tier, Closed),
    ) {
        self.recall(&piece.window, &piece.sum, piece.cut, frames, &mut see);
        for (open, tier) in self.summed.iter_mut().zip(SUMMED) {
            if piece.ended.contains(tier)
                && let Some(closed) = open.take()
                && closed.sum.times.total() > 0
            {
                see(tier, closed);
            }
        }
    }

    /// Where windows ended before the restart they end now, and nowhere else, whatever has become of
    /// the calendar meanwhile: what is open in the end goes on up to where its last moment's frame
    /// ends by the calendar of today.
    fn recall(
        &mut self,
        window: &Window,
        sum: &Sum,
        cut: TierSet,
        frames: &Frames,
        mut see: impl FnMut(Tier, Closed),
    ) {
        for (index, tier) in SUMMED.into_iter().enumerate() {
            let open = &mut self.summed[index];
            if cut.contains(tier)
                && let Some(closed) = open.take()
            {
                see(tier, closed);
            }
            if let Some(frame) = &frames.frames[index] {
                open.recall(window, sum, frame, frames.touched[index]);
            }
        }
    }

    /// Ends every open window where it stands. What is told last is a piece, perhaps an empty one, so
    /// that it is kept that they have ended.
    pub fn end(&mut self, mut tell: impl FnMut(Ended)) {
        let mut last = None;
        for (open, tier) in self.summed.iter_mut().zip(SUMMED) {
            if let Some(closed) = open.take() {
                last = Some((closed.window.end, closed.window.unset));
                tell(Ended::Tier(tier, closed));
            }
        }
        let Some((end, unset)) = last else {
            return;
        };
        let piece = match self.piece.take() {
            Some(closed) => piece(&closed, self.cut, TierSet::ALL),
            None => Piece {
                window: Window {
                    start: end,
                    end,
                    fold: 0,
                    stepped_ms: 0,
                    clock_step_ms: 0,
                    unset,
                },
                sum: Sum::default(),
                cut: TierSet::NONE,
                ended: TierSet::ALL,
            },
        };
        tell(Ended::Piece(piece));
    }

    /// Whether any window of a tier is open.
    pub fn is_open(&self) -> bool {
        self.summed.iter().any(|open| open.0.is_some())
    }

    /// The open piece as far as its minutes have been closed.
    pub fn open_piece(&self) -> Option<Closed> {
        self.piece.0.as_ref().map(Parts::closed)
    }

    /// The open window of a tier as far as its minutes have been closed.
    pub fn so_far(&self, tier: Tier) -> Option<Closed> {
        let at = SUMMED.iter().position(|summed| *summed == tier)?;
        self.summed[at].0.as_ref().map(Parts::closed)
    }
}

fn piece(closed: &Closed, cut: TierSet, ended: TierSet) -> Piece {
    Piece {
        window: closed.window,
        sum: closed.sum,
        cut,
        ended,
    }
}

/// An open window, once something was added to it.
#[derive(Debug, Clone, Default)]
struct Open(Option<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    frame: Frame,
    window: Window,
    merged: u32,
    sum: Sum,
}

impl Parts {
    fn is_followed_by(&self, next: &Window) -> bool {
        next.start == self.window.end + next.stepped_ms
    }

    fn closed(&self) -> Closed {
        Closed {
            window: self.window,
            merged: self.merged,
            shift: (self.merged == 1).then_some(self.frame.shift).flatten(),
            sum: self.sum,
        }
    }
}

impl Open {
    /// Ends what does not go on with `next`: the clock was stepped out of the frame, or time lies
    /// between that is in no window.
    fn cut(&mut self, next: &Window) -> Option<Closed> {
        let open = self.0.as_ref()?;
        if open.is_followed_by(next) && open.frame.contains(next.start) {
            return None;
        }
        self.take()
    }

    /// Adds a window; what ends with it.
    fn add(&mut self, next: &Window, sum: &Sum, frame: &Frame, touched: u32) -> Option<Closed> {
        let open = self.with(next, sum, frame, touched);
        if open.window.end < open.frame.until {
            return None;
        }
        self.take()
    }

    /// Adds a window that was stored; true if it is the first. What it does not follow is not open:
    /// between the two something was lost.
    fn recall(&mut self, next: &Window, sum: &Sum, frame: &Frame, touched: u32) -> bool {
        let follows = self
            .0
            .as_ref()
            .is_some_and(|open| open.is_followed_by(next));
        if !follows {
            self.0 = None;
        }
        self.with(next, sum, frame, touched).frame = *frame;
        !follows
    }

    fn with(&mut self, next: &Window, sum: &Sum, frame: &Frame, touched: u32) -> &mut Parts {
        let open = match &mut self.0 {
            Some(open) => {
                open.window.clock_step_ms += next.stepped_ms + next.clock_step_ms;
                open
            }
            none => none.insert(Parts {
                frame: *frame,
                window: *next,
                merged: 1,
                sum: Sum::default(),
            }),
        };
        open.window.end = next.end;
        open.merged = open.merged.max(touched);
        open.sum.add(sum);
        open
    }

    fn take(&mut self) -> Option<Closed> {
        self.0.take().map(|open| open.closed())
    }
}

#[cfg(test)]
mod tests;
