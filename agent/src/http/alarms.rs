//! What people do to alarms: `POST /api/v1/alarms/{id}/{ack,reset,shelve,unshelve,out-of-service,return,
//! call,solve}` and `POST /api/v1/horn/silence`. Answered on the control socket, which belongs to the
//! agent's own user, and on the network to whoever has the token ([`super::acting`]). 200 says that it is
//! on disk.

use super::Door;
use super::answer::{Problem, json};
use crate::config::nearest::suggest;
use crate::run::{NotDone, Order};
use andon_core::alarm::{Act, LONGEST_SHELF_MS, Refusal, Verb, Via};
use andon_core::engine::{Command, Refused};
use andon_core::plant::Plant;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

/// The body of a request: who, why, and what else it needs.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wish {
    /// Which occurrence is meant; without one, the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurrence: Option<u64>,
    /// Who wishes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// For how many milliseconds it is to be shelved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
}

pub(super) async fn act(
    State(door): State<Door>,
    Path((id, verb)): Path<(String, String)>,
    body: Bytes,
) -> Result<Response, Problem> {
    order(&door, &id, &verb, wish(&body)?, Via::Cli).await
}

/// Has it done, whoever wishes it.
pub(super) async fn order(
    door: &Door,
    id: &str,
    verb: &str,
    wish: Wish,
    via: Via,
) -> Result<Response, Problem> {
    let verb = match verb {
        "ack" => Verb::Acknowledge,
        "reset" => Verb::Reset,
        "shelve" => Verb::Shelve(wish.for_ms.unwrap_or(0)),
        "unshelve" => Verb::Unshelve,
        "out-of-service" => Verb::OutOfService,
        "return" => Verb::Return,
        "call" => Verb::Call,
        "solve" => Verb::Solve,
        other => {
            let what = format!("nobody can `{other}` an alarm");
            return Err(Problem::new(StatusCode::NOT_FOUND, what).hint(
                "ack, reset, shelve, unshelve, out-of-service, return; call or solve a call",
            ));
        }
    };
    if wish.for_ms.is_some() && !matches!(verb, Verb::Shelve(_)) {
        let what = "`for_ms` is for shelving";
        return Err(Problem::new(StatusCode::BAD_REQUEST, what));
    }
    let command = Command {
        id: id.into(),
        verb,
        occurrence: wish.occurrence,
        act: act_of(wish, via),
    };
    let done = door.orders.give(Order::Alarm(command)).await;
    done.map(json)
        .map_err(|not_done| problem(&not_done, id, &door.plant))
}

pub(super) async fn silence(State(door): State<Door>, body: Bytes) -> Result<Response, Problem> {
    silence_horns(&door, wish(&body)?, Via::Cli).await
}

/// Stops all sound, whoever wishes it.
pub(super) async fn silence_horns(door: &Door, wish: Wish, via: Via) -> Result<Response, Problem> {
    let order = Order::Silence(act_of(wish, via));
    let done = door.orders.give(order).await;
    done.map(json)
        .map_err(|not_done| problem(&not_done, "", &door.plant))
}

fn act_of(wish: Wish, via: Via) -> Act {
    Act {
        by: wish.by.map(Into::into),
        via,
        why: wish.why.map(Into::into),
    }
}

pub(super) fn wish(body: &[u8]) -> Result<Wish, Problem> {
    if body.is_empty() {
        return Ok(Wish::default());
    }
    serde_json::from_slice(body).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, error.to_string()).hint(
            "an object such as {\"occurrence\":4,\"by\":\"li\",\"why\":\"...\",\"for_ms\":3600000}",
        )
    })
}

pub(super) fn problem(not_done: &NotDone, id: &str, plant: &Plant) -> Problem {
    match not_done {
        NotDone::Refused(Refused::Unknown) => {
            let ids: Vec<String> = plant
                .alarms
                .iter()
                .map(|alarm| format!("{}.{}", plant.owner_id(alarm.owner), alarm.id))
                .collect();
            let hint = suggest(
                id,
                ids.iter().map(String::as_str),
                "add an [[alarm]] to the configuration",
            );
            Problem::new(StatusCode::NOT_FOUND, format!("there is no alarm `{id}`")).hint(hint)
        }
        NotDone::Refused(Refused::Alarm(refusal)) => {
            let status = match refusal {
                Refusal::NoReason
                | Refusal::LongName
                | Refusal::LongReason
                | Refusal::NoLine
                | Refusal::ShelfTime => StatusCode::BAD_REQUEST,
                _ => StatusCode::CONFLICT,
            };
            let problem = Problem::new(status, format!("{id}: {refusal}"));
            match refusal {
                Refusal::NoReason => problem.hint("give it as `why`"),
                Refusal::ShelfTime => {
                    problem.hint(format!("give `for_ms`, from 1 to {LONGEST_SHELF_MS}"))
                }
                _ => {
                    let zh = refusal.in_chinese();
                    Problem::new(status, format!("{id}: {refusal}. {zh}"))
                }
            }
        }
        // Asked for in another way.
        NotDone::NoTest(why) => super::horn::refused(*why, id, plant),
        NotDone::NotStored(why) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("it is done, but not on disk, which takes nothing: {why}"),
        )
        .hint("it is tried again; a power cut before that would undo it"),
        NotDone::NoAnswer => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the engine or the disk does not answer: it may be done or not",
        )
        .hint("look at the alarm list before you do it again"),
    }
}
