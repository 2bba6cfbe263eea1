//! `kill -9` at random moments, and again on the same data.

use andon_tests::agent::andon;
use andon_tests::line::Line;
use andon_tests::random::Random;
use andon_tests::records::{ADDITIVE, Record, TIMES, windows};
use andon_tests::{Outcome, next_minute, now_ms, sleep_until, table};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

const DEVICES: [&str; 3] = ["press-1", "press-2", "oven-7"];

/// Every record that was on disk arrives, no number is missing, every part is counted once, the
/// windows cover all time, and shifts over kills are the exact sums of their minutes.
#[test]
fn killed_at_random_moments() -> Outcome {
    let kills = std::env::var("ANDON_KILLS").map_or(Ok(12), |text| text.parse::<u32>())?;
    let mut random = Random::from_environment();
    let mut line = Line::in_short_shifts("killed")?;
    // An orderly stop first: then what the counters showed at the beginning is on disk.
    let agent = line.start_agent()?;
    line.wait_until_read()?;
    line.stop_cleanly(agent)?;
    let mut agent = line.start_agent()?;
    line.work()?;
    for kill in 1..=kills {
        wait_for_the_moment(&mut random);
        agent.kill()?;
        if kill == 1 {
            // The last will: nobody else can tell.
            line.recorder.wait_current("status", "status", "offline")?;
        }
        agent = line.start_agent()?;
    }
    line.recorder.wait_current("status", "status", "online")?;
    // A shift ends with one of two minutes.
    sleep_until(next_minute(next_minute(now_ms())));

    let config = line.scenario.path("andon.toml");
    let records = line.settle(agent)?;
    let boots: BTreeSet<i64> = records
        .iter()
        .map(|record| record.int("boot"))
        .collect::<Outcome<_>>()?;
    let starts = i64::from(kills) + 2;
    assert_eq!(boots.last(), Some(&starts), "boot counts every start");
    for device in DEVICES {
        check_tags(device, &records)?;
        check_segments(device, &records, &config)?;
    }
    check_table(&records, &config)
}

/// Every shift tells what its tags have come to; the parts counted are those of its summary.
fn check_tags(device: &str, records: &[Record]) -> Outcome {
    let shifts = windows(records, device, "shift")?;
    assert!(!shifts.is_empty(), "no shift of {device} ended");
    let tail = format!("{device}/tags/shift");
    for shift in shifts {
        let start = shift.int("start_ms")?;
        let same = |record: &&Record| {
            record.tail == tail && record.int("start_ms").is_ok_and(|other| other == start)
        };
        let tags: Vec<&Record> = records.iter().filter(same).collect();
        assert_eq!(tags.len(), 1, "{shift}");
        assert_eq!(
            tags[0].int("good_delta").ok(),
            shift.int("good").ok(),
            "{}",
            tags[0]
        );
        assert!(tags[0].int("good_good_ms")? <= shift.int("window_ms")?);
    }
    Ok(())
}

/// The times of every minute add up again from the segments that the agent keeps.
fn check_segments(device: &str, records: &[Record], config: &Path) -> Outcome {
    let text = export(config, &["--what", "segments", "--device", device])?;
    let segments = table::rows(&text)?;
    for minute in windows(records, device, "1m")? {
        let (start, end) = (minute.int("start_ms")?, minute.int("end_ms")?);
        let mut times = BTreeMap::new();
        for segment in &segments {
            let from = table::instant(segment["from"])?.max(start);
            let to = match segment["to"] {
                "" => end,
                to => table::instant(to)?.min(end),
            };
            *times.entry(format!("{}_ms", segment["state"])).or_insert(0) += (to - from).max(0);
        }
        for part in TIMES {
            let told = minute.int(part)?;
            assert_eq!(
                times.get(part).copied().unwrap_or(0),
                told,
                "{part} of {minute}"
            );
        }
    }
    Ok(())
}

/// What the agent writes of its shifts is what it has sent.
fn check_table(records: &[Record], config: &Path) -> Outcome {
    let text = export(config, &["--window", "shift"])?;
    let rows = table::rows(&text)?;
    for device in DEVICES {
        for shift in windows(records, device, "shift")? {
            let start = shift.int("start_ms")?;
            let mut same = Vec::new();
            for row in &rows {
                if row["device"] == device && table::instant(row["start"])? == start {
                    same.push(row);
                }
            }
            assert_eq!(same.len(), 1, "{shift}");
            for key in ADDITIVE {
                assert_eq!(
                    same[0][key].parse().ok(),
                    shift.int(key).ok(),
                    "{key} of {shift}"
                );
            }
            let oee = same[0]["oee"].parse::<f64>().ok();
            assert_eq!(
                oee,
                shift.body.get("oee").and_then(serde_json::Value::as_f64)
            );
        }
    }
    Ok(())
}

fn export(config: &Path, arguments: &[&str]) -> Outcome<String> {
    let config = config.display().to_string();
    let all = [&["export", "--config", &config], arguments].concat();
    let written = andon(&all, Path::new("."))?;
    assert!(written.status.success(), "{written:?}");
    Ok(String::from_utf8(written.stdout)?)
}

/// Up to twelve seconds; where a minute ends within them, half of the times just after that,
/// when most is written.
fn wait_for_the_moment(random: &mut Random) {
    let now = now_ms();
    let mut moment = now + random.below(12_000);
    let boundary = next_minute(now);
    if boundary < now + 12_000 && random.below(2) == 0 {
        moment = boundary + random.below(300);
    }
    sleep_until(moment);
    std::thread::sleep(Duration::from_micros(random.below(1_000).unsigned_abs()));
}
