//! Reads on a standby: pages may be answered by a server that follows the primary, as long as it is close behind.
//!
//! How close is measured and not guessed. Twice a second one thread (`watching`) asks the primary how far its log of
//! writes is on disk, and notes when (`course`). Whoever reads asks the standby first how far it has replayed that log,
//! on the very connection that then answers: all that was committed up to the last noted place at or before that one is
//! in the answer. No clock of another machine is believed, and a ledger to which nothing is written is no late one.
//!
//! An answer of the standby is taken if
//! - its server is in recovery, and of the same system, database, table and version of the tables as the primary
//!   (`identity`): who was promoted, or belongs to another pool, is refused by name;
//! - it has everything that was committed `store.read_lag_max_secs` ago;
//! - it has everything that somebody was told of (`told`): whoever hears that a round is closed, or that an order is
//!   done, is not shown the time before. Shares alone may be missing;
//! - there is such a thing: what the standby does not know it may not know yet.
//!
//! All else is asked on the primary, at once, also what the standby's server cancelled because its replay had to go on.
//! After a failure the standby has to be well for some seconds before it is asked again.
//!
//! A standby that followed a primary which is no more, and has what the present one never had, is noticed by being ahead.
//! The URL may name several hosts, or a proxy before them: each connection is judged for itself, but for being ahead.

use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

use dwarves_domain::time::Span;
use dwarves_ports::clock::Moment;
use dwarves_ports::store::StandbyState;
use tokio::sync::watch;

use super::client::Db;
use super::error::{OpenError, Outcome, unavailable};
use super::options::PostgresOptions;
use super::readers::{Asked, Asking, Chance, READERS, Readers};
use super::server;

mod course;
mod identity;
mod shared;
pub(crate) mod told;
mod watching;
mod why;

use identity::Identity;
pub(crate) use shared::Shared;
pub(crate) use watching::check;
pub use why::WhyNot;

/// How long the standby may take to say how far it is. Whoever waits for a page is not to wait for a dead server.
const PATIENCE: Duration = Duration::from_secs(2);

/// The threads of the standby. Dropping it ends them.
pub(crate) struct Standby {
    shared: Arc<Shared>,
    readers: Option<Readers>,
    /// Its end tells the watching thread to end.
    watching: Option<SyncSender<()>>,
    watcher: Option<JoinHandle<()>>,
}

impl Standby {
    /// Starts its threads, if there is one. They connect by themselves: a pool starts without its standby.
    pub(crate) fn start(
        options: &PostgresOptions,
        primary: &Arc<Readers>,
        closed: &watch::Receiver<bool>,
    ) -> std::io::Result<Option<Self>> {
        let Some(standby) = options.standby.as_deref() else {
            return Ok(None);
        };
        let shared = Arc::new(Shared::new(standby.options.place(), standby.lag_max));
        let answering = (0..READERS).map(|_| {
            let mut reader = Reader {
                db: None,
                options: standby.options.clone(),
                shared: Arc::clone(&shared),
                closed: closed.clone(),
            };
            let primary = Arc::clone(primary);
            move |asking| reader.answer(asking, &primary)
        });
        let readers = Readers::start("store-standby", closed, answering)?;
        let (watching, ended) = mpsc::sync_channel(1);
        let watcher = std::thread::Builder::new().name("store-watch".into()).spawn({
            let mut watcher = watching::Watcher::new(options, standby, &shared, closed);
            move || watcher.watch(&ended)
        })?;
        Ok(Some(Self {
            shared,
            readers: Some(readers),
            watching: Some(watching),
            watcher: Some(watcher),
        }))
    }

    /// Gives a question to a thread of it, or back if the standby may not answer now.
    pub(crate) fn take(&self, asking: Asking) -> Result<(), Asking> {
        let taken = match self.readers.as_ref().filter(|_| self.shared.may_be_asked()) {
            Some(readers) => readers.take(asking),
            None => Err(asking),
        };
        taken.inspect_err(|_| self.shared.count(false))
    }

    /// Notes what was told.
    pub(crate) fn teller(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    pub(crate) fn state(&self) -> StandbyState {
        self.shared.state()
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        self.watching = None;
        // They hand on what they have, to the primary's threads.
        self.readers = None;
        if self.watcher.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("a thread of the store panicked");
        }
    }
}

/// One thread's connection to the standby.
struct Reader {
    db: Option<Db>,
    options: PostgresOptions,
    shared: Arc<Shared>,
    closed: watch::Receiver<bool>,
}

impl Reader {
    /// Answers, or has the primary answer.
    fn answer(&mut self, mut asking: Asking, primary: &Readers) {
        let is_answered = self.try_to_answer(&mut asking).unwrap_or_else(|why| {
            if !*self.closed.borrow() {
                self.shared.fail(&why);
            }
            false
        });
        self.shared.count(is_answered);
        if is_answered {
            return;
        }
        if let Err(mut back) = primary.take(asking) {
            back(Err(unavailable("too many reads wait")), Chance::Last);
        }
    }

    /// Answers if the standby may, and can. Whether it did.
    fn try_to_answer(&mut self, asking: &mut Asking) -> Result<bool, WhyNot> {
        if !self.shared.may_be_asked() {
            return Ok(false);
        }
        let db = match self.db.take().filter(|db| !db.is_gone()) {
            Some(db) => db,
            None => self.connect()?,
        };
        let place = Place::read(&db)?;
        if !self.shared.judge(place)? {
            self.db = Some(db);
            return Ok(false);
        }
        match asking(Ok(&db), Chance::Standby) {
            Asked::Answered => {
                self.db = Some(db);
                Ok(true)
            }
            Asked::NotThere => {
                self.db = Some(db);
                Ok(false)
            }
            Asked::Broken => Ok(true),
            Asked::Again if db.is_gone() => Err(WhyNot::Silent("the connection was lost".to_owned())),
            // It refuses this question: most likely its replay went first.
            Asked::Again => Ok(false),
        }
    }

    fn connect(&self) -> Result<Db, WhyNot> {
        let db = server::connect(&self.options)
            .map_err(|error| WhyNot::Silent(error.to_string()))?
            .until(self.closed.clone());
        let found = db.within(PATIENCE, Identity::read).map_err(WhyNot::failed)?;
        if let Some(primary) = self.shared.primary() {
            primary.must_be(&found)?;
        }
        Ok(db)
    }
}

/// How far a standby has replayed the primary's log of writes.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Whether it follows somebody at all.
    follows: bool,
    replayed: u64,
}

impl Place {
    /// It is read before what it is to vouch for.
    fn read(db: &Db) -> Result<Self, WhyNot> {
        use dwarves_ports::store::codec::Cells as _;
        let read = |db: &Db| -> Outcome<Self> {
            let sql = "SELECT pg_is_in_recovery() AS follows,
                COALESCE(pg_last_wal_replay_lsn() - '0/0'::pg_lsn, 0)::bigint AS replayed";
            db.always("pg_wal", sql, &[], |cells| {
                Ok(Self {
                    follows: cells.flag("follows")?,
                    replayed: cells.u64("replayed")?,
                })
            })
        };
        db.within(PATIENCE, read).map_err(WhyNot::failed)
    }
}

/// A standby as `dwarves check` finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedStandby {
    /// Where it is, for people.
    pub place: String,
    /// Its version, as it says it.
    pub version: String,
    /// How long it took until it had what the primary had.
    pub lag: Span,
}

/// The time that has passed since the store was opened.
#[derive(Clone, Copy, Debug)]
struct Since(Moment);

impl Since {
    fn now(self) -> Span {
        self.0.elapsed()
    }
}

/// Why a standby could not be looked at, or will not do.
impl From<OpenError> for WhyNot {
    fn from(error: OpenError) -> Self {
        Self::Silent(error.to_string())
    }
}
