//! One connection to a machine that speaks HTTP/1.1, or 1.0.

use crate::settings::HttpGet;
use crate::web::{self, AGENT, Line};
use andon_core::sample::Reason;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, HOST, LOCATION, USER_AGENT};
use hyper::{Request, Response};
use std::fmt;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// An open connection.
pub(super) struct Connection {
    line: Line,
    max_payload: usize,
    deadline_of: Duration,
    /// It has answered before.
    pub(super) served: bool,
    /// Something of an answer is left in it.
    spoilt: bool,
}

/// What a machine answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The page.
    Document(Bytes),
    /// The page is elsewhere.
    Moved(String),
    /// It is larger than is looked at.
    TooLong,
    /// A status that is no success.
    Status(u16),
}

/// Why there is no answer. After any of these the connection is of no use.
#[derive(Debug)]
pub(super) enum Fault {
    /// Nothing in this time.
    Timeout(Duration),
    /// The connection is gone.
    Lost(String),
    /// What came is no HTTP.
    Unfit(String),
}

impl Fault {
    pub(super) const fn reason(&self) -> Reason {
        match self {
            Fault::Timeout(_) => Reason::Timeout,
            Fault::Lost(_) => Reason::Disconnected,
            Fault::Unfit(_) => Reason::BadAnswer,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Timeout(patience) => write!(f, "no answer within {patience:?}"),
            Fault::Lost(why) => write!(f, "connection lost: {why}"),
            Fault::Unfit(why) => write!(f, "what it answers is not HTTP: {why}"),
        }
    }
}

impl Connection {
    /// Connects, with TLS if the link wants it; why not, in words.
    pub(super) async fn open(link: &HttpGet) -> Result<Connection, String> {
        match timeout(link.timeout, connect(link)).await {
            Ok(connection) => connection,
            Err(_) => Err(format!(
                "no connection within {:?}; check cable, address and route",
                link.timeout
            )),
        }
    }

    /// Asks for a page, until `deadline`.
    pub(super) async fn get(&mut self, path: &str, deadline: Instant) -> Result<Answer, Fault> {
        match timeout_at(deadline, self.exchange(path)).await {
            Ok(answer) => answer,
            Err(_) => Err(Fault::Timeout(self.deadline_of)),
        }
    }

    /// Whether another page can be asked for.
    pub(super) fn is_open(&self) -> bool {
        !self.spoilt && !self.line.sender.is_closed()
    }

    async fn exchange(&mut self, path: &str) -> Result<Answer, Fault> {
        let mut request = Request::get(path)
            .header(HOST, &self.line.host)
            .header(USER_AGENT, AGENT)
            .header(ACCEPT, "*/*");
        if let Some(authorization) = &self.line.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Full::default());
        let request = request.map_err(|error| Fault::Unfit(error.to_string()))?;
        self.line
            .sender
            .ready()
            .await
            .map_err(|error| fault(&error))?;
        let response = self.line.sender.send_request(request).await;
        let response = response.map_err(|error| fault(&error))?;
        self.served = true;
        let status = response.status();
        let location = response
            .headers()
            .get(LOCATION)
            .and_then(|location| location.to_str().ok())
            .map(str::to_owned);
        // Errors have a page too; it must be out of the way of the next answer.
        let body = self.body(response).await?;
        Ok(match (status.as_u16(), location, body) {
            (301 | 302 | 303 | 307 | 308, Some(location), _) => Answer::Moved(location),
            (200..=299, _, Some(document)) => Answer::Document(document),
            (200..=299, _, None) => Answer::TooLong,
            (status, ..) => Answer::Status(status),
        })
    }

    /// The body; none if it is larger than is looked at.
    async fn body(&mut self, response: Response<Incoming>) -> Result<Option<Bytes>, Fault> {
        let whole = Limited::new(response.into_body(), self.max_payload)
            .collect()
            .await;
        match whole {
            Ok(body) => Ok(Some(body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => {
                self.spoilt = true;
                Ok(None)
            }
            Err(error) => Err(match error.downcast_ref() {
                Some(error) => fault(error),
                None => Fault::Lost(error.to_string()),
            }),
        }
    }
}

fn fault(error: &hyper::Error) -> Fault {
    if error.is_parse() {
        Fault::Unfit(error.to_string())
    } else {
        Fault::Lost(error.to_string())
    }
}

async fn connect(link: &HttpGet) -> Result<Connection, String> {
    Ok(Connection {
        line: web::connect(&link.server).await?,
        max_payload: link.max_payload,
        deadline_of: link.timeout,
        served: false,
        spoilt: false,
    })
}
