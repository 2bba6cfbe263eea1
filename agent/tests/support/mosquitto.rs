//! A mosquitto of the test's own, on a free loopback port, killed with the test.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
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
            std::fs::write(dir.path().join("mosquitto.conf"), config).unwrap();
            let mut child = spawn(dir.path());
            if listens(&mut child, port).await {
                return Mosquitto { port, dir, child };
            }
        }
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
            listens(&mut self.child, self.port).await,
            "the port was taken meanwhile"
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
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until it listens; false if it ended instead (the port may have been taken).
async fn listens(child: &mut Child, port: u16) -> bool {
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
