//! Text messages through a modem on a serial port.
//!
//! `at` speaks the command language of modems (ITU-T V.250, 3GPP TS 27.007), `modem` what text
//! messages need of it (TS 27.005), `codes` says what its error numbers mean, `test` is
//! `andon sms test`. The protocol data units themselves are in the core.

pub mod at;
pub mod codes;
pub mod modem;
mod port;
mod test;

/// In the data directory: exists once a PIN was refused.
pub const PIN_REFUSED: &str = "sim-pin-refused";

pub use port::{open, pin};
pub use test::{Options, command, described, test_text};

#[cfg(test)]
mod tests;
