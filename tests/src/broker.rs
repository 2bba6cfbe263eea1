//! A broker of one's own (a mosquitto, or what `ANDON_BROKER` names), that can go away, come back and forget.

use crate::scenario::{Scenario, free_port};
use crate::{Failure, Outcome, SOON, log_file, wait_for};
use crate::{network, recorder};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Where NATS keeps what is persistent.
const STORE: &str = "store";

/// A broker with persistence on a free loopback port.
#[derive(Debug)]
pub struct Broker {
    directory: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Broker {
    /// Starts one in the scenario's directory.
    pub fn start(scenario: &Scenario) -> Outcome<Self> {
        let directory = scenario.path("broker");
        fs::create_dir(&directory)?;
        let (port, child) = first_of_three(|| {
            let port = free_port()?;
            Ok((port, Some(start(&directory, port)?)))
        })?;
        Ok(Self {
            directory,
            port,
            child,
        })
    }

    /// The port it listens on, also while it is away.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Publishes with QoS 1 as mosquitto's own client does, with these further arguments.
    pub fn publish(&self, topic: &str, payload: &str, more: &[&str]) -> Outcome {
        let status = Command::new("mosquitto_pub")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-q", "1"])
            .args(["-t", topic, "-m", payload])
            .args(more)
            .status()?;
        match status.success() {
            true => Ok(()),
            false => Err(Failure::new(format!("mosquitto_pub: {status}"))),
        }
    }

    /// What it has logged.
    pub fn log(&self) -> Outcome<String> {
        Ok(fs::read_to_string(self.directory.join("broker.log"))?)
    }

    /// SIGTERM: it saves its sessions and goes.
    pub fn stop(&mut self) -> Outcome {
        match self.child.take() {
            Some(child) => stop(child),
            None => Ok(()),
        }
    }

    /// Comes back on the same port with what it saved.
    pub fn start_again(&mut self) -> Outcome {
        self.child = Some(start(&self.directory, self.port)?);
        Ok(())
    }

    /// Goes, and forgets every session and message, except that the recorder has subscribed: what
    /// a broker does with messages that nobody listens to is not the agent's to answer for.
    pub fn stop_and_forget(&mut self) -> Outcome {
        self.stop()?;
        for kept in ["mosquitto.db", STORE] {
            let kept = self.directory.join(kept);
            if kept.is_dir() {
                fs::remove_dir_all(kept)?;
            } else if kept.exists() {
                fs::remove_file(kept)?;
            }
        }
        let elsewhere = free_port()?;
        let child = start(&self.directory, elsewhere)?;
        let subscribed = recorder::subscribe(elsewhere);
        stop(child)?;
        subscribed
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What is started, and how it is known that it listens: an answer at the port might be somebody else's.
struct Make {
    command: Command,
    ready: &'static str,
}

fn start(directory: &Path, port: u16) -> Outcome<Child> {
    let make = match std::env::var("ANDON_BROKER").as_deref() {
        Err(_) | Ok("mosquitto") => mosquitto(directory, port)?,
        Ok("nats") => nats(directory, port)?,
        Ok(other) => {
            let what = format!("ANDON_BROKER is {other}: mosquitto or nats");
            return Err(Failure::new(what));
        }
    };
    let Make { mut command, ready } = make;
    let log = directory.join("broker.log");
    let starts = |text: &str| text.matches(ready).count();
    let before = fs::read_to_string(&log).map_or(0, |text| starts(&text));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log_file(&log)?)
        .spawn()
        .map_err(|error| Failure::new(format!("{command:?}: {error}; tests/run installs it")))?;
    let ended = wait_for("word from the broker", SOON, || {
        let running = fs::read_to_string(&log).is_ok_and(|text| starts(&text) > before);
        let ended = child.try_wait().ok().flatten();
        (running || ended.is_some()).then_some(ended)
    })?;
    match ended {
        None => Ok(child),
        Some(status) => Err(Failure::new(format!(
            "the broker at port {port}: {status}; see {}",
            log.display()
        ))),
    }
}

fn mosquitto(directory: &Path, port: u16) -> Outcome<Make> {
    let config = directory.join("mosquitto.conf");
    // Started by root, mosquitto would become a user who may not write here.
    let text = format!(
        "user root\nlistener {port} {}\nallow_anonymous true\npersistence true\n\
         persistence_location {}/\nmax_queued_messages 0\nlog_type all\n",
        network::here(),
        directory.display()
    );
    fs::write(&config, text)?;
    let mut command = Command::new("mosquitto");
    command.arg("-c").arg(&config);
    Ok(Make {
        command,
        ready: " running\n",
    })
}

fn nats(directory: &Path, port: u16) -> Outcome<Make> {
    let config = directory.join("nats.conf");
    // Its own protocol, which nobody here speaks, wants a port as well.
    let text = format!(
        "listen: \"127.0.0.1:{}\"\nserver_name: one\njetstream {{ store_dir: {:?} }}\n\
         mqtt {{ listen: \"{}:{port}\" }}\n",
        free_port()?,
        directory.join(STORE),
        network::here()
    );
    fs::write(&config, text)?;
    let mut command = Command::new("nats-server");
    command.arg("-c").arg(&config);
    Ok(Make {
        command,
        ready: "Server is ready",
    })
}

/// Others look for free ports, too: between finding one and listening there it may be taken.
fn first_of_three<T>(mut attempt: impl FnMut() -> Outcome<T>) -> Outcome<T> {
    attempt().or_else(|_| attempt()).or_else(|_| attempt())
}

fn stop(mut child: Child) -> Outcome {
    kill_process(Pid::from_child(&child), Signal::TERM)?;
    child.wait()?;
    Ok(())
}
