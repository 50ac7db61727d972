//! Looking at primary and standby again and again: how far each is.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use dwarves_domain::time::Span;
use dwarves_ports::store::codec::Cells as _;
use tokio::sync::watch;

use super::identity::Identity;
use super::shared::EVERY;
use super::{CheckedStandby, PATIENCE, Place, Shared, WhyNot};
use crate::client::Db;
use crate::error::{OpenError, Outcome};
use crate::options::{PostgresOptions, StandbyOptions};
use crate::{server, threads};

/// How long a standby is waited for that does not have yet what the primary has, within one look.
const PAUSES: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(60),
    Duration::from_millis(150),
];
/// How often `dwarves check` looks at a standby that is behind.
const CHECKS: u32 = 10;

/// Who looks.
pub(super) struct Watcher {
    primary: Line,
    standby: Line,
    shared: Arc<Shared>,
    closed: watch::Receiver<bool>,
    /// When the standby was last seen ahead of the primary.
    ahead: Option<Span>,
}

/// A connection that is made again when it was lost.
struct Line {
    db: Option<Db>,
    options: PostgresOptions,
    closed: watch::Receiver<bool>,
}

impl Line {
    fn new(options: &PostgresOptions, closed: &watch::Receiver<bool>) -> Self {
        Self {
            db: None,
            options: options.clone(),
            closed: closed.clone(),
        }
    }

    fn connected(&mut self) -> Result<&Db, OpenError> {
        let db = match self.db.take().filter(|db| !db.is_gone()) {
            Some(db) => db,
            None => server::connect(&self.options)?.until(self.closed.clone()),
        };
        Ok(self.db.insert(db))
    }
}

impl Watcher {
    pub(super) fn new(
        primary: &PostgresOptions,
        standby: &StandbyOptions,
        shared: &Arc<Shared>,
        closed: &watch::Receiver<bool>,
    ) -> Self {
        Self {
            primary: Line::new(primary, closed),
            standby: Line::new(&standby.options, closed),
            shared: Arc::clone(shared),
            closed: closed.clone(),
            ahead: None,
        }
    }

    /// Looks until `ended` is.
    pub(super) fn watch(&mut self, ended: &Receiver<()>) {
        loop {
            let looked = self.look();
            if *self.closed.borrow() {
                return;
            }
            self.shared.note(looked);
            match ended.recv_timeout(EVERY.to_std()) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Looks at both: by how much the standby is behind, if it may answer.
    fn look(&mut self) -> Result<Span, WhyNot> {
        let looked = self.look_at_both();
        if matches!(looked, Err(WhyNot::Silent(_))) {
            // Whoever did not answer in time may still do so on that connection.
            self.standby.db = None;
        }
        looked
    }

    fn look_at_both(&mut self) -> Result<Span, WhyNot> {
        let (identity, at, flushed) = self.look_at_primary()?;
        self.shared.note_primary(identity, at, flushed);
        let standby = self.standby.connected()?;
        let found = standby.within(PATIENCE, Identity::read).map_err(WhyNot::failed)?;
        identity.must_be(&found)?;
        let mut place = Place::read(standby)?;
        let mut reached = self.shared.reach(place)?;
        for pause in PAUSES {
            if place.replayed >= flushed {
                break;
            }
            std::thread::sleep(pause);
            place = Place::read(standby)?;
            reached = self.shared.reach(place)?;
        }
        if place.replayed > flushed {
            let (_, at, flushed) = self.look_at_primary()?;
            self.ahead = (place.replayed > flushed).then_some(at).or(self.ahead);
        }
        // Who was ahead has the same way as the primary only once it has followed it.
        match (self.ahead, reached) {
            (Some(ahead), reached) if reached.is_none_or(|reached| reached <= ahead) => Err(WhyNot::Ahead),
            (_, Some(reached)) => {
                self.ahead = None;
                self.within_bound(reached)
            }
            (_, None) => match self.within_bound(self.shared.first_place()) {
                // It has been behind for as long as anybody has looked.
                Ok(_) => Err(WhyNot::Unknown),
                Err(late) => Err(late),
            },
        }
    }

    fn within_bound(&self, reached: Span) -> Result<Span, WhyNot> {
        let most = self.shared.lag_max();
        let behind = self.shared.now().millis().saturating_sub(reached.millis());
        match behind <= most.millis() {
            true => Ok(Span::from_millis(behind)),
            false => Err(WhyNot::Late {
                behind: behind / 1_000,
                most: most.secs(),
            }),
        }
    }

    /// Which server it is, and how far its log of writes is on disk at the moment before it is asked.
    fn look_at_primary(&mut self) -> Result<(Identity, Span, u64), WhyNot> {
        let looked = |db: &Db| -> Outcome<(Identity, Span, u64)> {
            let identity = Identity::read(db)?;
            let at = self.shared.now();
            let sql = "SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint AS flushed";
            let flushed = db.always("pg_wal", sql, &[], |cells| cells.u64("flushed"))?;
            Ok((identity, at, flushed))
        };
        let primary = self.primary.connected();
        let primary = primary.map_err(|error| WhyNot::NoPrimary(error.to_string()))?;
        let looked = primary.within(PATIENCE, looked).map_err(WhyNot::no_primary);
        if looked.is_err() {
            self.primary.db = None;
        }
        looked
    }
}

/// Looks at the standby of a ledger once: whether it is one, and how far it is behind.
///
/// # Errors
/// Why no page may be read from it.
pub(crate) fn check(options: &PostgresOptions, standby: &StandbyOptions) -> Result<CheckedStandby, WhyNot> {
    let (_open, closed) = watch::channel(false);
    let shared = Arc::new(Shared::new(standby.options.place(), standby.lag_max));
    let mut watcher = Watcher::new(options, standby, &shared, &closed);
    let mut looked = watcher.look();
    for _ in 1..CHECKS {
        if !matches!(looked, Err(WhyNot::Unknown | WhyNot::Late { .. })) {
            break;
        }
        std::thread::sleep(EVERY.to_std());
        looked = watcher.look();
    }
    let lag = looked?;
    let version = threads::ask(watcher.standby.connected()?, "looking at the standby", |db| {
        server::setting(db, "server_version")
    })?;
    Ok(CheckedStandby {
        place: standby.options.place(),
        version,
        lag,
    })
}
