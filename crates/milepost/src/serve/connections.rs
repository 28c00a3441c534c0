//! The ports: who is let in, for how long, and with how much.
//!
//! A [`Port`] is a bound socket with what is behind it: a [`Router`], the [`Protocol`] that is spoken, and TLS or none. [`serve`] keeps
//! any number of them on one thread, and all limits hold for each of them, those of connections for all together. What a port lets
//! through is for `guard::Guard`, which is put before its router. A handler calls `spawn_blocking` for what takes time.

use super::{
    counted::Counted,
    room::{Client, Room},
    tls::Tls,
    turned_away::Doorman,
    unstalled::{Begun, Unstalled},
};
use axum::{Router, extract::Request};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    runtime::Builder,
    select,
    task::JoinSet,
    time::{sleep, timeout},
};

/// The most headers of a request, and the most bytes of all of them with the first line.
const HEADERS_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// A request has to be complete within this time; a connection on which none begins is closed then. So long a handshake may take, too.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// Whoever takes nothing of an answer for so long is hung up on.
const WRITE_TIME_MAX: Duration = Duration::from_secs(20);
/// How long what is being answered may take once the server is to end.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long nobody is let in where the system has no room for another connection.
const BREATH: Duration = Duration::from_millis(100);
/// The most threads that make what takes time.
const THREADS_MAX: usize = 4;
/// The most requests at once on a connection of HTTP/2, and the most bytes that are under way on one of them and on all.
const STREAMS_EACH_MAX: u32 = 32;
const STREAM_BYTES_MAX: u32 = 256 * 1024;
const CONNECTION_BYTES_MAX: u32 = 1024 * 1024;
const FRAME_BYTES_MAX: u32 = 16 * 1024;
/// The most requests at once on a connection that were given up before they were seen, or went wrong (CVE-2023-44487).
const RESETS_MAX: usize = 32;

/// What is spoken on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1 and 1.0.
    Http1,
    /// HTTP/2 from the first byte on, as gRPC has it.
    Http2,
}

impl Protocol {
    /// As TLS names it (ALPN).
    pub(super) const fn name(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
    }
}

/// A port, and what is behind it.
pub(crate) struct Port {
    pub(crate) listener: TcpListener,
    pub(crate) router: Router,
    pub(crate) protocol: Protocol,
    /// Made for the same protocol.
    pub(crate) tls: Option<Arc<Tls>>,
}

/// Binds a port.
///
/// # Errors
/// Where the system refuses.
pub(crate) fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Serves until `stop` is done, and then for a moment more.
///
/// # Errors
/// Where the system refuses what it takes.
pub(crate) fn serve(ports: Vec<Port>, counted: &Arc<Counted>, stop: impl Future<Output = ()>) -> io::Result<()> {
    // One thread is enough for what is handed out as it is, and the query engine keeps its own.
    let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(THREADS_MAX).build()?;
    let served = runtime.block_on(keep(ports, counted, stop));
    // Whoever is still at something is left behind.
    runtime.shutdown_background();
    served
}

async fn keep(ports: Vec<Port>, counted: &Arc<Counted>, stop: impl Future<Output = ()>) -> io::Result<()> {
    let (room, ending) = (Arc::new(Room::default()), Arc::new(GracefulShutdown::new()));
    let doorman = Arc::new(Doorman::new());
    let mut accepting = JoinSet::new();
    for Port { listener, router, protocol, tls } in ports {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (room, ending) = (Arc::clone(&room), Arc::clone(&ending));
        let (counted, doorman) = (Arc::clone(counted), Arc::clone(&doorman));
        accepting.spawn(async move {
            loop {
                let Ok((stream, address)) = listener.accept().await else {
                    sleep(BREATH).await;
                    continue;
                };
                let client = Client::from(address.ip());
                let Some(place) = room.place(client) else {
                    counted.no_place();
                    // Whoever speaks something else hears from its end that there is none.
                    if protocol == Protocol::Http1 && tls.is_none() {
                        doorman.tells(stream);
                    }
                    continue;
                };
                let (router, tls, watcher) = (router.clone(), tls.clone(), ending.watcher());
                tokio::spawn(async move {
                    converse(stream, client, router, protocol, tls, watcher).await;
                    drop(place);
                });
            }
        });
    }
    select! {
        biased;
        () = stop => (),
        // None ends by itself.
        _ = accepting.join_next() => (),
    }
    accepting.shutdown().await;
    if let Some(ending) = Arc::into_inner(ending) {
        let _ = timeout(FAREWELL, ending.shutdown()).await;
    }
    Ok(())
}

/// Whoever hangs up, or speaks something else, ends only their own connection.
async fn converse(stream: TcpStream, client: Client, router: Router, protocol: Protocol, tls: Option<Arc<Tls>>, watcher: Watcher) {
    // Small answers go out as they are; where that cannot be had, they are only later.
    let _ = stream.set_nodelay(true);
    let stream = Unstalled::new(stream, WRITE_TIME_MAX);
    match tls {
        None => answer(stream, client, router, protocol, watcher).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = timeout(HEAD_TIME_MAX, tls.acceptor().accept(stream)).await {
                answer(stream, client, router, protocol, watcher).await;
            }
        }
    }
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    client: Client,
    router: Router,
    protocol: Protocol,
    watcher: Watcher,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(client);
        router.call(request)
    });
    match protocol {
        Protocol::Http1 => {
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME_MAX).max_headers(HEADERS_MAX).max_buf_size(HEAD_BYTES_MAX);
            let _ = watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await;
        }
        Protocol::Http2 => {
            let mut http = http2::Builder::new(TokioExecutor::new());
            http.timer(TokioTimer::new())
                .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
                .max_frame_size(FRAME_BYTES_MAX)
                .max_concurrent_streams(STREAMS_EACH_MAX)
                .initial_stream_window_size(STREAM_BYTES_MAX)
                .initial_connection_window_size(CONNECTION_BYTES_MAX)
                .max_pending_accept_reset_streams(RESETS_MAX)
                .max_local_error_reset_streams(RESETS_MAX)
                .keep_alive_interval(HEAD_TIME_MAX)
                .keep_alive_timeout(HEAD_TIME_MAX);
            let _ = watcher.watch(http.serve_connection(TokioIo::new(Begun::new(stream, HEAD_TIME_MAX)), service)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::{
        guard::{Guard, May, Who},
        otlp::{Desk, Tally},
    };
    use axum::{body::Body, http::Request, routing::get};
    use std::io::{Read, Write};
    use tokio::sync::oneshot;

    #[test]
    fn each_port_speaks_its_own_protocol_and_all_end_together() {
        let port = |protocol| {
            let (listener, address) = bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
            let router = Router::new().route("/", get(|| async { "here" }));
            let router = Guard::new(May::Read, address, Who::ThisMachine).before(router);
            (Port { listener, router, protocol, tls: None }, address)
        };
        let ((one, at_one), (two, at_two)) = (port(Protocol::Http1), port(Protocol::Http2));
        let counted = Arc::new(Counted::new(Arc::new(Desk::off("NOTHING", Tally::default()))));
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = std::thread::spawn(move || serve(vec![one, two], &counted, async { drop(stopped.await) }));
        let said = |address, bytes: &[u8]| {
            let mut stream = std::net::TcpStream::connect(address).expect("a connection");
            stream.write_all(bytes).expect("written");
            let mut said = Vec::new();
            let _ = stream.read_to_end(&mut said);
            String::from_utf8_lossy(&said).into_owned()
        };
        let request = format!("GET / HTTP/1.1\r\nHost: {at_one}\r\nConnection: close\r\n\r\n");
        assert!(said(at_one, request.as_bytes()).starts_with("HTTP/1.1 200 "));
        assert!(!said(at_two, request.as_bytes()).contains("HTTP/1"));
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let status = |authority: String| async move {
            let stream = TcpStream::connect(at_two).await.expect("a connection");
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("a handshake");
            tokio::spawn(connection);
            let request = Request::builder().uri(format!("http://{authority}/")).body(Body::empty()).expect("a request");
            sender.send_request(request).await.expect("an answer").status().as_u16()
        };
        assert_eq!(runtime.block_on(status(at_two.to_string())), 200);
        assert_eq!(runtime.block_on(status("evil.example".to_owned())), 421);
        stop.send(()).expect("it is serving");
        serving.join().expect("no panic").expect("served");
        assert!(std::net::TcpStream::connect(at_one).is_err() && std::net::TcpStream::connect(at_two).is_err());
    }
}
