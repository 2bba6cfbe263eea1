//! What the two ends say to each other.
//!
//! Every message stands for itself. Orders and inputs carry the whole state, not a change, so a
//! lost frame is made good by the next one and a repeated one does no harm.

use serde::{Deserialize, Serialize};

/// How many counting inputs a board has.
pub const INPUTS: usize = 4;

/// Everything that can be in a frame. The outer enum says the direction, so that an echo (a bridge
/// between TX and RX, a terminal left open) is never taken for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// From the agent to the board.
    ToBoard(ToBoard),
    /// From the board to the agent.
    ToAgent(ToAgent),
}

/// What the agent says. The order is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToBoard {
    /// The agent decides and acts; sent every [`HEARTBEAT_EVERY_MS`](crate::HEARTBEAT_EVERY_MS) by
    /// what would stop if it did not. Answered with [`ToAgent::Inputs`].
    Heartbeat,
    /// What to sound and show from now on. Answered with [`ToAgent::Ack`].
    Signal(Signal),
    /// Who is there? Answered with [`ToAgent::Hello`]. Common ground of all versions.
    AskHello,
    /// Leave the firmware and wait to be flashed. Answered with [`ToAgent::Ack`], then the board
    /// is gone. Common ground of all versions.
    EnterBootloader,
}

/// What the board says. The order is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToAgent {
    /// Who I am: after start, when the agent is back, and when asked. The agent then sends the
    /// signal that holds: the board may have lost it. Common ground of all versions.
    Hello(Hello),
    /// What the inputs counted and show.
    Inputs(Inputs),
    /// A button was pressed.
    Button(ButtonEvent),
    /// The order with this frame number is carried out, and it is the newest one: a signal that
    /// came before it is replaced by it.
    Ack(u16),
}

/// What to sound and show. Always the whole of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Signal {
    /// What the buzzer plays.
    pub tone: Tone,
    /// Another number begins the tone from its start: a further alarm of the same priority,
    /// another ringback, another test. The same number never disturbs what is playing.
    pub start: u8,
    /// The red lamp.
    pub red: Lamp,
    /// The yellow lamp.
    pub yellow: Lamp,
    /// The green lamp.
    pub green: Lamp,
}

/// What the buzzer plays; the patterns are the board's. The order is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Tone {
    /// Nothing.
    #[default]
    Silent,
    /// An alarm of low priority.
    Low,
    /// An alarm of medium priority.
    Medium,
    /// An alarm of high priority.
    High,
    /// Once: an alarm's condition is gone, nobody has seen it yet.
    Ringback,
    /// Once, with all lamps lit: proves buzzer and lamps.
    Test,
}

/// What a lamp shows. The order is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Lamp {
    /// Dark.
    #[default]
    Off,
    /// Steady.
    On,
    /// Flashes at 2 Hz: nobody has acknowledged it.
    Flash,
    /// Flashes at 0.5 Hz: gone, but nobody has seen it.
    FlashSlow,
}

/// Who the board is and how it has fared. The layout never changes, nor do [`Release`] and
/// [`ResetCause`] in it: it is how any agent recognises any board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The [`VERSION`](crate::VERSION) it speaks: below ours it is too old, above ours too new.
    pub wire: u8,
    /// The release of its firmware.
    pub firmware: Release,
    /// Random; a new one exactly when the counts begin at zero again.
    pub boot_id: u32,
    /// Milliseconds since it started.
    pub uptime_ms: u64,
    /// Why it started.
    pub reset: ResetCause,
    /// How long it was taking the agent for dead: the stretch that lasts, or else the last one,
    /// from its last heartbeat on; 0 if there was none since it started.
    pub alone_ms: u64,
}

/// A release of the firmware, `major.minor.patch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Release {
    /// Breaking.
    pub major: u16,
    /// Adding.
    pub minor: u16,
    /// Mending.
    pub patch: u16,
}

/// Why the board started. Closed, as part of the common ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResetCause {
    /// The chip does not say.
    Unknown,
    /// Power came.
    PowerOn,
    /// The reset pin was pulled.
    Pin,
    /// The firmware stood still and the watchdog bit.
    Watchdog,
    /// The firmware panicked.
    Panic,
    /// It was told to, after flashing.
    Command,
}

/// What the counting inputs counted and show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// The counts belong to this [`Hello::boot_id`]; under another one they began at zero.
    pub boot_id: u32,
    /// When they were read, in [`Hello::uptime_ms`].
    pub uptime_ms: u64,
    /// Rising edges since power-on, after debouncing. They never go back under one boot id.
    pub counts: [u64; INPUTS],
    /// Whether each input is on, after debouncing.
    pub levels: [bool; INPUTS],
}

/// A press of a button. It is sent once: a press lost with its frame is pressed again by somebody
/// who looks at the line, while one delivered late would acknowledge what nobody has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ButtonEvent {
    /// Which button.
    pub button: Button,
    /// How long.
    pub press: Press,
}

/// The buttons. The order is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Button {
    /// Silence, acknowledge, reset, by the length of the press.
    Acknowledge,
    /// The first reason or call.
    Reason1,
    /// The second.
    Reason2,
    /// The third.
    Reason3,
}

/// How long a button was pressed. The order is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Press {
    /// Under 0.8 s.
    Short,
    /// 1 s to 3 s.
    Long,
    /// 5 s and more; told when the 5 s are over, not at the release.
    Held,
}
