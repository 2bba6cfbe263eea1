//! A bad network: the gateway in a network namespace of its own, reached over a veth that loses packets.
//!
//! Nothing of it touches the machine's own network: the whole scenario runs in a namespace, and the
//! gateway in a second one. As root it needs nothing, otherwise a user namespace.

use crate::{Failure, Outcome, SOON, wait_for};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::env;
use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::process::{Child, Command, ExitStatus, Stdio};

/// Says that the process is in the namespace of the scenario.
const INSIDE: &str = "ANDON_TESTS_NAMESPACE";

/// Where the broker is for the gateway.
pub const CENTRE: &str = "10.77.0.1";
const GATEWAY: &str = "10.77.0.2";

/// Runs `scenario`, the test that is called `name`, in a namespace. Fails where there are none: what was
/// not tested has not passed.
pub fn in_a_namespace(name: &str, scenario: impl FnOnce() -> Outcome) -> Outcome {
    if env::var_os(INSIDE).is_some() {
        run("ip link set lo up")?;
        return scenario();
    }
    let mut unshare = vec!["unshare", "--net"];
    if !rustix::process::geteuid().is_root() {
        unshare.extend(["--user", "--map-root-user"]);
    }
    let words = |more: &[&str]| [&unshare[..], more].concat().join(" ");
    if !succeeds(&words(&["ip", "link", "set", "lo", "up"])) {
        return Err(Failure::new(
            "this user may make no network namespaces here: run it as root, or in a container that may",
        ));
    }
    let ended = Command::new(unshare[0])
        .args(&unshare[1..])
        .arg(env::current_exe()?)
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .status()?;
    of(ended, name)
}

/// Where a broker listens: on this machine alone, or in a namespace for all that are in it.
pub fn here() -> &'static str {
    match env::var_os(INSIDE) {
        Some(_) => "0.0.0.0",
        None => "127.0.0.1",
    }
}

/// The other side of a veth.
#[derive(Debug)]
pub struct Gateway {
    /// Keeps the namespace.
    holder: Child,
    namespace: File,
}

impl Gateway {
    /// A namespace with a link to this one.
    pub fn new() -> Outcome<Self> {
        let holder = Command::new("unshare")
            .args(["--net", "sleep", "infinity"])
            .stdin(Stdio::null())
            .spawn()?;
        let pid = holder.id();
        let file = format!("/proc/{pid}/ns/net");
        let own = fs::read_link("/proc/self/ns/net")?;
        wait_for("namespace of the gateway", SOON, || {
            fs::read_link(&file).ok().filter(|of| *of != own)
        })?;
        let gateway = Self {
            holder,
            namespace: File::open(&file)?,
        };
        run(&format!(
            "ip link add centre type veth peer name gateway netns {pid}"
        ))?;
        run(&format!("ip addr add {CENTRE}/24 dev centre"))?;
        run("ip link set centre up")?;
        gateway.inside(|| {
            run(&format!("ip addr add {GATEWAY}/24 dev gateway"))?;
            run("ip link set gateway up")?;
            run("ip link set lo up")
        })?;
        Ok(gateway)
    }

    /// Does something in the namespace of the gateway: what is started there stays there.
    pub fn inside<T: Send>(&self, act: impl FnOnce() -> Outcome<T> + Send) -> Outcome<T> {
        // Of this thread alone.
        let there = || {
            let network = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(self.namespace.as_fd(), network)?;
            act()
        };
        let done = std::thread::scope(|scope| scope.spawn(there).join());
        done.unwrap_or_else(|_| Err(Failure::new("a thread in the namespace panicked")))
    }

    /// From now on so many of a hundred packets are lost, in both directions, as the kernel can do it.
    /// False if it can in neither way.
    pub fn lose(&self, percent: u8) -> bool {
        let ways = [
            format!("tc qdisc add dev DEV root netem loss {percent}% delay 20ms"),
            format!(
                "iptables -A INPUT -i DEV -m statistic --mode random --probability 0.{percent:02} \
                 -j DROP"
            ),
        ];
        ways.iter().any(|way| {
            succeeds(&way.replace("DEV", "centre"))
                && self.inside(|| run(&way.replace("DEV", "gateway"))).is_ok()
        })
    }

    /// Pulls the cable out, or puts it in again: nobody is told that connections are dead.
    pub fn cable(&self, is_in: bool) -> Outcome {
        run(&format!(
            "ip link set centre {}",
            if is_in { "up" } else { "down" }
        ))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn run(command: &str) -> Outcome {
    of(words(command).status()?, command)
}

fn succeeds(command: &str) -> bool {
    let quiet = words(command).stderr(Stdio::null()).status();
    quiet.is_ok_and(|ended| ended.success())
}

fn words(command: &str) -> Command {
    let mut words = command.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    // Where users do not look for them.
    let path = env::var("PATH").unwrap_or_default();
    command
        .args(words)
        .env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command
}

fn of(ended: ExitStatus, what: &str) -> Outcome {
    match ended.success() {
        true => Ok(()),
        false => Err(Failure::new(format!("{what}: {ended}"))),
    }
}
