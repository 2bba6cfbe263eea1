//! `[board]`: its port, the tags that its inputs are, and its buttons.

use super::*;
use andon_core::call::Call;
use andon_core::plant::{Means, Model, States};
use andon_core::tag::Pin;
use std::collections::BTreeMap;

const BOARD: &str = "[board]                           # the microcontroller I/O board\n";

/// The shipped file with more keys in `[board]`, and more sections.
fn with(keys: &str, sections: &str) -> String {
    assert!(PRESS_LINE.contains(BOARD), "no [board] in the example");
    let text = PRESS_LINE.replacen(BOARD, &format!("{BOARD}{keys}\n"), 1);
    format!("{text}\n{sections}")
}

#[track_caller]
fn loaded(keys: &str, sections: &str) -> Settings {
    let loaded = load_text(&with(keys, sections));
    loaded.unwrap_or_else(|report| panic!("{report}")).settings
}

#[track_caller]
fn refused(text: &str) -> Vec<(String, String)> {
    let report = load_text(text).expect_err("a mistake");
    let entries = report.entries();
    entries
        .map(|entry| {
            (
                entry.message.to_owned(),
                entry.hint.unwrap_or("").to_owned(),
            )
        })
        .collect()
}

fn sources(model: &Model) -> BTreeMap<&str, &Source> {
    let tags = model.tags.iter();
    tags.map(|tag| (&*tag.name, &tag.source)).collect()
}

const PACKER: &str = r#"
[[device]]
id = "packer"
link = "board"

[device.tags]
runs = { at = "board:input3" }
good = { at = "board:count0", role = "good_count" }

[device.state]
from = "runs"
producing = [true]
idle = [false]
"#;

#[test]
fn a_machine_may_be_read_by_the_board_alone() {
    let settings = loaded("", PACKER);
    let board = settings.links.last().unwrap();
    let LinkKind::Board(port) = &board.kind else {
        panic!("the last link is the board");
    };
    assert!(port.optional && port.port.starts_with("/dev/serial/by-id"));
    let packer = settings.plant.devices.last().unwrap();
    assert_eq!(settings.links[usize::from(packer.link.0)].id, board.id);
    assert_eq!((packer.model.every_ms, packer.stale_after_ms), (1000, 3000));
    let sources = sources(&packer.model);
    assert_eq!(sources["runs"], &Source::Board(Pin::Level(3)));
    assert_eq!(sources["good"], &Source::Board(Pin::Count(0)));
    assert_eq!(packer.model.tags[0].kind(), Kind::Bool);
    assert!(matches!(packer.model.state, Some(States::Status(_))));
}

#[test]
fn a_machine_of_another_link_may_be_counted_by_the_board() {
    let counted = r#"
[[device]]
id = "cell-9"
link = "plc"
unit = 9
tags = { status = { at = "holding:0", type = "u16" }, good = { at = "board:count2", role = "good_count", parts = 4 } }
"#;
    let settings = loaded("", counted);
    let press = settings.plant.devices.last().unwrap();
    assert_eq!(sources(&press.model)["good"], &Source::Board(Pin::Count(2)));
    assert_eq!(press.model.tags[1].role.unwrap().parts, 4);
}

#[test]
fn what_the_board_does_not_have_is_told() {
    for (tag, what, hint) in [
        (
            "{ at = \"board:count4\" }",
            "the board has no `count4`",
            "board:count3",
        ),
        (
            "{ at = \"board:cuont0\" }",
            "the board has no `cuont0`",
            "board:input0",
        ),
        (
            "{ at = \"board:count0\", type = \"u16\" }",
            "a count of the board is a `u64`",
            "leave `type` out",
        ),
        (
            "{ at = \"board:input0\", type = \"u16\" }",
            "an input of the board is a `bool`: on or off",
            "leave `type` out",
        ),
        (
            "{ at = \"holding:0\", type = \"u16\" }",
            "tag `x` of `packer` is not an input of the board",
            "board:count0",
        ),
    ] {
        let text = with(
            "",
            &format!("[[device]]\nid = \"packer\"\nlink = \"board\"\ntags = {{ x = {tag} }}\n"),
        );
        let told = refused(&text);
        assert!(
            told.iter()
                .any(|(is, then)| is == what && then.contains(hint)),
            "{tag}: {told:?}"
        );
    }
}

#[test]
fn a_board_that_is_not_configured_is_missed() {
    let text = without_board(&format!("{PRESS_LINE}{PACKER}"));
    let text = text.replacen("link = \"board\"", "link = \"plc\"", 1);
    let told = refused(&text);
    let missed = "`packer` has tags of the I/O board, and there is no [board]";
    assert!(told.iter().any(|(what, _)| what == missed), "{told:?}");
}

fn without_board(text: &str) -> String {
    let (head, rest) = text.split_once("[board]").unwrap();
    let (_, rest) = rest.split_once("[sms]").unwrap();
    format!("{head}[sms]{rest}")
}

#[test]
fn a_link_of_the_same_name_is_told_apart() {
    let link = "[[link]]\nid = \"board\"\nmodbus_tcp = \"10.0.0.9\"\n";
    let told = refused(&with("", link));
    assert_eq!(told[0].0, "`board` is the link of the I/O board");
}

#[test]
fn buttons_say_why_machines_stand() {
    let keys = "reason1 = { stop = \"no-material\", devices = [\"press-*\"] }\n\
                reason3 = { stop = \"tool\", en = \"tool worn\", zh = \"刀具磨损\", devices = [\"press-1\", \"oven-7\"] }";
    let settings = loaded(keys, "");
    let [Some(first), None, Some(third)] = &settings.plant.buttons else {
        panic!("{:?}", settings.plant.buttons);
    };
    let said = |button: &andon_core::plant::ReasonButton| {
        let Means::Stop(reason) = &button.means else {
            panic!("a call");
        };
        let ids = button.devices.iter();
        let ids = ids.map(|device| settings.plant.device(*device).id.to_string());
        (
            [&*reason.id, &*reason.en, &*reason.zh].map(str::to_owned),
            ids.collect::<Vec<_>>(),
        )
    };
    let owned = |texts: [&str; 3]| texts.map(str::to_owned);
    assert_eq!(
        said(first),
        (
            owned(["no-material", "no material", "缺料"]),
            vec!["press-1".to_owned(), "press-2".to_owned()]
        )
    );
    assert_eq!(said(third).0, owned(["tool", "tool worn", "刀具磨损"]));
}

#[test]
fn a_button_may_call_from_machines_without_a_state_too() {
    let keys = "reason2 = { call = \"maintenance\", devices = [\"*\"] }";
    let settings = loaded(keys, "");
    let button = settings.plant.buttons[1].as_ref().unwrap();
    assert_eq!(button.means, Means::Call(Call::Maintenance));
    assert_eq!(button.devices.len(), settings.plant.devices.len());
}

#[test]
fn a_board_that_is_lost_has_one_alarm_of_the_name_that_everybody_knows() {
    let settings = loaded("", "");
    let ids = settings.plant.alarms.iter().map(|alarm| &*alarm.id);
    let of_board: Vec<&str> = ids.filter(|id| id.contains("board")).collect();
    assert_eq!(of_board, ["board-lost"]);
}

#[test]
fn a_button_that_means_nothing_is_told() {
    for (button, what) in [
        (
            "{ devices = [\"*\"] }",
            "this does not say what the button means",
        ),
        (
            "{ stop = \"breakdown\", call = \"quality\", devices = [\"*\"] }",
            "a button either says why machines stand or calls somebody",
        ),
        (
            "{ call = \"quality\", en = \"look\", devices = [\"*\"] }",
            "a call has its texts already",
        ),
        (
            "{ stop = \"tool\", devices = [\"*\"] }",
            "what does `tool` mean to people?",
        ),
        (
            "{ stop = \"breakdown\", devices = [\"pres-1\"] }",
            "no device matches `pres-1`",
        ),
        (
            "{ stop = \"breakdown\", devices = [\"meter-1\"] }",
            "`meter-1` has no state that could have a reason",
        ),
    ] {
        let told = refused(&with(&format!("reason2 = {button}"), ""));
        assert!(told.iter().any(|(is, _)| is == what), "{button}: {told:?}");
    }
}
