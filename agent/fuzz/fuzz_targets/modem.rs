#![no_main]

use std::cell::LazyCell;
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static RUNTIME: LazyCell<Runtime> = LazyCell::new(|| {
        let mut runtime = Builder::new_current_thread();
        // What is waited for is over at once.
        runtime.enable_time().start_paused(true).build().expect("a runtime")
    });
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    RUNTIME.with(|runtime| andon_fuzz::modem(runtime, bytes));
});
