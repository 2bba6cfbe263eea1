//! How a demo is started.

use std::net::SocketAddr;
use std::time::Duration;

/// How the demo is started.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Ends by itself after this time; otherwise on Ctrl-C.
    pub length: Option<Duration>,
    /// Where the broker listens; a free loopback port by default.
    pub listen: Option<SocketAddr>,
    /// One JSON object on standard output, and everything else on standard error.
    pub json: bool,
    /// Language of what is shown.
    pub language: Language,
}

/// Language of what the demo says. The order is that of all texts that come in pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Chinese.
    Zh,
}

impl Language {
    /// The language of the messages on this terminal (POSIX, 8.2): the first of these that is set.
    pub fn of_environment() -> Language {
        let names = ["LC_ALL", "LC_MESSAGES", "LANG"];
        let mut set = names.iter().filter_map(|name| std::env::var(name).ok());
        let locale = set.find(|value| !value.is_empty());
        Language::of_locale(&locale.unwrap_or_default())
    }

    /// The language of a locale: Chinese for `zh…`.
    pub fn of_locale(locale: &str) -> Language {
        if locale.starts_with("zh") {
            Language::Zh
        } else {
            Language::En
        }
    }
}

/// The time of `--for`: a whole number with `s`, `min` or `h`, at most a day.
pub fn parse_length(text: &str) -> Result<Duration, String> {
    const DAY: u64 = 24 * 3600;
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text[digits.len()..].trim_start();
    let seconds = match unit {
        "s" => Some(1),
        "min" | "m" => Some(60),
        "h" => Some(3600),
        _ => None,
    };
    let number = digits.parse().ok().filter(|number| *number > 0);
    let length = seconds
        .zip(number)
        .map(|(a, b): (u64, u64)| a.saturating_mul(b));
    match length {
        Some(seconds @ 1..=DAY) => Ok(Duration::from_secs(seconds)),
        _ => Err(String::from(
            "a whole number of s, min or h, at most a day, as in \"60s\" or \"5 min\"",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_read_as_durations_are_written_elsewhere() {
        for (text, seconds) in [("60s", 60), ("60 s", 60), ("5 min", 300), ("1 h", 3600)] {
            assert_eq!(parse_length(text), Ok(Duration::from_secs(seconds)));
        }
        for text in [
            "",
            "60",
            "s",
            "0 s",
            "-1 s",
            "1.5 h",
            "2 days",
            "25 h",
            "99999999999999999999 h",
        ] {
            assert!(parse_length(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_chinese_locale_speaks_chinese() {
        assert_eq!(Language::of_locale("zh_CN.UTF-8"), Language::Zh);
        assert_eq!(Language::of_locale("en_GB.UTF-8"), Language::En);
        assert_eq!(Language::of_locale("C"), Language::En);
    }
}
