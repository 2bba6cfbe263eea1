//! The profiles that come with the agent, for machines that are the same everywhere.

macro_rules! profiles {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../dist/profiles/", $name, ".toml")))),*]
    };
}

/// Names and files of `agent/dist/profiles/`.
pub(super) const PROFILES: [(&str, &str); 10] = profiles![
    "carlo-gavazzi-em24",
    "chint-dtsu666",
    "eastron-sdm630",
    "moxa-iologik-e1210",
    "oven",
    "press",
    "schneider-atv",
    "schneider-iem3000",
    "sunspec-inverter",
    "sunspec-inverter-float",
];
