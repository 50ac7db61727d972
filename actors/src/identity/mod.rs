//! The ledger's chain: remembered with the ledger, compared before anything is paid, and kept up to date.
//!
//! A ledger gets its identity once the chain is known to be its own: at once if it has no deep blocks, else when one
//! of them was found there. Another chain is refused at the start. While nobody can tell (the node is away, or not
//! synced) the pool runs, payouts are held by [`Hold::Identity`], and [`IdentityKeeper`] asks again; should the chain
//! turn out to be another one then, it stops the process. It asks the chain and the store's reading side, and tells
//! the ledger and the paymaster.

use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::time::Span;

use crate::ask::{Outbox, Port, tell_every};
use crate::control::hold::Hold;
use crate::control::hold::HoldPayouts;
use crate::ledger::messages::Commit;
use dwarves_ports::chain::{BlockStatus, ChainError, ChainFuture, SharedChain};
use dwarves_ports::halt::SharedHalt;
use dwarves_ports::store::{BlockState, PageRequest, SharedStore, StoreError, Write};

pub mod judge;

pub use judge::{Belonging, Identity};
use judge::{Facts, IDENTITY, Mark, judge};

/// Deep blocks of the ledger that the chain is asked for: the newest and the oldest of a page.
const BLOCKS_MAX: usize = 6;
/// Rows of found blocks that are searched for deep ones.
const PAGE: u32 = 500;
/// How long the chain may take for one answer.
const CHAIN_DEADLINE: Duration = Duration::from_secs(5);
/// How often it is asked while nobody can tell, and how often the deep block that is remembered moves on.
const ASK_EVERY: Span = Span::from_secs(5);
const MOVE_EVERY: u32 = 120;
/// The wait between two questions at the start.
const TRY_EVERY: Duration = Duration::from_millis(250);

/// The two sides that are compared.
#[derive(Clone)]
pub struct Sides {
    /// The chain that the nodes are on.
    pub chain: SharedChain,
    /// The ledger that remembers a chain.
    pub store: SharedStore,
    /// How deep a block is that is remembered.
    pub depth: u32,
    /// Whether the chain can be begun anew by anybody: the devnet, regtest.
    pub is_private: bool,
}

/// What to do about a chain that is not the ledger's.
pub const REMEDY: &str = "set chain.kind and chain.url to the chain of this ledger; for another chain, or one that was \
                          begun anew, give another --data-dir (or move the ledger away): its balances are claims on \
                          the coins of its own chain alone";

async fn in_time<T>(answer: ChainFuture<T>) -> Result<T, ChainError> {
    match tokio::time::timeout(CHAIN_DEADLINE, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(ChainError::Unreachable("no answer in time".to_owned())),
    }
}

/// Whether the ledger belongs to the chain, and what it is to remember then.
///
/// # Errors
/// If the ledger cannot be read.
pub async fn compare(
    sides: &Sides,
    identity: Option<Identity>,
) -> Result<(Belonging, Option<Identity>), StoreError> {
    let mut marks = deep_blocks(sides).await?;
    marks.extend(identity.and_then(|identity| identity.deep));
    let genesis = match in_time(sides.chain.hash_at(0)).await {
        Ok(genesis) => genesis,
        Err(error) => return Ok((Belonging::NotYet(error.to_string()), None)),
    };
    let sync = in_time(sides.chain.sync_state()).await.ok();
    let mut blocks = Vec::new();
    for mark in marks {
        match in_time(sides.chain.status(mark.hash)).await {
            Ok(status) => blocks.push((mark, status)),
            Err(error) => return Ok((Belonging::NotYet(error.to_string()), None)),
        }
    }
    let facts = Facts {
        genesis,
        sync,
        blocks,
        is_private: sides.is_private,
    };
    let belonging = judge(identity, &facts);
    let next = match (&belonging, genesis) {
        (Belonging::Ours, Some(genesis)) => Some(Identity {
            genesis,
            deep: deep_now(sides, &facts)
                .await
                .or(identity.and_then(|identity| identity.deep)),
        }),
        _ => None,
    };
    Ok((belonging, next))
}

/// As [`compare`], this many times, as long as nobody can tell.
///
/// # Errors
/// If the ledger cannot be read.
pub async fn ask_patiently(
    sides: &Sides,
    identity: Option<Identity>,
    tries: u32,
) -> Result<Belonging, StoreError> {
    let mut tried = 1;
    loop {
        let (belonging, _) = compare(sides, identity).await?;
        if tried >= tries || !matches!(belonging, Belonging::NotYet(_)) {
            return Ok(belonging);
        }
        tried += 1;
        tokio::time::sleep(TRY_EVERY).await;
    }
}

/// The block to remember: so deep that no reorganisation reaches it.
async fn deep_now(sides: &Sides, facts: &Facts) -> Option<Mark> {
    let sync = facts.sync.filter(|sync| sync.is_synced)?;
    let height = sync.tip.height.checked_sub(sides.depth)?;
    let hash: HeaderHash = in_time(sides.chain.hash_at(height)).await.ok()??;
    let is_main = in_time(sides.chain.status(hash)).await.ok()?;
    matches!(is_main, BlockStatus::MainChain { .. }).then_some(Mark { height, hash })
}

/// Deep blocks of the ledger: the newest and the oldest of those that it found last.
async fn deep_blocks(sides: &Sides) -> Result<Vec<Mark>, StoreError> {
    let page = sides
        .store
        .blocks(PageRequest {
            cursor: None,
            limit: PAGE,
        })
        .await?;
    let deep = page.rows.iter().filter(|row| row.state == BlockState::Mature);
    let mut deep: Vec<Mark> = deep
        .map(|row| Mark {
            height: row.height,
            hash: row.hash,
        })
        .collect();
    if deep.len() > BLOCKS_MAX {
        deep.drain(BLOCKS_MAX / 2..deep.len() - BLOCKS_MAX / 2);
    }
    Ok(deep)
}

/// A hint to ask the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, actix::Message)]
#[rtype(result = "()")]
struct Poke;

/// What the keeper is made with.
pub struct IdentityKeeperParts {
    /// The chain and the ledger that must belong together.
    pub sides: Sides,
    /// Where the identity is kept.
    pub ledger: Port<Commit>,
    /// Who is told to hold payouts.
    pub payouts: Outbox<HoldPayouts>,
    /// The emergency stop.
    pub halt: SharedHalt,
    /// What the ledger remembers.
    pub identity: Option<Identity>,
    /// Whether payouts are held because nobody can tell yet.
    pub is_held: bool,
}

/// The actor that keeps what the ledger remembers of its chain.
pub struct IdentityKeeper {
    parts: IdentityKeeperParts,
    is_asking: bool,
    pokes: u32,
}

impl IdentityKeeper {
    /// A keeper that has compared nothing yet.
    pub fn new(parts: IdentityKeeperParts) -> Self {
        Self {
            parts,
            is_asking: false,
            pokes: 0,
        }
    }

    fn ask(&mut self, ctx: &mut Context<Self>) {
        self.is_asking = true;
        let (sides, identity) = (self.parts.sides.clone(), self.parts.identity);
        let ledger = self.parts.ledger.clone();
        let asked = wrap_future::<_, Self>(async move {
            let (belonging, next) = compare(&sides, identity).await.ok()?;
            let kept = match next {
                Some(next) if Some(next) != identity => keep(&ledger, next).await.then_some(next),
                _ => identity,
            };
            Some((belonging, kept))
        });
        ctx.spawn(asked.map(|asked, this, _| {
            this.is_asking = false;
            if let Some((belonging, kept)) = asked {
                this.parts.identity = kept.or(this.parts.identity);
                this.judged(belonging);
            }
        }));
    }

    fn judged(&mut self, belonging: Belonging) {
        let detail = match belonging {
            Belonging::Ours => None,
            Belonging::NotYet(_) if !self.parts.is_held => return,
            Belonging::NotYet(why) => Some(why),
            Belonging::Other(why) => {
                return self
                    .parts
                    .halt
                    .halt(&format!("this is not the ledger's chain: {why}; {REMEDY}"));
            }
        };
        let is_lifted = detail.is_none();
        let hold = Hold::Identity;
        if self.parts.payouts.tell(HoldPayouts { hold, detail }).is_ok() && is_lifted {
            self.parts.is_held = false;
        }
    }
}

async fn keep(ledger: &Port<Commit>, identity: Identity) -> bool {
    let write = Write::SaveSetting {
        key: IDENTITY.to_owned(),
        value: Some(identity.to_text()),
    };
    match ledger.post(Commit { writes: vec![write] }) {
        Ok(answer) => matches!(answer.await, Ok(Ok(_))),
        Err(_) => false,
    }
}

impl Actor for IdentityKeeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.ask(ctx);
        tell_every(ctx, ASK_EVERY, Poke);
    }
}

impl Handler<Poke> for IdentityKeeper {
    type Result = ();

    fn handle(&mut self, _: Poke, ctx: &mut Self::Context) {
        self.pokes = self.pokes.wrapping_add(1);
        let is_due =
            self.parts.is_held || self.parts.identity.is_none() || self.pokes.is_multiple_of(MOVE_EVERY);
        if is_due && !self.is_asking {
            self.ask(ctx);
        }
    }
}
