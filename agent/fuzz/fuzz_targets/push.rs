//! Whatever a script pushes to the HTTP door.

#![no_main]

use andon_core::plant::Plant;
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::sync::LazyLock;

static PLANT: LazyLock<Plant> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("andon-fuzz-push-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    andon_fuzz::pushed_plant(&folder)
});

fuzz_target!(|bytes: &[u8]| {
    andon_fuzz::push(&PLANT, bytes);
});
