//! The self-test: what the gateway needs to raise an alarm and to tell it, tried without a sound.
//!
//! It runs every night, when whoever is responsible sleeps and a modem that has died would be found
//! only by the alarm that it does not send; and on `andon selftest`. What fails of a driver raises its
//! alarm; a disk that takes nothing fails every commit, and needs no test for its alarm.

use super::shift::Shift;
use super::{Asks, NoAnswer, OwnReports, Question};
use crate::annunciator::sms::Texts;
use crate::board::desk::Desk;
use crate::clock;
use crate::store::files::free;
use crate::upstream::Reach;
use andon_core::own::Own;
use andon_core::time::ClockState;
use bytes::Bytes;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::sleep;

/// Drivers have this long to test their part. Below what the command line waits.
const PATIENCE: Duration = Duration::from_secs(8);

/// What is written to try the disk.
const TRIAL: usize = 4096;

/// A disk with less room than this has not passed.
const LEAST_FREE: u64 = 8 << 20;

/// The wall clock may be stepped while the night is waited for: it is looked at this often.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);

/// The part that is the modem.
const MODEM: &str = "modem";

/// How a part has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It works.
    Passed,
    /// It does not.
    Failed,
    /// Nobody can tell yet.
    Unknown,
}

/// One part of the gateway that was tested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which: `disk`, `clock`, `broker`, `link plc`, `modem`, ...
    pub part: String,
    /// How it has done.
    pub result: Verdict,
    /// What was found, in words.
    pub why: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Part {
    fn passed(part: &str) -> Part {
        Part {
            part: part.into(),
            result: Verdict::Passed,
            why: None,
            hint: None,
        }
    }

    fn failed(part: &str, why: impl Into<String>, hint: &str) -> Part {
        Part {
            part: part.into(),
            result: Verdict::Failed,
            why: Some(why.into()),
            hint: Some(hint.into()),
        }
    }

    fn unknown(part: &str, why: &str) -> Part {
        Part {
            part: part.into(),
            result: Verdict::Unknown,
            why: Some(why.into()),
            hint: None,
        }
    }
}

/// Tests the gateway; clones test the same one.
#[derive(Debug, Clone)]
pub struct SelfTest {
    asks: Asks,
    own: OwnReports,
    board: Option<Desk>,
    texts: Option<Texts>,
    data_dir: PathBuf,
}

impl SelfTest {
    /// Of the agent that answers `asks`, and whose drivers report to `own`; with its board and its modem.
    pub const fn new(
        asks: Asks,
        own: OwnReports,
        board: Option<Desk>,
        texts: Option<Texts>,
        data_dir: PathBuf,
    ) -> SelfTest {
        SelfTest {
            asks,
            own,
            board,
            texts,
            data_dir,
        }
    }

    /// Tests every part there is.
    pub async fn run(&self) -> Result<Vec<Part>, NoAnswer> {
        let silent = self.own.test(PATIENCE);
        let (disk, silent, board) = tokio::join!(self.try_disk(), silent, self.try_board());
        let answer = self.asks.ask(Question::SelfTest).await?;
        let mut parts: Vec<Part> = serde_json::from_slice(&answer).map_err(|_| NoAnswer)?;
        for own in silent {
            let name = own.id("");
            // A driver at work is no broken one: what hangs ends by its own deadlines, and is told then.
            let busy = "it is busy and has not answered the test; test again";
            match parts.iter_mut().find(|known| known.part == name) {
                Some(Part {
                    result: Verdict::Failed,
                    ..
                }) => {}
                Some(known) => *known = Part::unknown(&name, busy),
                None => parts.push(Part::unknown(&name, busy)),
            }
        }
        let modem = self
            .texts
            .as_ref()
            .map(|texts| texts.health.borrow().in_words());
        let is_modem = |part: &&mut Part| part.part == MODEM && part.result == Verdict::Passed;
        if let Some(part) = parts.iter_mut().find(is_modem) {
            part.why = modem;
        }
        parts.insert(0, disk);
        parts.extend(board);
        Ok(parts)
    }

    /// The board says who it is, and does what it is told. One that does not takes its link down, whose
    /// alarm tells so.
    async fn try_board(&self) -> Option<Part> {
        let board = self.board.as_ref()?;
        Some(match board.prove().await {
            Ok(()) => Part {
                why: board.figures().firmware.map(|it| format!("firmware {it}")),
                ..Part::passed("board")
            },
            Err(why) => Part::failed("board", why, "check its cable and its power"),
        })
    }

    /// Every night at `minute` of the local day.
    pub async fn every_night(self, minute: u16, zone: TimeZone) {
        loop {
            let now = clock::now();
            let rest = if now.clock == ClockState::Unsynced {
                LOOK_AGAIN
            } else {
                until(minute, &zone, now.wall.0)
            };
            if rest > LOOK_AGAIN || now.clock == ClockState::Unsynced {
                sleep(LOOK_AGAIN).await;
                continue;
            }
            sleep(rest).await;
            match self.run().await {
                Ok(parts) => log(&parts),
                Err(NoAnswer) => tracing::error!("self-test: the engine does not answer"),
            }
            // Past the minute, so that it is not tested twice.
            sleep(Duration::from_secs(90)).await;
        }
    }

    async fn try_disk(&self) -> Part {
        let dir = self.data_dir.clone();
        let tried = tokio::task::spawn_blocking(move || try_disk(&dir)).await;
        let tried = tried.unwrap_or_else(|error| Err(io::Error::other(error)));
        let hint = "free space on it, or replace it; until then records wait in memory";
        match tried {
            Ok(free) if free < LEAST_FREE => {
                let why = format!("only {} KiB are free", free / 1024);
                Part::failed("disk", why, hint)
            }
            Ok(_) => Part::passed("disk"),
            Err(error) => {
                let why = format!("{}: {error}", self.data_dir.display());
                Part::failed("disk", why, hint)
            }
        }
    }
}

/// Writes, reads back and removes a small file; returns the bytes that are free.
fn try_disk(dir: &Path) -> io::Result<u64> {
    let path = dir.join("selftest.tmp");
    let trial = [0xA5; TRIAL];
    let written = fs::File::create(&path).and_then(|mut file| {
        file.write_all(&trial)?;
        file.sync_all()
    });
    let read = written.and_then(|()| fs::read(&path));
    let removed = fs::remove_file(&path);
    if read? != trial {
        return Err(io::Error::other("what was written is read back otherwise"));
    }
    removed?;
    free(dir)
}

/// The time until it is `minute` of the day, at least a moment.
fn until(minute: u16, zone: &TimeZone, now_ms: i64) -> Duration {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let next = || {
        let now = Timestamp::from_millisecond(now_ms).ok()?;
        let local = now.to_zoned(zone.clone());
        let midnight = local.start_of_day().ok()?;
        let at = SignedDuration::from_mins(i64::from(minute));
        let today = midnight.timestamp().checked_add(at).ok()?;
        let next = if today > now {
            today
        } else {
            let tomorrow = midnight.tomorrow().ok()?.start_of_day().ok()?;
            tomorrow.timestamp().checked_add(at).ok()?
        };
        Duration::try_from(next.duration_since(now)).ok()
    };
    next().unwrap_or(DAY)
}

fn log(parts: &[Part]) {
    let failed = parts.iter().filter(|part| part.result == Verdict::Failed);
    let mut all_well = true;
    for Part {
        part, why, hint, ..
    } in failed
    {
        all_well = false;
        let (why, hint) = (why.as_deref(), hint.as_deref());
        tracing::error!(
            "self-test: {part} has failed: {}; {}",
            why.unwrap_or("no reason"),
            hint.unwrap_or("see the manual")
        );
    }
    if all_well {
        tracing::info!("self-test: passed, {} parts", parts.len());
    }
}

impl Shift {
    /// The parts of which the engine's task knows how they are: a list.
    pub(super) fn tested(&self) -> Option<Bytes> {
        let mut parts = vec![
            self.tested_store(),
            self.tested_clock(),
            self.tested_broker(),
        ];
        for status in self.engine.links(clock::mono()) {
            let name = format!("link {}", status.link.id);
            let hint = "check the cable, the switch and the device's power and address";
            parts.push(match status.up {
                Some(true) => Part::passed(&name),
                Some(false) => Part::failed(&name, status.why.unwrap_or("it is down"), hint),
                None => Part::unknown(&name, "nothing has come from it yet"),
            });
        }
        for report in self.beside.own.all() {
            let (name, hint) = match report.own {
                Own::Modem => (MODEM, "check its power, antenna and SIM card"),
                Own::BoardLost => ("board-lost", "check its cable and its power"),
                Own::HornTest => ("horn-test", "check its wiring and its power"),
                Own::Notify => ("notify", "check its address, secret, user and password"),
                Own::DuplicateGateway => ("duplicate-gateway", "give one of them another id"),
                _ => continue,
            };
            parts.push(match report.holds {
                Some(false) => Part::passed(name),
                Some(true) => Part::failed(name, report.why.unwrap_or_default(), hint),
                None => Part::unknown(name, "nobody can tell"),
            });
        }
        serde_json::to_vec(&parts).ok().map(Bytes::from)
    }

    fn tested_store(&self) -> Part {
        match &self.store.view().borrow().failing {
            None => Part::passed("store"),
            Some(why) => Part::failed("store", why, "check the disk; the log has more"),
        }
    }

    fn tested_clock(&self) -> Part {
        match self.engine.clock() {
            ClockState::Synced => Part::passed("clock"),
            ClockState::Holdover => Part {
                why: Some("no time source vouches for it now".into()),
                ..Part::passed("clock")
            },
            ClockState::Unsynced => Part::failed(
                "clock",
                "it was never set",
                "let the gateway reach a time server (`timedatectl`), or set the clock",
            ),
        }
    }

    fn tested_broker(&self) -> Part {
        let hint = "check the network and the broker; records wait on disk meanwhile";
        match &*self.beside.reach.borrow() {
            Reach::Reached => Part::passed("broker"),
            Reach::Unreachable(why) => Part::failed("broker", why, hint),
            Reach::Trying => Part::unknown("broker", "it has not answered yet"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_night_is_that_of_the_plant() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
        let minutes = |now: &str| until(180, &zone, at(now)).as_secs() / 60;
        assert_eq!(minutes("2026-11-24T18:00:00Z"), 60, "02:00 there");
        assert_eq!(minutes("2026-11-24T19:00:00Z"), 24 * 60, "03:00 there");
        assert_eq!(minutes("2026-11-24T20:30:00Z"), 22 * 60 + 30);
    }

    #[test]
    fn a_disk_that_takes_nothing_has_not_passed() {
        let dir = tempfile::tempdir().unwrap();
        assert!(try_disk(dir.path()).unwrap() > 0);
        assert!(fs::read_dir(dir.path()).unwrap().next().is_none());
        assert!(try_disk(&dir.path().join("gone")).is_err());
    }
}
