//! How a body comes in: so many at once, so large, within so much time, and all of them together no more than fits.

use super::{
    Signal,
    answer::{Accepted, Encoding, Refusal},
    desk::Desk,
};
use axum::body::{Body, Bytes, HttpBody};
use flate2::read::MultiGzDecoder;
use futures::StreamExt;
use std::{io::Read, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::timeout,
};

/// The largest body as it comes in, in bytes. A collector's batch of 8192 spans has some megabytes.
pub(super) const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The largest body once it is unpacked, in bytes.
const UNPACKED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The most bytes that all bodies together may have which are on their way to the desk.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The most of them.
const WAITING_MAX: usize = 64;
/// How long one may take to arrive.
const ARRIVAL_TIME_MAX: Duration = Duration::from_secs(30);
/// Of what is too large, so much is listened to, so that the sender hears the answer.
const IGNORED_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Where bodies wait for the desk.
pub(super) struct Reception {
    desk: Arc<Desk>,
    places: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    /// One body is unpacked and worked through at a time.
    turn: Arc<Semaphore>,
    arrival: Duration,
}

/// A body that is here, with its place.
pub(super) struct Arrived {
    pub(super) bytes: Bytes,
    _place: OwnedSemaphorePermit,
    _held: Option<OwnedSemaphorePermit>,
}

impl Reception {
    pub(super) fn new(desk: Arc<Desk>) -> Self {
        Self::with_limits(desk, WAITING_MAX, WAITING_BYTES_MAX, ARRIVAL_TIME_MAX)
    }

    pub(super) fn with_limits(desk: Arc<Desk>, places: usize, bytes: usize, arrival: Duration) -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self { desk, places: semaphore(places), bytes: semaphore(bytes), turn: semaphore(1), arrival }
    }

    /// Takes a request, from its body to the answer; `unframe` takes off what gRPC puts around it and tells whether it is packed.
    pub(super) async fn receive(
        &self,
        signal: Signal,
        encoding: Encoding,
        body: Body,
        unframe: impl FnOnce(Bytes) -> Result<(Bytes, bool), Refusal>,
    ) -> Result<Accepted, Refusal> {
        let received = async {
            if let Err(refusal) = self.desk.is_open() {
                self.ignore(body).await;
                return Err(refusal);
            }
            let arrived = self.arrive(body).await?;
            let (bytes, is_packed) = unframe(arrived.bytes.clone())?;
            let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(|_| Refusal::Busy)?;
            let desk = Arc::clone(&self.desk);
            // Writing may wait for the disk.
            let done = spawn_blocking(move || {
                let (_turn, _arrived) = (turn, arrived);
                let bytes = if is_packed { unpacked(&bytes, UNPACKED_BYTES_MAX)? } else { bytes };
                desk.take(signal, encoding, &bytes)
            });
            done.await.unwrap_or_else(|error| Err(Refusal::Unwritten(error.to_string())))
        };
        received.await.inspect_err(|refusal| self.refused(signal, refusal))
    }

    /// Notes that a request was refused.
    pub(super) fn refused(&self, signal: Signal, refusal: &Refusal) {
        self.desk.refused(signal, refusal);
    }

    /// Listens to a body that nobody keeps: whoever is hung up on while still sending does not see the answer.
    async fn ignore(&self, body: Body) {
        let (mut stream, mut seen) = (body.into_data_stream(), 0_usize);
        let ignoring = async {
            while let Some(Ok(chunk)) = stream.next().await {
                seen = seen.saturating_add(chunk.len());
                if seen > IGNORED_BYTES_MAX {
                    break;
                }
            }
        };
        let _ = timeout(self.arrival, ignoring).await;
    }

    async fn arrive(&self, body: Body) -> Result<Arrived, Refusal> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            self.ignore(body).await;
            return Err(Refusal::Busy);
        };
        let too_large = || Refusal::TooLarge(format!("a request may have {BODY_BYTES_MAX} bytes; send smaller batches"));
        if body.size_hint().lower() > IGNORED_BYTES_MAX as u64 {
            return Err(too_large());
        }
        let mut stream = body.into_data_stream();
        let (mut bytes, mut seen, mut held, mut refusal) = (Vec::new(), 0_usize, None::<OwnedSemaphorePermit>, None);
        let arriving = async {
            while let Some(chunk) = stream.next().await {
                let chunk = chunk.map_err(|_| Refusal::Malformed("the body broke off".to_owned()))?;
                seen = seen.saturating_add(chunk.len());
                if seen > BODY_BYTES_MAX && refusal.is_none() {
                    refusal = Some(too_large());
                }
                if refusal.is_none() {
                    match u32::try_from(chunk.len()).ok().and_then(|n| Arc::clone(&self.bytes).try_acquire_many_owned(n).ok()) {
                        Some(more) => match &mut held {
                            Some(held) => held.merge(more),
                            None => held = Some(more),
                        },
                        None => refusal = Some(Refusal::Busy),
                    }
                }
                if refusal.is_none() {
                    bytes.extend_from_slice(&chunk);
                } else {
                    // The rest is listened to and forgotten, as above.
                    (bytes, held) = (Vec::new(), None);
                    if seen > IGNORED_BYTES_MAX {
                        break;
                    }
                }
            }
            Ok(())
        };
        timeout(self.arrival, arriving).await.map_err(|_| Refusal::Slow)??;
        match refusal {
            Some(refusal) => Err(refusal),
            None => Ok(Arrived { bytes: bytes.into(), _place: place, _held: held }),
        }
    }
}

/// What is packed by gzip, as far as it is taken.
pub(super) fn unpacked(bytes: &[u8], bytes_max: usize) -> Result<Bytes, Refusal> {
    let mut unpacked = Vec::new();
    let limit = bytes_max as u64 + 1;
    let read = MultiGzDecoder::new(bytes).take(limit).read_to_end(&mut unpacked);
    read.map_err(|error| Refusal::Malformed(format!("gzip: {error}")))?;
    if unpacked.len() > bytes_max {
        return Err(Refusal::TooLarge(format!("unpacked, a request may have {bytes_max} bytes; send smaller batches")));
    }
    Ok(unpacked.into())
}
