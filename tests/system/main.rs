//! The scenarios: what the agent must do in front of machines and brokers that are not ours.
//!
//! Run by `tests/run`; how to run one of them alone is in `agent/docs/testing.md`. Each leaves its
//! files in `target/system/NAME/`.

mod alarms;
mod board;
mod broker_goes_away;
mod changed_config;
mod config_is_refused;
mod dead_unit;
mod gammu;
mod heard_and_told;
mod horn;
mod hostile_payloads;
mod http_door;
mod http_machines;
mod killed;
mod lossy_link;
mod mail;
mod own;
mod press_line;
mod probe;
mod register_maps;
mod remote;
mod schema;
mod selftest;
mod serial_line;
mod sms;
mod sms_alarms;
mod sparkplug;
mod states_and_alarms;
mod stopped;
mod told;
mod webhook;
