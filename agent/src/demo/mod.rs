//! `andon demo`: a whole press line on one machine.

pub mod broker;
pub mod line;
pub mod oven;
pub mod plant;
pub mod press;
pub mod script;

/// Language of what the demo says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Chinese.
    Zh,
}

impl Language {
    /// As in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Language::En => "en",
            Language::Zh => "zh",
        }
    }
}
