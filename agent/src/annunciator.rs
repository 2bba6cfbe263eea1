//! Drivers that bring alarms to people.

pub mod horn;
pub mod sms;
