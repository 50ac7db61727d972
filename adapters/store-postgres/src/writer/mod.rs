//! Writing: one commit of the ledger is one transaction, durable before it is answered; and the thread that does it.
//!
//! A connection that is lost costs no acknowledged share. What was under way is rolled back by the server, and is said
//! to have failed. If it was lost while a COMMIT was under way, the writer connects again and looks at the number of the
//! last transaction of its epoch (`leader`), which was written in the very same transaction: then it knows. Nobody else
//! may write meanwhile: the session's lock is free only once the session is over, and a newer epoch refuses it for good.
//!
//! | module | its one job |
//! |---|---|
//! | `ending` | what became of a COMMIT: what the server said, and looking it up |
//! | `side_by_side` | commits of shares: the rows of the next go out while the one before it ends |

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::codec::Cells as _;
use dwarves_ports::store::{StoreError, StoreErrorKind, StoredState, Write, Written};
use tokio::sync::{Notify, oneshot, watch};

use crate::append_state::Known;
use crate::chores::Chores;
use crate::client::Db;
use crate::error::{Fail, OpenError, Outcome, conflict, unavailable};
use crate::fronts::Front;
use crate::history::{forgetting, roll};
use crate::options::PostgresOptions;
use crate::value::values;
use crate::write::{self, Transaction};
use crate::{conservation, copying, life_start, partitions, schema, server};

mod ending;
mod side_by_side;

use side_by_side::UnderWay;

/// Where an answer goes. Nobody may be waiting for it any more: that is no error.
pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the writer is asked.
pub(super) enum Order {
    Start(Timestamp, Reply<StoredState>),
    Commit(Vec<Write>, Reply<Vec<Written>>),
}

/// The writing side of the database.
pub(super) struct Writer {
    options: PostgresOptions,
    /// Gone after the connection was lost, until it is made again.
    db: Option<Db>,
    known: Known,
    /// Whose transactions they are, and how many were committed.
    epoch: u64,
    commits: u64,
    /// How often somebody has looked what was committed.
    looks: u64,
    /// A second connection, for every other commit of shares: made when it is of use first.
    beside: Option<Db>,
    /// If it cannot be had: the commit before which it is not tried again.
    beside_from: u64,
    /// The commit of shares of which the end is on its way.
    under_way: Option<UnderWay>,
    /// Set once nobody knows what is stored: only a new start can tell.
    unknown: Option<StoreError>,
    chores: Chores,
    closing: watch::Receiver<bool>,
}

/// How often the writer looks at whether chores that had to give way can be done.
const IDLE: Duration = Duration::from_secs(20);

impl Writer {
    /// Takes the ledger, brings its tables up to date, and reads what must be known to go on writing. `other` is a second
    /// connection, by which it is seen whether sessions are kept.
    pub(super) fn open(
        options: &PostgresOptions,
        front: Option<&Front>,
        other: &Db,
        closing: watch::Receiver<bool>,
    ) -> Result<Self, OpenError> {
        let db = server::connect_to_write(options)?;
        // Whose schema it is comes before whose lock: another program may use locks, too.
        schema::look(&db)?;
        // Of fronts, one comes too late, and looks on.
        server::take_lock(&db, front.map_or(server::LOCK_TRIES, |_| 1))?;
        server::must_keep_its_session(&db, other)?;
        // Whoever stands by is to see at once who leads: what follows may take long.
        schema::migrate_to(&db, schema::WITH_FRONTS)?;
        copying::may_start(&db)?;
        let take = || -> Outcome<(u64, u64)> {
            let sql =
                "UPDATE leader SET epoch = epoch + 1, commits = 0, front = $1, hotkey = COALESCE(hotkey, $2)
                WHERE id = 1 RETURNING epoch, looks";
            let (number, hotkey) = (front.map(|front| front.number().get()), front.map(Front::hotkey));
            let hotkey = hotkey.as_ref().map(Hotkey::as_bytes).map(<[u8; 32]>::as_slice);
            db.always("leader", sql, values![number, hotkey], |cells| {
                Ok((cells.u64("epoch")?, cells.u64("looks")?))
            })
        };
        let (epoch, looks) = take().map_err(|fail| OpenError::of_fail(fail, "taking the lead"))?;
        schema::migrate(&db)?;
        let read = || -> Outcome<Known> {
            conservation::check_all(&db)?;
            Known::load(&db)
        };
        let known = read().map_err(|fail| OpenError::of_fail(fail, "reading the ledger's end"))?;
        Ok(Self {
            options: options.clone(),
            db: Some(db),
            known,
            epoch,
            commits: 0,
            looks,
            beside: None,
            beside_from: 0,
            under_way: None,
            unknown: None,
            chores: Chores {
                is_rolling: true,
                is_dropping: true,
                ..Chores::default()
            },
            closing,
        })
    }

    /// Begins a new life.
    fn start(&mut self, now: Timestamp) -> Result<StoredState, StoreError> {
        self.transact("starting", |transaction| life_start::start(transaction, now))
    }

    /// Applies all of `writes` or nothing.
    fn commit(&mut self, writes: &[Write]) -> Result<Vec<Written>, StoreError> {
        let written = self.transact("committing", |transaction| write::apply_all(transaction, writes));
        if written.is_ok() {
            self.chores.note(writes);
        }
        written
    }

    /// Does a little of what is to be done. What fails is left until there is new reason for it.
    fn do_chore(&mut self) {
        let before = self.chores;
        if before.is_rolling {
            let rolled = self.transact("rolling up history", |t| roll::piece(t.db, None));
            let rolled = rolled.map(|rolled| rolled.is_more);
            self.chores.is_rolling = go_on(rolled, "history waits for now");
            self.chores.waiting = self.chores.waiting.filter(|_| self.chores.is_rolling);
        } else if before.is_dropping {
            let dropped = self.transact("dropping a partition", |t| partitions::drop_one(t.db));
            self.chores.is_dropping = go_on(dropped, "pruned shares are not dropped for now");
        } else if before.is_forgetting {
            let forgotten = self.transact("forgetting", |t| forgetting::piece(t.db));
            self.chores.is_forgetting = go_on(forgotten, "history is not forgotten for now");
        }
    }

    /// Does `work` in one transaction: on any error but an unknown one nothing of it is applied.
    fn transact<T>(
        &mut self,
        during: &str,
        work: impl FnOnce(&mut Transaction<'_>) -> Outcome<T>,
    ) -> Result<T, StoreError> {
        assert!(self.under_way.is_none(), "its end is waited for first");
        if let Some(error) = &self.unknown {
            return Err(error.clone());
        }
        self.connect()?;
        let Some(db) = &self.db else {
            return Err(unavailable("there is no connection to the database"));
        };
        let number = self.commits + 1;
        let undo = self.known.begin();
        let done = begin(db, self.epoch, number)
            .and_then(|()| {
                let size = self.options.shares_per_partition;
                work(&mut Transaction::new(
                    db,
                    &mut self.known,
                    (self.epoch, number),
                    size,
                ))
            })
            // What was asked of nobody yet must not be committed unheard.
            .and_then(|value| db.settle().map(|()| value));
        let failed = match done {
            Ok(value) => match self.end(number) {
                Ok(()) => {
                    self.commits = number;
                    return Ok(value);
                }
                Err(error) => error,
            },
            Err(fail) => {
                let error = fail.into_store_error(during);
                // A session that cannot be rolled back is given up, and the server rolls it back.
                if db.run("ROLLBACK").is_err() {
                    self.db = None;
                }
                error
            }
        };
        self.known.undo(undo);
        if failed.kind() == StoreErrorKind::Unknown {
            self.unknown = Some(failed.clone());
        }
        Err(failed)
    }

    /// Which epoch its transactions carry.
    pub(super) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Gives the lead up, so that the next one need not wait. What fails costs the next one a moment.
    fn resign(&self) {
        let Some(db) = self.db.as_ref().filter(|db| !db.is_gone()) else {
            return;
        };
        let sql = "UPDATE leader SET front = NULL WHERE id = 1 AND epoch = $1";
        // Nothing is acknowledged by it, so no standby need have it.
        let given_up = db
            .run("SET synchronous_commit = local; SET lock_timeout = '1s'")
            .and_then(|()| db.execute(sql, values![self.epoch]));
        if let Err(fail) = given_up {
            log::debug!("giving up the lead: {}", fail.into_store_error("giving it up"));
        }
    }
}

fn taken_over() -> Fail {
    conflict("another front has taken the lead: this one writes nothing any more")
}

/// Begins a transaction of this number, unless a newer epoch was taken: it goes out with what is asked first in it.
fn begin(db: &Db, epoch: u64, number: u64) -> Outcome<()> {
    let sql = "UPDATE leader SET commits = $2 WHERE id = 1 AND epoch = $1";
    db.run_ahead("BEGIN", sql, [epoch, number], taken_over)
}

/// Whether a chore has more to do; one that failed waits, and the log says so.
fn go_on(done: Result<bool, StoreError>, otherwise: &str) -> bool {
    done.unwrap_or_else(|error| {
        log::warn!("{otherwise}: {error}");
        false
    })
}

/// Serves orders until there can be no more; `came` is told of each. What else there is to do is done piece by piece, one
/// after each order and the rest while there are none.
pub(super) fn serve(mut writer: Writer, orders: &Receiver<Order>, came: &Notify) {
    loop {
        let order = if writer.under_way.is_some() {
            match orders.try_recv() {
                Ok(order) => Some(order),
                Err(TryRecvError::Empty) => {
                    writer.end_unless(came.notified());
                    continue;
                }
                Err(TryRecvError::Disconnected) => {
                    writer.end_what_is_under_way();
                    return writer.resign();
                }
            }
        } else {
            let pause = match writer.chores.is_any() {
                true => Duration::ZERO,
                false => IDLE,
            };
            match orders.recv_timeout(pause) {
                Ok(order) => Some(order),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return writer.resign(),
            }
        };
        match order {
            Some(Order::Start(now, reply)) => {
                writer.end_what_is_under_way();
                let _gone = reply.send(writer.start(now));
            }
            Some(Order::Commit(writes, reply)) if writes.iter().all(Write::is_of_shares_alone) => {
                writer.commit_shares(writes, reply);
            }
            Some(Order::Commit(writes, reply)) => {
                writer.end_what_is_under_way();
                // Dropping what was written takes longer than telling that it is safe.
                let _gone = reply.send(writer.commit(&writes));
            }
            None => {}
        }
        if writer.chores.is_any() {
            writer.end_what_is_under_way();
            writer.do_chore();
        }
    }
}
