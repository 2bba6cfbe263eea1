//! `GET /control/board` and `POST /control/board/test`: the I/O board, for `andon board`. Answered on the
//! control socket only.

use super::Door;
use super::answer::{Problem, json};
use crate::board::desk::Desk;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;

pub(super) async fn info(State(door): State<Door>) -> Result<Response, Problem> {
    let figures = desk(&door)?.figures();
    let told = serde_json::to_vec(&figures);
    let told =
        told.map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(json(Bytes::from(told)))
}

pub(super) async fn test(State(door): State<Door>) -> Result<Response, Problem> {
    match desk(&door)?.test().await {
        Ok(()) => Ok(json(Bytes::from_static(b"{}"))),
        Err(why) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, why)),
    }
}

fn desk(door: &Door) -> Result<&Desk, Problem> {
    door.board.as_ref().ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "the running agent has no [board]")
            .hint("add `[board]` with its `port` to its configuration, and restart it")
    })
}
