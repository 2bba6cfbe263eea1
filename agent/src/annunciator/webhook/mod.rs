//! Messages to robots of WeCom (企业微信), DingTalk (钉钉) and Feishu (飞书), and to programs as JSON.
//!
//! One message is one request on a connection of its own. Files are read anew for each, so that a new
//! address or secret needs no restart. No text that people see has a secret in it: neither the address
//! nor what is signed.

mod address;
mod answer;
mod robot;
mod sign;
mod test;

pub use test::{Options, command};

use crate::annunciator::{Message, Told};
use crate::clock;
use crate::secret;
use crate::settings::{Address, Broker, Place, Webhook};
use crate::web::{self, AGENT};
use andon_core::time::ClockState;
use answer::Verdict;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_TYPE, DATE, HOST, HeaderMap, RETRY_AFTER, USER_AGENT,
};
use hyper::{Request, Response, body::Incoming};
use robot::Post;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Bytes of an answer that are looked at.
const ANSWER: usize = 16 * 1024;

/// A robot is not left alone for longer, whatever it says.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// By so much the gateway's clock must be off for the server's to be tried instead.
const CLOCK_OFF_MS: u64 = 60_000;

/// Sends a message; what became of it.
pub(crate) async fn send(webhook: &Webhook, message: &Message) -> Told {
    let secrets = match Secrets::read(webhook).await {
        Ok(secrets) => secrets,
        // Somebody may be about to put the file there.
        Err(why) => return Told::failed(why),
    };
    let now = clock::now();
    let (verdict, date) = attempt(webhook, &secrets, message, now.wall.0).await;
    if !verdict.is_of_time {
        return verdict.told;
    }
    // The server says in each answer what time it is. A gateway whose clock is not set need not be
    // silent for that.
    let off = |date: &i64| date.abs_diff(now.wall.0) > CLOCK_OFF_MS;
    let told = match date.filter(off) {
        Some(date) => attempt(webhook, &secrets, message, date).await.0.told,
        None => verdict.told,
    };
    match told {
        Told::Setup(why) if now.clock == ClockState::Unsynced => {
            Told::Setup(format!("{why} (it is not set at the moment)"))
        }
        told => told,
    }
}

/// What lies in the files of a webhook.
struct Secrets {
    address: Address,
    secret: Option<String>,
    token: Option<String>,
}

impl Secrets {
    async fn read(webhook: &Webhook) -> Result<Secrets, String> {
        let (place, files) = (
            webhook.place.clone(),
            [webhook.secret_file.clone(), webhook.token_file.clone()],
        );
        let read = move || {
            let address = match place {
                Place::Open(address) => address,
                Place::File(file) => {
                    let text = read("url_file", &file)?;
                    Address::parse(&text).ok_or_else(|| {
                        format!(
                            "url_file {}: it must hold the address alone, as it is copied from the \
                             robot: https://...",
                            file.display()
                        )
                    })?
                }
            };
            let [secret, token] = files;
            let read_if =
                |key, file: Option<PathBuf>| file.map(|file| read(key, &file)).transpose();
            Ok(Secrets {
                address,
                secret: read_if("secret_file", secret)?,
                token: read_if("token_file", token)?,
            })
        };
        match tokio::task::spawn_blocking(read).await {
            Ok(done) => done,
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The one line that a file holds.
fn read(key: &str, file: &Path) -> Result<String, String> {
    let text = secret::read(file).map_err(|why| format!("{key} {}: {why}", file.display()))?;
    let line = text.trim();
    if line.is_empty() || line.chars().any(char::is_control) {
        return Err(format!("{key} {}: it must hold one line", file.display()));
    }
    Ok(line.to_owned())
}

/// Makes one request, signed for the moment `ms`; what is answered, and what time it is there.
async fn attempt(
    webhook: &Webhook,
    secrets: &Secrets,
    message: &Message,
    ms: i64,
) -> (Verdict, Option<i64>) {
    let post = robot::post(webhook, message, ms, secrets.secret.as_deref());
    let deadline = Instant::now() + webhook.timeout;
    match exchange(webhook, secrets, post, deadline).await {
        Ok(reply) => {
            let after = after(&reply.headers);
            let verdict = answer::verdict(webhook.product, reply.status, &reply.body, after);
            (verdict, date(&reply.headers))
        }
        Err(told) => (told.into(), None),
    }
}

struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

async fn exchange(
    webhook: &Webhook,
    secrets: &Secrets,
    post: Post,
    deadline: Instant,
) -> Result<Reply, Told> {
    let Address {
        tls, host, port, ..
    } = &secrets.address;
    let server = Broker {
        host: host.clone(),
        port: *port,
        tls: tls.then(|| webhook.tls.clone()),
        username: None,
        username_file: None,
        password_file: None,
    };
    let seconds = webhook.timeout.as_secs();
    let at = |why: String| Told::failed(format!("{host}:{port}: {why}"));
    let line = match timeout_at(deadline, web::connect(&server)).await {
        Ok(line) => line.map_err(at)?,
        Err(_) => {
            let why =
                format!("no connection within {seconds} s; check network, route and firewall");
            return Err(at(why));
        }
    };
    let path = secrets.address.path_with(post.query.as_deref());
    let mut request = Request::post(path)
        .header(HOST, &line.host)
        .header(USER_AGENT, AGENT)
        .header(CONNECTION, "close")
        .header(CONTENT_TYPE, "application/json; charset=utf-8");
    for (name, value) in post.headers {
        request = request.header(name, value);
    }
    if let Some(token) = &secrets.token {
        let value = web::sensitive(&format!("Bearer {token}")).map_err(Told::Setup)?;
        request = request.header(AUTHORIZATION, value);
    }
    let request = request
        .body(Full::from(post.body))
        .map_err(|error| Told::Refused(error.to_string()))?;
    let mut sender = line.sender;
    let answered = timeout_at(deadline, async {
        let response = sender.send_request(request).await?;
        Ok::<_, hyper::Error>(whole(response).await)
    });
    match answered.await {
        Ok(Ok(reply)) => Ok(reply),
        // It was never written.
        Ok(Err(error)) if error.is_canceled() => Err(at(format!("connection lost: {error}"))),
        Ok(Err(error)) => Err(Told::Unknown(format!(
            "{host}:{port} has taken the message and then closed the connection without an answer \
             ({error})"
        ))),
        Err(_) => Err(Told::Unknown(format!(
            "{host}:{port} has taken the message and has not answered within {seconds} s"
        ))),
    }
}

/// The answer with as much of its body as there is and is looked at: its status says enough.
async fn whole(response: Response<Incoming>) -> Reply {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, ANSWER).collect().await;
    Reply {
        status: head.status.as_u16(),
        headers: head.headers,
        body: body.map(|body| body.to_bytes()).unwrap_or_default(),
    }
}

/// How long the server wants to be left alone.
fn after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse();
    Some(Duration::from_secs(seconds.ok()?).min(LONGEST_PAUSE))
}

/// What time the server says it is, in milliseconds UTC (RFC 9110, §6.6.1).
fn date(headers: &HeaderMap) -> Option<i64> {
    let text = headers.get(DATE)?.to_str().ok()?;
    let time = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text);
    Some(time.ok()?.as_millisecond())
}

#[cfg(test)]
mod tests;
