//! The threads of a store: one writes and some read, each with a connection of its own, so nobody who asks is held up.

use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};
use std::thread::JoinHandle;

use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{
    StandbyState, StoreError, StoreErrorKind, StoreFuture, StoredState, Write, Written,
};
use tokio::sync::{Notify, oneshot, watch};

use super::client::Db;
use super::error::{Fail, OpenError, Outcome, unavailable};
use super::fronts::Front;
use super::options::PostgresOptions;
use super::questions::{Question, Side};
use super::readers::{Asker, READERS, Readers, asking};
use super::server;
use super::standby::{Standby, told};
use super::writer::{self, Order, Reply, Writer};

/// Commits that may wait for the writer; the ledger has two under way at most.
const WRITER_QUEUE_MAX: usize = 16;

/// The threads of a store. Dropping them waits until what was asked is written.
pub(crate) struct Threads {
    /// Of the standby, which hands on what it cannot answer: it ends before the readers.
    standby: Option<Standby>,
    readers: Arc<Readers>,
    orders: Option<SyncSender<Order>>,
    /// Told of each order.
    came: Arc<Notify>,
    writer: Option<JoinHandle<()>>,
    closing: watch::Sender<bool>,
}

/// Whether a store writes, and as which front.
#[derive(Clone, Copy)]
pub(crate) enum Writes<'a> {
    No,
    Yes(Option<&'a Front>),
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// Somebody who decides by the answer.
    Deciding,
    /// A page.
    Showing,
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
        let (mut orders, mut writing) = (None, None);
        let came = Arc::new(Notify::new());
        if let Writes::Yes(front) = writes {
            let writer = Writer::open(options, front, &connections[0], closed.clone())?;
            if let Some(front) = front {
                front.led(writer.epoch());
            }
            let (give, ordered) = mpsc::sync_channel(WRITER_QUEUE_MAX);
            let thread = std::thread::Builder::new()
                .name("store-write".into())
                .spawn({
                    let came = Arc::clone(&came);
                    move || writer::serve(writer, &ordered, &came)
                })
                .map_err(no_thread)?;
            (orders, writing) = (Some(give), Some(thread));
        }
        let answering = connections.into_iter().map(|connection| {
            let mut asker = Asker::new(connection, options, &closed);
            move |asking| asker.answer(asking)
        });
        let readers = Readers::start("store-read", &closed, answering).map_err(no_thread)?;
        let mut threads = Self {
            standby: None,
            readers: Arc::new(readers),
            orders,
            came,
            writer: writing,
            closing,
        };
        if options.standby.is_some() {
            let standby = Standby::start(options, &threads.readers, &closed);
            threads.standby = standby.map_err(no_thread)?;
        }
        Ok(threads)
    }

    /// Hands an order to the writer at once; what it comes to is told by the future.
    fn order<T: 'static>(&self, make: impl FnOnce(Reply<T>) -> Order) -> StoreFuture<T> {
        let (reply, answer) = oneshot::channel();
        let is_taken = match &self.orders {
            Some(orders) => {
                let is_taken = orders.try_send(make(reply)).is_ok();
                self.came.notify_one();
                is_taken
            }
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
        // Whoever is told of it must not be shown how it was before.
        let told = self.standby.as_ref().filter(|_| writes.iter().any(told::is_told));
        let told = told.map(Standby::teller);
        let committed = self.order(|reply| Order::Commit(writes, reply));
        match told {
            None => committed,
            Some(told) => Box::pin(async move {
                let committed = committed.await;
                told.note_told();
                committed
            }),
        }
    }

    /// Asks the thread with the least to do, of the standby if that may answer.
    pub(crate) fn read<T: Send + 'static>(
        &self,
        question: Question,
        who: For,
        is_nothing: fn(&T) -> bool,
        read: impl Fn(&Db) -> Outcome<T> + Send + 'static,
    ) -> StoreFuture<T> {
        let (asking, answer) = asking(question, is_nothing, read);
        let may_lag = who == For::Showing && question.side() == Side::Standby;
        let asked = match self.standby.as_ref().filter(|_| may_lag) {
            Some(standby) => standby.take(asking),
            None => Err(asking),
        };
        let is_taken = asked.or_else(|asking| self.readers.take(asking)).is_ok();
        Box::pin(async move {
            if !is_taken {
                return Err(unavailable("too many reads wait"));
            }
            let closed = |_| Err(unavailable("the store is closing"));
            answer.await.unwrap_or_else(closed)
        })
    }

    /// How the standby is, if there is one.
    pub(crate) fn standby(&self) -> Option<StandbyState> {
        self.standby.as_ref().map(Standby::state)
    }
}

impl Drop for Threads {
    /// Ends what is being read, and waits for the threads.
    fn drop(&mut self) {
        self.closing.send_replace(true);
        self.standby = None;
        self.orders = None;
        if self.writer.take().is_some_and(|writer| writer.join().is_err()) {
            log::error!("a thread of the store panicked");
        }
    }
}

/// Asks a question on a connection of one's own, at once.
pub(crate) fn ask<T>(db: &Db, during: &str, read: impl FnOnce(&Db) -> Outcome<T>) -> Result<T, OpenError> {
    read(db).map_err(|fail: Fail| OpenError::of_fail(fail, during))
}
