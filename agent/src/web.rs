//! HTTP as a client: one connection to one server (HTTP/1.1, or 1.0).

use crate::base64;
use crate::net::{self, Duplex};
use crate::settings::Broker;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::HeaderValue;
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

/// Bytes of the head of an answer.
const HEAD: usize = 32 * 1024;

/// Who asks.
pub(crate) const AGENT: &str = concat!("andon/", env!("CARGO_PKG_VERSION"));

/// An open connection.
pub(crate) struct Line {
    /// Takes requests.
    pub(crate) sender: SendRequest<Full<Bytes>>,
    /// Moves the bytes; it ends with the connection, at the latest when this is dropped.
    _driver: JoinSet<()>,
    /// What the server is called in requests.
    pub(crate) host: HeaderValue,
    /// User name and password, where there are any.
    pub(crate) authorization: Option<HeaderValue>,
}

/// Connects, with TLS if the server wants it; why not, in words. The caller sets the deadline.
pub(crate) async fn connect(server: &Broker) -> Result<Line, String> {
    let secrets = net::secrets(server).await?;
    let authorization = match &secrets.username {
        Some(username) => Some(sensitive(&basic(username, &secrets.password))?),
        None => None,
    };
    let stream = net::connect(&server.host, server.port).await?;
    let (sender, driver) = match secrets.tls {
        None => shake_hands(stream).await?,
        Some(config) => shake_hands(net::encrypt(stream, config, &server.host).await?).await?,
    };
    Ok(Line {
        sender,
        _driver: driver,
        host: host(server)?,
        authorization,
    })
}

/// The value of a header that no log shows.
pub(crate) fn sensitive(text: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(text).map_err(|error| error.to_string())?;
    value.set_sensitive(true);
    Ok(value)
}

async fn shake_hands(
    stream: impl Duplex + 'static,
) -> Result<(SendRequest<Full<Bytes>>, JoinSet<()>), String> {
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

/// The credentials of HTTP's basic authentication (RFC 7617).
fn basic(username: &str, password: &str) -> String {
    let text = format!("{username}:{password}");
    format!("Basic {}", base64::encode(text.as_bytes()))
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
    }
}
