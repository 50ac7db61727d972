//! Several processes on one ledger: each has a number while it lives, and one of them leads.
//!
//! | module | its one job |
//! |---|---|
//! | `succession` | when a front that stands by may take the lead: the pure rule |
//! | `rows` | fronts as rows, and their locks |
//! | `beating` | the thread that says that a front lives, and looks at who does |
//!
//! Who has the lead writes. That it is one is held by three things: the session's lock, the epoch that every transaction
//! carries (`writer`), and that a lead is taken in a transaction that waits for whoever writes still. Beats and times only
//! say when it is tried.

use std::net::SocketAddr;
use std::time::Duration;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::FrontNumber;
use dwarves_domain::time::Span;
use dwarves_ports::clock::Moment;
use dwarves_ports::fronts::{FrontRow, Fronts};
use tokio::sync::watch;

use super::client::Db;
use super::error::{OpenError, Outcome};
use super::options::PostgresOptions;
use super::{schema, server};

mod beating;
mod rows;
pub(crate) mod succession;

use beating::Beating;
use rows::Lease;

/// How long a front waits for the one before it of its name to be gone.
const NAME_PATIENCE: Span = Span::from_secs(8);
/// How long two that come at the same moment try to have a number each.
const NUMBER_PATIENCE: Span = Span::from_secs(1);
/// From when on that one's session is ended.
const NAME_SILENT: Span = Span::from_secs(3);
/// How often it looks.
const NAME_PAUSE: Duration = Duration::from_millis(200);

/// What a process says of itself when it joins.
#[derive(Clone, Debug)]
pub struct NewFront {
    /// What its operator calls it; no other one may have the name.
    pub name: String,
    /// Whose pool it is of.
    pub hotkey: Hotkey,
    /// Where it listens: settings, each with its address.
    pub listeners: Vec<(String, SocketAddr)>,
    /// Where the others reach it: a host name or an address. `None`: where the database sees it.
    pub address: Option<String>,
    /// Its version of the pool.
    pub version: String,
}

/// This process as one of those that share a ledger. It is one for as long as this is kept.
pub struct Front {
    lease: Lease,
    hotkey: Hotkey,
    beating: Beating,
}

impl Front {
    /// Takes a number, and begins to say that it lives. Makes the tables if there are none.
    ///
    /// # Errors
    /// If the server cannot be reached or is not what a pool needs, if the ledger is another pool's, or if another
    /// process lives that has the name.
    pub fn join(options: &PostgresOptions, front: &NewFront) -> Result<Self, OpenError> {
        super::apart(|| {
            let db = connect(options)?;
            make_tables(&db)?;
            rows::must_be_of(&db, front.hotkey)?;
            let lease = take_number(&db, front)?;
            Ok(Self {
                lease,
                hotkey: front.hotkey,
                beating: Beating::start(db, options, lease)?,
            })
        })
    }

    /// Its number.
    pub fn number(&self) -> FrontNumber {
        self.lease.number
    }

    /// The how-manieth process it is that has the number.
    pub fn lease(&self) -> u64 {
        self.lease.lease
    }

    /// Whose pool it is of.
    pub(crate) fn hotkey(&self) -> Hotkey {
        self.hotkey
    }

    /// All fronts, as they are seen twice a second.
    pub fn seen(&self) -> watch::Receiver<Fronts> {
        self.beating.seen()
    }

    /// Turns true while the lead may be taken: then [`super::PostgresStore::lead`] takes it, or another was quicker.
    pub fn may_lead(&self) -> watch::Receiver<bool> {
        self.beating.may_lead()
    }

    /// Notes that this one is about to take the lead: whoever has it then may be this one.
    pub(crate) fn tries(&self) {
        self.beating.tries();
    }

    /// Notes that it could not.
    pub(crate) fn failed(&self) {
        self.beating.failed();
    }

    /// Notes that this one took the lead, as which epoch.
    pub(crate) fn led(&self, epoch: u64) {
        self.beating.led(epoch);
    }

    /// Turns true once this one led, and another one leads.
    pub fn is_superseded(&self) -> watch::Receiver<bool> {
        self.beating.superseded()
    }
}

/// All fronts, by number.
pub(crate) fn all(db: &Db) -> Outcome<Vec<FrontRow>> {
    rows::look(db).map(|(_, all)| all)
}

/// A connection for beats. They need not outlive the server, and must not wait for its standbys.
fn connect(options: &PostgresOptions) -> Result<Db, OpenError> {
    let db = server::connect_to_write(options)?;
    let quick = db.run("SET synchronous_commit = off; SET lock_timeout = '2s'");
    quick.map_err(|fail| OpenError::of_fail(fail, "preparing the session of the front"))?;
    Ok(db)
}

/// Makes the tables in which fronts are, if they are not there: whoever has the ledger's lock may.
fn make_tables(db: &Db) -> Result<(), OpenError> {
    let failed = |fail| OpenError::of_fail(fail, "looking at its tables");
    let begin = Moment::now();
    while schema::look(db)? < schema::Found::Version(schema::WITH_FRONTS) {
        if server::lock(db).map_err(failed)? {
            let made = schema::migrate_to(db, schema::WITH_FRONTS);
            db.run("SELECT pg_advisory_unlock_all()").map_err(failed)?;
            return made;
        }
        // Another front makes them at this moment, or a pool of before there were fronts has the ledger.
        if begin.elapsed() > NAME_PATIENCE {
            let holder = server::holder(db).map_err(failed)?;
            return Err(OpenError::InUse(
                holder.unwrap_or_else(|| "by another session".to_owned()),
            ));
        }
        std::thread::sleep(NAME_PAUSE);
    }
    Ok(())
}

fn take_number(db: &Db, front: &NewFront) -> Result<Lease, OpenError> {
    let begin = Moment::now();
    loop {
        let taken: Outcome<Result<Lease, Span>> = rows::take(db, front);
        let silent = match taken {
            Ok(Ok(lease)) => return Ok(lease),
            Ok(Err(silent)) => silent,
            // Two that came at the same moment wanted one number.
            Err(_) if begin.elapsed() < NUMBER_PATIENCE && !db.is_gone() => Span::from_millis(0),
            Err(fail) => return Err(OpenError::of_fail(fail, "taking a number for this front")),
        };
        if begin.elapsed() > NAME_PATIENCE {
            return Err(OpenError::NameTaken(front.name.clone()));
        }
        if silent >= NAME_SILENT {
            rows::end_silent(db, &front.name, NAME_SILENT)
                .map_err(|fail| OpenError::of_fail(fail, "ending the session of a front that is silent"))?;
        }
        std::thread::sleep(NAME_PAUSE);
    }
}
