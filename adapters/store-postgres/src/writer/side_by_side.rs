//! Commits of shares alone, two at a time: while the end of one waits for the disk and for standbys, the rows of the next
//! are copied on a second connection.
//!
//! They end one after the other. A transaction counts itself with its last statement, which goes out with its COMMIT once
//! the one before it is known to be stored, and which fails unless that is the last one that counted itself
//! ([`write::LAST`]). So at most one end is on its way, whichever connection it takes, and what is said of a lost answer
//! in [`super`] holds as it stands: whoever looked it up has changed the row that the last statement asks for, and what
//! still wanders about then cannot be stored later.
//!
//! What does not go well is undone and done again alone, by the one way that everything else goes.

use std::future::Future;

use dwarves_ports::store::{StoreErrorKind, Write, Written};

use super::ending::{Ended, judge};
use super::{Reply, Writer};
use crate::append_state::Place;
use crate::client::Db;
use crate::error::{Outcome, unavailable};
use crate::server;
use crate::value::Value;
use crate::write::{self, Transaction};

/// Commits after which a second connection is tried again that could not be had.
const BESIDE_AGAIN: u64 = 1_000;

/// A commit of which all but the end was sent.
struct Copied {
    /// Whether it goes by the second connection.
    is_beside: bool,
    number: u64,
    /// The ledger's end before it.
    undo: Place,
    written: Vec<Written>,
    /// The values of the row of its batch.
    row: [Value<'static>; 7],
}

/// A commit of which the end is on its way.
pub(super) struct UnderWay {
    copied: Copied,
    writes: Vec<Write>,
    reply: Reply<Vec<Written>>,
}

impl Writer {
    /// Begins a commit of shares alone, and answers the one before it.
    pub(super) fn commit_shares(&mut self, writes: Vec<Write>, reply: Reply<Vec<Written>>) {
        let copied = self.copy(&writes);
        match self.end_before(copied) {
            Some(copied) => self.send_end(copied, writes, reply),
            None => {
                let _gone = reply.send(self.commit(&writes));
            }
        }
    }

    /// Sends all but the end of a commit. Nothing, and nothing done, if it must go alone.
    fn copy(&mut self, writes: &[Write]) -> Option<Copied> {
        if self.unknown.is_some() {
            return None;
        }
        let is_beside = self
            .under_way
            .as_ref()
            .is_some_and(|before| !before.copied.is_beside);
        if is_beside {
            self.connect_beside();
        }
        let number = self.commits + 1 + u64::from(self.under_way.is_some());
        let undo = self.known.begin();
        let db = which(&self.db, &self.beside, is_beside).filter(|db| !db.is_gone())?;
        let mut copy = || -> Outcome<_> {
            db.begin_ahead("BEGIN");
            let number = (self.epoch, number);
            let mut transaction =
                Transaction::new(db, &mut self.known, number, self.options.shares_per_partition);
            let copied = write::copy_shares(&mut transaction, writes)?;
            // Nothing that was asked of nobody yet may stay unheard.
            db.settle()?;
            Ok(copied)
        };
        let copied = copy().unwrap_or_else(|fail| {
            // What is wrong with it is said where it is done again.
            log::debug!("{}", fail.into_store_error("copying shares"));
            None
        });
        let Some((written, row)) = copied else {
            self.roll_back(is_beside);
            self.known.undo(undo);
            return None;
        };
        Some(Copied {
            is_beside,
            number,
            undo,
            written,
            row,
        })
    }

    /// Sees to it that there is a second connection, if there can be one.
    fn connect_beside(&mut self) {
        if self.beside.as_ref().is_some_and(|db| !db.is_gone()) || self.commits < self.beside_from {
            return;
        }
        self.beside = None;
        match server::connect_to_write(&self.options) {
            Ok(db) => self.beside = Some(db),
            Err(error) => {
                log::warn!("shares are committed by one connection for now, there is no second one: {error}");
                self.beside_from = self.commits + BESIDE_AGAIN;
            }
        }
    }

    /// Rolls back what is open on a connection. One that cannot be rolled back is given up, and the server does it.
    fn roll_back(&mut self, is_beside: bool) {
        let db = match is_beside {
            true => &mut self.beside,
            false => &mut self.db,
        };
        if db.as_ref().is_some_and(|db| db.run("ROLLBACK").is_err()) {
            *db = None;
        }
    }

    /// Sends the end of a commit.
    fn send_end(&mut self, copied: Copied, writes: Vec<Write>, reply: Reply<Vec<Written>>) {
        let [first, last, at, before, after, epoch, commit] = copied.row;
        let row = [first, last, at, before, after, epoch, commit, self.looks.into()];
        let sent = which(&self.db, &self.beside, copied.is_beside).is_some_and(|db| {
            db.take_warnings();
            db.send_last(write::LAST, row).is_ok()
        });
        if sent {
            self.under_way = Some(UnderWay {
                copied,
                writes,
                reply,
            });
            return;
        }
        self.take_back(&copied);
        let _gone = reply.send(self.commit(&writes));
    }

    /// Undoes what was copied.
    fn take_back(&mut self, copied: &Copied) {
        self.roll_back(copied.is_beside);
        self.known.undo(copied.undo);
    }

    /// Waits for the end of what is under way, and answers it.
    pub(super) fn end_what_is_under_way(&mut self) {
        self.end_before(None);
    }

    /// The same, unless `other` comes before.
    pub(super) fn end_unless(&mut self, other: impl Future<Output = ()>) {
        if let Some((under_way, ended)) = self.end_or(other) {
            self.answer(under_way, ended, None);
        }
    }

    /// Waits for the end of what is under way, and answers it. `next` is given back if that is stored: if not, it is undone.
    fn end_before(&mut self, next: Option<Copied>) -> Option<Copied> {
        match self.end_or(std::future::pending()) {
            Some((under_way, ended)) => self.answer(under_way, ended, next),
            None => next,
        }
    }

    /// What is under way, once it is known how it ended; nothing, if nothing is, or if `other` comes before.
    fn end_or(&mut self, other: impl Future<Output = ()>) -> Option<(UnderWay, Ended)> {
        let under_way = self.under_way.take()?;
        let ended = match which(&self.db, &self.beside, under_way.copied.is_beside) {
            Some(db) => db.sent_or(other).map(|said| judge(db, said)),
            None => {
                let gone = unavailable("there is no connection to the database");
                Some(Ended::Unsure(gone.to_string()))
            }
        };
        match ended {
            Some(ended) => Some((under_way, ended)),
            None => {
                self.under_way = Some(under_way);
                None
            }
        }
    }

    fn answer(&mut self, under_way: UnderWay, ended: Ended, mut next: Option<Copied>) -> Option<Copied> {
        let UnderWay {
            copied,
            writes,
            reply,
        } = under_way;
        if !matches!(ended, Ended::Stored) {
            if let Some(next) = next.take() {
                self.take_back(&next);
            }
            if copied.is_beside {
                // Whatever is left of it there ends with the connection.
                self.beside = None;
            }
        }
        let answer = match self.make_sure(copied.number, ended) {
            Ok(()) => {
                self.commits = copied.number;
                self.chores.note(&writes);
                Ok(copied.written)
            }
            Err(error) => {
                self.known.undo(copied.undo);
                if error.kind() == StoreErrorKind::Unknown {
                    self.unknown = Some(error.clone());
                }
                Err(error)
            }
        };
        // Dropping many shares takes longer than telling that they are safe.
        let _gone = reply.send(answer);
        next
    }
}

fn which<'a>(first: &'a Option<Db>, beside: &'a Option<Db>, is_beside: bool) -> Option<&'a Db> {
    match is_beside {
        true => beside.as_ref(),
        false => first.as_ref(),
    }
}
