//! The Protobuf form of Sparkplug B, as devices send it to us and as we send it on. Names and numbers
//! of the fields are those of the specification (3.0, §6.4).
//!
//! What is repeated is kept as bytes until it is looked at one by one: half a million empty metrics
//! fit into a mebibyte, and would be a hundred times as large as structures.

/// The first level of every topic.
pub(crate) const NAMESPACE: &str = "spBv1.0";

/// The metric by which birth and death of a node belong together (§6.4.15).
pub(crate) const BIRTH_NUMBER: &str = "bdSeq";
/// The metric by which a host asks for the birth certificates again (§6.4.8).
pub(crate) const REBIRTH: &str = "Node Control/Rebirth";

/// The property of a metric that says what its value is worth (§6.4.18).
pub(crate) const QUALITY: &str = "Quality";
/// The values of [`QUALITY`].
pub(crate) const QUALITY_BAD: i32 = 0;
/// See [`QUALITY_BAD`].
pub(crate) const QUALITY_GOOD: i32 = 192;
/// See [`QUALITY_BAD`].
pub(crate) const QUALITY_STALE: i32 = 500;

/// A message.
#[derive(prost::Message)]
pub(crate) struct Payload {
    /// When it was sent, in milliseconds UTC.
    #[prost(uint64, optional, tag = "1")]
    pub(crate) timestamp: Option<u64>,
    /// Encoded [`Metric`]s.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub(crate) metrics: Vec<Vec<u8>>,
    /// Counts the messages of a session, to 255 and on from 0.
    #[prost(uint64, optional, tag = "3")]
    pub(crate) seq: Option<u64>,
}

/// One metric.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Metric {
    #[prost(string, optional, tag = "1")]
    pub(crate) name: Option<String>,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) alias: Option<u64>,
    /// When the value was so, in milliseconds UTC.
    #[prost(uint64, optional, tag = "3")]
    pub(crate) timestamp: Option<u64>,
    #[prost(uint32, optional, tag = "4")]
    pub(crate) datatype: Option<u32>,
    #[prost(bool, optional, tag = "5")]
    pub(crate) is_historical: Option<bool>,
    #[prost(bool, optional, tag = "7")]
    pub(crate) is_null: Option<bool>,
    /// An encoded [`Properties`].
    #[prost(bytes = "vec", optional, tag = "9")]
    pub(crate) properties: Option<Vec<u8>>,
    #[prost(uint32, optional, tag = "10")]
    pub(crate) int_value: Option<u32>,
    #[prost(uint64, optional, tag = "11")]
    pub(crate) long_value: Option<u64>,
    #[prost(float, optional, tag = "12")]
    pub(crate) float_value: Option<f32>,
    #[prost(double, optional, tag = "13")]
    pub(crate) double_value: Option<f64>,
    #[prost(bool, optional, tag = "14")]
    pub(crate) boolean_value: Option<bool>,
    #[prost(string, optional, tag = "15")]
    pub(crate) string_value: Option<String>,
}

/// What is said of a metric besides its value.
#[derive(prost::Message)]
pub(crate) struct Properties {
    #[prost(string, repeated, tag = "1")]
    pub(crate) keys: Vec<String>,
    /// Encoded [`Property`]s, one for each key.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub(crate) values: Vec<Vec<u8>>,
}

/// The value of a property.
#[derive(prost::Message)]
pub(crate) struct Property {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) datatype: Option<u32>,
    #[prost(uint32, optional, tag = "3")]
    pub(crate) int_value: Option<u32>,
    #[prost(uint64, optional, tag = "4")]
    pub(crate) long_value: Option<u64>,
}
