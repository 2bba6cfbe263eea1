//! What may be read: how everything stands, as JSON that the engine's task has written.

use super::Door;
use super::answer::{Problem, json, json_of, text};
use crate::run::{NoAnswer, Question};
use andon_core::tag::DeviceIndex;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http_body::Frame;
use serde::Deserialize;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Time for the tags of all devices: a client that takes longer gets a broken answer, not a whole
/// one that mixes times.
const ALL_TAGS: Duration = Duration::from_secs(30);

/// The process is there and its loop turns.
pub(super) async fn healthz() -> Response {
    text(StatusCode::OK, "alive\n")
}

/// The engine works and what it makes is kept.
pub(super) async fn readyz(State(door): State<Door>) -> Response {
    match door.asks.ask(Question::Ready).await {
        Ok(why) if why.is_empty() => text(StatusCode::OK, "ready\n"),
        Ok(why) => text(StatusCode::SERVICE_UNAVAILABLE, why),
        Err(NoAnswer) => text(
            StatusCode::SERVICE_UNAVAILABLE,
            "the engine does not answer: it starts, stops, or cannot keep up\n",
        ),
    }
}

pub(super) async fn status(State(door): State<Door>) -> Result<Response, Problem> {
    ask(&door, Question::Status).await.map(json)
}

pub(super) async fn devices(State(door): State<Door>) -> Result<Response, Problem> {
    ask(&door, Question::Devices).await.map(json)
}

pub(super) async fn alarms(State(door): State<Door>) -> Result<Response, Problem> {
    ask(&door, Question::Alarms).await.map(json)
}

/// In the text format of Prometheus, version 0.0.4.
pub(super) async fn metrics(State(door): State<Door>) -> Result<Response, Problem> {
    let metrics = ask(&door, Question::Metrics).await?;
    Ok(text(StatusCode::OK, metrics))
}

/// Tests the gateway first.
pub(super) async fn selftest(State(door): State<Door>) -> Result<Response, Problem> {
    let parts = door.selftest.run().await;
    let parts = parts.map_err(|NoAnswer| Problem::busy("the engine does not answer"))?;
    // Serialising plain data to memory fails only on a map with keys that are not text.
    Ok(json(Bytes::from(
        serde_json::to_vec(&parts).unwrap_or_default(),
    )))
}

pub(super) async fn horns(State(door): State<Door>) -> Result<Response, Problem> {
    ask(&door, Question::Horns).await.map(json)
}

/// What `/api/v1/tags` may be asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    device: Option<String>,
}

pub(super) async fn tags(
    State(door): State<Door>,
    which: Result<Query<Which>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Ok(Query(which)) = which else {
        return Err(
            Problem::new(StatusCode::BAD_REQUEST, "only `device` can be asked for")
                .hint("write /api/v1/tags?device=ID, or /api/v1/tags for all devices"),
        );
    };
    let Some(id) = which.device else {
        return all_tags(door).await;
    };
    let devices = (0..).map(DeviceIndex).zip(&door.plant.devices);
    let Some((device, _)) = devices.into_iter().find(|(_, device)| *device.id == *id) else {
        return Err(
            Problem::new(StatusCode::NOT_FOUND, format!("there is no device `{id}`"))
                .hint("/api/v1/devices lists them"),
        );
    };
    ask(&door, Question::Tags(device)).await.map(json)
}

/// The tags of all devices, asked for and sent device by device: there may be tens of thousands.
async fn all_tags(door: Door) -> Result<Response, Problem> {
    let mut devices = (0..).map(DeviceIndex).zip(&door.plant.devices);
    let first = match devices.next() {
        Some((first, _)) => ask(&door, Question::Tags(first)).await?,
        None => Bytes::from_static(b"[]"),
    };
    let (chunks, sent) = mpsc::channel(1);
    tokio::spawn(async move {
        let whole = timeout(ALL_TAGS, send_tags(&door, first, &chunks)).await;
        if !matches!(whole, Ok(Ok(()))) {
            // Cuts the answer off, so that nobody takes it for whole.
            let _ = chunks.send(Err(CutOff)).await;
        }
    });
    Ok(json_of(StatusCode::OK, Body::new(Chunks(sent))))
}

/// The client has gone, or the engine does not answer.
struct Broken;

/// Makes one list of those of all devices.
async fn send_tags(door: &Door, first: Bytes, to: &Sending) -> Result<(), Broken> {
    let mut list = first;
    let mut before: &[u8] = b"[";
    for index in 1.. {
        let inside = list.slice(1..list.len() - 1);
        if !inside.is_empty() {
            send(to, Bytes::from_static(before)).await?;
            send(to, inside).await?;
            before = b",\n";
        }
        if index >= door.plant.devices.len() {
            break;
        }
        let device = DeviceIndex(u16::try_from(index).map_err(|_| Broken)?);
        let answer = door.asks.ask(Question::Tags(device)).await;
        list = answer.map_err(|NoAnswer| Broken)?;
    }
    let end: &[u8] = if before == b"[" { b"[]" } else { b"]" };
    send(to, Bytes::from_static(end)).await
}

type Sending = mpsc::Sender<Result<Bytes, CutOff>>;

async fn send(to: &Sending, chunk: Bytes) -> Result<(), Broken> {
    to.send(Ok(chunk)).await.map_err(|_| Broken)
}

/// A body in pieces, as they come.
struct Chunks(mpsc::Receiver<Result<Bytes, CutOff>>);

#[derive(Debug)]
struct CutOff;

impl std::fmt::Display for CutOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the answer could not be finished")
    }
}

impl std::error::Error for CutOff {}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        let chunk = self.0.poll_recv(cx);
        chunk.map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

async fn ask(door: &Door, question: Question) -> Result<Bytes, Problem> {
    let answer = door.asks.ask(question).await;
    answer.map_err(|NoAnswer| Problem::busy("the engine does not answer"))
}

pub(super) async fn unknown(uri: Uri) -> Problem {
    let what = format!("there is no {}", uri.path());
    Problem::new(StatusCode::NOT_FOUND, what).hint(
        "/api/v1/status, /api/v1/devices, /api/v1/alarms, /api/v1/tags, POST /api/v1/samples, /metrics, /healthz, /readyz",
    )
}

pub(super) async fn wrong_method(method: Method, uri: Uri) -> Response {
    let what = format!("{} does not take {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, what).into_response()
}
