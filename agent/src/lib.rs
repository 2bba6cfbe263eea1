//! The agent: thin drivers around [`andon_core`].
//!
//! `field` reads machines and hands what they say to the engine (in `run`), the engine's records
//! go to `store`, and `upstream` carries them to the broker. `config` turns the file into
//! [`settings`]; nothing else sees the file. `http` shows how things stand and takes what scripts
//! push, and orders of people, on the network and, for `status` and other commands, on the `control` socket.

pub mod alarms;
pub mod annunciator;
mod base64;
pub mod board;
pub(crate) mod broker;
mod bus;
pub mod check;
pub mod clock;
pub mod config;
pub mod control;
pub mod demo;
pub mod export;
pub mod field;
pub mod history;
pub mod http;
pub mod memory;
mod net;
pub mod plan;
pub mod probe;
pub mod run;
pub mod schema;
pub(crate) mod screen;
mod secret;
pub mod selftest;
pub mod settings;
pub mod sms;
mod sparkplug;
pub mod staging;
pub mod status;
pub mod store;
mod tls;
mod tokens;
pub mod upstream;
mod web;

/// An event loop of the one thread that all of the agent runs on.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}
