//! What goes over a connection next: current values first, then records as their lanes have it, as
//! many as the window has room for.

use super::Uplink;
use super::current::{Due, STATUS};
use super::lanes::Lanes;
use super::link::{Cargo, Connection};
use crate::clock;
use crate::store::{Position, StoreError, Stored};
use andon_core::message::{Message, topic_tail};
use andon_core::record::{Class, Record, Run};
use andon_core::time::{ClockState, Wall};
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;

/// When to try again what the disk or the engine could not do now.
const RETRY: Duration = Duration::from_secs(1);
/// A record older than this when it is sent is historical.
const LIVE_MS: i64 = 60_000;

impl Uplink {
    /// Hands over what there is room for.
    pub(super) async fn hand_over(&mut self, connection: &mut Connection) {
        self.refresh_status();
        self.looks_on = false;
        if self.hold_until.is_some_and(|until| until <= Instant::now())
            || self.view.borrow().relabelled
        {
            self.hold_until = None;
        }
        if self
            .records_rest_until
            .is_some_and(|until| until <= Instant::now())
        {
            self.records_rest_until = None;
        }
        if let Some(mut edge) = self.edge.take() {
            self.speak(&mut edge, connection).await;
            self.edge = Some(edge);
            return;
        }
        while connection.room() > 0 {
            self.parts.current.save_list().await;
            if let Some(due) = self.parts.current.next() {
                self.hand_over_current(connection, due);
            } else if let Some(stored) = self.next_record(connection.room()).await {
                self.hand_over_record(connection, stored).await;
            } else {
                return;
            }
        }
    }

    fn refresh_status(&mut self) {
        let (health, progress) = self.condition();
        let now = Instant::now();
        if self
            .pace
            .due(&health, &progress)
            .is_none_or(|due| due <= now)
        {
            let payload = self.speaker().online(&health, &progress, clock::now().wall);
            self.parts.current.set(STATUS.to_owned(), Some(payload));
            self.pace.published(now, health, progress);
        }
        self.status_due = self.pace.due(&health, &progress);
    }

    fn hand_over_current(&self, connection: &mut Connection, due: Due) {
        let limit = self.parts.settings.max_payload;
        if due.payload.len() > limit {
            let (topic, size) = (&due.topic, due.payload.len());
            tracing::error!("{topic} is not sent: {size} bytes, and max_payload is {limit}");
            self.parts.current.acknowledged(&due.topic);
            return;
        }
        connection.publish(Cargo::Current(due.topic.clone()), due.topic, due.payload);
    }

    /// `room`: how many more may be on their way.
    pub(super) async fn next_record(&mut self, room: usize) -> Option<Stored> {
        self.replay_at = None;
        if self.records_rest_until.is_some() {
            return None;
        }
        self.read_live().await;
        self.read_backlog().await;
        self.read_held().await;
        let now = Instant::now();
        let window = usize::from(self.parts.settings.window);
        let next = self.lanes.next(room, window, now);
        if next.is_none() {
            self.replay_at = self.lanes.opens().filter(|at| *at > now);
            self.looks_on = self.records_rest_until.is_none() && self.has_more_to_read();
        }
        next
    }

    /// Whether there is room for what has not been read.
    fn has_more_to_read(&self) -> bool {
        let newest = self.view.borrow().newest;
        let Lanes { live, backlog, .. } = &self.lanes;
        let of_backlog =
            self.lanes.has_backlog() || self.hold_until.is_none() && self.held.is_some();
        live.room() > 0 && live.read_to < newest || backlog.room() > 0 && of_backlog
    }

    async fn read_live(&mut self) {
        let newest = self.view.borrow().newest;
        let (after, most) = (self.lanes.live.read_to, self.lanes.live.room());
        if most == 0 || newest <= after {
            return;
        }
        let Some((records, read_to)) = self.read(after, most, newest).await else {
            return;
        };
        self.lanes.live.read_to = read_to;
        for stored in records {
            if let Some(stored) = self.unless_held(stored) {
                self.lanes.live.push(stored);
            }
        }
    }

    async fn read_backlog(&mut self) {
        let (after, most) = (self.lanes.backlog.read_to, self.lanes.backlog.room());
        if most == 0 || !self.lanes.has_backlog() {
            return;
        }
        let end = self.lanes.backlog_to;
        let Some((records, read_to)) = self.read(after, most, Some(end)).await else {
            return;
        };
        self.lanes.backlog.read_to = read_to;
        for stored in records {
            if stored.position <= end
                && let Some(stored) = self.unless_held(stored)
            {
                self.lanes.backlog.push(stored);
            }
        }
    }

    /// What follows `after`, and up to where that has been read then: up to `end` if no more waits.
    async fn read(
        &mut self,
        after: Option<Position>,
        most: usize,
        end: Option<Position>,
    ) -> Option<(Vec<Stored>, Option<Position>)> {
        match self.parts.store.read(after, most).await {
            Ok(records) => {
                self.resting_for = None;
                let last = records.last().map(|stored| stored.position);
                // Fewer than asked for: up to there are no others.
                let end = (records.len() < most).then_some(end).flatten();
                Some((records, after.max(last).max(end)))
            }
            Err(error) => {
                self.rest(format!("the outbox cannot be read: {error}"));
                None
            }
        }
    }

    /// The record, unless it waits for the clock: then only where it is is remembered.
    fn unless_held(&mut self, stored: Stored) -> Option<Stored> {
        // Also the last one by the clock that was not set, which is stored when it is set: it follows
        // those that were held before.
        let waits = self.hold_until.is_some() || self.held.is_some();
        if !waits || !is_held(&stored, &self.parts.run) {
            return Some(stored);
        }
        let at = stored.position;
        let (first, last) = self.held.unwrap_or((at, at));
        self.held = Some((first.min(at), last.max(at)));
        None
    }

    /// Reads some of what was held, now that it is not any more, and all between has been read.
    async fn read_held(&mut self) {
        let (Some((Position(first), last)), None) = (self.held, self.hold_until) else {
            return;
        };
        let most = self.lanes.backlog.room();
        if most == 0 || self.lanes.has_backlog() {
            return;
        }
        let before = first.checked_sub(1).map(Position);
        let Some((records, read_to)) = self.read(before, most, Some(last)).await else {
            return;
        };
        let goes_on = read_to.filter(|at| *at < last);
        self.held = goes_on.map(|Position(at)| (Position(at + 1), last));
        for stored in records {
            if stored.position <= last && is_held(&stored, &self.parts.run) {
                self.lanes.backlog.push(stored);
            }
        }
    }

    async fn hand_over_record(&mut self, connection: &mut Connection, stored: Stored) {
        let now = clock::now().wall;
        let message = Message {
            gateway: &self.parts.gateway,
            run: &stored.run,
            record: &stored.record,
            historical: is_historical(&stored, &self.parts.run, connection.accepted, now),
        };
        let limit = self.parts.settings.max_payload;
        let why = match serde_json::to_vec(&message) {
            Ok(payload) if payload.len() <= limit => {
                let topic = format!("{}/{}", self.head, topic_tail(&stored.record.body));
                connection.publish(Cargo::Record(stored.position), topic, payload);
                return;
            }
            Ok(payload) => format!("{} bytes, and max_payload is {limit}", payload.len()),
            Err(error) => format!("it cannot be written as JSON: {error}"),
        };
        self.set_aside(stored, why).await;
    }

    /// A record that can never be sent. It waits, and all behind it, until the engine can be told
    /// and the disk can be written.
    pub(super) async fn set_aside(&mut self, stored: Stored, why: String) {
        let permit = match self.parts.losses.clone().try_reserve_owned() {
            Err(TrySendError::Full(_)) => {
                self.rest("the engine does not take the loss of a record".to_owned());
                self.lanes.put_back(stored);
                return;
            }
            // Nobody is left to be told: the agent is about to end, and the log has it.
            other => other.ok(),
        };
        let (boot, seq) = (stored.run.boot, stored.record.seq);
        match self
            .parts
            .store
            .set_aside(stored.position, why.clone())
            .await
        {
            Ok(loss) => {
                tracing::error!("record {seq} of boot {boot} can never be sent: {why}");
                if let Some(permit) = permit {
                    permit.send(loss);
                }
            }
            // The outbox had to give it up meanwhile, and has told so.
            Err(StoreError::Unknown(_)) => {}
            Err(error) => {
                self.rest(format!(
                    "record {seq} of boot {boot} cannot be set aside: {error}"
                ));
                self.lanes.put_back(stored);
            }
        }
    }

    /// Hands over no records for a moment; logged once for each reason, not for each attempt.
    fn rest(&mut self, why: String) {
        self.records_rest_until = Some(Instant::now() + RETRY);
        if self.resting_for.as_ref() != Some(&why) {
            tracing::warn!("records wait: {why}");
            self.resting_for = Some(why);
        }
    }
}

/// Made before this connection was accepted (a record of another run always was, whatever its
/// clock said), or old by now.
pub(super) fn is_historical(stored: &Stored, run: &Run, accepted: Wall, now: Wall) -> bool {
    let Stored {
        run: made_by,
        record: Record { ts, .. },
        relabelled,
        ..
    } = stored;
    *relabelled || made_by != run || *ts < accepted || now - *ts > LIVE_MS
}

/// Whether a record waits for the clock to be set. What an earlier run has left does not: nobody will
/// know its times any better.
fn is_held(stored: &Stored, run: &Run) -> bool {
    let Stored {
        run: made_by,
        record,
        relabelled,
        ..
    } = stored;
    let is_labelled = !*relabelled && record.clock != ClockState::Unsynced;
    made_by == run && !is_labelled && record.body.class() == Class::Summary
}

#[cfg(test)]
mod tests {
    use super::is_historical;
    use crate::store::{Position, Stored};
    use andon_core::record::{Body, Event, Record, Run};
    use andon_core::time::{ClockState, Wall};

    #[test]
    fn historical_is_what_was_made_before_the_connection_or_is_old_or_of_another_run() {
        let run = Run {
            id: 1,
            boot: 1,
            cfg: 1,
        };
        let mut stored = Stored {
            position: Position(1),
            run,
            record: Record {
                seq: 1,
                n: 1,
                ts: Wall(100_000),
                clock: ClockState::Synced,
                body: Body::Event(Event::Config {
                    what: String::new(),
                }),
            },
            relabelled: false,
        };
        let historical =
            |stored: &Stored, accepted, now| is_historical(stored, &run, Wall(accepted), Wall(now));
        assert!(!historical(&stored, 100_000, 160_000));
        assert!(
            historical(&stored, 100_001, 100_002),
            "made before this connection"
        );
        assert!(historical(&stored, 90_000, 160_001), "over 60 s old");
        stored.relabelled = true;
        assert!(historical(&stored, 90_000, 100_000), "it has waited");
        stored.relabelled = false;
        stored.run.id = 2;
        assert!(historical(&stored, 90_000, 100_000), "made by another run");
    }
}
