//! Acting from the plant LAN: what people do to alarms and horns, for whoever has the token of
//! `[http] act_token_file`. Without that key nobody can.
//!
//! - Of a request whatever can be known without it is looked at before its body: the name it was sent
//!   to, the page it comes from, the token. The token is needed on the gateway itself too.
//! - An address that has sent [`MOST_WRONG`] wrong tokens within [`SHUT_OUT`] is answered with 429 until
//!   that time is over, whatever it sends.
//! - Who acts says who they are, and who acknowledges says which occurrence they have seen: on the way
//!   over a network it may have become another.

use super::alarms::{Wish, order, silence_horns, wish};
use super::answer::{Problem, SHUT_OUT_S};
use super::push::{bearer, read};
use super::{Door, serve::Peer};
use crate::run::{Refusals, Remote};
use crate::settings::Http;
use crate::tokens::{self, TokenFile};
use andon_core::alarm::Via;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::routing::post;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Bytes of a body: names, a reason and a few numbers.
pub(super) const LARGEST_BODY: usize = 4096;

/// So many wrong tokens of one address may be mistakes.
pub(super) const MOST_WRONG: u32 = 10;

/// For so long wrong tokens are remembered.
const SHUT_OUT: Duration = Duration::from_secs(SHUT_OUT_S as u64);

/// Of so many addresses.
const ADDRESSES: usize = 64;

/// What is answered to whoever has the token.
pub(super) fn router() -> Router<Door> {
    Router::new()
        .route("/api/v1/alarms/{id}/{verb}", post(act))
        .route("/api/v1/horn/silence", post(silence))
}

async fn act(
    State(door): State<Door>,
    Path((id, verb)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let wish = admitted(&door, request).await?;
    if verb == "ack" && wish.occurrence.is_none() {
        return Err(
            Problem::new(StatusCode::BAD_REQUEST, "which occurrence is acknowledged?")
                .hint("give the `occurrence` that you have seen; GET /api/v1/alarms shows it"),
        );
    }
    order(&door, &id, &verb, wish, Via::Http).await
}

async fn silence(State(door): State<Door>, request: Request) -> Result<Response, Problem> {
    let wish = admitted(&door, request).await?;
    silence_horns(&door, wish, Via::Http).await
}

/// What somebody wishes who may have it done.
async fn admitted(door: &Door, request: Request) -> Result<Wish, Problem> {
    let Some(acting) = &door.acting else {
        return Err(
            Problem::new(StatusCode::FORBIDDEN, "nobody acts from the network")
                .hint("add `act_token_file` to [http], or use `andon` on the gateway"),
        );
    };
    let (head, body) = request.into_parts();
    let peer = head.extensions.get::<Peer>();
    let from = peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |Peer(from)| *from);
    acting.admit(&head.headers, from).await?;
    let json = head.headers.get(header::CONTENT_TYPE);
    let json = json.and_then(|kind| kind.to_str().ok()?.split(';').next());
    if !json.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")) {
        return Err(
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body is not JSON")
                .hint("send `Content-Type: application/json`"),
        );
    }
    let wish = wish(&read(body, LARGEST_BODY).await?)?;
    if wish.by.as_deref().is_none_or(|by| by.trim().is_empty()) {
        return Err(
            Problem::new(StatusCode::BAD_REQUEST, "who wishes it?").hint("give a name as `by`")
        );
    }
    Ok(wish)
}

/// Who may act.
#[derive(Debug)]
pub struct Acting {
    token: TokenFile,
    /// What this machine is called, besides its addresses.
    names: Vec<Box<str>>,
    wrong: Mutex<WrongTokens>,
    refusals: Refusals,
}

impl Acting {
    /// As `http` says, if anybody may; a token that does not exist is written.
    pub async fn open(http: Option<&Http>, refusals: &Refusals) -> Option<Acting> {
        let http = http?;
        let path = http.act_token_file.clone()?;
        let token = TokenFile::new(path, "act_token_file", "for acting");
        if let Err(why) = token.prepare().await {
            // It is read for each request, so that this can be put right meanwhile.
            tracing::error!("nobody can act over HTTP: {why}");
        }
        let names = http.names.iter().cloned();
        Some(Acting {
            token,
            names: names.chain([http.host.as_str().into()]).collect(),
            wrong: Mutex::default(),
            refusals: refusals.clone(),
        })
    }

    /// Whether a request with these headers may act.
    async fn admit(&self, headers: &HeaderMap, from: IpAddr) -> Result<(), Problem> {
        let admitted = self.judge(headers, from).await;
        if let Err(problem) = &admitted {
            self.refusals
                .note(Remote::Http, format_args!("{from}: {}", problem.error));
        }
        admitted
    }

    async fn judge(&self, headers: &HeaderMap, from: IpAddr) -> Result<(), Problem> {
        let host = only(headers, header::HOST).unwrap_or_default();
        if !self.is_called(host_of(host)) {
            let what = "this gateway does not know the name that the request was sent to";
            return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, what)
                .hint("use its address, or add the name to `names` of [http]"));
        }
        if headers.contains_key(header::ORIGIN) && !is_own(headers, host) {
            let what = "pages of other sites may not act";
            return Err(Problem::new(StatusCode::FORBIDDEN, what));
        }
        let Some(token) = bearer(headers) else {
            return Err(unauthorized("there is no token"));
        };
        let expected = self.token.read().await.map_err(|why| {
            tracing::error!("nobody can act over HTTP: {why}");
            Problem::busy("the agent cannot read its token; its log says why")
        })?;
        let is_right = tokens::are_same(&expected, token);
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        match wrong.judge(from, is_right, Instant::now()) {
            Verdict::Right => Ok(()),
            Verdict::Wrong => Err(unauthorized("the token is wrong")),
            Verdict::ShutOut => {
                let what = "too many wrong tokens from this address";
                Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, what)
                    .hint(format!("wait {SHUT_OUT_S} s")))
            }
        }
    }

    /// Whether a machine of the plant would call this one so. A page of another site can have its own
    /// name lead here (DNS rebinding), but neither an address nor a name without a dot.
    fn is_called(&self, host: &str) -> bool {
        let is_local = !host.is_empty() && !host.contains('.');
        let mut names = self.names.iter();
        is_local
            || host.parse::<IpAddr>().is_ok()
            || names.any(|name| host.eq_ignore_ascii_case(name))
    }
}

fn unauthorized(what: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, what)
        .hint("send `Authorization: Bearer TOKEN` with what `act_token_file` of [http] holds")
}

/// A header that stands there once.
fn only(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// The host of `HOST:PORT`.
fn host_of(authority: &str) -> &str {
    if let Some((host, _)) = authority
        .strip_prefix('[')
        .and_then(|it| it.split_once(']'))
    {
        return host;
    }
    authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host)
}

/// Whether the page that a browser sends this from is of the door at `host` itself.
fn is_own(headers: &HeaderMap, host: &str) -> bool {
    let origin = only(headers, header::ORIGIN).and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
}

/// Wrong tokens by the addresses that sent them.
#[derive(Debug, Default)]
struct WrongTokens(Vec<Guesser>);

#[derive(Debug)]
struct Guesser {
    from: IpAddr,
    since: Instant,
    count: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Right,
    Wrong,
    ShutOut,
}

impl WrongTokens {
    /// Somebody at `from` sends a token.
    fn judge(&mut self, from: IpAddr, is_right: bool, now: Instant) -> Verdict {
        self.0.retain(|guesser| now - guesser.since < SHUT_OUT);
        let place = self.0.iter().position(|guesser| guesser.from == from);
        let guesser = place.and_then(|place| self.0.get_mut(place));
        match guesser {
            Some(guesser) if guesser.count >= MOST_WRONG => return Verdict::ShutOut,
            _ if is_right => return Verdict::Right,
            Some(guesser) => guesser.count += 1,
            None => {
                if self.0.len() >= ADDRESSES {
                    self.0.remove(0);
                }
                self.0.push(Guesser {
                    from,
                    since: now,
                    count: 1,
                });
            }
        }
        Verdict::Wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last: u8) -> IpAddr {
        IpAddr::from([10, 1, 3, last])
    }

    #[tokio::test(start_paused = true)]
    async fn who_guesses_is_shut_out_for_a_while_and_nobody_else_is() {
        let mut wrong = WrongTokens::default();
        for _ in 0..MOST_WRONG {
            assert_eq!(wrong.judge(at(1), false, Instant::now()), Verdict::Wrong);
        }
        assert_eq!(wrong.judge(at(1), true, Instant::now()), Verdict::ShutOut);
        assert_eq!(wrong.judge(at(2), true, Instant::now()), Verdict::Right);
        tokio::time::advance(SHUT_OUT - Duration::from_millis(1)).await;
        assert_eq!(wrong.judge(at(1), true, Instant::now()), Verdict::ShutOut);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(wrong.judge(at(1), true, Instant::now()), Verdict::Right);
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_tokens_of_many_addresses_take_no_more_room() {
        let mut wrong = WrongTokens::default();
        for last in 0..200 {
            wrong.judge(at(last), false, Instant::now());
        }
        assert_eq!(wrong.0.len(), ADDRESSES);
        assert!(wrong.0.iter().any(|guesser| guesser.from == at(199)));
    }

    #[test]
    fn the_host_is_what_stands_before_the_port() {
        for (authority, host) in [
            ("10.1.3.1:8080", "10.1.3.1"),
            ("10.1.3.1", "10.1.3.1"),
            ("[fd00::1]:8080", "fd00::1"),
            ("[::1]", "::1"),
            ("gw-1:80", "gw-1"),
            ("", ""),
        ] {
            assert_eq!(host_of(authority), host);
        }
    }
}
