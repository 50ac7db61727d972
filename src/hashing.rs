//! Threads that make proof-of-work hashes, for algorithms too slow for the threads that read requests.
//!
//! Each thread has a queue with a bound, counted in headers. A batch goes to the thread with the shortest queue;
//! if that is full, the batch is refused, and the miner is told that the pool is busy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use dwarves_actors::proof_of_work::{HashesFuture, ProofOfWork, TooMany};
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::work::{Algorithm, Header};
use tokio::sync::oneshot;

/// Headers that may wait for one thread: two to four seconds of scrypt.
const WAITING_MAX: usize = 8_192;

/// Headers to hash, and who waits for them.
struct Batch {
    headers: Vec<Header>,
    reply: oneshot::Sender<Vec<HeaderHash>>,
}

struct Lane {
    batches: SyncSender<Batch>,
    /// Headers in the queue and under way.
    waiting: Arc<AtomicUsize>,
}

/// Hashing threads. They end with the last handle.
pub struct HashThreads {
    algorithm: Algorithm,
    lanes: Vec<Lane>,
}

impl HashThreads {
    /// Starts `threads` threads.
    ///
    /// # Errors
    /// If a thread can not be started.
    pub fn start(algorithm: Algorithm, threads: usize) -> std::io::Result<Self> {
        let lane = |number| {
            // Every batch holds at least one header, so the channel never is what is full.
            let (batches, queue) = sync_channel::<Batch>(WAITING_MAX);
            let waiting = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&waiting);
            std::thread::Builder::new()
                .name(format!("hashing-{number}"))
                .spawn(move || {
                    for Batch { headers, reply } in queue {
                        if !reply.is_closed() {
                            let hashes = headers.iter().map(|header| algorithm.pow_hash(header));
                            let _nobody_waits = reply.send(hashes.collect());
                        }
                        count.fetch_sub(headers.len(), Ordering::Relaxed);
                    }
                })?;
            Ok(Lane { batches, waiting })
        };
        Ok(Self {
            algorithm,
            lanes: (0..threads.max(1)).map(lane).collect::<std::io::Result<_>>()?,
        })
    }
}

impl ProofOfWork for HashThreads {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    fn hash(&self, headers: Vec<Header>) -> Result<HashesFuture, TooMany> {
        if headers.is_empty() {
            return Ok(Box::pin(std::future::ready(Some(Vec::new()))));
        }
        let shortest = self
            .lanes
            .iter()
            .min_by_key(|lane| lane.waiting.load(Ordering::Relaxed));
        let lane = shortest.ok_or(TooMany)?;
        let count = headers.len();
        let before = lane.waiting.fetch_add(count, Ordering::Relaxed);
        // A batch alone is taken however large it is: requests have a bound of their own.
        let (reply, hashes) = oneshot::channel();
        if (before > 0 && before + count > WAITING_MAX)
            || lane.batches.try_send(Batch { headers, reply }).is_err()
        {
            lane.waiting.fetch_sub(count, Ordering::Relaxed);
            return Err(TooMany);
        }
        Ok(Box::pin(async move { hashes.await.ok() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(count: u8) -> Vec<Header> {
        (0..count).map(|byte| Header::from_bytes([byte; 80])).collect()
    }

    #[actix::test]
    async fn hashes_come_in_the_order_of_their_headers_and_are_the_algorithms() {
        for algorithm in [Algorithm::Scrypt, Algorithm::Sha256d] {
            let threads = HashThreads::start(algorithm, 2).unwrap();
            assert_eq!(threads.algorithm(), algorithm);
            let both = (
                threads.hash(headers(5)).unwrap(),
                threads.hash(headers(3)).unwrap(),
            );
            let right = |count| {
                headers(count)
                    .iter()
                    .map(|header| algorithm.pow_hash(header))
                    .collect::<Vec<_>>()
            };
            assert_eq!(both.0.await.unwrap(), right(5));
            assert_eq!(both.1.await.unwrap(), right(3));
            assert_eq!(threads.hash(Vec::new()).unwrap().await, Some(Vec::new()));
        }
    }

    #[actix::test]
    async fn more_than_may_wait_is_refused_and_taken_again_later() {
        let threads = HashThreads::start(Algorithm::Sha256d, 1).unwrap();
        let many = vec![Header::from_bytes([1; 80]); WAITING_MAX];
        // Far more than the thread can hash while they are handed in.
        let mut taken = Vec::new();
        let refused = (0..1_000).any(|_| match threads.hash(many.clone()) {
            Ok(future) => {
                taken.push(future);
                false
            }
            Err(TooMany) => true,
        });
        assert!(refused);
        for hashes in taken {
            assert_eq!(hashes.await.unwrap().len(), WAITING_MAX);
        }
        while threads.hash(headers(1)).is_err() {
            actix_rt::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
}
