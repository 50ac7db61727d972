//! The pool's ledger in a PostgreSQL database (15 or newer): the same store as in SQLite, for pools that outgrow one
//! machine's disk, and whose ledger has standbys.
//!
//! One thread writes: each commit is one transaction that the server has flushed to disk, and its synchronous standbys
//! have confirmed, before it is answered. Some threads read. Each has a connection of its own, asks, and waits. All queues
//! are bounded; when one is full the answer is "unavailable" at once. Pages may be read from a standby (`standby`).
//!
//! Tables are plain: a row a share, a row a credit, a column a thing (`migrations/`). What is added up, the database adds
//! up.
//!
//! | module | its one job |
//! |---|---|
//! | `options`, `tls` | where the server is, and how the pool comes in |
//! | `server` | what the pool demands of a server and of its way there |
//! | `client` | one connection, used by one thread |
//! | `schema` | versions of the schema; `migrations/` holds them |
//! | `store` | which question and which write goes where |
//! | `questions` | every question, and whether a standby may answer it to a page |
//! | `threads`, `readers` | the threads that write and read |
//! | `standby` | reads on a standby: how far it is behind, when it is not asked |
//! | `writer` | the writing thread and its transactions; what becomes of a commit whose answer was lost |
//! | `fronts` | several processes on one ledger: who is there, who leads, who may take the lead |
//! | `chores` | what the writing thread does between commits |
//! | `append_state` | what the writer keeps in memory |
//! | `write` | each intent of writing as SQL |
//! | `life_start` | the start of a life: counted, and what must be known then |
//! | `read` | each question as SQL |
//! | `batches`, `partitions` | commits and walks over their shares; partitions of shares |
//! | `copying` | a ledger on its way to another store, or from one |
//! | `export` | a ledger that is only read: lists, and all rows of a table |
//! | `conservation` | whether the books hold exactly what came in |
//! | `history` | what was mined when: brought in from the shares, read, forgotten |
//! | `value`, `cells` | what goes into statements and comes out of rows |
//! | `error` | what the server's errors mean to the pool |

use std::collections::BTreeMap;
use std::sync::Arc;

use dwarves_ports::fronts::FrontRow;
use dwarves_ports::store::StoreFuture;
use dwarves_ports::store::codec::Cells as _;

mod append_state;
mod batches;
mod cells;
mod chores;
mod client;
mod conservation;
mod copying;
mod error;
mod export;
mod fronts;
mod history;
mod life_start;
mod options;
mod partitions;
mod questions;
mod read;
mod readers;
mod schema;
mod server;
mod standby;
mod store;
mod threads;
mod tls;
mod value;
mod write;
mod writer;

pub use copying::PostgresEnd;
pub use error::OpenError;
pub use export::PostgresReader;
pub use fronts::succession::{Look, Succession, Verdict};
pub use fronts::{Front, NewFront};
pub use options::PostgresOptions;
pub use server::Server;
pub use standby::{CheckedStandby, WhyNot};

use client::Db;
use error::Outcome;
use questions::Question;
use threads::{For, Threads, Writes};

/// A store in a PostgreSQL database.
pub struct PostgresStore {
    opened: Arc<Opened>,
    who: For,
}

/// What those who decide and those who show have together.
struct Opened {
    // Dropped first: it writes as the front.
    threads: Threads,
    front: Option<Front>,
}

impl PostgresStore {
    fn of(threads: Threads, front: Option<Front>) -> Self {
        Self {
            opened: Arc::new(Opened { threads, front }),
            who: For::Deciding,
        }
    }

    /// The same store for those who show what it says: a standby may answer them, if the options name one. Nobody may
    /// decide by these answers.
    #[must_use]
    pub fn to_show(&self) -> Self {
        Self {
            opened: Arc::clone(&self.opened),
            who: For::Showing,
        }
    }

    fn ask<T: Send + 'static>(
        &self,
        question: Question,
        read: impl Fn(&Db) -> Outcome<T> + Send + 'static,
    ) -> StoreFuture<T> {
        self.opened.threads.read(question, self.who, |_| false, read)
    }

    /// As [`Self::ask`], of something that may not be there.
    fn find<T: Send + 'static>(
        &self,
        question: Question,
        read: impl Fn(&Db) -> Outcome<Option<T>> + Send + 'static,
    ) -> StoreFuture<Option<T>> {
        self.opened
            .threads
            .read(question, self.who, Option::is_none, read)
    }

    /// Takes the ledger for somebody who is alone: a test, a tool. Makes its tables if they are not there, and brings its schema up to date.
    ///
    /// # Errors
    /// If the server cannot be reached, is too old, takes no writes or does not keep what it takes; if another pool has
    /// the ledger, or it is damaged, of a newer version or another program's; if there is a pooler in between that keeps
    /// no sessions.
    pub fn open(options: &PostgresOptions) -> Result<Self, OpenError> {
        let threads = apart(|| Threads::start(options, Writes::Yes(None)))?;
        Ok(Self::of(threads, None))
    }

    /// Takes the lead for a front, which is one from then on for as long as the store is there.
    ///
    /// # Errors
    /// As [`Self::open`]; [`OpenError::InUse`] if another front was quicker. The front is given back with it.
    pub fn lead(options: &PostgresOptions, front: Front) -> Result<Self, Box<(Front, OpenError)>> {
        front.tries();
        match apart(|| Threads::start(options, Writes::Yes(Some(&front)))) {
            Ok(threads) => Ok(Self::of(threads, Some(front))),
            Err(error) => {
                front.failed();
                Err(Box::new((front, error)))
            }
        }
    }

    /// This front, if it is one.
    pub fn front(&self) -> Option<&Front> {
        self.opened.front.as_ref()
    }

    /// Opens the ledger beside whoever has it: it answers questions, and writes nothing.
    ///
    /// # Errors
    /// As [`Self::open`], but for those of writing; also if there are no tables yet.
    pub fn open_to_look(options: &PostgresOptions) -> Result<Self, OpenError> {
        let threads = apart(|| {
            let db = server::connect(options)?;
            match schema::look(&db)? {
                schema::Found::Nothing => Err(OpenError::Empty),
                // Whoever only looks asks the primary.
                schema::Found::Version(_) => Threads::start(&options.without_standby(), Writes::No),
            }
        })?;
        Ok(Self::of(threads, None))
    }

    /// What there is to say of the server, and of whether a pool could start on it. Nothing is changed.
    ///
    /// # Errors
    /// Why a pool could not start, but for another one that has the ledger.
    pub fn check(options: &PostgresOptions) -> Result<Server, OpenError> {
        apart(|| check(options))
    }

    /// Whether the standby of these options may answer pages, if they name one, and how far it is behind. Nothing is changed.
    ///
    /// # Errors
    /// Why no page may be read from it.
    pub fn check_standby(options: &PostgresOptions) -> Result<Option<CheckedStandby>, WhyNot> {
        let check = |standby| apart(|| standby::check(options, standby)).map(Some);
        options.standby.as_deref().map_or(Ok(None), check)
    }

    /// Whether a pool was ever started on it. Nothing is changed.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn has_history(options: &PostgresOptions) -> Result<bool, OpenError> {
        apart(|| {
            let db = server::connect(options)?;
            match schema::look(&db)? {
                schema::Found::Nothing => Ok(false),
                schema::Found::Version(_) => threads::ask(&db, "looking at its history", |db| {
                    db.exists("SELECT 1 FROM pool WHERE created_at IS NOT NULL", &[])
                }),
            }
        })
    }

    /// The running pool that has the ledger, if there is one: from where, and since when.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn holder(options: &PostgresOptions) -> Result<Option<String>, OpenError> {
        apart(|| {
            threads::ask(
                &server::connect(options)?,
                "looking at who has the ledger",
                server::holder,
            )
        })
    }

    /// The fronts that share the ledger, by number; none if no front was ever started on it.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn fronts(options: &PostgresOptions) -> Result<Vec<FrontRow>, OpenError> {
        apart(|| {
            let db = server::connect(options)?;
            match schema::look(&db)? < schema::Found::Version(schema::WITH_FRONTS) {
                true => Ok(Vec::new()),
                false => threads::ask(&db, "looking at the fronts", fronts::all),
            }
        })
    }

    /// The stored settings of a ledger, whoever has it open.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn stored_settings(options: &PostgresOptions) -> Result<BTreeMap<String, String>, OpenError> {
        apart(|| {
            let db = server::connect(options)?;
            match schema::look(&db)? {
                schema::Found::Nothing => Ok(BTreeMap::new()),
                schema::Found::Version(_) => threads::ask(&db, "reading settings", life_start::settings),
            }
        })
    }

    /// The row of a share that is stored: for tests, which look past the store's questions.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn stored_share(
        options: &PostgresOptions,
        sequence: dwarves_domain::ids::Sequence,
    ) -> Result<Option<dwarves_ports::store::ShareRow>, OpenError> {
        apart(|| {
            let db = server::connect(options)?;
            let share = threads::ask(&db, "reading a share", |db| {
                read::details::share_row(db, sequence)
            })?;
            Ok(share.map(|share| share.row))
        })
    }
}

fn check(options: &PostgresOptions) -> Result<Server, OpenError> {
    let db = server::connect_to_write(options)?;
    if schema::look(&db)? != schema::Found::Nothing {
        copying::may_start(&db)?;
    }
    let sql = "SELECT COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false) AS may";
    let may = threads::ask(&db, "looking at the role's rights", |db| {
        db.always("pg_roles", sql, &[], |cells| cells.flag("may"))
    })?;
    match may {
        true => server::describe(&db, options),
        false => Err(OpenError::Rights(
            "make tables in the schema that it uses".to_owned(),
        )),
    }
}

/// Does it on a thread of its own: whoever asks may be on one that moves others, where nobody may wait.
fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
