use super::gsm7;
use super::number::Number;
use super::receive::{Malformed, Outcome, Part, Received, receive};
use super::submit::{MOST_SEGMENTS, Submit, Unit, segments, submit};
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use proptest::prelude::*;

/// Known answers of other implementations, one in each line: what is sent, and the messages.
const SUBMITTED: &str = include_str!("tests/submit.tsv");

fn units(wanted: &Submit<'_>) -> Vec<Unit> {
    submit(wanted).unwrap()
}

#[test]
fn what_others_send_is_sent() {
    let mut seen = 0;
    for line in SUBMITTED.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [id, number, minutes, report, reference, text, messages @ ..] = &cells[..] else {
            panic!("{line}");
        };
        let to = Number::parse(number).unwrap();
        let sent = units(&Submit {
            to: &to,
            text,
            valid_min: minutes.parse().ok(),
            report: *report == "report",
            reference: reference.parse().unwrap(),
        });
        let hex: Vec<&str> = sent.iter().map(|unit| unit.hex.as_str()).collect();
        assert_eq!(hex, messages, "{id}");
        assert!(
            sent.iter()
                .all(|unit| unit.length == unit.hex.len() / 2 - 1),
            "{id}"
        );
        assert_eq!(segments(text).0, messages.len(), "{id}");
        seen += 1;
    }
    assert_eq!(seen, 11);
}

#[test]
fn septets_are_packed_as_others_do() {
    for (text, count, hex) in [
        ("12345678", 8, "31D98C56B3DD70"),
        ("123456789", 9, "31D98C56B3DD7039"),
        ("[10€]", 8, "1B5E0CB6296F7C"),
        ("[{abc}]~", 13, "1BDE0615168F37A98D6FD303"),
        ("{åΦΓΛΩΠΨΣΘ€}", 15, "1BD44332A1542C174C6653DEA400"),
    ] {
        let septets = gsm7::encode(text).unwrap();
        assert_eq!(septets.len(), count, "{text}");
        let mut packed = gsm7::pack(&septets, 0);
        // Fourteen octets are one more than fifteen septets and a half need.
        packed.resize(hex.len() / 2, 0);
        let digits: String = packed
            .iter()
            .map(|octet| alloc::format!("{octet:02X}"))
            .collect();
        assert_eq!(digits, hex, "{text}");
        assert_eq!(gsm7::unpack(&packed, count, 0).unwrap(), septets, "{text}");
        assert_eq!(gsm7::decode(&septets), text);
    }
}

fn message(hex: &str) -> (String, String, Option<Part>) {
    match receive(hex).unwrap() {
        Received::Message(message) => (message.from, message.text, message.part),
        Received::Report(report) => panic!("{report:?}"),
    }
}

#[test]
fn messages_of_modems_are_read() {
    let chinese = "07914306073011F0040B914316709807F2000880604290224080084E2D5174901A8BAF";
    assert_eq!(
        message(chinese),
        ("+34610789702".into(), "中兴通讯".into(), None)
    );
    let extended = "06917228195339040B917228214365F70000313062315352800A800D8A5E98D337A910";
    assert_eq!(
        message(extended),
        ("+27821234567".into(), "@{tést}!".into(), None)
    );
}

#[test]
fn the_time_of_a_message_is_that_of_its_service_centre() {
    // 2007-04-12 23:25:42, 8 h west of Greenwich.
    let hex = "00040B917228214365F700007040213252242B00";
    let Ok(Received::Message(message)) = receive(hex) else {
        panic!();
    };
    assert_eq!(message.at.unwrap().to_string(), "2007-04-12T23:25:42");
    assert_eq!(message.offset.unwrap().seconds(), -8 * 3600);
}

#[test]
fn a_report_says_what_became_of_a_message() {
    let hex = "0006D60B911326880736F4111011719551401110117195714000";
    let Ok(Received::Report(report)) = receive(hex) else {
        panic!();
    };
    assert_eq!(
        (report.reference, report.outcome),
        (214, Outcome::Delivered)
    );
    assert_eq!(report.to, "+31628870634");
}

#[test]
fn damaged_messages_are_refused() {
    // A length beyond the end, a message to be sent, half an octet, letters.
    let lies = "0041010C910661345542F60008A0050003000301306F3044";
    assert_eq!(receive(lies), Err(Malformed::Type));
    assert_eq!(
        receive("00040B917228214365F7000831306231535280A0306F"),
        Err(Malformed::Short)
    );
    assert_eq!(receive("000"), Err(Malformed::NotHex));
    assert_eq!(receive("00xx"), Err(Malformed::NotHex));
    assert_eq!(receive(""), Err(Malformed::Short));
}

#[test]
fn numbers_are_read_as_people_write_them() {
    let shown = |text: &str| Number::parse(text).map(|number| number.to_string());
    assert_eq!(
        shown("+86 138-0013-8000").as_deref(),
        Some("+8613800138000")
    );
    assert_eq!(shown("（86）138"), None);
    assert_eq!(shown("10086").as_deref(), Some("10086"));
    assert_eq!(shown("+"), None);
    assert_eq!(shown("+1234567890123456"), None);
    assert_eq!(shown("++86138"), None);
}

#[test]
fn only_what_then_fits_the_alphabet_is_written_in_it() {
    assert_eq!(
        gsm7::transliterated("oil 82.5 °C ≥ 75 µm²"),
        "oil 82.5 degC >= 75 um2"
    );
    // The rest is Chinese: nothing is won.
    assert_eq!(gsm7::transliterated("油温 82.5 °C"), "油温 82.5 °C");
}

#[test]
fn too_long_a_text_is_refused() {
    let to = Number::parse("+8613800138000").unwrap();
    let wanted = |text| Submit {
        to: &to,
        text,
        valid_min: None,
        report: false,
        reference: 1,
    };
    let most = "x".repeat(153 * MOST_SEGMENTS);
    assert_eq!(units(&wanted(&most)).len(), MOST_SEGMENTS);
    let more = "x".repeat(153 * MOST_SEGMENTS + 1);
    assert_eq!(submit(&wanted(&more)), None);
}

/// What is sent, read as a phone would: the message with the fields of one that is delivered.
fn delivered(unit: &Unit, digits: usize) -> (String, Option<Part>) {
    let octets: Vec<u8> = (0..unit.hex.len() / 2)
        .map(|at| u8::from_str_radix(&unit.hex[at * 2..at * 2 + 2], 16).unwrap())
        .collect();
    let address = 3..5 + digits.div_ceil(2);
    let mut as_read = alloc::vec![0x00, octets[1] & 0x40];
    as_read.extend(&octets[address.clone()]);
    as_read.extend(&octets[address.end..address.end + 2]);
    as_read.extend([0x62, 0x11, 0x42, 0x80, 0x00, 0x00, 0x23]);
    as_read.extend(&octets[address.end + 2..]);
    let hex: String = as_read
        .iter()
        .map(|octet| alloc::format!("{octet:02X}"))
        .collect();
    let (_, text, part) = message(&hex);
    (text, part)
}

proptest! {
    #[test]
    fn every_text_arrives_whole_and_in_order(
        text in prop_oneof!["[a-zA-Z0-9 {}€~^°é]{0,700}", "[a-z警报😀一二三]{0,300}", "\\PC{0,200}"],
        reference: u8,
    ) {
        let to = Number::parse("+8613800138000").unwrap();
        let wanted = Submit { to: &to, text: &text, valid_min: None, report: true, reference };
        let Some(units) = submit(&wanted) else {
            prop_assert!(segments(&text).0 > MOST_SEGMENTS);
            return Ok(());
        };
        let mut whole = String::new();
        for (index, unit) in units.iter().enumerate() {
            // 140 octets of user data behind a head of fourteen.
            prop_assert!(unit.length <= 140 + 14);
            let (text, part) = delivered(unit, 13);
            whole.push_str(&text);
            let expected = (units.len() > 1).then_some(Part {
                reference: reference.into(),
                index: index as u8 + 1,
                of: units.len() as u8,
            });
            prop_assert_eq!(part, expected);
        }
        prop_assert_eq!(whole, text);
    }

    #[test]
    fn nothing_that_a_modem_says_does_harm(hex in "[0-9A-F]{0,400}", any in "\\PC{0,60}") {
        let _ = receive(&hex);
        let _ = receive(&any);
    }
}
