//! Writing: one commit of the ledger is one transaction, flushed before it is answered; and the thread that does it.

use std::sync::mpsc::{Receiver, TryRecvError};

use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::store::{StoreError, StoreErrorKind, StoredState, Write, Written};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::append_state::Known;
use super::conservation;
use super::error::{OpenError, Outcome, commit_error};
use super::history::{forgetting, moving, roll};
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
    chores: Chores,
}

/// Seconds of shares after which they come into the history.
const ROLL_EVERY: Span = Span::from_secs(10);
/// Shares after which they do at the latest.
const ROLL_SHARES: u64 = 50_000;

/// What is to be done between commits, little by little.
#[derive(Clone, Copy, Debug, Default)]
struct Chores {
    /// Shares are to be deleted.
    is_pruning: bool,
    /// Shares are to come into the history.
    is_rolling: bool,
    /// Hours of history are to be moved.
    is_moving: bool,
    /// Old history is to be deleted.
    is_forgetting: bool,
    /// When the first share came that is not in the history, if one came in this life; and how many did.
    waiting: Option<(Timestamp, u64)>,
    /// When the last one came that is, or rejected ones did.
    rolled: Timestamp,
}

impl Chores {
    /// What a commit leaves to be done.
    fn note(&mut self, writes: &[Write]) {
        for write in writes {
            match write {
                Write::AppendShares(shares) => {
                    let Some(last) = shares.last() else {
                        continue;
                    };
                    let (since, count) = self.waiting.get_or_insert((last.received_at, 0));
                    *count += shares.len() as u64;
                    let passed = last.received_at.ahead_of(*since).unsigned_abs();
                    self.is_rolling |= passed >= ROLL_EVERY.millis() || *count >= ROLL_SHARES;
                }
                Write::SaveCounters { at, .. } => {
                    self.is_moving = true;
                    self.rolled = *at;
                }
                Write::PruneShares { .. } => self.is_pruning = true,
                Write::PruneHistory { .. } => self.is_forgetting = true,
                _ => {}
            }
        }
    }
}

impl Writer {
    /// Reads what must be known to go on writing, and checks that it fits together.
    pub(super) fn new(connection: Connection) -> Result<Self, OpenError> {
        let read = |connection| {
            conservation::check_all(connection)?;
            let chores = Chores {
                is_pruning: prune::is_pending(connection)?,
                is_rolling: true,
                ..Chores::default()
            };
            Ok((Known::load(connection)?, chores))
        };
        let read: Outcome<_> = read(&connection);
        let (known, chores) = read.map_err(|fail| {
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
            chores,
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

    /// Applies all of `writes` or nothing. If there is something to be done then, [`Self::has_chores`] says so.
    pub(super) fn commit(&mut self, writes: &[Write]) -> Result<Vec<Written>, StoreError> {
        let written = self.transact("committing", |transaction| write::apply_all(transaction, writes));
        if written.is_ok() {
            self.chores.note(writes);
        }
        written
    }

    /// Whether [`Self::do_chore`] has something to do.
    pub(super) fn has_chores(&self) -> bool {
        let chores = &self.chores;
        chores.is_pruning || chores.is_rolling || chores.is_moving || chores.is_forgetting
    }

    /// Does a little of what is to be done. What fails is left until there is new reason for it.
    pub(super) fn do_chore(&mut self) {
        let before = self.chores;
        // While an hour of history is moved, nothing more comes into it.
        if before.is_moving {
            let moved = self.transact("moving history", |t| moving::piece(t.connection, before.rolled));
            self.chores.is_moving = go_on(moved, "history is not moved for now");
        } else if before.is_rolling {
            let rolled = self.transact("rolling up history", |t| roll::piece(t.connection));
            let latest = rolled.as_ref().map_or(None, |rolled| rolled.latest);
            self.chores.is_rolling = go_on(rolled.map(|rolled| rolled.is_more), "history waits for now");
            if let Some(latest) = latest {
                self.chores.waiting = None;
                self.chores.is_moving = true;
                self.chores.rolled = latest;
            }
        } else if before.is_pruning {
            let pruned = self.transact("pruning", |transaction| prune::piece(transaction.connection));
            self.chores.is_pruning = go_on(pruned, "shares are not pruned for now");
        } else {
            let forgotten = self.transact("forgetting", |t| forgetting::piece(t.connection));
            self.chores.is_forgetting = go_on(forgotten, "history is not forgotten for now");
        }
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

/// Whether a chore has more to do; one that failed waits, and the log says so.
fn go_on(done: Result<bool, StoreError>, otherwise: &str) -> bool {
    done.unwrap_or_else(|error| {
        log::warn!("{otherwise}: {error}");
        false
    })
}

/// Serves orders until there can be no more. What else there is to do is done piece by piece, one after each order
/// and the rest while there are none. At the end the writer is dropped before the mover (parameters go last to first): of
/// two connections that close at once neither is the last, which tidies the log away.
pub(super) fn serve(mut log_mover: LogMover, mut writer: Writer, orders: &Receiver<Order>) {
    loop {
        let order = match orders.try_recv() {
            Ok(order) => order,
            Err(TryRecvError::Empty) if writer.has_chores() => {
                writer.do_chore();
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
        if writer.has_chores() {
            writer.do_chore();
        }
        log_mover.tend(writer.connection());
    }
}
