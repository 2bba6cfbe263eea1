//! The I/O board: the library that its firmware is made of, on a pseudo-terminal in place of its USB
//! port. Its time runs with that of the machine, and may be moved on by hand: what it does after ten
//! seconds without an agent is seen at once.

use crate::scenario::Scenario;
use crate::{Failure, Outcome};
use andon_board::{Board as Firmware, Identity, Outputs, Pins};
use andon_wire::ResetCause;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

/// A board on the bench, plugged into a gateway or not.
#[derive(Debug)]
pub struct Board {
    bench: Arc<Mutex<Bench>>,
    port: PathBuf,
    stop: Arc<AtomicBool>,
    turning: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Bench {
    firmware: Firmware,
    boots: u32,
    pins: Pins,
    /// Milliseconds since it started.
    now: u64,
    /// When the machine's clock was looked at last.
    looked: Instant,
    line: Option<Line>,
    buzzed: Vec<u64>,
    before: Outputs,
}

/// Both ends of a pseudo-terminal. The far one is kept open, so that the near one is not lost while
/// no agent has it.
#[derive(Debug)]
struct Line {
    near: File,
    _far: File,
}

impl Board {
    /// A board that has just been switched on, not plugged in.
    pub fn new(scenario: &Scenario) -> Self {
        let bench = Arc::new(Mutex::new(Bench {
            firmware: firmware(1),
            boots: 1,
            pins: Pins::default(),
            now: 0,
            looked: Instant::now(),
            line: None,
            buzzed: Vec::new(),
            before: Outputs::default(),
        }));
        let stop = Arc::new(AtomicBool::new(false));
        let turning = spawn({
            let (bench, stop) = (Arc::clone(&bench), Arc::clone(&stop));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    locked(&bench).keep_up();
                    sleep(Duration::from_millis(1));
                }
            }
        });
        Self {
            bench,
            port: scenario.path("board"),
            stop,
            turning: Some(turning),
        }
    }

    /// Its serial port, while it is plugged in.
    pub fn port(&self) -> &Path {
        &self.port
    }

    /// Plugs it in.
    pub fn plug_in(&self) -> Outcome {
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&near)?;
        unlockpt(&near)?;
        rustix::io::ioctl_fionbio(&near, true)?;
        let name = ptsname(&near, Vec::new())?;
        let name = name.to_str().map_err(|_| Failure::new("a strange port"))?;
        let far: File = fs::OpenOptions::new().read(true).write(true).open(name)?;
        let mut settings = tcgetattr(&far)?;
        settings.make_raw();
        tcsetattr(&far, OptionalActions::Now, &settings)?;
        locked(&self.bench).line = Some(Line {
            near: File::from(near),
            _far: far,
        });
        let new = self.port.with_extension("new");
        std::os::unix::fs::symlink(name, &new)?;
        fs::rename(&new, &self.port)?;
        Ok(())
    }

    /// Pulls the cable out; power comes from elsewhere.
    pub fn pull_out(&self) -> Outcome {
        fs::remove_file(&self.port)?;
        locked(&self.bench).line = None;
        Ok(())
    }

    /// Switches it off and on: what was counted is gone.
    pub fn lose_power(&self) {
        let mut bench = locked(&self.bench);
        bench.boots += 1;
        bench.firmware = firmware(bench.boots);
        bench.now = 0;
    }

    /// What buzzer and lamps do.
    pub fn outputs(&self) -> Outputs {
        let bench = locked(&self.bench);
        bench.firmware.outputs(bench.now)
    }

    /// When its buzzer went on since this was asked last, in milliseconds of the board's own time.
    pub fn buzzed(&self) -> Vec<u64> {
        std::mem::take(&mut locked(&self.bench).buzzed)
    }

    /// Its own time passes, with nobody to hear.
    pub fn pass(&self, ms: u64) {
        locked(&self.bench).run(ms);
    }

    /// A finger on a button, 0 to acknowledge and 1 to 3 for a reason, for `ms` of the board's time.
    pub fn press(&self, button: usize, ms: u64) {
        let mut bench = locked(&self.bench);
        bench.pins.buttons[button] = true;
        bench.run(ms);
        bench.pins.buttons[button] = false;
        bench.run(100);
    }

    /// Pulses on an input at 200 Hz of the board's time.
    pub fn pulses(&self, input: usize, count: u64) {
        let mut bench = locked(&self.bench);
        for _ in 0..count {
            bench.pins.inputs[input] = true;
            bench.run(3);
            bench.pins.inputs[input] = false;
            bench.run(2);
        }
    }

    /// Switches an input on or off.
    pub fn switch(&self, input: usize, on: bool) {
        locked(&self.bench).pins.inputs[input] = on;
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(turning) = self.turning.take() {
            let _ = turning.join();
        }
    }
}

impl Bench {
    /// As much of the board's time passes as of the machine's; first it hears what was said to it.
    fn keep_up(&mut self) {
        let passed = self.looked.elapsed().as_millis() as u64;
        self.looked += Duration::from_millis(passed);
        self.hear();
        self.run(passed);
    }

    fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            self.now += 1;
            self.firmware.sample(self.pins, self.now);
            let outputs = self.firmware.outputs(self.now);
            if outputs.buzzer && !self.before.buzzer {
                self.buzzed.push(self.now);
            }
            self.before = outputs;
        }
        self.say();
    }

    fn hear(&mut self) {
        let mut bytes = [0; 256];
        while let Some(line) = &mut self.line
            && let Ok(count @ 1..) = line.near.read(&mut bytes)
        {
            self.firmware.receive(&bytes[..count], self.now);
        }
        self.say();
    }

    fn say(&mut self) {
        while let Some(frame) = self.firmware.poll_transmit(self.now) {
            if let Some(line) = &mut self.line {
                // What nobody takes is lost, as on USB.
                let _ = line.near.write(&frame);
            }
        }
    }
}

fn firmware(boot_id: u32) -> Firmware {
    let identity = Identity {
        boot_id,
        reset: ResetCause::PowerOn,
    };
    Firmware::new(identity, [0; 4], 0)
}

fn locked(bench: &Mutex<Bench>) -> MutexGuard<'_, Bench> {
    bench.lock().unwrap_or_else(PoisonError::into_inner)
}
