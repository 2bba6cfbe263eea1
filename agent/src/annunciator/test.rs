//! What `andon webhook test` and `andon mail test` have in common.

use super::{Message, Told};
use crate::check::{complain_of, say};
use crate::clock;
use crate::config;
use crate::settings::Settings;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::Instant;

/// Wrong usage or configuration.
const WRONG: u8 = 2;

/// How a test ended that did not send.
pub(super) enum NotSent {
    /// There is nothing to send by, or nobody to send to.
    Usage(String),
    /// It was not taken.
    Failed(String),
}

/// Runs a test of `command` with a configuration: 0 it was taken, 1 it was not, 2 wrong usage.
pub(super) fn run(
    command: &str,
    file: &Path,
    test: impl AsyncFnOnce(&Settings) -> Result<(), NotSent>,
) -> ExitCode {
    let settings = match config::load(file) {
        Ok(loaded) => loaded.settings,
        Err(report) => {
            // Without anybody to read it the file is as bad.
            let _ = complain_of(&report);
            return ExitCode::from(WRONG);
        }
    };
    let done = match crate::runtime() {
        Ok(runtime) => runtime.block_on(test(&settings)),
        Err(error) => Err(NotSent::Failed(format!(
            "the system gives no event loop: {error}"
        ))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(NotSent::Usage(why)) => {
            eprintln!("andon {command}: {why}");
            ExitCode::from(WRONG)
        }
        Err(NotSent::Failed(why)) => {
            eprintln!("andon {command}: {why}");
            ExitCode::FAILURE
        }
    }
}

/// A message that says that it is a test, in both languages.
pub(super) fn message(gateway: &str) -> Message {
    let at = clock::now().wall;
    let text = format!("【安灯测试】{gateway} 消息正常，无需处理。Andon test only, nothing to do.");
    let fields = serde_json::json!({
        "v": andon_core::message::VERSION,
        "gateway": gateway,
        "kind": "test",
    });
    let fields = match fields {
        serde_json::Value::Object(fields) => fields,
        _ => serde_json::Map::new(),
    };
    Message {
        id: format!("{gateway}.test.{}", at.0),
        about: None,
        is_first: true,
        is_urgent: false,
        subject: text.clone(),
        text,
        fields,
        at,
    }
}

/// Says what became of the test.
pub(super) fn told(told: Told, begun: Instant, taken: &str) -> Result<(), NotSent> {
    match told {
        Told::Sent => tell(&format!(
            "taken      after {}: {taken}",
            shown(begun.elapsed())
        )),
        other => Err(NotSent::Failed(other.to_string())),
    }
}

pub(super) fn tell(text: &str) -> Result<(), NotSent> {
    say(io::stdout(), text).map_err(|error| NotSent::Failed(error.to_string()))
}

fn shown(time: Duration) -> String {
    format!("{}.{} s", time.as_secs(), time.subsec_millis() / 100)
}
