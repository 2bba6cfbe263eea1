//! Whatever somebody calls a configuration: settings, or mistakes that can be shown.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::fs;

fuzz_target!(|bytes: &[u8]| {
    let file = std::env::temp_dir().join(format!("andon-fuzz-{}.toml", std::process::id()));
    if fs::write(&file, bytes).is_err() {
        return;
    }
    match andon::config::load(&file) {
        Ok(loaded) => drop(loaded.warnings.to_string()),
        Err(mistakes) => assert!(!mistakes.to_string().is_empty()),
    }
    let _ = fs::remove_file(&file);
});
