//! Text messages as they are handed to a modem (3GPP TS 23.038, 23.040).

pub mod gsm7;
pub mod number;
pub mod receive;
pub mod submit;

#[cfg(test)]
mod tests;
