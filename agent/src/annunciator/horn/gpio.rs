//! A line of a GPIO chip, by the character device of Linux (`/dev/gpiochip0`, second version of its
//! interface, from Linux 5.10).
//!
//! The line is requested when it is first switched and held from then on, so that nobody else takes
//! it; its kernel driver decides what becomes of its level when the agent is gone.

use super::drive::Switch;
use crate::settings::GpioLine;
use gpiocdev::Request;
use gpiocdev::line::Value;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

/// Who holds the line, as `gpioinfo` shows it.
const CONSUMER: &str = "andon";

/// A line that is held while it works.
#[derive(Debug)]
pub(super) struct Gpio {
    line: GpioLine,
    held: Option<Request>,
}

impl Gpio {
    pub(super) const fn new(line: GpioLine) -> Gpio {
        Gpio { line, held: None }
    }
}

impl Switch for Gpio {
    // The kernel holds what was set; this is to find out if the chip is gone, as one on USB may be.
    const REFRESH: Duration = Duration::from_secs(60);

    /// Not on the event loop: behind some chips is a slow bus.
    async fn set(&mut self, on: bool) -> Result<(), String> {
        let (line, held) = (self.line.clone(), self.held.take());
        let switched = tokio::task::spawn_blocking(move || set(&line, held, on)).await;
        let switched = switched.map_err(|ended| ended.to_string())?;
        self.held = Some(switched?);
        Ok(())
    }
}

fn set(line: &GpioLine, held: Option<Request>, on: bool) -> Result<Request, String> {
    let value = if on { Value::Active } else { Value::Inactive };
    let failed = |error: gpiocdev::Error| explained(&error, &line.chip, line.line);
    let Some(held) = held else {
        let mut request = Request::builder();
        request.on_chip(&line.chip).with_consumer(CONSUMER);
        request.with_line(line.line);
        if line.active_low {
            request.as_active_low();
        }
        return request.as_output(value).request().map_err(failed);
    };
    held.set_value(line.line, value).map_err(failed)?;
    Ok(held)
}

/// What is wrong, and what to do.
fn explained(error: &gpiocdev::Error, chip: &Path, line: u32) -> String {
    let opened = File::options().read(true).write(true).open(chip);
    let chip = chip.display();
    match opened.map_err(|error| error.kind()) {
        Err(ErrorKind::NotFound) => {
            format!("there is no {chip} (`ls /dev/gpiochip*` shows what there is)")
        }
        Err(ErrorKind::PermissionDenied) => format!(
            "{chip} may not be opened: let the agent's user into its group (`ls -l {chip}` shows it)"
        ),
        _ => format!(
            "line {line} of {chip}: {error} (`gpioinfo` shows whether there is such a line, and who \
             holds it)"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without a chip the reason names it, and each try tells anew.
    #[tokio::test]
    async fn a_chip_that_is_not_there_is_named() {
        let mut gpio = Gpio::new(GpioLine {
            part: crate::settings::Part::Sound,
            chip: "/dev/gpiochip-of-nobody".into(),
            line: 3,
            active_low: false,
        });
        for on in [true, false] {
            let why = gpio.set(on).await.unwrap_err();
            assert!(why.contains("there is no /dev/gpiochip-of-nobody"), "{why}");
        }
    }
}
