//! Threads that make proof-of-work hashes, for algorithms too slow for the threads that read requests.
//!
//! One thread keeps the queue and hands pieces of it to those that hash. In the queue clients take turns, and among
//! the miners of a client too, so whoever sends thousands of wrong shares holds up nobody but themselves. The queue
//! has a bound in all and one for each client, counted in headers; when it is full, whoever has the most waiting
//! makes room, and is told that the pool is busy.
//!
//! A thread hashes several headers at once, in lanes. What one request leaves of them empty is filled with the headers of
//! those whose turn is next. Nobody waits for others to come: an idle thread takes what there is.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::limits::SharedLimit;
use dwarves_domain::source::Source;
use dwarves_domain::work::{Algorithm, Header};
use dwarves_lanes::{Lanes, ScryptMemory};
use dwarves_ports::proof_of_work::{HashesFuture, NotHashed, ProofOfWork};
use tokio::sync::oneshot;

mod queue;
#[cfg(test)]
mod tests;

use queue::{FairQueue, RequestId};

/// Headers that one thread hashes before it is somebody else's turn, and as many more as the last lanes have room for: some
/// milliseconds of scrypt.
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
    Done { thread: usize, load: Load },
    /// The pool stops.
    End,
}

type Reply = oneshot::Sender<Result<Vec<HeaderHash>, NotHashed>>;

/// What a thread hashes at once: on the way there headers, on the way back their hashes, too.
struct Load {
    headers: Vec<Header>,
    hashes: Vec<HeaderHash>,
    pieces: Vec<Piece>,
}

/// A part of a batch, whose headers stand behind those of the piece before.
#[derive(Debug, PartialEq, Eq)]
struct Piece {
    batch: RequestId,
    begin: usize,
    count: usize,
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
    /// Starts `threads` threads that hash in these lanes, and one that keeps the queue. `limit` counts headers that wait.
    /// Each thread may take the memory of its lanes: 1 MiB at most for scrypt.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn start(
        algorithm: Algorithm,
        lanes: Lanes,
        threads: usize,
        limit: SharedLimit,
    ) -> std::io::Result<Self> {
        let (news, inbox) = sync_channel(NEWS_MAX);
        let threads = (0..threads.max(1))
            .map(|number| start_thread(algorithm, lanes, number, news.clone()))
            .collect::<std::io::Result<Vec<_>>>()?;
        let keeper = Keeper::new(width_of(algorithm, lanes), threads, limit);
        std::thread::Builder::new()
            .name("hashing-queue".to_owned())
            .spawn(move || keeper.run(&inbox))?;
        Ok(Self { algorithm, news })
    }
}

/// How many headers these lanes hash at once.
fn width_of(algorithm: Algorithm, lanes: Lanes) -> usize {
    match algorithm {
        Algorithm::Sha256d => lanes.kind().width(),
        Algorithm::Scrypt => lanes.scrypt_width(),
    }
}

/// Starts a thread that hashes one load after the other.
fn start_thread(
    algorithm: Algorithm,
    lanes: Lanes,
    number: usize,
    news: SyncSender<News>,
) -> std::io::Result<SyncSender<Load>> {
    let (loads, inbox) = sync_channel::<Load>(1);
    std::thread::Builder::new()
        .name(format!("hashing-{number}"))
        .spawn(move || {
            let mut memory = ScryptMemory::new();
            for mut load in inbox {
                load.hashes = algorithm.pow_hashes(lanes, &load.headers, &mut memory);
                let thread = number;
                if news.send(News::Done { thread, load }).is_err() {
                    return;
                }
            }
        })?;
    Ok(loads)
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
    /// How many headers a thread hashes at once, and how many it is given of one turn.
    width: usize,
    piece: usize,
    batches: HashMap<RequestId, HashRequest>,
    next_batch: RequestId,
    threads: Vec<SyncSender<Load>>,
    idle: Vec<usize>,
}

impl Keeper {
    fn new(width: usize, threads: Vec<SyncSender<Load>>, limit: SharedLimit) -> Self {
        let piece = PIECE.next_multiple_of(width);
        Self {
            queue: FairQueue::new(limit, piece),
            width,
            piece,
            batches: HashMap::new(),
            next_batch: 0,
            idle: (0..threads.len()).collect(),
            threads,
        }
    }

    fn run(mut self, inbox: &Receiver<News>) {
        while let Ok(news) = inbox.recv() {
            match news {
                News::Hash {
                    source,
                    headers,
                    reply,
                } => self.take_in(source, headers, reply),
                News::Done { thread, load } => {
                    self.idle.push(thread);
                    let mut hashes = &load.hashes[..];
                    for piece in load.pieces {
                        let (of_piece, rest) = hashes.split_at(piece.count);
                        self.take_back(&piece, of_piece);
                        hashes = rest;
                    }
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

    fn take_back(&mut self, piece: &Piece, hashes: &[HeaderHash]) {
        let Some(batch) = self.batches.get_mut(&piece.batch) else {
            return;
        };
        let end = piece.begin + hashes.len();
        if batch.hashes.len() < end {
            batch.hashes.resize(end, HeaderHash::from_bytes([0xff; 32]));
        }
        batch.hashes[piece.begin..end].copy_from_slice(hashes);
        batch.done += hashes.len();
        if batch.done == batch.headers.len()
            && let Some(batch) = self.batches.remove(&piece.batch)
        {
            let _nobody_waits = batch.reply.send(Ok(batch.hashes));
        }
    }

    fn hand_out(&mut self) {
        while let Some(thread) = self.idle.last().copied() {
            let Some(load) = self.next_load() else { return };
            self.idle.pop();
            if self.threads[thread].try_send(load).is_err() {
                log::error!("a hashing thread has ended");
            }
        }
    }

    /// The piece whose turn it is, and of those after it what fits into lanes that would be empty: it costs nobody time.
    fn next_load(&mut self) -> Option<Load> {
        let mut load = Load {
            headers: Vec::with_capacity(self.piece),
            hashes: Vec::new(),
            pieces: Vec::new(),
        };
        let mut room = self.piece;
        while room > 0
            && let Some((id, count)) = self.queue.pop(room)
        {
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
            load.headers
                .extend_from_slice(&batch.headers[begin..begin + count]);
            load.pieces.push(Piece {
                batch: id,
                begin,
                count,
            });
            room = load.headers.len().next_multiple_of(self.width) - load.headers.len();
        }
        (!load.pieces.is_empty()).then_some(load)
    }
}
