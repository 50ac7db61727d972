//! Writing: one commit of the ledger is one transaction, flushed before it is answered; and the thread that does it.

use std::sync::mpsc::{Receiver, TryRecvError};

use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{StoreError, StoreErrorKind, StoredState, Write, Written};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::append_state::Known;
use super::conservation;
use super::error::{OpenError, Outcome, commit_error};
use super::life_start;
use super::log_mover::LogMover;
use super::write::{self, Transaction, prune};

/// Where an answer goes. Nobody may be waiting for it any more: that is no error.
pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the writer is asked.
pub(super) enum Order {
    Start(Timestamp, Reply<StoredState>),
    Commit(Vec<Write>, Reply<Vec<Written>>),
}

/// The writing side of the database, on whatever thread.
pub(super) struct Writer {
    connection: Connection,
    known: Known,
    /// Set once nobody knows what is stored: only a new start can tell.
    unknown: Option<StoreError>,
    is_pruning: bool,
}

impl Writer {
    /// Reads what must be known to go on writing, and checks that it fits together.
    pub(super) fn new(connection: Connection) -> Result<Self, OpenError> {
        let read = |connection| {
            conservation::check_all(connection)?;
            Ok((Known::load(connection)?, prune::is_pending(connection)?))
        };
        let read: Outcome<_> = read(&connection);
        let (known, is_pruning) = read.map_err(|fail| {
            let error = fail.into_store_error("reading the ledger's end");
            match error.kind() {
                StoreErrorKind::Corrupt => OpenError::Corrupt(error.to_string()),
                _ => OpenError::Database(error.to_string()),
            }
        })?;
        Ok(Self {
            connection,
            known,
            unknown: None,
            is_pruning,
        })
    }

    /// The connection that it writes with.
    pub(super) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// The connection, of which somebody else makes something else.
    pub(super) fn into_connection(self) -> Connection {
        self.connection
    }

    /// Begins a new life.
    pub(super) fn start(&mut self, now: Timestamp) -> Result<StoredState, StoreError> {
        self.transact("starting", |transaction| life_start::start(transaction, now))
    }

    /// Applies all of `writes` or nothing. If shares are to be pruned then, [`Self::is_pruning`] says so.
    pub(super) fn commit(&mut self, writes: &[Write]) -> Result<Vec<Written>, StoreError> {
        let written = self.transact("committing", |transaction| write::apply_all(transaction, writes));
        self.is_pruning |= written.is_ok() && writes.iter().any(|w| matches!(w, Write::PruneShares { .. }));
        written
    }

    /// Whether [`Self::prune_piece`] has something to do.
    pub(super) fn is_pruning(&self) -> bool {
        self.is_pruning
    }

    /// Prunes a little.
    pub(super) fn prune_piece(&mut self) {
        let piece = self.transact("pruning", |transaction| prune::piece(transaction.connection));
        self.is_pruning = match piece {
            Ok(more) => more,
            Err(error) => {
                log::warn!("shares are not pruned for now: {error}");
                false
            }
        };
    }

    /// Does `work` in one transaction: on any error but an unknown one nothing of it is applied.
    fn transact<T>(
        &mut self,
        during: &str,
        work: impl FnOnce(&mut Transaction<'_>) -> Outcome<T>,
    ) -> Result<T, StoreError> {
        if let Some(error) = &self.unknown {
            return Err(error.clone());
        }
        self.execute("BEGIN IMMEDIATE")
            .map_err(|error| super::error::Fail::Sql(error).into_store_error("beginning a transaction"))?;
        let undo = self.known.begin();
        let done = work(&mut Transaction::new(&self.connection, &mut self.known));
        let failed = match done {
            Ok(value) => match self.execute("COMMIT") {
                Ok(()) => return Ok(value),
                Err(error) => commit_error(&error, self.roll_back()),
            },
            Err(fail) => {
                let error = fail.into_store_error(during);
                if self.roll_back() {
                    error
                } else {
                    StoreError::new(
                        StoreErrorKind::Unknown,
                        format!("{error}; nor could it be undone"),
                    )
                }
            }
        };
        self.known.undo(undo);
        if failed.kind() == StoreErrorKind::Unknown {
            self.unknown = Some(failed.clone());
        }
        Err(failed)
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    /// Ends a failed transaction. SQLite has often done it by itself.
    fn roll_back(&self) -> bool {
        self.connection.is_autocommit() || self.execute("ROLLBACK").is_ok()
    }
}

/// Serves orders until there can be no more. Shares are pruned piece by piece, one after each order and
/// the rest while there are none. At the end the writer is dropped before the mover (parameters go last to first): of
/// two connections that close at once neither is the last, which tidies the log away.
pub(super) fn serve(mut log_mover: LogMover, mut writer: Writer, orders: &Receiver<Order>) {
    loop {
        let order = match orders.try_recv() {
            Ok(order) => order,
            Err(TryRecvError::Empty) if writer.is_pruning() => {
                writer.prune_piece();
                log_mover.tend(writer.connection());
                continue;
            }
            Err(TryRecvError::Empty) => match orders.recv() {
                Ok(order) => order,
                Err(_) => return,
            },
            Err(TryRecvError::Disconnected) => return,
        };
        match order {
            Order::Start(now, reply) => {
                let _gone = reply.send(writer.start(now));
            }
            Order::Commit(writes, reply) => {
                // Dropping many shares takes longer than telling that they are safe.
                let _gone = reply.send(writer.commit(&writes));
            }
        }
        if writer.is_pruning() {
            writer.prune_piece();
        }
        log_mover.tend(writer.connection());
    }
}
