//! Connections: how many there may be, from whom, and how long they may take.
//!
//! - There are at most [`MOST`] at a time, and [`MOST_OF_ONE`] from one address, so that one client
//!   that forgets to close its connections takes the door from nobody else. One too many is told
//!   so and closed.
//! - Who sends no whole request head within [`HEAD`] is cut off; that ends idle connections too.
//! - Who takes nothing off the connection for [`STALLED`] is cut off by the kernel.

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Connections at a time.
pub const MOST: usize = 64;

/// Of those, from one address.
pub(super) const MOST_OF_ONE: usize = 16;

/// Time for the head of a request, from the end of the one before.
pub(super) const HEAD: Duration = Duration::from_secs(10);

/// Time in which something must leave a connection that has something to send.
const STALLED: Duration = Duration::from_secs(20);

/// Bytes of a request head, and of what is read and written at once.
const BUFFER: usize = 16 * 1024;

/// When the system gives no connection (too many files are open) it is asked again after this.
const PAUSE: Duration = Duration::from_millis(500);

/// What one connection too many is told.
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 10\r\n\
    content-length: 0\r\nconnection: close\r\n\r\n";

/// Where connections come from.
#[derive(Debug)]
pub enum Listener {
    /// The network.
    Tcp(TcpListener),
    /// The gateway itself.
    Unix(UnixListener),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Serves until `stop` becomes true; what is open then is closed.
pub(super) async fn serve(listener: Listener, router: Router, mut stop: watch::Receiver<bool>) {
    let guests = Guests::default();
    let mut open = JoinSet::new();
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            Some(_) = open.join_next() => continue,
            accepted = accept(&listener, &guests) => accepted,
        };
        match accepted {
            Ok(Some((stream, guest))) => {
                failing = false;
                open.spawn(connection(stream, router.clone(), guest));
            }
            Ok(None) => failing = false,
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!("HTTP takes no connection: {error}");
                }
                sleep(PAUSE).await;
            }
        }
    }
}

/// The next connection; none if it was one too many.
async fn accept(
    listener: &Listener,
    guests: &Guests,
) -> io::Result<Option<(Box<dyn Stream>, Guest)>> {
    match listener {
        Listener::Tcp(listener) => {
            let (stream, from) = listener.accept().await?;
            Ok(admit(stream, from, guests).map(|(stream, guest)| (Box::new(stream) as _, guest)))
        }
        Listener::Unix(listener) => {
            let (stream, _) = listener.accept().await?;
            let guest = guests.admit(None);
            Ok(guest.map(|guest| (Box::new(stream) as _, guest)))
        }
    }
}

fn admit(stream: TcpStream, from: SocketAddr, guests: &Guests) -> Option<(TcpStream, Guest)> {
    let Some(guest) = guests.admit(Some(from.ip().to_canonical())) else {
        // There is room for so little in any new connection; if not, it is closed without a word.
        let _ = stream.try_write(TOO_MANY);
        return None;
    };
    // Answers are small and wanted at once. Without either option it works too.
    let _ = stream.set_nodelay(true);
    let stalled = u32::try_from(STALLED.as_millis()).unwrap_or(u32::MAX);
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, stalled);
    Some((stream, guest))
}

/// The address that a request comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

async fn connection(stream: Box<dyn Stream>, router: Router, guest: Guest) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(|mut request: hyper::Request<hyper::body::Incoming>| {
        if let Some(from) = guest.from {
            request.extensions_mut().insert(Peer(from));
        }
        router.call(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(BUFFER)
        // A gateway's clock may be wrong, and nobody needs it to be told in each answer.
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!("an HTTP connection ended: {error}");
    }
}

/// Who is connected, by address; none for the gateway itself.
#[derive(Debug, Clone, Default)]
struct Guests(Arc<Mutex<HashMap<Option<IpAddr>, usize>>>);

/// A place among the [`Guests`], free again when dropped.
#[derive(Debug)]
struct Guest {
    among: Guests,
    from: Option<IpAddr>,
}

impl Guests {
    /// A place, if there is one.
    fn admit(&self, from: Option<IpAddr>) -> Option<Guest> {
        let mut by_address = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = by_address.values().sum();
        let of_one = by_address.get(&from).copied().unwrap_or(0);
        if all >= MOST || of_one >= MOST_OF_ONE {
            return None;
        }
        by_address.insert(from, of_one + 1);
        Some(Guest {
            among: self.clone(),
            from,
        })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut by_address = self.among.0.lock().unwrap_or_else(PoisonError::into_inner);
        match by_address.get_mut(&self.from) {
            Some(of_one @ 2..) => *of_one -= 1,
            _ => {
                by_address.remove(&self.from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::Instant;

    /// A connection to a router that knows one path, from the client's side.
    fn connected() -> tokio::io::DuplexStream {
        let (client, server) = tokio::io::duplex(4096);
        let router = Router::new().route("/here", axum::routing::get(|| async { "yes" }));
        let guest = Guests::default().admit(None).unwrap();
        tokio::spawn(connection(Box::new(server), router, guest));
        client
    }

    async fn heard(client: &mut tokio::io::DuplexStream) -> String {
        let mut heard = String::new();
        client.read_to_string(&mut heard).await.unwrap();
        heard
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_is_cut_off() {
        let began = Instant::now();
        let mut idle = connected();
        assert_eq!(heard(&mut idle).await, "");
        assert_eq!(began.elapsed(), HEAD);
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_ends_a_request_head_is_cut_off() {
        let began = Instant::now();
        let mut slow = connected();
        slow.write_all(b"GET /here HTTP/1.1\r\nhost: x\r\n")
            .await
            .unwrap();
        let drip = async {
            loop {
                sleep(Duration::from_secs(1)).await;
                if slow.write_all(b"a: b\r\n").await.is_err() {
                    return;
                }
            }
        };
        drip.await;
        assert!(began.elapsed() <= HEAD + Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn one_connection_serves_many_requests_and_then_idles_out() {
        let mut client = connected();
        for _ in 0..3 {
            client
                .write_all(b"GET /here HTTP/1.1\r\nhost: x\r\n\r\n")
                .await
                .unwrap();
            sleep(HEAD / 2).await;
        }
        let heard = heard(&mut client).await;
        assert_eq!(heard.matches("200 OK").count(), 3, "{heard}");
        assert!(!heard.contains("date:"), "{heard}");
    }

    #[tokio::test]
    async fn one_too_many_is_told_so() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (_stop, stopped) = watch::channel(false);
        tokio::spawn(serve(Listener::Tcp(listener), Router::new(), stopped));
        let mut open = Vec::new();
        for _ in 0..MOST_OF_ONE {
            let mut stream = TcpStream::connect(at).await.unwrap();
            stream
                .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                .await
                .unwrap();
            let mut first = [0; 12];
            stream.read_exact(&mut first).await.unwrap();
            assert_eq!(&first, b"HTTP/1.1 404");
            open.push(stream);
        }
        let mut extra = TcpStream::connect(at).await.unwrap();
        let mut heard = Vec::new();
        extra.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, TOO_MANY);
        drop(open);
    }

    #[test]
    fn one_address_cannot_take_every_place() {
        let guests = Guests::default();
        let address = |n: u8| Some(IpAddr::from([10, 1, 3, n]));
        let admit = |n| guests.admit(address(n));
        let greedy: Vec<Guest> = std::iter::from_fn(|| admit(1)).collect();
        assert_eq!(greedy.len(), MOST_OF_ONE);
        let others: Vec<Guest> = (2..=255).filter_map(admit).collect();
        assert_eq!(others.len(), MOST - MOST_OF_ONE);
        assert!(guests.admit(None).is_none(), "there is no more");
        drop(greedy);
        assert!(admit(1).is_some());
        drop(others);
        assert!(guests.0.lock().unwrap().is_empty());
    }
}
