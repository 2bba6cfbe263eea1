//! The agent without its sockets, its disk and its clocks: the time is that of the log.

use crate::log::{Line, Sent, folder};
use crate::totals::Windows;
use andon::config;
use andon::field::payload::{Payload, Reader};
use andon::field::push;
use andon::settings::{LinkKind, Settings};
use andon_core::engine::{Action, Engine};
use andon_core::message::Message;
use andon_core::modbus::plan::Plan;
use andon_core::record::{Body, Record, Run};
use andon_core::tag::{LinkIndex, Source};
use andon_core::time::{ClockState, Mono, Now, Wall};
use serde_json::Value as Json;
use std::sync::Arc;

const RUN: Run = Run {
    id: 1,
    boot: 1,
    cfg: 1,
};

pub struct Agent {
    settings: Settings,
    engine: Engine,
    /// What the wall clock shows at moment 0 of the monotonic one.
    zero: i64,
    records: Vec<Record>,
}

impl Agent {
    /// One with a configuration of `tests/replay/`, from a moment on.
    pub fn start(config: &str, begin: i64) -> Agent {
        let loaded = config::load(&folder().join(config));
        let loaded = loaded.unwrap_or_else(|report| panic!("{report}"));
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
        let plant = Arc::new(loaded.settings.plant.clone());
        let plan = Arc::new(Plan::new(&plant));
        // Some days after it was switched on.
        let zero = begin - 300_000_000;
        let mut agent = Agent {
            engine: Engine::new(plant, plan, RUN, at(zero, begin), None),
            settings: loaded.settings,
            zero,
            records: Vec::new(),
        };
        agent.act();
        agent
    }

    /// Time passes, as the engine wants to be told of it.
    pub fn pass(&mut self, to: i64) {
        let end = at(self.zero, to);
        while self.engine.poll_deadline() <= end.mono {
            let due = self.engine.poll_deadline();
            let wall = Wall(self.zero + i64::try_from(due.0).unwrap());
            self.engine.handle_time(Now {
                mono: due,
                wall,
                ..end
            });
            self.act();
        }
    }

    /// A line arrives now.
    pub fn hear(&mut self, line: &Line, now: i64) {
        let now = at(self.zero, now).mono;
        match &line.sent {
            Sent::Message(topic, payload) => self.message(now, topic, payload),
            Sent::Push(body) => self.push(now, body),
        }
        self.act();
    }

    fn message(&mut self, now: Mono, name: &str, payload: &str) {
        let LinkKind::Mqtt(link) = &self.settings.links[0].kind else {
            panic!("no broker");
        };
        let topics = link.topics.iter().filter(|topic| *topic.name == *name);
        let readers: Vec<_> = topics.flat_map(|topic| &topic.readers).collect();
        assert_eq!(readers.len(), 1, "{name} is the topic of one device");
        let plant = &self.settings.plant;
        let model = &plant.device(readers[0].device).model;
        let places = readers[0].tags.iter().map(|index| {
            let Source::Message(place) = &model.tags[usize::from(index.0)].source else {
                panic!("no message tag");
            };
            (*index, place)
        });
        let reader = Reader {
            device: &readers[0].called,
            zone: &plant.calendar.zone,
            retained: false,
        };
        let samples = Payload::new(payload.as_bytes(), 4096).samples(places, reader);
        self.engine
            .handle_readings(readers[0].device, now, &samples);
    }

    fn push(&mut self, now: Mono, body: &str) {
        let pushed = push::samples(body.as_bytes(), &self.settings.plant, &[LinkIndex(0)]);
        for pushed in pushed.unwrap_or_else(|error| panic!("{error}: {body}")) {
            self.engine
                .handle_readings(pushed.device, now, &pushed.samples);
        }
    }

    fn act(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            if let Action::Store(record) = action {
                self.records.push(record);
            }
        }
    }

    /// Summaries and tags, as they would be published.
    pub fn windows(&self) -> Windows {
        let mut windows = Windows::new();
        for record in &self.records {
            let kind = match record.body {
                Body::Summary(_) => "kpi",
                Body::Tags(_) => "tags",
                Body::Event(_) => continue,
            };
            let message = Message {
                gateway: &self.settings.plant.gateway,
                run: &RUN,
                record,
                historical: false,
            };
            let json: Json = serde_json::to_value(&message).unwrap();
            let text = |key: &str| json[key].as_str().unwrap().to_owned();
            let key = (text("device"), format!("{kind}/{}", text("window")));
            windows.entry(key).or_default().push(json);
        }
        windows
    }
}

fn at(zero: i64, wall: i64) -> Now {
    Now {
        mono: Mono(u64::try_from(wall - zero).unwrap()),
        wall: Wall(wall),
        clock: ClockState::Synced,
    }
}
