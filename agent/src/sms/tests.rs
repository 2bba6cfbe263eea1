//! A modem by a script: what it must be told, and what it says to that. Time is paused.

use super::at::{AtError, Channel, Unasked};
use super::codes::{Class, Code};
use super::modem::{Modem, Sent, Setup, Trouble};
use andon_core::sms::receive::Outcome;
use andon_core::sms::submit::Unit;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::Instant;

const SOON: Duration = Duration::from_secs(5);

/// Commands in their order with what follows each; gives what else it was told.
fn scripted(
    script: impl Into<Vec<(&'static str, &'static str)>>,
) -> (DuplexStream, JoinHandle<String>) {
    let script = script.into();
    let (near, mut far) = duplex(4096);
    let modem = tokio::spawn(async move {
        let mut heard = String::new();
        let mut rest = script.iter().peekable();
        let mut chunk = [0; 256];
        while let Ok(read @ 1..) = far.read(&mut chunk).await {
            heard.push_str(&String::from_utf8_lossy(&chunk[..read]));
            while let Some((command, answer)) = rest.peek()
                && let Some(at) = heard.find(command)
            {
                heard.replace_range(..at + command.len(), "");
                let _ = far.write_all(answer.as_bytes()).await;
                rest.next();
            }
        }
        heard
    });
    (near, modem)
}

#[tokio::test(start_paused = true)]
async fn lines_are_told_from_echo_and_from_what_is_said_unasked() {
    let (port, _modem) = scripted([(
        "AT+CSQ\r",
        "AT+CSQ\r\r\n+CREG: 1\r\n\r\n^RSSI:9\r\n+CMTI: \"ME\",3\r\n+CDS: 2\r\n00AB\r\n+CSQ: 21,99\r\n\r\nOK\r\n",
    )]);
    let mut channel = Channel::new(port);
    assert_eq!(
        channel.command("AT+CSQ", SOON).await.unwrap(),
        ["+CSQ: 21,99"]
    );
    let stored = Unasked::Stored {
        memory: "ME".into(),
        index: Some(3),
    };
    assert_eq!(channel.hear(Instant::now() + SOON).await.unwrap(), stored);
    let unit = Unasked::Unit("00AB".into());
    assert_eq!(channel.hear(Instant::now() + SOON).await.unwrap(), unit);
    let nothing = channel.hear(Instant::now() + SOON).await;
    assert!(matches!(nothing, Err(AtError::Silent)));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_asked_for_is_no_noise() {
    let (port, _modem) = scripted([("AT+CREG?\r", "\r\n+CREG: 0,5\r\n\r\nOK\r\n")]);
    let lines = Channel::new(port).command("AT+CREG?", SOON).await;
    assert_eq!(lines.unwrap(), ["+CREG: 0,5"]);
}

fn unit() -> Unit {
    Unit {
        hex: "0001000B".into(),
        length: 3,
    }
}

#[tokio::test(start_paused = true)]
async fn the_text_is_said_when_it_is_asked_for() {
    let (port, modem) = scripted([
        ("AT+CMGS=3\r", "AT+CMGS=3\r\r\n+CMTI: \"SM\",1\r\n\r\n> "),
        ("0001000B\x1a", "\r\n+CMGS: 171\r\n\r\nOK\r\n"),
    ]);
    let mut told = Modem::new(port);
    assert_eq!(told.send(&unit()).await.unwrap(), Sent { reference: 171 });
    drop(told);
    assert_eq!(modem.await.unwrap(), "");
}

/// The report of the message before comes with the request for this one, in one piece.
#[tokio::test(start_paused = true)]
async fn what_is_said_right_after_the_request_for_a_text_hides_it_not() {
    let (port, modem) = scripted([
        ("AT+CMGS=3\r", "\r\n> \r\n+CDS: 2\r\n00AB\r\n"),
        ("0001000B\x1a", "\r\n+CMGS: 172\r\n\r\nOK\r\n"),
    ]);
    let mut told = Modem::new(port);
    assert_eq!(told.send(&unit()).await.unwrap(), Sent { reference: 172 });
    let unit = Unasked::Unit("00AB".into());
    assert_eq!(told.hear(Instant::now() + SOON).await.unwrap(), unit);
    drop(told);
    assert_eq!(modem.await.unwrap(), "");
}

#[tokio::test(start_paused = true)]
async fn a_text_that_nobody_asks_for_is_not_said() {
    let (port, modem) = scripted([("AT+CMGS=3\r", "\r\n+CMS ERROR: 331\r\n")]);
    let mut told = Modem::new(port);
    let refused = told.send(&unit()).await.unwrap_err();
    assert!(
        matches!(&refused, Trouble::At(_, AtError::Code(code)) if code.class() == Class::Later),
        "{refused}"
    );
    drop(told);
    assert_eq!(modem.await.unwrap(), "");
}

#[tokio::test(start_paused = true)]
async fn a_message_without_answer_is_uncertain_and_the_modem_is_freed() {
    let (port, modem) = scripted([
        ("AT+CMGS=3\r", "\r\n> "),
        ("0001000B\x1a", ""),
        ("\x1b\rAT\r", "\r\nOK\r\n"),
    ]);
    let mut told = Modem::new(port);
    let sent = told.send(&unit()).await;
    assert!(matches!(sent, Err(Trouble::Uncertain)));
    drop(told);
    assert_eq!(modem.await.unwrap(), "");
}

#[tokio::test(start_paused = true)]
async fn a_report_in_a_memory_is_fetched_and_deleted() {
    let (port, modem) = scripted([
        ("AT\r", "\r\nOK\r\n+CDSI: \"SR\",4\r\n"),
        (
            "AT+CPMS=\"SR\"\r",
            "\r\n+CPMS: 1,25,1,25,1,25\r\n\r\nOK\r\n",
        ),
        (
            "AT+CMGR=4\r",
            "\r\n+CMGR: 0,,25\r\n0006D60B911326880736F4111011719551401110117195714046\r\n\r\nOK\r\n",
        ),
        ("AT+CMGD=4\r", "\r\nOK\r\n"),
    ]);
    let mut channel = Channel::new(port);
    channel.command("AT", SOON).await.unwrap();
    let mut told = Modem::over(channel);
    let report = told.report(Sent { reference: 214 }, SOON).await.unwrap();
    assert_eq!(report.outcome, Outcome::Failed(0x46));
    drop(told);
    assert_eq!(modem.await.unwrap(), "");
}

const TO_THE_PIN: &[(&str, &str)] = &[
    ("\x1b\rAT\r", "\r\nOK\r\n"),
    ("ATE0\r", "\r\nOK\r\n"),
    ("AT+CMEE=1\r", "\r\nOK\r\n"),
    ("AT+CGMI\r", "\r\nSIMCOM\r\n\r\nOK\r\n"),
    ("AT+CGMM\r", "\r\nSIM7600E\r\n\r\nOK\r\n"),
    ("AT+CPIN?\r", "\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n"),
];

const WRONG_PIN: (&str, &str) = ("AT+CPIN=\"1234\"\r", "\r\n+CME ERROR: 16\r\n");

#[tokio::test(start_paused = true)]
async fn a_pin_is_given_once_and_never_again() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup {
        pin: Some("1234".into()),
        refused: Some(folder.path().join("sim-pin-refused")),
        network: SOON,
        ..Setup::default()
    };
    for last in [&[WRONG_PIN][..], &[]] {
        let (port, modem) = scripted([TO_THE_PIN, last].concat());
        let mut told = Modem::new(port);
        let refused = told.start(&setup).await.unwrap_err();
        assert!(matches!(refused, Trouble::PinRefused(Some(_))), "{refused}");
        drop(told);
        assert_eq!(modem.await.unwrap(), "");
        assert!(folder.path().join("sim-pin-refused").exists());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_modem_is_told_soon() {
    let (port, _modem) = scripted([]);
    let error = Modem::new(port).start(&Setup::default()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "it is no modem, or it is switched off: the modem does not answer"
    );
}

#[test]
fn errors_are_told_in_words_with_their_number() {
    let told = |line: &str| Code::of(line).unwrap().to_string();
    assert_eq!(
        told("+CMS ERROR: 331"),
        "there is no network: look at the antenna (+CMS ERROR: 331)"
    );
    assert_eq!(told("+CMS ERROR: 4711"), "+CMS ERROR: 4711");
    assert_eq!(told("ERROR"), "the modem says ERROR");
    assert_eq!(Code::of("+CMGS: 1"), None);
}
