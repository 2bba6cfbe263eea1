//! A connection to a server that the configuration names, encrypted where it says so. Files are read
//! anew for each connection, so that replacing them is enough.

use crate::broker;
use crate::settings::Broker;
use crate::tls::{self, FileError};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What is written to and read from, encrypted or not.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// What lies in the files of a server.
pub(crate) struct Secrets {
    /// The user name, where there is one.
    pub(crate) username: Option<String>,
    /// The password; nothing without a file.
    pub(crate) password: String,
    /// How connections are encrypted, if they are.
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

/// Reads the files of a server, where it has any.
pub(crate) async fn secrets(server: &Broker) -> Result<Secrets, String> {
    let has_files = server.username_file.is_some() || server.password_file.is_some();
    if !has_files && server.tls.is_none() {
        return Ok(Secrets {
            username: server.username.clone(),
            password: String::new(),
            tls: None,
        });
    }
    let server = server.clone();
    let read = move || {
        let (username, password) = broker::login(&server)?.unzip();
        Ok(Secrets {
            username,
            password: password.unwrap_or_default(),
            tls: match &server.tls {
                Some(tls) => Some(Arc::new(tls::config(tls)?)),
                None => None,
            },
        })
    };
    match tokio::task::spawn_blocking(read).await {
        Ok(done) => done.map_err(|error: FileError| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// Opens a connection that is not encrypted.
pub(crate) async fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let stream = TcpStream::connect((host, port))
        .await
        .map_err(|error| explain(&error))?;
    // It only makes answers come faster.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Encrypts a connection to `host`, whose certificate must say that it is that one.
pub(crate) async fn encrypt(
    stream: TcpStream,
    config: Arc<ClientConfig>,
    host: &str,
) -> Result<TlsStream<TcpStream>, String> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| "TLS needs a host name that a certificate can name".to_owned())?;
    let stream = TlsConnector::from(config).connect(name, stream).await;
    stream.map_err(|error| explain(&error))
}

/// What went wrong on a connection, and what to check.
pub(crate) fn explain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => {
            "nothing listens there; is the machine on, is the port right?".to_owned()
        }
        _ => broker::explain_stream(error, None),
    }
}
