//! What the core allocates at its start.

use super::asked::{count_slopes, rolling_windows};
use super::course::Course;
use super::newest::Slot;
use super::recent::Slots;
use super::sources::{self, OfDevice, Trouble, Watch};
use super::{Action, Entry};
use crate::alarm::{Act, Alarm, LONGEST_BY, LONGEST_WHY};
use crate::annunciate::horn::{Horn, Tone};
use crate::calendar::Calendar;
use crate::conditions::Input;
use crate::hygiene::Hygiene;
use crate::late::{self, Late};
use crate::limits::{actions, inputs, messages, tags, texts, tracks};
use crate::plant::{self, Plant};
use crate::sample::Text;
use crate::slope::{self, Slope};
use crate::tag_sums::Track;
use crate::tiers::Tiers;
use crate::time::Wall;
use alloc::vec::Vec;

/// Bytes of who acknowledged an alarm, shelved it and took it out of service, at their longest.
const ACTS: usize = 3 * (size_of::<Act>() + LONGEST_BY + LONGEST_WHY);

/// One kind of thing that is allocated at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocation {
    /// What it is for.
    pub what: &'static str,
    /// How many.
    pub count: usize,
    /// Bytes for each.
    pub each: usize,
}

impl Allocation {
    /// Bytes for all of them.
    pub const fn bytes(&self) -> usize {
        self.count * self.each
    }
}

/// Bytes for each tag that tell whether it lies: where its watch is, its trouble, and whether it is
/// one of a block of zeros.
const OF_TAG: usize = size_of::<u32>() + size_of::<Trouble>() + size_of::<bool>();

/// What the core allocates for a plant.
pub fn allocations(plant: &Plant) -> Vec<Allocation> {
    let devices = plant.devices.len();
    let alarms = plant.alarms.len();
    let (windows, of_windows) = rolling_windows(plant);
    Vec::from([
        Allocation {
            what: "newest sample of each tag",
            count: tags(plant),
            each: size_of::<Slot>() + size_of::<u32>() + OF_TAG,
        },
        Allocation {
            what: "newest text of each tag that has one",
            count: texts(plant),
            each: size_of::<Text>(),
        },
        Allocation {
            what: "newest time stamp of each message tag",
            count: messages(plant),
            each: size_of::<Option<Wall>>(),
        },
        Allocation {
            what: "what is normal for each tag that is watched",
            count: sources::watched(plant),
            each: size_of::<Watch>(),
        },
        Allocation {
            what: "what each tag comes to over its windows",
            count: tracks(plant),
            each: size_of::<Track>(),
        },
        Allocation {
            what: "accounting of each device",
            count: devices,
            each: size_of::<Entry>() + size_of::<OfDevice>() + size_of::<plant::Device>() + 512,
        },
        Allocation {
            what: "tags that states are derived from",
            count: inputs(plant),
            each: size_of::<Input>(),
        },
        Allocation {
            what: "last hours and days of each device",
            count: devices_with_state(plant),
            each: size_of::<Slots>(),
        },
        Allocation {
            what: "rolling windows that alarms take figures over",
            count: windows,
            each: of_windows.div_ceil(windows.max(1)),
        },
        Allocation {
            what: "readings that alarms take rates of change from",
            count: count_slopes(plant),
            each: size_of::<Slope>() + slope::BYTES,
        },
        Allocation {
            what: "windows of each calendar",
            count: plant.calendars().count(),
            each: size_of::<Course>() + size_of::<Option<Tiers>>() + size_of::<Calendar>() + 512,
        },
        Allocation {
            what: "last minutes of each device whose data may come late",
            count: spans(plant).count(),
            each: size_of::<Late>(),
        },
        Allocation {
            what: "windows of these that were corrected",
            count: spans(plant).map(late::revisions).sum(),
            each: size_of::<late::Revised>(),
        },
        Allocation {
            what: "entries of these minutes",
            count: spans(plant).map(late::entries).sum(),
            each: size_of::<late::Entry>(),
        },
        Allocation {
            what: "alarms, and who did what to them",
            count: alarms,
            each: size_of::<Alarm>()
                + size_of::<plant::Alarm>()
                + 256
                + ACTS
                + Hygiene::bytes_each(),
        },
        Allocation {
            what: "how many alarms there were in each minute of a day",
            count: 1,
            each: Hygiene::bytes(),
        },
        Allocation {
            what: "horns",
            count: plant.horns.len(),
            each: size_of::<Horn>() + size_of::<plant::Horn>() + 128,
        },
        Allocation {
            what: "what is heard of each alarm, by horn",
            count: if plant.horns.is_empty() { 0 } else { alarms },
            each: size_of::<(Tone, u64)>() + plant.horns.len(),
        },
        Allocation {
            what: "who was told of which alarm",
            count: usize::from(!plant.roster.recipients.is_empty()),
            each: crate::annunciate::bytes(plant),
        },
        Allocation {
            what: "actions on their way",
            count: actions(plant),
            each: size_of::<Action>(),
        },
    ])
}

/// The spans of devices whose data may come late.
fn spans(plant: &Plant) -> impl Iterator<Item = u64> + '_ {
    let devices = plant.devices.iter();
    let devices = devices.filter(|device| device.model.state.is_some() && device.late_ms > 0);
    devices.map(|device| device.late_ms)
}

fn devices_with_state(plant: &Plant) -> usize {
    let devices = plant.devices.iter();
    devices
        .filter(|device| device.model.state.is_some())
        .count()
}
