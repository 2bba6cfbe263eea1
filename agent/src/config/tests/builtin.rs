//! Alarms that are there without being configured, and what may be changed of them.

use super::*;
use andon_core::plant::{Alarm, Owner};

fn with(section: &str) -> Result<Loaded, Report> {
    load_text(&format!("{PRESS_LINE}\n{section}\n"))
}

fn alarms(section: &str) -> Vec<Alarm> {
    let loaded = with(section).unwrap_or_else(|report| panic!("{report}"));
    loaded.settings.plant.alarms
}

fn named<'a>(alarms: &'a [Alarm], owner: Owner, id: &str) -> &'a Alarm {
    let mut found = alarms.iter().filter(|a| a.owner == owner && &*a.id == id);
    let alarm = found.next().unwrap_or_else(|| panic!("no {id}"));
    assert!(found.next().is_none(), "two {id}");
    alarm
}

#[test]
fn every_gateway_has_its_own_alarms() {
    let all = alarms("");
    let own: Vec<&str> = all
        .iter()
        .filter(|alarm| alarm.owner == Owner::Gateway)
        .map(|alarm| &*alarm.id)
        .collect();
    assert_eq!(
        own,
        [
            "clock-unset",
            "disk-full",
            "store-damaged",
            "broker-unreachable",
            "duplicate-gateway",
            "modem",
            "horn-test",
            "link-plc",
            "link-rs485",
            "link-shop",
            "board-lost",
        ]
    );
    let without = PRESS_LINE.split("[board]").next().unwrap();
    let plant = load_text(without).unwrap().settings.plant;
    let of_parts = ["modem", "board-lost", "horn-test"];
    let has = plant.alarms.iter().any(|a| of_parts.contains(&&*a.id));
    assert!(!has, "what is not there does not fail");
}

#[test]
fn how_they_are_told_can_be_changed() {
    let all = alarms(
        "[[alarm]]\nid = \"link-*\"\ndevices = [\"gateway\"]\npriority = \"high\"\n\
         on_delay = \"5 s\"\ntext_zh = \"{name} 断线\"\n\
         [[alarm]]\nid = \"link-plc\"\ndevices = [\"gateway\"]\npriority = \"low\"\nlatched = true",
    );
    let plc = named(&all, Owner::Gateway, "link-plc");
    assert_eq!(
        (plc.priority, plc.on_delay_ms, plc.latched),
        (Priority::Low, 5_000, true)
    );
    assert_eq!(plc.off_delay_ms, 60_000, "as it was");
    assert_eq!(&*plc.text_zh, "plc 断线");
    let shop = named(&all, Owner::Gateway, "link-shop");
    assert_eq!((shop.priority, shop.on_delay_ms), (Priority::High, 5_000));
}

#[test]
fn every_device_can_call() {
    let all = alarms(
        "[[alarm]]\nid = \"call-*\"\ndevices = [\"press-*\"]\npriority = \"high\"\n\
         [[alarm]]\nid = \"call-quality\"\ndevices = [\"*\"]\ntext_en = \"{device}: inspector!\"",
    );
    let device = |index| Owner::Device(DeviceIndex(index));
    let call = named(&all, device(0), "call-material");
    assert_eq!(
        (call.priority, &*call.text_zh),
        (Priority::High, "一号冲压机 呼叫物料")
    );
    let quality = named(&all, device(0), "call-quality");
    assert_eq!(quality.priority, Priority::High);
    assert_eq!(&*quality.text_en, "press-1: inspector!");
    let oven = named(&all, device(3), "call-maintenance");
    assert_eq!(oven.priority, Priority::Medium);
}

#[test]
fn what_cannot_be_changed_is_told() {
    for (section, what) in [
        (
            "[[alarm]]\nid = \"link-pcl\"\ndevices = [\"gateway\"]",
            "has no alarm `link-pcl` of its own",
        ),
        (
            "[[alarm]]\nid = \"disk-full\"\ndevices = [\"gateway\", \"press-1\"]",
            "`press-1` is not the gateway",
        ),
        (
            "[[alarm]]\nid = \"disk-full\"\ndevices = [\"gateway\"]\nwhen = \"no_data\"",
            "is there anyway, with its condition",
        ),
        (
            "[[alarm]]\nid = \"call-quality\"\ndevices = [\"*\"]\non_delay = \"5 s\"",
            "no key `on_delay`",
        ),
        (
            "[[alarm]]\nid = \"call-quality\"\ndevices = [\"pres-1\"]",
            "no device matches `pres-1`",
        ),
        (
            "[[alarm]]\nid = \"store-damaged\"\ndevices = [\"gateway\"]\non_delay = \"5 s\"",
            "has no delay: it is found once",
        ),
    ] {
        let report = with(section).expect_err(section).to_string();
        assert!(report.contains(what), "{what} is missing in\n{report}");
    }
}

#[test]
fn the_night_of_the_self_test_can_be_moved_or_spared() {
    let at = |line: &str| {
        let text = PRESS_LINE.replacen("[gateway]\n", &format!("[gateway]\n{line}\n"), 1);
        load_text(&text).map(|loaded| loaded.settings.selftest)
    };
    assert_eq!(at("").unwrap(), Some(180));
    assert_eq!(at("selftest = \"04:30\"").unwrap(), Some(270));
    assert_eq!(at("selftest = \"off\"").unwrap(), None);
    assert!(at("selftest = \"25:00\"").is_err());
}
