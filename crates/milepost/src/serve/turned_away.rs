//! What somebody hears for whom there is no place: an answer, where it can be given at once, and then the connection is closed.
//!
//! Nothing that was sent is understood for it. It is read and forgotten for a moment, since whoever is hung up on while still sending
//! does not hear the answer.

use super::problem::Problem;
use axum::http::StatusCode;
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    time::timeout,
};

/// So many are answered at once; what is beyond is closed without a word.
const ANSWERED_MAX: usize = 64;
/// How long somebody may take to hear it.
const HEARD_WITHIN: Duration = Duration::from_secs(1);
/// So much is read of what they still send.
const IGNORED_BYTES_MAX: u64 = 64 * 1024;
/// When they may come again, in seconds.
const RETRY_AFTER_S: u16 = 5;

/// Who answers.
pub(super) struct Doorman {
    hands: Arc<Semaphore>,
    answer: Arc<str>,
}

impl Doorman {
    pub(super) fn new() -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let body = Problem::new(status, "there is no place for another connection, in all or from this address; come again later").text();
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\nRetry-After: {RETRY_AFTER_S}\r\n\
             Content-Security-Policy: default-src 'none'\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        );
        Self { hands: Arc::new(Semaphore::new(ANSWERED_MAX)), answer: answer.into() }
    }

    /// Tells somebody who speaks HTTP/1.1.
    pub(super) fn tells(&self, mut stream: TcpStream) {
        let Ok(hand) = Arc::clone(&self.hands).try_acquire_owned() else { return };
        let answer = Arc::clone(&self.answer);
        tokio::spawn(async move {
            let said = async {
                stream.write_all(answer.as_bytes()).await?;
                stream.shutdown().await?;
                tokio::io::copy(&mut stream.take(IGNORED_BYTES_MAX), &mut tokio::io::sink()).await
            };
            // Whoever does not listen is closed all the same.
            let _ = timeout(HEARD_WITHIN, said).await;
            drop(hand);
        });
    }
}
