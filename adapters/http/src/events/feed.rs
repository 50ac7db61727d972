//! The actor that writes out what happened.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_actors::ask::bound_mailbox;
use dwarves_actors::news::{Happened, News};
use dwarves_api_types::books::{Block, Round};
use dwarves_api_types::events::PayoutStep;
use dwarves_api_types::scalars::Instant;
use dwarves_domain::blocks::BlockState;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, PayoutId, RoundId};
use dwarves_domain::payouts::Payout;
use dwarves_domain::units::Amount;
use dwarves_ports::store::{PageRequest, SharedStore, StoreError};
use serde::Serialize;

use super::text::{self, Told};
use super::topic::Topic;
use super::{Tidings, Tower};

/// Commits whose news may wait; the news of more are not told, and everybody hears that some were not.
const MAILBOX_CAPACITY: usize = 1_024;
/// Blocks, and payouts, of which the last news are remembered, so that nothing is told twice.
const REMEMBERED_MAX: usize = 4_096;
/// Rounds that are looked through for those that closed.
const ROUNDS_READ: u32 = 100;

/// What the feed is made with.
pub struct EventFeedParts {
    /// Where it is read how things are.
    pub store: SharedStore,
    /// From where it is told.
    pub tower: Tower,
}

/// The actor that owns the numbers of events.
pub struct EventFeed {
    parts: EventFeedParts,
    blocks: LastNews<HeaderHash, BlockState>,
    payouts: LastNews<PayoutId, &'static str>,
    last_round: Option<RoundId>,
    /// What it was told that the ledger could not tell.
    untold: u64,
}

/// What was told last of each.
#[derive(Debug)]
struct LastNews<K, V>(HashMap<K, V>);

impl<K: Copy + Eq + Hash, V: Copy + PartialEq> LastNews<K, V> {
    /// Notes news, if they are.
    fn are_new(&mut self, key: K, now: V) -> bool {
        if self.0.len() >= REMEMBERED_MAX && !self.0.contains_key(&key) {
            // Rare; at worst something is told twice.
            self.0.clear();
        }
        self.0.insert(key, now) != Some(now)
    }
}

/// An event without its number.
struct Draft {
    topic: Topic,
    data: String,
    miners: Option<Box<[Hotkey]>>,
}

impl Draft {
    fn new(topic: Topic, data: &impl Serialize, miners: Option<Box<[Hotkey]>>) -> Self {
        Self {
            topic,
            data: text::data(data),
            miners,
        }
    }
}

impl EventFeed {
    /// A feed that has told nothing yet.
    pub fn new(parts: EventFeedParts) -> Self {
        Self {
            parts,
            blocks: LastNews(HashMap::new()),
            payouts: LastNews(HashMap::new()),
            last_round: None,
            untold: 0,
        }
    }

    /// Whether this was not told before: writes are repeated when it is in doubt whether they were done.
    fn is_new(&mut self, news: News) -> bool {
        match news {
            News::Block { hash, state } => self.blocks.are_new(hash, state),
            News::Payout { id, step } => self.payouts.are_new(id, step),
            News::Round(id) => {
                let is_new = self.last_round.is_none_or(|last| id > last);
                self.last_round = self.last_round.max(Some(id));
                is_new
            }
        }
    }

    fn publish(&self, drafts: Result<Vec<Draft>, StoreError>) {
        let tower = &self.parts.tower;
        match drafts {
            Ok(drafts) => {
                for draft in drafts {
                    let number = tower.next_number();
                    let text = text::event(draft.topic.name(), Some(&tower.id(number)), &draft.data);
                    tower.tell(Tidings::Told(Arc::new(Told {
                        number,
                        topic: draft.topic,
                        text,
                        miners: draft.miners,
                    })));
                }
            }
            Err(error) => {
                log::warn!("what happened cannot be told, since the store does not say how it is: {error}");
                self.publish_missed();
            }
        }
    }

    fn publish_missed(&self) {
        let tower = &self.parts.tower;
        tower.tell(Tidings::Missed(tower.next_number()));
    }
}

/// How things are that changed, each as the routes for reading show it.
async fn drafts(store: SharedStore, news: Vec<News>) -> Result<Vec<Draft>, StoreError> {
    let mut drafts = Vec::with_capacity(news.len());
    let mut rounds = None;
    for news in news {
        match news {
            News::Block { hash, .. } => {
                if let Some(row) = store.block(hash).await? {
                    let finder = row.finder.map(|finder| Box::from([finder]));
                    // Nobody's block is no miner's.
                    let miners = Some(finder.unwrap_or_default());
                    drafts.push(Draft::new(Topic::Block, &Block::from(row), miners));
                }
            }
            News::Round(id) => {
                if rounds.is_none() {
                    let page = PageRequest {
                        cursor: None,
                        limit: ROUNDS_READ,
                    };
                    rounds = Some(store.rounds(page).await?.rows);
                }
                let row = rounds.iter().flatten().find(|row| row.id == id);
                if let Some(row) = row {
                    drafts.push(Draft::new(Topic::Round, &Round::from(row.clone()), None));
                }
            }
            News::Payout { id, step } => {
                if let Some(payout) = store.payout(id).await? {
                    let mut miners: Vec<Hotkey> = payout.parts.iter().map(|part| part.hotkey).collect();
                    miners.sort_unstable();
                    let data = payout_step(&payout, step);
                    drafts.push(Draft::new(Topic::Payout, &data, Some(miners.into())));
                }
            }
        }
    }
    Ok(drafts)
}

/// A payout, which names no miner: who is paid how much is for its owner to say.
fn payout_step(payout: &Payout, step: &'static str) -> PayoutStep {
    let signed = payout.signed.as_ref();
    PayoutStep {
        id: payout.id.get(),
        step: step.into(),
        state: payout.state.name().into(),
        txid: signed.map(|signed| signed.txid.to_string()),
        amount_sats: payout.parts.iter().map(|part| part.amount.sats()).sum(),
        fee_sats: signed.map(|signed| Amount::sats(signed.fee)),
        miners: payout.parts.len() as u64,
        confirmations: payout.confirmations,
        at: Instant(payout.changed_at),
    }
}

impl Actor for EventFeed {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, MAILBOX_CAPACITY);
    }
}

impl Handler<Happened> for EventFeed {
    type Result = ();

    fn handle(&mut self, happened: Happened, ctx: &mut Self::Context) {
        if std::mem::replace(&mut self.untold, happened.untold) != happened.untold {
            self.publish_missed();
        }
        let mut news = happened.news;
        news.retain(|news| self.is_new(*news));
        if news.is_empty() {
            return;
        }
        // One after the other, so that they are told in the order in which they happened; what comes meanwhile waits.
        let read = wrap_future::<_, Self>(drafts(Arc::clone(&self.parts.store), news));
        ctx.wait(read.map(|drafts, this, _| this.publish(drafts)));
    }
}
