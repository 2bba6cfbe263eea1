//! `POST /api/v1/samples`: readings that scripts push.
//!
//! - The token is looked at before the body: it says which link the script may push to.
//! - Of a body everything is taken or nothing. What is answered with 200 is with the engine.
//! - [`AT_ONCE`] requests are worked on at a time, so that bodies stay within the memory plan; the
//!   others wait for a moment.
//! - The link is up from the first push. It cannot be told from silence that a script has ended:
//!   that is `no_data` of its devices.

use super::Door;
use super::answer::{Problem, json};
use crate::clock;
use crate::field::push::{self, PushError, Pushed};
use crate::field::{FromField, outlet::NotTaken, outlet::Outlet};
use crate::settings::{LinkKind, Settings};
use crate::tokens::{self, TokenFile};
use andon_core::tag::LinkIndex;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Serialize;
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit, mpsc, watch};
use tokio::time::timeout;

/// Bytes of a body.
pub const LARGEST_BODY: usize = 256 * 1024;

/// Requests that are worked on at a time.
pub const AT_ONCE: usize = 4;

/// Devices in one body: each is one message to the engine, whose queue must be able to hold all.
const MOST_DEVICES: usize = 500;

/// Time for a body, from its first byte to its last.
const BODY: Duration = Duration::from_secs(10);

/// A request waits so long for its turn, and so long for room in the engine's queue.
const WAIT: Duration = Duration::from_secs(2);

/// The links that scripts push to.
#[derive(Debug)]
pub struct Scripts {
    links: Vec<Link>,
    turns: Semaphore,
    stop: watch::Receiver<bool>,
}

#[derive(Debug)]
struct Link {
    index: LinkIndex,
    token_file: TokenFile,
    outlet: Mutex<Outlet>,
}

/// What was taken.
#[derive(Debug, Serialize)]
struct Taken {
    devices: usize,
    readings: usize,
    /// Of the readings: those that are bad, such as a text where a number belongs.
    bad: usize,
}

impl Scripts {
    /// The links of `settings` that scripts push to, until `stop` becomes true; what they push
    /// goes to `tx`. Tokens that do not exist are written.
    pub async fn open(
        settings: &Settings,
        tx: &mpsc::Sender<FromField>,
        stop: watch::Receiver<bool>,
    ) -> Scripts {
        let mut links = Vec::new();
        for (link, index) in settings.links.iter().zip(0..) {
            let LinkKind::HttpPush(push) = &link.kind else {
                continue;
            };
            let index = LinkIndex(index);
            let token_file = TokenFile::new(push.token_file.clone(), "token_file", "for scripts");
            let mut outlet = Outlet::new(tx.clone(), index, link.id.clone());
            if let Err(why) = token_file.prepare().await {
                // The engine listens as long as this runs.
                let _ = outlet.down(why).await;
            }
            links.push(Link {
                index,
                token_file,
                outlet: Mutex::new(outlet),
            });
        }
        Scripts {
            links,
            turns: Semaphore::new(AT_ONCE),
            stop,
        }
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, Problem> {
        match timeout(WAIT, self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(Problem::busy("too many scripts push at the same time")),
        }
    }

    /// The link that a token is for.
    async fn link(&self, token: &str) -> Result<&Link, Problem> {
        let mut unreadable = false;
        for link in &self.links {
            match link.token_file.read().await {
                Ok(expected) if tokens::are_same(&expected, token) => return Ok(link),
                Ok(_) => {}
                Err(why) => {
                    unreadable = true;
                    // Gone is gone: the request fails either way.
                    let _ = link.outlet.lock().await.down(why).await;
                }
            }
        }
        if unreadable {
            return Err(Problem::busy("the agent cannot read its token")
                .hint("the link is down and says why: `andon status` on the gateway"));
        }
        tracing::debug!("samples with a wrong token");
        Err(unauthorized("the token is wrong"))
    }
}

/// Takes what a script pushes.
pub(super) async fn samples(
    State(door): State<Door>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    if door.scripts.links.is_empty() {
        return Err(
            Problem::new(StatusCode::NOT_FOUND, "no link takes samples here")
                .hint("add a [[link]] with `http_push = true` and a `token_file`"),
        );
    }
    let Some(token) = bearer(&headers) else {
        return Err(unauthorized("there is no token"));
    };
    let _turn = door.scripts.turn().await?;
    let link = door.scripts.link(token).await?;
    let body = read(body, LARGEST_BODY).await.map_err(in_parts)?;
    let pushed =
        push::samples(&body, &door.plant, &[link.index]).map_err(|error| refused(&error, &body))?;
    drop(body);
    let taken = Taken {
        devices: pushed.len(),
        readings: pushed.iter().map(|pushed| pushed.samples.len()).sum(),
        bad: pushed.iter().map(Pushed::bad).sum(),
    };
    link.take(pushed).await?;
    if *door.scripts.stop.borrow() {
        // The engine may have looked into its queue for the last time before.
        return Err(stopping());
    }
    Ok(json(serde_json::to_vec(&taken).unwrap_or_default().into()))
}

impl Link {
    async fn take(&self, pushed: Vec<Pushed>) -> Result<(), Problem> {
        if pushed.len() > MOST_DEVICES {
            let what = format!("more than {MOST_DEVICES} devices at once");
            return Err(
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, what).hint("send them in parts")
            );
        }
        let at = clock::mono();
        let messages = pushed.into_iter().map(|pushed| FromField::Readings {
            device: pushed.device,
            at,
            readings: pushed.samples,
        });
        let mut outlet = self.outlet.lock().await;
        outlet.up().await.map_err(|_| stopping())?;
        match outlet.send_all(messages.collect(), WAIT).await {
            Ok(()) => Ok(()),
            Err(NotTaken::NoRoom) => Err(Problem::busy("the engine cannot keep up")),
            Err(NotTaken::EngineGone) => Err(stopping()),
        }
    }
}

fn stopping() -> Problem {
    Problem::busy("the agent is stopping")
}

/// The token of `Authorization: Bearer TOKEN`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

fn unauthorized(what: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, what)
        .hint("send `Authorization: Bearer TOKEN` with what the link's token_file holds")
}

/// A whole body of at most `most` bytes.
pub(super) async fn read(body: Body, most: usize) -> Result<Bytes, Problem> {
    let whole = timeout(BODY, Limited::new(body, most).collect()).await;
    match whole {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let what = format!("the body is larger than {} KiB", most / 1024);
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, what))
        }
        Ok(Err(error)) => {
            let what = format!("the body ended early: {error}");
            Err(Problem::new(StatusCode::BAD_REQUEST, what))
        }
        Err(_) => {
            let what = format!("the body took longer than {} s", BODY.as_secs());
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, what))
        }
    }
}

/// A body that is too large can be sent in parts.
fn in_parts(problem: Problem) -> Problem {
    match problem.status {
        StatusCode::PAYLOAD_TOO_LARGE => problem.hint("send it in parts"),
        _ => problem,
    }
}

/// A body of which nothing was taken.
fn refused(error: &PushError, body: &[u8]) -> Problem {
    let status = match error {
        PushError::Device(..) => StatusCode::NOT_FOUND,
        PushError::TooMany(_) | PushError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    };
    Problem {
        at: place(error, body),
        ..Problem::new(status, error.to_string())
    }
}

/// Where in the body, as a JSON pointer (RFC 6901).
fn place(error: &PushError, body: &[u8]) -> Option<String> {
    let (entry, inside) = match error {
        PushError::Device(entry, _) => (entry, "/device".to_owned()),
        PushError::Tag(entry, _, tag) => {
            let tag = tag.replace('~', "~0").replace('/', "~1");
            (entry, format!("/tags/{tag}"))
        }
        PushError::Time(entry, _) => (entry, "/ts".to_owned()),
        PushError::Entry(entry, _) => (entry, String::new()),
        PushError::NotJson(_)
        | PushError::NotEntries
        | PushError::TooMany(_)
        | PushError::TooLarge => return None,
    };
    let is_list = body.trim_ascii_start().first() == Some(&b'[');
    Some(match is_list {
        true => format!("/{entry}{inside}"),
        false => inside,
    })
}
