//! The control socket: how commands on the gateway speak to the agent that runs there.
//!
//! It lies in the data directory, belongs to the agent's user alone, and answers what the HTTP
//! door answers; that needs neither `[http]` nor a token. Only the agent that holds the lock on the
//! data directory makes it, so whatever is left at its place is stale.

use crate::http::Listener;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::HeaderValue;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

/// The socket in the data directory.
const SOCKET: &str = "control.sock";

/// Connections that wait to be accepted.
const BACKLOG: i32 = 16;

/// An agent that has not answered by then is not well.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of an answer.
const LARGEST: usize = 64 << 20;

/// Where the agent of this data directory listens.
fn socket(data_dir: &Path) -> PathBuf {
    data_dir.join(SOCKET)
}

/// The socket's place in the file system, free again when dropped.
#[derive(Debug)]
pub struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Begins to listen in `data_dir`, whose lock is held. Without the socket the agent works as well,
/// so why there is none is told in the log.
pub fn listen(data_dir: &Path) -> Option<(Listener, Socket)> {
    let path = socket(data_dir);
    match bind(&path) {
        Ok(listener) => Some((Listener::Unix(listener), Socket(path))),
        Err(error) => {
            tracing::warn!(
                "no control socket {}: {error}; `andon status` will not reach this agent",
                path.display()
            );
            None
        }
    }
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // Before it has a name, so that there is no moment in which others could connect.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, BACKLOG)?;
    UnixListener::from_std(StdListener::from(socket))
}

/// Why the running agent could not be asked.
#[derive(Debug)]
pub enum AskError {
    /// Nobody listens.
    NotRunning(PathBuf),
    /// The socket belongs to somebody else.
    NotAllowed(PathBuf),
    /// It listens, but there is no answer.
    NoAnswer(String),
    /// It answered that it cannot, or will not.
    Refused {
        /// With this status.
        status: StatusCode,
        /// In words.
        why: String,
    },
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AskError::NotRunning(socket) => write!(
                f,
                "no agent runs with this configuration (nobody listens at {}); start it with \
                 `andon run`, or name its file with --config",
                socket.display()
            ),
            AskError::NotAllowed(socket) => write!(
                f,
                "{} belongs to another user; ask as the user that runs the agent, or with sudo",
                socket.display()
            ),
            AskError::NoAnswer(why) => {
                write!(f, "the agent does not answer: {why}; its log may say why")
            }
            AskError::Refused { status, why } if status.is_server_error() => {
                write!(f, "the agent cannot answer: {why}")
            }
            AskError::Refused { why, .. } => f.write_str(why),
        }
    }
}

impl std::error::Error for AskError {}

/// Whether an agent runs on `data_dir` and can be asked.
pub async fn runs(data_dir: &Path) -> Result<bool, AskError> {
    match get(data_dir, "/healthz").await {
        Ok(_) => Ok(true),
        Err(AskError::NotRunning(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Asks the agent that runs on `data_dir`; `path` is that of the HTTP door.
pub async fn get(data_dir: &Path, path: &str) -> Result<Bytes, AskError> {
    let request = Request::get(path).body(Full::default());
    ask(data_dir, request, PATIENCE).await
}

/// Tells the agent that runs on `data_dir` to do something; `body` is JSON.
pub async fn post(data_dir: &Path, path: &str, body: Vec<u8>) -> Result<Bytes, AskError> {
    post_patiently(data_dir, path, body, PATIENCE).await
}

/// The same, for what takes its time.
pub async fn post_patiently(
    data_dir: &Path,
    path: &str,
    body: Vec<u8>,
    patience: Duration,
) -> Result<Bytes, AskError> {
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
    ask(data_dir, request.body(Full::from(body)), patience).await
}

async fn ask(
    data_dir: &Path,
    request: Result<Request<Full<Bytes>>, hyper::http::Error>,
    patience: Duration,
) -> Result<Bytes, AskError> {
    let request = request.map_err(|error| AskError::NoAnswer(error.to_string()))?;
    let socket = socket(data_dir);
    let stream = UnixStream::connect(&socket)
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => AskError::NotAllowed(socket),
            _ => AskError::NotRunning(socket),
        })?;
    let answer = timeout(patience, answer(stream, request)).await;
    let (status, body) = match answer {
        Ok(Ok(answer)) => answer,
        Ok(Err(why)) => return Err(AskError::NoAnswer(why)),
        Err(_) => {
            let why = format!("nothing within {} s", patience.as_secs());
            return Err(AskError::NoAnswer(why));
        }
    };
    if status.is_success() {
        return Ok(body);
    }
    Err(AskError::Refused {
        status,
        why: in_words(&body),
    })
}

/// What a refusal says: what is wrong, and what to do.
fn in_words(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Problem {
        error: String,
        hint: Option<String>,
    }
    match serde_json::from_slice(body) {
        Ok(Problem {
            error,
            hint: Some(hint),
        }) => format!("{error}; {hint}"),
        Ok(Problem { error, hint: None }) => error,
        Err(_) => String::from_utf8_lossy(body).trim().to_owned(),
    }
}

async fn answer(
    stream: UnixStream,
    mut request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), String> {
    let in_words = |error: hyper::Error| error.to_string();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(in_words)?;
    // It ends with the sender.
    tokio::spawn(connection);
    let host = HeaderValue::from_static("localhost");
    request.headers_mut().insert(header::HOST, host);
    let response = sender.send_request(request).await.map_err(in_words)?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LARGEST).collect().await;
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    Ok((status, body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// Answers one request with `answer`.
    async fn answering(listener: Listener, answer: &'static [u8]) {
        let Listener::Unix(listener) = listener else {
            panic!("no Unix socket");
        };
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await.unwrap();
        stream.write_all(answer).await.unwrap();
    }

    #[tokio::test]
    async fn the_socket_is_for_its_user_alone_and_goes_with_the_agent() {
        let dir = tempfile::tempdir().unwrap();
        // Left behind by a kill, or anything else at its place.
        fs::write(socket(dir.path()), "stale").unwrap();
        let (listener, place) = listen(dir.path()).unwrap();
        let mode = fs::metadata(socket(dir.path())).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        drop(listener);
        drop(place);
        assert!(!socket(dir.path()).exists());
    }

    #[tokio::test]
    async fn the_running_agent_answers() {
        let dir = tempfile::tempdir().unwrap();
        let (listener, _place) = listen(dir.path()).unwrap();
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
        tokio::spawn(answering(listener, answer));
        assert_eq!(get(dir.path(), "/x").await.unwrap(), "{}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_answer_the_error_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let error = get(dir.path(), "/x").await.unwrap_err();
        assert!(error.to_string().contains("andon run"), "{error}");

        let (listener, place) = listen(dir.path()).unwrap();
        let answer = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy";
        let answering = tokio::spawn(answering(listener, answer));
        let error = get(dir.path(), "/x").await.unwrap_err();
        assert!(
            matches!(&error, AskError::Refused { why, .. } if why == "busy"),
            "{error}"
        );
        answering.await.unwrap();

        // It listens and says nothing.
        let (_listener, _place) = (listen(dir.path()).unwrap(), place);
        let error = get(dir.path(), "/x").await.unwrap_err();
        assert!(matches!(error, AskError::NoAnswer(_)), "{error}");
    }
}
