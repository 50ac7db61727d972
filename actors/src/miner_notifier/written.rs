//! What is to be written: one commit after the other, each with all that there is, so that what is written later is newer.

use std::collections::BTreeSet;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::notices::queues::Place;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{ToMiner, Write};

use super::messages::NotGranted;
use super::{MinerNotifier, READ_AS};
use crate::ledger::messages::Commit;

/// Writes that may wait before nothing new is made.
const WAITING_MAX: usize = 4_000;
/// How long the ledger may take.
const LEDGER_DEADLINE: Duration = Duration::from_secs(20);

/// Answers whoever waits for something to be durable.
pub(super) type Waiter = Box<dyn FnOnce(Result<(), NotGranted>)>;

/// What is to be written.
#[derive(Default)]
pub(super) struct Unwritten {
    writes: Vec<Write>,
    /// Miners whose subscription changed: it is written as it is when it is written.
    changed: BTreeSet<Hotkey>,
    /// Whether more of the ledger's notices were read.
    was_read: bool,
    waiters: Vec<Waiter>,
    is_under_way: bool,
}

impl Unwritten {
    pub(super) fn write(&mut self, write: Write) {
        self.writes.push(write);
    }

    pub(super) fn settle(&mut self, place: &Place, again: Option<(u32, Timestamp)>) {
        self.write(Write::ToMiner(ToMiner::Settle {
            hotkey: place.hotkey,
            channel: place.channel.as_str().to_owned(),
            key: place.key.clone(),
            again,
        }));
    }

    pub(super) fn change(&mut self, hotkey: Hotkey) {
        self.changed.insert(hotkey);
    }

    pub(super) fn read(&mut self) {
        self.was_read = true;
    }

    pub(super) fn wait(&mut self, waiter: Waiter) {
        self.waiters.push(waiter);
    }

    pub(super) fn is_too_much(&self) -> bool {
        self.writes.len() + self.changed.len() >= WAITING_MAX
    }

    fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.changed.is_empty() && !self.was_read && self.waiters.is_empty()
    }
}

impl MinerNotifier {
    /// Writes all that there is to write, if no commit is under way.
    pub(super) fn flush(&mut self, ctx: &mut Context<Self>) {
        if self.unwritten.is_under_way || self.unwritten.is_empty() {
            return;
        }
        let mut taken = std::mem::take(&mut self.unwritten);
        self.unwritten.is_under_way = true;
        // A subscription goes before its notices: they are kept of those alone that want them.
        let records = taken.changed.iter().map(|hotkey| {
            Write::ToMiner(ToMiner::Subscribe {
                hotkey: *hotkey,
                record: self
                    .followed
                    .get(hotkey)
                    .and_then(|followed| serde_json::to_string(&followed.subscription).ok()),
            })
        });
        let mut writes: Vec<_> = records.collect();
        writes.extend(taken.writes.iter().cloned());
        let read = self.through.filter(|_| taken.was_read);
        writes.extend(read.map(|through| Write::SaveSetting {
            key: READ_AS.to_owned(),
            value: Some(through.to_string()),
        }));
        let waiters = std::mem::take(&mut taken.waiters);
        let ledger = self.parts.ledger.clone();
        let written = async move {
            if writes.is_empty() {
                return true;
            }
            matches!(ledger.ask(Commit { writes }, LEDGER_DEADLINE).await, Ok(Ok(_)))
        };
        ctx.spawn(wrap_future::<_, Self>(written).map(move |is_written, this, ctx| {
            this.unwritten.is_under_way = false;
            if !is_written {
                log::debug!("what miners are told was not written; the next commit does it");
                this.put_back(taken);
            }
            for waiter in waiters {
                waiter(if is_written {
                    Ok(())
                } else {
                    Err(NotGranted::Unavailable)
                });
            }
            if is_written {
                this.flush(ctx);
            }
        }));
    }

    /// All of these writes may be made again, and go before those that came since.
    fn put_back(&mut self, taken: Unwritten) {
        let newer = std::mem::replace(&mut self.unwritten.writes, taken.writes);
        self.unwritten.writes.extend(newer);
        self.unwritten.changed.extend(taken.changed);
        self.unwritten.was_read |= taken.was_read;
    }
}
