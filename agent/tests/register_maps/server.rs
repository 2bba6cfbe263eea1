//! pymodbus, which shows the registers of every map.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running server; ends with the test.
pub struct Server {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    child: Child,
}

impl Server {
    /// Starts one that shows these units, see `tests/register_server.py`.
    pub fn start(units: &serde_json::Value) -> Server {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
        let python = tests.join(".venv/bin/python");
        assert!(
            python.exists(),
            "{} is missing: tests/run makes it",
            python.display()
        );
        let mut child = Command::new(python)
            .arg(tests.join("register_server.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // The pipe stays open with the child: the server ends with it.
        writeln!(child.stdin.as_mut().unwrap(), "{units}").unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let said: serde_json::Value = serde_json::from_str(&line).unwrap();
        let port = said["port"].as_u64().and_then(|port| port.try_into().ok());
        Server {
            port: port.unwrap(),
            child,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
