//! Whatever a machine sends or somebody calls a configuration: no panic, and no value that is not
//! its own. The checks are those of the fuzzer (`agent/fuzz/`), on its seeds and on mutations of them, without a nightly compiler.

#[path = "../fuzz/src/lib.rs"]
mod checks;

use std::path::Path;
use tokio::runtime::Builder;

const MUTATIONS: usize = 100_000;

/// Each of these is written to files and read again.
const MUTATIONS_OF_FILES: usize = 10_000;

#[test]
fn any_payload_is_a_reading() {
    for_each_mutation("payload", checks::payload);
}

#[test]
fn any_batch_is_samples_in_the_order_of_their_time() {
    for_each_mutation("batch", checks::batch);
}

#[test]
fn any_rows_are_samples() {
    for_each_mutation("rows", checks::rows);
}

#[test]
fn any_metrics_are_samples() {
    for_each_mutation("sparkplug", checks::sparkplug);
}

#[test]
fn any_pushed_body_is_samples_or_a_mistake() {
    let folder = tempfile::tempdir().expect("a folder");
    let plant = checks::pushed_plant(folder.path());
    for_each_mutation("push", |bytes| checks::push(&plant, bytes));
}

#[test]
fn any_command_is_one_of_five_or_a_mistake() {
    for_each_mutation("command", checks::command);
}

#[test]
fn only_the_right_answer_to_a_request_is_accepted() {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    for_each_mutation("mbap", |bytes| checks::mbap(&runtime, bytes));
}

#[test]
fn only_the_right_frame_on_a_serial_line_is_accepted() {
    for_each_mutation("rtu", checks::rtu);
}

#[test]
fn any_text_message_is_one_or_is_refused() {
    for_each_mutation("sms", checks::sms);
}

#[test]
fn any_modem_is_told_only_what_it_asks_for() {
    // Time is paused: what is waited for is over at once.
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    try_mutations("modem", MUTATIONS_OF_FILES, |bytes| {
        checks::modem(&runtime, bytes)
    });
}

#[test]
fn any_configuration_is_settings_or_mistakes() {
    let folder = tempfile::tempdir().expect("a folder");
    try_mutations("config", MUTATIONS_OF_FILES, |bytes| {
        checks::config(folder.path(), bytes)
    });
}

#[test]
fn any_table_is_devices_or_mistakes() {
    let folder = tempfile::tempdir().expect("a folder");
    try_mutations("csv", MUTATIONS_OF_FILES, |bytes| {
        checks::csv(folder.path(), bytes)
    });
}

fn for_each_mutation(kind: &str, check: impl Fn(&[u8]) -> bool) {
    try_mutations(kind, MUTATIONS, check);
}

fn try_mutations(kind: &str, count: usize, check: impl Fn(&[u8]) -> bool) {
    let seeds = seeds(kind);
    assert!(seeds.len() > 10, "the seeds of {kind} are missing");
    let good = seeds.iter().filter(|seed| check(seed)).count();
    assert!(
        good > 3 && good < seeds.len(),
        "{good} of the seeds of {kind} were accepted"
    );
    let mut random = Random(0x005E_ED0F_A11B_AD00);
    let mutations = (0..count).map(|n| mutated(&seeds[n % seeds.len()], &mut random));
    let good = mutations.filter(|bytes| check(bytes)).count();
    let few = count / 200;
    assert!(
        good > few && good < count - few,
        "{good} mutations of {kind} were accepted"
    );
}

fn seeds(kind: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(kind);
    let mut files: Vec<_> = folder
        .read_dir()
        .expect("seeds")
        .map(|entry| entry.expect("a seed").path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read(file).expect("a seed"))
        .collect()
}

/// One to four changes: a bit, a byte, an interesting byte, a cut, an insertion, a repetition.
fn mutated(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            1 if !bytes.is_empty() => bytes[at] = random.below(256) as u8,
            2 if !bytes.is_empty() => {
                bytes[at] = [0, 1, 0x7F, 0x80, 0xFF, b'"', b'{', b'9'][at % 8]
            }
            3 => bytes.truncate(at),
            4 => bytes.insert(at, random.below(256) as u8),
            _ => bytes.extend_from_within(at..),
        }
    }
    bytes
}

struct Random(u64);

impl Random {
    /// Below `n`, or 0.
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}
