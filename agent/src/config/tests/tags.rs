//! What the keys of Modbus tags come to.

use super::*;
use andon_core::tag::{Bits, Detector, Detectors, Packing, Summed, Tag, TagIndex};

/// The tags of a device that has these lines in its `[device.tags]`, and besides a `status`.
fn tags(lines: &str) -> Vec<Tag> {
    let all = "[device.tags]\nstatus = { at = \"holding:0\", type = \"u16\" }";
    let text = LEAST.replacen(
        "tags = { status = { at = \"holding:0\", type = \"u16\" } }",
        &format!("{all}\n{lines}"),
        1,
    );
    assert!(text.contains(lines), "the least example is another");
    let loaded = load_text(&text).unwrap_or_else(|report| panic!("{report}"));
    loaded.settings.plant.devices[0].model.tags.clone()
}

#[track_caller]
fn one(keys: &str) -> Tag {
    tags(&format!("x = {{ at = \"holding:10\", {keys} }}")).remove(1)
}

#[track_caller]
fn one_point(keys: &str) -> Point {
    match one(keys).source {
        Source::Modbus(point) => point,
        Source::Message(_) | Source::Board(_) => panic!("Modbus"),
    }
}

fn plain(kind: Kind) -> Point {
    Point::new(Table::Holding, 10, kind)
}

#[test]
fn energies_and_counts_of_parts_are_counters_unless_they_say_otherwise() {
    let summed = |keys: &str| one(keys).summed;
    assert_eq!(summed("type = \"f32\", unit = \"kW\""), Summed::Level);
    assert_eq!(summed("type = \"f32\", unit = \"kWh\""), Summed::Counter);
    assert_eq!(
        summed("type = \"f32\", unit = \"kWh\", counter = false"),
        Summed::Level
    );
    assert_eq!(
        summed("type = \"u32\", role = \"good_count\""),
        Summed::Counter
    );
    assert_eq!(
        summed("type = \"u32\", unit = \"h\", counter = true"),
        Summed::Counter
    );
    assert_eq!(summed("type = \"bool\""), Summed::Level);
    assert_eq!(summed("type = \"string\", length = 5"), Summed::Not);
    assert_eq!(summed("type = \"u16\", publish = false"), Summed::Not);
}

#[test]
fn every_type_by_its_name() {
    for (name, kind) in Kind::ALL {
        let length = if kind == Kind::Text {
            ", length = 5"
        } else {
            ""
        };
        let expected = Point {
            length: if kind == Kind::Text { 5 } else { 0 },
            ..plain(kind)
        };
        assert_eq!(one_point(&format!("type = \"{name}\"{length}")), expected);
    }
}

#[test]
fn bits_of_registers() {
    let bits = |kind, low, high| Point {
        bits: Bits::new(low, high),
        ..plain(kind)
    };
    let cases = [
        ("type = \"bool\", bit = 0", bits(Kind::Bool, 0, 0)),
        ("type = \"bool\", bit = 0xF", bits(Kind::Bool, 15, 15)),
        ("type = \"u16\", bits = \"4..7\"", bits(Kind::U16, 4, 7)),
        ("type = \"u16\", bits = \"0..15\"", bits(Kind::U16, 0, 15)),
        (
            "type = \"i16\", bits = \" 8 .. 15 \"",
            bits(Kind::I16, 8, 15),
        ),
        ("type = \"u32\", bits = \"31..31\"", bits(Kind::U32, 31, 31)),
        ("type = \"u64\", bits = \"0..63\"", bits(Kind::U64, 0, 63)),
    ];
    for (keys, expected) in cases {
        assert_eq!(one_point(keys), expected, "{keys}");
    }
}

#[test]
fn orders_of_words_registers_and_texts() {
    let cases = [
        (
            "type = \"u32\", order = \"cdab\"",
            Order::Cdab,
            Packing::Pairs,
        ),
        (
            "type = \"f64\", order = \"dcba\"",
            Order::Dcba,
            Packing::Pairs,
        ),
        (
            "type = \"u16\", order = \"ab\"",
            Order::Abcd,
            Packing::Pairs,
        ),
        (
            "type = \"bcd16\", order = \"ba\"",
            Order::Badc,
            Packing::Pairs,
        ),
        (
            "type = \"bool\", bit = 3, order = \"ba\"",
            Order::Badc,
            Packing::Pairs,
        ),
        (
            "type = \"string\", length = 8, order = \"abcd\"",
            Order::Abcd,
            Packing::Pairs,
        ),
        (
            "type = \"string\", length = 8, order = \"badc\"",
            Order::Badc,
            Packing::Pairs,
        ),
        (
            "type = \"string\", length = 8, order = \"ba\"",
            Order::Badc,
            Packing::Pairs,
        ),
        (
            "type = \"string\", length = 8, order = \"a\"",
            Order::Abcd,
            Packing::High,
        ),
        (
            "type = \"string\", length = 125, order = \"b\"",
            Order::Abcd,
            Packing::Low,
        ),
    ];
    for (keys, order, packing) in cases {
        let point = one_point(keys);
        assert_eq!((point.order, point.packing), (order, packing), "{keys}");
    }
    assert_eq!(one_point("type = \"string\", length = 250").width(), 125);
}

#[test]
fn absent_values_as_numbers_or_as_the_bits_of_registers() {
    let cases: [(&str, &[u64]); 8] = [
        ("type = \"u16\", absent = [65535]", &[0xFFFF]),
        (
            "type = \"i16\", absent = [0x8000, 0x7FFF]",
            &[0x8000, 0x7FFF],
        ),
        ("type = \"i16\", absent = [-32768, -1]", &[0x8000, 0xFFFF]),
        ("type = \"i32\", absent = [-2147483648]", &[0x8000_0000]),
        ("type = \"u64\", absent = [0xFFFFFFFFFFFFFFFF]", &[u64::MAX]),
        (
            "type = \"i64\", absent = [-9223372036854775808]",
            &[1 << 63],
        ),
        ("type = \"bcd16\", absent = [0xFFFF]", &[0xFFFF]),
        ("type = \"bool\", bit = 3, absent = [0xFFFF]", &[0xFFFF]),
    ];
    for (keys, expected) in cases {
        assert_eq!(*one_point(keys).absent, *expected, "{keys}");
    }
}

#[test]
fn the_tag_of_a_power_of_ten_is_found_wherever_it_stands() {
    let power = |lines| match &tags(lines)[1].source {
        Source::Modbus(point) => point.power_of_ten,
        Source::Message(_) | Source::Board(_) => None,
    };
    let value = "x = { at = \"holding:1\", type = \"i16\", power_of_ten = \"sf\" }";
    let factor = "sf = { at = \"holding:2\", type = \"i16\", absent = [0x8000] }";
    assert_eq!(power(&format!("{value}\n{factor}")), Some(TagIndex(2)));
    let text = PRESS_LINE
        .replacen("scale = 0.1", "power_of_ten = \"sf\"", 1)
        .replacen(
            "[profile.state]",
            "sf = { at = \"input:13\", type = \"i16\" }\n[profile.state]",
            1,
        )
        .replacen(
            "id = \"press-2\"",
            "id = \"press-2\"\ntags = { sf = { at = \"input:14\", type = \"i16\" } }",
            1,
        );
    let loaded = load_text(&text).unwrap_or_else(|report| panic!("{report}"));
    for (device, address) in [(0, 13), (1, 14)] {
        let model = &loaded.settings.plant.devices[device].model;
        let scaled = &model.tags[usize::from(model.tag("pressure").expect("a pressure").0)];
        let by = scaled.power_of_ten().expect("a power of ten");
        match &model.tags[usize::from(by.0)].source {
            Source::Modbus(point) => assert_eq!(point.address, address, "the device's own"),
            Source::Message(_) | Source::Board(_) => panic!("Modbus"),
        }
    }
}

#[test]
fn counters_of_many_kinds_and_where_they_wrap() {
    let cases = [
        ("type = \"u16\"", Some(65_535)),
        ("type = \"bcd32\"", Some(99_999_999)),
        ("type = \"u32\", bits = \"0..23\"", Some(16_777_215)),
        ("type = \"u32\", wrap = 1_000_000", Some(999_999)),
        ("type = \"u16\", wrap = 65536", Some(65_535)),
        ("type = \"i32\"", None),
    ];
    for (keys, top) in cases {
        let tag = one(&format!("{keys}, role = \"good_count\""));
        assert_eq!(tag.top(), top, "{keys}");
    }
}

#[test]
fn addresses_of_sunspec_are_no_numbers_from_a_manual() {
    let warnings = |first: u16| {
        let with = format!(
            "tags = {{ x = {{ at = \"holding:{first}\", type = \"u16\" }}, \
             y = {{ at = \"holding:40004\", type = \"u16\" }}, "
        );
        let text = LEAST.replacen("tags = { ", &with, 1);
        load_text(&text).unwrap().warnings.len()
    };
    assert_eq!(warnings(40000), 0);
    assert_eq!(warnings(40001), 2, "both are numbers of a manual");
}

/// The detectors of `status` and `x` of a device behind a link, with these lines.
fn detectors(text: &str) -> Vec<Detectors> {
    let loaded = load_text(text).unwrap_or_else(|report| panic!("{report}"));
    loaded.settings.plant.devices[0].detect.to_vec()
}

#[test]
fn the_nearest_word_decides_which_lies_are_looked_for() {
    let with = |of_profile: &str, of_device: &str, of_tag: &str| {
        detectors(&format!(
            "[gateway]\nid = \"gw\"\nsite = \"s\"\narea = \"a\"\n\
             [upstream]\nbroker = \"mqtt://127.0.0.1:1883\"\n\
             [[profile]]\nid = \"p\"\n{of_profile}\n[profile.tags]\n\
             status = {{ at = \"holding:0\", type = \"u16\" }}\n\
             x = {{ at = \"holding:1\", type = \"u16\"{of_tag} }}\n\
             [[device]]\nid = \"d\"\nprofile = \"p\"\nmodbus_tcp = \"10.0.0.1:502\"\n{of_device}\n"
        ))
    };
    let (all, none) = (Detectors::ALL, Detectors::NONE);
    let only = |detector| Detectors::from_iter([detector]);
    assert_eq!(with("", "", ""), [all, all]);
    assert_eq!(with("detect = false", "", ""), [none, none]);
    assert_eq!(with("detect = false", "detect = true", ""), [all, all]);
    let zero = only(Detector::AllZero);
    let list = with("", "detect = false", ", detect = [\"all-zero\"]");
    assert_eq!(list, [none, zero]);
    assert_eq!(with("", "detect = []", ""), [none, none]);
}

#[test]
fn what_is_sent_may_stand_still_and_be_zero() {
    let loaded = load_text(PRESS_LINE).unwrap_or_else(|report| panic!("{report}"));
    for device in &loaded.settings.plant.devices {
        assert_eq!(device.detect.len(), device.model.tags.len());
        for (tag, detectors) in device.model.tags.iter().zip(&*device.detect) {
            let is_asked = matches!(tag.source, Source::Modbus(_));
            let expected = if is_asked {
                Detectors::ALL
            } else {
                Detectors::SENT
            };
            assert_eq!(*detectors, expected, "{} of {}", tag.name, device.id);
        }
    }
}
