//! One connection to a machine that speaks HTTP/1.1, or 1.0.

use crate::broker;
use crate::settings::{Broker, HttpGet};
use andon_core::sample::Reason;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{ACCEPT, AUTHORIZATION, HOST, HeaderValue, LOCATION, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

/// Bytes of the head of an answer.
const HEAD: usize = 32 * 1024;

/// Who asks.
const AGENT: &str = concat!("andon/", env!("CARGO_PKG_VERSION"));

/// An open connection.
pub(super) struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    /// Moves the bytes; it ends with the connection, at the latest when this is dropped.
    _driver: JoinSet<()>,
    host: HeaderValue,
    authorization: Option<HeaderValue>,
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
        !self.spoilt && !self.sender.is_closed()
    }

    async fn exchange(&mut self, path: &str) -> Result<Answer, Fault> {
        let mut request = Request::get(path)
            .header(HOST, &self.host)
            .header(USER_AGENT, AGENT)
            .header(ACCEPT, "*/*");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Empty::new());
        let request = request.map_err(|error| Fault::Unfit(error.to_string()))?;
        self.sender.ready().await.map_err(|error| fault(&error))?;
        let response = self.sender.send_request(request).await;
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
    let server = &link.server;
    let (authorization, tls) = secrets(server).await?;
    let stream = TcpStream::connect((server.host.as_str(), server.port))
        .await
        .map_err(|error| explain(&error))?;
    // It only makes requests faster.
    let _ = stream.set_nodelay(true);
    let (sender, driver) = match tls {
        None => shake_hands(stream).await?,
        Some(config) => {
            let name = ServerName::try_from(server.host.clone())
                .map_err(|_| "TLS needs a host name that a certificate can name".to_owned())?;
            let stream = TlsConnector::from(config).connect(name, stream).await;
            shake_hands(stream.map_err(|error| explain(&error))?).await?
        }
    };
    Ok(Connection {
        sender,
        _driver: driver,
        host: host(server)?,
        authorization,
        max_payload: link.max_payload,
        deadline_of: link.timeout,
        served: false,
        spoilt: false,
    })
}

/// What lies in files, read anew for each connection.
async fn secrets(
    server: &Broker,
) -> Result<(Option<HeaderValue>, Option<Arc<ClientConfig>>), String> {
    if server.username.is_none() && server.tls.is_none() {
        return Ok((None, None));
    }
    let server = server.clone();
    let read = move || {
        let in_words = |error: broker::BrokerError| error.to_string();
        let password = broker::password(&server).map_err(in_words)?;
        let authorization = server.username.as_ref().map(|username| {
            let mut value = HeaderValue::from_str(&basic(username, &password))
                .map_err(|error| error.to_string())?;
            value.set_sensitive(true);
            Ok::<_, String>(value)
        });
        let tls = server.tls.as_ref().map(broker::tls_config).transpose();
        Ok((
            authorization.transpose()?,
            tls.map_err(in_words)?.map(Arc::new),
        ))
    };
    tokio::task::spawn_blocking(read)
        .await
        .unwrap_or_else(|error| Err(error.to_string()))
}

async fn shake_hands(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<(SendRequest<Empty<Bytes>>, JoinSet<()>), String> {
    let (sender, connection) = Builder::new()
        .max_buf_size(HEAD)
        // Firmware writes headers as it likes.
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .ignore_invalid_headers_in_responses(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let mut driver = JoinSet::new();
    driver.spawn(async {
        if let Err(error) = connection.await {
            tracing::debug!("an HTTP connection ended: {error}");
        }
    });
    Ok((sender, driver))
}

fn host(server: &Broker) -> Result<HeaderValue, String> {
    let default = if server.tls.is_some() { 443 } else { 80 };
    let mut host = match server.host.contains(':') {
        true => format!("[{}]", server.host),
        false => server.host.clone(),
    };
    if server.port != default {
        host += &format!(":{}", server.port);
    }
    HeaderValue::from_str(&host).map_err(|error| error.to_string())
}

fn explain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => {
            "nothing listens there; is the machine on, is the port right?".to_owned()
        }
        _ => broker::explain_stream(error),
    }
}

/// The credentials of HTTP's basic authentication (RFC 7617).
fn basic(username: &str, password: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("Basic ");
    for group in format!("{username}:{password}").as_bytes().chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at)) as usize & 63];
            text.push(if at <= group.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_written_as_the_standard_has_them() {
        // RFC 7617, §2 and §2.1.
        assert_eq!(
            basic("Aladdin", "open sesame"),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
        assert_eq!(basic("test", "123\u{a3}"), "Basic dGVzdDoxMjPCow==");
        assert_eq!(basic("ab", "cde"), "Basic YWI6Y2Rl");
        assert_eq!(basic("ab", "cd"), "Basic YWI6Y2Q=");
    }
}
