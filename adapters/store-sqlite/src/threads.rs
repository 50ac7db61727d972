//! A file with threads of its own: one writes and two read, so nobody who asks is held up.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{self, SyncSender};
use std::thread::JoinHandle;

use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{StoreError, StoreErrorKind, StoreFuture, StoredState, Write, Written};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::error::Outcome;
use super::log_mover::LogMover;
use super::mode::Mode;
use super::reader::Readers;
use super::writer::{self, Order, Reply, Writer};
use super::{OpenError, SqliteOptions, SqliteStore, copying, life_start, open};

/// Commits that may wait for the writer; the ledger has one under way at a time.
const WRITER_QUEUE_MAX: usize = 16;
/// Threads that read: a long fold over a window leaves one for quick questions.
const READERS: usize = 2;

/// The threads of a store on disk. Dropping them waits until what was asked is written.
pub struct Threads {
    // Dropped in this order: the readers first, so that the writer is the last to close and tidies the log.
    readers: Option<Readers>,
    orders: Option<SyncSender<Order>>,
    /// The writer's thread, and the mover's, which ends with it.
    threads: Vec<JoinHandle<()>>,
    /// Held as long as the database is open.
    _lock: File,
}

impl SqliteStore<Threads> {
    /// Opens the database at `path`, makes it if it is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// If another process has it, it is damaged, of a newer version or another program's, or the file cannot
    /// be written.
    pub fn open(path: &Path, options: SqliteOptions) -> Result<Self, OpenError> {
        let path = &open::real_path(path)?;
        let lock = open::lock(path)?;
        let mut connection = open::writer(path, options)?;
        copying::may_start(&connection)?;
        let (log_mover, mover) = LogMover::start(&mut connection, open::mover(path)?, open::LOG_PAGES)
            .map_err(|error| OpenError::Database(error.to_string()))?;
        let writer = Writer::new(connection)?;
        let connections = (0..READERS).map(|_| open::reader(path));
        let connections = connections.collect::<Result<Vec<_>, _>>()?;
        let no_thread = |error: std::io::Error| OpenError::Database(format!("no thread for it: {error}"));
        let readers = Readers::start(connections).map_err(no_thread)?;
        let (orders, ordered) = mpsc::sync_channel(WRITER_QUEUE_MAX);
        let writer = std::thread::Builder::new()
            .name("store-write".into())
            .spawn(move || writer::serve(log_mover, writer, &ordered))
            .map_err(no_thread)?;
        let mode = Threads {
            readers: Some(readers),
            orders: Some(orders),
            threads: vec![writer, mover],
            _lock: lock,
        };
        Ok(Self { mode })
    }

    /// The stored settings of a ledger that a running pool has open. Nothing is written, and nobody is held up.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn settings_in_use(path: &Path) -> Result<BTreeMap<String, String>, OpenError> {
        let connection = open::reader(&open::real_path(path)?)?;
        life_start::settings(&connection)
            .map_err(|fail| OpenError::Database(fail.into_store_error("reading settings").to_string()))
    }
}

impl Threads {
    /// Hands an order to the writer at once; what it comes to is told by the future.
    fn order<T: 'static>(&self, make: impl FnOnce(Reply<T>) -> Order) -> StoreFuture<T> {
        let (reply, answer) = oneshot::channel();
        let orders = self.orders.as_ref();
        let is_taken = orders.is_some_and(|orders| orders.try_send(make(reply)).is_ok());
        Box::pin(async move {
            if !is_taken {
                let why = "too many commits wait";
                return Err(StoreError::new(StoreErrorKind::Unavailable, why));
            }
            answer.await.unwrap_or_else(|_| {
                let why = "the writer ended without an answer";
                Err(StoreError::new(StoreErrorKind::Unknown, why))
            })
        })
    }
}

impl Mode for Threads {
    fn start(&self, now: Timestamp) -> StoreFuture<StoredState> {
        self.order(|reply| Order::Start(now, reply))
    }

    fn commit(&self, writes: Vec<Write>) -> StoreFuture<Vec<Written>> {
        self.order(|reply| Order::Commit(writes, reply))
    }

    fn read<T: Send + 'static>(
        &self,
        name: &'static str,
        read: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> StoreFuture<T> {
        match &self.readers {
            Some(readers) => readers.read(name, read),
            None => {
                let error = StoreError::new(StoreErrorKind::Unavailable, "the store is closed");
                Box::pin(std::future::ready(Err(error)))
            }
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.readers = None;
        self.orders = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                log::error!("a thread of the store panicked");
            }
        }
    }
}
