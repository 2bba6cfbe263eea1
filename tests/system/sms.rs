//! `andon sms test` with a modem on a serial port.

use andon_tests::Outcome;
use andon_tests::agent::andon;
use andon_tests::modem::Modem;
use andon_tests::scenario::Scenario;
use serde_json::Value;

const CONFIG: &str = r#"
[gateway]
id = "gw-press-1"
site = "suzhou"
area = "press-shop"
data_dir = "."

[upstream]
broker = "mqtt://127.0.0.1:1883"

[[link]]
id = "plc"
modbus_tcp = "127.0.0.1:5020"

[[device]]
id = "press-1"
link = "plc"
tags = { status = { at = "holding:0", type = "u16" } }

[[sms.person]]
name = "Duty technician"
number = "+8613800000001"

[sms]
"#;

/// Runs the test; its exit status, what it prints, and what it complains of.
fn test(scenario: &Scenario, modem: &str, keys: &str) -> Outcome<(Option<i32>, String, String)> {
    scenario.write(
        "andon.toml",
        &format!("{CONFIG}modem = {modem:?}\n{keys}\n"),
    )?;
    let wanted = ["sms", "test", "+86 139-1234-5678", "--wait", "30 s"];
    let output = andon(&wanted, &scenario.path(""))?;
    Ok((
        output.status.code(),
        String::from_utf8(output.stdout)?,
        String::from_utf8(output.stderr)?,
    ))
}

fn sent(modem: &Modem) -> Outcome<Vec<String>> {
    let told = modem.told()?;
    let units = told.iter().filter_map(|what| what["pdu"].as_str());
    Ok(units.map(str::to_owned).collect())
}

#[test]
fn a_message_goes_out_and_its_delivery_is_told() -> Outcome {
    let scenario = Scenario::new("sms")?;
    // It answers in the middle of other things, and finds its network late.
    let modem = Modem::new(&scenario, &["--chatty", "--registered-after=3"])?;
    let (status, said, complaint) = test(&scenario, modem.port(), "")?;
    assert_eq!((status, complaint.as_str()), (Some(0), ""), "{said}");
    assert!(
        said.contains("Quectel EC25, signal -71 dBm, home network"),
        "{said}"
    );
    assert!(said.contains("\ndelivered  after "), "{said}");
    // To +8613912345678, in UCS-2, with a report, as 3GPP TS 23.040 lays it out.
    let text = "【安灯测试】gw-press-1 短信正常，无需处理。Andon test only.";
    let coded: String = text
        .encode_utf16()
        .map(|unit| format!("{unit:04X}"))
        .collect();
    let head = format!("0031000D91683119325476F800080B{:02X}", coded.len() / 2);
    assert_eq!(sent(&modem)?, [format!("{head}{coded}")]);
    Ok(())
}

#[test]
fn what_keeps_a_message_back_is_said_in_words() -> Outcome {
    let scenario = Scenario::new("sms_refused")?;
    let modem = Modem::new(&scenario, &["--refuse=50"])?;
    let (status, _, complaint) = test(&scenario, modem.port(), "")?;
    assert_eq!(status, Some(1));
    assert!(
        complaint.contains("the contract of this SIM card has no text messages"),
        "{complaint}"
    );
    drop(modem);

    let modem = Modem::new(&scenario, &["--status=70"])?;
    let (status, _, complaint) = test(&scenario, modem.port(), "")?;
    assert_eq!(status, Some(1));
    assert!(
        complaint.contains("cannot deliver it to +8613912345678"),
        "{complaint}"
    );
    drop(modem);

    let (status, _, complaint) = test(&scenario, "/dev/serial/by-id/usb-nothing", "")?;
    assert_eq!(status, Some(1));
    assert!(
        complaint.contains("is not there: is the modem plugged in"),
        "{complaint}"
    );

    let modem = Modem::new(&scenario, &["--state=3"])?;
    let (status, _, complaint) = test(&scenario, modem.port(), "")?;
    assert_eq!(status, Some(1));
    assert!(
        complaint.contains("the network refuses this SIM card"),
        "{complaint}"
    );
    assert_eq!(sent(&modem)?, [""; 0]);
    Ok(())
}

#[test]
fn a_wrong_pin_is_given_once_in_the_life_of_a_card() -> Outcome {
    let scenario = Scenario::new("sms_pin")?;
    let modem = Modem::new(&scenario, &["--pin=1234"])?;
    let given = || -> Outcome<usize> {
        let told = modem.told()?;
        Ok(told
            .iter()
            .filter(|what| what["pin_given"] != Value::Null)
            .count())
    };
    let (status, _, complaint) = test(&scenario, modem.port(), "")?;
    assert_eq!((status, given()?), (Some(1), 0), "{complaint}");
    assert!(complaint.contains("set `pin_file`"), "{complaint}");

    scenario.write("pin", "4321\n")?;
    for _ in 0..3 {
        let (status, _, complaint) = test(&scenario, modem.port(), "pin_file = \"pin\"")?;
        assert_eq!((status, given()?), (Some(1), 1), "{complaint}");
        assert!(complaint.contains("has refused the PIN"), "{complaint}");
    }

    scenario.write("pin", "1234\n")?;
    std::fs::remove_file(scenario.path("sim-pin-refused"))?;
    let (status, said, complaint) = test(&scenario, modem.port(), "pin_file = \"pin\"")?;
    assert_eq!((status, given()?), (Some(0), 2), "{complaint}");
    assert!(said.contains("delivered"), "{said}");
    Ok(())
}
