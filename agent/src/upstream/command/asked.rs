//! The payload of a command: what is asked for, by whom, and whether they may.

use crate::run::Wanted;
use crate::tokens::are_same;
use andon_core::alarm::{Act, Verb, Via};
use andon_core::engine::Command;
use andon_core::time::Wall;
use ring::hmac;
use serde::Deserialize;

/// Bytes of a payload.
pub const LARGEST: usize = 4096;

/// Bytes of an id, which has two names of 40 in it at most.
const LONGEST_ID: usize = 128;

/// Bytes of a nonce.
pub const LONGEST_NONCE: usize = 64;

/// A token that begins with this is a signature.
const SIGNED: &str = "sha256=";

/// What is signed begins with this line.
const KIND: &str = "andon-command-1";

/// What a payload asks for. Keys that are not here are passed over: commands may get more of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Asked {
    /// Which alarm.
    pub id: Option<String>,
    /// Which of its occurrences.
    pub occurrence: Option<u64>,
    /// Who asks.
    pub by: Option<String>,
    /// Why.
    pub why: Option<String>,
    /// For how many milliseconds it is to be shelved.
    pub for_ms: Option<u64>,
    /// The secret itself, or `sha256=` and the signature.
    pub token: Option<String>,
    /// What no other command says.
    pub nonce: String,
    /// When it was sent.
    pub ts: Wall,
}

impl Asked {
    /// Reads a payload; why it is no command.
    pub fn read(payload: &[u8]) -> Result<Asked, String> {
        if payload.len() > LARGEST {
            return Err(format!("the payload is larger than {} KiB", LARGEST / 1024));
        }
        if payload.trim_ascii_start().first() != Some(&b'{') {
            return Err("the payload is no JSON object".into());
        }
        let asked: Asked = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
        if asked.nonce.is_empty() || asked.nonce.len() > LONGEST_NONCE {
            return Err(format!("`nonce` has 1 to {LONGEST_NONCE} bytes"));
        }
        if asked.id.as_ref().is_some_and(|id| id.len() > LONGEST_ID) {
            return Err(format!("`id` has at most {LONGEST_ID} bytes"));
        }
        let texts = [&asked.id, &asked.by, &asked.why, &Some(asked.nonce.clone())];
        let has_control = |text: &String| text.contains(char::is_control);
        // Else what is signed could be read in two ways.
        if texts.into_iter().flatten().any(has_control) {
            return Err("`id`, `by`, `why` and `nonce` are one line of text each".into());
        }
        Ok(asked)
    }

    /// What is signed: one line for each of these, empty where there is nothing, without a line end
    /// after the last.
    pub fn signed(&self, topic: &str) -> String {
        let number = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        [
            KIND.to_owned(),
            topic.to_owned(),
            text(&self.id),
            number(self.occurrence),
            text(&self.by),
            text(&self.why),
            number(self.for_ms),
            self.nonce.clone(),
            self.ts.0.to_string(),
        ]
        .join("\n")
    }

    /// Whether whoever sent it to `topic` has the secret.
    pub(super) fn authorise(
        &self,
        topic: &str,
        secret: &str,
        only_signed: bool,
    ) -> Result<(), &'static str> {
        let token = self.token.as_deref().ok_or("there is no token")?;
        if let Some(digits) = token.strip_prefix(SIGNED) {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            let signature =
                bytes(digits).ok_or("the signature has other than hexadecimal digits")?;
            return hmac::verify(&key, self.signed(topic).as_bytes(), &signature)
                .map_err(|_| "the signature is wrong");
        }
        if only_signed {
            return Err("it is not signed");
        }
        are_same(secret, token)
            .then_some(())
            .ok_or("the token is wrong")
    }

    /// What is to be done when this comes as `command`; why nothing is. Nothing else than these five
    /// can be commanded.
    pub fn wanted(&self, command: &str) -> Result<Wanted, String> {
        let by = self.by.as_deref().filter(|by| !by.trim().is_empty());
        let act = Act {
            by: Some(by.ok_or("who wishes it? give a name as `by`")?.into()),
            via: Via::Mqtt,
            why: self.why.as_deref().map(Into::into),
        };
        let verb = match command {
            "silence" => return Ok(Wanted::Silence(act)),
            "ack" if self.occurrence.is_none() => {
                return Err("which occurrence is acknowledged? give the `occurrence` seen".into());
            }
            "shelve" if self.for_ms.is_none() => {
                return Err("for how long? give `for_ms`".into());
            }
            "ack" => Verb::Acknowledge,
            "reset" => Verb::Reset,
            "shelve" => Verb::Shelve(self.for_ms.unwrap_or(0)),
            "unshelve" => Verb::Unshelve,
            _ => {
                let all = "ack, silence, reset, shelve and unshelve can be commanded";
                return Err(format!("only {all}"));
            }
        };
        let id = self.id.as_deref().ok_or("which alarm? give its `id`")?;
        Ok(Wanted::Alarm(Command {
            id: id.into(),
            verb,
            occurrence: self.occurrence,
            act,
        }))
    }
}

/// Hexadecimal digits as bytes.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let [high, low] = pair else { return None };
        let digit = |c: u8| char::from(c).to_digit(16);
        u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
    };
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "andon/v1/suzhou/press-shop/gw-press-1/cmd/ack";
    const SECRET: &str = "0123456789abcdef";

    fn asked(json: &str) -> Asked {
        Asked::read(json.as_bytes()).unwrap()
    }

    fn ack() -> Asked {
        asked(
            r#"{"id":"press-1.fault","occurrence":3,"by":"li","nonce":"4f1c","ts":1790000000000}"#,
        )
    }

    #[test]
    fn a_payload_without_nonce_or_time_or_with_line_ends_is_none() {
        for (payload, part) in [
            ("", "no JSON object"),
            (r#"[null,1,"li",null,null,null,"a",1]"#, "no JSON object"),
            ("{", "EOF"),
            (r#"{"ts":1}"#, "nonce"),
            (r#"{"nonce":"a"}"#, "ts"),
            (r#"{"nonce":"a","ts":"now"}"#, "expected i64"),
            (r#"{"nonce":"a","ts":1.5}"#, "expected i64"),
            (r#"{"nonce":"","ts":1}"#, "64 bytes"),
            (r#"{"nonce":"a","nonce":"b","ts":1}"#, "duplicate"),
            (r#"{"nonce":"a","ts":1,"occurrence":-1}"#, "-1"),
            (r#"{"nonce":"a","ts":1,"by":"li\nwang"}"#, "one line"),
            (r#"{"nonce":"a\u0000","ts":1}"#, "one line"),
        ] {
            let why = Asked::read(payload.as_bytes()).unwrap_err();
            assert!(why.contains(part), "{payload}: {why}");
        }
        let large = format!(r#"{{"nonce":"a","ts":1,"x":"{}"}}"#, "x".repeat(LARGEST));
        assert!(Asked::read(large.as_bytes()).unwrap_err().contains("4 KiB"));
        let id = format!(r#"{{"nonce":"a","ts":1,"id":"{}"}}"#, "x".repeat(129));
        assert!(Asked::read(id.as_bytes()).unwrap_err().contains("`id`"));
    }

    #[test]
    fn keys_of_later_versions_are_passed_over() {
        let asked = asked(r#"{"nonce":"a","ts":1,"v":2,"more":{"deep":[1]},"why":null}"#);
        assert_eq!((&*asked.nonce, asked.ts, asked.why), ("a", Wall(1), None));
    }

    // Known answer, made with OpenSSL:
    //   printf 'andon-command-1\nandon/v1/suzhou/press-shop/gw-press-1/cmd/ack\npress-1.fault\n3\nli\n\n\n4f1c\n1790000000000' |
    //     openssl dgst -sha256 -hmac 0123456789abcdef
    const SIGNATURE: &str = "821932422b1c6efcf2ed69d07ab58bd9a715ca3680caa86f5106c194600782a4";

    #[test]
    fn the_signature_is_that_of_openssl() {
        let token = Some(format!("sha256={SIGNATURE}"));
        let signed = Asked { token, ..ack() };
        assert_eq!(signed.authorise(TOPIC, SECRET, true), Ok(()));
        assert_eq!(signed.authorise(TOPIC, SECRET, false), Ok(()));
        let other = TOPIC.replace("gw-press-1", "gw-press-2");
        assert!(signed.authorise(&other, SECRET, true).is_err());
        assert!(signed.authorise(TOPIC, "another secret", true).is_err());
        let changes: [fn(&mut Asked); 7] = [
            |asked| asked.id = Some("press-2.fault".into()),
            |asked| asked.occurrence = Some(4),
            |asked| asked.by = Some("wang".into()),
            |asked| asked.why = Some("x".into()),
            |asked| asked.for_ms = Some(1),
            |asked| asked.nonce = "4f1d".into(),
            |asked| asked.ts = Wall(1_790_000_000_001),
        ];
        for change in changes {
            let mut changed = signed.clone();
            change(&mut changed);
            assert!(
                changed.authorise(TOPIC, SECRET, true).is_err(),
                "{changed:?}"
            );
        }
        for token in [
            "sha256=",
            "sha256=0",
            "sha256=zz",
            &format!("sha256={SIGNATURE}00"),
        ] {
            let token = Some(token.to_owned());
            assert!(
                Asked { token, ..ack() }
                    .authorise(TOPIC, SECRET, true)
                    .is_err()
            );
        }
    }

    #[test]
    fn the_secret_itself_is_enough_unless_signatures_are_wanted() {
        let with = |token: &str| Asked {
            token: Some(token.into()),
            ..ack()
        };
        assert_eq!(with(SECRET).authorise(TOPIC, SECRET, false), Ok(()));
        assert!(with(SECRET).authorise(TOPIC, SECRET, true).is_err());
        assert!(
            with("0123456789abcdeF")
                .authorise(TOPIC, SECRET, false)
                .is_err()
        );
        assert!(ack().authorise(TOPIC, SECRET, false).is_err());
    }

    #[test]
    fn five_things_can_be_wanted_and_no_other() {
        let shelve = Asked {
            for_ms: Some(60_000),
            why: Some("repair".into()),
            ..ack()
        };
        for (command, verb) in [
            ("ack", Verb::Acknowledge),
            ("reset", Verb::Reset),
            ("shelve", Verb::Shelve(60_000)),
            ("unshelve", Verb::Unshelve),
        ] {
            let Ok(Wanted::Alarm(wanted)) = shelve.wanted(command) else {
                panic!("{command}");
            };
            assert_eq!(wanted.verb, verb);
            assert_eq!((&*wanted.id, wanted.occurrence), ("press-1.fault", Some(3)));
            let Act { by, via, why } = wanted.act;
            assert_eq!((by.as_deref(), via), (Some("li"), Via::Mqtt));
            assert_eq!(why.as_deref(), Some("repair"));
        }
        assert!(matches!(ack().wanted("silence"), Ok(Wanted::Silence(_))));
        for other in [
            "out-of-service",
            "return",
            "call",
            "solve",
            "Ack",
            "",
            "config",
        ] {
            let why = ack().wanted(other).unwrap_err();
            assert!(why.starts_with("only ack"), "{other}: {why}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let without = |change: fn(&mut Asked)| {
            let mut asked = ack();
            change(&mut asked);
            asked
        };
        let nobody = without(|asked| asked.by = Some(" ".into()));
        assert!(nobody.wanted("silence").unwrap_err().contains("`by`"));
        let nothing = without(|asked| asked.id = None);
        assert!(nothing.wanted("reset").unwrap_err().contains("`id`"));
        let any = without(|asked| asked.occurrence = None);
        assert!(any.wanted("ack").unwrap_err().contains("`occurrence`"));
        assert!(any.wanted("reset").is_ok());
        assert!(ack().wanted("shelve").unwrap_err().contains("`for_ms`"));
    }
}
