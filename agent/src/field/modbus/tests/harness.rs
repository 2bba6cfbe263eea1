//! What the tests of links share: values that name their register, and a running link.

use super::super::*;
use crate::settings::Endpoint;
use andon_core::modbus::plan::Plan;
use andon_core::plant::Device;
use andon_core::sample::Reading;
use andon_core::tag::{LinkIndex, Table, TagIndex};
use errand::Errands;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub(super) fn value(unit: u8, address: u16) -> u16 {
    address.wrapping_mul(31).wrapping_add(u16::from(unit) << 8) ^ 0x5A5A
}

pub(super) fn bit(unit: u8, address: u16) -> bool {
    value(unit, address).count_ones() % 2 == 1
}

pub(super) fn tcp_link(port: u16, timeout: Duration) -> Modbus {
    Modbus {
        endpoint: Endpoint::Tcp {
            host: "127.0.0.1".to_owned(),
            port,
        },
        timeout,
        allow_write: vec![],
    }
}

pub(super) fn read(table: Table, unit: u8, start: u16, count: u16, every_ms: u64) -> Read {
    let (link, device) = (LinkIndex(0), DeviceIndex(u16::from(unit)));
    Read {
        link,
        device,
        unit,
        table,
        start,
        count,
        every_ms,
        tags: [].into(),
    }
}

pub(super) fn is_right(read: &Read, answer: &Answer) -> bool {
    let addresses = read.start..read.start + read.count;
    match answer {
        Answer::Registers(registers) => {
            !read.table.is_bits()
                && registers
                    .iter()
                    .copied()
                    .eq(addresses.map(|at| value(read.unit, at)))
        }
        Answer::Bits(bits) => {
            read.table.is_bits()
                && bits
                    .iter()
                    .copied()
                    .eq(addresses.map(|at| bit(read.unit, at)))
        }
    }
}

/// The manners of a device that is given so long.
pub(super) fn patient(patience: Duration) -> Manners {
    Manners {
        timeout_ms: millis(patience),
        ..Manners::default()
    }
}

/// A meter of a link with nothing behind it.
pub(super) fn idle_meter(endpoint: &Endpoint) -> Meter {
    Meter::new("plc".into(), endpoint, std::iter::empty(), clock::mono())
}

/// A running link with what it tells.
pub(super) struct Link {
    pub(super) plan: Arc<Plan>,
    pub(super) rx: mpsc::Receiver<FromField>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    pub(super) meter: Meter,
    pub(super) errands: Errands,
}

/// The device of a read, with an empty model.
pub(super) fn behind(read: &Read, manners: Manners) -> Behind {
    let model = Model {
        every_ms: 1000,
        tags: vec![],
        state: None,
        codes: vec![],
        rates: None,
    };
    Behind {
        device: read.device,
        unit: read.unit,
        manners,
        model: Arc::new(model),
    }
}

pub(super) fn device(behind: &Behind) -> Device {
    Device {
        id: format!("d{}", behind.unit).into(),
        name: "d".into(),
        line: None,
        asset: None,
        profile: None,
        link: LinkIndex(0),
        unit: behind.unit,
        manners: behind.manners,
        model: behind.model.clone(),
        rated_rate: None,
        stale_after_ms: 3000,
        late_ms: 0,
        publishes: andon_core::summary::TierSet::ALL,
        publishes_tags: andon_core::summary::TierSet::NONE,
        no_scrap: false,
        min_coverage: 5000,
        min_exposure_ms: 1_800_000,
        merge_faults_ms: 0,
        calendar: Default::default(),
        detect: Arc::default(),
    }
}

impl Link {
    pub(super) fn start(link: Modbus, reads: Vec<Read>) -> Link {
        let manners = patient(link.timeout);
        let behind = reads.iter().map(|read| behind(read, manners)).collect();
        Link::of_poller(link, reads, behind, |_| ())
    }

    /// A link whose poller is changed before it runs.
    pub(super) fn of_poller(
        link: Modbus,
        reads: Vec<Read>,
        behind: Vec<Behind>,
        change: impl FnOnce(&mut Poller),
    ) -> Link {
        let plan = Arc::new(Plan { reads });
        let (tx, rx) = mpsc::channel(64);
        let (stop, stopped) = watch::channel(false);
        let outlet = Outlet::new(tx, LinkIndex(0), "plc".into());
        let (errands, mut incoming) = Errands::to(&[LinkIndex(0)]);
        let devices = behind.iter().map(device).collect::<Vec<_>>();
        let now = clock::mono();
        let meter = Meter::new("plc".into(), &link.endpoint, devices.iter(), now);
        let parts = Parts {
            link,
            plan: Arc::clone(&plan),
            behind,
            outlet,
            meter: meter.clone(),
            errands: incoming.remove(0),
        };
        let mut poller = Poller::new(parts, now);
        change(&mut poller);
        let run = Box::pin(poller.run(Pace::now()));
        let task = tokio::spawn(super::super::super::until(stopped, run));
        Link {
            plan,
            rx,
            stop,
            task,
            meter,
            errands,
        }
    }

    pub(super) async fn next(&mut self) -> FromField {
        timeout(Duration::from_secs(20), self.rx.recv())
            .await
            .expect("silent")
            .expect("ended")
    }

    /// The next outcome of a read; link messages are passed over.
    pub(super) async fn outcome(&mut self) -> (Read, Result<Answer, Reason>) {
        loop {
            if let FromField::Read { read, answer, .. } = self.next().await {
                return (self.plan.read(read).clone(), answer);
            }
        }
    }

    /// The next readings of single tags, in their order.
    pub(super) async fn readings(&mut self) -> Vec<(TagIndex, Reading)> {
        loop {
            match self.next().await {
                FromField::Readings { mut readings, .. } => {
                    readings.sort_by_key(|(tag, _)| *tag);
                    let readings = readings.into_iter();
                    return readings
                        .map(|(tag, sample)| (tag, sample.reading))
                        .collect();
                }
                FromField::Link { up: true, .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Outcomes up to the first good one, whose value is checked; the reasons before.
    pub(super) async fn until_good(&mut self) -> Vec<Reason> {
        let mut reasons = Vec::new();
        loop {
            match self.outcome().await {
                (read, Ok(answer)) => {
                    assert!(
                        is_right(&read, &answer),
                        "wrong values accepted: {answer:?}"
                    );
                    return reasons;
                }
                (_, Err(reason)) => reasons.push(reason),
            }
        }
    }

    pub(super) async fn stop(self) {
        self.stop.send(true).unwrap();
        timeout(Duration::from_secs(5), self.task)
            .await
            .expect("does not stop")
            .unwrap();
    }
}

/// Deterministic random numbers for the fault loop.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}
