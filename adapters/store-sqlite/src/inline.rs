//! A database in memory on the calling thread: every answer is ready at once. What is written, read and checked is
//! written, read and checked by the code of a store on disk, so what runs on this runs on what is shipped.

use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{StoreError, StoreErrorKind, StoreFuture, StoredState, Write, Written};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use sync_wrapper::SyncWrapper;
use tokio::sync::watch;

use super::error::Outcome;
use super::mode::Mode;
use super::reader::in_snapshot;
use super::writer::Writer;
use super::{OpenError, SqliteOptions, SqliteStore, open};

/// The database of a store without threads. Clones share it.
///
/// It lies in a watch channel that nobody watches: that is a cell which can be shared between threads and changed in
/// place, by one at a time. It is empty once the database was opened anew.
#[derive(Clone)]
pub struct Inline {
    writer: watch::Sender<SyncWrapper<Option<Writer>>>,
}

impl SqliteStore<Inline> {
    /// A store on a new database in memory.
    ///
    /// # Errors
    /// If SQLite refuses.
    pub fn inline() -> Result<Self, OpenError> {
        let connection = Connection::open_in_memory().map_err(|error| OpenError::of_sql(&error))?;
        Self::on(connection)
    }

    /// All of an opening but what is about files and threads.
    fn on(mut connection: Connection) -> Result<Self, OpenError> {
        open::prepare(&mut connection, SqliteOptions::default())?;
        let mut writer = Writer::new(connection)?;
        do_chores(&mut writer);
        let writer = watch::Sender::new(SyncWrapper::new(Some(writer)));
        Ok(Self {
            mode: Inline { writer },
        })
    }

    /// Opens the database anew, as a restart does, with all that an opening checks. The store that had it until now is
    /// closed, and so are its clones: what a life that crashed left behind changes nothing any more.
    ///
    /// # Errors
    /// If the database is damaged, or this store is closed itself.
    pub fn reopen(&self) -> Result<Self, OpenError> {
        let writer = self.mode.with(Option::take);
        let writer = writer.ok_or_else(|| OpenError::Database(closed().to_string()))?;
        Self::on(writer.into_connection())
    }

    /// A store with what this one holds now. It knows nothing of what comes later.
    ///
    /// # Errors
    /// If the database cannot be copied, or the store is closed.
    pub fn copy(&self) -> Result<Self, OpenError> {
        let copied = self.look(|from| -> rusqlite::Result<Connection> {
            let mut to = Connection::open_in_memory()?;
            // All pages in one step: nobody writes meanwhile.
            let copied = Backup::new(from, &mut to)?.step(-1)?;
            debug_assert_eq!(copied, StepResult::Done);
            Ok(to)
        });
        let copied = copied.map_err(|error| OpenError::Database(error.to_string()))?;
        Self::on(copied.map_err(|error| OpenError::of_sql(&error))?)
    }

    /// Looks at the database past the store's questions: for tests, of what no part of the pool asks.
    ///
    /// # Errors
    /// If the store is closed.
    pub fn look<T>(&self, look: impl FnOnce(&Connection) -> T) -> Result<T, StoreError> {
        self.mode.with(|writer| match writer {
            Some(writer) => Ok(look(writer.connection())),
            None => Err(closed()),
        })
    }

    /// Shows the SQL of every statement that runs from now on, as it was prepared: for tests.
    ///
    /// # Errors
    /// If the store is closed, or SQLite refuses.
    pub fn show_statements(&self, mut show: impl FnMut(&str) + Send + 'static) -> Result<(), StoreError> {
        let told = move |event: TraceEvent<'_>| {
            if let TraceEvent::Stmt(_, sql) = event {
                show(sql);
            }
        };
        self.mode.with(|writer| {
            let connection = writer.as_mut().ok_or_else(closed)?.connection();
            let traced = connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(told));
            traced.map_err(|error| StoreError::new(StoreErrorKind::Unavailable, error.to_string()))
        })
    }
}

fn closed() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "the store is closed")
}

/// Does all that is to be done: there is no later in which a thread would have time for it.
fn do_chores(writer: &mut Writer) {
    while writer.has_chores() {
        writer.do_chore();
    }
}

impl Inline {
    fn with<T>(&self, change: impl FnOnce(&mut Option<Writer>) -> T) -> T {
        let mut answer = None;
        self.writer
            .send_modify(|writer| answer = Some(change(writer.get_mut())));
        answer.expect("send_modify calls its closure")
    }

    /// What `ask` says, at once.
    fn answer<T: 'static>(&self, ask: impl FnOnce(&mut Writer) -> Result<T, StoreError>) -> StoreFuture<T> {
        let answer = self.with(|writer| match writer {
            Some(writer) => ask(writer),
            None => Err(closed()),
        });
        Box::pin(std::future::ready(answer))
    }
}

impl Mode for Inline {
    fn start(&self, now: Timestamp) -> StoreFuture<StoredState> {
        self.answer(|writer| writer.start(now))
    }

    fn commit(&self, writes: Vec<Write>) -> StoreFuture<Vec<Written>> {
        self.answer(|writer| {
            let written = writer.commit(&writes);
            do_chores(writer);
            written
        })
    }

    fn read<T: Send + 'static>(
        &self,
        name: &'static str,
        read: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> StoreFuture<T> {
        self.answer(|writer| {
            let answered = in_snapshot(writer.connection(), read);
            answered.map_err(|fail| fail.into_store_error(name))
        })
    }
}
