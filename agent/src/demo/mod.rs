//! `andon demo`: a whole press line on one machine.

pub mod broker;
pub mod oven;
pub mod press;
pub mod script;
