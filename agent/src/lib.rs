//! The agent: thin drivers around [`andon_core`].
//!
//! `field` reads machines and hands what they say to the engine (in `run`), the engine's records
//! go to `store`, and `upstream` carries them to the broker. `config` turns the file into
//! [`settings`]; nothing else sees the file.

pub(crate) mod broker;
mod bus;
pub mod check;
pub mod clock;
pub mod config;
pub mod demo;
pub mod field;
pub mod memory;
pub mod plan;
pub mod run;
pub mod settings;
pub mod staging;
pub mod store;
pub mod upstream;
