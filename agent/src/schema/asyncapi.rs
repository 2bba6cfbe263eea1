//! The AsyncAPI 3.0 document: every topic with its messages, how it is sent and whether it is
//! retained. The agent's own view: it sends, others receive.

use super::json::Json;
use super::payload::{name_of, of_payload, of_variant};
use andon_core::message::{Payload, PayloadClass, VERSION, Variant};

const ABOUT: &str = "What an Andon gateway publishes by MQTT. QoS 1, JSON in UTF-8, flat objects; \
times are milliseconds since 1970, UTC. Records are stored, numbered and delivered at least once; \
(`gateway`, `run`, `seq`) is their key. Current values are retained and overwritten; one counts only \
while `status` of its gateway is online with the same `run`, and an empty payload clears it.";

pub(super) fn document(payloads: &[Payload]) -> Json {
    let messages: Vec<Message> = payloads.iter().flat_map(messages).collect();
    Json::object([
        ("asyncapi", "3.0.0".into()),
        (
            "info",
            Json::object([
                ("title", "Andon".into()),
                ("version", VERSION.to_string().into()),
                ("description", ABOUT.into()),
                ("license", license()),
            ]),
        ),
        ("defaultContentType", "application/json".into()),
        ("servers", servers()),
        (
            "channels",
            Json::object(
                payloads
                    .iter()
                    .map(|payload| (payload.name, channel(payload))),
            ),
        ),
        (
            "operations",
            Json::object(
                payloads
                    .iter()
                    .map(|payload| (payload.name, operation(payload))),
            ),
        ),
        (
            "components",
            Json::object([(
                "messages",
                Json::object(
                    messages
                        .into_iter()
                        .map(|message| (message.name, message.body)),
                ),
            )]),
        ),
    ])
}

fn license() -> Json {
    Json::object([("name", env!("CARGO_PKG_LICENSE").into())])
}

fn servers() -> Json {
    let variable = |about: &str, default: &str| {
        Json::object([("description", about.into()), ("default", default.into())])
    };
    let broker = Json::object([
        ("host", "{host}:{port}".into()),
        ("protocol", "mqtt".into()),
        (
            "description",
            "The broker of the plant, by MQTT 3.1.1, with or without TLS.".into(),
        ),
        (
            "variables",
            Json::object([
                (
                    "host",
                    variable("Name or address of the broker.", "localhost"),
                ),
                ("port", variable("Its port; 8883 with TLS.", "1883")),
            ]),
        ),
    ]);
    Json::object([("broker", broker)])
}

struct Message {
    name: String,
    body: Json,
}

fn messages(payload: &Payload) -> Vec<Message> {
    if payload.variants.is_empty() {
        let body = message(payload.name, payload.about, of_payload(payload));
        return vec![Message {
            name: payload.name.to_owned(),
            body,
        }];
    }
    let of_variant = |variant: &Variant| {
        let name = name_of(variant);
        let body = message(&name, variant.about, of_variant(payload, variant));
        Message { name, body }
    };
    payload.variants.iter().map(of_variant).collect()
}

fn message(name: &str, about: &str, schema: Json) -> Json {
    Json::object([
        ("name", name.into()),
        ("summary", about.into()),
        ("payload", schema),
    ])
}

fn channel(payload: &Payload) -> Json {
    let address = format!(
        "{{root}}/v{VERSION}/{{site}}/{{area}}/{{gateway}}/{}",
        payload.topic
    );
    let parameters = PARAMETERS
        .iter()
        .filter(|parameter| address.contains(&format!("{{{}}}", parameter.name)))
        .map(|parameter| (parameter.name, parameter.described()));
    let references = names(payload).into_iter().map(|name| {
        let to = format!("#/components/messages/{name}");
        (name, reference(to))
    });
    Json::object([
        ("address", address.as_str().into()),
        ("description", payload.about.into()),
        ("messages", Json::object(references)),
        ("parameters", Json::object(parameters)),
    ])
}

fn operation(payload: &Payload) -> Json {
    let retain = payload.class == PayloadClass::Current;
    let action = match payload.class {
        PayloadClass::Record | PayloadClass::Current => "send",
        PayloadClass::Command => "receive",
    };
    let messages = names(payload)
        .into_iter()
        .map(|name| reference(format!("#/channels/{}/messages/{name}", payload.name)));
    Json::object([
        ("action", action.into()),
        ("channel", reference(format!("#/channels/{}", payload.name))),
        ("summary", payload.about.into()),
        ("messages", Json::List(messages.collect())),
        (
            "bindings",
            Json::object([(
                "mqtt",
                Json::object([
                    ("qos", 1.into()),
                    ("retain", retain.into()),
                    ("bindingVersion", "0.2.0".into()),
                ]),
            )]),
        ),
    ])
}

/// The names of the messages on the topic of a payload.
fn names(payload: &Payload) -> Vec<String> {
    if payload.variants.is_empty() {
        vec![payload.name.to_owned()]
    } else {
        payload.variants.iter().map(name_of).collect()
    }
}

fn reference(to: String) -> Json {
    Json::object([("$ref", to.into())])
}

/// A variable part of topics.
struct Parameter {
    name: &'static str,
    about: &'static str,
    words: &'static [&'static str],
}

impl Parameter {
    fn described(&self) -> Json {
        let about = ("description", self.about.into());
        let words = ("enum", Json::list(self.words.iter().copied()));
        let entries = [about, words];
        let count = if self.words.is_empty() { 1 } else { 2 };
        Json::object(entries.into_iter().take(count))
    }
}

const PARAMETERS: [Parameter; 8] = [
    Parameter {
        name: "root",
        about: "`root` of the configuration, `andon` by default; may be several levels.",
        words: &[],
    },
    Parameter {
        name: "site",
        about: "The plant, as configured.",
        words: &[],
    },
    Parameter {
        name: "area",
        about: "The part of the plant, as configured.",
        words: &[],
    },
    Parameter {
        name: "gateway",
        about: "Id of the gateway.",
        words: &[],
    },
    Parameter {
        name: "device",
        about: "Id of the machine; `gateway` for what is the gateway's own.",
        words: &[],
    },
    Parameter {
        name: "window",
        about: "A minute, an hour, a shift or a production day.",
        words: &["1m", "1h", "shift", "1d"],
    },
    Parameter {
        name: "alarm",
        about: "Id of the alarm within the machine.",
        words: &[],
    },
    Parameter {
        name: "what",
        about: "What is asked for.",
        words: &["ack", "silence", "reset", "shelve", "unshelve"],
    },
];
