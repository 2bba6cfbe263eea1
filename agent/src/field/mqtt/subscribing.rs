//! What a connection subscribes to, and in which order, so that a message that closes it can be
//! traced to its filter.

use rumqttc::{AsyncClient, QoS, SubscribeFilter};
use std::collections::VecDeque;
use std::sync::Arc;

/// Filters in one SUBSCRIBE.
const BATCH: usize = 50;

/// Nobody publishes here: to unsubscribe from it is to ask the broker whether it has dealt with
/// everything before.
const NOWHERE: &str = "andon/nowhere";

/// The subscriptions of one connection, one SUBSCRIBE after the other.
pub(super) struct Subscribing {
    pending: VecDeque<Arc<str>>,
    /// Those in the last SUBSCRIBE until it is dealt with.
    pub(super) asked: Vec<Arc<str>>,
    /// One filter at a time, each until its retained message must have arrived.
    careful: bool,
    connected: bool,
}

impl Subscribing {
    /// Nothing is asked before the broker has accepted the connection.
    pub(super) fn new(pending: Vec<Arc<str>>, careful: bool) -> Subscribing {
        Subscribing {
            pending: pending.into(),
            asked: Vec::new(),
            careful,
            connected: false,
        }
    }

    /// Whether everything is subscribed to.
    pub(super) fn is_done(&self) -> bool {
        self.connected && self.pending.is_empty() && self.asked.is_empty()
    }

    /// Filters that come late, each a suspect.
    pub(super) fn add(&mut self, filters: Vec<Arc<str>>) {
        self.careful |= !filters.is_empty();
        self.pending.extend(filters);
    }

    /// Goes on unless something is on its way.
    pub(super) fn resume(&mut self, client: &AsyncClient) {
        if self.asked.is_empty() {
            self.advance(client);
        }
    }

    /// A SUBSCRIBE was acknowledged. What is retained follows; the answer to an UNSUBSCRIBE comes
    /// after it.
    pub(super) fn acknowledged(&mut self, client: &AsyncClient) {
        if self.careful && client.try_unsubscribe(NOWHERE).is_ok() {
            return;
        }
        self.advance(client);
    }

    /// Subscribes to what comes next.
    pub(super) fn advance(&mut self, client: &AsyncClient) {
        self.connected = true;
        let batch = if self.careful { 1 } else { BATCH };
        self.asked = self
            .pending
            .drain(..batch.min(self.pending.len()))
            .collect();
        if self.asked.is_empty() {
            return;
        }
        let filter = |text: &Arc<str>| SubscribeFilter::new(text.to_string(), QoS::AtLeastOnce);
        // The queue holds more than the one request that is ever on its way, and the configuration
        // lets only valid filters through.
        if let Err(error) = client.try_subscribe_many(self.asked.iter().map(filter)) {
            tracing::error!(%error, "cannot subscribe");
        }
    }
}
