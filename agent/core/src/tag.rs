//! What a tag is: name, place, type, role. Ids are indexes into the plant's tables.

use crate::sample::Value;
use alloc::boxed::Box;
use alloc::sync::Arc;

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
        }
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

/// What a counter counts (contract §2, Counts).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role {
    /// Good, scrap or total.
    pub counts: Counts,
    /// Parts for each count of the counter.
    pub parts: u32,
}

/// What a counter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
}

/// A place in a Modbus unit's four tables.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Which of the four tables.
    pub table: Table,
    /// Protocol address, 0-based.
    pub address: u16,
    /// How the bits are to be read.
    pub kind: Kind,
    /// The order of the bytes of values wider than a register.
    pub order: Order,
    /// Value = raw × scale + offset.
    pub scale: f64,
    /// Value = raw × scale + offset.
    pub offset: f64,
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
    /// Text (MQTT only).
    Text,
}

impl Kind {
    /// Every type with its name in the configuration.
    pub const ALL: [(&'static str, Kind); 10] = [
        ("bool", Kind::Bool),
        ("u16", Kind::U16),
        ("i16", Kind::I16),
        ("u32", Kind::U32),
        ("i32", Kind::I32),
        ("u64", Kind::U64),
        ("i64", Kind::I64),
        ("f32", Kind::F32),
        ("f64", Kind::F64),
        ("string", Kind::Text),
    ];

    /// Addresses it takes in a table of registers.
    pub const fn registers(self) -> u16 {
        match self {
            Kind::Bool | Kind::U16 | Kind::I16 | Kind::Text => 1,
            Kind::U32 | Kind::I32 | Kind::F32 => 2,
            Kind::U64 | Kind::I64 | Kind::F64 => 4,
        }
    }

    /// Whether values of this type count in whole steps.
    pub const fn is_integer(self) -> bool {
        !matches!(self, Kind::F32 | Kind::F64 | Kind::Text)
    }

    /// The largest value of an unsigned type: where a counter of it wraps.
    pub const fn top(self) -> Option<i64> {
        match self {
            Kind::U16 => Some(u16::MAX as i64),
            Kind::U32 => Some(u32::MAX as i64),
            _ => None,
        }
    }
}

/// The order in which the bytes A (highest) to D (lowest) of a 32-bit value arrive; for 64 bits
/// the same idea over four words.
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

    /// Whether the value is another than the raw one.
    pub fn is_scaled(&self) -> bool {
        self.scale != 1.0 || self.offset != 0.0
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
