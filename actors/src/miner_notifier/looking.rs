//! Looking what is wrong with miners' work, a few of them at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::history::{Step, Sums};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{PayoutId, WorkerName};
use dwarves_domain::notices::look::{Seen, When};
use dwarves_domain::payouts::Payout;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::store::{HistoryOf, HistoryQuestion, PageRequest, SharedStore};

use super::{MinerNotifier, words};
use crate::ask::Port;
use crate::miner_manager::messages::{MinerView, ReadMiner};
use crate::paymaster::messages::ReadPayouts;
use crate::paymaster::trouble::TroubleKind;
use crate::work_evaluator::messages::ReadEvaluator;
use crate::work_manager::messages::ReadWork;

/// Miners that are looked at in one go.
const LOOKED_AT_ONCE: usize = 50;
/// Submissions of a miner by which its workers are known, where work is evaluated: the newest.
const SUBMISSIONS: u32 = 200;
/// How long each of those that are asked may take.
const ASK_DEADLINE: Duration = Duration::from_secs(5);
/// How long it is held to be known what a miner's hashrate usually is.
const USUAL_HOLDS: Span = Span::from_secs(3_600);
/// Over which time that is averaged, and how much of it there must be.
const USUAL_OVER: (Span, Span) = (Span::from_secs(86_400), Span::from_secs(3 * 3_600));
/// What was told of a payout begins so.
const PAYOUT: &str = "payout/";

/// Under what it is told that a payout is stuck.
pub(super) fn stuck_key(id: PayoutId) -> String {
    format!("{PAYOUT}{id}/stuck")
}

/// What is to be learnt of one miner.
struct Wanted {
    hotkey: Hotkey,
    /// What its hashrate usually is, if that is known.
    usual: Option<(Timestamp, Option<f64>)>,
}

/// What was learnt of it.
struct Learnt {
    hotkey: Hotkey,
    /// `None`: there is no such miner any more.
    seen: Option<Seen>,
    usual: (Timestamp, Option<f64>),
}

/// What one look came to.
struct Looked {
    has_work: bool,
    stuck: BTreeSet<PayoutId>,
    newly_stuck: Vec<Payout>,
    miners: Vec<Learnt>,
}

impl MinerNotifier {
    /// Looks at those whose turn it is, one look at a time.
    pub(super) fn look(&mut self, ctx: &mut Context<Self>) {
        let now = self.parts.clock.now();
        let every = self.parts.settings.look_every;
        let mut due: Vec<_> = self
            .followed
            .iter()
            .filter(|(_, followed)| followed.looked_at.is_none_or(|at| now.since(at) >= every))
            .map(|(hotkey, followed)| (followed.looked_at, *hotkey, followed.usual))
            .collect();
        if due.is_empty() || std::mem::replace(&mut self.is_looking, true) {
            return;
        }
        due.sort_by_key(|(looked_at, hotkey, _)| (*looked_at, *hotkey));
        due.truncate(LOOKED_AT_ONCE);
        let wanted: Vec<_> = due
            .into_iter()
            .map(|(_, hotkey, usual)| Wanted { hotkey, usual })
            .collect();
        let sources = Sources {
            store: self.parts.store.clone(),
            miners: self.parts.miners.clone(),
            work: self.parts.work.clone(),
            evaluator: self.parts.evaluator.clone(),
            takes_addresses: self.parts.settings.takes_addresses,
            payouts: self.parts.payouts.clone(),
            known_stuck: self.stuck.clone(),
            date: self.parts.clock.date(),
        };
        ctx.spawn(
            wrap_future::<_, Self>(sources.look(wanted)).map(|looked, this, ctx| {
                this.is_looking = false;
                if let Some(looked) = looked {
                    this.looked(looked);
                    this.flush(ctx);
                }
            }),
        );
    }

    fn looked(&mut self, looked: Looked) {
        let brought = self.parts.brought();
        let (now, date) = (self.parts.clock.now(), self.parts.clock.date());
        self.work_since = looked.has_work.then(|| self.work_since.unwrap_or(date));
        for payout in &looked.newly_stuck {
            self.tell_stuck(payout);
        }
        self.stuck = looked.stuck;
        let when = When {
            now: date,
            work_since: self.work_since.unwrap_or(date),
        };
        for learnt in looked.miners {
            let Some(seen) = learnt.seen else {
                self.forget(learnt.hotkey);
                continue;
            };
            let Some(followed) = self.followed.get_mut(&learnt.hotkey) else {
                continue;
            };
            followed.looked_at = Some(now);
            followed.usual = Some(learnt.usual);
            let subscription = &mut followed.subscription;
            let thresholds = &subscription.wishes.thresholds;
            let (changes, mut told) = followed.watch.look(&seen, thresholds, &subscription.told, when);
            let stuck = subscription.told.iter().filter(|(key, _)| {
                let is_stuck = || self.stuck.iter().any(|id| stuck_key(*id) == **key);
                key.starts_with(PAYOUT) && is_stuck()
            });
            told.extend(stuck.map(|(key, at)| (key.clone(), *at)));
            if told != subscription.told {
                subscription.told = told;
                self.unwritten.change(learnt.hotkey);
            }
            let kinds = subscription.wishes.kinds.clone();
            for change in changes.iter().filter(|change| kinds.contains(&change.kind())) {
                let kind = change.kind();
                let state = if change.begins() { "begins" } else { "ends" };
                let key = format!("{kind}/{state}/{}", date.millis());
                self.post(learnt.hotkey, kind, &key, date, words::of_change(change, brought));
            }
        }
    }

    /// Forgets a miner that is not registered any more; so has the store.
    fn forget(&mut self, hotkey: Hotkey) {
        self.followed.remove(&hotkey);
        self.queues.drop_miner(&hotkey);
        self.unwritten.change(hotkey);
    }
}

/// Those who know how miners work.
struct Sources {
    store: SharedStore,
    miners: Port<ReadMiner>,
    work: Port<ReadWork>,
    /// In a pool that has work evaluated.
    evaluator: Option<Port<ReadEvaluator>>,
    takes_addresses: bool,
    payouts: Port<ReadPayouts>,
    known_stuck: BTreeSet<PayoutId>,
    date: Timestamp,
}

impl Sources {
    /// What there is to know; `None` if one who must tell does not answer.
    async fn look(self, wanted: Vec<Wanted>) -> Option<Looked> {
        let has_work = self.has_work().await?;
        let payouts = self.payouts.ask(ReadPayouts, ASK_DEADLINE).await.ok()?;
        let troubles = payouts.troubles.iter();
        let stuck: BTreeSet<_> = troubles
            .filter(|trouble| trouble.kind == TroubleKind::Stuck)
            .filter_map(|trouble| trouble.payout)
            .collect();
        let mut newly_stuck = Vec::new();
        for id in stuck.difference(&self.known_stuck) {
            newly_stuck.extend(self.store.payout(*id).await.ok()?);
        }
        let mut miners = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            miners.push(self.learn(wanted).await?);
        }
        Some(Looked {
            has_work,
            stuck,
            newly_stuck,
            miners,
        })
    }

    /// Whether miners can work.
    async fn has_work(&self) -> Option<bool> {
        if let Some(evaluator) = &self.evaluator {
            let view = evaluator.ask(ReadEvaluator, ASK_DEADLINE).await.ok()?;
            return Some(!view.is_held);
        }
        let work = self.work.ask(ReadWork, ASK_DEADLINE).await.ok()?;
        Some(work.work.given().is_some())
    }

    /// Each worker of whom work was submitted lately, with the date of the last.
    async fn submitted(&self, hotkey: Hotkey) -> Option<BTreeMap<WorkerName, Timestamp>> {
        let page = PageRequest {
            cursor: None,
            limit: SUBMISSIONS,
        };
        let rows = self.store.submissions(hotkey, page).await.ok()?.rows;
        let mut last = BTreeMap::new();
        for row in rows {
            let at = last.entry(row.worker).or_insert(row.received_at);
            *at = row.received_at.max(*at);
        }
        Some(last)
    }

    async fn learn(&self, wanted: Wanted) -> Option<Learnt> {
        let Wanted { hotkey, usual } = wanted;
        let view = self.miners.ask(ReadMiner { hotkey }, ASK_DEADLINE).await.ok()?;
        let usual = match usual.filter(|(at, _)| self.date.since(*at) < USUAL_HOLDS) {
            Some(usual) => usual,
            None => (self.date, self.usual(hotkey).await?),
        };
        let seen = match view {
            Some(view) => Some(self.seen(view, usual.1).await?),
            None => None,
        };
        Some(Learnt { hotkey, seen, usual })
    }

    async fn seen(&self, view: MinerView, usual: Option<f64>) -> Option<Seen> {
        let lacks_address = self.takes_addresses && view.payout_address.is_none() && {
            let balances = self.store.miner_balances(view.hotkey).await.ok()?;
            let due = [balances.immature, balances.payable];
            due.iter().any(|amount| amount.sats() > 0) || !view.units.is_zero()
        };
        let mut workers: Vec<_> = view
            .workers
            .into_iter()
            .map(|worker| (worker.name, worker.last_share_at))
            .collect();
        if self.evaluator.is_some() {
            let submitted = self.submitted(view.hotkey).await?.into_iter();
            workers = submitted.map(|(name, at)| (name, Some(at))).collect();
        }
        Some(Seen {
            hashrate: view.hashrate,
            usual,
            accepted: view.accepted,
            rejected: view
                .rejected
                .iter()
                .fold(0, |sum: u64, count| sum.saturating_add(*count)),
            lacks_address,
            workers,
        })
    }

    /// What a miner's hashrate was on average over whole hours of the last day; `None` inside if there is too little.
    async fn usual(&self, hotkey: Hotkey) -> Option<Option<f64>> {
        let to = Step::Hour.begin(self.date);
        let question = HistoryQuestion {
            of: HistoryOf::Miner(hotkey),
            step: Step::Hour,
            from: to.minus(USUAL_OVER.0),
            to,
        };
        let history = self.store.history(question).await.ok()?;
        let Some(history) = history else {
            return Some(None);
        };
        let mut sums = Sums::default();
        for step in &history.steps {
            sums.add(&step.sums);
        }
        let span = history.steps.first().map(|first| to.since(first.at));
        let span = span.filter(|span| *span >= USUAL_OVER.1);
        Some(span.map(|span| sums.hashrate(span)))
    }
}
