//! The profiles that come with the agent, for machines that are the same everywhere.

/// Names and files of `agent/dist/profiles/`.
pub(super) const PROFILES: [(&str, &str); 1] =
    [("press", include_str!("../../dist/profiles/press.toml"))];
