//! How to reach the broker: options for rumqttc, made anew for every connection from the settings
//! and the files they name, and what went wrong in words that say what to check.
//!
//! rumqttc asserts on options it does not like; nothing that comes from outside reaches such an
//! assertion from here.

use crate::secret;
use crate::settings::Broker;
use crate::tls::{self, FileError};
use rumqttc::{
    ConnectReturnCode, ConnectionError, LastWill, MqttOptions, NetworkOptions, StateError,
    TlsConfiguration, TlsError, Transport, mqttbytes,
};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A ping is sent after this long; a half-open connection is noticed after twice as long.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Deadline in seconds of connecting, and of each write: a cellular modem may need most of it.
const NETWORK_TIMEOUT_S: u64 = 30;

/// What rumqttc lets be on its way. It reuses packet ids beyond, so everything here stays well
/// under it.
pub(crate) const INFLIGHT: u16 = 100;

/// Room that a packet needs besides its payload: the longest topic and the headers.
const PACKET_HEAD: usize = 66_000;

/// Options for one connection. Reads the password and certificate files, so it may block.
pub(crate) fn options(
    broker: &Broker,
    client_id: &str,
    largest_payload: usize,
    will: Option<LastWill>,
) -> Result<MqttOptions, FileError> {
    let mut options = MqttOptions::new(client_id, host_of(broker), broker.port);
    options
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_session(true)
        .set_inflight(INFLIGHT)
        .set_max_packet_size(10 * 1024, largest_payload.saturating_add(PACKET_HEAD));
    if let Some(will) = will {
        options.set_last_will(will);
    }
    if let Some((username, password)) = login(broker)? {
        options.set_credentials(username, password);
    }
    if let Some(tls) = &broker.tls {
        let config = tls::config(tls)?;
        options.set_transport(Transport::Tls(TlsConfiguration::Rustls(Arc::new(config))));
    }
    Ok(options)
}

/// Options of the socket.
pub(crate) fn network_options() -> NetworkOptions {
    let mut options = NetworkOptions::new();
    options.set_connection_timeout(NETWORK_TIMEOUT_S);
    options.set_tcp_nodelay(true);
    options
}

/// rumqttc joins host and port with a colon, so an IPv6 address needs its brackets.
fn host_of(broker: &Broker) -> String {
    if broker.host.contains(':') && !broker.host.starts_with('[') {
        format!("[{}]", broker.host)
    } else {
        broker.host.clone()
    }
}

/// User name and password of a server; nothing where there are none. Reads their files, so it may block.
pub(crate) fn login(broker: &Broker) -> Result<Option<(String, String)>, FileError> {
    let read = |key, file: &Path| secret::read(file).map_err(|why| FileError::new(key, file, &why));
    let username = match (&broker.username_file, &broker.username) {
        (Some(file), _) => read("username_file", file)?,
        (None, Some(username)) => username.clone(),
        (None, None) => return Ok(None),
    };
    let password = match &broker.password_file {
        Some(file) => read("password_file", file)?,
        None => String::new(),
    };
    Ok(Some((username, password)))
}

/// What a connection ended with, and what to check. `own` is what this side shows of itself.
pub(crate) fn explain(error: &ConnectionError, own: Option<&str>) -> String {
    match error {
        ConnectionError::NetworkTimeout => format!(
            "no answer within {NETWORK_TIMEOUT_S} s; check the network, the firewall and the port"
        ),
        ConnectionError::FlushTimeout => {
            format!("it took nothing off the connection for {NETWORK_TIMEOUT_S} s")
        }
        ConnectionError::ConnectionRefused(code) => explain_refusal(*code).to_owned(),
        ConnectionError::Tls(TlsError::TLS(error)) => tls::explain(error, own),
        ConnectionError::Tls(TlsError::DNSName(_)) => {
            "TLS needs a host name or a bare address that a certificate can name".to_owned()
        }
        ConnectionError::Tls(TlsError::Io(error))
        | ConnectionError::Io(error)
        | ConnectionError::MqttState(
            StateError::Io(error) | StateError::Deserialization(mqttbytes::Error::Io(error)),
        ) => explain_stream(error, own),
        ConnectionError::Tls(other) => format!("TLS: {other}"),
        ConnectionError::MqttState(StateError::ConnectionAborted) => closed(own),
        ConnectionError::MqttState(StateError::AwaitPingResp) => {
            "it does not answer pings any more".to_owned()
        }
        ConnectionError::NotConnAck(_) => {
            "what listens there does not speak MQTT; check the port".to_owned()
        }
        other => other.to_string(),
    }
}

const fn explain_refusal(code: ConnectReturnCode) -> &'static str {
    match code {
        ConnectReturnCode::BadUserNamePassword => {
            "it refused the user name or password; check username and password_file"
        }
        ConnectReturnCode::NotAuthorized => {
            "it does not let this client in; check username, password_file and the broker's rules"
        }
        ConnectReturnCode::BadClientId => {
            "it refused the client id, which is the gateway's id; check the broker's rules"
        }
        ConnectReturnCode::RefusedProtocolVersion => "it does not speak MQTT 3.1.1",
        ConnectReturnCode::ServiceUnavailable => "it says that its service is unavailable",
        ConnectReturnCode::Success => "it accepted the connection and failed afterwards",
    }
}

/// What a stream ended with, and what to check. `own` is what this side shows of itself.
pub(crate) fn explain_stream(error: &std::io::Error, own: Option<&str>) -> String {
    use std::io::ErrorKind;
    if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        return tls::explain(error, own);
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => {
            "nothing listens there; is the broker running, is the port right?".to_owned()
        }
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => {
            closed(own)
        }
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            format!("{error}; check cable, address and route")
        }
        _ => format!("{error}; check host name and network"),
    }
}

/// Some servers hang up without a word on a certificate that they do not accept.
fn closed(own: Option<&str>) -> String {
    match own {
        Some(own) => {
            format!("it closed the connection; its log says why. It was shown cert_file {own}")
        }
        None => "it closed the connection; its log says why".to_owned(),
    }
}
