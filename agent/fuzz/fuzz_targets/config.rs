//! Whatever somebody calls a configuration: settings, or mistakes that can be shown.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::fs;

fuzz_target!(|bytes: &[u8]| {
    let folder = std::env::temp_dir().join(format!("andon-fuzz-config-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    andon_fuzz::config(&folder, bytes);
});
