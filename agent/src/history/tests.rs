use super::log::Log;
use super::*;
use andon_core::calendar::CalendarIndex;
use andon_core::history::{Fill, Head, LearnedOf, Mark, OpenTag, OpenTags, Relabel, Rows};
use andon_core::sample::{Quality, Reason, Value};
use andon_core::state::State;
use andon_core::summary::{Capacity, Parts, Sum, TierSet};
use andon_core::tag_sums::{Number, TagSum};
use andon_core::tiers::Window;
use andon_core::time::Wall;
use proptest::prelude::*;
use std::fs::{self, OpenOptions};

const START: i64 = 1_790_000_040_000;
const LIMIT: Limit = Limit {
    bytes: 1 << 20,
    keep_ms: i64::MAX,
};
const LIMITS: Limits = Limits { logs: [LIMIT; 6] };

fn head(minute: i64) -> Head {
    Head {
        window: Window {
            start: Wall(START + minute * 60_000),
            end: Wall(START + (minute + 1) * 60_000),
            fold: 0,
            stepped_ms: 0,
            clock_step_ms: 0,
            unset: None,
        },
        cut: TierSet::NONE,
        ended: TierSet::NONE,
    }
}

fn sum(seed: u64) -> Sum {
    let mut sum = Sum {
        parts: Parts {
            good: Some(16 + seed % 7),
            scrap: Some(1),
            total: Some(17 + seed % 7),
            ..Parts::default()
        },
        failures: 1,
        repairs: 1,
        repair_ms: 4900,
        capacity: Some(Capacity {
            planned: 20_000,
            producing: 17_367,
            uncounted: 0,
            rate: 1_200_000,
        }),
        ..Sum::default()
    };
    sum.times.add(State::Producing, 52_100 - seed % 977);
    sum.times.add(State::Delayed, 3000);
    sum.times.add(State::Faulted, 4900 + seed % 977);
    sum
}

/// Minute `number` of some devices.
fn minute(number: u64, devices: u64) -> Page {
    let minute = i64::try_from(number).unwrap();
    let mut rows = Rows::new(head(minute));
    for device in 0..devices {
        let id = format!("press-{:03}", (device + number) % (devices + 3));
        let own = if device == 1 {
            head(minute - 1)
        } else {
            rows.head
        };
        rows.push(id.into(), own, sum(number + device));
    }
    Page {
        number,
        leaf: Leaf::Minute(rows),
    }
}

fn mark(number: u64) -> Page {
    let at = Wall(START + i64::try_from(number).unwrap() * 60_000);
    let shows = Mark::Shows {
        device: "press-1".into(),
        calendar: CalendarIndex(3),
        at,
        state: State::Faulted,
        code: Some(Value::Int(7)),
        quality: Quality::Uncertain(Reason::Retained),
        reason: Some("breakdown".into()),
        again: false,
    };
    let marks = vec![
        Mark::Step { from: at, to: at },
        Mark::Plan {
            calendar: CalendarIndex(3),
            at,
            planned: true,
            again: true,
        },
        shows,
        Mark::Gap { from: at, to: at },
        Mark::Fills {
            device: "press-2".into(),
            fill: Fill {
                from: at,
                to: at + 1,
                state: State::Setup,
                code: Some(Value::Int(1)),
                quality: Quality::Good,
            },
        },
    ];
    Page {
        number,
        leaf: Leaf::Marks(marks),
    }
}

fn tags(number: u64) -> Page {
    let sum = |total: f64| TagSum {
        total,
        min: -1.5,
        max: 7.25,
        good_ms: 60_000,
    };
    let windows = [Some((Wall(START), 0)), None, Some((Wall(START), 3)), None];
    let empty = TagSum::EMPTY;
    let tag = |name: &str| {
        let sums = [empty, sum(1.0), empty, sum(2.0)];
        OpenTag {
            device: "press-1".into(),
            tag: name.into(),
            sums,
            last: Some(Number::Int(7)),
        }
    };
    Page {
        number,
        leaf: Leaf::Tags(vec![OpenTags {
            windows,
            tags: vec![tag("speed"), tag("power")],
        }]),
    }
}

fn learned(number: u64) -> Page {
    let of = |device: &str, learned: &[u8]| LearnedOf {
        device: device.into(),
        learned: learned.to_vec(),
    };
    let all = vec![of("press-1", &[1, 2, 3]), of("press-3", &[])];
    Page {
        number,
        leaf: Leaf::Learned(Wall(START), all),
    }
}

fn all(dir: &Path) -> Vec<Page> {
    Pages::read(dir, Relabels::default()).collect()
}

fn open_log(dir: &Path, last: Option<u64>) -> Log {
    Log::open(dir.to_path_buf(), LIMIT, last).unwrap()
}

fn last_file(dir: &Path) -> PathBuf {
    dir.join(read::names(dir).unwrap().last().unwrap().file())
}

#[test]
fn pages_come_back_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let pages: Vec<Page> = (1..200)
        .map(|n| {
            if n % 7 == 0 {
                learned(n)
            } else if n % 3 == 0 {
                mark(n)
            } else {
                minute(n, n % 9)
            }
        })
        .collect();
    let mut log = open_log(dir.path(), None);
    for some in pages.chunks(7) {
        log.append(some.iter(), &Relabels::default()).unwrap();
    }
    assert_eq!(all(dir.path()), pages);
    drop(log);
    let mut log = open_log(dir.path(), None);
    assert_eq!(log.last(), 199);
    log.append([minute(200, 4)].iter(), &Relabels::default())
        .unwrap();
    assert_eq!(all(dir.path()).len(), 200);
}

/// What is stored today must be read by every later version.
#[test]
fn the_stored_form_stays_as_it_is() {
    let mut bytes = Vec::new();
    let mut names = form::Names::default();
    form::write(&minute(5, 2), &mut names, &mut bytes);
    form::write(&mark(6), &mut names, &mut bytes);
    form::write(&tags(7), &mut names, &mut bytes);
    form::write(&relabel(8, 3, 1_789_999_980_000), &mut names, &mut bytes);
    let Leaf::Minute(rows) = minute(9, 1).leaf else {
        unreachable!()
    };
    let leaves = [Leaf::MinuteAgain(rows.clone()), Leaf::PieceAgain(rows)];
    for (number, leaf) in (9..).zip(leaves) {
        form::write(&Page { number, leaf }, &mut names, &mut bytes);
    }
    form::write(&learned(11), &mut names, &mut bytes);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let golden = include_str!("tests/golden.txt");
    assert_eq!(
        hex,
        golden.trim(),
        "a new version of the form needs a new number"
    );
}

#[test]
fn a_minute_of_a_device_takes_no_more_than_sixty_bytes() {
    let mut bytes = Vec::new();
    let mut names = form::Names::default();
    form::write(&minute(1, 200), &mut names, &mut Vec::new());
    form::write(&minute(1, 200), &mut names, &mut bytes);
    assert!(bytes.len() < 200 * 60, "{} bytes for 200", bytes.len());
}

#[test]
fn what_the_checkpoint_does_not_know_is_dropped_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open_log(dir.path(), None);
    for number in 1..=20 {
        log.append([minute(number, 3)].iter(), &Relabels::default())
            .unwrap();
    }
    drop(log);
    let mut log = open_log(dir.path(), Some(12));
    assert_eq!(log.last(), 12);
    // The same numbers, another content.
    let again = [minute(13, 5), minute(14, 1)];
    log.append(again.iter(), &Relabels::default()).unwrap();
    let pages = all(dir.path());
    assert_eq!((pages.len(), &pages[12..]), (14, &again[..]));
    drop(log);
    assert_eq!(open_log(dir.path(), Some(0)).last(), 0);
    assert_eq!(all(dir.path()), []);
}

#[test]
fn a_page_that_is_there_is_not_added_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open_log(dir.path(), None);
    let pages = [minute(1, 3), minute(2, 3), minute(3, 3)];
    log.append(pages[..2].iter(), &Relabels::default()).unwrap();
    log.append(pages.iter(), &Relabels::default()).unwrap();
    assert_eq!(all(dir.path()), pages);
}

#[test]
fn a_torn_or_zeroed_end_is_cut_off_and_what_is_before_it_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open_log(dir.path(), None);
    log.append([minute(1, 3), minute(2, 3)].iter(), &Relabels::default())
        .unwrap();
    drop(log);
    let path = last_file(dir.path());
    let whole = fs::read(&path).unwrap();
    for cut in 1..whole.len() {
        let mut torn = whole[..cut].to_vec();
        if cut % 2 == 0 {
            torn.resize(whole.len() + 100, 0);
        }
        fs::write(&path, &torn).unwrap();
        let kept = all(dir.path());
        assert!(kept.len() < 2);
        let mut log = open_log(dir.path(), None);
        assert_eq!(log.last(), kept.len() as u64);
        let next = minute(log.last() + 1, 4);
        log.append([next.clone()].iter(), &Relabels::default())
            .unwrap();
        assert_eq!(all(dir.path()).last(), Some(&next), "cut at {cut}");
        for name in read::names(dir.path()).unwrap() {
            fs::remove_file(dir.path().join(name.file())).unwrap();
        }
    }
}

#[test]
fn a_damaged_file_between_others_loses_its_own_end_only_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let limit = Limit {
        bytes: 8 * 4096,
        keep_ms: i64::MAX,
    };
    let mut log = Log::open(dir.path().to_path_buf(), limit, None).unwrap();
    for number in 1..300 {
        log.append([minute(number, 2)].iter(), &Relabels::default())
            .unwrap();
    }
    let names = read::names(dir.path()).unwrap();
    assert!(names.len() > 3);
    let path = dir.path().join(names[1].file());
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let mut pages = Pages::read(dir.path(), Relabels::default());
    let numbers: Vec<u64> = pages.by_ref().map(|page| page.number).collect();
    let [passed] = pages.passed() else {
        panic!("{:?}", pages.passed());
    };
    assert_eq!((&passed.file, passed.from <= middle), (&path, true));
    assert!(numbers.is_sorted());
    assert!(numbers.contains(&names[1].first) && numbers.contains(&names[2].first));
    assert!(!numbers.contains(&(names[2].first - 1)));
}

#[test]
fn a_log_stays_within_its_bytes_and_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let limit = Limit {
        bytes: 100_000,
        keep_ms: 2 * 3_600_000,
    };
    let size = || -> u64 {
        let names = read::names(dir.path()).unwrap().into_iter();
        names
            .map(|name| fs::metadata(dir.path().join(name.file())).unwrap().len())
            .sum()
    };
    let mut log = Log::open(dir.path().to_path_buf(), limit, None).unwrap();
    for number in 1..2000 {
        log.append([minute(number, 40)].iter(), &Relabels::default())
            .unwrap();
        assert!(size() <= 100_000 + 13_000, "a file more at most");
    }
    let first = all(dir.path())[0].number;
    assert!(first > 1900, "only the last hour fits: {first}");
    let mut log = Log::open(dir.path().to_path_buf(), limit, None).unwrap();
    for number in 2000..2900 {
        log.append([minute(number, 1)].iter(), &Relabels::default())
            .unwrap();
    }
    let first = all(dir.path())[0].number;
    // A file goes when all of it is older than two hours, and a file may hold a day.
    assert!(first >= 1900, "{first}");
    for number in 2900..2900 + 5 * 1440 {
        if number % 60 == 0 {
            log.append([minute(number, 1)].iter(), &Relabels::default())
                .unwrap();
        }
    }
    let first = all(dir.path())[0].number;
    assert!(first > 2900 + 3 * 1440, "{first}");
}

#[test]
fn garbage_makes_no_page_and_stops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("0000000000000001-5.pages"), [0xff; 5000]).unwrap();
    fs::write(dir.path().join("0000000000000002-x.pages"), "?").unwrap();
    fs::write(dir.path().join("notes.txt"), "not ours").unwrap();
    let mut log = open_log(dir.path(), Some(100));
    log.append([minute(3, 1)].iter(), &Relabels::default())
        .unwrap();
    assert_eq!(all(dir.path()), [minute(3, 1)]);
    assert!(dir.path().join("notes.txt").exists());
}

#[test]
fn a_full_disk_takes_nothing_and_everything_again_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open_log(dir.path(), None);
    log.append([minute(1, 3)].iter(), &Relabels::default())
        .unwrap();
    for left in 0..150 {
        log.writes_left = Some(left);
        assert!(
            log.append([minute(2, 3), minute(3, 3)].iter(), &Relabels::default())
                .is_err()
        );
        assert_eq!(all(dir.path()), [minute(1, 3)]);
    }
    log.writes_left = None;
    log.append([minute(2, 3), minute(3, 3)].iter(), &Relabels::default())
        .unwrap();
    assert_eq!(all(dir.path()).len(), 3);
}

#[tokio::test]
async fn logs_are_read_pieces_first_and_minutes_of_the_last_hours() {
    let dir = tempfile::tempdir().unwrap();
    let history = open(dir.path(), LIMITS, None).unwrap();
    let piece = |number: u64| {
        let Leaf::Minute(rows) = minute(number, 2).leaf else {
            unreachable!()
        };
        Page {
            number,
            leaf: Leaf::Piece(rows),
        }
    };
    history
        .commit(vec![minute(1, 2), mark(2), piece(3), minute(4, 2)])
        .await
        .unwrap();
    history
        .commit(vec![learned(5), tags(6), mark(7)])
        .await
        .unwrap();
    let numbers: Vec<u64> = history.past(0).map(|page| page.number).collect();
    assert_eq!(numbers, [3, 1, 4, 6, 5, 7]);
    let history = open(dir.path(), LIMITS, Some(3)).unwrap();
    let numbers: Vec<u64> = history.past(0).map(|page| page.number).collect();
    assert_eq!(numbers, [3, 1, 3]);
    let none: Vec<Page> = History::none().past(0).collect();
    assert_eq!(none.len(), 1);
    History::none().commit(vec![mark(1)]).await.unwrap();
}

/// The same page by a clock that was not set.
fn unset(mut page: Page, by: i64) -> Page {
    let unset = |head: &mut Head| {
        head.window.start = head.window.start + -by;
        head.window.end = head.window.end + -by;
        head.window.unset = Some(0);
    };
    if let Leaf::Minute(rows) | Leaf::Piece(rows) = &mut page.leaf {
        unset(&mut rows.head);
        let own = rows.rows.iter_mut().filter_map(|row| row.own.as_mut());
        own.for_each(unset);
    }
    page
}

fn relabel(number: u64, first: u64, by_ms: i64) -> Page {
    let to = Wall(START + i64::try_from(number).unwrap() * 60_000);
    let relabel = Relabel { first, by_ms, to };
    Page {
        number,
        leaf: Leaf::Relabel(relabel),
    }
}

fn starts(pages: impl Iterator<Item = Page>) -> Vec<(u64, i64)> {
    let start = |page: Page| match page.leaf {
        Leaf::Minute(rows) => Some((page.number, rows.head.window.start.0)),
        _ => None,
    };
    pages.filter_map(start).collect()
}

#[tokio::test]
async fn pages_of_a_clock_that_was_set_later_are_read_with_their_right_labels() {
    const BY: i64 = START - 20_000;
    let right = |number: u64| (number, START + i64::try_from(number).unwrap() * 60_000);
    let wrong = |number: u64| (number, right(number).1 - BY);
    let dir = tempfile::tempdir().unwrap();
    let history = open(dir.path(), LIMITS, None).unwrap();
    // A run by a right clock, one whose clock is never set, and one whose clock is set.
    history.commit(vec![minute(1, 2)]).await.unwrap();
    history.commit(vec![unset(minute(2, 2), BY)]).await.unwrap();
    history.commit(vec![unset(minute(3, 2), BY)]).await.unwrap();
    let of_run = || vec![unset(minute(4, 2), BY), relabel(5, 3, BY), minute(6, 2)];
    history.commit(of_run()).await.unwrap();
    let read = || starts(pages(dir.path(), Kind::Minutes));
    let all = [right(1), wrong(2), right(3), right(4), right(6)];
    assert_eq!(read(), all);
    assert_eq!(starts(history.past(0)), all);
    // What the checkpoint does not know of is dropped, and with it that the clock was set.
    let history = open(dir.path(), LIMITS, Some(4)).unwrap();
    assert_eq!(
        starts(history.past(0)),
        [right(1), wrong(2), wrong(3), wrong(4)]
    );
    history.commit(of_run()).await.unwrap();
    assert_eq!(read(), all);
    let history = open(dir.path(), LIMITS, Some(6)).unwrap();
    assert_eq!(starts(history.past(0)), all);
}

#[test]
fn a_clock_that_was_never_set_makes_no_older_file_old() {
    let dir = tempfile::tempdir().unwrap();
    let hour = 3_600_000;
    let limit = Limit {
        bytes: 1 << 20,
        keep_ms: 50 * hour,
    };
    let mut log = Log::open(dir.path().to_path_buf(), limit, None).unwrap();
    let none = Relabels::default();
    // Two days by a right clock, each in a file of its own; then some by one that is not set.
    log.append([minute(1, 1)].iter(), &none).unwrap();
    log.append([minute(1441, 1)].iter(), &none).unwrap();
    log.append([unset(minute(1442, 1), START)].iter(), &none)
        .unwrap();
    log.append([unset(minute(2900, 1), START)].iter(), &none)
        .unwrap();
    log.append([minute(2901, 1)].iter(), &none).unwrap();
    let kept: Vec<u64> = all(dir.path()).iter().map(|page| page.number).collect();
    assert_eq!(kept, [1, 1441, 1442, 2900, 2901]);
    let since = Wall(START + 1500 * 60_000);
    let recent = Pages::read(dir.path(), none.clone()).after(since);
    assert_eq!(recent.map(|page| page.number).next(), Some(1441));
    log.append([minute(9000, 1)].iter(), &none).unwrap();
    assert!(!all(dir.path()).iter().any(|page| page.number == 1));
}

/// Figures for `agent/docs/adr/0002`: `cargo test -p andon --lib history::tests::measure -- --ignored
/// --nocapture`.
#[tokio::test]
#[ignore = "measures, and asserts nothing"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
async fn measure() {
    let dir = tempfile::tempdir().unwrap();
    let limit = Limit {
        bytes: 1 << 30,
        keep_ms: i64::MAX,
    };
    let history = open(dir.path(), Limits { logs: [limit; 6] }, None).unwrap();
    let piece = |number: u64| {
        let Leaf::Minute(rows) = minute(number, 200).leaf else {
            unreachable!()
        };
        Page {
            number,
            leaf: Leaf::Piece(rows),
        }
    };
    let size = |kind: Kind| files::size(&kind.dir(dir.path()));
    for number in 1..=31 * 28 {
        history.commit(vec![piece(number)]).await.unwrap();
    }
    let written = std::time::Instant::now();
    for number in 869..869 + 1440 {
        history.commit(vec![minute(number, 200)]).await.unwrap();
    }
    println!(
        "31 days of hours of 200 devices: {} kB; a day of minutes: {} kB, a commit {:?}",
        size(Kind::Pieces) / 1000,
        size(Kind::Minutes) / 1000,
        written.elapsed() / 1440,
    );
    let read = std::time::Instant::now();
    println!(
        "{} pages read in {:?}",
        history.past(0).count(),
        read.elapsed()
    );
}

#[derive(Debug, Clone)]
enum Step {
    /// Pages, of so many devices.
    Commit(u8, u64),
    /// The disk is full after so many bytes.
    FailedCommit(u8, usize),
    /// A kill: nothing of what was written is lost. The checkpoint knows all but the last few.
    Kill(u64),
    /// The power goes while something is being written: of it so many bytes are there, and zeros.
    PowerCut(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1u8..6, 0u64..30).prop_map(|(pages, devices)| Step::Commit(pages, devices)),
        1 => (1u8..4, 0usize..200).prop_map(|(pages, left)| Step::FailedCommit(pages, left)),
        1 => (0u64..5).prop_map(Step::Kill),
        1 => (0usize..400, 0usize..400).prop_map(|(written, zeros)| Step::PowerCut(written, zeros)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Against a plain list: what was committed and is known to the checkpoint is read back, in order,
    /// each page once; the oldest may be gone, whole files of them.
    #[test]
    fn agrees_with_a_plain_list(steps in proptest::collection::vec(step(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        let limit = Limit { bytes: 60_000, keep_ms: i64::MAX };
        let mut log = Log::open(dir.path().to_path_buf(), limit, None).unwrap();
        let mut model: Vec<Page> = vec![];
        let next = |model: &Vec<Page>, pages: u8, devices: u64| -> Vec<Page> {
            let last = model.last().map_or(0, |page| page.number);
            (1..=u64::from(pages)).map(|n| minute(last + n, devices)).collect()
        };
        for step in steps {
            match step {
                Step::Commit(pages, devices) => {
                    let pages = next(&model, pages, devices);
                    log.append(pages.iter(), &Relabels::default()).unwrap();
                    model.extend(pages);
                }
                Step::FailedCommit(pages, left) => {
                    let pages = next(&model, pages, 40);
                    log.writes_left = Some(left);
                    prop_assert!(log.append(pages.iter(), &Relabels::default()).is_err());
                    log.writes_left = None;
                }
                Step::Kill(unknown) => {
                    let last = model.last().map_or(0, |page| page.number).saturating_sub(unknown);
                    drop(log);
                    log = Log::open(dir.path().to_path_buf(), limit, Some(last)).unwrap();
                    model.retain(|page| page.number <= last);
                }
                Step::PowerCut(written, zeros) => {
                    drop(log);
                    if !model.is_empty() {
                        let mut names = form::Names::default();
                        let mut bytes = vec![];
                        form::write(&next(&model, 1, 9)[0], &mut names, &mut bytes);
                        bytes.truncate(written.min(bytes.len() - 1));
                        bytes.resize(bytes.len() + zeros, 0);
                        let path = last_file(dir.path());
                        let mut file = OpenOptions::new().append(true).open(path).unwrap();
                        io::Write::write_all(&mut file, &bytes).unwrap();
                    }
                    log = Log::open(dir.path().to_path_buf(), limit, None).unwrap();
                }
            }
            let found = all(dir.path());
            prop_assert!(found.len() <= model.len());
            prop_assert_eq!(&found[..], &model[model.len() - found.len()..]);
            let bytes: usize = found.iter().map(|page| {
                let mut bytes = vec![];
                form::write(page, &mut form::Names::default(), &mut bytes);
                bytes.len()
            }).sum();
            prop_assert!(found.len() == model.len() || bytes > 40_000, "{bytes}");
            prop_assert_eq!(log.last(), model.last().map_or(0, |page| page.number));
        }
    }
}
