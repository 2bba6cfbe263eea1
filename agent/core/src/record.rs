//! Records: what is stored, numbered and delivered once. This is also their stored form
//! (postcard): variants and fields are only ever appended, and [`STORED_VERSION`] rises with them.

use crate::alarm::{Act, AlarmState, Verb, Via};
use crate::annunciate::{Channel, Kind};
use crate::plant::Priority;
use crate::sample::{Quality, Reason, Value};
use crate::state::State;
use crate::summary::{ShiftRun, Summary, Tier};
use crate::tag_sums::{Number, TagSum};
use crate::time::{ClockState, Wall};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Version of the stored form.
pub const STORED_VERSION: u8 = 6;

/// Which run of the agent made a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Run {
    /// Random, new at each start; 48 bits, written as 12 hexadecimal digits.
    pub id: u64,
    /// Counts starts.
    pub boot: u32,
    /// Short hash of the configuration, written as 8 hexadecimal digits.
    pub cfg: u32,
}

/// One record of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Unbroken over all records of the run, from 1.
    pub seq: u64,
    /// Unbroken within the topic and run, from 1.
    pub n: u64,
    /// When it was made.
    pub ts: Wall,
    /// What `ts` is worth.
    pub clock: ClockState,
    /// What it says.
    pub body: Body,
}

/// The wall clock was set for the first time in a run: what it had labelled before is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relabel {
    /// First number of a record with such labels.
    pub seq_from: u64,
    /// Last one.
    pub seq_to: u64,
    /// By how many milliseconds.
    pub by_ms: i64,
    /// What the labels are worth then.
    pub clock: ClockState,
}

impl Relabel {
    /// Whether it is about the record with this number, of the same run.
    pub const fn concerns(&self, seq: u64) -> bool {
        self.seq_from <= seq && seq <= self.seq_to
    }
}

impl Record {
    /// Moves the labels of a record that [`Relabel::concerns`].
    pub fn relabel(&mut self, relabel: &Relabel) {
        let by = relabel.by_ms;
        self.ts = self.ts + by;
        self.clock = relabel.clock;
        match &mut self.body {
            Body::Summary(summary) => {
                summary.start = summary.start + by;
                summary.end = summary.end + by;
            }
            Body::Tags(tags) => {
                tags.start = tags.start + by;
                tags.end = tags.end + by;
            }
            Body::Event(_) => {}
        }
    }
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// The parts of a window.
    Summary(Box<Summary>),
    /// An entry of the journal.
    Event(Event),
    /// What tags have come to over a window.
    Tags(Box<TagWindow>),
}

/// What some tags of a device have come to over a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TagWindow {
    /// Device id.
    pub device: Arc<str>,
    /// Line of the device.
    pub line: Option<Arc<str>>,
    /// Length class.
    pub tier: Tier,
    /// The shift, for windows that are one.
    pub shift: Option<ShiftRun>,
    /// Label of the start.
    pub start: Wall,
    /// Label of the end.
    pub end: Wall,
    /// Real length in milliseconds.
    pub window_ms: u64,
    /// See [`Summary::fold`].
    pub fold: u32,
    /// See [`Summary::merged`].
    pub merged: u32,
    /// See [`Summary::clock_step_ms`].
    pub clock_step_ms: i64,
    /// Which of the records that tell the tags of one window, from 1.
    pub part: u16,
    /// How many these are.
    pub parts: u16,
    /// The tags.
    pub tags: Vec<TagValue>,
}

/// What a tag has come to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TagValue {
    /// Its name.
    pub name: Arc<str>,
    /// Whether it is a counter.
    pub counter: bool,
    /// Its parts.
    pub sum: TagSum,
    /// The last good value, if there was one in the window.
    pub last: Option<Number>,
}

impl Body {
    /// What the record counts as when room must be made.
    pub const fn class(&self) -> Class {
        match self {
            Body::Summary(_) | Body::Tags(_) => Class::Summary,
            Body::Event(Event::Alarm { .. } | Event::Loss { .. } | Event::Merged { .. }) => {
                Class::Alarm
            }
            Body::Event(_) => Class::Event,
        }
    }
}

/// What is dropped first when even merging leaves no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// Summaries go first, oldest first.
    Summary,
    /// Then the journal.
    Event,
    /// Alarm, loss and merged events go last.
    Alarm,
}

impl Class {
    /// Every class, what goes first first.
    pub const ALL: [Class; 3] = [Class::Summary, Class::Event, Class::Alarm];

    /// The word for it in the journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Class::Summary => "summary",
            Class::Event => "event",
            Class::Alarm => "alarm",
        }
    }
}

/// An entry of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// A device changed its state.
    State {
        /// Which device.
        device: Arc<str>,
        /// From.
        from: State,
        /// To.
        to: State,
        /// The raw status value.
        code: Option<Value>,
        /// What the code means, in English.
        cause: Option<String>,
        /// Quality of the status.
        quality: Quality,
    },
    /// An alarm changed its state.
    Alarm {
        /// Which device.
        device: Arc<str>,
        /// Which alarm.
        alarm: Arc<str>,
        /// Activations so far.
        occurrence: u64,
        /// How urgent.
        priority: Priority,
        /// From.
        from: AlarmState,
        /// To.
        to: AlarmState,
        /// The value that did it.
        value: Option<Value>,
        /// Whether its condition holds.
        active: bool,
        /// What a person did, if that is why.
        done: Option<Box<Done>>,
        /// Whether it came first of its group.
        first_out: bool,
    },
    /// A link came up or went down.
    Link {
        /// Which link.
        link: Arc<str>,
        /// Whether it is up now.
        up: bool,
        /// Why it is down.
        why: Option<String>,
    },
    /// The wall clock was stepped, or its state changed.
    Clock {
        /// Before.
        from: ClockState,
        /// After.
        to: ClockState,
        /// By how many milliseconds it was stepped.
        step_ms: i64,
    },
    /// A configuration was taken up.
    Config {
        /// In words.
        what: String,
    },
    /// Records were lost.
    Loss {
        /// Why, in words.
        why: String,
        /// The run whose records they were, unless nobody can know.
        run: Option<Run>,
        /// First lost number.
        seq_from: u64,
        /// Last lost number.
        seq_to: u64,
        /// How many; 0 if nobody can know.
        count: u64,
        /// What kind, if all were of one kind.
        class: Option<Class>,
    },
    /// Waiting summaries were merged; their numbers vanish without loss.
    Merged {
        /// Whose.
        device: Arc<str>,
        /// Which tier.
        tier: Tier,
        /// The run whose numbers vanish.
        run: Run,
        /// First vanished number.
        seq_from: u64,
        /// Last vanished number.
        seq_to: u64,
        /// How many.
        count: u64,
    },
    /// A status value that no rule maps.
    UnmappedState {
        /// Which device.
        device: Arc<str>,
        /// The value.
        value: Value,
    },
    /// A source lies, or does so no more.
    Source {
        /// Which device.
        device: Arc<str>,
        /// Which of its tags; none if it is all of them.
        tag: Option<Arc<str>>,
        /// How.
        reason: Reason,
        /// Whether it begins.
        begins: bool,
        /// What it said when that was found; of a clock, by how many milliseconds it is ahead.
        value: Option<Value>,
    },
    /// A person stopped the sound of all alarms.
    Silence {
        /// Who.
        act: Box<Act>,
        /// How many alarms sounded.
        count: u64,
        /// Until when.
        until: Wall,
    },
    /// A person tests what is heard and lit; no alarm is changed by that.
    HornTest {
        /// Which horn; none: every one.
        horn: Option<Arc<str>>,
        /// Who.
        act: Box<Act>,
        /// Until when.
        until: Wall,
    },
    /// Somebody was told of alarms, or nobody can be.
    Telling(Box<Telling>),
    /// What became of a command from the network.
    Answer(Box<Answer>),
}

/// What became of a command from the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What was to be done, in the word of the command.
    pub command: Box<str>,
    /// Id of the alarm; none where all are meant.
    pub id: Option<Box<str>>,
    /// The occurrence it was done to; if it was not done, the one that was named.
    pub occurrence: Option<u64>,
    /// What tells it from every other command.
    pub nonce: Box<str>,
    /// Who sent it, if they said so.
    pub by: Option<Box<str>>,
    /// By which way.
    pub via: Via,
    /// How many alarms were silenced.
    pub count: Option<u64>,
    /// Why it was not done, in words; none if it was.
    pub refused: Option<String>,
}

impl Answer {
    /// What became of it, in a word.
    pub const fn outcome(&self) -> &'static str {
        match self.refused {
            None => "done",
            Some(_) => "refused",
        }
    }
}

/// Who was told of what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Telling {
    /// Id of the alarm, or of the worst of several; none of an answer to a message.
    pub alarm: Option<Box<str>>,
    /// Which of its activations.
    pub occurrence: Option<u64>,
    /// How urgent it is.
    pub priority: Option<Priority>,
    /// Who was told; none: nobody can be.
    pub to: Option<Arc<str>>,
    /// How.
    pub channel: Option<Channel>,
    /// Why they were told.
    pub kind: Option<Kind>,
    /// `sent`, `unknown`, `refused`, or `untold`.
    pub outcome: Box<str>,
    /// Why not.
    pub why: Option<String>,
    /// How many alarms they were told of at once.
    pub count: u64,
}

/// What a person did to an alarm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// What.
    pub verb: Verb,
    /// Who, how and why.
    pub act: Act,
    /// Until when it is shelved.
    pub until: Option<Wall>,
    /// Milliseconds since the step of a call before this one.
    pub took_ms: Option<u64>,
}
