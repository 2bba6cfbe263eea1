//! What was handed to rumqttc and is not acknowledged yet, so that exactly what a PUBACK is for
//! can be deleted.
//!
//! rumqttc completes a `publish` when it has queued it, tells the packet id later
//! (`Outgoing::Publish`), and reuses ids from 1 to its in-flight limit. Two rules keep an id from
//! ever standing for two publishes: ids are bound in the order of handing over, and the distance
//! from the oldest unacknowledged to the newest is bounded, not only their number.

use std::collections::VecDeque;

/// Publishes of one connection, oldest unacknowledged first.
#[derive(Debug)]
pub(super) struct InFlight<T> {
    window: usize,
    entries: VecDeque<Entry<T>>,
}

#[derive(Debug)]
enum Entry<T> {
    /// Handed over; rumqttc has not told its packet id.
    Queued(T),
    /// rumqttc holds it back until the earlier publish with the same id is acknowledged.
    Held(u16, T),
    /// On its way under this packet id.
    Sent(u16, T),
    /// Acknowledged before one that was handed over earlier.
    Done,
}

impl<T> InFlight<T> {
    /// Nothing on its way, at most `window` from the oldest unacknowledged to the newest.
    pub(super) fn new(window: usize) -> InFlight<T> {
        InFlight {
            window,
            entries: VecDeque::with_capacity(window),
        }
    }

    /// How many more may be handed over now.
    pub(super) fn room(&self) -> usize {
        self.window.saturating_sub(self.entries.len())
    }

    /// Whether everything handed over was acknowledged.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// `item` was handed to rumqttc.
    pub(super) fn hand_over(&mut self, item: T) {
        self.entries.push_back(Entry::Queued(item));
    }

    /// rumqttc sent a publish under `pkid`: the one it held back for that id, or else the oldest
    /// it was handed.
    pub(super) fn sent(&mut self, pkid: u16) {
        let held = |entry: &Entry<T>| matches!(entry, Entry::Held(id, _) if *id == pkid);
        let at = self
            .entries
            .iter()
            .position(held)
            .or_else(|| self.oldest_queued());
        self.bind(at, |item| Entry::Sent(pkid, item));
    }

    /// rumqttc holds the oldest it was handed back until `pkid` is free.
    pub(super) fn held(&mut self, pkid: u16) {
        let at = self.oldest_queued();
        self.bind(at, |item| Entry::Held(pkid, item));
    }

    /// The broker acknowledged `pkid`. Returns what was sent under it; nothing if nothing was.
    pub(super) fn acknowledged(&mut self, pkid: u16) -> Option<T> {
        let sent = |entry: &Entry<T>| matches!(entry, Entry::Sent(id, _) if *id == pkid);
        let at = self.entries.iter().position(sent)?;
        let entry = std::mem::replace(self.entries.get_mut(at)?, Entry::Done);
        while matches!(self.entries.front(), Some(Entry::Done)) {
            self.entries.pop_front();
        }
        entry.into_item()
    }

    fn oldest_queued(&self) -> Option<usize> {
        self.entries
            .iter()
            .position(|entry| matches!(entry, Entry::Queued(_)))
    }

    fn bind(&mut self, at: Option<usize>, state: impl FnOnce(T) -> Entry<T>) {
        let Some(entry) = at.and_then(|at| self.entries.get_mut(at)) else {
            return;
        };
        if let Some(item) = std::mem::replace(entry, Entry::Done).into_item() {
            *entry = state(item);
        }
    }
}

impl<T> Entry<T> {
    fn into_item(self) -> Option<T> {
        match self {
            Entry::Queued(item) | Entry::Held(_, item) | Entry::Sent(_, item) => Some(item),
            Entry::Done => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::InFlight;

    fn sent(window: usize, items: &[(u16, char)]) -> InFlight<char> {
        let mut in_flight = InFlight::new(window);
        for (pkid, item) in items {
            in_flight.hand_over(*item);
            in_flight.sent(*pkid);
        }
        in_flight
    }

    #[test]
    fn an_acknowledgement_frees_exactly_what_was_sent_under_its_id() {
        let mut in_flight = sent(4, &[(1, 'a'), (2, 'b'), (3, 'c')]);
        assert_eq!(in_flight.acknowledged(2), Some('b'));
        assert_eq!(in_flight.acknowledged(1), Some('a'));
        assert_eq!(in_flight.acknowledged(3), Some('c'));
        assert!(in_flight.is_empty());
    }

    #[test]
    fn unknown_and_repeated_ids_are_ignored() {
        let mut in_flight = sent(4, &[(1, 'a'), (2, 'b')]);
        assert_eq!(in_flight.acknowledged(9), None);
        assert_eq!(in_flight.acknowledged(2), Some('b'));
        assert_eq!(in_flight.acknowledged(2), None);
        in_flight.sent(7);
        assert_eq!(
            in_flight.acknowledged(7),
            None,
            "nothing was handed over for it"
        );
        assert_eq!(in_flight.acknowledged(1), Some('a'));
    }

    #[test]
    fn what_is_not_sent_yet_cannot_be_acknowledged() {
        let mut in_flight = InFlight::new(4);
        in_flight.hand_over('a');
        assert_eq!(in_flight.acknowledged(1), None);
        in_flight.sent(1);
        assert_eq!(in_flight.acknowledged(1), Some('a'));
    }

    #[test]
    fn the_window_is_a_distance_and_not_a_number() {
        let mut in_flight = sent(3, &[(1, 'a'), (2, 'b'), (3, 'c')]);
        assert_eq!(in_flight.acknowledged(2), Some('b'));
        assert_eq!(in_flight.acknowledged(3), Some('c'));
        assert_eq!(in_flight.room(), 0, "the oldest is still out");
        assert_eq!(in_flight.acknowledged(1), Some('a'));
        assert_eq!(in_flight.room(), 3);
    }

    #[test]
    fn a_held_publish_is_not_freed_by_the_acknowledgement_it_waits_for() {
        let mut in_flight = sent(4, &[(1, 'a')]);
        in_flight.hand_over('b');
        in_flight.held(1);
        in_flight.hand_over('c');
        assert_eq!(in_flight.acknowledged(1), Some('a'));
        in_flight.sent(1);
        in_flight.sent(2);
        assert_eq!(in_flight.acknowledged(2), Some('c'));
        assert_eq!(in_flight.acknowledged(1), Some('b'));
    }
}
