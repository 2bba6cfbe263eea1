//! Another configuration on the same data: a press renamed, crews named, the oven by a calendar of its
//! own.

use andon_tests::line::Line;
use andon_tests::records::{Record, check_all, check_tiers, sum, windows};
use andon_tests::{Failure, Outcome, next_minute, now_ms, sleep_until};
use std::fs;
use std::time::Duration;

const PAINT: &str = r#"
[[calendar]]
id = "paint"

[[shift]]
name = "round"
calendar = "paint"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
start = "00:00"
end = "00:00"
crews = ["乙"]
"#;

/// What was made before counts for the old name, what is made after it for the new one, nothing for
/// both; what the others made goes on.
#[test]
fn changed_config() -> Outcome {
    let mut line = Line::in_short_shifts("changed-config")?;
    let agent = line.start_agent()?;
    line.wait_until_read()?;
    line.work()?;
    std::thread::sleep(Duration::from_secs(20));
    let [_, (_, old)] = line.rest()?;
    // The last parts must have been read.
    std::thread::sleep(Duration::from_secs(3));
    line.stop_cleanly(agent)?;

    let file = line.scenario.path("andon.toml");
    let changed = fs::read_to_string(&file)?
        .replace("id = \"press-2\"", "id = \"press-9\"")
        .replace("id = \"oven-7\"", "id = \"oven-7\"\ncalendar = \"paint\"")
        .replace("\n[[shift]]\n", "\n[[shift]]\ncrews = [\"甲\"]\n");
    fs::write(&file, changed + PAINT)?;
    let agent = line.start_agent()?;
    line.recorder
        .wait_current("press-9/state", "state", "producing")?;
    line.work()?;
    // A shift ends with one of two minutes.
    sleep_until(next_minute(next_minute(now_ms())));
    let [(_, press_1), (_, both)] = line.rest()?;
    for (device, crew) in [("press-1", "甲"), ("press-9", "甲"), ("oven-7", "乙")] {
        line.recorder
            .wait_current(&format!("{device}/now"), "crew", crew)?;
    }
    let end = next_minute(now_ms());
    sleep_until(end);
    line.recorder
        .wait_record("the last minute of press-9", |record| {
            record.tail == "press-9/kpi/1m" && record.int("end_ms").is_ok_and(|at| at >= end)
        })?;
    line.stop_cleanly(agent)?;

    let records = check_all(&line.recorder.records()?)?;
    let counted = |device: &str, part: &str| sum(&windows(&records, device, "1m")?, part);
    for (device, good, scrap) in [
        ("press-1", press_1.good, press_1.scrap),
        ("press-2", old.good, old.scrap),
        ("press-9", both.good - old.good, both.scrap - old.scrap),
    ] {
        let told = (counted(device, "good")?, counted(device, "scrap")?);
        assert_eq!(told, (good, scrap), "{device}");
        check_tiers(&records, device)?;
    }
    the_renamed_press_has_ended(&line, &records)?;
    shifts_have_their_crews(&records)
}

fn the_renamed_press_has_ended(line: &Line, records: &[Record]) -> Outcome {
    for tail in ["press-2/info", "press-2/state", "press-2/now"] {
        let left = line.recorder.current(tail)?.unwrap_or_default();
        assert!(left.is_empty(), "{tail} was not cleared: {left:?}");
    }
    // Its open windows were sent at the start.
    for tier in ["1h", "shift", "1d"] {
        assert!(!windows(records, "press-2", tier)?.is_empty(), "{tier}");
    }
    let first = windows(records, "press-9", "1m")?;
    let first = first.first().ok_or_else(|| Failure::new("no press-9"))?;
    let last = windows(records, "press-2", "1m")?;
    let last = last.last().ok_or_else(|| Failure::new("no press-2"))?;
    assert!(last.int("end_ms")? <= first.int("start_ms")?);
    Ok(())
}

fn shifts_have_their_crews(records: &[Record]) -> Outcome {
    let shifts = windows(records, "press-9", "shift")?;
    assert!(!shifts.is_empty(), "no shift of press-9 ended");
    assert!(shifts.iter().all(|shift| shift.text("crew") == "甲"));
    // The one that the oven was in went on, but by its own calendar, until midnight.
    let oven = windows(records, "oven-7", "shift")?;
    assert!(oven.iter().all(|shift| shift.text("shift") != "round"));
    Ok(())
}
