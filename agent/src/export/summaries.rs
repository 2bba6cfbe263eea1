//! The windows of a tier with their parts and figures, one line each.

use super::Wanted;
use super::csv::{Row, local};
use crate::history::{self, Kind, Passed};
use andon_core::calendar::Calendar;
use andon_core::history::{Head, Leaf};
use andon_core::kpi::{self, Key};
use andon_core::plant::Device;
use andon_core::state::State;
use andon_core::summary::{Needs, ShiftRun, Sum, Tier};
use andon_core::tiers::{Closed, Frames, Piece, Tiers};
use andon_core::time::Wall;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::{self, Write};
use std::sync::Arc;

/// What stands before the figures.
const HEADER: [&str; 36] = [
    "device",
    "line",
    "window",
    "shift",
    "shift_date",
    "crew",
    "start",
    "end",
    "window_ms",
    "fold",
    "rev",
    "merged",
    "clock_step_ms",
    "producing_ms",
    "setup_ms",
    "delayed_ms",
    "faulted_ms",
    "idle_ms",
    "planned_stop_ms",
    "unknown_ms",
    "uncounted_ms",
    "good",
    "scrap",
    "total",
    "gap_total",
    "gap_before_ms",
    "gap_after_ms",
    "failures",
    "repairs",
    "repair_ms",
    "capacity",
    "capacity_producing",
    "capacity_uncounted",
    "unrated_ms",
    "unrated_producing_ms",
    "rated_per_h",
];

pub(super) fn write(
    wanted: &Wanted<'_>,
    tier: Tier,
    out: &mut impl Write,
) -> io::Result<Vec<Passed>> {
    let mut row = Row::default();
    for name in HEADER {
        row.put(name);
    }
    for key in Key::ALL {
        let [value, low, high, reason] = key.names();
        row.put(value);
        if key.has_bounds() {
            row.put(low).put(high);
        }
        row.put(reason);
    }
    row.put("reason").end(out)?;
    let mut table = Table {
        wanted,
        tier,
        row,
        out,
    };
    match tier {
        Tier::Minute => table.minutes(),
        Tier::Hour | Tier::Shift | Tier::Day => table.sums(),
    }
}

/// Where a row stands: by its start, then by its device.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    start: Wall,
    device: Arc<str>,
    fold: u32,
}

impl Place {
    fn of(device: &Arc<str>, closed: &Closed) -> Place {
        Place {
            start: closed.window.start,
            device: device.clone(),
            fold: closed.window.fold,
        }
    }
}

/// The open windows of a device, and the pages that corrected a piece of the one that is asked for.
#[derive(Debug, Default)]
struct OfDevice {
    tiers: Tiers,
    revised: BTreeSet<u64>,
}

struct Table<'w, 's, W> {
    wanted: &'w Wanted<'s>,
    tier: Tier,
    row: Row,
    out: &'w mut W,
}

impl<'s, W: Write> Table<'_, 's, W> {
    fn minutes(&mut self) -> io::Result<Vec<Passed>> {
        let data_dir = &self.wanted.settings.data_dir;
        let pages = history::pages(data_dir, Kind::Minutes).after(self.wanted.from);
        let mut pages = pages.corrected();
        while let Some(page) = pages.next() {
            let Leaf::Minute(rows) = page.leaf else {
                continue;
            };
            let mut found = BTreeMap::new();
            for row in &rows.rows {
                let head = row.own.as_ref().unwrap_or(&rows.head);
                let closed = Closed {
                    window: head.window,
                    merged: minutes_of(head),
                    shift: None,
                    sum: row.sum,
                };
                let rev = pages
                    .corrections()
                    .of_minute(&row.device, &head.window)
                    .len();
                found.insert(Place::of(&row.device, &closed), (closed, rev));
            }
            for (place, (closed, rev)) in found {
                self.put(&place.device, &closed, rev)?;
            }
        }
        Ok(pages.passed().to_vec())
    }

    /// Hours, shifts and days are added up from their pieces, as the agent does.
    fn sums(&mut self) -> io::Result<Vec<Passed>> {
        let mut pages = history::pages(&self.wanted.settings.data_dir, Kind::Pieces).corrected();
        let mut devices: HashMap<Arc<str>, OfDevice> = HashMap::new();
        // What has ended and waits for what began before it and goes on.
        let mut waiting = BTreeMap::new();
        // Where older pages are gone, the window that was open at the first one is not whole.
        let is_trimmed = pages.is_trimmed();
        let mut seen: HashSet<Arc<str>> = HashSet::new();
        while let Some(page) = pages.next() {
            let Leaf::Piece(rows) = page.leaf else {
                continue;
            };
            let mut any_ended = false;
            for row in &rows.rows {
                let head = row.own.as_ref().unwrap_or(&rows.head);
                let piece = Piece {
                    window: head.window,
                    sum: row.sum,
                    cut: head.cut,
                    ended: head.ended,
                };
                if !self.wanted.is_of(&row.device) {
                    continue;
                }
                let frames = Frames::over(self.calendar_of(&row.device), &head.window);
                let OfDevice { tiers, revised } = devices.entry(row.device.clone()).or_default();
                let wanted = self.tier;
                let cuts = piece.cut.contains(wanted) && tiers.so_far(wanted).is_some();
                let mut ended = Vec::new();
                tiers.recall_piece(&piece, &frames, |tier, closed| {
                    if tier == wanted {
                        ended.push(closed);
                    }
                });
                let corrected = pages.corrections().of_piece(&row.device, &head.window);
                for (n, closed) in ended.iter().enumerate() {
                    let is_before = cuts && n == 0;
                    if !is_before {
                        revised.extend(corrected);
                    }
                    // What was corrected before it ended was told with it.
                    let rev = revised.range(page.number..).count();
                    revised.clear();
                    let begins = frames
                        .of(self.tier)
                        .is_some_and(|frame| frame.start == closed.window.start);
                    let is_first = seen.insert(row.device.clone());
                    if !is_trimmed || !is_first || begins {
                        waiting.insert(Place::of(&row.device, closed), (*closed, rev));
                    }
                    any_ended = true;
                }
                if ended.len() == usize::from(cuts) {
                    revised.extend(corrected);
                }
            }
            if any_ended {
                let open = devices.values().filter_map(|of| of.tiers.so_far(self.tier));
                let first = open.map(|open| open.window.start).min();
                while let Some(next) = waiting.first_entry()
                    && first.is_none_or(|first| next.key().start <= first)
                {
                    let (place, (closed, rev)) = next.remove_entry();
                    self.put(&place.device, &closed, rev)?;
                }
            }
        }
        for (place, (closed, rev)) in waiting {
            self.put(&place.device, &closed, rev)?;
        }
        Ok(pages.passed().to_vec())
    }

    fn put(&mut self, id: &Arc<str>, closed: &Closed, rev: usize) -> io::Result<()> {
        let Closed {
            window,
            merged,
            shift,
            sum,
        } = closed;
        if !self.wanted.is_of(id) || !self.wanted.begins_in(window.start) || sum.times.total() == 0
        {
            return Ok(());
        }
        let plant = &self.wanted.settings.plant;
        let zone = &plant.calendar.zone;
        let device = self.device(id);
        let mut sum = *sum;
        if let (Some(third), true) = (device.and_then(Device::third), self.tier != Tier::Minute) {
            sum.derive(third);
        }
        // Nobody knows the calendar of a device that is gone, unless there is only one.
        let is_known = device.is_some() || plant.other_calendars.is_empty();
        let shift = shift.filter(|_| is_known);
        let run = shift.and_then(|of| ShiftRun::of(self.calendar_of(id), of));
        self.row
            .put(id)
            .put_if(device.and_then(|device| device.line.as_ref()))
            .put(self.tier.as_str())
            .put_if(run.as_ref().map(|run| &run.name))
            .put_if(run.as_ref().map(|run| &run.date))
            .put_if(run.as_ref().and_then(|run| run.crew.as_ref()))
            .put(local(window.start, zone))
            .put(local(window.end, zone))
            .put(sum.times.total())
            .put(window.fold)
            .put(rev)
            .put(merged)
            .put(window.clock_step_ms);
        self.put_parts(&sum);
        self.put_figures(&sum, device.map_or(Needs::NONE, Device::needs));
        self.row.end(self.out)
    }

    fn device(&self, id: &str) -> Option<&'s Device> {
        let mut devices = self.wanted.settings.plant.devices.iter();
        devices.find(|device| *device.id == *id)
    }

    /// The calendar of a device; of one that is gone, the one that counts where none is named.
    fn calendar_of(&self, id: &str) -> &'s Calendar {
        let index = self.device(id).map(|device| device.calendar);
        let plant = &self.wanted.settings.plant;
        plant.calendar_at(index.unwrap_or_default())
    }

    fn put_parts(&mut self, sum: &Sum) {
        for state in State::ALL {
            self.row.put(sum.times.of(state));
        }
        let parts = &sum.parts;
        let capacity = sum.capacity;
        self.row
            .put(sum.uncounted_ms)
            .put_if(parts.good)
            .put_if(parts.scrap)
            .put_if(parts.total)
            .put_if(parts.total.map(|_| parts.gap_total))
            .put(parts.gap_before_ms)
            .put(parts.gap_after_ms)
            .put(sum.failures)
            .put(sum.repairs)
            .put(sum.repair_ms)
            .put_if(capacity.map(|capacity| capacity.planned))
            .put_if(capacity.map(|capacity| capacity.producing))
            .put_if(capacity.map(|capacity| capacity.uncounted))
            .put(sum.unrated.planned_ms)
            .put(sum.unrated.producing_ms)
            .put_if(capacity.map(|capacity| capacity.rate as f64 / 1000.0));
    }

    fn put_figures(&mut self, sum: &Sum, needs: Needs) {
        for figure in kpi::figures_of(sum, &needs) {
            self.row.put_if(figure.value.ok().map(kpi::Fixed::as_f64));
            if let Some((low, high)) = figure.bounds {
                self.row.put_if(low.map(kpi::Fixed::as_f64));
                self.row.put_if(high.map(kpi::Fixed::as_f64));
            }
            self.row.put_if(figure.value.err().map(kpi::Why::as_str));
        }
        self.row
            .put_if(kpi::reason_of(sum, &needs).map(kpi::Why::as_str));
    }
}

/// Minutes that a window stands for.
fn minutes_of(head: &Head) -> u32 {
    const MINUTE_MS: i64 = 60_000;
    let length = head.window.end - head.window.start;
    u32::try_from((length + MINUTE_MS - 1) / MINUTE_MS).unwrap_or(u32::MAX)
}
