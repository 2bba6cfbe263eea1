//! What a tag is: name, place, type, role. Ids are indexes into the plant's tables.

mod fingerprint;

use crate::sample::Value;
use alloc::boxed::Box;
use alloc::sync::Arc;
use serde::{Deserialize, Serialize};

mod detector;

pub use detector::{Detector, Detectors};

/// Index of a device in [`crate::plant::Plant::devices`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceIndex(pub u16);

/// Index of a tag in its device's [`crate::plant::Model::tags`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TagIndex(pub u16);

/// Index of a link in [`crate::plant::Plant::links`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkIndex(pub u16);

/// One value of a device, as configured.
#[derive(Debug, Clone, PartialEq)]
pub struct Tag {
    /// Name, unique in the device.
    pub name: Arc<str>,
    /// Unit as shown, `""` if none.
    pub unit: Box<str>,
    /// What the value counts, if it counts parts.
    pub role: Option<Role>,
    /// What it comes to over a window.
    pub summed: Summed,
    /// Least and greatest plausible value after scaling; outside is bad `out-of-range`.
    pub range: Option<(f64, f64)>,
    /// Milliseconds between two readings (polled) or expected between two messages (MQTT).
    pub every_ms: u64,
    /// Where it comes from.
    pub source: Source,
}

impl Tag {
    /// The type of its raw value.
    pub const fn kind(&self) -> Kind {
        match &self.source {
            Source::Modbus(point) => point.kind,
            Source::Message(place) => place.kind,
            Source::Board(pin) => pin.kind(),
        }
    }

    /// The tag of the same device that says by which power of ten it is scaled.
    pub const fn power_of_ten(&self) -> Option<TagIndex> {
        match &self.source {
            Source::Modbus(point) => point.power_of_ten,
            Source::Message(_) | Source::Board(_) => None,
        }
    }

    /// Least and greatest value it can have, if that is a whole number and not scaled.
    pub fn limits(&self) -> Option<(i64, i64)> {
        match &self.source {
            Source::Modbus(point) => point.limits(),
            Source::Message(place) => place.limits(),
            Source::Board(pin) => pin.kind().limits(),
        }
    }

    /// The last count before the counter begins anew, if it counts parts: what its role says, or
    /// what its type holds.
    pub fn top(&self) -> Option<i64> {
        self.role.and_then(|_| self.last_count())
    }

    /// The same for a number that counts anything.
    pub fn last_count(&self) -> Option<i64> {
        let own = || match (&self.source, self.limits()) {
            // A value beyond i64 is out of range: such a counter is never seen to wrap.
            (_, Some((_, i64::MAX))) => None,
            (Source::Modbus(Point { bits: Some(_), .. }), Some((0, top))) => Some(top),
            _ => self.kind().top(),
        };
        let wrap = self.role.and_then(|role| role.wrap);
        wrap.map_or_else(own, |wrap| wrap.checked_sub(1))
    }

    /// Whether `value` lies in the tag's range, ends included. Without a range, and for text,
    /// everything does.
    pub fn in_range(&self, value: &Value) -> bool {
        match (self.range, value.number()) {
            (Some((low, high)), Some(number)) => (low..=high).contains(&number),
            _ => true,
        }
    }
}

/// What a tag comes to over a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Summed {
    /// A level: its mean, its least and its greatest value.
    Level,
    /// A counter of parts, energy, hours: what was added.
    Counter,
    /// Nothing: a text, or a tag that is kept at home.
    Not,
}

/// What a counter counts (contract §2, Counts).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role {
    /// Good, scrap or total.
    pub counts: Counts,
    /// Parts for each count of the counter.
    pub parts: u32,
    /// Counts after which it begins anew from 0, if that is not where its type ends: 1000000 for
    /// six decimal digits.
    pub wrap: Option<i64>,
}

/// What a counter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Counts {
    /// Parts within specification.
    Good,
    /// Rejected parts.
    Scrap,
    /// Both.
    Total,
}

/// Where a tag's value comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Registers or bits read by Modbus.
    Modbus(Point),
    /// A message: what a broker delivers, a device answers or a script pushes.
    Message(Place),
    /// A counting input of the I/O board.
    Board(Pin),
}

/// What a counting input of the I/O board tells, by its number from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pin {
    /// How many pulses there were since power came: `board:count0`.
    Count(u8),
    /// Whether it is on: `board:input0`.
    Level(u8),
}

impl Pin {
    /// The type of its value. A count is 64 bits wide and never wraps.
    pub const fn kind(self) -> Kind {
        match self {
            Pin::Count(_) => Kind::U64,
            Pin::Level(_) => Kind::Bool,
        }
    }
}

/// A place in a Modbus unit's four tables, and what its content means.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Which of the four tables.
    pub table: Table,
    /// Protocol address, 0-based.
    pub address: u16,
    /// How the bits are to be read.
    pub kind: Kind,
    /// The order in which the bytes arrive.
    pub order: Order,
    /// Those of the bits that are the value, if not all.
    pub bits: Option<Bits>,
    /// Characters of a text; 0 for other types.
    pub length: u8,
    /// How the characters of a text lie in the registers.
    pub packing: Packing,
    /// Raw values by which the device says that it has none, as bits of the type's width.
    pub absent: Box<[u64]>,
    /// Value = raw × scale × 10^power + offset.
    pub scale: f64,
    /// Value = raw × scale × 10^power + offset.
    pub offset: f64,
    /// The tag of the same device whose value is the power, if there is one (`sunssf` of SunSpec).
    pub power_of_ten: Option<TagIndex>,
}

impl Point {
    /// All bits at an address, high word first and not scaled.
    pub fn new(table: Table, address: u16, kind: Kind) -> Point {
        Point {
            table,
            address,
            kind,
            order: Order::Abcd,
            bits: None,
            length: 0,
            packing: Packing::Pairs,
            absent: Box::default(),
            scale: 1.0,
            offset: 0.0,
            power_of_ten: None,
        }
    }

    /// Addresses that it takes in its table.
    pub const fn width(&self) -> u16 {
        match (self.table.is_bits(), self.kind, self.packing) {
            (true, _, _) => 1,
            (false, Kind::Text, Packing::Pairs) => (self.length as u16).div_ceil(2),
            (false, Kind::Text, Packing::High | Packing::Low) => self.length as u16,
            (false, kind, _) => kind.registers(),
        }
    }

    /// Whether the value is another than the raw one.
    pub const fn is_scaled(&self) -> bool {
        self.scale != 1.0 || self.offset != 0.0 || self.power_of_ten.is_some()
    }

    /// Least and greatest value it can have, if that is a whole number and not scaled.
    pub const fn limits(&self) -> Option<(i64, i64)> {
        if self.is_scaled() {
            return None;
        }
        match (self.kind.limits(), self.bits) {
            (Some(all), None) => Some(all),
            (Some((least, _)), Some(bits)) => Some(bits.limits(least < 0)),
            (None, _) => None,
        }
    }
}

/// Neighbouring bits of a value; bit 0 is the least significant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bits {
    low: u8,
    high: u8,
}

impl Bits {
    /// The bits from `low` to `high`, both included; none if there are no such bits in 64.
    pub const fn new(low: u8, high: u8) -> Option<Bits> {
        if low <= high && high < 64 {
            Some(Bits { low, high })
        } else {
            None
        }
    }

    /// The highest of them.
    pub const fn high(self) -> u8 {
        self.high
    }

    const fn count(self) -> u8 {
        self.high - self.low + 1
    }

    /// Their value in `word`, unsigned.
    pub const fn unsigned_in(self, word: u64) -> u64 {
        word << (63 - self.high) >> (64 - self.count())
    }

    /// Their value in `word` in two's complement.
    pub const fn signed_in(self, word: u64) -> i64 {
        (word << (63 - self.high)).cast_signed() >> (64 - self.count())
    }

    const fn limits(self, signed: bool) -> (i64, i64) {
        let unused = 64 - self.count();
        match (signed, unused) {
            (true, _) => (i64::MIN >> unused, i64::MAX >> unused),
            (false, 0) => (0, i64::MAX),
            (false, _) => (0, (u64::MAX >> unused).cast_signed()),
        }
    }
}

/// The four tables of a Modbus unit (Modbus Application Protocol 1.1b3, §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Function 1, one bit each.
    Coil,
    /// Function 2, one bit each.
    Discrete,
    /// Function 3, 16 bits each.
    Holding,
    /// Function 4, 16 bits each.
    Input,
}

impl Table {
    /// All four.
    pub const ALL: [Table; 4] = [Table::Coil, Table::Discrete, Table::Holding, Table::Input];

    /// Addresses that one read may ask for: 125 registers (Modbus Application Protocol 1.1b3, §6.3
    /// and §6.4) or 2,000 bits (§6.1 and §6.2).
    pub const fn limit(self) -> u16 {
        if self.is_bits() { 2_000 } else { 125 }
    }

    /// As written in the configuration: `holding:10`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Table::Coil => "coil",
            Table::Discrete => "discrete",
            Table::Holding => "holding",
            Table::Input => "input",
        }
    }

    /// Whether an address holds one bit and not a 16-bit register.
    pub const fn is_bits(self) -> bool {
        matches!(self, Table::Coil | Table::Discrete)
    }
}

/// The type of a raw value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One bit, or a register that is 0 or not.
    Bool,
    /// Unsigned 16 bit.
    U16,
    /// Signed 16 bit.
    I16,
    /// Unsigned 32 bit.
    U32,
    /// Signed 32 bit.
    I32,
    /// Unsigned 64 bit.
    U64,
    /// Signed 64 bit.
    I64,
    /// IEEE 754 single.
    F32,
    /// IEEE 754 double.
    F64,
    /// Text.
    Text,
    /// Four decimal digits, four bits each (packed BCD).
    Bcd16,
    /// Eight decimal digits, four bits each.
    Bcd32,
    /// Sixteen decimal digits, four bits each.
    Bcd64,
    /// Unsigned 32 bit, seconds since 1970-01-01 UTC; as a value, milliseconds.
    EpochS,
    /// Unsigned 64 bit, seconds since 1970-01-01 UTC; as a value, milliseconds.
    EpochS64,
    /// Unsigned 64 bit, milliseconds since 1970-01-01 UTC.
    EpochMs,
    /// IEEE 754 half.
    F16,
}

impl Kind {
    /// Every type with its name in the configuration.
    pub const ALL: [(&'static str, Kind); 17] = [
        ("bool", Kind::Bool),
        ("u16", Kind::U16),
        ("i16", Kind::I16),
        ("u32", Kind::U32),
        ("i32", Kind::I32),
        ("u64", Kind::U64),
        ("i64", Kind::I64),
        ("f16", Kind::F16),
        ("f32", Kind::F32),
        ("f64", Kind::F64),
        ("string", Kind::Text),
        ("bcd16", Kind::Bcd16),
        ("bcd32", Kind::Bcd32),
        ("bcd64", Kind::Bcd64),
        ("epoch_s", Kind::EpochS),
        ("epoch_s64", Kind::EpochS64),
        ("epoch_ms", Kind::EpochMs),
    ];

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        let known = Kind::ALL.iter().find(|(_, kind)| *kind == self);
        known.map_or("", |(name, _)| name)
    }

    /// Registers it takes; a text has as many as its length needs, see [`Point::width`].
    pub const fn registers(self) -> u16 {
        match self {
            Kind::Bool | Kind::U16 | Kind::I16 | Kind::F16 | Kind::Bcd16 | Kind::Text => 1,
            Kind::U32 | Kind::I32 | Kind::F32 | Kind::Bcd32 | Kind::EpochS => 2,
            Kind::U64 | Kind::I64 | Kind::F64 | Kind::Bcd64 | Kind::EpochS64 | Kind::EpochMs => 4,
        }
    }

    /// Whether values of this type are whole numbers, or true and false.
    pub const fn is_integer(self) -> bool {
        !matches!(self, Kind::Text) && !self.is_float()
    }

    /// Whether it is a floating-point number.
    pub const fn is_float(self) -> bool {
        matches!(self, Kind::F16 | Kind::F32 | Kind::F64)
    }

    /// Whether it is decimal digits of four bits each.
    pub const fn is_bcd(self) -> bool {
        matches!(self, Kind::Bcd16 | Kind::Bcd32 | Kind::Bcd64)
    }

    /// Whether it is a moment and not an amount: neither counted nor scaled.
    pub const fn is_time(self) -> bool {
        matches!(self, Kind::EpochS | Kind::EpochS64 | Kind::EpochMs)
    }

    /// Least and greatest value of a type of whole numbers.
    pub const fn limits(self) -> Option<(i64, i64)> {
        Some(match self {
            Kind::Bool | Kind::F16 | Kind::F32 | Kind::F64 | Kind::Text => return None,
            Kind::U16 => (0, u16::MAX as i64),
            Kind::I16 => (i16::MIN as i64, i16::MAX as i64),
            Kind::U32 => (0, u32::MAX as i64),
            Kind::I32 => (i32::MIN as i64, i32::MAX as i64),
            Kind::I64 => (i64::MIN, i64::MAX),
            Kind::Bcd16 => (0, 9_999),
            Kind::Bcd32 => (0, 99_999_999),
            Kind::Bcd64 => (0, 9_999_999_999_999_999),
            Kind::EpochS => (0, u32::MAX as i64 * 1000),
            Kind::U64 | Kind::EpochS64 | Kind::EpochMs => (0, i64::MAX),
        })
    }

    /// The largest value of a type that counts up and begins anew from 0.
    pub const fn top(self) -> Option<i64> {
        match (self, self.limits()) {
            (Kind::U16 | Kind::U32 | Kind::Bcd16 | Kind::Bcd32 | Kind::Bcd64, Some((_, top))) => {
                Some(top)
            }
            _ => None,
        }
    }
}

/// The order in which the bytes A (highest) to D (lowest) of a 32-bit value arrive; for 64 bits
/// the same idea over four words, for 16 bits and texts only whether the two bytes of a register
/// are swapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// Big endian, high word first: the Modbus rule.
    #[default]
    Abcd,
    /// Low word first, each word big endian.
    Cdab,
    /// High word first, bytes swapped within each word.
    Badc,
    /// Little endian throughout.
    Dcba,
}

/// How the characters of a text lie in the registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Packing {
    /// Two in each, in the order of the bytes.
    #[default]
    Pairs,
    /// One in each, in its high byte.
    High,
    /// One in each, in its low byte.
    Low,
}

/// A place in messages: which ones, what they are made of, where in them the value stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Topic, in which `+` stands for any one level and `{device}` for what the device is called;
    /// none for a device that is asked for its values or that pushes them by name.
    pub topic: Option<Arc<str>>,
    /// What the messages are made of.
    pub format: Format,
    /// What the value must be.
    pub kind: Kind,
    /// Value = raw × scale + offset.
    pub scale: f64,
    /// Value = raw × scale + offset.
    pub offset: f64,
    /// What the whole numbers of its time stamps count; by their size if none.
    pub time_unit: Option<TimeUnit>,
}

impl Place {
    /// A message that is nothing but the value.
    pub fn bare(topic: Option<Arc<str>>, kind: Kind) -> Place {
        Place {
            topic,
            format: Format::Bare,
            kind,
            scale: 1.0,
            offset: 0.0,
            time_unit: None,
        }
    }

    /// A place in a JSON document.
    pub fn json(topic: Option<Arc<str>>, at: &str, kind: Kind) -> Place {
        Place {
            format: Format::Json(JsonPlace {
                at: at.into(),
                ..JsonPlace::default()
            }),
            ..Place::bare(topic, kind)
        }
    }

    /// Whether the value has a time stamp of its own; what is pushed may have one, which no place says.
    pub fn has_time(&self) -> bool {
        match &self.format {
            Format::Bare => false,
            Format::Json(place) => place.time.is_some(),
            Format::Csv(place) => place.time.is_some(),
            Format::Metric(_) => true,
        }
    }

    /// Whether the value is another than the raw one.
    pub fn is_scaled(&self) -> bool {
        self.scale != 1.0 || self.offset != 0.0
    }

    /// Least and greatest value it can have, if that is a whole number and not scaled.
    pub fn limits(&self) -> Option<(i64, i64)> {
        if self.is_scaled() {
            None
        } else {
            self.kind.limits()
        }
    }
}

/// What a message is made of, and where in it the value stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Format {
    /// It is nothing but the value.
    Bare,
    /// A JSON document.
    Json(JsonPlace),
    /// Rows of text, of which the last counts.
    Csv(CsvPlace),
    /// A Sparkplug B payload: the metric with this name.
    Metric(Box<str>),
}

/// A place in a JSON document. Pointers are those of RFC 6901.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JsonPlace {
    /// Pointer to an array, each element of which is a sample, in order; without it the document
    /// is the only one.
    pub each: Option<Box<str>>,
    /// What a sample must have to be the tag's: pointers from the sample, and what is there.
    pub conditions: Box<[(Box<str>, Literal)]>,
    /// Pointer from the sample to the value.
    pub at: Box<str>,
    /// Pointer from the sample to its time stamp.
    pub time: Option<Box<str>>,
}

/// What a place in a document is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// This text.
    Text(Box<str>),
    /// This whole number.
    Int(i64),
    /// This number.
    Float(f64),
    /// This truth value.
    Bool(bool),
    /// What the device is called.
    Device,
}

/// A place in rows of text (RFC 4180).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvPlace {
    /// Where the value stands.
    pub column: Column,
    /// Where the time stamp of the row stands.
    pub time: Option<Column>,
    /// What separates the columns, if the text itself is not to tell.
    pub separator: Option<u8>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// From 0.
    Number(u16),
    /// By its name in the first row.
    Name(Box<str>),
}

/// What the number of a time stamp counts since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

#[cfg(test)]
mod tests;
