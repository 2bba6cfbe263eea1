//! `[[webhook]]`: robots of groups, and programs, that are told of alarms by HTTP.

use super::pages::http_url;
use super::recipients::{RecipientPart, Rest};
use super::report::Finding;
use super::values::{duration, label, list, one_of, secret_file, text};
use super::walk::{At, Item, Section};
use crate::settings::{Address, Mention, Place, Product, Tls, Webhook};
use andon_core::annunciate::Channel;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// More are hardly meant; the channel of each is numbered in 8 bits.
const MOST: usize = 32;

const PRODUCTS: [(&str, Product); 4] = [
    ("wecom", Product::Wecom),
    ("dingtalk", Product::Dingtalk),
    ("feishu", Product::Feishu),
    ("json", Product::Json),
];

/// Reads the sections, and who is told by them; files are relative to `base`.
pub(super) fn webhooks(
    sections: Vec<Section<'_>>,
    base: &Path,
) -> (Vec<Webhook>, Vec<RecipientPart>) {
    let mut webhooks: Vec<Webhook> = Vec::new();
    let mut recipients: Vec<RecipientPart> = Vec::new();
    for section in sections {
        let (span, out) = (section.span(), section.out());
        let Some(part) = webhook(section, base) else {
            continue;
        };
        if webhooks.len() == MOST {
            let what = format!("more than {MOST} webhooks");
            out.mistake(Finding::at(span, what).hint("leave out those that nobody reads"));
            break;
        }
        let name = part.webhook.name.clone();
        if let Some(first) = recipients.iter().find(|other| other.name == name) {
            out.mistake(
                Finding::at(part.name.span, format!("there are two webhooks `{name}`"))
                    .hint("give each a name of its own")
                    .also(first.address.span.clone(), "the first"),
            );
            continue;
        }
        let index = u8::try_from(webhooks.len()).unwrap_or(u8::MAX);
        let recipient = part.rest.of(Channel::Webhook(index), name, part.name, span);
        webhooks.push(part.webhook);
        recipients.push(recipient);
    }
    (webhooks, recipients)
}

/// One section as it is written.
struct WebhookPart {
    webhook: Webhook,
    name: At<Arc<str>>,
    rest: Rest,
}

fn webhook(mut section: Section<'_>, base: &Path) -> Option<WebhookPart> {
    let file = |item: &Item<'_>| secret_file(item, base);
    let name = section.need("name", "name = \"Line A\"", label);
    let product = section.need("kind", "kind = \"wecom\"", one_of(&PRODUCTS));
    let product = product.map(|at| at.value);
    let place = place(&mut section, product, base);
    let secret_file = only(
        &mut section,
        "secret_file",
        product,
        |product| match product {
            Product::Wecom => Err("a robot of WeCom signs nothing: the key in its address is all"),
            _ => Ok(()),
        },
    )
    .and_then(|item| file(&item));
    let token = only(
        &mut section,
        "token_file",
        product,
        |product| match product {
            Product::Json => Ok(()),
            _ => Err("only programs take a token: that of a robot is in its address"),
        },
    );
    let token_file = token.as_ref().and_then(file);
    let keyword = only(&mut section, "keyword", product, |product| match product {
        Product::Dingtalk | Product::Feishu => Ok(()),
        _ => Err("only robots of DingTalk and Feishu want to see a keyword"),
    })
    .and_then(|item| label(&item));
    let mention = only(&mut section, "mention", product, |product| match product {
        Product::Json => Err("a program mentions nobody"),
        _ => Ok(()),
    })
    .and_then(|item| {
        list("a list such as [\"13800000001\"]", |item| {
            mention(item, product?)
        })(&item)
    });
    let timeout = section.read("timeout", duration(1000, 60_000));
    let ca_file = section.read("ca_file", file);
    warn_of_open_token(&section, place.as_ref(), token.as_ref());
    let rest = Rest::read(&mut section);
    section.finish();
    let name = name?;
    let webhook = Webhook {
        name: name.value.clone(),
        product: product?,
        place: place?,
        secret_file,
        token_file,
        keyword,
        mention: mention.unwrap_or_default(),
        timeout: Duration::from_millis(timeout.unwrap_or(15_000)),
        tls: Tls {
            ca_file,
            ..Tls::default()
        },
    };
    Some(WebhookPart {
        webhook,
        name,
        rest,
    })
}

/// A key that only some products have; said of the others is why not.
fn only<'a>(
    section: &mut Section<'a>,
    key: &'static str,
    product: Option<Product>,
    suits: impl Fn(Product) -> Result<(), &'static str>,
) -> Option<Item<'a>> {
    let item = section.take(key)?;
    match suits(product?) {
        Ok(()) => Some(item),
        Err(why) => item.wrong(why, format!("leave `{key}` out")),
    }
}

/// Where the address is. That of a robot is a secret, for whoever has it can write into the group.
fn place(section: &mut Section<'_>, product: Option<Product>, base: &Path) -> Option<Place> {
    let url = section.take("url");
    let file = section.place("url_file", |item| secret_file(item, base));
    match (url, file) {
        (Some(url), Some(_)) => url.wrong(
            "the address is said twice",
            "leave out `url`, or `url_file`",
        ),
        (Some(url), None) if product? != Product::Json => {
            url.out.hide(url.span.clone());
            url.wrong(
                "the address of a robot is a secret: whoever has it can write into the group",
                "put it alone into a file only the agent can read, and write `url_file = \"FILE\"`",
            )
        }
        (Some(url), None) => open(&url),
        (None, Some(At { value, .. })) => Some(Place::File(value)),
        (None, None) if section.has("url_file") => None,
        (None, None) => {
            let out = section.out();
            let missing = Finding::at(section.span(), "[[webhook]] does not say where to post to");
            out.mistake(match product? {
                Product::Json => missing.hint("add `url = \"https://HOST/PATH\"`, or `url_file`"),
                _ => missing.hint(
                    "copy the address of the robot alone into a file only the agent can read, and add \
                     `url_file = \"FILE\"`",
                ),
            });
            None
        }
    }
}

fn open(item: &Item<'_>) -> Option<Place> {
    let (server, path) = http_url(item)?;
    Some(Place::Open(Address {
        tls: server.tls,
        host: server.host,
        port: server.port,
        path: path.to_string(),
    }))
}

/// Whom the robot calls by name.
fn mention(item: &Item<'_>, product: Product) -> Option<Mention> {
    let text = text(item)?;
    if text == "all" {
        return Some(Mention::Everybody);
    }
    let is_number = (5..=20).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-');
    let is_open_id = text.starts_with("ou_")
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match product {
        Product::Feishu if is_open_id => Some(Mention::One(text.into())),
        Product::Feishu => item.wrong(
            format!("`{text}` is not an Open ID"),
            "write \"all\", or the Open ID of somebody in the group, such as \"ou_18eac85d...\"",
        ),
        _ if is_number => Some(Mention::One(text.into())),
        _ => item.wrong(
            format!("`{text}` is not a mobile number as the group knows it"),
            "write \"all\", or the number without country and spaces, such as \"13800000001\"",
        ),
    }
}

fn warn_of_open_token(section: &Section<'_>, place: Option<&Place>, token: Option<&Item<'_>>) {
    let (Some(Place::Open(address)), Some(token)) = (place, token) else {
        return;
    };
    if !address.tls && !is_loopback(&address.host) {
        let what = "everybody on the network can read this token: the address is without TLS";
        let hint = "write `https://` in the address";
        section
            .out()
            .warn(Finding::at(token.span.clone(), what).hint(hint));
    }
}

/// Whether a host is this machine for certain.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
