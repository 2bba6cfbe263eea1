//! All topics of a link: the fewest filters that let their messages through, and whose a message is.

use super::filter::{covers, matches};
use super::silence::{Voice, is_deaf, is_to_be_asked};
use super::topic::{Heard, Topic};
use crate::field::payload::sparkplug::{Address, Session, What};
use andon_core::time::Mono;
use std::collections::HashMap;
use std::sync::Arc;

/// Topics that nobody reads and that are named.
const NAMED: usize = 20;

/// All topics of a link.
pub(super) struct Topics {
    pub(super) all: Vec<Topic>,
    by_name: HashMap<Arc<str>, usize>,
    /// Those with `+` in their name.
    patterns: Vec<usize>,
    /// What the present connection subscribes to.
    subscribed: Vec<Arc<str>>,
    /// The connection was made anew in this silence.
    connected_anew: bool,
    unread: Unread,
}

/// What is to be done about a silence.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing, or all that could be done was done.
    Wait,
    /// Subscribe anew to these.
    Subscribe(Vec<Arc<str>>),
    /// Connect anew.
    Connect,
}

impl Topics {
    pub(super) fn new(all: Vec<Topic>) -> Topics {
        let named = |wild: bool| {
            let topics = all.iter().zip(0..);
            topics.filter(move |(topic, _)| is_wild(&topic.name) == wild)
        };
        Topics {
            by_name: named(false)
                .map(|(topic, at)| (topic.name.clone(), at))
                .collect(),
            patterns: named(true).map(|(_, at)| at).collect(),
            all,
            subscribed: Vec::new(),
            connected_anew: false,
            unread: Unread::default(),
        }
    }

    /// The topics whose message one is that arrived, and what it is for each.
    pub(super) fn route(&self, name: &str) -> Vec<(usize, Heard)> {
        if let Some(address) = Address::of(name) {
            return self.route_metrics(&address);
        }
        let exact = self.by_name.get(name).copied();
        let matching = |at: &usize| matches(&self.all[*at].name, name);
        let wild = self.patterns.iter().copied().filter(matching);
        let topics = exact.into_iter().chain(wild);
        topics.map(|at| (at, Heard::Itself)).collect()
    }

    fn route_metrics(&self, address: &Address<'_>) -> Vec<(usize, Heard)> {
        let own = self.by_name.get(address.data_topic().as_str()).copied();
        let own = own.map(|at| (at, Heard::Sparkplug(address.what)));
        let others = match (address.what, address.device) {
            // With its birth the node begins anew, and its devices are yet to be born.
            (What::Birth, None) => Heard::NodeBirth,
            // With the node its devices die.
            (What::Death, None) => Heard::Sparkplug(What::Death),
            _ => return own.into_iter().collect(),
        };
        let topics = self.all.iter().zip(0..);
        let of_node = topics.filter(|(topic, _)| is_of_node(&topic.name, address));
        let of_node = of_node.map(|(_, at)| (at, others));
        // The node's own metrics last: its birth certificate names them.
        let not_own = |(at, _): &(usize, Heard)| {
            others == Heard::NodeBirth || own.is_none_or(|(own, _)| own != *at)
        };
        of_node.filter(not_own).chain(own).collect()
    }

    /// What a new connection is to subscribe to: the fewest filters, or single ones to find the
    /// topic whose message is too large.
    pub(super) fn subscribe(&mut self, singly: bool) -> Vec<Arc<str>> {
        let filters = if singly {
            self.single_filters()
        } else {
            self.fewest_filters()
        };
        self.subscribed.clone_from(&filters);
        filters
    }

    /// What to do now about topics that usually speak and do not.
    pub(super) fn step(&mut self, now: Mono) -> Step {
        let mut silent = Vec::new();
        for filter in &self.subscribed {
            let through = |topic: &&mut Topic| topic.own.iter().any(|own| covers(filter, own));
            let topics = self.all.iter_mut().filter(through);
            let mut voices: Vec<&mut Voice> = topics.map(|topic| &mut topic.voice).collect();
            if is_to_be_asked(&mut voices, now) {
                silent.push(filter.clone());
            }
        }
        if !silent.is_empty() {
            return Step::Subscribe(silent);
        }
        let voices = self.all.iter().map(|topic| &topic.voice);
        if !self.connected_anew && is_deaf(voices, now) {
            self.connected_anew = true;
            return Step::Connect;
        }
        Step::Wait
    }

    /// A message arrived on a topic; whether it is the last one once more.
    pub(super) fn heard(
        &mut self,
        topic: usize,
        at: Mono,
        name: &str,
        payload: &[u8],
        live: bool,
    ) -> bool {
        self.connected_anew &= !live;
        self.all[topic].voice.heard(at, name, payload, live)
    }

    /// The fewest filters through which everything comes that is read.
    fn fewest_filters(&self) -> Vec<Arc<str>> {
        // A message over the limit comes through a shared filter too.
        let closed: Vec<&Arc<str>> = self
            .all
            .iter()
            .filter(|topic| topic.left_out_until.is_some())
            .flat_map(|topic| topic.shared.iter().chain(&topic.own))
            .collect();
        let open = self
            .all
            .iter()
            .filter(|topic| topic.left_out_until.is_none());
        let mut filters: Vec<Arc<str>> = open
            .flat_map(|topic| {
                let is_open = !topic.shared.is_empty()
                    && topic.shared.iter().all(|shared| !closed.contains(&shared));
                if is_open { &topic.shared } else { &topic.own }
            })
            .cloned()
            .collect();
        filters.sort_unstable();
        filters.dedup();
        let wild: Vec<Arc<str>> = filters.iter().filter(|f| is_wild(f)).cloned().collect();
        filters.retain(|filter| !wild.iter().any(|w| w != filter && covers(w, filter)));
        filters
    }

    /// Those that each topic has for itself.
    fn single_filters(&self) -> Vec<Arc<str>> {
        let open = self
            .all
            .iter()
            .filter(|topic| topic.left_out_until.is_none());
        let mut filters: Vec<Arc<str>> = open.flat_map(|topic| topic.own.clone()).collect();
        filters.sort_unstable();
        filters.dedup();
        filters
    }

    /// Ends the time of those that have been left out for long enough, and returns their filters.
    pub(super) fn let_in(&mut self, now: Mono) -> Vec<Arc<str>> {
        let over = |topic: &mut Topic| topic.left_out_until.take_if(|until| *until <= now);
        let mut filters = Vec::new();
        for topic in &mut self.all {
            if over(topic).is_some() {
                filters.extend(topic.own.clone());
            }
        }
        filters
    }

    /// Names a topic through a filter that nobody reads, a few of them.
    pub(super) fn nobody_reads(&mut self, link: &str, name: &str) {
        // Certificates and commands come along with the data of devices that are read.
        let is_expected =
            |address: Address<'_>| address.what != What::Data || address.device.is_none();
        if name.starts_with("spBv1.0/") && Address::of(name).is_none_or(is_expected) {
            return;
        }
        if self.unread.is_news(name) {
            tracing::warn!(
                link,
                topic = name,
                "nobody reads this topic; is its device missing, or its `address`?"
            );
        }
    }

    /// Metrics are named anew on each connection: certificates may have been missed.
    pub(super) fn forget_metrics(&mut self) {
        let sessions = self
            .all
            .iter_mut()
            .filter_map(|topic| topic.session.as_mut());
        sessions.for_each(Session::forget);
    }
}

fn is_wild(filter: &str) -> bool {
    filter.split('/').any(|level| level == "+")
}

fn is_of_node(data_topic: &str, node: &Address<'_>) -> bool {
    let same = |own: Address<'_>| own.group == node.group && own.node == node.node;
    Address::of(data_topic).is_some_and(same)
}

/// Topics that come through a filter and that nobody reads.
#[derive(Debug, Default)]
struct Unread {
    named: Vec<Box<str>>,
}

impl Unread {
    fn is_news(&mut self, name: &str) -> bool {
        let is_news = self.named.len() < NAMED && self.named.iter().all(|known| **known != *name);
        if is_news {
            self.named.push(name.into());
        }
        is_news
    }
}
