//! A mail as it is sent (RFC 5322, RFC 2045, RFC 2047): everything in it is ASCII, whatever it says.

use crate::annunciator::Message;
use crate::base64;
use crate::settings::Mailbox;
use std::fmt::Write as _;

/// Bytes in one encoded word: a line with it and the name of a header has at most 76 letters.
const WORD: usize = 39;

/// Letters of a header that are written as they are.
const PLAIN: usize = 60;

/// Letters in a line of the body.
const LINE: usize = 76;

/// The whole mail, lines ended by CR LF.
pub(super) fn mail(message: &Message, from: &Mailbox, to: &Mailbox) -> String {
    let domain = from.domain();
    let thread = message.about.as_ref();
    let thread = thread.map(|about| format!("<{about}.{}@{domain}>", local(&to.address)));
    let own = match (&thread, message.is_first) {
        (Some(thread), true) => thread.clone(),
        _ => format!("<{}.{}@{domain}>", message.id, local(&to.address)),
    };
    let mut mail = String::new();
    let mut header = |name: &str, value: &str| {
        // Writing to a text cannot fail.
        let _ = write!(mail, "{name}: {value}\r\n");
    };
    header("Date", &date(message.at.0));
    header("From", &mailbox(from));
    header("To", &mailbox(to));
    header("Subject", &words(&message.subject));
    header("Message-ID", &own);
    if let (Some(thread), false) = (&thread, message.is_first) {
        header("In-Reply-To", thread);
        header("References", thread);
    }
    if message.is_urgent {
        header("Importance", "high");
        header("X-Priority", "1");
    }
    // RFC 3834: nothing that answers mail by itself answers this.
    header("Auto-Submitted", "auto-generated");
    header("MIME-Version", "1.0");
    header("Content-Type", "text/plain; charset=utf-8");
    header("Content-Transfer-Encoding", "base64");
    mail += "\r\n";
    let body = message.text.replace('\n', "\r\n") + "\r\n";
    let coded = base64::encode(body.as_bytes());
    let mut rest = coded.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(LINE));
        mail += line;
        mail += "\r\n";
        rest = more;
    }
    mail
}

/// A mailbox as part of a name, so that what several people are told has several names.
fn local(address: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    address.chars().map(plain).collect()
}

/// RFC 5322, §3.3.
fn date(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    let time = time.to_zoned(jiff::tz::TimeZone::UTC);
    let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
    let text = printer.zoned_to_string(&time);
    text.unwrap_or_else(|_| "Thu, 1 Jan 1970 00:00:00 +0000".to_owned())
}

fn mailbox(mailbox: &Mailbox) -> String {
    let address = &mailbox.address;
    match &mailbox.name {
        None => address.to_string(),
        Some(name) if is_plain(name) => {
            let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"{quoted}\" <{address}>")
        }
        Some(name) => format!("{}\r\n <{address}>", words(name)),
    }
}

/// The value of a header that is text.
fn words(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut coded = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if word.len() + c.len_utf8() > WORD {
            coded.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    coded.push(word);
    let word = |word: &String| format!("=?utf-8?B?{}?=", base64::encode(word.as_bytes()));
    let words: Vec<String> = coded.iter().map(word).collect();
    words.join("\r\n ")
}

/// Whether a header may say it as it is, in one line.
fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b' '..=b'~');
    text.len() <= PLAIN && text.bytes().all(plain) && !text.contains("=?")
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::time::Wall;
    use proptest::prelude::*;

    fn mailbox_of(name: Option<&str>, address: &str) -> Mailbox {
        Mailbox {
            name: name.map(Into::into),
            address: address.into(),
        }
    }

    fn message() -> Message {
        Message {
            id: "gw-1.press-1.fault.3.raised".into(),
            about: Some("gw-1.press-1.fault.3".into()),
            is_first: true,
            is_urgent: true,
            subject: "[Andon gw-1] High alarm".into(),
            text: "High alarm\n.\nGateway gw-1".into(),
            fields: serde_json::Map::new(),
            at: Wall(1_790_000_100_000),
        }
    }

    #[test]
    fn a_mail_is_what_the_standards_say() {
        let from = mailbox_of(Some("安灯"), "andon@plant.example");
        let to = mailbox_of(Some("Li \"Lead\""), "li@plant.example");
        assert_eq!(
            mail(&message(), &from, &to),
            "Date: Mon, 21 Sep 2026 14:15:00 +0000\r\n\
             From: =?utf-8?B?5a6J54Gv?=\r\n <andon@plant.example>\r\n\
             To: \"Li \\\"Lead\\\"\" <li@plant.example>\r\n\
             Subject: [Andon gw-1] High alarm\r\n\
             Message-ID: <gw-1.press-1.fault.3.li-plant-example@plant.example>\r\n\
             Importance: high\r\n\
             X-Priority: 1\r\n\
             Auto-Submitted: auto-generated\r\n\
             MIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             Content-Transfer-Encoding: base64\r\n\
             \r\n\
             SGlnaCBhbGFybQ0KLg0KR2F0ZXdheSBndy0xDQo=\r\n"
        );
    }

    #[test]
    fn what_follows_refers_to_the_first() {
        let (from, to) = (
            mailbox_of(None, "andon@plant.example"),
            mailbox_of(None, "li@plant.example"),
        );
        let gone = Message {
            id: "gw-1.press-1.fault.3.returned".into(),
            is_first: false,
            is_urgent: false,
            ..message()
        };
        let gone = mail(&gone, &from, &to);
        let first = "<gw-1.press-1.fault.3.li-plant-example@plant.example>";
        assert!(gone.contains(&format!(
            "\r\nIn-Reply-To: {first}\r\nReferences: {first}\r\n"
        )));
        assert!(gone.contains(
            "\r\nMessage-ID: <gw-1.press-1.fault.3.returned.li-plant-example@plant.example>\r\n"
        ));
        assert!(!gone.contains("Importance"));
    }

    proptest! {
        #[test]
        fn any_text_stays_within_the_lines_and_starts_no_header(subject in "\\PC{0,80}", text in "(\\PC|\n){0,200}") {
            let message = Message { subject, text, ..message() };
            let to = mailbox_of(Some("班长"), "li@plant.example");
            let mail = mail(&message, &to, &to);
            prop_assert!(mail.is_ascii());
            for line in mail.split("\r\n") {
                prop_assert!(line.len() <= 76, "{}", line);
                prop_assert!(!line.contains(['\r', '\n']));
                prop_assert!(!line.starts_with('.'));
            }
            let (head, _) = mail.split_once("\r\n\r\n").unwrap();
            let names = head.split("\r\n").filter(|line| !line.starts_with(' ')).count();
            prop_assert_eq!(names, 11);
        }
    }
}
