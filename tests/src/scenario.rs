//! Where a scenario lives: a directory of its own, ports of its own, a config made from a file
//! that is shipped.

use crate::{Failure, Outcome};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

/// The serial port of the shipped press line.
const SERIAL_PORT: &str = "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A10KZP4-if00-port0";

/// A directory under `target/system/`, empty at the start and left behind for whoever wants to
/// know why something failed.
#[derive(Debug)]
pub struct Scenario {
    directory: PathBuf,
}

impl Scenario {
    /// Empties and takes the directory of `name`.
    pub fn new(name: &str) -> Outcome<Self> {
        let directory = repository().join("target/system").join(name);
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir_all(&directory)?;
        Ok(Self { directory })
    }

    /// A file in the directory.
    pub fn path(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }

    /// Where the serial port of the press line is, if something is plugged in.
    pub fn serial_port(&self) -> PathBuf {
        self.path("usb-adapter-port0")
    }

    /// Writes a file into the directory.
    pub fn write(&self, file: &str, content: &str) -> Outcome<PathBuf> {
        let path = self.path(file);
        fs::write(&path, content)?;
        Ok(path)
    }

    /// The shipped `press-line.toml` with other ports and an own data directory; otherwise as it
    /// is. It is written as `andon.toml`.
    pub fn press_line(&self, presses: u16, broker: u16) -> Outcome<PathBuf> {
        let text = self.press_line_text(presses, broker)?;
        self.write("andon.toml", &text)
    }

    /// The same without shifts and holidays: all time is planned, at any hour and on Sundays.
    pub fn press_line_around_the_clock(&self, presses: u16, broker: u16) -> Outcome<PathBuf> {
        let text = self.press_line_text(presses, broker)?;
        let text = without_sections(&text, &["[[shift]]", "[calendar]"]);
        self.write("andon.toml", &text)
    }

    /// The same with shifts of two minutes, one after the other, from a little before now on for two
    /// hours: what is added up over a shift is seen to be within minutes.
    pub fn press_line_in_short_shifts(&self, presses: u16, broker: u16) -> Outcome<PathBuf> {
        let text = self.press_line_text(presses, broker)?;
        let mut text = without_sections(&text, &["[[shift]]", "[calendar]"]);
        // Asia/Shanghai is eight hours ahead, and stays so.
        let minute = |ms: i64| (ms / 60_000 + 8 * 60).rem_euclid(24 * 60);
        let first = crate::now_ms() - 240_000;
        for shift in 0..62 {
            let start = minute(first + shift * 120_000);
            let end = minute(first + (shift + 1) * 120_000);
            text.push_str(&format!(
                "\n[[shift]]\nname = \"s{shift}\"\nstart = \"{:02}:{:02}\"\nend = \"{:02}:{:02}\"\n\
                 days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]\n",
                start / 60,
                start % 60,
                end / 60,
                end % 60
            ));
        }
        self.write("andon.toml", &text)
    }

    fn press_line_text(&self, presses: u16, broker: u16) -> Outcome<String> {
        let mut text = fs::read_to_string(repository().join("agent/dist/press-line.toml"))?;
        let data = format!("data_dir = {:?}", self.path("data"));
        let serial_port = self.serial_port().display().to_string();
        for (shipped, here) in [
            (SERIAL_PORT, serial_port),
            ("127.0.0.1:5020", format!("127.0.0.1:{presses}")),
            ("127.0.0.1:1883", format!("127.0.0.1:{broker}")),
            ("127.0.0.1:8080", format!("127.0.0.1:{}", free_port()?)),
            ("data_dir = \"data\"", data),
        ] {
            if !text.contains(shipped) {
                return Err(Failure::new(format!(
                    "press-line.toml no longer has {shipped}"
                )));
            }
            text = text.replace(shipped, &here);
        }
        Ok(text)
    }
}

/// The repository's root.
pub fn repository() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

/// A loopback port that nobody listens on. It lies below those the kernel gives to outgoing
/// connections: a client that keeps knocking at a port of that range may end up connected to
/// itself.
pub fn free_port() -> Outcome<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Far from those of another run of these tests at the same time.
    let offset = (std::process::id().wrapping_mul(7_919) % 10_000) as u16;
    for _ in 0..10_000 {
        let port = 20_000 + (offset + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Failure::new("no free port between 20000 and 30000"))
}

/// `text` without the TOML tables that begin with one of `headers`.
fn without_sections(text: &str, headers: &[&str]) -> String {
    let mut keep = true;
    let mut kept = String::new();
    for line in text.lines() {
        if line.starts_with('[') {
            keep = !headers.iter().any(|header| line.starts_with(header));
        }
        if keep {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_left_out_whole() {
        let text = "a = 1\n[[shift]]\nb = 2\n[link]\nc = 3\n[[shift]]\nd = 4\n";
        assert_eq!(
            without_sections(text, &["[[shift]]"]),
            "a = 1\n[link]\nc = 3\n"
        );
    }

    #[test]
    fn ports_differ() {
        assert_ne!(free_port().unwrap(), free_port().unwrap());
    }
}
