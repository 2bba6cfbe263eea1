//! `andon horn test`: what each priority sounds and looks like, through the running agent.

use crate::alarms::{Failed, Who, asked, understood, with_agent};
use crate::check::say;
use crate::control;
use crate::http::horn::{LONGEST, PATH, SHORTEST, Wish};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use std::process::ExitCode;
use std::time::Duration;

/// `andon horn`.
#[derive(Debug, Subcommand)]
pub enum Options {
    /// Sound and show each priority in turn; changes no alarm, and an alarm that sounds goes before it
    Test(Test),
}

/// `andon horn test`.
#[derive(Debug, Args)]
pub struct Test {
    /// How long each part is heard, 1 s to 60 s
    #[arg(long = "for", value_name = "TIME", default_value = "3s", value_parser = each)]
    time: Duration,
    /// Only this horn [default: every one that is silent]
    #[arg(long, value_name = "ID")]
    horn: Option<String>,
    #[command(flatten)]
    who: Who,
}

fn each(text: &str) -> Result<Duration, String> {
    let wrong = |_| "a whole number of seconds, as in \"3s\"".to_owned();
    let time = crate::demo::parse_length(text).map_err(wrong)?;
    if !(SHORTEST..=LONGEST).contains(&time) {
        return Err("each part is heard for 1 s to 60 s".into());
    }
    Ok(time)
}

/// What the agent answers when a test begins.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Begun {
    horns: Vec<String>,
    takes_ms: u64,
}

/// What the agent says of its horns.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Horns {
    outputs: Vec<Output>,
}

/// [`super::OutputHealth`] as it is told.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Output {
    horn: String,
    through: String,
    part: Option<String>,
    works: Option<bool>,
    why: Option<String>,
}

/// What a test came to, with `--json`.
#[derive(Debug, Serialize)]
struct Account<'a> {
    horns: &'a [String],
    outputs: &'a [Output],
}

/// Tests, waits until it is over, and says what could be switched.
pub fn command(options: &Options) -> ExitCode {
    let Options::Test(test) = options;
    let wish = Wish {
        horn: test.horn.clone(),
        each_ms: u64::try_from(test.time.as_millis()).ok(),
        by: Some(test.who.name()),
    };
    with_agent(test.who.config(), |settings| {
        let data_dir = &settings.data_dir;
        // Serialising plain data to memory fails only on a map with keys that are not text.
        let body = serde_json::to_vec(&wish).unwrap_or_default();
        let begun: Begun = understood(&asked(control::post(data_dir, PATH, body))?)?;
        if !test.who.is_json() {
            // A pipe that nobody reads any more keeps no horn from being heard.
            let _ = say(std::io::stdout(), &opening(&begun, test.time));
        }
        let horns: Horns = understood(&asked(async {
            tokio::time::sleep(Duration::from_millis(begun.takes_ms)).await;
            control::get(data_dir, "/api/v1/horns").await
        })?)?;
        let tested = |output: &Output| begun.horns.contains(&output.horn);
        let outputs: Vec<Output> = horns.outputs.into_iter().filter(tested).collect();
        let text = match test.who.is_json() {
            true => serde_json::to_string(&Account {
                horns: &begun.horns,
                outputs: &outputs,
            })
            .unwrap_or_default(),
            false => outcome(&outputs),
        };
        if outputs.iter().all(|output| output.works == Some(true)) {
            return Ok(text);
        }
        let _ = say(std::io::stdout(), &text);
        let why = "not everything that the horn sounds through works. 并非所有声光输出都可用。";
        Err(Failed::Failed(why.into()))
    })
}

fn opening(begun: &Begun, each: Duration) -> String {
    let seconds = each.as_secs();
    let horns = begun.horns.join(", ");
    format!(
        "{horns}: high, medium, low, ringback, {seconds} s each; the lamps red, yellow, green, all.\n\
         {horns}：依次为高、中、低、恢复提示音，各 {seconds} 秒；灯依次为红、黄、绿、全亮。"
    )
}

/// A line for each output.
fn outcome(outputs: &[Output]) -> String {
    let lines = outputs.iter().map(|output| {
        let Output { horn, through, .. } = output;
        let part = output.part.as_deref().unwrap_or("sound and lamps");
        let how = match (output.works, &output.why) {
            (Some(true), _) => "switched. 已动作。".to_owned(),
            (_, Some(why)) => format!("cannot be switched. 无法动作。 {why}"),
            _ => "nothing drives it. 无驱动。".to_owned(),
        };
        format!("{horn}, {through}, {part}: {how}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::OutputHealth;
    use super::*;
    use crate::settings::Part;

    #[test]
    fn what_the_agent_tells_of_an_output_is_understood() {
        let told = OutputHealth {
            horn: "hall".into(),
            through: "relays unit 9 coil 0".into(),
            part: Some(Part::Sound),
            works: Some(false),
            why: Some("the link is down".into()),
        };
        let json = serde_json::to_string(&told).unwrap();
        let output: Output = serde_json::from_str(&json).unwrap();
        assert_eq!(output.part.as_deref(), Some("sound"));
        let text = outcome(&[output]);
        assert_eq!(
            text,
            "hall, relays unit 9 coil 0, sound: cannot be switched. 无法动作。 the link is down"
        );
        let board = Output {
            horn: "hall".into(),
            through: "board".into(),
            works: Some(true),
            ..Output::default()
        };
        assert_eq!(
            outcome(&[board]),
            "hall, board, sound and lamps: switched. 已动作。"
        );
    }

    #[test]
    fn a_part_is_heard_for_a_second_to_a_minute() {
        assert_eq!(each("3s"), Ok(Duration::from_secs(3)));
        assert!(each("2 min").unwrap_err().contains("60 s"));
        assert!(each("0s").is_err() && each("long").is_err());
    }
}
