//! What the ledger's notices mean to miners: whose block it is, and whose payout.

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, PayoutId};
use dwarves_domain::notices::NoticeKind;
use dwarves_domain::payouts::{BatchName, PaymentReference, Payout, PayoutState};
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::store::{BlockRow, NoticeRow, SharedStore, StoreError};
use serde_json::Value;

use super::words::{self, Words};
use super::{MinerNotifier, looking};

/// Notices that are read at once. A payout may have thousands of parts.
const READ_AT_ONCE: u32 = 16;
/// A notice so old is no news any more.
const STALE_AFTER: Span = Span::from_secs(86_400);

/// What a notice is about, read from the store.
enum About {
    Nothing,
    Found(Hotkey, String, u64),
    Orphaned(Box<BlockRow>),
    Payout(Box<Payout>),
    /// Exported payouts that were marked paid.
    Paid(Vec<Payout>),
}

impl MinerNotifier {
    /// Reads the next of the ledger's notices, and makes of them what miners are told.
    pub(super) fn read_ledger(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.is_reading, true) {
            return;
        }
        let store = self.parts.store.clone();
        let after = self.through.unwrap_or_default();
        let news_since = match self.through {
            Some(_) => self.parts.clock.date().minus(STALE_AFTER),
            // Nobody was told anything before.
            None => self.began,
        };
        let read = async move {
            let notices = store.notices_after(after, READ_AT_ONCE).await?;
            let mut read = Vec::with_capacity(notices.len());
            for notice in notices {
                let about = if notice.at < news_since {
                    About::Nothing
                } else {
                    about(&store, &notice).await?
                };
                read.push((notice, about));
            }
            Ok::<_, StoreError>(read)
        };
        ctx.spawn(wrap_future::<_, Self>(read).map(|read, this, ctx| {
            this.is_reading = false;
            let Ok(read) = read else { return };
            let may_be_more = read.len() == READ_AT_ONCE as usize;
            for (notice, about) in read {
                this.through = Some(notice.id);
                this.unwritten.read();
                this.tell_of(&notice, about);
            }
            this.flush(ctx);
            if may_be_more && !this.unwritten.is_too_much() {
                this.read_ledger(ctx);
            }
        }));
    }

    fn tell_of(&mut self, notice: &NoticeRow, about: About) {
        let (key, at, kind) = (notice.key.as_str(), notice.at, notice.kind);
        match about {
            About::Nothing => {}
            About::Found(finder, hash, height) => {
                self.post_if_wanted(finder, kind, key, at, || words::block_found(&hash, height));
            }
            About::Orphaned(block) => {
                if let Some(finder) = block.finder {
                    self.post_if_wanted(finder, kind, key, at, || words::block_orphaned(&block));
                }
            }
            About::Paid(payouts) => {
                let unit = self.parts.settings.unit.clone();
                for payout in payouts {
                    let exported = payout.exported.as_ref();
                    let reference = exported.and_then(|exported| exported.reference.as_ref());
                    let reference = reference.map(PaymentReference::as_str);
                    for part in &payout.parts {
                        self.post_if_wanted(part.hotkey, kind, key, at, || {
                            words::payout_sent(payout.id.get(), reference, part, &unit)
                        });
                    }
                }
            }
            About::Payout(payout) => {
                let txid = payout.signed.as_ref().map(|signed| signed.txid.to_string());
                let words = match kind {
                    NoticeKind::PayoutReturned => words::payout_returned,
                    _ => words::payout_sent,
                };
                let unit = self.parts.settings.unit.clone();
                for part in &payout.parts {
                    self.post_if_wanted(part.hotkey, kind, key, at, || {
                        words(payout.id.get(), txid.as_deref(), part, &unit)
                    });
                }
            }
        }
    }

    /// Tells a miner of a stuck payout, once.
    pub(super) fn tell_stuck(&mut self, payout: &Payout) {
        let at = self.parts.clock.date();
        let unit = self.parts.settings.unit.clone();
        let txid = payout.signed.as_ref().map(|signed| signed.txid.to_string());
        for part in &payout.parts {
            let key = looking::stuck_key(payout.id);
            let Some(followed) = self.followed.get_mut(&part.hotkey) else {
                continue;
            };
            if followed.subscription.told.contains_key(&key) {
                continue;
            }
            followed.subscription.told.insert(key.clone(), at);
            self.unwritten.change(part.hotkey);
            self.post_if_wanted(part.hotkey, NoticeKind::PayoutStuck, &key, at, || {
                words::payout_stuck(payout.id.get(), txid.as_deref(), part, &unit)
            });
        }
    }

    fn post_if_wanted(
        &mut self,
        hotkey: Hotkey,
        kind: NoticeKind,
        key: &str,
        at: Timestamp,
        words: impl FnOnce() -> Words,
    ) {
        let is_wanted = self
            .followed
            .get(&hotkey)
            .is_some_and(|followed| followed.subscription.wishes.kinds.contains(&kind));
        if is_wanted {
            self.post(hotkey, kind, key, at, words());
        }
    }
}

/// The payouts of a batch that were marked paid at this moment, and still are.
async fn just_paid(store: &SharedStore, batch: BatchName, at: Timestamp) -> Result<Vec<Payout>, StoreError> {
    let mut payouts = store.batch_payouts(batch).await?;
    payouts.retain(|payout| payout.state == PayoutState::Paid && payout.changed_at == at);
    Ok(payouts)
}

/// Reads what a notice is about, if it is about something of a miner's.
async fn about(store: &SharedStore, notice: &NoticeRow) -> Result<About, StoreError> {
    let detail: Value = serde_json::from_str(&notice.detail).unwrap_or_default();
    let text = |field: &str| detail[field].as_str();
    match notice.kind {
        NoticeKind::BlockFound => {
            let finder = text("finder").and_then(|finder| finder.parse().ok());
            let (hash, height) = (text("hash").unwrap_or_default(), detail["height"].as_u64());
            Ok(finder.map_or(About::Nothing, |finder| {
                About::Found(finder, hash.to_owned(), height.unwrap_or_default())
            }))
        }
        NoticeKind::BlockOrphaned => {
            let Some(hash) = text("hash").and_then(|hash| hash.parse::<HeaderHash>().ok()) else {
                return Ok(About::Nothing);
            };
            let block = store.block(hash).await?;
            Ok(block.map_or(About::Nothing, |block| About::Orphaned(Box::new(block))))
        }
        NoticeKind::PayoutSent | NoticeKind::PayoutReturned => {
            if let Some(batch) = text("batch").and_then(|batch| batch.parse::<BatchName>().ok()) {
                return Ok(About::Paid(just_paid(store, batch, notice.at).await?));
            }
            let Some(id) = detail["payout"].as_u64() else {
                return Ok(About::Nothing);
            };
            let payout = store.payout(PayoutId::new(id)).await?;
            Ok(payout.map_or(About::Nothing, |payout| About::Payout(Box::new(payout))))
        }
        _ => Ok(About::Nothing),
    }
}
