//! A broker of the make that `ANDON_BROKER` names, `mosquitto` unless it says `nats`: what is tested
//! with it must hold at brokers of more than one make.

use crate::authority::Authority;
use crate::mosquitto::{Mosquitto, free_port};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Who is let in.
#[derive(Default)]
pub struct Door<'a> {
    /// With TLS, and a certificate of this authority.
    pub authority: Option<&'a Authority>,
    /// Only with a certificate of it.
    pub asks_for_certificate: bool,
    /// Only this user with this password.
    pub user: Option<(&'a str, &'a str)>,
}

/// A running broker that keeps nothing over a restart.
pub struct Server {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    make: Make,
    /// What it needs to start.
    _dir: TempDir,
}

enum Make {
    Mosquitto(Mosquitto),
    Nats(Nats),
}

impl Server {
    /// Starts one that lets everybody in.
    pub async fn open() -> Server {
        Server::behind(Door::default()).await
    }

    /// Starts one with this door.
    pub async fn behind(door: Door<'_>) -> Server {
        let dir = tempfile::tempdir().unwrap();
        match std::env::var("ANDON_BROKER").as_deref() {
            Err(_) | Ok("mosquitto") => {
                let mosquitto = Mosquitto::start_with(&of_mosquitto(&door, dir.path())).await;
                Server {
                    port: mosquitto.port,
                    make: Make::Mosquitto(mosquitto),
                    _dir: dir,
                }
            }
            Ok("nats") => {
                let nats = Nats::start(&of_nats(&door)).await;
                Server {
                    port: nats.port,
                    make: Make::Nats(nats),
                    _dir: dir,
                }
            }
            Ok(other) => panic!("ANDON_BROKER is {other}: mosquitto or nats"),
        }
    }

    /// Kill -9, and starts again on the same port, knowing nothing.
    pub async fn restart(&mut self) {
        match &mut self.make {
            Make::Mosquitto(mosquitto) => mosquitto.restart().await,
            Make::Nats(nats) => nats.restart().await,
        }
    }
}

fn of_mosquitto(door: &Door<'_>, dir: &Path) -> String {
    let mut config = String::new();
    if let Some(authority) = door.authority {
        for (key, file) in [
            ("cafile", "ca.pem"),
            ("certfile", "broker.pem"),
            ("keyfile", "broker.key"),
        ] {
            config += &format!("{key} {}\n", authority.file(file).display());
        }
        config += &format!("require_certificate {}\n", door.asks_for_certificate);
    }
    match door.user {
        None => config + "allow_anonymous true",
        Some((user, password)) => {
            let users = dir.join("users");
            let made = Command::new("mosquitto_passwd")
                .args(["-b", "-c"])
                .arg(&users)
                .args([user, password])
                .status();
            assert!(made.unwrap().success());
            config + &format!("allow_anonymous false\npassword_file {}", users.display())
        }
    }
}

fn of_nats(door: &Door<'_>) -> String {
    let mut mqtt = String::new();
    if let Some(authority) = door.authority {
        let [ca, cert, key] =
            ["ca.pem", "broker.pem", "broker.key"].map(|name| authority.file(name));
        mqtt = format!(
            "tls {{ ca_file: {ca:?}, cert_file: {cert:?}, key_file: {key:?}, verify: {} }}",
            door.asks_for_certificate
        );
    }
    let users = door.user.map(|(user, password)| {
        format!("\nauthorization {{ users: [{{ user: {user:?}, password: {password:?} }}] }}")
    });
    // The port is put in its place at each start.
    format!(
        "mqtt {{ listen: \"127.0.0.1:PORT\", {mqtt} }}{}",
        users.unwrap_or_default()
    )
}

/// nats-server, which speaks MQTT 3.1.1 beside its own protocol.
struct Nats {
    port: u16,
    dir: TempDir,
    child: Child,
}

impl Nats {
    async fn start(config: &str) -> Nats {
        let dir = tempfile::tempdir().unwrap();
        loop {
            let (port, own) = (free_port(), free_port());
            let config = config.replace("PORT", &port.to_string());
            let store = dir.path().join("store");
            let config = format!(
                "listen: \"127.0.0.1:{own}\"\nserver_name: one\njetstream {{ store_dir: {store:?} }}\n\
                 {config}\n"
            );
            fs::write(dir.path().join("nats.conf"), config).unwrap();
            let mut child = spawn(dir.path());
            if runs(&mut child, dir.path()).await {
                return Nats { port, dir, child };
            }
        }
    }

    async fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        fs::remove_dir_all(self.dir.path().join("store")).unwrap();
        self.child = spawn(self.dir.path());
        assert!(
            runs(&mut self.child, self.dir.path()).await,
            "the port was taken meanwhile"
        );
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(dir: &Path) -> Child {
    Command::new("nats-server")
        .arg("-c")
        .arg(dir.join("nats.conf"))
        .stdout(Stdio::null())
        .stderr(File::create(dir.join("log")).unwrap())
        .spawn()
        .expect("nats-server is installed (package nats-server)")
}

/// Waits until it says that it is ready. False if somebody else has taken a port meanwhile.
async fn runs(child: &mut Child, dir: &Path) -> bool {
    loop {
        let ended = child.try_wait().unwrap().is_some();
        let log = fs::read_to_string(dir.join("log")).unwrap();
        if ended {
            assert!(log.contains("address already in use"), "{log}");
            return false;
        }
        if log.contains("Server is ready") {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
