//! Who is told of alarms: what the file says, what it need not say, and what is warned of.

use super::*;
use andon_core::plant::{Budget, Channel, Language, Priority, Roster};
use andon_core::tag::DeviceIndex;

fn roster_of(text: &str) -> Roster {
    let loaded = load_text(text).unwrap_or_else(|report| panic!("{report}"));
    loaded.settings.plant.roster
}

/// What is warned of high alarms.
fn warnings_of(text: &str) -> String {
    let loaded = load_text(text).unwrap_or_else(|report| panic!("{report}"));
    let warnings: Vec<_> = loaded.warnings.entries().collect();
    let told = warnings
        .iter()
        .filter(|entry| entry.message.contains("high alarm"));
    told.map(|entry| entry.message.to_owned()).collect()
}

const MEDIUM: &str = "from_priority = \"medium\"";
const AFTER: &str = "after = \"15 min\"";

#[test]
fn the_people_of_the_example_are_told_as_its_comments_say() {
    let roster = roster_of(PRESS_LINE);
    let [technician, lead] = &*roster.recipients else {
        panic!("{roster:?}");
    };
    assert_eq!(
        (technician.channel, &*technician.address),
        (Channel::Sms, "+8613800000001")
    );
    assert_eq!(
        (technician.from_priority, technician.after_ms),
        (Priority::Medium, 0)
    );
    assert_eq!(
        (lead.from_priority, lead.after_ms),
        (Priority::Medium, 900_000)
    );
    for person in [technician, lead] {
        assert_eq!(
            (person.language, person.budget),
            (Language::Chinese, Budget::PERSON)
        );
        assert_eq!((&person.devices, &person.shifts), (&None, &None));
        assert!(person.gateway && !person.returns);
    }
    assert_eq!((roster.sms.per_hour, roster.sms.per_day), (30, 100));
    assert_eq!(roster.repeat_ms, 600_000);
}

#[test]
fn devices_and_lines_are_both_to_match() {
    let with = |keys: &str| {
        let roster = roster_of(&PRESS_LINE.replace(MEDIUM, keys));
        let technician = &roster.recipients[0];
        (technician.devices.clone(), technician.gateway)
    };
    let device = |index| Some(vec![DeviceIndex(index)]);
    assert_eq!(with("devices = [\"press-2\"]"), (device(1), false));
    assert_eq!(with("lines = [\"A\"]"), (device(0), false));
    assert_eq!(
        with("lines = [\"A\"]\ndevices = [\"press-*\", \"gateway\"]"),
        (device(0), true)
    );
    let all = |index: u16| DeviceIndex(index);
    assert_eq!(
        with("devices = [\"*\"]"),
        (Some((0..4).map(all).collect()), true)
    );
}

#[test]
fn high_alarms_that_nobody_is_told_of_are_warned_of() {
    assert_eq!(warnings_of(PRESS_LINE), "");
    let only_presses = PRESS_LINE
        .replace(MEDIUM, "devices = [\"press-*\"]")
        .replace(AFTER, "lines = [\"A\"]");
    let warned = warnings_of(&only_presses);
    assert!(
        warned.contains("nobody is told of the high alarm `oven-7.fault` and of 1 more"),
        "{warned}"
    );
    let by_day = PRESS_LINE
        .replace(MEDIUM, "shifts = [\"day\"]")
        .replace(AFTER, "shifts = [\"day\"]");
    let warned = warnings_of(&by_day);
    assert!(
        warned.contains("in some shift, or between shifts, nobody is told"),
        "{warned}"
    );
    // The two shifts of the example leave the weekend free.
    let by_shift = PRESS_LINE
        .replace(MEDIUM, "shifts = [\"day\"]")
        .replace(AFTER, "shifts = [\"night\"]");
    assert!(warnings_of(&by_shift).contains("in some shift, or between shifts"));
    let covered = by_shift
        .replace("\"fri\", \"sat\"]", "\"fri\", \"sat\", \"sun\"]")
        .replace("\"thu\", \"fri\"]", "\"thu\", \"fri\", \"sat\", \"sun\"]");
    assert_eq!(warnings_of(&covered), "");
}
