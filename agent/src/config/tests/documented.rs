//! The reference in `agent/docs/configuration.md` has every key, and no other.

use super::*;
use std::collections::BTreeSet;

const DOCS: &str = include_str!("../../../docs/configuration.md");

/// No key is near to it, so the mistake about it lists those that are known.
const UNKNOWN: &str = "zzzzzzzzzzzz";

/// Headings and table captions, and where in the example an unknown key must be put to be told
/// the keys described below them.
const PLACES: [(&[&str], &str); 18] = [
    (&["## `[gateway]`"], "[gateway]\n"),
    (&["## `[upstream]`"], "[upstream]\n"),
    (&["## `[[shift]]`"], "[[shift]]\n"),
    (&["## `[calendar]`"], "[calendar]\n"),
    (&["## `[[link]]`", "With `modbus_tcp`:"], "[[link]]\n"),
    (&["## `[[link]]`", "With `modbus_rtu`:"], "baud = 19200\n"),
    (
        &["## `[[link]]`", "With `mqtt`:"],
        "[[link]]\nid = \"shop\"\n",
    ),
    (&["## `[[profile]]`"], "[[profile]]\n"),
    (&["## `[[profile]]`", "## `[[device]]`"], "[[device]]\n"),
    (&["A tag that is read by Modbus:"], "status = { "),
    (
        &[
            "A tag that comes by a message",
            "A tag behind a link with `http_get`",
        ],
        "mode = { ",
    ),
    (
        &["## State"],
        "[profile.state]                   # first match wins; no match is `unknown`\n",
    ),
    (&["## `[[alarm]]`"], "[[alarm]]\n"),
    (&["## `[http]`"], "[http]\n"),
    (
        &["## `[board]`"],
        "[board]                           # the microcontroller I/O board\n",
    ),
    (&["## `[horn]`"], "[horn]\n"),
    (&["### `[sms]`"], "[sms]\n"),
    (&["### `[[sms.person]]`"], "[[sms.person]]\n"),
];

#[test]
fn every_key_is_documented() {
    for (headings, after) in PLACES {
        let mut documented: BTreeSet<&str> = headings.iter().flat_map(|h| table(h)).collect();
        if after.starts_with("status") {
            documented.extend(["topic", "path"]);
        }
        if after.starts_with("mode") {
            let common = [
                "scale", "offset", "unit", "range", "every", "role", "parts", "wrap", "counter",
                "publish", "detect",
            ];
            documented.extend(common);
        }
        assert_eq!(
            documented,
            keys_after(after).iter().map(String::as_str).collect(),
            "{headings:?}"
        );
    }
}

/// The keys of the first table below a heading.
fn table(heading: &str) -> Vec<&'static str> {
    let (_, below) = DOCS
        .split_once(heading)
        .unwrap_or_else(|| panic!("no {heading}"));
    let rows = below.lines().skip_while(|line| !line.starts_with("| key"));
    rows.take_while(|line| line.starts_with('|'))
        .filter_map(|row| row.strip_prefix("| `")?.split('`').next())
        .collect()
}

/// The keys that the mistake about an unknown key lists.
fn keys_after(after: &str) -> Vec<String> {
    let put = if after.ends_with('\n') {
        "= 1\n"
    } else {
        "= 1, "
    };
    assert!(PRESS_LINE.contains(after), "not in the example: {after}");
    let text = PRESS_LINE.replacen(after, &format!("{after}{UNKNOWN} {put}"), 1);
    let report = load_text(&text).expect_err("an unknown key");
    let hints: Vec<String> = report
        .entries()
        .filter_map(|entry| entry.hint?.strip_prefix("known here: ").map(str::to_owned))
        .collect();
    let [hint] = hints.as_slice() else {
        panic!("expected one list of keys\n{report}");
    };
    hint.split(", ").map(str::to_owned).collect()
}

#[test]
fn a_device_may_say_of_its_line_what_a_link_may() {
    let of_a_link = table("With `modbus_rtu`").into_iter();
    let of_a_link: BTreeSet<&str> = of_a_link.filter(|key| *key != "timeout").collect();
    assert_eq!(of_a_link, BTreeSet::from(addresses::SERIAL));
}
