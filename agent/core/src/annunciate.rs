//! Who is told of alarms, and what is heard of them.

pub mod horn;
