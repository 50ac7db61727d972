//! Blocks on the chain that the ledger does not know: found, and then the pool crashed before the share's commit.
//!
//! The newest blocks of the chain are searched for coinbases with the pool's mark. One that the ledger does not
//! know is stored at the place where the ledger ended when this life began, which is where the crash cut it off,
//! and is then credited like any other, from the shares that are durable. Blocks older than the ledger are left
//! alone: no crash of it lost them.
//!
//! Where several fronts share the ledger, the search goes on with each new block: a front that was taken over writes nothing
//! any more, but may still submit a block, late, of which nobody else knows. It is stored where the ledger ends by then.

use std::collections::BTreeSet;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::coinbase::{CoinbaseMark, OwnCoinbase};

use super::{BlockTracker, Open, in_time};
use crate::ledger::messages::Commit;
use crate::notices;
use crate::spans;
use dwarves_ports::chain::{MinedCoinbase, SharedChain};
use dwarves_ports::store::{BlockState, FoundBlock, LedgerPosition, SharedStore, Write};

/// Blocks below the tip that are searched, the tip included.
pub const RECOVERY_DEPTH: u32 = 200;
/// Blocks that are searched again with each new one: the chain may have come to others of these heights.
const AGAIN: u32 = 6;

/// How to find blocks that a crash kept from the ledger.
#[derive(Clone)]
pub struct Recovery {
    /// What the ledger knows.
    pub store: SharedStore,
    /// What the pool's coinbases carry: the present mark and those of templates that are still live.
    pub marks: BTreeSet<CoinbaseMark>,
    /// Where the ledger ended when this life began.
    pub place: LedgerPosition,
    /// When the ledger began.
    pub since: Timestamp,
    /// Whether others may have led before, who may still submit what they cannot store.
    pub goes_on: bool,
}

/// What is to be searched next.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// Up to which height it was done; none: not yet in this life.
    through: Option<u32>,
    is_under_way: bool,
}

/// What a search found, up to which height.
struct Found {
    lost: Vec<Lost>,
    place: LedgerPosition,
    through: u32,
}

/// A block of the pool that the ledger does not know.
struct Lost {
    hash: HeaderHash,
    block: FoundBlock,
    found_at: Timestamp,
}

impl Recovery {
    /// What a coinbase says, if it is the pool's and not older than its ledger.
    fn read(&self, mined: &MinedCoinbase) -> Option<OwnCoinbase> {
        if i64::from(mined.time) < self.since.secs() {
            return None;
        }
        self.marks.iter().find_map(|mark| mark.read(&mined.transaction))
    }

    /// Searches the chain behind the height that was searched last up to a tip of this height. Any failure fails the
    /// search, which is then made again.
    async fn search(
        self,
        chain: SharedChain,
        searched: Option<u32>,
        tip: u32,
        now: Timestamp,
    ) -> Result<Found, String> {
        let mut lost = Vec::new();
        let deepest = tip.saturating_sub(RECOVERY_DEPTH - 1);
        let first = searched.map_or(deepest, |searched| {
            deepest.max((searched + 1).saturating_sub(AGAIN))
        });
        for height in first..=tip {
            let mined = in_time(chain.coinbase_at(height)).await;
            let Some(mined) = mined.map_err(|error| error.to_string())? else {
                // The chain became shorter meanwhile.
                continue;
            };
            let Some(own) = self.read(&mined) else {
                continue;
            };
            let known = self.store.block(mined.block).await.map_err(|e| e.to_string())?;
            if known.is_some_and(|known| known.state != BlockState::Refused) {
                continue;
            }
            let finder = match own.extranonce {
                Some(extranonce) => self.store.owner_of(extranonce).await.map_err(|e| e.to_string())?,
                None => None,
            };
            lost.push(Lost {
                hash: mined.block,
                block: FoundBlock {
                    height,
                    reward: own.reward,
                    finder,
                    bytes: Vec::new(),
                },
                found_at: Timestamp::from_secs(i64::from(mined.time)),
            });
        }
        // What is lost in this life belongs behind what has been booked in it.
        let place = match searched {
            Some(_) if !lost.is_empty() => self.store.position_at(now).await.map_err(|e| e.to_string())?,
            _ => self.place,
        };
        Ok(Found {
            lost,
            place,
            through: tip,
        })
    }
}

impl BlockTracker {
    /// Whether lost blocks of earlier lives may still be there.
    pub(super) fn may_have_lost(&self) -> bool {
        self.parts.recovery.is_some() && self.search.through.is_none()
    }

    /// Searches the chain: once in a life, and again if it failed; with each new block if others may still submit some.
    pub(super) fn recover(&mut self, tip: u32, ctx: &mut Context<Self>) {
        let is_new = |recovery: &&Recovery| match self.search.through {
            None => true,
            Some(through) => recovery.goes_on && tip > through,
        };
        let Some(recovery) = self.parts.recovery.as_ref().filter(is_new) else {
            return;
        };
        if std::mem::replace(&mut self.search.is_under_way, true) {
            return;
        }
        let (chain, now) = (self.parts.chain.clone(), self.parts.clock.now());
        let found = recovery.clone().search(chain, self.search.through, tip, now);
        ctx.spawn(wrap_future::<_, Self>(found).map(|found, this, ctx| match found {
            Ok(found) => this.store_lost(found, ctx),
            Err(error) => {
                this.search.is_under_way = false;
                log::warn!("the chain could not be searched for lost blocks, again soon: {error}");
            }
        }));
    }

    fn store_lost(&mut self, found: Found, ctx: &mut Context<Self>) {
        let Found {
            mut lost,
            place,
            through,
        } = found;
        // Blocks of this life are on their way into the ledger by themselves.
        lost.retain(|lost| !self.open.contains_key(&lost.hash) && !self.rebuilding.contains_key(&lost.hash));
        if lost.is_empty() {
            self.search = Search {
                through: Some(through),
                is_under_way: false,
            };
            return;
        }
        let write = |lost: &Lost| Write::RecoverBlock {
            hash: lost.hash,
            block: lost.block.clone(),
            place,
            found_at: lost.found_at,
        };
        let told = |lost: &Lost| notices::block_found(lost.hash, &lost.block, lost.found_at);
        let commit = Commit {
            writes: lost.iter().map(write).chain(lost.iter().map(told)).collect(),
        };
        let answer = match self.parts.ledger.post(commit) {
            Ok(answer) => answer,
            Err(_) => {
                self.search.is_under_way = false;
                return;
            }
        };
        ctx.spawn(wrap_future::<_, Self>(answer).map(move |result, this, ctx| {
            this.search.is_under_way = false;
            match result {
                Ok(Ok(_)) => {
                    this.search.through = Some(through);
                    this.recovered(lost, ctx);
                }
                Ok(Err(error)) => log::warn!("lost blocks could not be stored, again soon: {error}"),
                Err(error) => log::warn!("lost blocks could not be stored, again soon: {error}"),
            }
        }));
    }

    fn recovered(&mut self, lost: Vec<Lost>, ctx: &mut Context<Self>) {
        for Lost {
            hash,
            block,
            found_at,
        } in lost
        {
            let span = spans::of_block(hash);
            let _said_of_it = span.enter();
            tracing::warn!(
                "block recovered: it is on the chain and a crash kept it from the ledger height={} hash={hash} \
                 reward_sats={}",
                block.height,
                block.reward
            );
            self.view.recovered += 1;
            let fate = (BlockState::Immature, 0);
            let open = Open {
                was_submitted: true,
                ..Open::new(block, found_at, fate, Some(fate))
            };
            self.follow(hash, open);
        }
        self.judge_all(ctx);
    }
}
