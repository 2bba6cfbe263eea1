//! The whole of what is configured, checked: what the configuration parser hands out and the
//! engine is built from. Nothing in here can be wrong any more.

mod builtin;
mod roster;
mod states;

pub use roster::{Budget, Channel, Language, Recipient, Roster};
pub use states::{Derived, Match, Moving, Otherwise, Rates, StateMap, States};

use crate::calendar::{Calendar, CalendarIndex};
use crate::call::Call;
use crate::line::Line;
use crate::rule::Rule;
use crate::sample::Value;
use crate::summary::{Needs, TierSet};
use crate::tag::{Counts, Detectors, DeviceIndex, LinkIndex, Summed, Table, Tag, TagIndex};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

/// One gateway with everything behind it.
#[derive(Debug, Clone)]
pub struct Plant {
    /// Who this gateway is.
    pub gateway: Gateway,
    /// When work is planned, for devices that name no other calendar.
    pub calendar: Calendar,
    /// The calendars that devices name, at most 200; all in the time zone of the plant.
    pub other_calendars: Vec<Calendar>,
    /// The buses and connections.
    pub links: Vec<Link>,
    /// The machines.
    pub devices: Vec<Device>,
    /// The alarms, one for each device that an `[[alarm]]` matches.
    pub alarms: Vec<Alarm>,
    /// What the reason buttons of the I/O board mean.
    pub buttons: [Option<ReasonButton>; 3],
    /// Who is told of alarms.
    pub roster: Roster,
    /// The horns, each with its lamps.
    pub horns: Vec<Horn>,
    /// Largest payload of a record, in bytes: what tags have come to is told in several if it must.
    pub max_payload: usize,
    /// Short hash of the configuration, on every record.
    pub cfg: u32,
}

impl Plant {
    /// The device with this index.
    pub fn device(&self, index: DeviceIndex) -> &Device {
        &self.devices[usize::from(index.0)]
    }

    /// The reason with this id, if a button stands for it.
    pub fn reason(&self, id: &str) -> Option<&StopReason> {
        let mut buttons = self.buttons.iter().flatten();
        buttons.find_map(|button| match &button.means {
            Means::Stop(reason) if *reason.id == *id => Some(reason),
            Means::Stop(_) | Means::Call(_) => None,
        })
    }

    /// The id of what an alarm belongs to: of a device, or [`GATEWAY`].
    pub fn owner_id(&self, owner: Owner) -> &str {
        match owner {
            Owner::Device(index) => &self.device(index).id,
            Owner::Gateway => GATEWAY,
        }
    }

    /// Every calendar, the one that counts where none is named first.
    pub fn calendars(&self) -> impl Iterator<Item = &Calendar> + Clone {
        core::iter::once(&self.calendar).chain(&self.other_calendars)
    }

    /// The calendar with this index.
    pub fn calendar_at(&self, index: CalendarIndex) -> &Calendar {
        let other = usize::from(index.0).checked_sub(1);
        let other = other.and_then(|at| self.other_calendars.get(at));
        other.unwrap_or(&self.calendar)
    }

    /// The tags of a device by the records that tell what they come to, as many in each as a payload
    /// holds at their longest.
    pub fn tag_parts(&self, device: &Device) -> Vec<Range<usize>> {
        let tags = device.model.tags.iter().enumerate();
        let told = tags.filter(|(_, tag)| device.tells(tag));
        let names = told.map(|(index, tag)| (index, &*tag.name));
        self.parts_of(&device.id, device.line.as_deref(), names)
    }

    /// The same for tags by their indexes and names.
    pub(crate) fn parts_of<'n>(
        &self,
        device: &str,
        line: Option<&str>,
        tags: impl Iterator<Item = (usize, &'n str)>,
    ) -> Vec<Range<usize>> {
        let line = line.map_or(0, str::len);
        let head = TAGS_HEAD + self.gateway.id.len() + device.len() + line;
        let room = self.max_payload.saturating_sub(head);
        let mut parts: Vec<Range<usize>> = Vec::new();
        let mut bytes = 0;
        for (index, name) in tags {
            let of_tag = TAG_KEYS * name.len() + TAG_NUMBERS;
            bytes += of_tag;
            match parts.last_mut() {
                Some(part) if bytes <= room => part.end = index + 1,
                _ => {
                    bytes = of_tag;
                    parts.push(index..index + 1);
                }
            }
        }
        parts
    }
}

/// Bytes of a payload that tells what tags come to, without the tags and the names of gateway, device
/// and line.
const TAGS_HEAD: usize = 760;

/// Keys that a tag has in it, and what their suffixes and numbers take at their longest.
const TAG_KEYS: usize = 5;
const TAG_NUMBERS: usize = 180;

/// Who the gateway is: the head of every topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// Topic root, `andon` by default.
    pub root: Box<str>,
    /// Site.
    pub site: Box<str>,
    /// Area.
    pub area: Box<str>,
    /// Id, unique in its area.
    pub id: Arc<str>,
}

/// One bus or connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Id, unique in the gateway.
    pub id: Arc<str>,
    /// What a reading costs on it.
    pub medium: Medium,
    /// Microseconds of silence on a serial line, beyond the silent interval, before a request to
    /// another unit than the last one.
    pub turnaround_us: u64,
}

impl Link {
    /// A link over a network.
    pub fn network(id: &str) -> Link {
        Link {
            id: id.into(),
            medium: Medium::Network,
            turnaround_us: 0,
        }
    }
}

/// What carries the bytes of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// A network: a request costs a round trip, its bytes cost nothing.
    Network,
    /// A serial line: each byte takes its time, and only one speaks.
    Serial(Line),
}

/// How a device wants to be treated; the defaults are those of a well-behaved one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manners {
    /// Hard deadline of an answer in milliseconds.
    pub timeout_ms: u64,
    /// How often an unanswered request is repeated at once, before its reading is bad.
    pub retries: u8,
    /// Pause in milliseconds between an answer of the device and the next request to it.
    pub between_requests_ms: u64,
    /// Pause in milliseconds between opening its connection and the first request.
    pub after_connect_ms: u64,
    /// Registers that it gives in one answer, 1 to 125; sixteen times as many bits.
    pub max_registers: u16,
}

impl Manners {
    /// Addresses of `table` that it gives in one answer.
    pub fn most(&self, table: Table) -> u16 {
        let items = if table.is_bits() { 16 } else { 1 };
        let most = self.max_registers.max(1).saturating_mul(items);
        most.min(table.limit())
    }
}

impl Default for Manners {
    fn default() -> Manners {
        Manners {
            timeout_ms: 1000,
            retries: 0,
            between_requests_ms: 0,
            after_connect_ms: 0,
            max_registers: Table::Holding.limit(),
        }
    }
}

/// One machine.
#[derive(Debug, Clone)]
pub struct Device {
    /// Id, unique in the gateway.
    pub id: Arc<str>,
    /// Name as people say it; the id by default.
    pub name: Arc<str>,
    /// The line it stands in.
    pub line: Option<Arc<str>>,
    /// Asset number.
    pub asset: Option<Arc<str>>,
    /// Profile it was made from.
    pub profile: Option<Arc<str>>,
    /// When work on it is planned.
    pub calendar: CalendarIndex,
    /// The link it is read through.
    pub link: LinkIndex,
    /// Modbus unit id; 0 for devices that send messages.
    pub unit: u8,
    /// How it wants to be treated, if it is read by Modbus.
    pub manners: Manners,
    /// Tags and state mapping, shared by the devices of a profile.
    pub model: Arc<Model>,
    /// Rated rate in thousandths of a part per hour; none where it follows a tag
    /// ([`Model::rates`]) or is not known.
    pub rated_rate: Option<u64>,
    /// Time after the last good sample from which the state is unknown.
    pub stale_after_ms: u64,
    /// So far back data may come late and still fill unknown time, in milliseconds; 0 for no such
    /// device.
    pub late_ms: u64,
    /// The tiers whose summaries are published.
    pub publishes: TierSet,
    /// The tiers over which its tags are published.
    pub publishes_tags: TierSet,
    /// Whether it counts no scrap at all (`scrap = "none"`).
    pub no_scrap: bool,
    /// Figures need at least this share of known time, in ten-thousandths.
    pub min_coverage: u16,
    /// Rates, MTBF and MTTR need at least this much producing + setup time.
    pub min_exposure_ms: u64,
    /// A fault back within this time is the same one.
    pub merge_faults_ms: u64,
    /// Which lies of its source are looked for, by tag; none in tags that are not listed.
    pub detect: Arc<[Detectors]>,
}

impl Device {
    /// What its figures need before they are published.
    pub const fn needs(&self) -> Needs {
        Needs {
            coverage: self.min_coverage,
            exposure_ms: self.min_exposure_ms,
            no_scrap: self.no_scrap,
        }
    }

    /// Its rated rate while it makes `product`, in thousandths of a part per hour.
    pub fn rate_of(&self, product: Option<&Value>) -> Option<u64> {
        let follows = || self.model.rates.as_ref()?.of(product);
        self.rated_rate.or_else(follows)
    }

    /// The highest rated rate of any product.
    pub fn highest_rate(&self) -> Option<u64> {
        let follows = || self.model.rates.as_ref()?.highest();
        self.rated_rate.or_else(follows)
    }

    /// Whether a counter tells its state.
    pub fn is_told_by_counter(&self) -> bool {
        match &self.model.state {
            Some(States::Derived(derived)) => matches!(derived.otherwise, Otherwise::Moving(_)),
            _ => false,
        }
    }

    /// Which lies of its source are looked for in a tag.
    pub fn detectors(&self, tag: TagIndex) -> Detectors {
        let of_tag = self.detect.get(usize::from(tag.0));
        of_tag.copied().unwrap_or(Detectors::NONE)
    }

    /// Whether what a tag comes to is told, over any window.
    pub fn tells(&self, tag: &Tag) -> bool {
        tag.summed != Summed::Not && self.publishes_tags != TierSet::NONE
    }

    /// The count that follows from two others, if two are read. Where no scrap is counted each window
    /// has its own already.
    pub fn third(&self) -> Option<Counts> {
        if self.no_scrap {
            return None;
        }
        let is_read = |counts: Counts| {
            let mut roles = self.model.tags.iter().filter_map(|tag| tag.role);
            roles.any(|role| role.counts == counts)
        };
        let [good, scrap, total] = [Counts::Good, Counts::Scrap, Counts::Total].map(is_read);
        match (good, scrap, total) {
            (false, true, true) => Some(Counts::Good),
            (true, false, true) => Some(Counts::Scrap),
            (true, true, false) => Some(Counts::Total),
            _ => None,
        }
    }
}

/// What machines of one kind have in common.
#[derive(Debug, Clone)]
pub struct Model {
    /// The period of the device as a whole (`every`).
    pub every_ms: u64,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// How its state is told; without one it has no state, no times and no figures.
    pub state: Option<States>,
    /// The rated rate of each product, if it follows a tag.
    pub rates: Option<Rates>,
    /// What raw status values mean, for people.
    pub codes: Vec<Code>,
}

impl Model {
    /// The tag with this name.
    pub fn tag(&self, name: &str) -> Option<TagIndex> {
        let at = self.tags.iter().position(|tag| &*tag.name == name)?;
        u16::try_from(at).ok().map(TagIndex)
    }

    /// What a raw status value means, if somebody has written it down.
    pub fn meaning(&self, value: Option<&Value>) -> Option<&Code> {
        let Some(Value::Int(raw)) = value else {
            return None;
        };
        self.codes.iter().find(|code| code.value == *raw)
    }
}

/// What a raw status value means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The raw value.
    pub value: i64,
    /// In English.
    pub en: Box<str>,
    /// In Chinese.
    pub zh: Box<str>,
}

/// Why a machine does what it does, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause<'a> {
    /// In English.
    pub en: &'a str,
    /// In Chinese.
    pub zh: &'a str,
}

/// A reason button of the I/O board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReasonButton {
    /// What a press says.
    pub means: Means,
    /// Of which devices.
    pub devices: Box<[DeviceIndex]>,
}

/// What a press of a reason button says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Means {
    /// Why machines stand.
    Stop(StopReason),
    /// Somebody is called.
    Call(Call),
}

/// Why a machine stands, as operators say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopReason {
    /// What it is called in the history; unique among the buttons, or the same reason.
    pub id: Arc<str>,
    /// In English.
    pub en: Box<str>,
    /// In Chinese.
    pub zh: Box<str>,
}

/// How urgent an alarm is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Can wait for the next round.
    Low,
    /// Needs attention this hour.
    Medium,
    /// Needs a person now.
    High,
}

impl Priority {
    /// Every priority, the least first.
    pub const ALL: [Priority; 3] = [Priority::Low, Priority::Medium, Priority::High];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Priority::Low => "low",
            Priority::Medium => "medium",
            Priority::High => "high",
        }
    }
}

/// The id that stands for the gateway itself where a device is named; no device may have it.
pub const GATEWAY: &str = "gateway";

/// Whose an alarm is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// A machine.
    Device(DeviceIndex),
    /// The gateway itself: the agent's own alarms.
    Gateway,
}

impl Owner {
    /// The machine, if it is one.
    pub const fn device(self) -> Option<DeviceIndex> {
        match self {
            Owner::Device(device) => Some(device),
            Owner::Gateway => None,
        }
    }
}

/// One alarm of one device, or of the gateway.
#[derive(Debug, Clone)]
pub struct Alarm {
    /// Whose it is.
    pub owner: Owner,
    /// Its id within its owner.
    pub id: Arc<str>,
    /// How urgent.
    pub priority: Priority,
    /// When it is raised.
    pub when: Rule,
    /// The condition must hold this long before the alarm is raised.
    pub on_delay_ms: u64,
    /// The condition must be gone this long before the alarm clears.
    pub off_delay_ms: u64,
    /// Whether it stays until it is reset.
    pub latched: bool,
    /// The first-out group that it belongs to: alarms with the same name here, of whatever device.
    pub group: Option<Arc<str>>,
    /// While this holds, the alarm is suppressed by design.
    pub suppress_when: Option<Rule>,
    /// Text for people, English; all placeholders but `{value}` are filled ([`Alarm::text_en`]).
    pub text_en: Box<str>,
    /// Text for people, Chinese; the same ([`Alarm::text_zh`]).
    pub text_zh: Box<str>,
}

/// How a horn and its lamps follow an alarm (ISA-18.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Sequence {
    /// A, automatic reset: what was acknowledged goes out when its condition is gone.
    #[default]
    Automatic,
    /// M, manual reset: the lamp stays until a person resets the alarm.
    Manual,
    /// R, ringback: the same, and a tone and a slow flash tell that the condition is gone.
    Ringback,
}

impl Sequence {
    /// The letter of the standard.
    pub const fn letter(self) -> char {
        match self {
            Sequence::Automatic => 'A',
            Sequence::Manual => 'M',
            Sequence::Ringback => 'R',
        }
    }

    /// Whether its alarms stay until a person resets them.
    pub const fn latches(self) -> bool {
        matches!(self, Sequence::Manual | Sequence::Ringback)
    }
}

/// One horn with its lamps: which alarms are heard and seen on it, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Horn {
    /// Its id.
    pub id: Arc<str>,
    /// How it follows them.
    pub sequence: Sequence,
    /// Those of a lower priority are neither heard nor seen on it.
    pub from_priority: Priority,
    /// The devices whose alarms it tells; none: every one.
    pub devices: Option<Box<[DeviceIndex]>>,
    /// Whether it tells those of the gateway itself.
    pub gateway: bool,
}

impl Horn {
    /// Whether an alarm is heard and seen on it.
    pub fn is_for(&self, alarm: &Alarm) -> bool {
        let here = match (alarm.owner, self.devices.as_deref()) {
            (Owner::Gateway, _) => self.gateway,
            (Owner::Device(device), Some(devices)) => devices.contains(&device),
            (Owner::Device(_), None) => true,
        };
        here && alarm.priority >= self.from_priority
    }
}

impl Alarm {
    /// The text for people in English, with the value that raised the alarm.
    pub fn text_en(&self, value: Option<&Value>) -> Cow<'_, str> {
        with_value(&self.text_en, value)
    }

    /// The text for people in Chinese, with the value that raised the alarm.
    pub fn text_zh(&self, value: Option<&Value>) -> Cow<'_, str> {
        with_value(&self.text_zh, value)
    }
}

/// What stands in the text of an alarm for the value that raised it.
pub const VALUE: &str = "{value}";

fn with_value<'t>(text: &'t str, value: Option<&Value>) -> Cow<'t, str> {
    if !text.contains(VALUE) {
        return Cow::Borrowed(text);
    }
    let value = match value {
        None => String::from("-"),
        Some(Value::Bool(b)) => format!("{b}"),
        Some(Value::Int(i)) => format!("{i}"),
        Some(Value::Text(t)) => String::from(t.as_str()),
        Some(Value::Float(f)) => {
            let number = format!("{f:.3}");
            let number = number.trim_end_matches('0').trim_end_matches('.');
            String::from(if number == "-0" { "0" } else { number })
        }
    };
    Cow::Owned(text.replace(VALUE, &value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_no_gaps() {
        let range = Match::Range(4, 99);
        for inside in [4.0, 4.5, 99.0] {
            assert!(range.matches(&Value::Float(inside)), "{inside}");
        }
        for outside in [3.999, 99.001, -4.5] {
            assert!(!range.matches(&Value::Float(outside)), "{outside}");
        }
        assert!(Match::Range(2, 2).matches(&Value::Float(2.0)));
        assert!(!Match::Range(2, 2).matches(&Value::Float(2.5)));
    }
}
