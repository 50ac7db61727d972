//! Who may look at a miner beside itself and the operator: hands out watch tokens, takes them back, and knows them again.
//!
//! What was handed out is in the ledger alone, where every question looks: what was taken back shows nothing from then on,
//! whoever asks on which thread. Kept here is only who presented tokens that the pool never made. It asks the ledger, and
//! whether a miner is welcome; it knows nothing of what a token shows.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::limits::{KeyedLimiter, Rate};
use dwarves_domain::network::host;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::watch::{WATCHES_PER_MINER, WatchId, WatchKey};
use dwarves_ports::clock::SharedClock;
use dwarves_ports::store::{AuditRow, SharedStore, StoreError, WatchRow, Write, Written};
use serde_json::json;

use crate::ask::{Ask, AskError, Port, bound_mailbox};
use crate::ledger::messages::Commit;
use crate::miner_manager::messages::ReadStanding;

pub mod messages;
#[cfg(test)]
mod tests;

use messages::{HandOut, HandedOut, NotOpened, OpenWatch, OrderedBy, TakeBack, WatchRefused};

/// Questions that may wait in the mailbox.
const MAILBOX_CAPACITY: usize = 1_024;
/// Tokens that the pool never made which one client may present in an hour; as many can be saved up. No right one is ever
/// refused for it: nobody finds a tag of 128 bits by guessing, and others may be behind the same address.
const WRONG_PER_HOUR: Rate = Rate::per_hour(30);
/// Clients whose wrong tokens are remembered; those beyond share one allowance.
const CLIENTS_MAX: usize = 4_096;
/// How long the miner manager and the ledger may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// Draws the bytes of a number by chance; `None` if the system has no chance to give.
pub type Draw = Box<dyn FnMut() -> Option<[u8; 8]>>;

/// What the keeper of watch tokens is made with.
pub struct WatchKeeperParts {
    /// Makes tokens, and knows them again.
    pub key: WatchKey,
    /// Draws their numbers.
    pub draw: Draw,
    /// Says whether a miner is welcome.
    pub standing: Port<ReadStanding>,
    /// Where they are kept.
    pub ledger: Port<Commit>,
    /// Where they are looked up.
    pub store: SharedStore,
    /// Where it reads the time.
    pub clock: SharedClock,
}

/// The actor that owns who looks at miners.
pub struct WatchKeeper {
    parts: WatchKeeperParts,
    wrong: KeyedLimiter<IpAddr>,
}

impl WatchKeeper {
    /// A keeper to whom nobody has come yet.
    pub fn new(parts: WatchKeeperParts) -> Self {
        Self {
            parts,
            wrong: KeyedLimiter::new(CLIENTS_MAX, WRONG_PER_HOUR),
        }
    }

    /// The number of a token that the pool made.
    fn known(&mut self, from: IpAddr, token: &str) -> Result<WatchId, NotOpened> {
        if let Some(id) = self.parts.key.open(token) {
            return Ok(id);
        }
        let now = self.parts.clock.now();
        let allowed = self.wrong.take(host(from), WRONG_PER_HOUR, now);
        allowed.map_err(|empty| NotOpened::TooMany {
            try_again: empty.try_again,
        })?;
        log::info!("a watch token that this pool never made was presented ip={from}");
        Err(NotOpened::Wrong)
    }

    /// The row of the audit trail of an operator's order.
    fn trail(&self, by: &OrderedBy, message: &str, fields: &serde_json::Value) -> Option<Write> {
        let OrderedBy::Operator(who) = by else {
            return None;
        };
        Some(Write::AppendAuditIfDone(AuditRow {
            id: 0,
            at: self.parts.clock.date(),
            who: who.clone(),
            actor: "watch_keeper".to_owned(),
            message: message.to_owned(),
            fields: fields.to_string(),
            outcome: json!({ "done": true }).to_string(),
        }))
    }
}

fn refused(refusal: Refusal) -> WatchRefused {
    WatchRefused::Other(refusal)
}

/// What the ledger did with the first of several writes.
fn first(answer: Result<Result<Vec<Written>, StoreError>, AskError>) -> Result<Written, WatchRefused> {
    match answer {
        Ok(Ok(written)) => written
            .into_iter()
            .next()
            .ok_or_else(|| refused(Refusal::Unavailable)),
        Ok(Err(_)) => Err(refused(Refusal::Unavailable)),
        Err(error) => Err(refused(error.into())),
    }
}

impl Actor for WatchKeeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, MAILBOX_CAPACITY);
    }
}

impl Handler<Ask<HandOut>> for WatchKeeper {
    type Result = ();

    fn handle(&mut self, ask: Ask<HandOut>, ctx: &mut Self::Context) {
        let Ask { payload, reply, .. } = ask;
        let HandOut {
            hotkey,
            name,
            lasts,
            by,
        } = payload;
        let Some(id) = (self.parts.draw)().map(WatchId::from_bytes) else {
            log::error!("no watch token is handed out: the system gives no random bytes");
            return reply.answer(Err(refused(Refusal::Unavailable)));
        };
        let created_at = self.parts.clock.date();
        let row = WatchRow {
            id,
            hotkey,
            name,
            created_at,
            expires_at: lasts.map(|lasts| created_at.plus(lasts)),
        };
        let fields = json!({ "hotkey": hotkey.to_string(), "id": id.to_string(), "name": row.name.as_str() });
        let mut writes = vec![Write::AddWatch {
            watch: row.clone(),
            most: WATCHES_PER_MINER,
        }];
        writes.extend(self.trail(&by, "hand_out", &fields));
        let token = self.parts.key.seal(id);
        let (standing, ledger) = (self.parts.standing.clone(), self.parts.ledger.clone());
        ctx.spawn(wrap_future::<_, Self>(async move {
            let handed_out = async {
                let welcome = standing.ask(ReadStanding { hotkey }, DEADLINE).await;
                match welcome.unwrap_or_else(|error| Err(error.into())) {
                    // Its balance is paid all the same, and its operator may show it to whom it likes.
                    Err(Refusal::Banned { .. }) if by != OrderedBy::Owner => {}
                    Err(refusal) => return Err(refused(refusal)),
                    Ok(()) => {}
                }
                match first(ledger.ask(Commit { writes }, DEADLINE).await)? {
                    Written::Done => Ok(HandedOut { row, token }),
                    Written::NoMiner => Err(refused(Refusal::MinerUnknown)),
                    _ => Err(WatchRefused::Full),
                }
            };
            let handed_out = handed_out.await;
            if let Ok(HandedOut { row, .. }) = &handed_out {
                log::info!("a watch token was handed out hotkey={} id={}", row.hotkey, row.id);
            }
            reply.answer(handed_out);
        }));
    }
}

impl Handler<Ask<TakeBack>> for WatchKeeper {
    type Result = ();

    fn handle(&mut self, ask: Ask<TakeBack>, ctx: &mut Self::Context) {
        let Ask { payload, reply, .. } = ask;
        let TakeBack { hotkey, id, by } = payload;
        let fields = json!({ "hotkey": hotkey.to_string(), "id": id.to_string() });
        let mut writes = vec![Write::RemoveWatch { hotkey, id }];
        writes.extend(self.trail(&by, "take_back", &fields));
        let ledger = self.parts.ledger.clone();
        ctx.spawn(wrap_future::<_, Self>(async move {
            let taken_back = first(ledger.ask(Commit { writes }, DEADLINE).await);
            reply.answer(taken_back.and_then(|written| match written {
                Written::Done => {
                    log::info!("a watch token was taken back hotkey={hotkey} id={id}");
                    Ok(())
                }
                _ => Err(WatchRefused::Unknown),
            }));
        }));
    }
}

impl Handler<Ask<OpenWatch>> for WatchKeeper {
    type Result = ();

    fn handle(&mut self, ask: Ask<OpenWatch>, ctx: &mut Self::Context) {
        let Ask { payload, reply, .. } = ask;
        let id = match self.known(payload.from, &payload.token) {
            Ok(id) => id,
            Err(error) => return reply.answer(Err(error)),
        };
        let store = Arc::clone(&self.parts.store);
        let now = self.parts.clock.date();
        ctx.spawn(wrap_future::<_, Self>(async move {
            reply.answer(match store.watch(id).await {
                Ok(Some(row)) if !row.is_over(now) => Ok(row),
                Ok(_) => Err(NotOpened::Over),
                Err(error) => {
                    log::warn!("a watch token cannot be looked up: {error}");
                    Err(NotOpened::Unavailable)
                }
            });
        }));
    }
}
