//! Whatever comes over the board's wire: messages or counted errors.

#![no_main]

use andon_wire::Decoder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut decoder = Decoder::new();
    let received = decoder.push_all(bytes).count();
    let frames = bytes.iter().filter(|byte| **byte == 0).count();
    assert!(received <= frames);
});
