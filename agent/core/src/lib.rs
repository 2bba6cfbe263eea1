//! Everything in Andon that decides: pure, without I/O, clock, threads or sockets.
//!
//! The crate is `no_std` so that a socket, a file or a clock does not compile here. Time comes in
//! as an argument ([`time::Now`]), wishes go out as [`engine::Action`]s. The modules are listed in
//! the order of the data path; each imports only what stands above it, and only [`engine`] sees
//! them all.

#![no_std]

extern crate alloc;

pub mod bounded;
pub mod time;

pub mod sample;
pub mod tag;

pub mod calendar;
pub mod state;

pub mod summary;

pub mod kpi;

pub mod call;
pub mod own;
pub mod rule;

pub mod line;

pub mod plant;

pub mod limits;

pub mod modbus;

pub mod conditions;
pub mod count;

pub mod capacity;
pub mod fault;
pub mod motion;
pub mod quality;

pub mod machine;
pub mod tag_sums;
pub mod tiers;

pub mod rolling;
pub mod slope;
pub mod window;

pub mod alarm;
pub mod hygiene;

pub mod sms;

pub mod annunciate;

pub mod record;

pub mod merge;

pub mod history;
pub mod segments;

pub mod late;

pub mod message;

pub mod engine;
