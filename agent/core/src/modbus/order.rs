//! Whose answer it is, where answers carry no number.
//!
//! On a serial line an answer names its unit, its function and how many bytes it brings, and no
//! more: that of a request which was given up, or a second copy of the one before, looks like the
//! answer to the next request if it brings as many bytes. What can be relied on is that a unit
//! works through its requests one after the other: once it has answered a request, nothing comes
//! any more for those before it.
//!
//! So of each unit it is kept which requests may still be answered, and before a request is made
//! that could be taken for one of them, there is either asked for another number of items
//! ([`Way::Longer`]) or a request between them whose answer is thrown away ([`Way::Sync`]): it is of
//! another length than everything that may still come, so it can be nobody else's, and it closes
//! everything before it. An exception carries no length; it is taken for that of the oldest request
//! which may still be answered with one, so that it never closes too much.
//!
//! A unit that does not answer is asked in vain for its synchroniser too. Then only time helps: no
//! answer comes later than a time that is given with each request ([`Order::asked`]). The same holds
//! at the start, when nobody knows what was asked before. Where more may come than can be kept, the
//! unit is left alone until then ([`Way::Wait`]).

use super::answer::function;
use super::plan::Read;
use crate::time::Mono;
use heapless::Vec;

/// Requests of a unit that may still be answered.
const MOST: usize = 8;

/// What may still come from one unit.
#[derive(Debug)]
pub struct Order {
    /// Oldest first.
    open: Vec<Entry, MOST>,
    /// Until then there may be others.
    unknown: Option<Mono>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    function: u8,
    start: u16,
    /// Bytes of content.
    size: u16,
    seen: Seen,
    /// An answer was taken for its own.
    answered: bool,
    /// It stands for several like each other, of which each may be answered in its own way.
    repeated: bool,
    /// Nothing comes for it after that.
    until: Mono,
}

/// What a request was answered with; a second answer would be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Nothing that is certainly its own.
    Nothing,
    Content,
    Exception,
}

/// How a request is to be made, so that its answer is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As it is.
    AsIs,
    /// For so many items, of which those at the end are thrown away.
    Longer(u16),
    /// After a request for so many items from the same address, whose answer is thrown away.
    Sync(u16),
    /// Not now.
    Wait,
}

impl Order {
    /// Nobody knows what was asked before; nothing comes for it after `until`.
    pub const fn unknown(until: Mono) -> Order {
        Order {
            open: Vec::new(),
            unknown: Some(until),
        }
    }

    /// Forgets what can no longer come at `now`. What was answered with content stays: some units
    /// say their last words again whatever they are asked.
    pub fn expire(&mut self, now: Mono) {
        self.open
            .retain(|entry| now <= entry.until || entry.seen == Seen::Content);
        self.unknown = self.unknown.filter(|until| now <= *until);
    }

    /// How `read` is to be made, if the device gives at most `most` items in one answer.
    pub fn way(&self, read: &Read, most: u16) -> Way {
        let wanted = Entry::of(read);
        let is_missed = |entry: &Entry| !entry.answered && entry.may_be(&wanted);
        if self.unknown.is_some() || self.open.iter().any(is_missed) {
            return self.sync(read);
        }
        if self.open.is_full() {
            return Way::Wait;
        }
        if !self.is_ambiguous(read) {
            return Way::AsIs;
        }
        let longer = if read.table.is_bits() {
            wanted.size * 8 + 1
        } else {
            read.count + 1
        };
        let exists = u32::from(read.start) + u32::from(longer) <= 0x1_0000;
        let is_given = longer <= most.min(read.table.limit()) && exists;
        if is_given && self.is_free(&wanted, read, longer) {
            Way::Longer(longer)
        } else {
            self.sync(read)
        }
    }

    /// Whether an answer to `read` could be one that another request, or an earlier one like it,
    /// still gets.
    pub fn is_ambiguous(&self, read: &Read) -> bool {
        let wanted = Entry::of(read);
        self.open
            .iter()
            .any(|entry| entry.may_be(&wanted) && (entry.start != wanted.start || !entry.answered))
    }

    /// `read` is on its way; nothing comes for it after `until`.
    pub fn asked(&mut self, read: &Read, until: Mono) {
        let mut entry = Entry {
            until,
            ..Entry::of(read)
        };
        let is_like = |last: &Entry| last.is_like(&entry) && last.seen != Seen::Content;
        if self.open.last().is_some_and(is_like) {
            self.open.pop();
            entry.repeated = true;
        }
        if self.open.push(entry).is_err() {
            self.unknown = Some(until);
        }
    }

    /// The last request was answered with content of its length.
    pub fn content(&mut self) {
        let Some(last) = self.open.last_mut() else {
            return;
        };
        last.answered = true;
        let last = *last;
        let at = self.open.iter().position(|entry| entry.may_be(&last));
        self.open.drain(..at.unwrap_or(0));
        let is_own = self.open.len() == 1;
        if !is_own {
            // It may have been the earlier of two like each other; the later stands for both.
            self.open.remove(0);
        }
        if let Some(last) = self.open.last_mut() {
            last.repeated |= !is_own;
            if !last.repeated {
                last.seen = Seen::Content;
            }
        }
        self.unknown = None;
    }

    /// The last request was answered with an exception.
    pub fn exception(&mut self) {
        let Some(last) = self.open.last_mut() else {
            return;
        };
        last.answered = true;
        let function = last.function;
        let may_be = |entry: &Entry| entry.function == function && entry.seen != Seen::Content;
        let at = self.open.iter().position(may_be).unwrap_or(0);
        self.open.drain(..at);
        if let Some(oldest) = self.open.first_mut().filter(|oldest| !oldest.repeated) {
            oldest.seen = Seen::Exception;
            oldest.answered = true;
        }
        self.unknown = None;
    }

    /// Something came that nobody asked for, so something else may follow until `until`.
    pub fn doubt(&mut self, until: Mono) {
        self.unknown = Some(until);
    }

    /// With a number of items from the address of `read` whose answer is like nothing that may come.
    fn sync(&self, read: &Read) -> Way {
        // Room for it and for `read` itself.
        if self.open.len() + 2 > MOST {
            return Way::Wait;
        }
        let wanted = Entry::of(read);
        // Many devices whose values take two registers refuse odd numbers of them.
        let (first, step) = match (read.table.is_bits(), read.count % 2) {
            (true, _) => (1, 8),
            (false, 0) => (2, 2),
            (false, _) => (1, 1),
        };
        let mut counts = (0..=MOST as u16).map(|n| n * step + first);
        counts
            .find(|count| self.is_free(&wanted, read, *count))
            .map_or(Way::Wait, Way::Sync)
    }

    /// Whether `count` items are another length than `wanted` and than all that may come.
    fn is_free(&self, wanted: &Entry, read: &Read, count: u16) -> bool {
        let other = Entry {
            size: size(read, count),
            ..*wanted
        };
        other.size != wanted.size && !self.open.iter().any(|entry| entry.may_be(&other))
    }
}

impl Entry {
    fn of(read: &Read) -> Entry {
        Entry {
            function: function(read.table),
            start: read.start,
            size: size(read, read.count),
            seen: Seen::Nothing,
            answered: false,
            repeated: false,
            until: Mono(0),
        }
    }

    /// Whether its content could be taken for that of `other`.
    fn may_be(&self, other: &Entry) -> bool {
        self.seen != Seen::Exception && (self.function, self.size) == (other.function, other.size)
    }

    fn is_like(&self, other: &Entry) -> bool {
        (self.function, self.size, self.start) == (other.function, other.size, other.start)
    }
}

/// Bytes of content that `count` items of the table take.
const fn size(read: &Read, count: u16) -> u16 {
    if read.table.is_bits() {
        count.div_ceil(8)
    } else {
        count.saturating_mul(2)
    }
}

#[cfg(test)]
mod tests;
