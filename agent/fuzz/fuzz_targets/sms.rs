#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    andon_fuzz::sms(bytes);
});
