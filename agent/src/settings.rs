//! What the configuration comes to, checked: the types the drivers are started with.

use andon_core::line::Line;
use andon_core::modbus::permit::Allowed;
use andon_core::plant::Plant;
use andon_core::tag::{DeviceIndex, LinkIndex, TagIndex};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Everything `andon run` needs to start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the engine is built from.
    pub plant: Plant,
    /// How to reach each link of [`Plant::links`], in its order.
    pub links: Vec<Link>,
    /// Where summaries go.
    pub upstream: Upstream,
    /// Where the HTTP door listens, if anywhere.
    pub http: Option<Http>,
    /// What each horn of [`Plant::horns`] sounds and shines through, in its order.
    pub horns: Vec<Vec<Output>>,
    /// The modem for text messages, if there is one.
    pub sms: Option<Sms>,
    /// Robots and programs that are told of alarms, in the order of the file.
    pub webhooks: Vec<Webhook>,
    /// The server that takes mail, if there is one.
    pub mail: Option<Mail>,
    /// Where the outbox and everything else that must survive lives.
    pub data_dir: PathBuf,
    /// Bytes the memory plan may come to.
    pub memory_budget: u64,
    /// Bytes the data directory may come to.
    pub disk_budget: u64,
    /// How long the history is kept, in milliseconds, where its share of the disk lasts so long.
    pub history_ms: u64,
    /// Minute of the local day at which the gateway tests itself, if it does.
    pub selftest: Option<u16>,
    /// Configured sections whose function this version does not have, by name.
    pub not_active: Vec<NotActive>,
}

/// Something that a horn sounds or shines through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// The I/O board: buzzer and lamps.
    Board,
    /// A line of the gateway.
    Gpio(GpioLine),
    /// A coil of a relay module.
    Coil(Coil),
}

impl Output {
    /// What it switches; none: sound and lamps.
    pub const fn part(&self) -> Option<Part> {
        match self {
            Output::Board => None,
            Output::Gpio(line) => Some(line.part),
            Output::Coil(coil) => Some(coil.part),
        }
    }
}

/// What is switched by an output that switches one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What is heard.
    Sound,
    /// The red lamp.
    Red,
    /// The yellow lamp.
    Yellow,
    /// The green lamp.
    Green,
}

impl Part {
    /// For programs, and as the configuration has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Part::Sound => "sound",
            Part::Red => "red",
            Part::Yellow => "yellow",
            Part::Green => "green",
        }
    }
}

/// A line of a GPIO chip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpioLine {
    /// What it switches.
    pub part: Part,
    /// The chip's character device.
    pub chip: PathBuf,
    /// Its number on the chip.
    pub line: u32,
    /// Whether low is on.
    pub active_low: bool,
}

/// A coil that the configuration allows to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coil {
    /// What it switches.
    pub part: Part,
    /// The link it is behind.
    pub link: LinkIndex,
    /// Unit id on the wire.
    pub unit: u8,
    /// Protocol address.
    pub coil: u16,
    /// Whether it follows the pattern; otherwise it is on for as long as something is to be heard.
    pub pulsed: bool,
}

/// The modem for text messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sms {
    /// Its serial port.
    pub modem: PathBuf,
    /// Its speed, where it has one.
    pub baud: u32,
    /// Holds the PIN of the SIM card.
    pub pin_file: Option<PathBuf>,
    /// The number of the service centre, where the card does not know it.
    pub service_centre: Option<String>,
    /// Whether the agent starts without it.
    pub optional: bool,
    /// Between two messages.
    pub pause: Duration,
    /// How often it is asked for what has come, besides what it says by itself.
    pub poll: Duration,
    /// The network takes a message within this time, or nobody knows what became of it.
    pub send_timeout: Duration,
    /// The first wait before what failed is tried again; the next ones are longer.
    pub retry: Duration,
}

/// A robot or a program that is told of alarms by HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// What it is called here.
    pub name: Arc<str>,
    /// What is spoken to it.
    pub product: Product,
    /// Where its address is.
    pub place: Place,
    /// Holds the secret that messages are signed with.
    pub secret_file: Option<PathBuf>,
    /// Holds a token that is sent along.
    pub token_file: Option<PathBuf>,
    /// What the robot wants to see in every text.
    pub keyword: Option<Arc<str>>,
    /// Who is called by name.
    pub mention: Vec<Mention>,
    /// Hard deadline of connecting and answer together.
    pub timeout: Duration,
    /// Who may vouch for it.
    pub tls: Tls,
}

/// What is spoken to a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// A robot of a group in WeCom (企业微信).
    Wecom,
    /// A robot of a group in DingTalk (钉钉).
    Dingtalk,
    /// A robot of a group in Feishu (飞书).
    Feishu,
    /// A program that takes JSON.
    Json,
}

impl Product {
    /// As its users call it.
    pub const fn name(self) -> &'static str {
        match self {
            Product::Wecom => "WeCom",
            Product::Dingtalk => "DingTalk",
            Product::Feishu => "Feishu",
            Product::Json => "JSON",
        }
    }
}

/// Where the address of a webhook is.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// In the configuration: it is no secret.
    Open(Address),
    /// Alone in a file.
    File(PathBuf),
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Open(address) => write!(f, "{}:{}", address.host, address.port),
            Place::File(file) => file.fmt(f),
        }
    }
}

/// Where to post to. A part of the path may be a secret, so that there is no way to print it.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Whether it is `https://`.
    pub tls: bool,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path and query.
    pub path: String,
}

/// Whom a robot calls by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mention {
    /// The whole group.
    Everybody,
    /// A mobile number (WeCom, DingTalk), or an Open ID (Feishu).
    One(Arc<str>),
}

/// The server that takes mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// How to connect and log in; with [`Security::None`] without TLS.
    pub server: Broker,
    /// How the connection is encrypted.
    pub security: Security,
    /// The sender: a mailbox that the server lets the user send from.
    pub from: Mailbox,
    /// Hard deadline of each step: connecting, encrypting, every answer.
    pub timeout: Duration,
}

/// How a connection to a mail server is encrypted (RFC 8314).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// From the first byte.
    Tls,
    /// After the first words, and never without.
    Starttls,
    /// Not at all.
    None,
}

/// A mailbox, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// As people say it.
    pub name: Option<Arc<str>>,
    /// `local@domain`, in ASCII.
    pub address: Arc<str>,
}

impl Mailbox {
    /// What stands behind the `@`.
    pub fn domain(&self) -> &str {
        self.address
            .rsplit_once('@')
            .map_or("localhost", |(_, domain)| domain)
    }
}

/// A configured section whose function this version does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotActive {
    /// As an engineer would find it in the file: `[[link]] rs485`, `[horn]`.
    pub section: String,
    /// What does not happen because of it.
    pub why: String,
}

/// One bus or connection.
#[derive(Debug, Clone)]
pub struct Link {
    /// Id, for messages.
    pub id: Arc<str>,
    /// How to reach it.
    pub kind: LinkKind,
}

/// How to reach a link.
#[derive(Debug, Clone)]
pub enum LinkKind {
    /// One Modbus endpoint; the units behind it share one connection.
    Modbus(Modbus),
    /// One MQTT broker that machines publish to.
    Mqtt(MqttLink),
    /// One machine that answers HTTP requests.
    HttpGet(HttpGet),
    /// Scripts push to the HTTP door.
    HttpPush(HttpPush),
    /// The I/O board.
    Board(Board),
}

/// Id of the link that the I/O board is.
pub const BOARD: &str = "board";

/// The I/O board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    /// Its serial port.
    pub port: PathBuf,
    /// Its speed, where it has one.
    pub baud: u32,
    /// Whether the agent starts without it.
    pub optional: bool,
}

/// Where the HTTP door listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Host name or address of this machine.
    pub host: String,
    /// Port.
    pub port: u16,
    /// File with the token of who may act from the network; without, nobody may.
    pub act_token_file: Option<PathBuf>,
    /// What this machine is called, besides its addresses and names without a dot.
    pub names: Vec<Box<str>>,
}

/// One machine that answers HTTP requests with documents.
#[derive(Debug, Clone)]
pub struct HttpGet {
    /// How to connect.
    pub server: Broker,
    /// Hard deadline of connecting, and of every answer.
    pub timeout: Duration,
    /// Largest document that is looked at, in bytes.
    pub max_payload: usize,
    /// What to ask for.
    pub pages: Vec<Page>,
}

/// One document, with everything that is read out of it at one pace.
#[derive(Debug, Clone)]
pub struct Page {
    /// Path and query, from the first `/`.
    pub path: Arc<str>,
    /// Milliseconds between two requests.
    pub every_ms: u64,
    /// The devices that are read from it.
    pub readers: Vec<Reader>,
}

/// What scripts need to push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpPush {
    /// File that holds the token, read anew for each request; written if it does not exist.
    pub token_file: PathBuf,
}

/// One Modbus endpoint.
#[derive(Debug, Clone)]
pub struct Modbus {
    /// What is spoken to.
    pub endpoint: Endpoint,
    /// Hard deadline of connecting, and of answers of devices that have none of their own.
    pub timeout: Duration,
    /// What may be written to.
    pub allow_write: Vec<Allowed>,
}

/// What a Modbus link speaks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Modbus TCP.
    Tcp {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// RTU on a serial port.
    Serial(SerialPort),
    /// RTU through a converter that passes the bytes of a TCP connection to its serial line.
    RtuOverTcp {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
        /// The line behind it, where it is known.
        line: Option<Line>,
        /// Silence beyond the silent interval before a request to another unit.
        turnaround: Duration,
    },
}

/// A serial port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerialPort {
    /// By a name that stays the same when the port is unplugged.
    pub path: PathBuf,
    /// Bits per second.
    pub baud: u32,
    /// Parity bit.
    pub parity: Parity,
    /// 1 or 2.
    pub stop_bits: u8,
    /// Whether the agent starts without it.
    pub optional: bool,
    /// Who switches the driver of an RS-485 line.
    pub rs485: Rs485,
    /// Silence beyond the silent interval before a request to another unit.
    pub turnaround: Duration,
}

impl SerialPort {
    /// What its bytes take: a start bit, eight data bits and what is configured.
    pub fn line(&self) -> Line {
        Line {
            baud: self.baud,
            char_bits: char_bits(self.parity, self.stop_bits),
        }
    }
}

/// Bits of a character on the wire: a start bit, eight of data, and these.
pub fn char_bits(parity: Parity, stop_bits: u8) -> u8 {
    9 + u8::from(parity != Parity::None) + stop_bits
}

/// The parity bit of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parity {
    /// There is none.
    None,
    /// An even number of ones.
    Even,
    /// An odd number of ones.
    Odd,
}

impl Parity {
    /// As in 8E1.
    pub const fn letter(self) -> char {
        match self {
            Parity::None => 'N',
            Parity::Even => 'E',
            Parity::Odd => 'O',
        }
    }
}

/// Who switches the driver of an RS-485 line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rs485 {
    /// The kernel where the port offers it, otherwise the adapter by itself.
    Auto,
    /// The kernel, or the port is of no use.
    Kernel,
    /// The adapter by itself.
    Adapter,
}

impl Endpoint {
    /// The serial line that its units hang on, where its speed is known.
    pub fn line(&self) -> Option<Line> {
        match self {
            Endpoint::Tcp { .. } => None,
            Endpoint::Serial(port) => Some(port.line()),
            Endpoint::RtuOverTcp { line, .. } => *line,
        }
    }

    /// Silence beyond the silent interval before a request to another unit.
    pub const fn turnaround(&self) -> Duration {
        match self {
            Endpoint::Tcp { .. } => Duration::ZERO,
            Endpoint::Serial(SerialPort { turnaround, .. })
            | Endpoint::RtuOverTcp { turnaround, .. } => *turnaround,
        }
    }

    /// What is spoken, for programs.
    pub const fn protocol(&self) -> &'static str {
        match self {
            Endpoint::Tcp { .. } => "modbus-tcp",
            Endpoint::Serial(_) => "modbus-rtu",
            Endpoint::RtuOverTcp { .. } => "modbus-rtu-tcp",
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp { host, port } | Endpoint::RtuOverTcp { host, port, .. } => {
                write!(f, "{host}:{port}")
            }
            Endpoint::Serial(port) => port.path.display().fmt(f),
        }
    }
}

/// One MQTT broker to read from.
#[derive(Debug, Clone)]
pub struct MqttLink {
    /// How to connect.
    pub broker: Broker,
    /// Client id.
    pub client_id: String,
    /// What to subscribe to, and what the messages mean.
    pub topics: Vec<Topic>,
    /// Largest payload that is looked at, in bytes.
    pub max_payload: usize,
}

/// One topic with everything that is read out of its messages.
#[derive(Debug, Clone)]
pub struct Topic {
    /// Topic as its devices publish to it; `+` stands for any one level.
    pub name: Arc<str>,
    /// The filter that stands for this and other topics in which only the device differs.
    pub shared: Option<Arc<str>>,
    /// The devices that are read from it.
    pub readers: Vec<Reader>,
}

/// A device that is read from a topic or a page.
#[derive(Debug, Clone)]
pub struct Reader {
    /// Which.
    pub device: DeviceIndex,
    /// What it is called in topics and messages.
    pub called: Arc<str>,
    /// Its tags whose [`andon_core::tag::Place`] names the topic, or that stand on the page.
    pub tags: Vec<TagIndex>,
}

/// How to connect to a broker, or to a machine that answers HTTP requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether and how the connection is encrypted (`mqtts://`).
    pub tls: Option<Tls>,
    /// User name.
    pub username: Option<String>,
    /// File that holds the user name instead, read anew for each connection.
    pub username_file: Option<PathBuf>,
    /// File that holds the password, read anew for each connection.
    pub password_file: Option<PathBuf>,
}

/// Files for TLS, read anew for each connection so that replacing them is enough.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// PEM file of the authorities that may vouch for the broker.
    pub ca_file: Option<PathBuf>,
    /// PEM file of the client certificate chain.
    pub cert_file: Option<PathBuf>,
    /// PEM file of the client key.
    pub key_file: Option<PathBuf>,
    /// PEM or DER file of the certificates that the authorities have revoked.
    pub crl_file: Option<PathBuf>,
    /// The protocol that is asked for (ALPN).
    pub alpn: Option<Arc<str>>,
}

/// The form of what goes up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Payload {
    /// The topics of the contract.
    #[default]
    Json,
    /// Sparkplug B 3.0.
    Sparkplug {
        /// The group of edge nodes, if it is not `{site}:{area}`.
        group: Option<Box<str>>,
        /// Nothing is said while this host is not there.
        primary_host: Option<Box<str>>,
    },
}

/// Where summaries go.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// In which form.
    pub payload: Payload,
    /// How to connect.
    pub broker: Broker,
    /// Brokers that are tried in turn where that one cannot be reached.
    pub others: Vec<Broker>,
    /// A ping is sent after this long without anything else; a connection that is dead without
    /// anybody having said so is noticed after twice as long.
    pub keep_alive: Duration,
    /// Largest record that is sent, in bytes of payload; larger ones are set aside and told.
    pub max_payload: usize,
    /// Connected, records waiting and no acknowledgement for this long: rebuild the connection.
    pub ack_timeout: Duration,
    /// Records on their way at once.
    pub window: u16,
    /// Records of the backlog that are sent in a second, at most.
    pub replay: u32,
    /// Who may command; without, nobody.
    pub commands: Option<Commands>,
}

/// Commands from the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commands {
    /// File with the secret of who may command.
    pub token_file: PathBuf,
    /// Whether the secret itself is not enough: commands must be signed with it.
    pub only_signed: bool,
}
