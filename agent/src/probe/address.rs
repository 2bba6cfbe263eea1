//! An address given directly: what it is, and the `[[link]]` for it.

use crate::settings::{Endpoint, Parity, Rs485, SerialPort, char_bits};
use andon_core::line::Line;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Port of Modbus TCP.
const PORT: u16 = 502;

/// Where serial ports have names that stay the same.
const BY_ID: &str = "/dev/serial/by-id";

/// Baud rates in use, the usual ones first.
pub const RATES: [u32; 8] = [9600, 19_200, 38_400, 115_200, 57_600, 4800, 2400, 1200];

/// How the characters of a serial line are formed, as far as somebody says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::Args)]
pub struct LineOptions {
    /// Speed of a serial line
    #[arg(long, value_name = "BAUD", value_parser = parse_baud)]
    pub baud: Option<u32>,
    /// Parity of a serial line: none, even, odd
    #[arg(long, value_parser = parse_parity)]
    pub parity: Option<Parity>,
    /// Stop bits of a serial line: 1 or 2
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub stop_bits: Option<u8>,
}

fn parse_baud(text: &str) -> Result<u32, String> {
    let baud = text.parse().ok().filter(|baud| RATES.contains(baud));
    baud.ok_or("1200, 2400, 4800, 9600, 19200, 38400, 57600 or 115200".into())
}

fn parse_parity(text: &str) -> Result<Parity, String> {
    match text {
        "none" => Ok(Parity::None),
        "even" => Ok(Parity::Even),
        "odd" => Ok(Parity::Odd),
        _ => Err("none, even or odd".into()),
    }
}

/// A parity as the configuration names it.
pub const fn parity_name(parity: Parity) -> &'static str {
    match parity {
        Parity::None => "none",
        Parity::Even => "even",
        Parity::Odd => "odd",
    }
}

/// How the characters of a serial line are formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// Bits per second.
    pub baud: u32,
    /// Parity bit.
    pub parity: Parity,
    /// 1 or 2.
    pub stop_bits: u8,
}

impl Form {
    /// As in 9600 8N1.
    pub fn shown(self) -> String {
        let Form {
            baud,
            parity,
            stop_bits,
        } = self;
        format!("{baud} 8{}{stop_bits}", parity.letter())
    }

    /// As options of the command line.
    pub fn options(self) -> String {
        format!(
            "--baud {} --parity {} --stop-bits {}",
            self.baud,
            parity_name(self.parity),
            self.stop_bits
        )
    }

    /// What its bytes take.
    pub fn line(self) -> Line {
        Line {
            baud: self.baud,
            char_bits: char_bits(self.parity, self.stop_bits),
        }
    }
}

impl LineOptions {
    /// Whether anything is said.
    pub fn is_given(self) -> bool {
        self != LineOptions::default()
    }

    /// What is said, and for the rest what Modbus has where nothing is said (Modbus over Serial
    /// Line 1.02, §2.2 and §2.5.1): 19,200 baud, even parity, eleven bits.
    pub fn form(self) -> Form {
        let parity = self.parity.unwrap_or(Parity::Even);
        let usual = if parity == Parity::None { 2 } else { 1 };
        Form {
            baud: self.baud.unwrap_or(19_200),
            parity,
            stop_bits: self.stop_bits.unwrap_or(usual),
        }
    }

    /// Lets what is said win over what an endpoint has.
    pub fn apply(self, endpoint: &mut Endpoint) {
        if let Endpoint::Serial(port) = endpoint {
            port.baud = self.baud.unwrap_or(port.baud);
            port.parity = self.parity.unwrap_or(port.parity);
            port.stop_bits = self.stop_bits.unwrap_or(port.stop_bits);
        }
    }
}

/// A serial port that is spoken to in this form.
pub fn serial(path: PathBuf, form: Form) -> Endpoint {
    let turnaround = Duration::from_micros(form.line().turnaround_us());
    Endpoint::Serial(SerialPort {
        path,
        baud: form.baud,
        parity: form.parity,
        stop_bits: form.stop_bits,
        optional: false,
        rs485: Rs485::Auto,
        turnaround,
    })
}

/// The endpoint that a text is the address of; none if it may be an id.
pub fn parse(text: &str, line: LineOptions) -> Result<Option<Endpoint>, String> {
    if text.starts_with('/') {
        return Ok(Some(serial(text.into(), line.form())));
    }
    if let Some(rest) = text.strip_prefix("rtu-tcp://") {
        let (host, port) = host_port(rest, None)?;
        let line = line.is_given().then(|| line.form().line());
        return Ok(Some(Endpoint::RtuOverTcp {
            host,
            port,
            line,
            turnaround: line.map_or(Duration::ZERO, |line| {
                Duration::from_micros(line.turnaround_us())
            }),
        }));
    }
    if let Some((scheme, _)) = text
        .split_once("://")
        .filter(|(scheme, _)| *scheme != "tcp")
    {
        return Err(format!("`{scheme}://` is neither tcp:// nor rtu-tcp://"));
    }
    let rest = match text.strip_prefix("tcp://") {
        Some(rest) => rest,
        None if text.contains([':', '.']) => text,
        None => return Ok(None),
    };
    let (host, port) = host_port(rest, Some(PORT))?;
    Ok(Some(Endpoint::Tcp { host, port }))
}

/// `HOST:PORT`, `HOST`, `[::1]:PORT`.
fn host_port(text: &str, usual: Option<u16>) -> Result<(String, u16), String> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let bad = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':'));
    if host.is_empty() || host.contains(bad) {
        return Err(format!(
            "`{host}` is not a host name or address: write HOST:PORT"
        ));
    }
    match (port.map(str::parse), usual) {
        (None, Some(port)) | (Some(Ok(port @ 1..)), _) => Ok((host.to_owned(), port)),
        (None, None) => Err(format!("`{text}` has no port: write {text}:PORT")),
        (Some(_), _) => Err(format!(
            "`{text}` has no port from 1 to 65535: write HOST:PORT"
        )),
    }
}

/// An endpoint as a command takes it.
pub fn named(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Tcp { host, port } => place(host, *port),
        Endpoint::RtuOverTcp { host, port, .. } => format!("rtu-tcp://{}", place(host, *port)),
        Endpoint::Serial(port) => port.path.display().to_string(),
    }
}

/// The `[[link]]` for an endpoint.
pub fn section(id: &str, endpoint: &Endpoint) -> String {
    let mut text = format!("[[link]]\nid = \"{id}\"\n");
    let line = match endpoint {
        Endpoint::Tcp { host, port } => {
            let _ = writeln!(text, "modbus_tcp = \"{}\"", place(host, *port));
            None
        }
        Endpoint::RtuOverTcp {
            host, port, line, ..
        } => {
            let _ = writeln!(text, "modbus_rtu_tcp = \"{}\"", place(host, *port));
            if let Some(line) = line {
                let _ = writeln!(text, "baud = {}", line.baud);
                // Of its characters only the length counts here; eleven bits go without saying.
                match line.char_bits {
                    ..=10 => text.push_str("parity = \"none\"\nstop_bits = 1\n"),
                    11 => {}
                    _ => text.push_str("parity = \"even\"\nstop_bits = 2\n"),
                }
            }
            None
        }
        Endpoint::Serial(port) => {
            let path = lasting(&port.path);
            let _ = writeln!(text, "modbus_rtu = \"{}\"", path.display());
            Some(port)
        }
    };
    if let Some(port) = line {
        let parity = parity_name(port.parity);
        let _ = writeln!(text, "baud = {}", port.baud);
        let _ = writeln!(text, "parity = \"{parity}\"");
        let _ = writeln!(text, "stop_bits = {}", port.stop_bits);
    }
    text
}

fn place(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

/// The name of a serial port that stays the same after the next start, if it has one.
fn lasting(path: &Path) -> PathBuf {
    let Ok(real) = path.canonicalize() else {
        return path.to_owned();
    };
    let entries = std::fs::read_dir(BY_ID).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.path());
    let same = |name: &PathBuf| name.canonicalize().is_ok_and(|of| of == real);
    names.find(same).unwrap_or_else(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Option<Endpoint> {
        parse(text, LineOptions::default()).expect(text)
    }

    #[test]
    fn addresses_are_told_from_ids() {
        let tcp = |host: &str, port| {
            Some(Endpoint::Tcp {
                host: host.to_owned(),
                port,
            })
        };
        assert_eq!(endpoint("10.1.3.7:1502"), tcp("10.1.3.7", 1502));
        assert_eq!(endpoint("10.1.3.7"), tcp("10.1.3.7", 502));
        assert_eq!(endpoint("tcp://plc"), tcp("plc", 502));
        assert_eq!(endpoint("plc:502"), tcp("plc", 502));
        assert_eq!(endpoint("[::1]:1502"), tcp("::1", 1502));
        assert_eq!(endpoint("plc"), None);
        for text in [
            "plc:0",
            "plc:x",
            ":502",
            "tcp://",
            "a b:502",
            "rtu-tcp://moxa",
            "udp://plc:502",
        ] {
            assert!(parse(text, LineOptions::default()).is_err(), "{text}");
        }
    }

    #[test]
    fn what_nobody_says_of_a_line_is_what_modbus_says() {
        let Some(Endpoint::Serial(port)) = endpoint("/dev/ttyS1") else {
            panic!("a serial port");
        };
        assert_eq!(
            (port.baud, port.parity, port.stop_bits),
            (19_200, Parity::Even, 1)
        );
        let said = LineOptions {
            baud: Some(9600),
            parity: Some(Parity::None),
            stop_bits: None,
        };
        assert_eq!(said.form().shown(), "9600 8N2");
        let Ok(Some(Endpoint::RtuOverTcp {
            host, port, line, ..
        })) = parse("rtu-tcp://moxa:4001", said)
        else {
            panic!("a converter");
        };
        assert_eq!((&*host, port), ("moxa", 4001));
        assert_eq!(
            line.map(|line| (line.baud, line.char_bits)),
            Some((9600, 11))
        );
    }

    #[test]
    fn every_link_is_one_that_the_configuration_and_the_commands_take() {
        let usual = LineOptions::default();
        let said = |parity, stop_bits| LineOptions {
            baud: Some(9600),
            parity: Some(parity),
            stop_bits: Some(stop_bits),
        };
        for (text, line) in [
            ("10.1.3.7:1502", usual),
            ("[::1]:502", usual),
            ("rtu-tcp://moxa:4001", usual),
            ("rtu-tcp://moxa:4001", said(Parity::None, 1)),
            ("rtu-tcp://moxa:4001", said(Parity::None, 2)),
            ("rtu-tcp://moxa:4001", said(Parity::Odd, 2)),
            ("/dev/ttyS1", usual),
        ] {
            let endpoint = parse(text, line).expect(text).expect(text);
            let again = parse(&named(&endpoint), line).expect(text);
            assert_eq!(again.as_ref(), Some(&endpoint), "{text}");
            let section = section("probed", &endpoint);
            let device = "[[device]]\nid = \"d\"\nlink = \"probed\"\ntags = { r0 = { at = \"holding:0\", type = \"u16\" } }\n";
            let loaded = crate::probe::tests::loaded(&format!("{section}\n{device}"));
            let crate::settings::LinkKind::Modbus(modbus) = &loaded.settings.links[0].kind else {
                panic!("{text} is no Modbus link");
            };
            assert_eq!(modbus.endpoint, endpoint, "{text}");
        }
    }
}
