//! Tests of the whole module: what the example comes to, and how each mistake is told.

use super::*;
use crate::settings::{Endpoint, Parity, Rs485};
use andon_core::line::Line;
use andon_core::plant::{Manners, Match, Medium, Priority, States};
use andon_core::rule::{Limit, Op, Rule};
use andon_core::state::State;
use andon_core::summary::{Tier, TierSet};
use andon_core::tag::{
    Counts, DeviceIndex, Kind, Order, Place, Point, Role, Source, Table, TagIndex,
};
use std::sync::Arc;
use std::time::Duration;

mod board;
mod builtin;
mod calendars;
mod documented;
mod files;
mod horns;
mod many;
mod mistakes;
mod mutations;
mod people;
mod rules;
mod serial;
mod servers;
mod states;
mod tags;
mod told;

const PRESS_LINE: &str = include_str!("../../dist/press-line.toml");

fn press_line() -> Loaded {
    load_text(PRESS_LINE).unwrap_or_else(|report| panic!("{report}"))
}

fn load_text(text: &str) -> Result<Loaded, Report> {
    parse(text.as_bytes(), "andon.toml", Path::new("/etc/andon"))
}

#[test]
fn press_line_names_the_gateway() {
    let Loaded { settings, .. } = press_line();
    let plant = &settings.plant;
    assert_eq!(
        plant.gateway,
        Gateway {
            root: "andon".into(),
            site: "suzhou".into(),
            area: "press-shop".into(),
            id: "gw-press-1".into(),
        }
    );
    assert_eq!(plant.cfg, crc32(PRESS_LINE.as_bytes()));
    assert_eq!(settings.data_dir, Path::new("/etc/andon/data"));
    assert_eq!(settings.memory_budget, 32 << 20);
    assert_eq!(settings.disk_budget, 64 << 20);
    assert_eq!(settings.upstream.broker.host, "127.0.0.1");
    assert_eq!(settings.upstream.broker.port, 1883);
    assert_eq!(settings.upstream.broker.tls, None);
    assert_eq!(settings.upstream.ack_timeout, Duration::from_secs(30));
    assert_eq!(settings.upstream.window, 32);
    assert!(settings.upstream.max_payload < 10 * 1024);
}

/// Bit by bit: not with the crate under test.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
        })
    })
}

#[test]
fn press_line_has_its_calendar() {
    let calendar = press_line().settings.plant.calendar;
    assert_eq!(calendar.zone.iana_name(), Some("Asia/Shanghai"));
    assert_eq!(calendar.day_start, 8 * 60);
    let [day, night] = calendar.shifts.as_slice() else {
        panic!("two shifts");
    };
    assert_eq!(&*day.name, "day");
    assert_eq!(day.days, [true, true, true, true, true, true, false]);
    assert_eq!((day.start, day.end), (480, 1200));
    assert_eq!(day.breaks, [(720, 750), (960, 975)]);
    assert_eq!((night.start, night.end), (1200, 480));
    assert_eq!(night.days, [true, true, true, true, true, false, false]);
    assert_eq!(calendar.holidays.len(), 2);
    assert_eq!(calendar.holidays[0].1, jiff::civil::date(2026, 10, 7));
    assert_eq!(
        calendar.holidays[1],
        (jiff::civil::date(2027, 1, 1), jiff::civil::date(2027, 1, 1))
    );
    assert_eq!(calendar.workdays, [jiff::civil::date(2026, 10, 10)]);
}

#[test]
fn press_line_has_its_links() {
    let settings = press_line().settings;
    let ids: Vec<&str> = settings.links.iter().map(|link| &*link.id).collect();
    assert_eq!(ids, ["plc", "rs485", "shop", "board"]);
    let LinkKind::Modbus(plc) = &settings.links[0].kind else {
        panic!("plc is Modbus TCP");
    };
    assert_eq!(plc.endpoint.to_string(), "127.0.0.1:5020");
    assert_eq!(plc.timeout, Duration::from_millis(500));
    let LinkKind::Modbus(rs485) = &settings.links[1].kind else {
        panic!("rs485 is Modbus RTU");
    };
    let Endpoint::Serial(port) = &rs485.endpoint else {
        panic!("rs485 is a serial port");
    };
    assert!(port.path.starts_with("/dev/serial/by-id") && port.optional);
    assert_eq!((port.parity, port.stop_bits), (Parity::Even, 1));
    let line = Line {
        baud: 19_200,
        char_bits: 11,
    };
    assert_eq!(port.line(), line);
    assert_eq!(settings.plant.links[1].medium, Medium::Serial(line));
    assert_eq!(port.rs485, Rs485::Auto);
    let LinkKind::Mqtt(shop) = &settings.links[2].kind else {
        panic!("shop is MQTT");
    };
    assert_eq!(shop.client_id, "gw-press-1-shop");
    let topics: Vec<(&str, usize)> = shop
        .topics
        .iter()
        .map(|topic| (&*topic.name, topic.readers[0].tags.len()))
        .collect();
    assert_eq!(topics, [("oven/7/state", 2), ("oven/7/temp", 1)]);
}

#[test]
fn press_line_presses_come_from_their_profile() {
    let plant = press_line().settings.plant;
    let [press_1, press_2, meter, oven] = plant.devices.as_slice() else {
        panic!("four devices");
    };
    assert_eq!((&*press_1.id, &*press_1.name), ("press-1", "一号冲压机"));
    assert_eq!(press_1.line.as_deref(), Some("A"));
    assert_eq!(press_1.profile.as_deref(), Some("press"));
    assert_eq!(
        (press_1.unit, press_2.unit, meter.unit, oven.unit),
        (1, 2, 17, 0)
    );
    assert_eq!(press_1.rated_rate, Some(1_200_000));
    assert_eq!(press_2.rated_rate, Some(900_000), "overrides its profile");
    assert!(
        Arc::ptr_eq(&press_1.model, &press_2.model),
        "a rate does not change the model"
    );
    assert_eq!(press_1.stale_after_ms, 3000);
    assert_eq!(
        (press_1.min_coverage, press_1.min_exposure_ms),
        (5000, 1_800_000)
    );
    assert_eq!(press_1.merge_faults_ms, 0);
    assert_eq!(press_1.publishes, TierSet::ALL);
    assert_eq!(press_1.publishes_tags, TierSet::ALL.without(Tier::Minute));
    assert!(!press_1.no_scrap);
    assert_eq!(meter.model.every_ms, 5000);
    assert_eq!(&*meter.name, "meter-1", "the id is the name by default");
    assert_eq!(meter.rated_rate, None);
    assert!(meter.model.state.is_none());
    assert!(oven.no_scrap);
    assert_eq!(oven.stale_after_ms, 10_000);
    assert_eq!(oven.rated_rate, Some(60_000));
    assert_eq!(oven.model.every_ms, 10_000, "the default of MQTT");
}

#[test]
fn press_line_tags_are_what_the_file_says() {
    let plant = press_line().settings.plant;
    let tags = &plant.devices[0].model.tags;
    let names: Vec<&str> = tags.iter().map(|tag| &*tag.name).collect();
    assert_eq!(
        names,
        [
            "status",
            "good",
            "scrap",
            "temperature",
            "pressure",
            "door_open"
        ],
        "in the order of the file"
    );
    let point = |table, address, kind, order, scale| {
        Source::Modbus(Point {
            order,
            scale,
            ..Point::new(table, address, kind)
        })
    };
    let plain = Order::Abcd;
    assert_eq!(
        tags[0].source,
        point(Table::Holding, 0, Kind::U16, plain, 1.0)
    );
    assert_eq!(
        tags[1].source,
        point(Table::Holding, 1, Kind::U32, Order::Cdab, 1.0)
    );
    assert_eq!(
        tags[2].source,
        point(Table::Holding, 3, Kind::U16, plain, 1.0)
    );
    assert_eq!(
        tags[3].source,
        point(Table::Input, 10, Kind::F32, plain, 1.0)
    );
    assert_eq!(
        tags[4].source,
        point(Table::Input, 12, Kind::I16, plain, 0.1)
    );
    assert_eq!(
        tags[5].source,
        point(Table::Discrete, 0, Kind::Bool, plain, 1.0)
    );
    let role = |counts| {
        Some(Role {
            counts,
            parts: 1,
            wrap: None,
        })
    };
    assert_eq!(tags[1].role, role(Counts::Good));
    assert_eq!(tags[2].role, role(Counts::Scrap));
    assert_eq!(tags[3].range, Some((-20.0, 180.0)));
    assert_eq!(
        (&*tags[3].unit, &*tags[4].unit, &*tags[0].unit),
        ("°C", "bar", "")
    );
    assert_eq!((tags[4].every_ms, tags[3].every_ms), (200, 1000));

    let oven = &plant.devices[3].model.tags;
    let place = |topic: &str, pointer: Option<&str>, kind| {
        let topic = Some(topic.into());
        Source::Message(match pointer {
            Some(at) => Place::json(topic, at, kind),
            None => Place::bare(topic, kind),
        })
    };
    assert_eq!(
        oven[0].source,
        place("oven/7/state", Some("/mode"), Kind::Text)
    );
    assert_eq!(
        oven[1].source,
        place("oven/7/state", Some("/parts"), Kind::U32)
    );
    assert_eq!(oven[2].source, place("oven/7/temp", None, Kind::F64));
}

#[test]
fn press_line_states_are_in_the_order_of_the_file() {
    let plant = press_line().settings.plant;
    let map = |device: usize| match &plant.devices[device].model.state {
        Some(States::Status(map)) => map,
        other => panic!("not told by a status: {other:?}"),
    };
    let state = map(0);
    assert_eq!(state.from, TagIndex(0));
    assert_eq!(
        state.rules,
        [
            (Match::Range(0, 0), State::Idle),
            (Match::Range(1, 1), State::Setup),
            (Match::Range(2, 2), State::Producing),
            (Match::Range(3, 3), State::Delayed),
            (Match::Range(4, 99), State::Faulted),
        ]
    );
    let oven = map(3);
    assert_eq!(
        oven.rules,
        [
            (Match::Text("run".into()), State::Producing),
            (Match::Text("alarm".into()), State::Faulted),
            (Match::Text("estop".into()), State::Faulted),
            (Match::Text("wait".into()), State::Idle),
        ]
    );
    let codes: Vec<(i64, &str, &str)> = plant.devices[0]
        .model
        .codes
        .iter()
        .map(|code| (code.value, &*code.en, &*code.zh))
        .collect();
    assert_eq!(
        codes,
        [
            (4, "hydraulic overpressure", "液压过压"),
            (7, "light curtain tripped", "光幕动作")
        ]
    );
}

#[test]
fn press_line_alarms_are_spread_over_their_devices() {
    let plant = press_line().settings.plant;
    let ids: Vec<(u16, &str)> = plant
        .alarms
        .iter()
        .filter(|a| !a.is_builtin())
        .map(|a| (a.owner.device().unwrap().0, &*a.id))
        .collect();
    assert_eq!(
        ids,
        [
            (0, "fault"),
            (1, "fault"),
            (3, "fault"),
            (3, "overheat"),
            (0, "fault-rate"),
            (1, "fault-rate"),
            (0, "no-data"),
            (1, "no-data"),
            (2, "no-data"),
            (3, "no-data"),
        ]
    );
    let fault = &plant.alarms[1];
    let faulted = |device| Rule::State {
        device: DeviceIndex(device),
        is: State::Faulted,
        negated: false,
    };
    assert_eq!(fault.when, faulted(1));
    assert_eq!((fault.on_delay_ms, fault.off_delay_ms), (0, 5000));
    assert_eq!(fault.priority, Priority::High);
    assert_eq!(&*fault.text_en, "press-2 stopped by a fault");
    assert_eq!(&*fault.text_zh, "二号冲压机 故障停机");
    let overheat = &plant.alarms[3];
    assert!(overheat.latched);
    assert_eq!(
        overheat.when,
        Rule::Tag {
            device: DeviceIndex(3),
            tag: TagIndex(2),
            op: Op::Greater,
            limit: Limit::Number {
                limit: 620.0,
                deadband: 10.0
            },
        }
    );
    assert_eq!(&*overheat.text_en, "oven-7: overheat");
    assert!(plant.alarms[4].when.needs_figures());
    assert_eq!(plant.alarms[8].when, Rule::NoData(DeviceIndex(2)));
    assert_eq!(plant.alarms[8].on_delay_ms, 30_000);
}

#[test]
fn an_alarm_is_suppressed_by_a_rule_of_its_device() {
    let text = PRESS_LINE.replacen(
        "off_delay = \"5 s\"",
        "off_delay = \"5 s\"\nsuppress_when = \"state == planned_stop or press-1.state == setup\"",
        1,
    );
    let plant = load_text(&text).expect("it is good").settings.plant;
    let is = |device, is| {
        Box::new(Rule::State {
            device: DeviceIndex(device),
            is,
            negated: false,
        })
    };
    let suppressed = |device| {
        let setup = is(0, State::Setup);
        Some(Rule::Or(is(device, State::PlannedStop), setup))
    };
    assert_eq!(plant.alarms[1].suppress_when, suppressed(1));
    assert_eq!(plant.alarms[2].suppress_when, suppressed(3));
    assert_eq!(plant.alarms[3].suppress_when, None, "another alarm");
}

#[test]
fn every_section_of_press_line_has_its_function() {
    let settings = press_line().settings;
    assert_eq!(settings.not_active, []);
}

#[test]
fn press_line_has_two_warnings() {
    let warnings = press_line().warnings;
    let told: Vec<_> = warnings.entries().collect();
    assert_eq!(told.len(), 2, "{warnings}");
    let message = &told[1].message;
    assert!(
        message.contains("`fault-rate` may come and go with each minute"),
        "{message}"
    );
    assert_eq!((told[0].line, told[0].column), (Some(45), Some(11)));
}

/// The least that runs: every default is in it.
const LEAST: &str = r#"
[gateway]
id = "gw-1"
site = "here"
area = "hall"
[upstream]
broker = "mqtts://broker.example"
[[link]]
id = "plc"
modbus_tcp = "10.0.0.5"
[[device]]
id = "saw"
link = "plc"
tags = { status = { at = "holding:0", type = "u16" } }
"#;

#[test]
fn a_device_needs_only_id_link_and_tags() {
    let settings = load_text(LEAST)
        .unwrap_or_else(|report| panic!("{report}"))
        .settings;
    let LinkKind::Modbus(plc) = &settings.links[0].kind else {
        panic!("Modbus TCP");
    };
    assert!(plc.endpoint.to_string().ends_with(":502"));
    assert_eq!(plc.timeout, Duration::from_secs(1));
    assert_eq!(settings.upstream.broker.port, 8883);
    assert!(settings.upstream.broker.tls.is_some());
    let saw = &settings.plant.devices[0];
    assert_eq!(
        (saw.unit, saw.model.every_ms, saw.stale_after_ms),
        (1, 1000, 3000)
    );
    assert_eq!(saw.publishes, TierSet::ALL);
    assert!(settings.not_active.is_empty());
    assert!(settings.plant.calendar.shifts.is_empty());
}

#[test]
fn files_of_a_broker_count_from_the_folder_of_the_configuration() {
    let broker = "broker = \"mqtts://[fd00::7]\"\nusername = \"gw\"\npassword_file = \"secret/pw\"\n\
                  ca_file = \"/etc/ssl/plant.pem\"\ncert_file = \"c.pem\"\nkey_file = \"k.pem\"";
    let text = LEAST.replace("broker = \"mqtts://broker.example\"", broker);
    let settings = load_text(&text)
        .unwrap_or_else(|report| panic!("{report}"))
        .settings;
    let broker = settings.upstream.broker;
    assert_eq!((broker.host.as_str(), broker.port), ("fd00::7", 8883));
    assert_eq!(broker.username.as_deref(), Some("gw"));
    assert_eq!(broker.password_file, Some("/etc/andon/secret/pw".into()));
    let tls = broker.tls.expect("mqtts");
    assert_eq!(
        tls.ca_file,
        Some("/etc/ssl/plant.pem".into()),
        "an absolute path stays"
    );
    assert_eq!(tls.cert_file, Some("/etc/andon/c.pem".into()));
    assert_eq!(tls.key_file, Some("/etc/andon/k.pem".into()));
}

#[test]
fn a_device_overrides_single_tags_of_its_profile() {
    let text = LEAST.replace(
        "[[device]]\nid = \"saw\"\n",
        "[[profile]]\nid = \"p\"\nevery = \"2 s\"\ntags = { a = { at = \"coil:1\", type = \"bool\" }, \
         status = { at = \"input:7\", type = \"u16\" } }\n[[device]]\nid = \"saw\"\nprofile = \"p\"\n",
    );
    let plant = load_text(&text)
        .unwrap_or_else(|report| panic!("{report}"))
        .settings
        .plant;
    let tags = &plant.devices[0].model.tags;
    assert_eq!(tags.len(), 2);
    let Source::Modbus(point) = &tags[1].source else {
        panic!("Modbus");
    };
    assert_eq!(
        (point.table, point.address),
        (Table::Holding, 0),
        "the device's own"
    );
    assert_eq!(tags[1].every_ms, 2000, "the profile's period");
    assert_eq!(plant.devices[0].stale_after_ms, 6000);
}

#[test]
fn rates_and_times_mean_what_they_say() {
    for (rate, thousandths) in [
        ("1200/h", 1_200_000),
        ("20/min", 1_200_000),
        ("0.5/s", 1_800_000),
        ("7.5 / h", 7500),
    ] {
        let text = format!("{LEAST}rated_rate = \"{rate}\"\n");
        let plant = load_text(&text)
            .unwrap_or_else(|report| panic!("{report}"))
            .settings
            .plant;
        assert_eq!(plant.devices[0].rated_rate, Some(thousandths), "{rate}");
    }
    for (every, ms) in [
        ("500 ms", 500),
        ("0.5 s", 500),
        ("15min", 900_000),
        ("1 h", 3_600_000),
    ] {
        let text = format!("{LEAST}every = \"{every}\"\n");
        let plant = load_text(&text)
            .unwrap_or_else(|report| panic!("{report}"))
            .settings
            .plant;
        assert_eq!(plant.devices[0].model.every_ms, ms, "{every}");
    }
}

#[test]
fn line_ends_and_byte_order_marks_of_windows_change_nothing() {
    let text = format!("\u{feff}{}", PRESS_LINE.replace('\n', "\r\n"));
    let plant = load_text(&text)
        .unwrap_or_else(|report| panic!("{report}"))
        .settings
        .plant;
    assert_eq!(plant.devices.len(), 4);
    let configured = plant.alarms.iter().filter(|alarm| !alarm.is_builtin());
    assert_eq!(configured.count(), 10);
}

#[test]
fn the_disk_plan_adds_up_to_the_budget() {
    let settings = press_line().settings;
    let disk = plan::disk(&settings);
    assert_eq!(
        disk.outbox + disk.history + disk.checkpoint + disk.spare,
        settings.disk_budget
    );
    // Three devices have a state, one of them without days; four have events.
    let summaries = 3 * (1440 + 24 + 4) + 2 + 4 * 300;
    // Six numbers of each press, one of the meter, two of the oven.
    let tags = 13 * (24 + 4 + 1) + 2 * (24 + 4);
    let records = (summaries * 60 + tags * 50) * 26 / 10;
    // Pieces, minutes and marks of three devices, what tags had come to, what was learned of eleven
    // numbers, and a block each minute.
    let history = 3 * (28 * 48 + 1440 * 44 + 328 * 32) + 15 * 28 * 72 + 11 * 6 * 48 + 1440 * 4096;
    assert_eq!(disk.per_day, records + history);
    assert_eq!(disk.history_days, [31; 3]);
    assert!(disk.history < settings.disk_budget / 4);
}

#[test]
fn the_memory_plan_grows_with_what_is_configured() {
    let settings = press_line().settings;
    let mut more = settings.clone();
    more.plant.devices.extend(settings.plant.devices.clone());
    let item = |settings: &Settings, what: &str| {
        let plan = plan::memory(settings);
        let item = plan.items.iter().find(|item| item.what.starts_with(what));
        item.unwrap_or_else(|| panic!("{what}")).clone()
    };
    assert_eq!(item(&settings, "newest sample").count, 16);
    assert_eq!(item(&more, "newest sample").count, 32);
    assert_eq!(
        item(&settings, "tags, states").count,
        3,
        "two presses share a model"
    );
    assert_eq!(item(&more, "tags, states").count, 3);
    assert!(plan::memory(&more).sum() > plan::memory(&settings).sum());
}

#[test]
fn a_part_that_is_of_no_use_hides_no_other_mistake() {
    let text = r#"
[gateway]
id = "gw"
site = "s"
area = "a"
[upstream]
broker = "mqtt://127.0.0.1"
[[link]]
id = "plc"
modbus_tcpp = "h:9"
timeot = "5 s"
timeout = "1 s"
[[link]]
id = "both"
modbus_tcp = "h:502"
mqtt = "mqtt://h"
tiemout = "5 s"
[[device]]
id = "status"
link = "plcc"
profile = "nope"
tags = { a = { at = "holding:0", type = "u61" } }
"#;
    let Err(report) = load_text(text) else {
        panic!("eight mistakes are taken for none");
    };
    let report = report.to_string();
    for told in [
        "`modbus_tcpp`",
        "`timeot`",
        "either `modbus_tcp` or `mqtt`",
        "`tiemout`",
        "`status` is reserved",
        "no link `plcc`",
        "no profile `nope`",
        "u61",
    ] {
        assert!(report.contains(told), "{told} is not told:\n{report}");
    }
    assert!(report.contains("8 mistakes"), "{report}");
}

#[test]
fn a_device_is_treated_as_it_its_profile_or_its_link_say() {
    let text = PRESS_LINE
        .replacen(
            "every = \"1 s\"\nrated_rate",
            "every = \"1 s\"\nretries = 2\nmax_registers = 16\nrated_rate",
            1,
        )
        .replacen(
            "unit = 2\n",
            "unit = 2\ntimeout = \"2 s\"\nretries = 1\nbetween_requests = \"20 ms\"\nafter_connect = \"500 ms\"\n",
            1,
        );
    let devices = load_text(&text)
        .expect("a good file")
        .settings
        .plant
        .devices;
    let of_profile = Manners {
        timeout_ms: 500,
        retries: 2,
        max_registers: 16,
        ..Manners::default()
    };
    assert_eq!(devices[0].manners, of_profile);
    let own = Manners {
        timeout_ms: 2000,
        retries: 1,
        between_requests_ms: 20,
        after_connect_ms: 500,
        max_registers: 16,
    };
    assert_eq!(devices[1].manners, own);
}

#[test]
fn a_device_that_is_not_asked_has_no_manners() {
    let text = PRESS_LINE.replacen("link = \"shop\"\n", "link = \"shop\"\nretries = 3\n", 1);
    let report = load_text(&text)
        .expect_err("nobody asks an MQTT device")
        .to_string();
    assert!(
        report.contains("`retries` says how to ask a Modbus device"),
        "{report}"
    );
}

#[test]
fn a_value_wider_than_an_answer_of_its_device_is_a_mistake() {
    let text = PRESS_LINE.replacen("unit = 2\n", "unit = 2\nmax_registers = 1\n", 1);
    let report = load_text(&text).expect_err("two registers").to_string();
    assert!(report.contains("`good` takes 2 registers"), "{report}");
    assert!(report.contains("raise `max_registers` to 2"), "{report}");
}

/// A saw that a script speaks for.
const PUSHED: &str = r#"
[[link]]
id = "scripts"
http_push = true
token_file = "push.token"

[[device]]
id = "saw"
link = "scripts"
tags = { speed = { type = "f64", unit = "rpm" } }
"#;

#[test]
fn a_script_speaks_for_a_device_by_the_names_of_its_tags() {
    let text = format!("{PRESS_LINE}{PUSHED}");
    let settings = load_text(&text)
        .unwrap_or_else(|report| panic!("{report}"))
        .settings;
    let http = settings.http.as_ref().unwrap();
    assert_eq!((http.host.as_str(), http.port), ("127.0.0.1", 8080));
    let LinkKind::HttpPush(push) = &settings.links[3].kind else {
        panic!("the last link that is written is pushed to");
    };
    assert_eq!(push.token_file, Path::new("/etc/andon/push.token"));
    let saw = settings.plant.devices.last().unwrap();
    assert_eq!((saw.unit, saw.model.every_ms), (0, 10_000));
    assert!(matches!(saw.model.tags[0].source, Source::Message(_)));
}

#[test]
fn what_scripts_push_needs_a_door_and_names() {
    let said = |text: &str| load_text(text).expect_err("a mistake").to_string();
    let closed = PRESS_LINE.replace("[http]\nlisten = \"127.0.0.1:8080\"\n", "");
    let report = said(&format!("{closed}{PUSHED}"));
    assert!(report.contains("nothing listens"), "{report}");
    for (key, hint) in [
        ("at = \"/speed\"", "leave `at` out"),
        ("topic = \"x\"", "leave `topic`"),
    ] {
        let tag = PUSHED.replace("type = \"f64\"", &format!("type = \"f64\", {key}"));
        let report = said(&format!("{PRESS_LINE}{tag}"));
        assert!(report.contains(hint), "{report}");
    }
}

#[test]
fn tags_are_asked_for_by_page_and_period() {
    const WEB: &str = r#"
[[link]]
id = "web"
http_get = "https://10.1.1.7:8443/status.json?all"
username = "andon"
password_file = "web.password"

[[profile]]
id = "web-meter"
path = "/meter.json"
tags = { power = { at = "/p", type = "f64" }, name = { path = "/name", type = "string", every = "1 h" } }

[[device]]
id = "compressor"
link = "web"
tags = { speed = { at = "/n", type = "f64" }, hours = { at = "/h", type = "u32", every = "1 min" } }

[[device]]
id = "meter-a"
link = "web"
profile = "web-meter"

[[device]]
id = "meter-b"
link = "web"
profile = "web-meter"
path = "/b.json"
"#;
    let settings = load_text(&format!("{PRESS_LINE}{WEB}"))
        .unwrap_or_else(|report| panic!("{report}"))
        .settings;
    let LinkKind::HttpGet(web) = &settings.links[3].kind else {
        panic!("the last link that is written is asked");
    };
    assert_eq!(
        (web.server.host.as_str(), web.server.port),
        ("10.1.1.7", 8443)
    );
    assert!(web.server.tls.is_some());
    assert_eq!(web.timeout, Duration::from_secs(5));
    let first = settings.plant.devices.len() - 3;
    let pages: Vec<_> = (web.pages.iter())
        .map(|page| {
            let reader = |reader: &crate::settings::Reader| {
                (usize::from(reader.device.0) - first, reader.tags.len())
            };
            let readers: Vec<_> = page.readers.iter().map(reader).collect();
            (&*page.path, page.every_ms, readers)
        })
        .collect();
    assert_eq!(
        pages,
        [
            ("/b.json", 10_000, vec![(2, 1)]),
            ("/meter.json", 10_000, vec![(1, 1)]),
            ("/name", 3_600_000, vec![(1, 1), (2, 1)]),
            ("/status.json?all", 10_000, vec![(0, 1)]),
            ("/status.json?all", 60_000, vec![(0, 1)]),
        ]
    );
}

#[test]
fn machines_with_pages_of_their_own_may_share_a_host() {
    const WEB: &str = r#"
[[device]]
each = "1..3"
id = "still-{n}"
http_get = "http://10.1.9.7/still/{n}.json"
tags = { t = { at = "/t", type = "f64" } }

[[device]]
id = "compressor"
http_get = "http://10.1.9.8/status.json"
tags = { n = { at = "/n", type = "f64" } }
"#;
    let settings = load_text(&format!("{PRESS_LINE}{WEB}"))
        .unwrap_or_else(|report| panic!("{report}"))
        .settings;
    let asked: Vec<_> = (settings.links.iter())
        .filter_map(|link| match &link.kind {
            LinkKind::HttpGet(web) => {
                let paths = web.pages.iter().map(|page| &*page.path);
                Some((&*link.id, paths.collect::<Vec<_>>()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        asked,
        [
            (
                "10-1-9-7",
                vec!["/still/1.json", "/still/2.json", "/still/3.json"]
            ),
            ("10-1-9-8", vec!["/status.json"]),
        ]
    );
}

/// The meter on the serial line of the example, read every so often.
fn meter_every(every: &str) -> Result<Loaded, Report> {
    load_text(&PRESS_LINE.replacen("every = \"5 s\"", &format!("every = \"{every}\""), 1))
}

#[test]
fn a_serial_bus_that_is_asked_for_more_than_there_is_time_is_a_mistake() {
    // At 19,200 baud with 11 bits a character: 17 characters 9.7 ms, two silences of 2.0 ms, 5 ms.
    let report = meter_every("10 ms")
        .expect_err("twice the time there is")
        .to_string();
    for part in [
        "`rs485` would have to be in use for 187.5 % of the time at 19200 baud",
        "read less often, or raise `baud`",
        "meter-1 input:52, 2 registers every 10 ms: 8 + 9 characters of 11 bits = 9.7 ms, \
         silence 2 x 2.0 ms, 5.0 ms assumed until it answers: 18.8 ms",
    ] {
        assert!(report.contains(part), "{part} is missing in\n{report}");
    }
}

#[test]
fn a_turnaround_that_is_configured_is_what_the_bus_has_to_bear() {
    let second = "[[device]]\nid = \"meter-2\"\nlink = \"rs485\"\nunit = 18\nevery = \"1 s\"\n\
                  tags = { power = { at = \"input:52\", type = \"f32\", unit = \"W\" } }\n\n[[alarm]]\n";
    let text = PRESS_LINE.replacen("[[alarm]]\n", second, 1).replacen(
        "every = \"5 s\"",
        "every = \"1 s\"",
        1,
    );
    let slow = text.replacen("baud = 19200", "baud = 19200\nturnaround = \"500 ms\"", 1);
    load_text(&text).unwrap_or_else(|report| panic!("{report}"));
    let report = load_text(&slow)
        .expect_err("half a second twice a second")
        .to_string();
    for part in [
        "`rs485` would have to be in use for 103.7 % of the time",
        "shorten `turnaround`",
        "5.0 ms assumed until it answers, 500.0 ms turnaround between units: 518.8 ms",
    ] {
        assert!(report.contains(part), "{part} is missing in\n{report}");
    }
}

#[test]
fn a_serial_bus_with_little_time_left_is_a_warning() {
    let warnings = |every| meter_every(every).expect("it fits").warnings.to_string();
    let told = "`rs485` is in use for 93.7 % of the time at 19200 baud";
    let tight = warnings("20 ms");
    assert!(tight.contains(told), "{tight}");
    assert!(!warnings("5 s").contains("rs485"));
}

#[test]
fn data_may_come_late_where_the_status_has_a_time_of_its_own() {
    let late = |time: &str, key: &str| {
        let plc = "id = \"plc\"\nmodbus_tcp = \"10.0.0.5\"";
        let link = "id = \"plc\"\nmqtt = \"mqtt://127.0.0.1\"";
        let status = format!("topic = \"saw\", at = \"/mode\"{time}, type = \"u16\"");
        let text = LEAST
            .replace(plc, link)
            .replace("at = \"holding:0\", type = \"u16\"", &status)
            .replace(
                "link = \"plc\"\ntags",
                &format!("link = \"plc\"\n{key}\ntags"),
            );
        let text = format!("{text}\nstate = {{ from = \"status\", producing = [1] }}\n");
        let plant = load_text(&text)
            .unwrap_or_else(|report| panic!("{report}"))
            .settings
            .plant;
        plant.devices[0].late_ms
    };
    assert_eq!(late("", ""), 0);
    assert_eq!(late(", time = \"/ts\"", ""), 15 * 60_000);
    assert_eq!(late(", time = \"/ts\"", "late = \"4 h\""), 4 * 3_600_000);
    assert_eq!(late(", time = \"/ts\"", "late = \"0 s\""), 0);
}
