//! What is sent to each product: its format, its limits, whom it mentions, its signature.

use super::sign;
use crate::annunciator::{Message, cut};
use crate::settings::{Mention, Product, Webhook};
use serde_json::{Value, json};

/// Most bytes of a text, and of what is written in Markdown, for WeCom.
const WECOM_TEXT: usize = 2048;
const WECOM_MARKDOWN: usize = 4096;

/// Most bytes of a text for DingTalk and Feishu, whose whole requests hold 20,000.
const OTHERS: usize = 8000;

/// What is posted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Post {
    /// Stands at the end of the address.
    pub(super) query: Option<String>,
    /// Headers beside those of every request, with their values.
    pub(super) headers: Vec<(&'static str, String)>,
    /// The body, JSON.
    pub(super) body: String,
}

/// What is posted for a message at the moment `ms` (UTC), signed if there is a secret.
pub(super) fn post(webhook: &Webhook, message: &Message, ms: i64, secret: Option<&str>) -> Post {
    let mut post = Post {
        query: None,
        headers: Vec::new(),
        body: String::new(),
    };
    match webhook.product {
        Product::Wecom => post.body = wecom(webhook, message).to_string(),
        Product::Dingtalk => {
            post.query = secret.map(|secret| {
                let sign = sign::dingtalk(ms, secret);
                format!("timestamp={ms}&sign={sign}")
            });
            post.body = dingtalk(webhook, message).to_string();
        }
        Product::Feishu => {
            let mut body = feishu(webhook, message);
            if let Some(secret) = secret {
                let seconds = ms / 1000;
                body["timestamp"] = seconds.to_string().into();
                body["sign"] = sign::feishu(seconds, secret).into();
            }
            post.body = body.to_string();
        }
        Product::Json => {
            post.body = flat(message).to_string();
            post.headers.push(("idempotency-key", message.id.clone()));
            if let Some(secret) = secret {
                let sign = sign::json(ms, post.body.as_bytes(), secret);
                post.headers.push(("andon-timestamp", ms.to_string()));
                post.headers.push(("andon-signature", sign));
            }
        }
    }
    post
}

fn wecom(webhook: &Webhook, message: &Message) -> Value {
    let text = with_keyword(webhook, &message.text, WECOM_MARKDOWN);
    // Markdown holds twice as much, but mentions nobody by number, and WeChat does not show it.
    if text.len() > WECOM_TEXT && webhook.mention.is_empty() {
        return json!({ "msgtype": "markdown", "markdown": { "content": text } });
    }
    let text = with_keyword(webhook, &message.text, WECOM_TEXT);
    let mut body = json!({ "msgtype": "text", "text": { "content": text } });
    if !webhook.mention.is_empty() {
        let name = |mention: &Mention| match mention {
            Mention::Everybody => "@all".to_owned(),
            Mention::One(number) => number.to_string(),
        };
        let names: Vec<String> = webhook.mention.iter().map(name).collect();
        body["text"]["mentioned_mobile_list"] = names.into();
    }
    body
}

fn dingtalk(webhook: &Webhook, message: &Message) -> Value {
    let mut text = with_keyword(webhook, &message.text, OTHERS);
    let numbers: Vec<&str> = webhook
        .mention
        .iter()
        .filter_map(|mention| match mention {
            Mention::One(number) => Some(&**number),
            Mention::Everybody => None,
        })
        .collect();
    // A number is mentioned where it stands in the text.
    if !numbers.is_empty() {
        text += &format!("\n@{}", numbers.join(" @"));
    }
    let mut body = json!({ "msgtype": "text", "text": { "content": text } });
    if !webhook.mention.is_empty() {
        let everybody = webhook.mention.contains(&Mention::Everybody);
        body["at"] = json!({ "atMobiles": numbers, "isAtAll": everybody });
    }
    body
}

fn feishu(webhook: &Webhook, message: &Message) -> Value {
    let mut text = with_keyword(webhook, &message.text, OTHERS);
    for mention in &webhook.mention {
        text += &match mention {
            Mention::Everybody => "\n<at user_id=\"all\">所有人</at>".to_owned(),
            Mention::One(id) => format!("\n<at user_id=\"{id}\"></at>"),
        };
    }
    json!({ "msg_type": "text", "content": { "text": text } })
}

/// One flat object: everything there is to know, and the texts.
fn flat(message: &Message) -> Value {
    let mut fields = message.fields.clone();
    fields.insert("notice".to_owned(), message.id.clone().into());
    fields.insert("subject".to_owned(), message.subject.clone().into());
    fields.insert("text".to_owned(), message.text.clone().into());
    fields.insert("told_ms".to_owned(), message.at.0.into());
    Value::Object(fields)
}

/// The text with the keyword that the robot wants to see in it.
fn with_keyword(webhook: &Webhook, text: &str, bytes: usize) -> String {
    match &webhook.keyword {
        Some(keyword) if !text.contains(&**keyword) => {
            let head = cut(text, bytes.saturating_sub(keyword.len() + 1));
            format!("{head}\n{keyword}")
        }
        _ => cut(text, bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::annunciator::webhook::tests::{message, webhook};

    const MS: i64 = 1_790_000_100_123;

    fn body(post: &Post) -> Value {
        serde_json::from_str(&post.body).unwrap()
    }

    #[test]
    fn wecom_takes_text_with_numbers_to_mention() {
        let mut hook = webhook(Product::Wecom);
        let post = post(&hook, &message("压力机故障"), MS, None);
        assert_eq!(
            body(&post),
            json!({ "msgtype": "text", "text": { "content": "压力机故障" } })
        );
        assert_eq!((post.query, post.headers), (None, vec![]));
        hook.mention = vec![Mention::One("13800000001".into()), Mention::Everybody];
        assert_eq!(
            body(&super::post(&hook, &message("x"), MS, None)),
            json!({ "msgtype": "text", "text": {
                "content": "x", "mentioned_mobile_list": ["13800000001", "@all"] } })
        );
    }

    #[test]
    fn wecom_takes_long_texts_as_markdown_up_to_its_limit() {
        let mut hook = webhook(Product::Wecom);
        let text = |bytes: usize| "压力机故障 press\n".repeat(bytes.div_ceil(22));
        let long = body(&post(&hook, &message(&text(2100)), MS, None));
        assert_eq!(long["markdown"]["content"], text(2100));
        let longer = body(&post(&hook, &message(&text(9000)), MS, None));
        let content = longer["markdown"]["content"].as_str().unwrap();
        assert!((4000..=4096).contains(&content.len()), "{}", content.len());
        assert!(content.ends_with("press\n…"), "{content}");
        hook.mention = vec![Mention::Everybody];
        let mentioned = body(&post(&hook, &message(&text(9000)), MS, None));
        let content = mentioned["text"]["content"].as_str().unwrap();
        assert!((2000..=2048).contains(&content.len()), "{}", content.len());
    }

    #[test]
    fn dingtalk_is_signed_in_its_address_and_mentions_in_the_text() {
        let mut hook = webhook(Product::Dingtalk);
        let post = post(
            &hook,
            &message("fault"),
            1_790_000_100_124,
            Some("this is secret"),
        );
        assert_eq!(
            post.query.as_deref(),
            Some("timestamp=1790000100124&sign=4Yz2f497skBiC%2FQg5FxuIEwffvmrbjXALoN0J6nbVu0%3D")
        );
        assert_eq!(
            body(&post),
            json!({ "msgtype": "text", "text": { "content": "fault" } })
        );
        hook.mention = vec![Mention::One("13800000001".into())];
        hook.keyword = Some("安灯".into());
        let unsigned = super::post(&hook, &message("fault"), MS, None);
        assert_eq!(unsigned.query, None);
        assert_eq!(
            body(&unsigned),
            json!({ "msgtype": "text", "text": { "content": "fault\n安灯\n@13800000001" },
                "at": { "atMobiles": ["13800000001"], "isAtAll": false } })
        );
    }

    #[test]
    fn feishu_is_signed_in_its_body_in_seconds() {
        let mut hook = webhook(Product::Feishu);
        let signed = post(&hook, &message("fault"), 1_599_360_473_999, Some("demo"));
        assert_eq!(
            body(&signed),
            json!({ "timestamp": "1599360473", "sign": "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=",
                "msg_type": "text", "content": { "text": "fault" } })
        );
        hook.mention = vec![Mention::Everybody, Mention::One("ou_1".into())];
        assert_eq!(
            body(&post(&hook, &message("x"), MS, None))["content"]["text"],
            "x\n<at user_id=\"all\">所有人</at>\n<at user_id=\"ou_1\"></at>"
        );
    }

    #[test]
    fn a_keyword_that_is_there_is_not_said_twice() {
        let mut hook = webhook(Product::Feishu);
        hook.keyword = Some("安灯".into());
        let told =
            |text: &str| body(&post(&hook, &message(text), MS, None))["content"]["text"].clone();
        assert_eq!(told("【安灯】故障"), "【安灯】故障");
        assert_eq!(told("fault"), "fault\n安灯");
        let long = told(&"x".repeat(30_000));
        let long = long.as_str().unwrap();
        assert!(long.len() <= OTHERS && long.ends_with("…\n安灯"), "{long}");
    }

    #[test]
    fn programs_get_one_flat_object_and_can_tell_who_sent_it() {
        let hook = webhook(Product::Json);
        let post = post(&hook, &message("fault"), MS, Some("s3cret-of-the-mes"));
        let told = body(&post);
        let object = told.as_object().unwrap();
        assert!(
            object
                .values()
                .all(|value| !value.is_object() && !value.is_array())
        );
        assert_eq!(told["text"], "fault");
        assert_eq!(told["id"], "press-1.fault");
        assert_eq!(told["notice"], "gw-1-7");
        let header = |name| post.headers.iter().find(|(key, _)| *key == name);
        assert_eq!(header("idempotency-key").unwrap().1, "gw-1-7");
        assert_eq!(header("andon-timestamp").unwrap().1, MS.to_string());
        let sign = sign::json(MS, post.body.as_bytes(), "s3cret-of-the-mes");
        assert_eq!(header("andon-signature").unwrap().1, sign);
    }
}
