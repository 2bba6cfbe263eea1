//! Whatever is published on a machine's topic: a reading, good or bad.

#![no_main]

use andon::field::payload::Payload;
use andon_core::sample::Value;
use andon_core::tag::{Kind, Place};
use libfuzzer_sys::fuzz_target;

const MAX: usize = 64 * 1024;

fuzz_target!(|bytes: &[u8]| {
    for pointer in [None, Some("/mode"), Some("/a/0/b")] {
        let payload = Payload::new(bytes, MAX, pointer.is_some());
        for (_, kind) in Kind::ALL {
            let place = Place {
                topic: "oven/7/state".into(),
                pointer: pointer.map(Into::into),
                kind,
            };
            if let Some(Value::Float(value)) = payload.reading(&place, false).value() {
                assert!(value.is_finite());
            }
        }
    }
});
