//! What robots and web servers answer, and what follows from it. The numbers are those of their public
//! documentation; what is not in it is judged by its words.

use crate::annunciator::Told;
use crate::settings::Product;
use serde_json::Value;
use std::time::Duration;

/// Bytes of an answer that are shown to people.
const SHOWN: usize = 200;

/// After that long a robot that took too many messages takes some again.
const MINUTE: Duration = Duration::from_secs(60);

/// DingTalk leaves robots that were too fast out for ten minutes.
const TEN_MINUTES: Duration = Duration::from_secs(600);

/// An answer, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// What became of the message.
    pub(super) told: Told,
    /// Whether it was refused for its signature, which holds for an hour.
    pub(super) is_of_time: bool,
}

impl From<Told> for Verdict {
    fn from(told: Told) -> Verdict {
        Verdict {
            told,
            is_of_time: false,
        }
    }
}

/// What an answer means. `after` is what its `Retry-After` says.
pub(super) fn verdict(
    product: Product,
    status: u16,
    body: &[u8],
    after: Option<Duration>,
) -> Verdict {
    let (code, why) = match (product, serde_json::from_slice(body)) {
        (Product::Json, _) => return of_status(status, body, after).into(),
        (Product::Wecom | Product::Dingtalk, Ok(answer)) => read(&answer, ["errcode"], "errmsg"),
        (Product::Feishu, Ok(answer)) => read(&answer, ["code", "StatusCode"], "msg"),
        (_, Err(_)) => (None, String::new()),
    };
    match (code, status) {
        (Some(0), 200..=299) => Told::Sent.into(),
        (Some(code), _) if code != 0 => of_code(product, code, &why),
        (_, 200..=299) => {
            let what = format!(
                "what answers is not {}: `{}`; is there a proxy in between that wants a login, is the \
                 address that of the robot?",
                product.name(),
                shown(body)
            );
            Told::failed(what).into()
        }
        _ => of_status(status, body, after).into(),
    }
}

/// The number and the words of an answer.
fn read<const N: usize>(answer: &Value, codes: [&str; N], words: &str) -> (Option<i64>, String) {
    let code = codes.iter().find_map(|key| answer.get(key)?.as_i64());
    let words = answer.get(words).and_then(Value::as_str).unwrap_or("");
    (code, words.to_owned())
}

fn of_code(product: Product, code: i64, said: &str) -> Verdict {
    let name = product.name();
    let told = format!("{name} answers {code}, `{}`", shown(said.as_bytes()));
    let words = said.to_lowercase();
    let has = |some: &[&str]| some.iter().any(|word| words.contains(word));
    let refused = |what: &str| Told::Refused(format!("{told}: {what}"));
    let setup = |what: &str| Told::Setup(format!("{told}: {what}"));
    let later = |what: &str, pause| Told::Failed {
        why: format!("{told}: {what}"),
        pause: Some(pause),
    };
    let new_address = "copy its address from the group again and write it into `url_file`";
    let too_fast = "it takes no more for now";
    let busy = "it is busy";
    let keyword = "the robot takes only texts with its keyword: write it as `keyword`";
    let whitelist = "the robot takes only what comes from certain addresses: add the one the plant has on the \
                     internet to them, or choose another protection";
    let verdict = match (product, code) {
        (Product::Wecom, 45009 | 45033) => later(too_fast, MINUTE),
        (Product::Wecom, 93000) if has(&["max length"]) => refused("the text is too long for it"),
        (Product::Wecom, 93000) => setup(&format!("there is no such robot: {new_address}")),
        (Product::Wecom, 93004) => setup("somebody has switched the robot off"),
        (Product::Wecom, 93008) => {
            setup("the robot is in no group any more: add one, and its address")
        }
        (Product::Dingtalk, 130_101 | 410_100) => later(too_fast, TEN_MINUTES),
        (Product::Dingtalk, 310_000) if has(&["keyword", "关键词"]) => setup(keyword),
        (Product::Dingtalk, 310_000) if has(&["whitelist", "白名单"]) => setup(whitelist),
        (Product::Dingtalk, 310_000) | (Product::Feishu, 19021) => {
            return Verdict {
                told: setup(
                    "the signature does not fit: `secret_file` must hold the secret of this very robot, \
                     and the gateway's clock must be right to the hour",
                ),
                is_of_time: true,
            };
        }
        (Product::Dingtalk, 300_001 | 300_005 | 400_101 | 400_106) => {
            setup(&format!("there is no such robot: {new_address}"))
        }
        (Product::Dingtalk, 400_013) => setup("its group is gone: add a robot to another"),
        (Product::Dingtalk, 400_102) => setup("somebody has switched the robot off"),
        (Product::Feishu, 19001) => setup(&format!("there is no such robot: {new_address}")),
        (Product::Feishu, 19007) => setup("somebody has switched the robot off"),
        (Product::Feishu, 19022) => setup(whitelist),
        (Product::Feishu, 19024) => setup(keyword),
        (Product::Feishu, 11232 | 11233 | 11247) => later(too_fast, MINUTE),
        (_, -1) => later(busy, MINUTE),
        // Numbers change; the words for this have been the same for years.
        _ if has(&[
            "too fast",
            "too many",
            "freq",
            "rate limit",
            "busy",
            "系统繁忙",
            "限流",
        ]) =>
        {
            later(too_fast, MINUTE)
        }
        _ => setup("look the number up in its documentation"),
    };
    verdict.into()
}

/// What an HTTP status means by itself.
fn of_status(status: u16, body: &[u8], after: Option<Duration>) -> Told {
    let said = match body {
        [] => String::new(),
        _ => format!(", `{}`", shown(body)),
    };
    let setup = |what: &str| Told::Setup(format!("it answers {status}{said}: {what}"));
    match status {
        200..=299 => Told::Sent,
        408 | 425 | 429 | 500..=599 => Told::Failed {
            why: format!("it answers {status}{said}"),
            pause: after.or((status == 429).then_some(MINUTE)),
        },
        300..=399 => setup("it has moved: write its new address"),
        401 | 403 => setup("it does not let the agent in: look at `token_file` and `secret_file`"),
        404 | 410 => setup("there is nothing at this address"),
        405 => setup("it takes no POST: is the address right?"),
        _ => Told::Refused(format!(
            "it answers {status}{said}: it does not take this message"
        )),
    }
}

/// As much of an answer as a line of a log holds.
fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let words: Vec<&str> = text.split_whitespace().collect();
    crate::annunciator::cut(&words.join(" "), SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(product: Product, status: u16, body: &str) -> Verdict {
        verdict(product, status, body.as_bytes(), None)
    }

    #[track_caller]
    fn setup(product: Product, body: &str, hint: &str) {
        match of(product, 200, body).told {
            Told::Setup(why) => assert!(why.contains(hint), "{why}"),
            other => panic!("{body}: {other:?}"),
        }
    }

    #[track_caller]
    fn later(product: Product, body: &str, seconds: u64) {
        match of(product, 200, body).told {
            Told::Failed { pause, .. } => assert_eq!(pause, Some(Duration::from_secs(seconds))),
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn success_is_what_the_body_says() {
        let sent = |product, body| assert_eq!(of(product, 200, body).told, Told::Sent, "{body}");
        sent(Product::Wecom, r#"{"errcode":0,"errmsg":"ok"}"#);
        sent(Product::Dingtalk, r#"{"errcode":0,"errmsg":"ok"}"#);
        sent(Product::Feishu, r#"{"code":0,"msg":"success","data":{}}"#);
        sent(
            Product::Feishu,
            r#"{"Extra":null,"StatusCode":0,"StatusMessage":"success"}"#,
        );
        sent(Product::Json, "");
        // A page of a proxy, and an error of Feishu's older answer.
        for (product, body) in [
            (Product::Wecom, "<html>Login</html>"),
            (Product::Dingtalk, "{}"),
            (Product::Feishu, ""),
        ] {
            let told = of(product, 200, body).told;
            assert!(matches!(told, Told::Failed { .. }), "{body}: {told:?}");
        }
        setup(
            Product::Feishu,
            r#"{"StatusCode":0,"StatusMessage":"","code":19007,"msg":"Bot Not Enabled"}"#,
            "switched the robot off",
        );
    }

    #[test]
    fn a_robot_that_is_set_up_wrongly_says_what_to_do() {
        setup(
            Product::Wecom,
            r#"{"errcode":93000,"errmsg":"invalid webhook url, hint: [1]"}"#,
            "`url_file`",
        );
        let too_long = r#"{"errcode":93000,"errmsg":"Invalid input : content exceed max length."}"#;
        let told = of(Product::Wecom, 200, too_long).told;
        assert!(matches!(told, Told::Refused(_)), "{told:?}");
        setup(
            Product::Dingtalk,
            r#"{"errcode":310000,"errmsg":"keywords not in content, more: [https://x]"}"#,
            "`keyword`",
        );
        setup(
            Product::Dingtalk,
            r#"{"errcode":310000,"errmsg":"ip 1.2.3.4 not in whitelist"}"#,
            "internet",
        );
        setup(
            Product::Dingtalk,
            r#"{"errcode":300005,"errmsg":"token is not exist"}"#,
            "`url_file`",
        );
        setup(
            Product::Feishu,
            r#"{"code":19024,"msg":"Key Words Not Found","data":{}}"#,
            "`keyword`",
        );
        setup(
            Product::Wecom,
            r#"{"errcode":40008,"errmsg":"invalid message type"}"#,
            "documentation",
        );
    }

    #[test]
    fn a_signature_that_does_not_fit_may_be_the_clock() {
        for (product, body) in [
            (
                Product::Dingtalk,
                r#"{"errcode":310000,"errmsg":"sign not match"}"#,
            ),
            (
                Product::Dingtalk,
                r#"{"errcode":310000,"errmsg":"invalid timestamp"}"#,
            ),
            (
                Product::Feishu,
                r#"{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}"#,
            ),
        ] {
            assert!(of(product, 200, body).is_of_time, "{body}");
            setup(product, body, "clock");
        }
    }

    #[test]
    fn too_many_messages_wait() {
        later(
            Product::Wecom,
            r#"{"errcode":45009,"errmsg":"api freq out of limit"}"#,
            60,
        );
        later(
            Product::Dingtalk,
            r#"{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}"#,
            600,
        );
        later(
            Product::Feishu,
            r#"{"code":11232,"msg":"create message trigger system frequency limit"}"#,
            60,
        );
        later(
            Product::Feishu,
            r#"{"code":9499,"msg":"too many request"}"#,
            60,
        );
        later(
            Product::Wecom,
            r#"{"errcode":-1,"errmsg":"system busy"}"#,
            60,
        );
    }

    #[test]
    fn servers_that_fail_are_tried_again_and_those_that_refuse_are_not() {
        for status in [408, 429, 500, 502, 503, 504] {
            for product in [Product::Json, Product::Wecom] {
                let told = of(product, status, "<html>").told;
                assert!(matches!(told, Told::Failed { .. }), "{status}: {told:?}");
            }
        }
        for status in [301, 307, 401, 403, 404, 405, 410] {
            let told = of(Product::Json, status, "no").told;
            assert!(matches!(told, Told::Setup(_)), "{status}: {told:?}");
        }
        for status in [400, 413, 422] {
            let told = of(Product::Json, status, "no").told;
            assert!(matches!(told, Told::Refused(_)), "{status}: {told:?}");
        }
        let after = Some(Duration::from_secs(7));
        assert_eq!(
            verdict(Product::Json, 503, b"", after).told,
            Told::Failed {
                why: "it answers 503".into(),
                pause: after
            }
        );
    }

    #[test]
    fn a_long_answer_is_one_short_line() {
        let told = of(Product::Json, 400, &"wrong\r\n".repeat(1000)).told;
        assert!(told.to_string().len() < 300);
        assert!(!told.to_string().contains('\n'));
    }
}
