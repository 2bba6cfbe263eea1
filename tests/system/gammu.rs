//! The scripted modem, driven by gammu: a client that is not ours, so that the scenarios with it show
//! what the agent does before a modem, and not before a mirror of its own ideas.

use andon_tests::modem::Modem;
use andon_tests::scenario::Scenario;
use andon_tests::{Failure, Outcome};
use serde_json::json;
use std::process::Command;

const TECHNICIAN: &str = "+8613800000001";

/// gammu at a modem of ours.
struct Gammu {
    scenario: Scenario,
    modem: Modem,
}

impl Gammu {
    fn new(name: &str, options: &[&str]) -> Outcome<Gammu> {
        let scenario = Scenario::new(name)?;
        let modem = Modem::new(&scenario, options)?;
        let log = scenario.path("gammu.log");
        let settings = format!(
            "[gammu]\ndevice = {}\nconnection = at115200\nlogfile = {}\nlogformat = textall\n",
            modem.port(),
            log.display(),
        );
        scenario.write("gammurc", &settings)?;
        Ok(Gammu { scenario, modem })
    }

    /// Whether a command succeeds, and what it prints.
    fn run(&self, arguments: &[&str]) -> Outcome<(bool, String)> {
        let output = Command::new("gammu")
            .env("LC_ALL", "C.UTF-8")
            .arg("-c")
            .arg(self.scenario.path("gammurc"))
            .args(arguments)
            .output()
            .map_err(|error| Failure::new(format!("gammu: {error}; `tests/run` installs it")))?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        Ok((output.status.success(), said))
    }

    fn done(&self, arguments: &[&str]) -> Outcome<String> {
        let (is_done, said) = self.run(arguments)?;
        assert!(is_done, "{arguments:?}: {said}");
        Ok(said)
    }

    /// The texts that were sent, as SMS-SUBMIT in hexadecimal digits.
    fn units(&self) -> Outcome<Vec<String>> {
        let told = self.modem.told()?;
        let taken = told.iter().filter(|what| what["refused"].is_null());
        Ok(taken
            .filter_map(|what| what["pdu"].as_str())
            .map(str::to_owned)
            .collect())
    }
}

#[test]
fn gammu_sends_and_reads_through_the_scripted_modem() -> Outcome {
    let mut gammu = Gammu::new("gammu", &[])?;
    let said = gammu.done(&["identify"])?;
    assert!(said.contains("Quectel") && said.contains("EC25"), "{said}");
    let said = gammu.done(&["networkinfo"])?;
    assert!(said.contains("home network"), "{said}");

    // In UCS-2 with a report, in GSM-7, and in two parts.
    gammu.done(&[
        "sendsms",
        "TEXT",
        TECHNICIAN,
        "-unicode",
        "-report",
        "-text",
        "故障停机",
    ])?;
    let sent = gammu.modem.sent()?;
    let sent: Vec<_> = sent.iter().map(|sent| (&*sent.to, &*sent.text)).collect();
    assert_eq!(sent, [(TECHNICIAN, "故障停机")]);
    gammu.done(&[
        "sendsms",
        "TEXT",
        TECHNICIAN,
        "-text",
        "press-1 stopped [4]",
    ])?;
    let long = "x".repeat(200);
    let parts = [
        "sendsms", "TEXT", TECHNICIAN, "-autolen", "400", "-text", &long,
    ];
    gammu.done(&parts)?;
    assert_eq!(gammu.units()?.len(), 4, "{:?}", gammu.units()?);

    // What the network refuses is refused to it as well, with the error of the network.
    gammu.modem.order(&json!({ "do": { "refuse": [38] } }))?;
    let (is_done, said) = gammu.run(&["sendsms", "TEXT", TECHNICIAN, "-text", "no"])?;
    assert!(!is_done && said.contains("error 38"), "{said}");

    // What comes is in the modem's own memory, until it is deleted there.
    gammu.modem.deliver(TECHNICIAN, "确认4821")?;
    let said = gammu.done(&["getallsms"])?;
    assert!(
        said.contains("确认4821") && said.contains(TECHNICIAN),
        "{said}"
    );
    assert!(said.contains("1 SMS parts in 1 SMS sequences"), "{said}");
    gammu.done(&["deleteallsms", "3"])?;
    let said = gammu.done(&["getallsms"])?;
    assert!(said.contains("0 SMS parts in 0 SMS sequences"), "{said}");
    Ok(())
}

#[test]
fn gammu_gives_the_scripted_modem_its_pin() -> Outcome {
    let gammu = Gammu::new("gammu_pin", &["--pin", "1234"])?;
    let said = gammu.done(&["getsecuritystatus"])?;
    assert!(said.contains("Waiting for PIN"), "{said}");
    let (is_done, said) = gammu.run(&["entersecuritycode", "PIN", "9999"])?;
    assert!(!is_done, "{said}");
    gammu.done(&["entersecuritycode", "PIN", "1234"])?;
    let said = gammu.done(&["getsecuritystatus"])?;
    assert!(said.contains("Nothing to enter"), "{said}");
    Ok(())
}
