//! How a session ends: why, what is said before, and that a block that its miner had sent by then is looked at.

use std::rc::Rc;
use std::task::Context as Wake;

use dwarves_domain::login::parse_user;

use super::StratumSession;
use super::handshake::Opening;
use crate::conversation::Telling;
use crate::conversation::rejects::Rung;
use crate::messages::PutOut;
use crate::protocol::reply;

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The miner closed the connection, or it broke.
    Gone,
    /// It did not speak Stratum, or not the way in.
    Foreign,
    /// A line was too long.
    LineTooLong,
    /// It did not read what it was sent.
    SlowReader,
    /// It took too long to subscribe and authorize, or was silent.
    TimedOut,
    /// Another connection took the session over.
    TakenOver,
    /// Too many of its requests were refused.
    PutOut,
    /// Its address has too many connections, or is kept out.
    NoSeat,
    /// Its worker is kept out.
    KeptOut,
    /// The pool stops.
    Stopping,
    /// There has been no live work for too long.
    NoWork,
}

impl StratumSession {
    /// Does what the ladders of refused requests say.
    pub(super) fn climb(&mut self) -> Result<(), End> {
        let thread = Rc::clone(&self.thread);
        let rules = &thread.listeners[self.listener].rules;
        while let Some((rung, user)) = self.talk.take_rung(rules) {
            match rung {
                Rung::NewWork => self.tell_work(Telling::Anew),
                Rung::Reconnect => {
                    reply::show_message(
                        &mut self.out,
                        "Most of your shares are refused: please check your miner",
                    );
                    // The others of a proxy need not suffer for one of them.
                    if user.is_none() || self.talk.is_of_one() {
                        reply::reconnect(&mut self.out);
                    }
                }
                Rung::Disconnect => self.put_out(user.as_deref())?,
            }
        }
        Ok(())
    }

    /// Puts a worker out, and the session if it has no other; without a name, whoever this is.
    fn put_out(&mut self, user: Option<&str>) -> Result<(), End> {
        let logins = self.listener().rules.logins;
        let worker = user.and_then(|user| parse_user(user, logins).ok());
        tracing::info!("put out for refused shares ip={} user={user:?}", self.ip);
        let news = PutOut {
            ip: self.ip,
            worker: worker.map(|(identity, name)| (identity.hotkey(), name)),
        };
        if self.thread.peers.put_out.tell(news).is_err() {
            tracing::debug!("the gate is busy; {} is not remembered", self.ip);
        }
        let goes_on = user.is_some_and(|user| self.say(|talk, scene, _| talk.keep_out(user, scene)));
        if goes_on { Ok(()) } else { Err(End::PutOut) }
    }

    /// Tells the miner why it is let go. No `client.reconnect`: that would lead back here.
    pub(super) fn take_leave(&mut self, wake: &mut Wake<'_>) -> End {
        if matches!(self.opening, Opening::Open) {
            reply::show_message(
                &mut self.out,
                "There is no work at this pool right now: please mine elsewhere for a while",
            );
            return self.last_words(End::NoWork, wake);
        }
        End::NoWork
    }

    /// Whatever ends a session, a block that its miner sent before it knew is the pool's. Of a connection that is gone
    /// or speaks something else there is nothing to read.
    pub(super) fn look_for_blocks_at(&mut self, end: End, wake: &mut Wake<'_>) {
        let has_more = match end {
            End::Gone | End::Foreign | End::LineTooLong | End::NoSeat => false,
            End::SlowReader | End::TimedOut | End::TakenOver | End::PutOut => true,
            End::KeptOut | End::Stopping | End::NoWork => true,
        };
        if has_more && matches!(self.opening, Opening::Open) {
            self.look_for_blocks(wake);
        }
    }

    /// The answers that are there still go out, as far as the socket takes them now.
    pub(super) fn last_words(&mut self, end: End, wake: &mut Wake<'_>) -> End {
        let _as_well_as_it_goes = self.poll_flush(wake);
        end
    }
}
