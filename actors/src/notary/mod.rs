//! The notary: states what each epoch's shares came to, once, signed by the pool's own hotkey.
//!
//! A poke looks whether the open epoch is over by the date. Then the ledger ends it, so that no share can come into it any
//! more; its work is read from the store, piece by piece; the statement is written by the pure rules
//! ([`dwarves_domain::statements`]), signed, and kept. Every step is a transaction of its own, and what is done next is
//! told by the store alone: a crash between two of them is made good by the next look. Nobody sees a statement before it
//! is durable, so there is only ever one of an epoch.
//!
//! While the clock is refused, or its date not confirmed after the start, no epoch ends. It asks the ledger and the store's
//! reading side; the pool manager asks it how it is. What takes long is done beside the thread that it shares with those
//! who judge shares.
//!
//! | module | its one job |
//! |---|---|
//! | [`messages`] | what it is asked |
//! | `stating` | the statement of an epoch that has ended |

use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::statements::{Epoch, EpochLength};
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::work::Algorithm;

use crate::ask::{Ask, AskError, Port, bound_mailbox, tell_every};
use crate::ledger::messages::Commit;
use crate::time_keeper::messages::ClockNews;
use dwarves_ports::clock::SharedClock;
use dwarves_ports::signer::SharedSigner;
use dwarves_ports::store::{EpochsState, SharedStore, StoreError, Write};

pub mod messages;
mod stating;
#[cfg(test)]
mod tests;

use messages::{ReadStatements, StatementsView};

/// Messages that may wait in the mailbox.
const MAILBOX_CAPACITY: usize = 16;
/// How often it is looked whether an epoch is over. At each look one is stated at most, so that those of a long absence do
/// not keep the ledger busy.
const LOOK_EVERY: Span = Span::from_millis(250);
/// How long the ledger may take.
const LEDGER_DEADLINE: Duration = Duration::from_secs(20);
/// The setting that says after which restoring of the ledger epochs were begun anew.
const BEGUN_AFTER: &str = "statements.begun_after";

/// How statements are made.
#[derive(Clone)]
pub struct NotarySettings {
    /// How long an epoch is; `None`: no statements are made.
    pub length: Option<EpochLength>,
    /// What is hashed.
    pub algorithm: Algorithm,
    /// Signs them.
    pub signer: SharedSigner,
}

/// What the notary is made with.
pub struct NotaryParts {
    /// Where work is read.
    pub store: SharedStore,
    /// Where epochs and statements are kept.
    pub ledger: Port<Commit>,
    /// Where it reads the time.
    pub clock: SharedClock,
    /// How statements are made.
    pub settings: NotarySettings,
    /// What the ledger says if it was restored from a backup: what was stated since is not in it, so the time until now is
    /// left out.
    pub restored: Option<String>,
}

/// Why a look came to nothing.
#[derive(Debug, thiserror::Error)]
enum Hindrance {
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    #[error("the ledger: {0:?}")]
    Ledger(AskError),
    #[error(
        "the ledger does not hold all shares of the epoch that begins with {0}, so it cannot be stated; restore a whole \
         ledger, or leave it out by starting once with statements.epoch_secs = 0"
    )]
    Incomplete(dwarves_domain::statements::EpochId),
    #[error("adding up the work, or signing it, broke off: {0}")]
    BrokenOff(String),
}

impl NotaryParts {
    async fn commit(&self, writes: Vec<Write>) -> Result<(), Hindrance> {
        let answer = self.ledger.ask(Commit { writes }, LEDGER_DEADLINE).await;
        answer.map_err(Hindrance::Ledger)??;
        Ok(())
    }

    /// What is done first in a life: epochs begin, or cease.
    async fn begin(&self, date: Timestamp) -> Result<EpochsState, Hindrance> {
        let known = self.store.epochs().await?;
        if self.settings.length.is_none() {
            if known.open.is_some() {
                self.commit(vec![Write::CeaseEpochs]).await?;
                log::warn!(
                    "no statements are made any more (statements.epoch_secs); the open epoch is left out"
                );
            }
            return Ok(EpochsState::default());
        }
        let begun_after = self.store.settings().await?.remove(BEGUN_AFTER);
        let is_anew = self.restored.is_some() && self.restored != begun_after;
        if known.open.is_some() && !is_anew {
            return Ok(known);
        }
        let start = Epoch::first_start(date, known.last.map(|(last, _)| last.end));
        let mut writes = vec![Write::BeginEpochs { start }];
        if is_anew {
            writes.push(Write::SaveSetting {
                key: BEGUN_AFTER.to_owned(),
                value: self.restored.clone(),
            });
        }
        self.commit(writes).await?;
        log::info!("epochs begin, epoch={start}");
        Ok(self.store.epochs().await?)
    }

    /// Ends the open epoch if it is over, and states the one that has ended.
    async fn go_on(&self, length: EpochLength, date: Timestamp) -> Result<EpochsState, Hindrance> {
        let mut known = self.store.epochs().await?;
        if let (Some(open), None) = (known.open, known.ended) {
            let epoch = Epoch::beginning(open.start, length);
            if epoch.is_over(date) {
                self.commit(vec![Write::EndEpoch { epoch, at: date }]).await?;
                known = self.store.epochs().await?;
            }
        }
        if let Some(ended) = known.ended {
            let previous = known.last.map(|(_, digest)| digest);
            let row = self.state(ended, previous).await?;
            self.commit(vec![Write::AddStatement(Box::new(row))]).await?;
            known = self.store.epochs().await?;
        }
        Ok(known)
    }
}

/// The actor that makes statements.
pub struct Notary {
    parts: std::rc::Rc<NotaryParts>,
    news: ClockNews,
    /// What the last look found; `None`: none has been in this life, or the last failed.
    known: Option<EpochsState>,
    /// What the last look found that did not fail.
    seen: Option<EpochsState>,
    has_begun: bool,
    is_looking: bool,
    /// What hinders it, as the log was told.
    hindrance: Option<String>,
}

impl Notary {
    /// A notary that has not looked yet.
    pub fn new(parts: NotaryParts) -> Self {
        Self {
            parts: std::rc::Rc::new(parts),
            news: ClockNews::default(),
            known: None,
            seen: None,
            has_begun: false,
            is_looking: false,
            hindrance: None,
        }
    }

    /// Whether there is something to be done.
    fn is_due(&self, length: EpochLength, date: Timestamp) -> bool {
        let Some(known) = self.known else {
            return true;
        };
        let is_over =
            |open: &dwarves_ports::store::OpenEpoch| Epoch::beginning(open.start, length).is_over(date);
        known.ended.is_some() || known.open.as_ref().is_some_and(is_over)
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        if self.is_looking || self.news.refused.is_some() || !self.news.is_confirmed {
            return;
        }
        let date = self.parts.clock.date();
        let length = match (self.has_begun, self.parts.settings.length) {
            (false, _) => None,
            (true, None) => return,
            (true, Some(length)) if !self.is_due(length, date) => return,
            (true, Some(length)) => Some(length),
        };
        self.is_looking = true;
        let parts = std::rc::Rc::clone(&self.parts);
        let looked = async move {
            match length {
                None => parts.begin(date).await,
                Some(length) => parts.go_on(length, date).await,
            }
        };
        ctx.spawn(wrap_future::<_, Self>(looked).map(|looked, this, _| {
            this.is_looking = false;
            this.note(looked);
        }));
    }

    /// For how long an epoch has been over, by the date, that is not stated.
    fn overdue(&self, known: &EpochsState, date: Timestamp) -> Option<Span> {
        let length = self.parts.settings.length?;
        let open = known.open.map(|open| Epoch::beginning(open.start, length));
        let oldest = known.ended.map(|ended| ended.epoch).or(open)?;
        oldest.is_over(date).then(|| date.since(oldest.end.start()))
    }

    fn view(&self) -> StatementsView {
        let date = self.parts.clock.date();
        let known = self.seen.unwrap_or_default();
        StatementsView {
            length: self.parts.settings.length,
            open: known.open.map(|open| open.start),
            stated: known.last.map(|(last, _)| last),
            overdue: self.overdue(&known, date),
            hindrance: self.hindrance.clone(),
        }
    }

    fn note(&mut self, looked: Result<EpochsState, Hindrance>) {
        match looked {
            Ok(known) => {
                (self.known, self.seen) = (Some(known), Some(known));
                self.has_begun = true;
                if self.hindrance.take().is_some() {
                    log::info!("statements are made again");
                }
            }
            Err(error) => {
                self.known = None;
                let hindrance = error.to_string();
                if self.hindrance.as_ref() != Some(&hindrance) {
                    log::error!("statements wait: {hindrance}");
                    self.hindrance = Some(hindrance);
                }
            }
        }
    }
}

/// A hint to look whether an epoch is over.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
struct Poke;

impl Actor for Notary {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, MAILBOX_CAPACITY);
        tell_every(ctx, LOOK_EVERY, Poke);
    }
}

impl Handler<Poke> for Notary {
    type Result = ();

    fn handle(&mut self, _: Poke, ctx: &mut Self::Context) {
        self.look(ctx);
    }
}

impl Handler<ClockNews> for Notary {
    type Result = ();

    fn handle(&mut self, news: ClockNews, ctx: &mut Self::Context) {
        self.news = news;
        self.look(ctx);
    }
}

impl Handler<Ask<ReadStatements>> for Notary {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadStatements>, _: &mut Self::Context) {
        ask.reply.answer(self.view());
    }
}
