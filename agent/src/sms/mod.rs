//! Text messages through a modem on a serial port.
//!
//! `at` speaks the command language of modems (ITU-T V.250, 3GPP TS 27.007), `modem` what text
//! messages need of it (TS 27.005), `codes` says what its error numbers mean, `test` is
//! `andon sms test`. The protocol data units themselves are in the core.

mod at;
mod codes;
mod modem;
mod test;

pub use test::{Options, command};

#[cfg(test)]
mod tests;
