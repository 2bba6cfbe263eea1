//! `cmd/{what}`: what may be asked of a gateway by its topics, if the configuration allows it. It is
//! only received; keys that are not here are passed over.

use super::declare::{Field, Payload, PayloadClass, Presence, Shape};
use alloc::vec::Vec;

/// `cmd/{what}` as it is declared.
pub(super) fn command_payload() -> Payload {
    let sometimes =
        |name, shape, about| Field::new(name, shape, about).present(Presence::Sometimes);
    let fields = [
        sometimes(
            "id",
            Shape::Text,
            "Id of the alarm, as in `press-1.fault`; not for `silence`.",
        ),
        sometimes(
            "occurrence",
            Shape::Count,
            "Which of its activations was seen; needed for `ack`.",
        ),
        Field::new("by", Shape::Text, "Who asks for it."),
        sometimes("why", Shape::Text, "Why; needed for `shelve`."),
        sometimes(
            "for_ms",
            Shape::Count,
            "For how many milliseconds; needed for `shelve`.",
        ),
        Field::new(
            "nonce",
            Shape::Text,
            "What no other command says; an answer repeats it.",
        ),
        Field::new(
            "ts",
            Shape::Time,
            "When it is sent; a command over 60 s old is ignored.",
        ),
        sometimes(
            "token",
            Shape::Text,
            "The secret, or `sha256=` and a signature made with it; always needed.",
        ),
    ];
    Payload {
        name: "cmd",
        topic: "cmd/{what}",
        about: "What a person asks of an alarm through the broker: off by default, never retained, \
                answered by an `answer` event.",
        class: PayloadClass::Command,
        fields: Vec::from(fields),
        of_tags: Vec::new(),
        variants: Vec::new(),
    }
}
