//! What is on disk, and how long it lasts.

use super::{KIB, MIB, count};
use crate::history::{Kind, Limit, Limits};
use crate::settings::Settings;
use andon_core::plant::Device;
use andon_core::summary::{Summary, Tier, TierSet};
use andon_core::{engine, limits};
use std::mem::size_of;

/// Bytes of one minute of one device, packed (measured: at most 60).
const SUMMARY_BYTES: u64 = 60;

/// Bytes of a tag in the record of its window.
const TAG_RECORD_BYTES: u64 = 50;

/// State changes, alarms and other events of a device on a busy day.
const EVENTS_A_DAY: u64 = 300;

/// Bytes on disk for each ten bytes of records, packed 25 to a value.
const DISK_PER_TEN: u64 = 26;

/// Of `disk_budget`, the history may take this part.
const HISTORY_PART: u64 = 4;

/// Bytes that a device takes in the history (`history::tests` holds them to it): for a minute, for a
/// piece (24 hours, and the ends of shifts and of the day), and for a change of what it does.
const MINUTE_BYTES: u64 = 44;
const PIECE_BYTES: u64 = 48;
const PIECES_A_DAY: u64 = 28;
const MARK_BYTES: u64 = 32;

/// What a tag takes in it with each piece: its sums over the open hour, shift and day.
const TAG_BYTES: u64 = 72;

/// What it takes to keep what was learned of a tag: its fingerprint and [`andon_core::quality::Learned`].
const LEARNED_BYTES: u64 = 48;

/// What the log of moved labels may take: an entry of 40 bytes for each start without a clock.
const LABELS_BYTES: u64 = 16 * KIB;
/// What an alarm takes in a checkpoint with names and reasons at their longest.
const ALARM_BYTES: u64 = 1200;

/// Each minute the block is written anew that the minutes end in.
const COMMIT_BYTES: u64 = 4 * KIB;

const DAY_MS: u64 = 86_400_000;

/// What is on disk, and how long it lasts.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DiskPlan {
    /// What everything may come to.
    pub budget: u64,
    /// Records that wait to be sent.
    pub outbox: u64,
    /// What is kept on the gateway itself: minutes, hours, states.
    pub history: u64,
    /// Days of minutes, hours and states that are kept, estimates.
    pub history_days: [u64; 3],
    /// The open windows and alarms, written again and again.
    pub checkpoint: u64,
    /// Kept free, so that a full disk can still be drained.
    pub spare: u64,
    /// Bytes written a day, an estimate.
    pub per_day: u64,
    /// Hours without the broker until waiting summaries are merged, an estimate.
    pub offline_hours: u64,
}

impl DiskPlan {
    /// Everything but the outbox, and two databases of it.
    pub fn least(&self) -> u64 {
        self.checkpoint + self.spare + 4 * MIB
    }
}

/// The disk plan of a configuration.
pub fn disk(settings: &Settings) -> DiskPlan {
    let devices = &settings.plant.devices;
    let with_state = || devices.iter().filter(|device| device.model.state.is_some());
    let summaries: u64 = with_state()
        .map(|device| windows_a_day(device.publishes))
        .sum();
    let of_tags = |device: &Device| {
        let told = device.model.tags.iter().filter(|tag| device.tells(tag));
        count(told.count()) * windows_a_day(device.publishes_tags)
    };
    let tags: u64 = devices.iter().map(of_tags).sum();
    let events = count(devices.len()) * EVENTS_A_DAY;
    let bytes = (summaries + events) * SUMMARY_BYTES + tags * TAG_RECORD_BYTES;
    let records = bytes * DISK_PER_TEN / 10;
    let kept = a_day(settings);
    let commits = if with_state().next().is_some() {
        24 * 60 * COMMIT_BYTES
    } else {
        0
    };
    let per_day = records + kept.iter().sum::<u64>() + commits;
    let spare = MIB;
    // Two copies, so that one is whole whatever happens while the other is written.
    let windows = count(devices.len()) * count(size_of::<Summary>());
    let alarms = count(settings.plant.alarms.len()) * ALARM_BYTES;
    let checkpoint = 2 * (64 * KIB + windows + alarms);
    let logs = history(settings).logs;
    let history = logs.iter().map(|log| log.bytes).sum();
    let outbox = settings
        .disk_budget
        .saturating_sub(spare + checkpoint + history);
    let most = settings.history_ms / DAY_MS;
    let days = |kind: Kind| {
        let lasts = logs[kind as usize].bytes.checked_div(kept[kind as usize]);
        lasts.map_or(most, |days| days.min(most))
    };
    DiskPlan {
        budget: settings.disk_budget,
        outbox,
        history,
        history_days: [Kind::Minutes, Kind::Pieces, Kind::Marks].map(days),
        checkpoint,
        spare,
        per_day,
        offline_hours: (outbox * 24).checked_div(records).unwrap_or(u64::MAX),
    }
}

/// What each log of the history may take: as much as `history` asks for, hours first, since 30 days are
/// added up from them; minutes get what is left.
pub fn history(settings: &Settings) -> Limits {
    let share = settings.disk_budget / HISTORY_PART;
    let kept = a_day(settings);
    // A file more than its days, for it goes only when all of it is old.
    let wanted = |kind: Kind| {
        let days = settings.history_ms / DAY_MS + 2;
        (kept[kind as usize] * days).max(256 * KIB)
    };
    // Only the last page of tags counts; one more is written before it.
    let tags = count(limits::tracks(&settings.plant)) * TAG_BYTES * 4;
    let tags = tags.max(64 * KIB).min(share / 4);
    let learned = count(engine::watched(&settings.plant)) * LEARNED_BYTES * 4;
    let learned = learned.max(64 * KIB).min(share / 8);
    let share = share.saturating_sub(tags + learned + LABELS_BYTES);
    let pieces = wanted(Kind::Pieces).min(share / 2);
    let marks = wanted(Kind::Marks).min((share - pieces) / 2);
    let minutes = wanted(Kind::Minutes).min(share - pieces - marks);
    let keep_ms = i64::try_from(settings.history_ms).unwrap_or(i64::MAX);
    let logs = [pieces, minutes, marks, tags, LABELS_BYTES, learned];
    Limits {
        logs: logs.map(|bytes| Limit { bytes, keep_ms }),
    }
}

fn windows_a_day(tiers: TierSet) -> u64 {
    let a_day = |tier| match tier {
        Tier::Minute => 24 * 60,
        Tier::Hour => 24,
        Tier::Shift => 4,
        Tier::Day => 1,
    };
    tiers.iter().map(a_day).sum()
}

/// Bytes that each log grows by in a day, in the order of [`Kind::ALL`].
fn a_day(settings: &Settings) -> [u64; 6] {
    let devices = settings.plant.devices.iter();
    let devices = count(
        devices
            .filter(|device| device.model.state.is_some())
            .count(),
    );
    Kind::ALL.map(|kind| match kind {
        Kind::Pieces => devices * PIECES_A_DAY * PIECE_BYTES,
        Kind::Minutes => devices * 24 * 60 * MINUTE_BYTES,
        // Where everything stands is told again with each piece.
        Kind::Marks => devices * (EVENTS_A_DAY + PIECES_A_DAY) * MARK_BYTES,
        Kind::Tags => count(limits::tracks(&settings.plant)) * PIECES_A_DAY * TAG_BYTES,
        Kind::Labels => 0,
        Kind::Learned => {
            let times = DAY_MS / engine::LEARNED_KEPT_EVERY_MS;
            count(engine::watched(&settings.plant)) * times * LEARNED_BYTES
        }
    })
}
