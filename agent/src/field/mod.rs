//! Reading machines: one task per link, each handing the engine what it read.

mod schedule;

use andon_core::modbus::plan::ReadIndex;
use andon_core::sample::{Reading, Reason};
use andon_core::tag::{DeviceIndex, LinkIndex, TagIndex};
use andon_core::time::Mono;

/// What a link task tells the engine.
#[derive(Debug)]
pub enum FromField {
    /// The link came up or went down.
    Link {
        /// Which.
        link: LinkIndex,
        /// Whether it is up now.
        up: bool,
        /// Why it is down, for people.
        why: Option<String>,
    },
    /// A Modbus read was answered, or not.
    Read {
        /// Which of [`andon_core::modbus::plan::Plan::reads`].
        read: ReadIndex,
        /// When the answer arrived.
        at: Mono,
        /// What it said.
        answer: Result<Answer, Reason>,
    },
    /// A message brought readings of one device.
    Readings {
        /// Which device.
        device: DeviceIndex,
        /// When the message arrived.
        at: Mono,
        /// What it said of each tag.
        readings: Vec<(TagIndex, Reading)>,
    },
}

/// The content of a Modbus answer.
#[derive(Debug)]
pub enum Answer {
    /// 16-bit registers.
    Registers(Vec<u16>),
    /// Bits.
    Bits(Vec<bool>),
}
