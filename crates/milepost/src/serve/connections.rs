//! The socket: who is let in, for how long, and with how much.

use super::unstalled::Unstalled;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use std::{
    io,
    net::{SocketAddr, TcpListener},
    pin::pin,
    sync::Arc,
    time::Duration,
};
use tokio::{
    runtime::Builder,
    select,
    sync::Semaphore,
    time::{sleep, timeout},
};

/// The most connections at once; one more is closed at once.
const CONNECTIONS_MAX: usize = 256;
/// The most headers of a request, and the most bytes of all of them with the first line.
const HEADERS_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// A request has to be complete within this time; a connection on which none begins is closed then.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// Whoever takes nothing of an answer for so long is hung up on.
const WRITE_TIME_MAX: Duration = Duration::from_secs(20);
/// How long what is being answered may take once the server is to end.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long nobody is let in where the system has no room for another connection.
const BREATH: Duration = Duration::from_millis(100);
/// The most threads that make what takes time.
const THREADS_MAX: usize = 4;

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
pub(crate) fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) -> io::Result<()> {
    // One thread is enough for what is handed out as it is, and the query engine keeps its own.
    let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(THREADS_MAX).build()?;
    let served = runtime.block_on(accept(listener, router, stop));
    // Whoever is still at something is left behind.
    runtime.shutdown_background();
    served
}

async fn accept(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (places, ending) = (Arc::new(Semaphore::new(CONNECTIONS_MAX)), GracefulShutdown::new());
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME_MAX).max_headers(HEADERS_MAX).max_buf_size(HEAD_BYTES_MAX);
    let service = TowerToHyperService::new(router);
    let mut stop = pin!(stop);
    loop {
        let stream = select! {
            biased;
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    sleep(BREATH).await;
                    continue;
                }
            },
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let connection = ending.watch(http.serve_connection(TokioIo::new(Unstalled::new(stream, WRITE_TIME_MAX)), service.clone()));
        tokio::spawn(async move {
            // Whoever hangs up, or speaks no HTTP, ends only their own connection.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    let _ = timeout(FAREWELL, ending.shutdown()).await;
    Ok(())
}
