//! The HTTP door: what the gateway shows on the plant LAN, and where scripts push samples in.
//!
//! What it promises:
//!
//! - **It holds nothing up.** Handlers put questions to the engine's task ([`Asks`]) and readings
//!   into the same queue as every link; nothing here is locked by the engine or waited for by it.
//! - **It is bounded**: connections, also from one address ([`serve`]); headers, bodies and the time
//!   that both may take; answers, which are written device by device.
//! - **Nobody acts without a token.** Reading is open to whoever reaches the address that
//!   `[http] listen` names; pushing needs the token of its link ([`push`]), and acknowledging, shelving and
//!   so on another one ([`acting`]).
//!
//! The same router answers on the control socket ([`crate::control`]), for the gateway's own
//! command line; there alarms are acted on without a token ([`alarms`]), and single reads
//! of a Modbus device are made for whoever asks ([`errand`]).

mod acting;
mod alarms;
mod answer;
mod board;
pub mod errand;
pub mod horn;
mod push;
mod read;
mod serve;
pub mod sms;

pub use acting::Acting;
pub use alarms::Wish;
pub use push::{AT_ONCE, LARGEST_BODY, Scripts};
pub use serve::{Listener, MOST as MOST_CONNECTIONS};

use crate::annunciator::sms::Texts;
use crate::board::desk::Desk;
use crate::field::modbus::errand::Errands;
use crate::run::{Asks, Orders, SelfTest};
use andon_core::plant::Plant;
use axum::Router;
use axum::routing::{get, post};
use std::fmt;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What the handlers share.
#[derive(Debug, Clone)]
pub struct Door {
    /// Where questions to the engine are put.
    pub asks: Asks,
    /// Where orders to the engine are given.
    pub orders: Orders,
    /// What tests the gateway, for its own command line.
    pub selftest: SelfTest,
    /// What is configured.
    pub plant: Arc<Plant>,
    /// The links that scripts push to.
    pub scripts: Arc<Scripts>,
    /// The way to the Modbus links, for the gateway's own command line.
    pub errands: Errands,
    /// The way to the I/O board, for the gateway's own command line.
    pub board: Option<Desk>,
    /// The way to the modem, if there is one, for the gateway's own command line.
    pub texts: Option<Texts>,
    /// Who may act from the network; without, nobody.
    pub acting: Option<Arc<Acting>>,
}

/// Serves the same on each of `listeners` until `stop` becomes true or the set is dropped.
pub fn start(listeners: Vec<Listener>, door: Door, stop: &watch::Receiver<bool>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for listener in listeners {
        let router = match &listener {
            Listener::Tcp(_) => network(),
            Listener::Unix(_) => control(),
        };
        let router = router.with_state(door.clone());
        tasks.spawn(serve::serve(listener, router, stop.clone()));
    }
    tasks
}

/// What is answered on the network.
fn network() -> Router<Door> {
    open().merge(acting::router())
}

/// What is answered to whoever reaches the door.
fn open() -> Router<Door> {
    Router::new()
        .route("/healthz", get(read::healthz))
        .route("/readyz", get(read::readyz))
        .route("/api/v1/status", get(read::status))
        .route("/api/v1/devices", get(read::devices))
        .route("/api/v1/alarms", get(read::alarms))
        .route("/api/v1/horns", get(read::horns))
        .route("/api/v1/tags", get(read::tags))
        .route("/metrics", get(read::metrics))
        .route("/api/v1/samples", post(push::samples))
        .fallback(read::unknown)
        .method_not_allowed_fallback(read::wrong_method)
}

/// What is answered on the control socket.
fn control() -> Router<Door> {
    open()
        .route(errand::PATH, get(errand::read))
        .route("/control/board", get(board::info))
        .route("/control/board/test", post(board::test))
        .route("/api/v1/alarms/{id}/{verb}", post(alarms::act))
        .route("/api/v1/horn/silence", post(alarms::silence))
        .route("/api/v1/selftest", post(read::selftest))
        .route(horn::PATH, post(horn::test))
        .route(sms::PATH, post(sms::test))
}

/// Why nothing can listen where the configuration says.
#[derive(Debug)]
pub struct ListenError {
    listen: String,
    source: io::Error,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ListenError { listen, source } = self;
        let hint = match source.kind() {
            io::ErrorKind::AddrInUse => {
                "another program listens there: choose another port, or end it (`ss -ltnp` shows it)"
            }
            io::ErrorKind::PermissionDenied => {
                "ports below 1024 need a privilege: choose a higher one"
            }
            io::ErrorKind::AddrNotAvailable => {
                "this machine has no such address (`ip address` shows them); \
                 0.0.0.0 stands for all of them"
            }
            _ => "write an address of this machine and a free port",
        };
        write!(f, "[http] listen = \"{listen}\": {source}; {hint}")
    }
}

/// Begins to listen at `host:port`; connections wait until they are served.
pub async fn listen(host: &str, port: u16) -> Result<Listener, ListenError> {
    match TcpListener::bind((host, port)).await {
        Ok(listener) => {
            let at = listener.local_addr();
            tracing::info!(
                "HTTP on {}",
                at.map_or_else(|_| host.to_owned(), |at| at.to_string())
            );
            Ok(Listener::Tcp(listener))
        }
        Err(source) => Err(ListenError {
            listen: format!("{host}:{port}"),
            source,
        }),
    }
}

#[cfg(test)]
mod tests;
