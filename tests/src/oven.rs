//! The oven of `press-line.toml`, and anybody else who publishes: mosquitto's own client.

use crate::{Outcome, now_ms};
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

/// An oven that runs and finishes a part in the middle of each minute, saying so every second.
#[derive(Debug)]
pub struct Oven {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Oven {
    /// Starts to publish.
    pub fn start(broker: u16) -> Outcome<Self> {
        let state = publisher(broker, "oven/7/state")?;
        let temperature = publisher(broker, "oven/7/temp")?;
        let (stop, stopped) = channel();
        let thread = spawn(move || work(state, temperature, &stopped));
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Oven {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Publishes one payload of any bytes, QoS 1.
pub fn publish(broker: u16, topic: &str, payload: &[u8]) -> Outcome {
    let mut child = client(broker, topic)
        .arg("-s")
        .stdin(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(payload)?;
    }
    child.wait()?;
    Ok(())
}

fn work(mut state: Child, mut temperature: Child, stopped: &Receiver<()>) {
    let began = now_ms() + 30_000;
    while stopped.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
        let parts = (now_ms() + 30_000) / 60_000 - began / 60_000;
        // A broker that is away takes the clients along; then there is nobody to tell.
        let _ = say(&mut state, &format!(r#"{{"mode":"run","parts":{parts}}}"#));
        let _ = say(&mut temperature, "601.5");
    }
    for mut client in [state, temperature] {
        let _ = client.kill();
        let _ = client.wait();
    }
}

fn say(client: &mut Child, line: &str) -> std::io::Result<()> {
    client
        .stdin
        .as_mut()
        .map_or(Ok(()), |stdin| writeln!(stdin, "{line}"))
}

/// A client that publishes every line of its standard input.
fn publisher(broker: u16, topic: &str) -> Outcome<Child> {
    Ok(client(broker, topic)
        .arg("-l")
        .stdin(Stdio::piped())
        .spawn()?)
}

fn client(broker: u16, topic: &str) -> Command {
    let mut command = Command::new("mosquitto_pub");
    command
        .args(["-h", "127.0.0.1", "-p", &broker.to_string()])
        .args(["-q", "1", "-t", topic])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
