//! An uplink with an outbox of its own, and the ends of all its channels.

use andon::run::OwnReports;
use andon::settings::{Broker, Payload, Upstream};
use andon::store::{self, Position, Store};
use andon::upstream::{CurrentValues, Health, Parts, Reach, Uplink, sparkplug};
use andon_core::plant::Gateway;
use andon_core::record::{Body, Event, Record, Run};
use andon_core::state::{State, Times};
use andon_core::summary::{Needs, Parts as Counts, Summary, Tier, Unrated};
use andon_core::time::{ClockState, Wall};
use rumqttc::Publish;
use serde_json::Value;
use std::future::Future;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

pub const HEAD: &str = "andon/v1/suzhou/press-shop/gw-press-1";

pub struct Rig {
    pub outbox: Store,
    pub current: CurrentValues,
    pub losses: mpsc::Receiver<Event>,
    pub reach: watch::Receiver<Reach>,
    pub own: OwnReports,
    pub run: Run,
    pub dir: TempDir,
    health: watch::Sender<Health>,
    stop: watch::Sender<bool>,
    uplink: Option<Uplink>,
    task: Option<JoinHandle<()>>,
    made: u64,
}

impl Rig {
    /// Everything but started, in a data directory of its own.
    pub fn new(settings: Upstream) -> Rig {
        Rig::in_dir(tempfile::tempdir().unwrap(), settings)
    }

    pub fn in_dir(dir: TempDir, settings: Upstream) -> Rig {
        Rig::by_clock(dir, settings, false)
    }

    /// Of a gateway whose clock has not been set, if it `waits_for_clock`.
    pub fn by_clock(dir: TempDir, settings: Upstream, waits_for_clock: bool) -> Rig {
        Rig::with(dir, settings, waits_for_clock, None)
    }

    /// Of an edge node of Sparkplug.
    pub fn of_edge_node(dir: TempDir, settings: Upstream, parts: sparkplug::Parts) -> Rig {
        Rig::with(dir, settings, false, Some(parts))
    }

    fn with(
        dir: TempDir,
        settings: Upstream,
        waits_for_clock: bool,
        sparkplug: Option<sparkplug::Parts>,
    ) -> Rig {
        let start = store::begin(dir.path(), 0x5be1_c0d2).unwrap();
        let (outbox, opened) = store::open(store::Options {
            start,
            budget: 64 << 20,
            late_ms: 0,
        })
        .unwrap();
        let run = opened.run;
        let gateway = gateway();
        let current = CurrentValues::open(dir.path(), &gateway);
        let (health, health_seen) = watch::channel(Health {
            links_up: 2,
            links_down: 0,
            devices_bad: 0,
            next: None,
            clock: ClockState::Synced,
        });
        let (reach_told, reach) = watch::channel(Reach::Trying);
        let own = OwnReports::new();
        let (losses_told, losses) = mpsc::channel(4);
        let uplink = Uplink::new(Parts {
            settings,
            gateway,
            run,
            store: outbox.clone(),
            current: current.clone(),
            health: health_seen,
            waits_for_clock,
            losses: losses_told,
            reach: reach_told,
            own: own.clone(),
            sparkplug,
            ear: None,
        });
        Rig {
            outbox,
            current,
            losses,
            reach,
            own,
            run,
            dir,
            health,
            stop: watch::channel(false).0,
            uplink: Some(uplink),
            task: None,
            made: 0,
        }
    }

    pub fn start(&mut self) {
        let uplink = self.uplink.take().expect("started once");
        self.task = Some(tokio::spawn(uplink.run(self.stop.subscribe())));
    }

    /// Stops orderly and waits for it; hands back the data directory.
    pub async fn stop(mut self) -> TempDir {
        self.stop.send_replace(true);
        self.task.take().expect("it was started").await.unwrap();
        self.outbox.close().await;
        self.dir
    }

    /// The end of a run that sent nothing.
    pub async fn unstarted(mut self) -> TempDir {
        self.uplink = None;
        self.outbox.close().await;
        self.dir
    }

    /// Puts records on disk: by turns of two devices and of the journal.
    pub async fn make(&mut self, count: u64) {
        let bodies = (self.made..self.made + count).map(|made| match made % 3 {
            0 => summary("press-1"),
            1 => summary("press-2"),
            _ => event("as usual"),
        });
        self.make_of(bodies.collect()).await;
    }

    /// Puts entries of the journal on disk, which go in their order.
    pub async fn journal(&mut self, count: u64) {
        let bodies = (0..count).map(|_| event("as usual"));
        self.make_of(bodies.collect()).await;
    }

    /// Puts records on disk that say this.
    pub async fn make_of(&mut self, bodies: Vec<Body>) {
        let mut records = Vec::new();
        for body in bodies {
            self.made += 1;
            records.push(Record {
                seq: self.made,
                n: self.made.div_ceil(3),
                ts: andon::clock::now().wall,
                clock: ClockState::Synced,
                body,
            });
        }
        self.outbox.commit(records, None, None).await.unwrap();
    }

    pub fn change_health(&self, change: impl FnOnce(&mut Health)) {
        self.health.send_modify(change);
    }

    /// The numbers of the records that wait.
    pub async fn waiting(&self) -> Vec<u64> {
        let stored = self
            .outbox
            .read(None::<Position>, usize::MAX)
            .await
            .unwrap();
        stored.iter().map(|stored| stored.record.seq).collect()
    }

    /// Waits until so many records wait.
    pub async fn until_waiting(&self, count: u64) {
        self.outbox
            .view()
            .wait_for(|view| view.waiting == count)
            .await
            .unwrap();
    }

    /// Waits until the broker is unreachable, and says why.
    pub async fn until_unreachable(&mut self) -> String {
        let unreachable = |reach: &Reach| matches!(reach, Reach::Unreachable(_));
        match &*self.reach.wait_for(unreachable).await.unwrap() {
            Reach::Unreachable(why) => why.clone(),
            other => panic!("{other:?}"),
        }
    }

    pub async fn until_reached(&mut self) {
        self.reach
            .wait_for(|reach| *reach == Reach::Reached)
            .await
            .unwrap();
    }
}

pub fn gateway() -> Gateway {
    Gateway {
        root: "andon".into(),
        site: "suzhou".into(),
        area: "press-shop".into(),
        id: "gw-press-1".into(),
    }
}

pub fn settings(port: u16) -> Upstream {
    Upstream {
        payload: Payload::Json,
        others: Vec::new(),
        keep_alive: Duration::from_secs(30),
        broker: Broker {
            host: "127.0.0.1".into(),
            port,
            tls: None,
            username: None,
            username_file: None,
            password_file: None,
        },
        max_payload: 10_000,
        ack_timeout: Duration::from_secs(20),
        window: 32,
        replay: 100_000,
        commands: None,
    }
}

pub fn event(what: &str) -> Body {
    Body::Event(Event::Config { what: what.into() })
}

pub fn summary(device: &str) -> Body {
    let mut times = Times::default();
    times.add(State::Producing, 60_000);
    Body::Summary(Box::new(Summary {
        device: device.into(),
        line: None,
        tier: Tier::Minute,
        shift: None,
        start: Wall(1_790_000_040_000),
        end: Wall(1_790_000_100_000),
        fold: 0,
        rev: 0,
        merged: 1,
        clock_step_ms: 0,
        every_ms: 1000,
        times,
        uncounted_ms: 0,
        parts: Counts::default(),
        failures: 0,
        repairs: 0,
        repair_ms: 0,
        capacity: None,
        unrated: Unrated::NONE,
        needs: Needs {
            coverage: 5000,
            exposure_ms: 1_800_000,
            no_scrap: false,
        },
    }))
}

pub fn json(publish: &Publish) -> Value {
    serde_json::from_slice(&publish.payload).unwrap()
}

pub fn seq(publish: &Publish) -> u64 {
    json(publish)["seq"].as_u64().expect("a record")
}

/// No test waits for ever: a hang is a failure with a name.
pub async fn within<T>(test: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, test)
        .await
        .expect("what the test waits for happens")
}
