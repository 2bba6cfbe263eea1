//! The same data as Sparkplug B 3.0 (contract §5, last paragraph): the gateway is an edge node, its
//! machines are the devices behind it.
//!
//! What it promises:
//!
//! - NBIRTH and all DBIRTHs come before any data, and again whenever a host asks for it. Nothing else
//!   can be commanded.
//! - Every metric was in a birth certificate before it is in data.
//! - A record leaves the disk only when the broker has acknowledged a `status` that was published
//!   after it on the same connection: Sparkplug's data itself is not acknowledged (QoS 0).
//! - With a primary host, nothing is said while that is not there.
//! - A device of which nothing good is known is dead to the hosts; what is recorded of it waits on
//!   disk until it is back.

mod catalogue;
mod edge;
mod host;
mod names;
mod node;
mod numbers;
mod row;

pub use edge::Parts;
pub use names::Names;

pub(super) use edge::{Edge, LARGEST_BIRTH};
