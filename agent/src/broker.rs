//! How to reach the broker: options for rumqttc, made anew for every connection from the settings
//! and the files they name, and what went wrong in words that say what to check.
//!
//! rumqttc asserts on options it does not like; nothing that comes from outside reaches such an
//! assertion from here.

use crate::clock;
use crate::settings::{Broker, Tls};
use rumqttc::{
    ConnectReturnCode, ConnectionError, LastWill, MqttOptions, NetworkOptions, StateError,
    TlsConfiguration, TlsError, Transport,
};
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use std::fmt;
use std::path::{Path, PathBuf};
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

/// Where distributions keep the authorities that the system trusts.
const SYSTEM_ROOTS: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
];

/// Options for one connection. Reads the password and certificate files, so it may block.
pub(crate) fn options(
    broker: &Broker,
    client_id: &str,
    largest_payload: usize,
    will: Option<LastWill>,
) -> Result<MqttOptions, BrokerError> {
    let mut options = MqttOptions::new(client_id, host_of(broker), broker.port);
    options
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_session(true)
        .set_inflight(INFLIGHT)
        .set_max_packet_size(10 * 1024, largest_payload.saturating_add(PACKET_HEAD));
    if let Some(will) = will {
        options.set_last_will(will);
    }
    if let Some(username) = &broker.username {
        options.set_credentials(username, password(broker)?);
    }
    if let Some(tls) = &broker.tls {
        let config = tls_config(tls)?;
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

/// What the password file holds; nothing if there is none. It may block.
pub(crate) fn password(broker: &Broker) -> Result<String, BrokerError> {
    let Some(file) = &broker.password_file else {
        return Ok(String::new());
    };
    let text = std::fs::read_to_string(file)
        .map_err(|error| BrokerError::new("password_file", file, &error))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// How TLS connections are verified and encrypted. Reads certificates, so it may block.
pub(crate) fn tls_config(tls: &Tls) -> Result<ClientConfig, BrokerError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = Arc::new(read_roots(tls)?);
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
        .build()
        .map_err(|error| BrokerError::plain("ca_file", &error))?;
    let config = client_config(provider)?.with_webpki_verifier(verifier);
    let (cert_file, key_file) = match (&tls.cert_file, &tls.key_file) {
        (Some(cert_file), Some(key_file)) => (cert_file, key_file),
        (None, None) => return Ok(config.with_no_client_auth()),
        _ => {
            let why = "cert_file and key_file belong together; give both or neither";
            return Err(BrokerError::plain("upstream", &why));
        }
    };
    let key = PrivateKeyDer::from_pem_file(key_file)
        .map_err(|error| BrokerError::new("key_file", key_file, &error))?;
    config
        .with_client_auth_cert(read_certificates("cert_file", cert_file)?, key)
        .map_err(|error| BrokerError::new("cert_file", cert_file, &error))
}

fn client_config(
    provider: Arc<CryptoProvider>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, BrokerError> {
    ClientConfig::builder_with_details(provider, Arc::new(AgentClock))
        .with_safe_default_protocol_versions()
        .map_err(|error| BrokerError::plain("TLS", &error))
}

fn read_roots(tls: &Tls) -> Result<RootCertStore, BrokerError> {
    let file = match &tls.ca_file {
        Some(file) => file.clone(),
        None => system_roots()?,
    };
    let mut roots = RootCertStore::empty();
    let (added, ignored) = roots.add_parsable_certificates(read_certificates("ca_file", &file)?);
    if added == 0 {
        let why = format!("none of its {ignored} certificates can be used as an authority");
        return Err(BrokerError::new("ca_file", &file, &why));
    }
    Ok(roots)
}

fn system_roots() -> Result<PathBuf, BrokerError> {
    let found = SYSTEM_ROOTS
        .iter()
        .map(Path::new)
        .find(|file| file.is_file());
    found.map(Path::to_path_buf).ok_or_else(|| {
        let why = "this system has no list of trusted authorities (package ca-certificates); \
                   name the broker's with ca_file";
        BrokerError::plain("ca_file", &why)
    })
}

fn read_certificates(
    key: &'static str,
    file: &Path,
) -> Result<Vec<CertificateDer<'static>>, BrokerError> {
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| BrokerError::new(key, file, &error))?;
    if certificates.is_empty() {
        return Err(BrokerError::new(
            key,
            file,
            &"there is no PEM certificate in it",
        ));
    }
    Ok(certificates)
}

/// rustls asks the agent's clock, which never shows a time before the agent was built.
#[derive(Debug)]
struct AgentClock;

impl TimeProvider for AgentClock {
    fn current_time(&self) -> Option<UnixTime> {
        let wall = clock::now().wall.max(clock::EARLIEST);
        let ms = u64::try_from(wall.0).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_millis(ms)))
    }
}

/// Why no connection can even be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BrokerError {
    /// The key of `[upstream]` it is about.
    key: &'static str,
    file: Option<PathBuf>,
    why: String,
}

impl BrokerError {
    fn new(key: &'static str, file: &Path, why: &dyn fmt::Display) -> BrokerError {
        BrokerError {
            key,
            file: Some(file.to_path_buf()),
            why: why.to_string(),
        }
    }

    fn plain(key: &'static str, why: &dyn fmt::Display) -> BrokerError {
        BrokerError {
            key,
            file: None,
            why: why.to_string(),
        }
    }
}

impl fmt::Display for BrokerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{} {}: {}", self.key, file.display(), self.why),
            None => write!(f, "{}: {}", self.key, self.why),
        }
    }
}

/// What a connection ended with, and what to check.
pub(crate) fn explain(error: &ConnectionError) -> String {
    match error {
        ConnectionError::NetworkTimeout => format!(
            "no answer within {NETWORK_TIMEOUT_S} s; check the network, the firewall and the port"
        ),
        ConnectionError::FlushTimeout => {
            format!("it took nothing off the connection for {NETWORK_TIMEOUT_S} s")
        }
        ConnectionError::ConnectionRefused(code) => explain_refusal(*code).to_owned(),
        ConnectionError::Tls(error) => explain_tls(error),
        ConnectionError::Io(error) => explain_io(error),
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            "it closed the connection; its log says why".to_owned()
        }
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

fn explain_io(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => {
            "nothing listens there; is the broker running, is the port right?".to_owned()
        }
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => {
            "it closed the connection; its log says why".to_owned()
        }
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            format!("{error}; check cable, address and route")
        }
        _ => format!("{error}; check host name and network"),
    }
}

/// What a TLS stream ended with, and what to check.
pub(crate) fn explain_stream(error: &std::io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(why)) => explain_certificate(why),
        Some(other) => format!("TLS: {other}"),
        None => explain_io(error),
    }
}

fn explain_tls(error: &TlsError) -> String {
    match error {
        TlsError::TLS(rustls::Error::InvalidCertificate(why)) => explain_certificate(why),
        TlsError::Io(error) => explain_stream(error),
        TlsError::DNSName(_) => {
            "TLS needs a host name or a bare address that a certificate can name".to_owned()
        }
        other => format!("TLS: {other}"),
    }
}

fn explain_certificate(why: &CertificateError) -> String {
    let hint = match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate was not issued by an authority in ca_file, or without that by any which \
             the system trusts"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name; check the host in its address"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired; check the gateway's clock too"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet; is the gateway's clock set?"
        }
        _ => "its certificate cannot be accepted",
    };
    format!("{hint} ({why})")
}
