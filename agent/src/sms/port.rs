//! The port of the modem, and the PIN of its card.

use crate::secret;
use crate::settings::Sms;
use tokio_serial::SerialStream;

/// Opens the port; why not in words.
pub fn open(sms: &Sms) -> Result<SerialStream, String> {
    let builder = tokio_serial::new(sms.modem.to_string_lossy(), sms.baud);
    SerialStream::open(&builder).map_err(|error| {
        let path = sms.modem.display();
        match error.kind() {
            _ if !sms.modem.exists() => {
                format!("{path} is not there: is the modem plugged in and switched on?")
            }
            // It says so of a port that is there but locked.
            tokio_serial::ErrorKind::NoDevice => {
                format!("{path} is in use: a running agent, ModemManager or a terminal has it")
            }
            _ => format!("{path}: {error}"),
        }
    })
}

/// The PIN, if there is a file for it; what is wrong with that in words.
pub fn pin(sms: &Sms) -> Result<Option<String>, String> {
    let Some(file) = &sms.pin_file else {
        return Ok(None);
    };
    let text = secret::read(file).map_err(|why| format!("pin_file {}: {why}", file.display()))?;
    let pin = text.trim();
    if (4..=8).contains(&pin.len()) && pin.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(Some(pin.to_owned()))
    } else {
        Err(format!(
            "pin_file {}: it must hold the PIN alone, four to eight digits",
            file.display()
        ))
    }
}
