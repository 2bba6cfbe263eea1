//! What goes over a connection next: current values first, then records in the order of the
//! outbox, as many as the window has room for.

use super::Uplink;
use super::current::{Due, STATUS};
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
/// So many records are looked at in a turn, for what does not wait among those that do.
pub(super) const LOOK: usize = 256;
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
        while connection.has_room() {
            self.parts.current.save_list().await;
            if let Some(due) = self.parts.current.next() {
                self.hand_over_current(connection, due);
            } else if let Some(stored) = self.next_record(connection).await {
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

    pub(super) async fn next_record(&mut self, connection: &mut Connection) -> Option<Stored> {
        if self.records_rest_until.is_some() {
            return None;
        }
        if connection.ready.is_empty() {
            self.read_on(connection).await;
        }
        connection.ready.pop_front()
    }

    /// Reads what comes next; what was held goes beside it, a window of each in turn.
    async fn read_on(&mut self, connection: &mut Connection) {
        if self.hold_until.is_none() && connection.held.is_some() {
            self.read_held(connection).await;
        }
        let newest = self.view.borrow().newest;
        let is_holding = self.hold_until.is_some();
        self.looks_on = !is_holding && connection.held.is_some();
        if newest <= connection.read_to {
            return;
        }
        let most = match is_holding {
            true => LOOK,
            false => usize::from(self.parts.settings.window),
        };
        match self.parts.store.read(connection.read_to, most).await {
            Ok(records) => {
                let last = records.last().map(|stored| stored.position);
                // Fewer than asked for: up to the newest there are no others.
                let end = (records.len() < most).then_some(newest).flatten();
                connection.read_to = connection.read_to.max(last).max(end);
                for stored in records {
                    // Also the last one by the clock that was not set, which is stored when it is set:
                    // it follows those that were held before.
                    let waits = is_holding || connection.held.is_some();
                    if waits && is_held(&stored, &self.parts.run) {
                        let at = stored.position;
                        connection.held = connection
                            .held
                            .map_or(Some((at, at)), |(first, _)| Some((first, at)));
                    } else {
                        connection.ready.push_back(stored);
                    }
                }
                self.looks_on |= is_holding && connection.read_to < newest;
                self.resting_for = None;
            }
            Err(error) => self.rest(format!("the outbox cannot be read: {error}")),
        }
    }

    /// Reads some of what was held, now that it is not any more.
    async fn read_held(&mut self, connection: &mut Connection) {
        let Some((Position(first), last)) = connection.held else {
            return;
        };
        let before = first.checked_sub(1).map(Position);
        match self.parts.store.read(before, LOOK).await {
            Ok(records) => {
                let read_to = records.last().map(|stored| stored.position);
                let goes_on = read_to.filter(|at| *at < last && records.len() == LOOK);
                connection.held = goes_on.map(|Position(at)| (Position(at + 1), last));
                let held = records
                    .into_iter()
                    .filter(|stored| stored.position <= last && is_held(stored, &self.parts.run));
                connection.ready.extend(held);
            }
            Err(error) => self.rest(format!("the outbox cannot be read: {error}")),
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
        self.set_aside(connection, stored, why).await;
    }

    /// A record that can never be sent. It waits, and all behind it, until the engine can be told
    /// and the disk can be written.
    pub(super) async fn set_aside(
        &mut self,
        connection: &mut Connection,
        stored: Stored,
        why: String,
    ) {
        let permit = match self.parts.losses.clone().try_reserve_owned() {
            Err(TrySendError::Full(_)) => {
                self.rest("the engine does not take the loss of a record".to_owned());
                connection.ready.push_front(stored);
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
                connection.ready.push_front(stored);
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
