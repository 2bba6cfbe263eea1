//! What a central system would see: a subscriber of its own, that knows nothing but the topics.
//!
//! It keeps the newest of each current value, counts every record once by (`gateway`, `run`,
//! `seq`), and adds up the parts in the `1m` summaries. Its memory does not grow with time: of the
//! numbers it keeps only how far they are unbroken and what lies beyond, of the windows only sums.

use crate::demo::broker::Broker;
use rumqttc::mqttbytes::QoS;
use rumqttc::{AsyncClient, Event, MqttOptions, Packet};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Newest records kept to be shown.
const NEWEST: usize = 8;

/// Everything seen, shared by the subscriber and those who show it.
#[derive(Debug, Clone, Default)]
pub struct Watch(Arc<Mutex<Seen>>);

impl Watch {
    /// What was seen up to now. Taking a message does not panic half-way, so a poisoned lock
    /// guards a whole state.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Subscribes to everything, for ever; on a lost connection with a new client.
    pub async fn run(self, broker: Arc<Broker>) {
        loop {
            let address = broker.address();
            let mut options =
                MqttOptions::new("andon-demo-watch", address.ip().to_string(), address.port());
            options.set_max_packet_size(1 << 20, 1 << 20);
            let (client, mut events) = AsyncClient::new(options, 8);
            if client.subscribe("#", QoS::AtLeastOnce).await.is_ok() {
                while let Ok(event) = events.poll().await {
                    if let Event::Incoming(Packet::Publish(message)) = event {
                        self.seen().take(&message.topic, &message.payload);
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
}

/// Everything seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// The gateway's own word.
    pub gateway: Gateway,
    /// The machines, by id.
    pub devices: BTreeMap<String, Device>,
    /// Alarms that are not normal, by id.
    pub alarms: BTreeMap<String, Alarm>,
    /// Links, by id, as the journal tells of them.
    pub links: BTreeMap<String, Link>,
    /// The newest records, newest last.
    pub newest: VecDeque<Line>,
    /// Records of each (gateway, run).
    pub records: BTreeMap<(String, String), Numbers>,
    /// Records that came more than once.
    pub duplicates: u64,
}

/// The gateway's own word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gateway {
    /// Whether it is there.
    pub online: bool,
    /// Links that answer.
    pub links_up: u64,
    /// Links that do not.
    pub links_down: u64,
    /// Records waiting in its outbox.
    pub waiting: u64,
}

/// One machine.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Device {
    /// As people say it.
    pub name: String,
    /// State, the word of the contract.
    pub state: String,
    /// Since when.
    pub since_ms: Option<i64>,
    /// What its code means, English and Chinese.
    pub cause: [Option<String>; 2],
    /// Why the quality is not good.
    pub reason: Option<String>,
    /// The newest minute.
    pub minute: Option<Minute>,
    /// Parts in all minutes.
    pub published: u64,
    /// End of the newest minute.
    pub published_until_ms: Option<i64>,
}

/// The figures of the newest minute.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Minute {
    /// Capacity utilisation.
    pub capacity_utilisation: Option<f64>,
    /// Availability.
    pub availability: Option<f64>,
    /// Fault time ratio.
    pub fault_time_ratio: Option<f64>,
    /// Coverage.
    pub coverage: Option<f64>,
}

/// An alarm that is not normal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alarm {
    /// Where it is in its life.
    pub state: String,
    /// How urgent.
    pub priority: String,
    /// Whether its condition can be judged.
    pub undecided: bool,
    /// Since when.
    pub raised_ms: Option<i64>,
    /// For people, English and Chinese.
    pub text: [String; 2],
}

impl Alarm {
    /// Whether its condition holds.
    pub fn is_active(&self) -> bool {
        self.state.ends_with("-active")
    }
}

/// A link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    /// Whether it answers.
    pub up: bool,
    /// Since when.
    pub since_ms: i64,
    /// Why it does not.
    pub why: Option<String>,
}

/// A record, to be shown in one line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// Its number.
    pub seq: u64,
    /// When it was made.
    pub ts_ms: i64,
    /// What it says, in the contract's words.
    pub what: String,
}

/// The numbers of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers {
    through: u64,
    beyond: BTreeSet<u64>,
    told: u64,
}

impl Numbers {
    /// Takes a number; false if it was there before.
    fn take(&mut self, seq: u64) -> bool {
        if seq <= self.through || !self.beyond.insert(seq) {
            return false;
        }
        while self.beyond.remove(&(self.through + 1)) {
            self.through += 1;
        }
        true
    }

    /// Records received, without repetitions and those that only a `loss` or `merged` event told.
    pub fn received(&self) -> u64 {
        self.through + self.beyond.len() as u64 - self.told
    }

    /// Numbers missing below the highest.
    pub fn holes(&self) -> u64 {
        let last = self.beyond.last().copied().unwrap_or(self.through);
        last - self.through - self.beyond.len() as u64
    }
}

impl Seen {
    /// Records received, each counted once.
    pub fn received(&self) -> u64 {
        self.records.values().map(Numbers::received).sum()
    }

    /// Numbers missing below the highest of each run.
    pub fn holes(&self) -> u64 {
        self.records.values().map(Numbers::holes).sum()
    }

    /// Takes a message; what is not the agent's is left alone.
    pub fn take(&mut self, topic: &str, payload: &[u8]) {
        let mut levels = topic.splitn(6, '/');
        let (Some("andon"), Some("v1"), Some(tail)) = (levels.next(), levels.next(), levels.nth(3))
        else {
            return;
        };
        let tail: Vec<&str> = tail.split('/').collect();
        if payload.is_empty() {
            self.clear(&tail);
            return;
        }
        let Ok(message) = serde_json::from_slice::<Value>(payload) else {
            return;
        };
        let message = Message(&message);
        if message.number("seq").is_some() && !self.is_new(message) {
            return;
        }
        match tail[..] {
            ["status"] => self.gateway = gateway(message),
            ["event"] => self.event(message),
            [device, "info"] => self.device(device).name = message.text("name"),
            [device, "state"] => self.state(device, message),
            [_, "alarm", _] => self.alarm(message),
            [device, "kpi", "1m"] => self.minute(device, message),
            _ => {}
        }
    }

    fn clear(&mut self, tail: &[&str]) {
        match tail {
            [device, "alarm", alarm] => {
                self.alarms.remove(&format!("{device}.{alarm}"));
            }
            [device, "info"] => {
                self.devices.remove(*device);
            }
            _ => {}
        }
    }

    /// Counts a record; false if it was there before.
    fn is_new(&mut self, message: Message<'_>) -> bool {
        let run = (message.text("gateway"), message.text("run"));
        let seq = message.number("seq").unwrap_or(0);
        let new = self.records.entry(run).or_default().take(seq);
        self.duplicates += u64::from(!new);
        new
    }

    fn device(&mut self, id: &str) -> &mut Device {
        self.devices.entry(String::from(id)).or_default()
    }

    fn state(&mut self, id: &str, message: Message<'_>) {
        let device = self.device(id);
        device.state = message.text("state");
        device.since_ms = message.time("since_ms");
        device.cause = [message.maybe("cause"), message.maybe("cause_zh")];
        device.reason = message.maybe("reason");
    }

    fn alarm(&mut self, message: Message<'_>) {
        let id = message.text("id");
        let state = message.text("state");
        if state == "normal" {
            self.alarms.remove(&id);
            return;
        }
        let alarm = Alarm {
            state,
            priority: message.text("priority"),
            undecided: message.text("quality") == "bad",
            raised_ms: message.time("raised_ms"),
            text: [message.text("text_en"), message.text("text_zh")],
        };
        self.alarms.insert(id, alarm);
    }

    fn minute(&mut self, id: &str, message: Message<'_>) {
        let device = self.device(id);
        device.minute = Some(Minute {
            capacity_utilisation: message.ratio("capacity_utilisation"),
            availability: message.ratio("availability"),
            fault_time_ratio: message.ratio("fault_time_ratio"),
            coverage: message.ratio("coverage"),
        });
        device.published += message.number("total").unwrap_or(0);
        device.published_until_ms = device.published_until_ms.max(message.time("end_ms"));
        let total = message
            .number("total")
            .map(|total| format!(", {total} parts"));
        self.show(message, format!("{id} 1m{}", total.unwrap_or_default()));
    }

    fn event(&mut self, message: Message<'_>) {
        let event = message.text("event");
        let subject = match event.as_str() {
            "alarm" | "link" => message.text("what"),
            _ => message.text("device"),
        };
        let detail = match event.as_str() {
            "state" | "alarm" | "link" | "clock" => {
                format!("{} -> {}", message.text("from"), message.text("to"))
            }
            _ => message.text("what"),
        };
        match event.as_str() {
            "link" => {
                let link = Link {
                    up: message.text("to") == "up",
                    since_ms: message.time("ts").unwrap_or(0),
                    why: message.maybe("why"),
                };
                self.links.insert(subject.clone(), link);
            }
            "loss" | "merged" => self.told(message),
            _ => {}
        }
        let words = [event, subject, detail];
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        self.show(message, words.join(" "));
    }

    /// Numbers that will never come, and were told of.
    fn told(&mut self, message: Message<'_>) {
        let run = (message.text("gateway"), message.text("of_run"));
        let numbers = [message.number("seq_from"), message.number("seq_to")];
        if let [Some(from), Some(to)] = numbers {
            let records = self.records.entry(run).or_default();
            for seq in from..=to {
                records.told += u64::from(records.take(seq));
            }
        }
    }

    fn show(&mut self, message: Message<'_>, what: String) {
        if self.newest.len() == NEWEST {
            self.newest.pop_front();
        }
        self.newest.push_back(Line {
            seq: message.number("seq").unwrap_or(0),
            ts_ms: message.time("ts").unwrap_or(0),
            what,
        });
    }
}

fn gateway(message: Message<'_>) -> Gateway {
    Gateway {
        online: message.text("status") == "online",
        links_up: message.number("links_up").unwrap_or(0),
        links_down: message.number("links_down").unwrap_or(0),
        waiting: message.number("waiting").unwrap_or(0),
    }
}

/// A payload, key by key; what is missing or null is told as none or empty.
#[derive(Debug, Clone, Copy)]
struct Message<'a>(&'a Value);

impl Message<'_> {
    fn maybe(self, key: &str) -> Option<String> {
        self.0.get(key)?.as_str().map(String::from)
    }

    fn text(self, key: &str) -> String {
        self.maybe(key).unwrap_or_default()
    }

    fn number(self, key: &str) -> Option<u64> {
        self.0.get(key)?.as_u64()
    }

    fn time(self, key: &str) -> Option<i64> {
        self.0.get(key)?.as_i64()
    }

    fn ratio(self, key: &str) -> Option<f64> {
        self.0.get(key)?.as_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "andon/v1/demo/press-shop/gw-demo";

    fn take(seen: &mut Seen, tail: &str, payload: &str) {
        seen.take(&format!("{HEAD}/{tail}"), payload.as_bytes());
    }

    fn record(seq: u64, rest: &str) -> String {
        format!(r#"{{"gateway":"gw-demo","run":"aa","seq":{seq},"ts":{seq}000,{rest}}}"#)
    }

    #[test]
    fn a_record_counts_once_and_a_missing_number_is_a_hole_until_it_comes() {
        let mut seen = Seen::default();
        let minute = r#""total":17,"end_ms":60000,"availability":0.8"#;
        for seq in [1, 3, 3, 4] {
            take(&mut seen, "press-1/kpi/1m", &record(seq, minute));
        }
        assert_eq!((seen.received(), seen.holes(), seen.duplicates), (3, 1, 1));
        assert_eq!(seen.devices["press-1"].published, 51);
        take(&mut seen, "event", &record(2, r#""event":"state""#));
        assert_eq!((seen.received(), seen.holes()), (4, 0));
    }

    #[test]
    fn a_number_that_a_loss_event_tells_of_is_neither_a_hole_nor_received() {
        let mut seen = Seen::default();
        take(&mut seen, "event", &record(1, r#""event":"state""#));
        let loss = r#""event":"loss","of_run":"aa","seq_from":2,"seq_to":3"#;
        take(&mut seen, "event", &record(4, loss));
        assert_eq!((seen.received(), seen.holes()), (2, 0));
    }

    #[test]
    fn the_newest_current_value_counts_and_an_empty_one_clears() {
        let mut seen = Seen::default();
        take(
            &mut seen,
            "press-1/state",
            r#"{"state":"producing","since_ms":5}"#,
        );
        take(
            &mut seen,
            "press-1/state",
            r#"{"state":"faulted","cause":"light curtain tripped","since_ms":9}"#,
        );
        assert_eq!(seen.devices["press-1"].state, "faulted");
        assert_eq!(seen.devices["press-1"].since_ms, Some(9));
        let alarm = r#"{"id":"press-1.fault","state":"unack-active","quality":"bad"}"#;
        take(&mut seen, "press-1/alarm/fault", alarm);
        assert!(seen.alarms["press-1.fault"].undecided);
        take(&mut seen, "press-1/alarm/fault", "");
        assert!(seen.alarms.is_empty());
        take(
            &mut seen,
            "status",
            r#"{"status":"online","links_down":1,"waiting":3}"#,
        );
        assert_eq!(
            seen.gateway,
            Gateway {
                online: true,
                links_up: 0,
                links_down: 1,
                waiting: 3
            }
        );
        take(
            &mut seen,
            "event",
            &record(1, r#""event":"link","what":"press-2","to":"down""#),
        );
        assert!(!seen.links["press-2"].up);
        assert_eq!(seen.newest.back().unwrap().what, "link press-2  -> down");
    }

    #[test]
    fn what_is_not_the_agents_is_left_alone() {
        let mut seen = Seen::default();
        seen.take("oven/7/state", b"{\"seq\":1}");
        seen.take("andon/v1/a", b"{\"seq\":1}");
        take(&mut seen, "event", "not JSON");
        assert_eq!(seen, Seen::default());
    }
}
