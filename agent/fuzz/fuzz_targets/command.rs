//! Whatever somebody sends to a command topic.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    andon_fuzz::command(bytes);
});
