//! A connection whose other side takes nothing for so long, or never begins to speak, ends: else it would hold its place for ever.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// A stream that fails where it cannot be written to for a time.
pub(super) struct Unstalled<S> {
    stream: S,
    limit: Duration,
    /// Runs while it cannot be written to.
    waits: Option<Pin<Box<Sleep>>>,
}

impl<S> Unstalled<S> {
    pub(super) const fn new(stream: S, limit: Duration) -> Self {
        Self { stream, limit, waits: None }
    }

    fn written(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.waits = None;
            return written;
        }
        let limit = self.limit;
        let waits = self.waits.get_or_insert_with(|| Box::pin(sleep(limit)));
        waits.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Unstalled<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Unstalled<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// How many bytes HTTP/2 begins with, whatever is asked (RFC 9113, 3.4). Once they are here, pings tell who is gone.
const PREFACE_BYTES: usize = 24;

/// A stream that fails where its first bytes are not there within a time, as HTTP/2 itself waits for them without end.
pub(super) struct Begun<S> {
    stream: S,
    /// How many bytes are still to come, and until when.
    awaits: Option<(usize, Pin<Box<Sleep>>)>,
}

impl<S> Begun<S> {
    pub(super) fn new(stream: S, limit: Duration) -> Self {
        Self { stream, awaits: Some((PREFACE_BYTES, Box::pin(sleep(limit)))) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Begun<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Some((missing, until)) = &mut self.awaits {
            *missing = missing.saturating_sub(buffer.filled().len() - before);
            if *missing == 0 {
                self.awaits = None;
            } else if until.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Begun<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[test]
    fn who_never_begins_is_waited_for_only_so_long() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let (ours, mut theirs) = duplex(64);
            let mut stream = Begun::new(ours, Duration::from_millis(20));
            theirs.write_all(&[0; PREFACE_BYTES - 1]).await.expect("written");
            let error = stream.read_exact(&mut [0; PREFACE_BYTES]).await.expect_err("a byte is missing");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);

            let (ours, mut theirs) = duplex(64);
            let mut stream = Begun::new(ours, Duration::from_millis(20));
            theirs.write_all(&[0; PREFACE_BYTES]).await.expect("written");
            stream.read_exact(&mut [0; PREFACE_BYTES]).await.expect("all are here");
            assert!(tokio::time::timeout(Duration::from_millis(60), stream.read_u8()).await.is_err(), "and then it may be silent");
        });
    }

    #[test]
    fn who_takes_nothing_is_waited_for_only_so_long() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let (ours, theirs) = duplex(4);
            let mut stream = Unstalled::new(ours, Duration::from_millis(20));
            let error = stream.write_all(b"more than four").await.expect_err("nobody reads");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            drop(theirs);

            let (ours, mut theirs) = duplex(4);
            let mut stream = Unstalled::new(ours, Duration::from_secs(60));
            let (written, read) = tokio::join!(stream.write_all(b"more than four"), async {
                let mut bytes = [0; 14];
                theirs.read_exact(&mut bytes).await.map(|_| bytes)
            });
            assert!(written.is_ok() && read.is_ok_and(|bytes| &bytes == b"more than four"));
        });
    }
}
