//! Threads that make proof-of-work hashes, for algorithms too slow for the threads that read requests.
//!
//! One thread keeps the queue and hands pieces of it to those that hash. In the queue clients take turns, and among
//! the miners of a client too, so whoever sends thousands of wrong shares holds up nobody but themselves. The queue
//! has a bound in all and one for each client, counted in headers; when it is full, whoever has the most waiting
//! makes room, and is told that the pool is busy.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::limits::SharedLimit;
use dwarves_domain::source::Source;
use dwarves_domain::work::{Algorithm, Header};
use dwarves_ports::proof_of_work::{HashesFuture, NotHashed, ProofOfWork};
use tokio::sync::oneshot;

mod queue;

use queue::{FairQueue, RequestId};

/// Headers that one thread hashes before it is somebody else's turn: some milliseconds of scrypt.
const PIECE: usize = 16;
/// Batches and hashes on their way to the thread that keeps the queue. It takes them in at once.
const NEWS_MAX: usize = 16_384;

/// What the thread that keeps the queue is told.
enum News {
    /// Headers are to be hashed.
    Hash {
        source: Source,
        headers: Vec<Header>,
        reply: Reply,
    },
    /// A thread has hashed what it had.
    Done { thread: usize, piece: Piece },
    /// The pool stops.
    End,
}

type Reply = oneshot::Sender<Result<Vec<HeaderHash>, NotHashed>>;

/// A part of a batch: on the way there its headers, on the way back their hashes.
struct Piece {
    batch: RequestId,
    begin: usize,
    headers: Vec<Header>,
    hashes: Vec<HeaderHash>,
}

/// A batch until its last hash is there.
struct HashRequest {
    headers: Vec<Header>,
    hashes: Vec<HeaderHash>,
    handed_out: usize,
    done: usize,
    reply: Reply,
}

/// Hashing threads. They end with the last handle.
pub struct HashThreads {
    algorithm: Algorithm,
    news: SyncSender<News>,
}

impl HashThreads {
    /// Starts `threads` threads, and one that keeps the queue. `limit` counts headers that wait.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn start(algorithm: Algorithm, threads: usize, limit: SharedLimit) -> std::io::Result<Self> {
        let (news, inbox) = sync_channel(NEWS_MAX);
        let threads = (0..threads.max(1))
            .map(|number| start_thread(algorithm, number, news.clone()))
            .collect::<std::io::Result<Vec<_>>>()?;
        let keeper = Keeper {
            queue: FairQueue::new(limit),
            batches: HashMap::new(),
            next_batch: 0,
            idle: (0..threads.len()).collect(),
            threads,
        };
        std::thread::Builder::new()
            .name("hashing-queue".to_owned())
            .spawn(move || keeper.run(&inbox))?;
        Ok(Self { algorithm, news })
    }
}

/// Starts a thread that hashes one piece after the other.
fn start_thread(
    algorithm: Algorithm,
    number: usize,
    news: SyncSender<News>,
) -> std::io::Result<SyncSender<Piece>> {
    let (pieces, inbox) = sync_channel::<Piece>(1);
    std::thread::Builder::new()
        .name(format!("hashing-{number}"))
        .spawn(move || {
            for mut piece in inbox {
                piece.hashes = piece
                    .headers
                    .iter()
                    .map(|header| algorithm.pow_hash(header))
                    .collect();
                let thread = number;
                if news.send(News::Done { thread, piece }).is_err() {
                    return;
                }
            }
        })?;
    Ok(pieces)
}

impl Drop for HashThreads {
    fn drop(&mut self) {
        // Without the thread that keeps the queue the others have ended already.
        let _ended = self.news.send(News::End);
    }
}

impl ProofOfWork for HashThreads {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    fn hash(&self, source: Source, headers: Vec<Header>) -> HashesFuture {
        if headers.is_empty() {
            return Box::pin(std::future::ready(Ok(Vec::new())));
        }
        let (reply, hashes) = oneshot::channel();
        let news = News::Hash {
            source,
            headers,
            reply,
        };
        if self.news.try_send(news).is_err() {
            return Box::pin(std::future::ready(Err(NotHashed::TooMany)));
        }
        Box::pin(async move { hashes.await.unwrap_or(Err(NotHashed::Ended)) })
    }
}

/// The thread that keeps the queue.
struct Keeper {
    queue: FairQueue,
    batches: HashMap<RequestId, HashRequest>,
    next_batch: RequestId,
    threads: Vec<SyncSender<Piece>>,
    idle: Vec<usize>,
}

impl Keeper {
    fn run(mut self, inbox: &Receiver<News>) {
        while let Ok(news) = inbox.recv() {
            match news {
                News::Hash {
                    source,
                    headers,
                    reply,
                } => self.take_in(source, headers, reply),
                News::Done { thread, piece } => {
                    self.idle.push(thread);
                    self.take_back(piece);
                }
                News::End => return,
            }
            self.hand_out();
        }
    }

    fn take_in(&mut self, source: Source, headers: Vec<Header>, reply: Reply) {
        let id = self.next_batch;
        self.next_batch += 1;
        let count = headers.len();
        let batch = HashRequest {
            hashes: Vec::with_capacity(count),
            headers,
            handed_out: 0,
            done: 0,
            reply,
        };
        self.batches.insert(id, batch);
        for refused in self.queue.push(source, id, count) {
            if let Some(batch) = self.batches.remove(&refused) {
                let _nobody_waits = batch.reply.send(Err(NotHashed::TooMany));
            }
        }
    }

    fn take_back(&mut self, piece: Piece) {
        let Some(batch) = self.batches.get_mut(&piece.batch) else {
            return;
        };
        let end = piece.begin + piece.hashes.len();
        if batch.hashes.len() < end {
            batch.hashes.resize(end, HeaderHash::from_bytes([0xff; 32]));
        }
        batch.hashes[piece.begin..end].copy_from_slice(&piece.hashes);
        batch.done += piece.hashes.len();
        if batch.done == batch.headers.len()
            && let Some(batch) = self.batches.remove(&piece.batch)
        {
            let _nobody_waits = batch.reply.send(Ok(batch.hashes));
        }
    }

    fn hand_out(&mut self) {
        while let Some(thread) = self.idle.last().copied() {
            let Some((id, count)) = self.queue.pop(PIECE) else {
                return;
            };
            let Some(batch) = self.batches.get_mut(&id) else {
                continue;
            };
            if batch.reply.is_closed() {
                // Nobody waits for it any more; its other pieces go the same way.
                self.batches.remove(&id);
                continue;
            }
            let begin = batch.handed_out;
            batch.handed_out += count;
            let piece = Piece {
                batch: id,
                begin,
                headers: batch.headers[begin..begin + count].to_vec(),
                hashes: Vec::new(),
            };
            self.idle.pop();
            if self.threads[thread].try_send(piece).is_err() {
                log::error!("a hashing thread has ended");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use dwarves_domain::hotkey::Hotkey;

    use super::*;

    const LIMIT: SharedLimit = SharedLimit {
        total: 8_192,
        per_client: 2_048,
    };

    fn headers(count: usize) -> Vec<Header> {
        let byte = |n: usize| u8::try_from(n % 251).unwrap();
        (0..count).map(|n| Header::from_bytes([byte(n); 80])).collect()
    }

    fn source(client: u8) -> Source {
        Source::new(IpAddr::from([192, 0, 2, client]), Hotkey::from_bytes([1; 32]))
    }

    #[actix::test]
    async fn hashes_come_in_the_order_of_their_headers_and_are_the_algorithms() {
        for algorithm in [Algorithm::Scrypt, Algorithm::Sha256d] {
            let threads = HashThreads::start(algorithm, 2, LIMIT).unwrap();
            assert_eq!(threads.algorithm(), algorithm);
            let both = (
                threads.hash(source(1), headers(3 * PIECE + 5)),
                threads.hash(source(2), headers(3)),
            );
            let right = |count| {
                headers(count)
                    .iter()
                    .map(|header| algorithm.pow_hash(header))
                    .collect::<Vec<_>>()
            };
            assert_eq!(both.0.await.unwrap(), right(3 * PIECE + 5));
            assert_eq!(both.1.await.unwrap(), right(3));
            assert_eq!(threads.hash(source(1), Vec::new()).await, Ok(Vec::new()));
        }
    }

    /// By the order in which answers come, not by a clock.
    #[actix::test]
    async fn a_share_of_another_client_overtakes_thousands_that_came_before_it() {
        let threads = HashThreads::start(Algorithm::Scrypt, 1, LIMIT).unwrap();
        let flood: Vec<_> = (0..20).map(|_| threads.hash(source(1), headers(100))).collect();
        let honest = threads.hash(source(2), headers(1));
        assert_eq!(honest.await.unwrap().len(), 1);
        let unfinished = flood.into_iter().rev().take(15);
        let waiting = unfinished
            .map(futures_of_rest)
            .filter(|is_waiting| *is_waiting)
            .count();
        assert_eq!(waiting, 15, "most of the flood still waits");
    }

    /// Whether its answer is not there yet.
    fn futures_of_rest(mut future: HashesFuture) -> bool {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        future.as_mut().poll(&mut context).is_pending()
    }

    #[actix::test]
    async fn more_than_a_clients_share_is_refused_and_taken_again_later() {
        let threads = HashThreads::start(Algorithm::Scrypt, 1, LIMIT).unwrap();
        let mut taken: Vec<_> = (0..6).map(|_| threads.hash(source(1), headers(500))).collect();
        assert_eq!(taken.pop().unwrap().await, Err(NotHashed::TooMany));
        assert_eq!(threads.hash(source(2), headers(1)).await.map(|h| h.len()), Ok(1));
        drop(taken);
        assert_eq!(threads.hash(source(1), headers(3)).await.map(|h| h.len()), Ok(3));
    }
}
