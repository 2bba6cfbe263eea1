//! A mosquitto of the test's own, on a free loopback port, killed with the test.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A running broker without persistence: whoever kills it wipes its sessions.
pub struct Mosquitto {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    dir: TempDir,
    child: Child,
}

impl Mosquitto {
    /// Starts one that lets everybody in; `extra` is added to its configuration.
    pub async fn start(extra: &str) -> Mosquitto {
        Mosquitto::start_with(&format!("allow_anonymous true\n{extra}")).await
    }

    /// Starts one with this configuration besides the listener.
    pub async fn start_with(config: &str) -> Mosquitto {
        let dir = tempfile::tempdir().unwrap();
        loop {
            let port = free_port();
            // As root it would change to a user that cannot read what the test wrote.
            let config = format!("user root\nlistener {port} 127.0.0.1\n{config}\n");
            fs::write(dir.path().join("mosquitto.conf"), config).unwrap();
            let mut child = spawn(dir.path());
            if runs(&mut child, dir.path()).await {
                return Mosquitto { port, dir, child };
            }
        }
    }

    /// What it has said so far, as its `log_type` has it.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    /// Kill -9.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts again on the same port, knowing nothing.
    pub async fn restart(&mut self) {
        self.kill();
        self.child = spawn(self.dir.path());
        assert!(
            runs(&mut self.child, self.dir.path()).await,
            "the port was taken meanwhile: {}",
            self.log()
        );
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port of 127.0.0.1 on which nothing listens now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn spawn(dir: &Path) -> Child {
    let program = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto"]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .expect("mosquitto is installed (package mosquitto)");
    Command::new(program)
        .arg("-c")
        .arg(dir.join("mosquitto.conf"))
        .stdout(Stdio::null())
        .stderr(File::create(dir.join("log")).unwrap())
        .spawn()
        .unwrap()
}

/// Waits until it says that it runs: then it listens and has read its files. False if somebody
/// else has taken the port meanwhile.
async fn runs(child: &mut Child, dir: &Path) -> bool {
    loop {
        let ended = child.try_wait().unwrap().is_some();
        let log = fs::read_to_string(dir.join("log")).unwrap();
        if ended {
            assert!(log.contains("Address already in use"), "{log}");
            return false;
        }
        if log.contains(" running") {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
