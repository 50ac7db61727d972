//! The miner notifier: tells miners what they asked to be told, by the channels that they gave.
//!
//! It owns what each miner wants, and what waits for it. All of that is in memory, for nobody else changes it, and in the
//! ledger, one commit after the other: what a commit does not write the next one does. What happened is read from the
//! notices that stand in the ledger in the transaction of what they tell of; how far it has read is written with what it
//! made of them, so a crash makes none of it twice and forgets nothing. What no transaction knows of, such as a worker that
//! brings nothing, it looks for by itself, a few miners at a time and beside the way of shares.
//!
//! It asks the miner manager, the work manager, the paymaster, the store, the ledger and the courier; nobody of them knows
//! it. A miner's channels are strangers: they have bounds, turns, and places of their own (`domain/src/notices/queues.rs`).
//!
//! | module | its one job |
//! |---|---|
//! | [`messages`] | what miners ask for |
//! | `orders` | answers to that |
//! | `from_ledger` | what the ledger's notices mean to miners |
//! | `looking` | what is wrong with a miner's work |
//! | `posting` | what is to be told waits for its channels, or is dropped |
//! | `telling` | what is due is told, and what came of it |
//! | `digest` | what there was in a day |
//! | `written` | what is to be written, one commit after the other |
//! | `words` | all of it in words |

use std::collections::{BTreeMap, BTreeSet};

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{NoticeId, PayoutId};
use dwarves_domain::limits::{KeyedLimiter, Rate, TokenBucket};
use dwarves_domain::notices::NoticeKind;
use dwarves_domain::notices::key::NotificationKey;
use dwarves_domain::notices::look::Watch;
use dwarves_domain::notices::queues::{QueueLimits, Queued, Queues};
use dwarves_domain::notices::subscription::Subscription;
use dwarves_domain::notices::wishes::{ChannelName, WishRules};
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::clock::SharedClock;
use dwarves_ports::courier::SharedStrangersCourier;
use dwarves_ports::store::{MinerNoticeRow, SharedStore, SubscriptionRow, ToMiner, Write};

use crate::ask::{Port, bound_mailbox, tell_every};
use crate::ledger::messages::Commit;
use crate::miner_manager::messages::ReadMiner;
use crate::paymaster::messages::ReadPayouts;
use crate::work_evaluator::messages::ReadEvaluator;
use crate::work_manager::messages::ReadWork;

mod digest;
mod from_ledger;
mod looking;
pub mod messages;
mod orders;
mod posting;
mod telling;
#[cfg(test)]
mod tests;
mod words;
mod written;

use messages::{ConfirmAddress, Fate, ReadSubscription, ReadTold, SendTest, Subscribe, Unsubscribe};
use words::Brought;
use written::Unwritten;

/// Where it is kept among the settings how far the ledger's notices were read.
pub(crate) const READ_AS: &str = "notifications.miners.read";
/// Messages that may wait in the mailbox.
const MAILBOX_CAPACITY: usize = 256;
/// How often it is looked whether there is anything to do.
const LOOK_EVERY: Span = Span::from_secs(1);
/// Tests that a miner may ask for in an hour.
const TESTS: Rate = Rate::per_hour(10);
/// Codes that go to one mailbox, or for one miner, in a day.
const CODES: Rate = Rate::per_day(3);

/// How miners are told things.
#[derive(Clone)]
pub struct MinerNotifierSettings {
    /// Brings messages.
    pub courier: SharedStrangersCourier,
    /// Makes secrets of webhooks and codes for mail.
    pub key: NotificationKey,
    /// What miners may wish.
    pub rules: WishRules,
    /// How much may wait, and how much is told at once.
    pub limits: QueueLimits,
    /// Miners that are told things, at most.
    pub subscriptions_max: usize,
    /// Notices to one miner in an hour; what comes beyond that is dropped, and said so.
    pub notices_per_hour: u32,
    /// Tries to tell something, to all miners together, in an hour.
    pub tries_per_hour: u32,
    /// Codes for mail to all miners together in a day.
    pub codes_per_day: u32,
    /// How often each miner's work is looked at.
    pub look_every: Span,
    /// The pool's name, for people.
    pub pool_name: String,
    /// What amounts are counted in, and its decimal places.
    pub unit: (String, u8),
    /// Whether miners are paid to addresses that they give.
    pub takes_addresses: bool,
}

/// What the miner notifier is made with.
pub struct MinerNotifierParts {
    /// Where everything is read.
    pub store: SharedStore,
    /// Where everything is written.
    pub ledger: Port<Commit>,
    /// Where it reads the time.
    pub clock: SharedClock,
    /// How miners are told things.
    pub settings: MinerNotifierSettings,
    /// The miner manager: how a miner works.
    pub miners: Port<ReadMiner>,
    /// The work manager: whether there is work.
    pub work: Port<ReadWork>,
    /// The work evaluator, in a pool that has work evaluated: whether work is taken.
    pub evaluator: Option<Port<ReadEvaluator>>,
    /// The paymaster: which payouts are stuck.
    pub payouts: Port<ReadPayouts>,
    /// Names this ledger in the ids of messages.
    pub ledger_name: String,
    /// How far an earlier life read the ledger's notices, as it was stored.
    pub read_through: Option<String>,
}

/// The ways to it.
#[derive(Clone, Debug)]
pub struct MinerNotifierPorts {
    /// Says what a miner wants.
    pub subscribe: Port<Subscribe>,
    /// Reads it.
    pub read: Port<ReadSubscription>,
    /// Forgets it.
    pub unsubscribe: Port<Unsubscribe>,
    /// Tells a miner that its channels work.
    pub test: Port<SendTest>,
    /// Brings a code back.
    pub confirm: Port<ConfirmAddress>,
    /// Reads how much miners are told.
    pub told: Port<ReadTold>,
}

impl MinerNotifierParts {
    /// What miners bring, in a word.
    fn brought(&self) -> Brought {
        match self.evaluator {
            Some(_) => Brought::Work,
            None => Brought::Shares,
        }
    }
}

impl MinerNotifierPorts {
    /// The ways to this one.
    pub fn to(notifier: &Addr<MinerNotifier>) -> Self {
        Self {
            subscribe: Port::new(notifier),
            read: Port::new(notifier),
            unsubscribe: Port::new(notifier),
            test: Port::new(notifier),
            confirm: Port::new(notifier),
            told: Port::new(notifier),
        }
    }
}

/// A miner that is told things.
struct Followed {
    subscription: Subscription,
    watch: Watch,
    /// When its work was looked at last.
    looked_at: Option<Timestamp>,
    /// What its hashrate usually is, and when that was read.
    usual: Option<(Timestamp, Option<f64>)>,
    /// How many notices it may still get.
    rate: TokenBucket,
}

/// A code's limits: whose, and to whom.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum CodeOf {
    Miner(Hotkey),
    Mailbox([u8; 16]),
}

/// The actor that owns what miners are told.
pub struct MinerNotifier {
    parts: MinerNotifierParts,
    /// Nothing is known before the store has told.
    is_loaded: bool,
    is_loading: bool,
    followed: BTreeMap<Hotkey, Followed>,
    queues: Queues,
    unwritten: Unwritten,
    /// The last of the ledger's notices that was read.
    through: Option<NoticeId>,
    is_reading: bool,
    is_looking: bool,
    /// Since when there is work without a break, by date.
    work_since: Option<Timestamp>,
    /// Payouts that are stuck, as far as their miners were told.
    stuck: BTreeSet<PayoutId>,
    tries: TokenBucket,
    tests: KeyedLimiter<Hotkey>,
    codes: KeyedLimiter<CodeOf>,
    all_codes: TokenBucket,
    counts: BTreeMap<(NoticeKind, &'static str, Fate), u64>,
    /// Notices older than this are no news: they are of before there was anybody to tell.
    began: Timestamp,
}

impl MinerNotifier {
    /// A notifier that knows nothing yet.
    pub fn new(parts: MinerNotifierParts) -> Self {
        let settings = &parts.settings;
        let read = parts.read_through.as_deref().and_then(|text| text.parse().ok());
        let keys_max = settings.subscriptions_max.saturating_mul(2);
        Self {
            is_loaded: false,
            is_loading: false,
            followed: BTreeMap::new(),
            queues: Queues::new(settings.limits),
            unwritten: Unwritten::default(),
            through: read.map(NoticeId::new),
            is_reading: false,
            is_looking: false,
            work_since: None,
            stuck: BTreeSet::new(),
            tries: TokenBucket::full(Rate::per_hour(settings.tries_per_hour)),
            tests: KeyedLimiter::new(keys_max, TESTS),
            codes: KeyedLimiter::new(keys_max, CODES),
            all_codes: TokenBucket::full(Rate::per_day(settings.codes_per_day)),
            counts: BTreeMap::new(),
            began: parts.clock.date(),
            parts,
        }
    }

    /// A miner of which nothing is known but what it wants.
    fn follow(&self, subscription: Subscription) -> Followed {
        Followed {
            subscription,
            watch: Watch::default(),
            looked_at: None,
            usual: None,
            rate: TokenBucket::full(Rate::per_hour(self.parts.settings.notices_per_hour)),
        }
    }

    /// Reads what earlier lives knew.
    fn load(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.is_loading, true) {
            return;
        }
        let store = self.parts.store.clone();
        let read = async move {
            Some((
                store.subscriptions().await.ok()?,
                store.miner_notices().await.ok()?,
            ))
        };
        ctx.spawn(wrap_future::<_, Self>(read).map(|read, this, _| {
            this.is_loading = false;
            if let Some((subscriptions, notices)) = read {
                this.loaded(subscriptions, notices);
            }
        }));
    }

    fn loaded(&mut self, subscriptions: Vec<SubscriptionRow>, notices: Vec<MinerNoticeRow>) {
        self.is_loaded = true;
        for row in subscriptions {
            match serde_json::from_str(&row.record) {
                Ok(subscription) => {
                    let followed = self.follow(subscription);
                    self.followed.insert(row.hotkey, followed);
                }
                Err(error) => log::error!(
                    "what miner={} wants to be told cannot be read; it is told nothing until it says it again: {error}",
                    row.hotkey
                ),
            }
        }
        for row in notices {
            let channel: Result<ChannelName, _> = row.channel.parse();
            let known = channel.ok().filter(|channel| {
                let followed = self.followed.get(&row.hotkey);
                followed.is_some_and(|followed| followed.subscription.wishes.channel(channel).is_some())
            });
            let queued = Queued {
                key: row.key,
                kind: row.kind,
                at: row.at,
                text: row.text,
                detail: row.detail,
                failures: row.failures,
                next_at: row.next_at,
            };
            match known {
                Some(channel) => self.queue(row.hotkey, &channel, queued),
                None => self.unwritten.write(Write::ToMiner(ToMiner::Settle {
                    hotkey: row.hotkey,
                    channel: row.channel,
                    key: queued.key,
                    again: None,
                })),
            }
        }
    }

    /// Does all that there is to do.
    fn work(&mut self, ctx: &mut Context<Self>) {
        if !self.is_loaded {
            return self.load(ctx);
        }
        // A ledger that does not write makes nothing new: what there is stays bounded.
        if !self.unwritten.is_too_much() {
            self.read_ledger(ctx);
            self.look(ctx);
            self.digest();
        }
        self.tell(ctx);
        self.flush(ctx);
    }
}

/// A hint to look whether there is anything to do.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
struct Poke;

impl Actor for MinerNotifier {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, MAILBOX_CAPACITY);
        tell_every(ctx, LOOK_EVERY, Poke);
        self.load(ctx);
    }
}

impl Handler<Poke> for MinerNotifier {
    type Result = ();

    fn handle(&mut self, _: Poke, ctx: &mut Self::Context) {
        self.work(ctx);
    }
}
