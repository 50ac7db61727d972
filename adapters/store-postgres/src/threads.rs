//! The threads of a store: one writes and some read, each with a connection of its own, so nobody who asks is held up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::JoinHandle;

use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{StoreError, StoreErrorKind, StoreFuture, StoredState, Write, Written};
use tokio::sync::{oneshot, watch};

use super::client::Db;
use super::error::{Fail, OpenError, Outcome, unavailable};
use super::fronts::Front;
use super::options::PostgresOptions;
use super::server;
use super::writer::{self, Order, Reply, Writer};

/// Commits that may wait for the writer; the ledger has one under way at a time.
const WRITER_QUEUE_MAX: usize = 16;
/// Threads that read: a long fold over a window leaves some for quick questions.
const READERS: usize = 3;
/// Questions that may wait for one thread; more are refused.
const QUEUE_MAX: usize = 64;

/// A question: it gets the connection, or why there is none, and whether it may be asked again on another connection.
type Question = Box<dyn FnMut(Result<&Db, StoreError>, bool) -> Asked + Send>;

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// It was answered, and the connection is as it was.
    Answered,
    /// It was answered, and the connection is no good any more.
    Broken,
    /// The connection was lost under it: it waits for another one.
    Again,
}

/// The threads of a store. Dropping them waits until what was asked is written.
pub(crate) struct Threads {
    readers: Vec<Reader>,
    orders: Option<SyncSender<Order>>,
    writer: Option<JoinHandle<()>>,
    closing: watch::Sender<bool>,
}

struct Reader {
    questions: Option<SyncSender<Question>>,
    /// Questions that wait or are being answered.
    pending: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

/// Whether a store writes, and as which front.
#[derive(Clone, Copy)]
pub(crate) enum Writes<'a> {
    No,
    Yes(Option<&'a Front>),
}

/// Whether a question is one statement, which is of one moment anyway.
#[derive(Clone, Copy)]
pub(crate) enum Of {
    OneStatement,
    Several,
}

impl Threads {
    /// Threads that read alone, or write as well, for a front or for whoever is alone.
    pub(crate) fn start(options: &PostgresOptions, writes: Writes<'_>) -> Result<Self, OpenError> {
        let (closing, closed) = watch::channel(false);
        let mut connections = Vec::new();
        for _ in 0..READERS {
            connections.push(server::connect(options)?.until(closed.clone()));
        }
        let no_thread = |error: std::io::Error| OpenError::Database(format!("no thread for it: {error}"));
        let mut threads = Self {
            readers: Vec::new(),
            orders: None,
            writer: None,
            closing,
        };
        if let Writes::Yes(front) = writes {
            let writer = Writer::open(options, front, &connections[0], closed.clone())?;
            if let Some(front) = front {
                front.led(writer.epoch());
            }
            let (orders, ordered) = mpsc::sync_channel(WRITER_QUEUE_MAX);
            let writer = std::thread::Builder::new()
                .name("store-write".into())
                .spawn(move || writer::serve(writer, &ordered))
                .map_err(no_thread)?;
            threads.orders = Some(orders);
            threads.writer = Some(writer);
        }
        for connection in connections {
            let reader = Reader::start(connection, options.clone(), closed.clone());
            threads.readers.push(reader.map_err(no_thread)?);
        }
        Ok(threads)
    }

    /// Hands an order to the writer at once; what it comes to is told by the future.
    fn order<T: 'static>(&self, make: impl FnOnce(Reply<T>) -> Order) -> StoreFuture<T> {
        let (reply, answer) = oneshot::channel();
        let is_taken = match &self.orders {
            Some(orders) => orders.try_send(make(reply)).is_ok(),
            None => {
                let error = unavailable("the ledger was opened to be looked at: nothing is written");
                return Box::pin(std::future::ready(Err(error)));
            }
        };
        Box::pin(async move {
            if !is_taken {
                return Err(unavailable("too many commits wait"));
            }
            answer.await.unwrap_or_else(|_| {
                let why = "the writer ended without an answer";
                Err(StoreError::new(StoreErrorKind::Unknown, why))
            })
        })
    }

    pub(crate) fn begin_life(&self, now: Timestamp) -> StoreFuture<StoredState> {
        self.order(|reply| Order::Start(now, reply))
    }

    pub(crate) fn commit(&self, writes: Vec<Write>) -> StoreFuture<Vec<Written>> {
        self.order(|reply| Order::Commit(writes, reply))
    }

    /// Asks the thread with the least to do.
    pub(crate) fn read<T: Send + 'static>(
        &self,
        name: &'static str,
        of: Of,
        read: impl Fn(&Db) -> Outcome<T> + Send + 'static,
    ) -> StoreFuture<T> {
        let (reply, answer) = oneshot::channel();
        let mut reply = Some(reply);
        let question: Question = Box::new(move |db, may_repeat| {
            let (answered, asked) = match db {
                Ok(db) => {
                    let (answered, is_well) = in_snapshot(db, of, &read);
                    match answered {
                        Err(_) if db.is_gone() && may_repeat => return Asked::Again,
                        _ if is_well => (answered, Asked::Answered),
                        _ => (answered, Asked::Broken),
                    }
                }
                Err(error) => (Err(error.into()), Asked::Broken),
            };
            if let Some(reply) = reply.take() {
                let _gone = reply.send(answered.map_err(|fail| fail.into_store_error(name)));
            }
            asked
        });
        let least_busy = self
            .readers
            .iter()
            .min_by_key(|r| r.pending.load(Ordering::Relaxed));
        let is_taken = least_busy.is_some_and(|reader| reader.take(question));
        Box::pin(async move {
            if !is_taken {
                return Err(unavailable("too many reads wait"));
            }
            let closed = |_| Err(unavailable("the store is closing"));
            answer.await.unwrap_or_else(closed)
        })
    }
}

/// Reads in one transaction, so that all that is read is of one moment. Also whether the connection is as it was.
fn in_snapshot<T>(db: &Db, of: Of, read: &impl Fn(&Db) -> Outcome<T>) -> (Outcome<T>, bool) {
    if matches!(of, Of::OneStatement) {
        let answered = read(db);
        return (answered, !db.is_gone());
    }
    let answered = db
        .run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .and_then(|()| read(db));
    let is_over = db
        .run(if answered.is_ok() { "COMMIT" } else { "ROLLBACK" })
        .is_ok();
    (answered, is_over && !db.is_gone())
}

impl Reader {
    fn start(db: Db, options: PostgresOptions, closed: watch::Receiver<bool>) -> std::io::Result<Self> {
        let (questions, asked) = mpsc::sync_channel::<Question>(QUEUE_MAX);
        let pending = Arc::new(AtomicUsize::new(0));
        let thread = std::thread::Builder::new().name("store-read".into()).spawn({
            let pending = Arc::clone(&pending);
            move || answer_all(db, &options, &closed, &asked, &pending)
        })?;
        Ok(Self {
            questions: Some(questions),
            pending,
            thread: Some(thread),
        })
    }

    fn take(&self, question: Question) -> bool {
        self.pending.fetch_add(1, Ordering::Relaxed);
        let sent = self
            .questions
            .as_ref()
            .map(|questions| questions.try_send(question));
        let is_taken = matches!(sent, Some(Ok(())));
        if !is_taken {
            self.pending.fetch_sub(1, Ordering::Relaxed);
        }
        is_taken
    }
}

fn answer_all(
    db: Db,
    options: &PostgresOptions,
    closed: &watch::Receiver<bool>,
    questions: &Receiver<Question>,
    pending: &AtomicUsize,
) {
    let mut db = Some(db);
    while let Ok(mut question) = questions.recv() {
        // Dropping a question unanswered tells the asker that the store is closing.
        if !*closed.borrow() && answer(&mut db, options, closed, &mut question, true) == Asked::Again {
            answer(&mut db, options, closed, &mut question, false);
        }
        pending.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Asks on the connection, or on a new one if it is gone.
fn answer(
    db: &mut Option<Db>,
    options: &PostgresOptions,
    closed: &watch::Receiver<bool>,
    question: &mut Question,
    may_repeat: bool,
) -> Asked {
    let connected = match db.take().filter(|db| !db.is_gone()) {
        Some(connected) => Ok(connected),
        None => server::connect(options).map(|connected| connected.until(closed.clone())),
    };
    match connected {
        Ok(connected) => {
            let asked = question(Ok(&connected), may_repeat);
            if asked == Asked::Answered {
                *db = Some(connected);
            }
            asked
        }
        Err(error) => question(Err(unavailable(error.to_string())), may_repeat),
    }
}

impl Drop for Threads {
    /// Ends what is being read, and waits for the threads.
    fn drop(&mut self) {
        self.closing.send_replace(true);
        self.orders = None;
        for reader in &mut self.readers {
            reader.questions = None;
        }
        let readers = self.readers.iter_mut().filter_map(|reader| reader.thread.take());
        for thread in readers.chain(self.writer.take()) {
            if thread.join().is_err() {
                log::error!("a thread of the store panicked");
            }
        }
    }
}

/// Asks a question on a connection of one's own, at once.
pub(crate) fn ask<T>(db: &Db, during: &str, read: impl FnOnce(&Db) -> Outcome<T>) -> Result<T, OpenError> {
    read(db).map_err(|fail: Fail| OpenError::of_fail(fail, during))
}
