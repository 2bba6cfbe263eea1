//! `andon selftest`: has the running agent test itself, and says what to do where something failed.

use crate::alarms::with_agent;
use crate::alarms::{Failed, asked, understood};
use crate::control;
use crate::run::{Part, Verdict};
use crate::screen::wrapped;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// The options of the command.
#[derive(Debug, Args)]
pub struct Options {
    /// The configuration the agent runs with
    #[arg(long, value_name = "FILE", default_value = "andon.toml")]
    config: PathBuf,
    /// Print a JSON list instead of text
    #[arg(long)]
    json: bool,
}

/// Runs the test, prints what came of it, and fails if something did.
pub fn command(options: &Options) -> ExitCode {
    let mut has_failed = false;
    let printed = with_agent(&options.config, |settings| {
        let data_dir = &settings.data_dir;
        let answer = asked(control::post(data_dir, "/api/v1/selftest", Vec::new()))?;
        let parts: Vec<Part> = understood(&answer)?;
        has_failed = parts.iter().any(|part| part.result == Verdict::Failed);
        if options.json {
            return Ok::<String, Failed>(String::from_utf8_lossy(&answer).into_owned());
        }
        Ok(render(&parts))
    });
    if has_failed {
        ExitCode::FAILURE
    } else {
        printed
    }
}

fn render(parts: &[Part]) -> String {
    let mut text = String::new();
    for Part {
        part,
        result,
        why,
        hint,
    } in parts
    {
        let (en, zh) = match result {
            Verdict::Passed => ("passed", "正常"),
            Verdict::Failed => ("FAILED", "异常"),
            Verdict::Unknown => ("unknown", "未知"),
        };
        let mut words = format!("{en:<7} {zh}");
        if let Some(why) = why {
            words = format!("{words}  {why}");
        }
        wrapped(&mut text, &format!("{part:<24}"), 26, &words);
        if let Some(hint) = hint {
            wrapped(&mut text, &" ".repeat(26), 26, hint);
        }
    }
    let failed = parts.iter().filter(|part| part.result == Verdict::Failed);
    let last = match failed.count() {
        0 => "All that can be told is well. 自检通过。".into(),
        1 => "1 part has failed. 1 项异常。".into(),
        failed => format!("{failed} parts have failed. {failed} 项异常。"),
    };
    text.push_str(&last);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::COLUMNS;
    use unicode_width::UnicodeWidthStr as _;

    #[test]
    fn what_failed_is_told_with_what_to_do() {
        let part = |part: &str, result, why: Option<&str>, hint: Option<&str>| Part {
            part: part.into(),
            result,
            why: why.map(Into::into),
            hint: hint.map(Into::into),
        };
        let text = render(&[
            part("disk", Verdict::Passed, None, None),
            part(
                "link plc",
                Verdict::Failed,
                Some("10.1.3.100:502: no route to host; the link is tried again"),
                Some("check the cable, the switch and the device's power and address"),
            ),
            part(
                "broker",
                Verdict::Unknown,
                Some("it has not answered yet"),
                None,
            ),
        ]);
        for words in [
            "disk                    passed 正常",
            "FAILED 异常",
            "check the cable",
            "1 part has failed. 1 项异常。",
        ] {
            assert!(text.contains(words), "{words} is missing in\n{text}");
        }
        assert!(text.lines().all(|line| line.width() <= COLUMNS), "{text}");
    }
}
