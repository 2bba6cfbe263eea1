//! What reading a message takes, however it is made, stays within what the memory plan has for it.

#![expect(unsafe_code, reason = "a counting allocator is a global allocator")]

use andon::field::payload::sparkplug::Session;
use andon::field::payload::{GROWTH, Payload, Reader};
use andon_core::sample::Reading;
use andon_core::tag::{Column, CsvPlace, Format, JsonPlace, Kind, Place, TagIndex};
use jiff::tz::TimeZone;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts what this thread holds; others (the test harness) do not matter.
struct Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is handed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.get() + layout.size();
        HELD.set(held);
        PEAK.set(PEAK.get().max(held));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.set(HELD.get().saturating_sub(layout.size()));
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MAX: usize = 64 * 1024;

/// Bytes held at most while `work` is done, beyond those held before.
fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let done = work();
    (done, PEAK.get() - before)
}

/// As many as fit, joined by a comma.
fn filled(part: &str) -> String {
    let many = (MAX - 2) / (part.len() + 1);
    format!("[{}]", vec![part; many].join(","))
}

#[test]
fn no_message_takes_more_than_the_plan_has_for_it() {
    let each = |at: &str| Place {
        format: Format::Json(JsonPlace {
            each: Some("".into()),
            at: at.into(),
            ..JsonPlace::default()
        }),
        ..Place::bare(None, Kind::F64)
    };
    let last_row = Place {
        format: Format::Csv(CsvPlace {
            column: Column::Number(0),
            time: None,
            separator: None,
        }),
        ..Place::bare(None, Kind::F64)
    };
    let sample = r#"{"name":"temp","value":3.2,"ts":1790000000000}"#;
    let messages = [
        ("a batch of samples", filled(sample), each("/value"), true),
        ("numbers", filled("0"), each(""), false),
        ("objects", filled(r#"{"":0}"#), each("/"), false),
        ("arrays", filled("[]"), each(""), false),
        ("texts", filled("\"a\""), each(""), false),
        ("empty objects", filled("{}"), each(""), false),
        ("columns", ",".repeat(MAX), last_row.clone(), false),
        ("rows", "1\n".repeat(MAX / 2), last_row, true),
    ];
    for (what, text, place, is_read) in messages {
        assert!(text.len() <= MAX);
        let reader = Reader {
            device: "press-1",
            zone: &TimeZone::UTC,
            retained: false,
        };
        let read = || Payload::new(text.as_bytes(), MAX).samples([(TagIndex(0), &place)], reader);
        let (samples, bytes) = peak(read);
        let good = |(_, sample): &(_, andon_core::sample::Sample)| {
            matches!(sample.reading, Reading::Good(_))
        };
        assert_eq!(samples.iter().any(good), is_read, "{what}");
        assert!(bytes <= GROWTH * MAX, "{what}: {bytes} bytes");
        if what == "a batch of samples" {
            assert!(bytes > 5 * MAX, "{bytes}: this does not measure anything");
        }
    }
}

#[test]
fn no_metrics_take_more_than_the_plan_has_for_them() {
    let place = Place {
        format: Format::Metric("a".into()),
        ..Place::bare(None, Kind::F64)
    };
    let empty = [0x12, 0].repeat(MAX / 2);
    // The name `a` and the whole number 5.
    let named = [0x12, 5, 0x0A, 1, b'a', 0x50, 5].repeat(MAX / 7);
    for bytes in [empty, named] {
        let mut session = Session::new([&place]);
        let read = || {
            let said = session.data(&bytes, MAX).expect("well formed");
            session.samples(&said, [(TagIndex(0), &place)], false)
        };
        let (_, held) = peak(read);
        assert!(held > MAX && held <= GROWTH * MAX, "{held} bytes");
    }
}
