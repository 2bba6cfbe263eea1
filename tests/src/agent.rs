//! The agent as a child: started, asked to stop, killed.

use crate::{Failure, Outcome, log_file, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

/// A running agent; dropping it kills it.
#[derive(Debug)]
pub struct Agent(Child);

impl Agent {
    /// `andon run --config CONFIG`, its output appended to `log`.
    pub fn run(config: &Path, log: &Path) -> Outcome<Self> {
        let child = command()?
            .args(["run", "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(log_file(log)?)
            .stderr(log_file(log)?)
            .spawn()?;
        Ok(Self(child))
    }

    /// Fails unless it still runs.
    pub fn must_run(&mut self) -> Outcome {
        match self.0.try_wait()? {
            None => Ok(()),
            Some(status) => Err(Failure::new(format!("the agent ended by itself: {status}"))),
        }
    }

    /// SIGKILL, at whatever it is doing.
    pub fn kill(mut self) -> Outcome {
        self.must_run()?;
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// SIGTERM; how it ended.
    ///
    /// The contract gives it 5 s. Here it gets 20: the limit only tells a slow machine from an
    /// agent that waits for ever.
    pub fn terminate(mut self) -> Outcome<ExitStatus> {
        self.must_run()?;
        kill_process(Pid::from_child(&self.0), Signal::TERM)?;
        wait_for("end after SIGTERM", Duration::from_secs(20), || {
            self.0.try_wait().ok().flatten()
        })
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the agent with `arguments` until it ends by itself.
pub fn andon(arguments: &[&str], directory: &Path) -> Outcome<Output> {
    let mut command = command()?;
    command.args(arguments).current_dir(directory);
    Ok(command.stdin(Stdio::null()).output()?)
}

fn command() -> Outcome<Command> {
    let binary = env::var_os("ANDON_BIN").ok_or_else(|| {
        Failure::new("ANDON_BIN is not set: build the agent and name its binary there")
    })?;
    let runner = env::var("ANDON_RUNNER").unwrap_or_default();
    let mut words = runner
        .split_whitespace()
        .map(OsString::from)
        .chain([binary]);
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).env_remove("RUST_LOG");
    Ok(command)
}
