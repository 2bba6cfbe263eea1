//! A mosquitto of one's own, that can go away, come back and forget.

use crate::recorder;
use crate::scenario::{Scenario, free_port};
use crate::{Failure, Outcome, SOON, log_file, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A mosquitto with persistence on a free loopback port.
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
            Ok((port, Some(mosquitto(&directory, port)?)))
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
        Ok(fs::read_to_string(self.directory.join("mosquitto.log"))?)
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
        self.child = Some(mosquitto(&self.directory, self.port)?);
        Ok(())
    }

    /// Goes, and forgets every session and message, except that the recorder has subscribed: what
    /// a broker does with messages that nobody listens to is not the agent's to answer for.
    pub fn stop_and_forget(&mut self) -> Outcome {
        self.stop()?;
        fs::remove_file(self.directory.join("mosquitto.db"))?;
        let elsewhere = free_port()?;
        let child = mosquitto(&self.directory, elsewhere)?;
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

fn mosquitto(directory: &std::path::Path, port: u16) -> Outcome<Child> {
    let config = directory.join("mosquitto.conf");
    // Started by root, mosquitto would become a user who may not write here.
    let text = format!(
        "user root\nlistener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n\
         persistence_location {}/\nmax_queued_messages 0\nlog_type all\n",
        directory.display()
    );
    fs::write(&config, text)?;
    let log = directory.join("mosquitto.log");
    let starts = |text: &str| text.matches(" running\n").count();
    let before = fs::read_to_string(&log).map_or(0, |text| starts(&text));
    let mut child = Command::new("mosquitto")
        .arg("-c")
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log_file(&log)?)
        .spawn()
        .map_err(|error| Failure::new(format!("mosquitto: {error}; tests/run installs it")))?;
    // Its log says that it listens; an answer at the port might be somebody else's.
    let ended = wait_for("word from mosquitto", SOON, || {
        let running = fs::read_to_string(&log).is_ok_and(|text| starts(&text) > before);
        let ended = child.try_wait().ok().flatten();
        (running || ended.is_some()).then_some(ended)
    })?;
    match ended {
        None => Ok(child),
        Some(status) => Err(Failure::new(format!(
            "mosquitto at port {port}: {status}; see {}",
            log.display()
        ))),
    }
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
