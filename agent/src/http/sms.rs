//! `POST /control/sms/test`: one text message by the modem that the agent holds, for `andon sms test`.
//! Answered on the control socket only: messages cost money.

use super::Door;
use super::answer::{Problem, json};
use crate::annunciator::sms::Test;
use andon_core::sms::number::Number;
use andon_core::sms::receive::Outcome;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Where it is asked for.
pub const PATH: &str = "/control/sms/test";

/// The modem may be in the middle of another message.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Who gets it.
    pub number: String,
    /// How long to wait for the report of delivery, in milliseconds.
    pub wait_ms: u64,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The modem in words.
    pub modem: String,
    /// What the message says.
    pub text: String,
    /// `delivered`, `failed`, or none: no report came in time.
    pub report: Option<String>,
    /// What the network says of a failure.
    pub status: Option<u8>,
}

pub(super) async fn test(State(door): State<Door>, body: Bytes) -> Result<Response, Problem> {
    let bad = |why: String| Problem::new(StatusCode::BAD_REQUEST, why);
    let wanted: Wanted = serde_json::from_slice(&body).map_err(|error| bad(error.to_string()))?;
    let number = Number::parse(&wanted.number)
        .ok_or_else(|| bad(format!("`{}` is no telephone number", wanted.number)))?;
    let texts = door.texts.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "the running agent has no [sms]: it runs with an older configuration",
        )
        .hint("restart it")
    })?;
    let busy = || Problem::busy("the modem is busy with other messages");
    let (sent, answer) = oneshot::channel();
    let asked = async {
        let given = texts.tests.send(Test { number, sent }).await;
        given.map_err(|_| busy())?;
        answer.await.map_err(|_| busy())
    };
    let tested = timeout(PATIENCE, asked).await.map_err(|_| busy())??;
    let tested = tested.map_err(|why| Problem::new(StatusCode::CONFLICT, why))?;
    let wait = Duration::from_millis(wanted.wait_ms.min(600_000));
    let report = timeout(wait, tested.report).await;
    let (report, status) = match report {
        Ok(Ok(Outcome::Delivered)) => (Some("delivered"), None),
        Ok(Ok(Outcome::Failed(status))) => (Some("failed"), Some(status)),
        Ok(Ok(Outcome::Trying) | Err(_)) | Err(_) => (None, None),
    };
    let told = Told {
        modem: tested.modem,
        text: tested.text,
        report: report.map(str::to_owned),
        status,
    };
    let told = serde_json::to_vec(&told)
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(json(told.into()))
}
