//! One section for many machines: `each`, addresses that make links, profiles of the agent.

use super::*;

const KIND: &str = "[[profile]]\nid = \"kind\"\ntags = { status = { at = \"holding:0\", type = \
                    \"u16\" } }\n";

fn with(devices: &str) -> Settings {
    let kind = if devices.contains("\"kind\"") {
        KIND
    } else {
        ""
    };
    let loaded = load_text(&format!("{LEAST}{kind}{devices}"));
    let loaded = loaded.unwrap_or_else(|report| panic!("{report}"));
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    loaded.settings
}

#[test]
fn each_makes_a_device_for_every_number() {
    let settings = with(
        "[[device]]\neach = \"1..40\"\nid = \"press-{n:02}\"\nname = \"{n}号冲压机\"\n\
         profile = \"kind\"\nunit = \"{n}\"\nmodbus_tcp = \"10.1.3.{100+n}:502\"\n",
    );
    let devices = &settings.plant.devices[1..];
    assert_eq!(devices.len(), 40);
    for (n, device) in (1..).zip(devices) {
        assert_eq!(*device.id, *format!("press-{n:02}"));
        assert_eq!(*device.name, *format!("{n}号冲压机"));
        assert_eq!(device.unit, n);
        let LinkKind::Modbus(link) = &settings.links[usize::from(device.link.0)].kind else {
            panic!("Modbus TCP");
        };
        assert_eq!(link.endpoint.to_string(), format!("10.1.3.{}:502", 100 + n));
    }
    assert_eq!(settings.links.len(), 41);
    assert_eq!(&*settings.links[40].id, "10-1-3-140");
    assert!(
        Arc::ptr_eq(&devices[0].model, &devices[39].model),
        "numbers do not change the model"
    );
}

#[test]
fn placeholders_reach_into_tags() {
    let settings = with(
        "[[link]]\nid = \"shop\"\nmqtt = \"mqtt://shop\"\n[[device]]\neach = [3, 7]\n\
         id = \"oven-{n}\"\nlink = \"shop\"\n[device.tags]\n\
         mode = { topic = \"oven/{n:03}/state\", at = \"/{n*2}/mode\", type = \"string\" }\n",
    );
    let sources: Vec<&Source> = settings.plant.devices[1..]
        .iter()
        .map(|device| &device.model.tags[0].source)
        .collect();
    let place = |topic: &str, at| Source::Message(Place::json(Some(topic.into()), at, Kind::Text));
    assert_eq!(
        sources,
        [
            &place("oven/003/state", "/6/mode"),
            &place("oven/007/state", "/14/mode")
        ]
    );
}

#[test]
fn a_device_is_picked_out_of_a_topic_that_all_share() {
    let settings = with(
        "[[link]]\nid = \"shop\"\nmqtt = \"mqtt://shop\"\n[[device]]\neach = \"1..3\"\n\
         id = \"oven-{n}\"\naddress = \"A-{n:04}\"\nlink = \"shop\"\n[device.tags]\n\
         mode = { topic = \"hall/{device}/state\", at = \"/mode\", type = \"string\" }\n\
         parts = { topic = \"hall/{device}/state\", at = \"/parts\", type = \"u32\" }\n\
         one = { topic = \"hall/oven{n}/{device}/one\", type = \"u32\" }\n\
         part = { topic = \"hall/oven-{device}/part\", type = \"u32\" }\n",
    );
    let LinkKind::Mqtt(shop) = &settings.links[1].kind else {
        panic!("MQTT");
    };
    let told = |topic: &Topic| {
        let [reader] = topic.readers.as_slice() else {
            panic!("one device each");
        };
        let shared = topic.shared.as_deref().unwrap_or("-").to_owned();
        (
            topic.name.to_string(),
            shared,
            reader.called.to_string(),
            reader.tags.len(),
        )
    };
    let topics: Vec<_> = shop.topics.iter().map(told).collect();
    let topic = |name: &str, shared: &str, called: &str, tags| {
        (name.to_owned(), shared.to_owned(), called.to_owned(), tags)
    };
    assert_eq!(
        topics,
        [
            topic("hall/A-0001/state", "hall/+/state", "A-0001", 2),
            topic("hall/A-0002/state", "hall/+/state", "A-0002", 2),
            topic("hall/A-0003/state", "hall/+/state", "A-0003", 2),
            // A filter of its own would let in more than is read.
            topic("hall/oven-A-0001/part", "-", "A-0001", 1),
            topic("hall/oven-A-0002/part", "-", "A-0002", 1),
            topic("hall/oven-A-0003/part", "-", "A-0003", 1),
            topic("hall/oven1/A-0001/one", "-", "A-0001", 1),
            topic("hall/oven2/A-0002/one", "-", "A-0002", 1),
            topic("hall/oven3/A-0003/one", "-", "A-0003", 1),
        ]
    );
}

#[test]
fn each_may_name_texts() {
    let settings = with(
        "[[device]]\neach = [\"left\", \"right\"]\nid = \"saw-{n}\"\nprofile = \"kind\"\n\
         link = \"plc\"\n",
    );
    let ids: Vec<&str> = settings.plant.devices.iter().map(|d| &*d.id).collect();
    assert_eq!(ids, ["saw", "saw-left", "saw-right"]);
}

/// Texts of alarms have placeholders of their own, and devices without `each` have none.
#[test]
fn only_each_has_placeholders() {
    let settings = with(
        "[[device]]\nid = \"mill\"\nname = \"{n} mill\"\nprofile = \"kind\"\nlink = \"plc\"\n\
         [[alarm]]\nid = \"mute\"\ndevices = [\"mill\"]\nwhen = \"no_data\"\n\
         text_en = \"{device}, {name}\"\n",
    );
    assert_eq!(&*settings.plant.devices[1].name, "{n} mill");
    assert_eq!(&*settings.plant.alarms[0].text_en, "mill, {n} mill");
}

#[test]
fn an_address_is_shared() {
    let settings = with(
        "[[device]]\nid = \"a\"\nprofile = \"kind\"\nmodbus_tcp = \"10.0.0.5:502\"\nunit = 2\n\
         [[device]]\nid = \"b\"\nprofile = \"kind\"\nmodbus_tcp = \"PLC-B.lan\"\n\
         timeout = \"700 ms\"\n\
         [[device]]\nid = \"c\"\nprofile = \"kind\"\nmodbus_tcp = \"plc-b.lan:502\"\nunit = 3\n\
         [[device]]\nid = \"d\"\nprofile = \"kind\"\nmodbus_rtu = \"/dev/ttyS1\"\nunit = 7\n\
         [[device]]\nid = \"e\"\nprofile = \"kind\"\nmodbus_rtu = \"/dev/ttyS1\"\nunit = 8\n\
         baud = 19200\n",
    );
    let links: Vec<&str> = settings.links.iter().map(|link| &*link.id).collect();
    assert_eq!(links, ["plc", "plc-b-lan", "ttys1"]);
    let devices = &settings.plant.devices[1..];
    let behind: Vec<u16> = devices.iter().map(|device| device.link.0).collect();
    assert_eq!(behind, [0, 1, 1, 2, 2]);
    let timeouts: Vec<u64> = devices[1..3].iter().map(|d| d.manners.timeout_ms).collect();
    assert_eq!(
        timeouts,
        [700, 1000],
        "a device's own is not that of its link"
    );
}

#[test]
fn devices_of_one_line_must_agree_on_it() {
    let text = format!(
        "{LEAST}{KIND}[[device]]\nid = \"d\"\nprofile = \"kind\"\nmodbus_rtu = \"/dev/ttyS1\"\n\
         baud = 9600\n[[device]]\nid = \"e\"\nprofile = \"kind\"\nmodbus_rtu = \"/dev/ttyS1\"\n\
         baud = 19200\n"
    );
    let report = load_text(&text).expect_err("two speeds");
    let told: Vec<&str> = report.entries().map(|entry| entry.message).collect();
    assert_eq!(told, ["two devices of one line differ in `baud`"]);
}

#[test]
fn a_profile_may_come_from_the_agent() {
    let text = format!("{LEAST}[[device]]\nid = \"mill\"\nprofile = \"press\"\nlink = \"plc\"\n");
    let loaded = load_text(&text).unwrap_or_else(|report| panic!("{report}"));
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    let mill = &loaded.settings.plant.devices[1];
    assert_eq!(mill.profile.as_deref(), Some("press"));
    assert!(mill.model.tag("door_open").is_some() && mill.model.state.is_some());
    assert_ne!(loaded.settings.plant.cfg, crc32(text.as_bytes()));
    // The file's own wins.
    let own = format!("{text}{}", KIND.replace("kind", "press"));
    let loaded = load_text(&own).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(loaded.settings.plant.devices[1].model.tags.len(), 1);
    assert_eq!(loaded.settings.plant.cfg, crc32(own.as_bytes()));
}

#[test]
fn what_does_not_fit_a_profile_of_the_agent_is_told_at_the_device() {
    let text = format!(
        "{LEAST}[[device]]\nid = \"mill\"\nprofile = \"press\"\nlink = \"plc\"\n\
         tags = {{ status = {{ at = \"coil:0\", type = \"bool\" }} }}\n"
    );
    let report = load_text(&text).expect_err("numbers of a truth");
    let line = text.lines().position(|line| line == "profile = \"press\"");
    for entry in report.entries() {
        assert_eq!(entry.file, "andon.toml");
        assert_eq!(entry.line, line.map(|line| line + 1), "{report}");
    }
    assert!(
        report.to_string().contains("::: profile press of Andon:"),
        "{report}"
    );
}

/// Nobody can correct these: each must be good on its own.
#[test]
fn every_profile_of_the_agent_is_good() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dist/profiles");
    let mut files: Vec<String> = folder
        .read_dir()
        .expect("profiles")
        .map(|entry| {
            entry
                .expect("a file")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    files.sort();
    let mut known: Vec<String> = Vec::new();
    for (name, text) in shipped::PROFILES {
        known.push(format!("{name}.toml"));
        // As it is used, and as a file's own.
        let device = format!("[[device]]\nid = \"it\"\nprofile = \"{name}\"\n");
        let mqtt = "link = \"shop\"\n[[link]]\nid = \"shop\"\nmqtt = \"mqtt://shop\"\n";
        let link = if text.contains("topic = ") {
            mqtt
        } else {
            "link = \"plc\"\n"
        };
        for whole in [
            format!("{LEAST}{device}{link}"),
            format!("{LEAST}{device}{link}{text}"),
        ] {
            let loaded = load_text(&whole).unwrap_or_else(|report| panic!("{name}\n{report}"));
            assert!(loaded.warnings.is_empty(), "{name}\n{}", loaded.warnings);
            let it = loaded
                .settings
                .plant
                .devices
                .iter()
                .find(|d| &*d.id == "it");
            assert_eq!(it.and_then(|it| it.profile.as_deref()), Some(name));
        }
    }
    known.sort();
    assert_eq!(known, files, "agent/src/config/shipped.rs names them all");
}

#[test]
fn a_misspelt_profile_may_mean_one_of_the_agent() {
    let text = format!("{LEAST}[[device]]\nid = \"mill\"\nprofile = \"pres\"\nlink = \"plc\"\n");
    let report = load_text(&text).expect_err("no such profile");
    let hints: Vec<_> = report.entries().filter_map(|entry| entry.hint).collect();
    assert_eq!(hints, ["did you mean `press`?"]);
}

#[test]
fn copies_without_end_are_refused() {
    let tags: String = (0..500)
        .map(|n| format!("t{n} = {{ at = \"holding:{n}\", type = \"u16\" }}\n"))
        .collect();
    let text = format!(
        "{LEAST}[[device]]\neach = \"1..1000\"\nid = \"a-{{n}}\"\nlink = \"plc\"\n[device.tags]\n{tags}"
    );
    let report = load_text(&text).expect_err("half a million tags");
    let told: Vec<&str> = report.entries().map(|entry| entry.message).collect();
    assert_eq!(
        told,
        ["the devices of this file are too many, or too large"]
    );
}

/// What the example of 200 machines comes to; each count is one of its head's.
#[test]
fn the_large_line_is_two_hundred_machines() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dist/large-line.toml");
    let loaded = load(&path).unwrap_or_else(|report| panic!("{report}"));
    let plant = &loaded.settings.plant;
    let count = |head: &str| {
        let devices = plant.devices.iter();
        devices.filter(|device| device.id.starts_with(head)).count()
    };
    let heads = ["press-", "oven-", "lathe-", "mill-", "meter-"];
    assert_eq!(heads.map(count), [60, 40, 50, 40, 10]);
    // 60 presses, 50 lathes, 8 converters, a broker and a serial line.
    assert_eq!(plant.links.len(), 120);
    let last = plant.devices.last().expect("a device");
    assert_eq!(
        (&*last.id, &*last.name, last.unit),
        ("meter-10", "10号电表", 10)
    );
    assert_eq!(&*plant.links[usize::from(last.link.0)].id, "meters");
    // Machines of one kind share one model, ovens have topics of their own.
    let mut models: Vec<*const andon_core::plant::Model> = plant
        .devices
        .iter()
        .map(|d| Arc::as_ptr(&d.model))
        .collect();
    models.sort();
    models.dedup();
    assert_eq!(models.len(), 43);
}
