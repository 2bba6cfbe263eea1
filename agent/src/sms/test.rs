//! `andon sms test`: one real message, and what became of it.

use super::PIN_REFUSED;
use super::modem::{Modem, Ready, Setup, Trouble};
use super::port::{open, pin};
use crate::check::{complain_of, say};
use crate::config;
use crate::control;
use crate::http::sms::{PATH, PATIENCE, Told, Wanted};
use crate::settings::Sms;
use andon_core::sms::number::Number;
use andon_core::sms::receive::Outcome;
use andon_core::sms::submit::{Submit, submit};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::Instant;

/// Wrong usage or configuration.
const WRONG: u8 = 2;

/// A network is found by then, after a start of the modem too.
const NETWORK: Duration = Duration::from_secs(60);

/// A message that has not arrived by then is no use as a test any more.
const VALID_MIN: u32 = 60;

/// Proves and services what tells people by text message.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Options {
    /// Send one message and wait until it is delivered
    Test(Test),
}

/// How a test message is sent.
#[derive(Debug, Clone, clap::Args)]
pub struct Test {
    /// Who gets it, with the country: +8613800000001
    #[arg(value_parser = parse_number)]
    number: Number,
    /// The configuration with [sms]
    #[arg(long, value_name = "FILE", default_value = "andon.toml")]
    config: PathBuf,
    /// How long to wait for the report of delivery, such as "60 s"
    #[arg(long, value_name = "TIME", default_value = "60 s", value_parser = parse_wait)]
    wait: Duration,
}

fn parse_number(text: &str) -> Result<Number, String> {
    Number::parse(text).ok_or_else(|| "a number such as +8613800000001".into())
}

fn parse_wait(text: &str) -> Result<Duration, String> {
    let ms = config::parse_ms(text).filter(|ms| *ms <= 600_000);
    let ms = ms.ok_or("a time up to 10 min, such as \"60 s\"")?;
    Ok(Duration::from_millis(ms))
}

/// Sends a test message: 0 the network has taken it, 1 it has not, or reports that it cannot be
/// delivered, 2 wrong usage.
pub fn command(options: &Options) -> ExitCode {
    let Options::Test(test) = options;
    let settings = match config::load(&test.config) {
        Ok(loaded) => loaded.settings,
        Err(report) => {
            // Without anybody to read it the file is as bad.
            let _ = complain_of(&report);
            return ExitCode::from(WRONG);
        }
    };
    let Some(sms) = &settings.sms else {
        eprintln!(
            "andon sms: {} has no [sms] with a `modem` to send by",
            test.config.display()
        );
        return ExitCode::from(WRONG);
    };
    let gateway = &settings.plant.gateway.id;
    let done = crate::runtime()
        .map_err(|error| format!("the system gives no event loop: {error}"))
        .and_then(|runtime| {
            runtime.block_on(async {
                // Where the agent runs, it holds the modem.
                match control::runs(&settings.data_dir).await {
                    Ok(true) => ask(test, &settings.data_dir).await,
                    Ok(false) => {
                        let refused = settings.data_dir.join(PIN_REFUSED);
                        send(test, sms, gateway, refused).await
                    }
                    Err(error) => Err(error.to_string()),
                }
            })
        });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("andon sms: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Has the running agent send it.
async fn ask(test: &Test, data_dir: &Path) -> Result<(), String> {
    let wait_ms = u64::try_from(test.wait.as_millis()).unwrap_or(u64::MAX);
    let wanted = Wanted {
        number: test.number.to_string(),
        wait_ms,
    };
    let body = serde_json::to_vec(&wanted).map_err(|error| error.to_string())?;
    let patience = PATIENCE + test.wait + Duration::from_secs(10);
    let answer = control::post_patiently(data_dir, PATH, body, patience).await;
    let answer = answer.map_err(|error| error.to_string())?;
    let told: Told = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
    tell(&format!("modem      {}", told.modem))?;
    tell(&format!(
        "sent       to {} by the running agent: {}",
        test.number, told.text
    ))?;
    match (told.report.as_deref(), told.status) {
        (Some("delivered"), _) => tell("delivered"),
        (Some(_), status) => Err(undeliverable(&test.number, status.unwrap_or(0))),
        (None, _) => tell(&no_report(test.wait)),
    }
}

fn undeliverable(number: &Number, status: u8) -> String {
    format!("the network cannot deliver it to {number} (status 0x{status:02X}): look at the number")
}

fn no_report(wait: Duration) -> String {
    let seconds = wait.as_secs();
    format!(
        "no report  of delivery within {seconds} s: it may still arrive, or the network gives none"
    )
}

async fn send(test: &Test, sms: &Sms, gateway: &str, refused: PathBuf) -> Result<(), String> {
    let port = open(sms)?;
    let mut modem = Modem::new(port);
    let setup = Setup {
        pin: pin(sms)?,
        refused: Some(refused),
        centre: sms.service_centre.clone(),
        network: NETWORK,
    };
    let in_words = |trouble: Trouble| format!("{}: {trouble}", sms.modem.display());
    let ready = modem.start(&setup).await.map_err(in_words)?;
    tell(&format!("modem      {}", described(&ready)))?;
    let text = test_text(gateway);
    let units = submit(&Submit {
        to: &test.number,
        text: &text,
        valid_min: Some(VALID_MIN),
        report: true,
        reference: 0,
    });
    let mut sent = None;
    for unit in units.ok_or("the name of the gateway is too long for a message")? {
        sent = Some(modem.send(&unit).await.map_err(in_words)?);
    }
    let begun = Instant::now();
    tell(&format!("sent       to {}: {text}", test.number))?;
    let Some(sent) = sent else { return Ok(()) };
    while let Some(left) = test.wait.checked_sub(begun.elapsed()) {
        let Some(report) = modem.report(sent, left).await else {
            break;
        };
        match report.outcome {
            Outcome::Delivered => {
                let seconds = begun.elapsed().as_secs();
                return tell(&format!("delivered  after {seconds} s"));
            }
            Outcome::Trying => tell("trying     the telephone cannot be reached at the moment")?,
            Outcome::Failed(status) => {
                return Err(undeliverable(&test.number, status));
            }
        }
    }
    tell(&no_report(test.wait))
}

fn tell(text: &str) -> Result<(), String> {
    say(io::stdout(), text).map_err(|error| error.to_string())
}

/// The text of a test message: short enough for one message with a name of up to 24 letters.
pub fn test_text(gateway: &str) -> String {
    format!("【安灯测试】{gateway} 短信正常，无需处理。Andon test only.")
}

/// A modem that is ready, in words.
pub fn described(ready: &Ready) -> String {
    let signal = ready.signal_dbm.map_or_else(
        || "signal unknown".to_owned(),
        |dbm| format!("signal {dbm} dBm{}", if dbm < -103 { " (bad)" } else { "" }),
    );
    let network = if ready.roaming {
        "roaming"
    } else {
        "home network"
    };
    format!("{}, {signal}, {network}", ready.model)
}
