//! `POST /api/v1/horn/test`, on the control socket only: what horns sound like.

use super::Door;
use super::alarms::problem;
use super::answer::{Problem, json};
use crate::config::nearest::suggest;
use crate::run::Order;
use andon_core::alarm::{Act, Via};
use andon_core::engine::NoTest;
use andon_core::plant::Plant;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Where a test is asked for.
pub const PATH: &str = "/api/v1/horn/test";

/// How long each part may be heard: longer ones are a nuisance, shorter ones are not heard in full.
pub const SHORTEST: Duration = Duration::from_secs(1);
/// See [`SHORTEST`].
pub const LONGEST: Duration = Duration::from_secs(60);

/// The body of a request.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wish {
    /// Which horn; without one, every one that is silent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub horn: Option<String>,
    /// For how many milliseconds each part is to be heard; without, 3 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub each_ms: Option<u64>,
    /// Who wishes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

pub(super) async fn test(State(door): State<Door>, body: Bytes) -> Result<Response, Problem> {
    let wish = match &*body {
        [] => Wish::default(),
        body => serde_json::from_slice(body).map_err(|error| {
            let hint = "an object such as {\"horn\":\"hall\",\"each_ms\":3000,\"by\":\"li\"}";
            Problem::new(StatusCode::BAD_REQUEST, error.to_string()).hint(hint)
        })?,
    };
    let each = wish
        .each_ms
        .map_or(Duration::from_secs(3), Duration::from_millis);
    if !(SHORTEST..=LONGEST).contains(&each) {
        let what = "each part of a test is heard for 1 s to 60 s";
        let hint = "give `each_ms`, from 1000 to 60000";
        return Err(Problem::new(StatusCode::BAD_REQUEST, what).hint(hint));
    }
    let id = wish.horn.clone().unwrap_or_default();
    let order = Order::HornTest {
        horn: wish.horn,
        each_ms: u64::try_from(each.as_millis()).unwrap_or(u64::MAX),
        act: Act {
            by: wish.by.map(Into::into),
            via: Via::Cli,
            why: None,
        },
    };
    let begun = door.orders.give(order).await;
    begun
        .map(json)
        .map_err(|not_done| problem(&not_done, &id, &door.plant))
}

pub(super) fn refused(why: NoTest, id: &str, plant: &Plant) -> Problem {
    match why {
        NoTest::NoHorn => Problem::new(StatusCode::NOT_FOUND, "no horn is configured")
            .hint("add `[horn]` with `through` to the configuration"),
        NoTest::Unknown => {
            let ids = plant.horns.iter().map(|horn| &*horn.id);
            let hint = suggest(id, ids, "add a [[horn]]");
            Problem::new(StatusCode::NOT_FOUND, format!("there is no horn `{id}`")).hint(hint)
        }
        NoTest::Sounds => Problem::new(StatusCode::CONFLICT, "it sounds for an alarm now")
            .hint("acknowledge or silence the alarm first (`andon alarms` lists them)"),
    }
}
