//! From what is to be heard and lit ([`andon_core::annunciate::horn`]) to what sounds and shines.
//!
//! The engine's task tells ([`Teller`]); each driver follows one horn by itself ([`Follow`]) and holds
//! nobody up. Only what holds now counts: a driver that is late takes the newest and misses the rest.
//! When the agent stops, drivers are the first to end, each with its output off; the links end after
//! them ([`end_before`]).

mod coil;
mod command;
mod drive;
mod gpio;
mod health;

pub use command::{Options, command};
pub use health::{Health, OutputHealth, Report};

use crate::clock;
use crate::field::modbus::errand::Errands;
use crate::run::{OwnReports, Tester};
use crate::settings::{Output, Settings};
use andon_core::annunciate::horn::Horn;
use andon_core::own::Own;
use coil::Relay;
use drive::{LAST_SWITCH, Role, Trial, drive};
use gpio::Gpio;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Where the engine's task tells what is to be heard and lit.
#[derive(Debug)]
pub struct Teller(watch::Sender<Arc<[Horn]>>);

impl Teller {
    /// This is what all horns do from now on.
    pub fn tell(&self, horns: &[Horn]) {
        self.0.send_replace(horns.into());
    }
}

/// All horns of the gateway, in the order of [`andon_core::plant::Plant::horns`].
#[derive(Debug, Clone)]
pub struct Horns(watch::Receiver<Arc<[Horn]>>);

impl Horns {
    /// So many horns, all off and dark until the engine's task tells something else.
    pub fn new(count: usize) -> (Teller, Horns) {
        let (tell, told) = watch::channel(vec![Horn::default(); count].into());
        (Teller(tell), Horns(told))
    }

    /// Follows the horn at `index`, until `stop` becomes true.
    pub fn follow(&self, index: usize, stop: watch::Receiver<bool>) -> Follow {
        Follow {
            told: self.0.clone(),
            index,
            stop,
            now: Horn::default(),
        }
    }
}

/// One horn, followed by a driver.
#[derive(Debug)]
pub struct Follow {
    told: watch::Receiver<Arc<[Horn]>>,
    index: usize,
    stop: watch::Receiver<bool>,
    now: Horn,
}

/// The agent stops: whatever sounds is to be off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended;

impl Follow {
    /// What the horn does now.
    pub const fn now(&self) -> Horn {
        self.now
    }

    /// Waits until it does something else, and says what. May be dropped and waited for again.
    pub async fn changed(&mut self) -> Result<Horn, Ended> {
        loop {
            let told = self.told.borrow_and_update().get(self.index).copied();
            let told = told.unwrap_or_default();
            if told != self.now {
                self.now = told;
                return Ok(told);
            }
            tokio::select! {
                _ = self.stop.wait_for(|stop| *stop) => return Err(Ended),
                told = self.told.changed() => told.map_err(|_| Ended)?,
            }
        }
    }
}

/// What a horn sounds through that has a driver of its own: the board.
#[derive(Debug)]
pub struct OnBoard {
    /// What the horn does.
    pub follow: Follow,
    /// Where its driver tells how it does.
    pub report: Report,
}

/// The drivers at work.
#[derive(Debug)]
pub struct Drivers {
    /// One task for each line and coil.
    pub tasks: JoinSet<()>,
    /// How every output does.
    pub health: Health,
    /// The horns that sound through the board.
    pub boards: Vec<OnBoard>,
    /// Where each line and coil is tried.
    pub trials: Trials,
}

/// Where the lines and coils of horns are tried: what each is, and the way to its driver.
#[derive(Debug)]
pub struct Trials(Vec<(String, mpsc::Sender<Trial>)>);

/// Starts what horns sound through, until `stop` becomes true.
pub fn start(
    settings: &Settings,
    horns: &Horns,
    errands: &Errands,
    stop: &watch::Receiver<bool>,
) -> Drivers {
    let plant = &settings.plant;
    let of_horns = plant.horns.iter().zip(&settings.horns).enumerate();
    let outputs: Vec<(usize, &Output)> = of_horns
        .clone()
        .flat_map(|(index, (_, outputs))| outputs.iter().map(move |output| (index, output)))
        .collect();
    let health = outputs.iter().map(|(index, output)| OutputHealth {
        horn: plant.horns[*index].id.clone(),
        through: named(settings, output),
        part: output.part(),
        works: None,
        why: None,
    });
    let (reports, health) = Report::on(health.collect());
    let mut tasks = JoinSet::new();
    let mut boards = Vec::new();
    let mut trials = Vec::new();
    for ((index, output), report) in outputs.into_iter().zip(reports) {
        let follow = horns.follow(index, stop.clone());
        let (tries, trial) = mpsc::channel(1);
        if !matches!(output, Output::Board) {
            let through = named(settings, output);
            trials.push((format!("horn {}, {through}", plant.horns[index].id), tries));
        }
        match output {
            Output::Board => boards.push(OnBoard { follow, report }),
            Output::Gpio(line) => {
                let role = Role {
                    part: line.part,
                    pulsed: true,
                };
                let line = Gpio::new(line.clone());
                tasks.spawn(drive(follow, role, line, report, trial, clock::mono));
            }
            Output::Coil(coil) => {
                let role = Role {
                    part: coil.part,
                    pulsed: coil.pulsed,
                };
                let relay = Relay::new(*coil, errands.clone());
                tasks.spawn(drive(follow, role, relay, report, trial, clock::mono));
            }
        }
    }
    Drivers {
        tasks,
        health,
        boards,
        trials: Trials(trials),
    }
}

/// What an output is, for people.
pub fn named(settings: &Settings, output: &Output) -> String {
    match output {
        Output::Board => "board".into(),
        Output::Gpio(line) => {
            let chip = line.chip.file_name().unwrap_or(line.chip.as_os_str());
            format!("{} line {}", chip.display(), line.line)
        }
        Output::Coil(coil) => {
            let link = &settings.links[usize::from(coil.link.0)].id;
            format!("{link} unit {} coil {}", coil.unit, coil.coil)
        }
    }
}

/// Tells what the drivers need to stop, when `stop` is true and they have ended because of it.
pub fn end_before(
    mut drivers: JoinSet<()>,
    mut stop: watch::Receiver<bool>,
    others: watch::Sender<bool>,
) {
    tokio::spawn(async move {
        // Its sender is gone with whoever would have stopped this run.
        let _ = stop.wait_for(|stop| *stop).await;
        let all = async { while drivers.join_next().await.is_some() {} };
        if timeout(LAST_SWITCH + SLACK, all).await.is_err() {
            tracing::warn!("what a horn sounds through did not answer at the end");
        }
        others.send_replace(true);
    });
}

impl Trials {
    /// Whether there is nothing to try.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tries everything at each self-test: it is switched to what it is already, which nobody hears.
    pub async fn work(self, mut tester: Tester) {
        loop {
            tester.asked().await;
            let mut outcomes = Vec::new();
            for (name, tries) in &self.0 {
                let (done, outcome) = oneshot::channel();
                // A driver that has ended tells nothing.
                let _ = tries.send(done).await;
                outcomes.push((name, outcome));
            }
            let mut result = Ok(());
            for (name, outcome) in outcomes {
                let outcome = outcome.await;
                let outcome = outcome.unwrap_or_else(|_| Err("the agent is stopping".to_owned()));
                result = result.and(outcome.map_err(|why| format!("{name}: {why}")));
            }
            tester.answer(result);
        }
    }
}

/// Raises `gateway.horn-test` while an output of a horn cannot be switched: each is switched anew from
/// time to time, which is a test that nobody hears. The board has an alarm of its own. Ends with the
/// drivers.
pub async fn watch_over(mut health: Health, own: OwnReports) {
    if health.borrow().iter().all(|output| output.part.is_none()) {
        return;
    }
    loop {
        let outputs = health.borrow_and_update().clone();
        let switched = outputs.iter().filter(|output| output.part.is_some());
        let failing = switched.clone().find(|output| output.works == Some(false));
        match failing {
            Some(OutputHealth {
                horn, through, why, ..
            }) => {
                let why = why.as_deref().unwrap_or_default();
                own.wrong(Own::HornTest, format!("horn {horn}, {through}: {why}"));
            }
            None if switched.clone().any(|output| output.works.is_none()) => {}
            None => own.well(Own::HornTest),
        }
        if health.changed().await.is_err() {
            return;
        }
    }
}

/// A driver may be switching when it is told to end.
const SLACK: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::annunciate::horn::Lamp;

    #[tokio::test]
    async fn a_driver_sees_the_newest_of_its_own_horn() {
        let (teller, horns) = Horns::new(2);
        let (stop, stopped) = watch::channel(false);
        let mut first = horns.follow(0, stopped.clone());
        let mut second = horns.follow(1, stopped);
        let red = |red| Horn {
            red,
            ..Horn::default()
        };
        teller.tell(&[red(Lamp::On), Horn::default()]);
        teller.tell(&[red(Lamp::Flash), Horn::default()]);
        assert_eq!(first.changed().await, Ok(red(Lamp::Flash)));
        assert_eq!(first.now(), red(Lamp::Flash));
        drop(teller);
        assert_eq!(first.changed().await, Err(Ended));
        assert_eq!(second.changed().await, Err(Ended), "it did nothing else");
        let (_teller, horns) = Horns::new(1);
        stop.send_replace(true);
        let mut third = horns.follow(0, stop.subscribe());
        assert_eq!(third.changed().await, Err(Ended));
    }
}
