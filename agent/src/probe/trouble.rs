//! Why a device could not be asked, and what to do about it.

use crate::config::show_ms;
use crate::field::modbus::{OpenError, meaning};
use crate::settings::Endpoint;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a device could not be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The host is there, the port is closed.
    NothingListens {
        /// Host and port.
        place: String,
    },
    /// Nobody takes or refuses the connection.
    NoConnection {
        /// Host and port.
        place: String,
        /// For so long.
        patience: Duration,
    },
    /// The network or the system says why not.
    Unreachable {
        /// Host and port, or the serial port.
        place: String,
        /// In its words.
        why: String,
    },
    /// There is no such serial port.
    NoPort {
        /// Its path.
        path: PathBuf,
    },
    /// The serial port belongs to others.
    NotAllowed {
        /// Its path.
        path: PathBuf,
    },
    /// Somebody else speaks on the serial port.
    PortInUse {
        /// Its path.
        path: PathBuf,
    },
    /// The running agent does not do it; in its words.
    Agent(String),
    /// Connected, but the unit says nothing.
    NoAnswer {
        /// Which unit.
        unit: u8,
        /// Where.
        place: String,
        /// The same as a command takes it.
        link: String,
        /// It may be a converter instead; how a command takes that.
        converter: Option<String>,
        /// For so long, more than once.
        patience: Duration,
    },
    /// The unit is not reached through its gateway, or refuses everything.
    Refused {
        /// Which unit.
        unit: u8,
        /// Exception code.
        code: u8,
    },
    /// What comes is not Modbus, or the connection is closed each time.
    Nonsense {
        /// Which unit.
        unit: u8,
        /// Where.
        place: String,
        /// What came.
        why: String,
    },
}

impl Trouble {
    /// Why connecting failed.
    pub fn of_opening(endpoint: &Endpoint, error: OpenError) -> Trouble {
        let place = endpoint.to_string();
        let error = match error {
            OpenError::Io(error) => error,
            OpenError::InUse(_) => io::ErrorKind::ResourceBusy.into(),
            OpenError::Timeout(patience) => return Trouble::NoConnection { place, patience },
            OpenError::Other(why) => return Trouble::Unreachable { place, why },
        };
        match (endpoint, error.kind()) {
            (Endpoint::Serial(port), kind) => {
                let path = port.path.clone();
                match kind {
                    io::ErrorKind::NotFound => Trouble::NoPort { path },
                    io::ErrorKind::PermissionDenied => Trouble::NotAllowed { path },
                    io::ErrorKind::ResourceBusy => Trouble::PortInUse { path },
                    _ => Trouble::Unreachable {
                        place,
                        why: error.to_string(),
                    },
                }
            }
            (_, io::ErrorKind::ConnectionRefused) => Trouble::NothingListens { place },
            _ => Trouble::Unreachable {
                place,
                why: error.to_string(),
            },
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::NothingListens { place } => write!(
                f,
                "nothing listens at {place}: check host and port (Modbus TCP is usually port 502), \
                 and whether another program holds the only connection of the device"
            ),
            Trouble::NoConnection { place, patience } => write!(
                f,
                "{place} does not take the connection within {}: check the address, the cable and \
                 the firewall, or give it more time with --timeout",
                shown(*patience)
            ),
            Trouble::Unreachable { place, why } => write!(f, "{place} cannot be reached: {why}"),
            Trouble::NoPort { path } => write!(
                f,
                "there is no serial port {}: `ls -l /dev/serial/by-id` shows those that are \
                 plugged in",
                path.display()
            ),
            Trouble::NotAllowed { path } => write!(
                f,
                "{} may not be opened: serial ports belong to the group dialout, \
                 `sudo usermod -aG dialout $USER` adds you to it (then log in again)",
                path.display()
            ),
            Trouble::PortInUse { path } => write!(
                f,
                "another program uses {0}: `fuser -v {0}` shows which; end it, or name the link of \
                 the agent that runs",
                path.display()
            ),
            Trouble::Agent(why) => f.write_str(why),
            Trouble::NoAnswer {
                unit,
                place,
                link,
                converter,
                patience,
            } => {
                write!(
                    f,
                    "unit {unit} at {place} does not answer within {}: `andon scan {link}` finds \
                     the units that do; a slow device may need more --timeout",
                    shown(*patience)
                )?;
                match converter {
                    Some(converter) => write!(
                        f,
                        "; a converter that passes serial bytes as they are is {converter}"
                    ),
                    None => Ok(()),
                }
            }
            Trouble::Refused { unit, code } => {
                write!(
                    f,
                    "unit {unit} answers exception {code}: {}",
                    meaning(*code)
                )
            }
            Trouble::Nonsense { unit, place, why } => write!(
                f,
                "unit {unit} at {place}: {why}; is this a Modbus port, and is nobody else connected?"
            ),
        }
    }
}

impl std::error::Error for Trouble {}

fn shown(patience: Duration) -> String {
    show_ms(u64::try_from(patience.as_millis()).unwrap_or(u64::MAX))
}

/// What an exception code means, where there is little room.
pub fn short_meaning(code: u8) -> String {
    match code {
        0x01 => "no table".into(),
        0x02 => "no address 0".into(),
        code => format!("exception {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Parity, Rs485, SerialPort};

    #[test]
    fn errors_say_what_where_and_what_to_do() {
        let place = || "10.1.3.7:502".to_owned();
        let tcp = Endpoint::Tcp {
            host: "10.1.3.7".into(),
            port: 502,
        };
        let serial = Endpoint::Serial(SerialPort {
            path: "/dev/ttyS9".into(),
            baud: 9600,
            parity: Parity::None,
            stop_bits: 1,
            optional: false,
            rs485: Rs485::Auto,
            turnaround: Duration::ZERO,
        });
        for (endpoint, kind, what) in [
            (
                &tcp,
                io::ErrorKind::ConnectionRefused,
                "nothing listens at 10.1.3.7:502",
            ),
            (&serial, io::ErrorKind::NotFound, "/dev/serial/by-id"),
            (&serial, io::ErrorKind::PermissionDenied, "dialout"),
            (&serial, io::ErrorKind::ResourceBusy, "fuser -v /dev/ttyS9"),
        ] {
            let said = Trouble::of_opening(endpoint, OpenError::Io(kind.into())).to_string();
            assert!(said.contains(what), "{said}");
        }
        let said = Trouble::NoAnswer {
            unit: 3,
            place: place(),
            link: "plc".into(),
            converter: Some("rtu-tcp://10.1.3.7:502".into()),
            patience: Duration::from_millis(500),
        }
        .to_string();
        for part in [
            "unit 3 at 10.1.3.7:502 does not answer within 500 ms",
            "`andon scan plc`",
            "is rtu-tcp://10.1.3.7:502",
        ] {
            assert!(said.contains(part), "{part} is missing in {said}");
        }
        let said = Trouble::Refused { unit: 3, code: 2 }.to_string();
        assert!(
            said.contains("exception 2: there is no such address"),
            "{said}"
        );
    }
}
