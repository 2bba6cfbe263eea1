//! How fast a value moves: the change over the last minutes, from a few stored readings.
//!
//! The rate is (newest − then) ÷ the time between, where *then* is the good reading from about as long
//! ago as the window is long. Readings are stored at most [`STEPS`] times in a window, so *then* may lie
//! up to two steps before its beginning, or one after. Where no reading lies there (a start, a gap in
//! the data) the rate is undecided: a rate over another time is another rate.

use crate::bounded::Queue;
use crate::tag::TagIndex;
use crate::time::Mono;

/// Readings that are stored in a window.
pub const STEPS: u64 = 16;

/// Room for them, and for those that lie around the beginning of the window.
const POINTS: usize = STEPS as usize + 4;

/// Bytes that one takes besides itself.
pub const BYTES: usize = POINTS * size_of::<Point>();

/// How fast one tag moves over one window.
#[derive(Debug)]
pub struct Slope {
    tag: TagIndex,
    window_ms: u64,
    /// Time between two stored readings.
    step_ms: u64,
    points: Queue<Point>,
    newest: Option<Point>,
}

#[derive(Debug, Clone, Copy)]
struct Point {
    at: Mono,
    value: f64,
}

impl Slope {
    /// Over `window_ms`, of a tag that is read each `every_ms`.
    pub fn new(tag: TagIndex, window_ms: u64, every_ms: u64) -> Slope {
        Slope {
            tag,
            window_ms,
            step_ms: (window_ms / STEPS).max(every_ms).max(1),
            points: Queue::with_capacity(POINTS),
            newest: None,
        }
    }

    /// Whether it is about this tag and window.
    pub fn is_of(&self, tag: TagIndex, window_ms: u64) -> bool {
        self.tag == tag && self.window_ms == window_ms
    }

    /// The tag.
    pub const fn tag(&self) -> TagIndex {
        self.tag
    }

    /// A good reading as of `at`; one that is older than the newest says nothing.
    pub fn take(&mut self, value: f64, at: Mono) {
        if !value.is_finite() || self.newest.is_some_and(|newest| at <= newest.at) {
            return;
        }
        let point = Point { at, value };
        self.newest = Some(point);
        let last = self.points.items().back();
        if last.is_some_and(|last| at.since(last.at) < self.step_ms) {
            return;
        }
        if self.points.room() == 0 {
            self.points.pop();
        }
        let full = self.points.try_push(point);
        debug_assert!(full.is_ok(), "room was made");
    }

    /// Units per millisecond at the newest reading; none where no reading tells of then.
    pub fn per_ms(&self) -> Option<f64> {
        let newest = self.newest?;
        let age = |point: &Point| newest.at.since(point.at);
        let is_then = |point: &&Point| {
            let age = age(point);
            age > 0
                && age + self.step_ms >= self.window_ms
                && age <= self.window_ms + 2 * self.step_ms
        };
        let points = self.points.items().iter().filter(is_then);
        let then = points.min_by_key(|point| age(point).abs_diff(self.window_ms))?;
        let age = age(then);
        Some((newest.value - then.value) / age as f64)
    }
}

#[cfg(test)]
mod tests;
