//! `andon demo`: a whole press line on one machine.

pub mod broker;
