//! The notifier: sees to it that people are told of what happened.
//!
//! What there is to tell stands in the ledger, written in the transaction of what it tells of. The notifier decides who is
//! told, and when; it tells each by the courier, notes what arrived, and tells the rest again after a while. It notes it
//! after the telling, so what a crash falls between is told twice, with the same id. What no transaction knows of, such as
//! a node that is lost, it looks for by itself, and posts it. It asks those that it watches, the store, the ledger and the
//! courier; nobody waits for it, and it knows nothing of how anybody is reached.
//!
//! | module | its one job |
//! |---|---|
//! | `watch` | what is wrong now, as others tell it |
//! | `incidents` | when that is worth a notice: after a while, and when it is over |
//! | `digest` | what there was in a day |

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::ids::NoticeId;
use dwarves_domain::notices::{NoticeKind, QuietHours, retry_after};
use dwarves_domain::time::{Span, Timestamp};

use crate::ask::{Port, bound_mailbox, tell_every};
use crate::ledger::messages::Commit;
use dwarves_ports::clock::SharedClock;
use dwarves_ports::courier::{CourierError, Message as Told, SharedCourier};
use dwarves_ports::store::{DeliveryRow, NoticeRow, SharedStore, Write};

mod digest;
mod incidents;
#[cfg(test)]
mod tests;
mod watch;

use incidents::Incidents;
pub(crate) use incidents::STORED_AS as INCIDENTS_STORED_AS;
pub use watch::Watched;

/// Messages that may wait in the mailbox.
const MAILBOX_CAPACITY: usize = 64;
/// How often it is looked whether there is anything to tell.
const LOOK_EVERY: Span = Span::from_secs(1);
/// How often those are asked who know what is wrong.
const WATCH_EVERY: Span = Span::from_secs(10);
/// Notices that are planned at one look.
const PLANNED_AT_ONCE: u32 = 64;
/// Notices on their way that are looked at of each channel: so many wait for it at most; what comes then is not told there.
const WAITING_MAX: u32 = 1_000;
/// A notice of which it was not decided for so long who is told is nobody's any more: there was no channel then.
const STALE_AFTER: Span = Span::from_secs(86_400);
/// How long the ledger may take.
const LEDGER_DEADLINE: Duration = Duration::from_secs(20);
/// How long a courier may take, beyond what it allows itself.
const COURIER_DEADLINE: Duration = Duration::from_secs(60);

/// A way to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its name, which the courier knows.
    pub name: String,
    /// What is told by it.
    pub kinds: BTreeSet<NoticeKind>,
    /// When only what is urgent is.
    pub quiet: Option<QuietHours>,
}

/// Who is told of what.
#[derive(Clone)]
pub struct NotifierSettings {
    /// Brings messages.
    pub courier: SharedCourier,
    /// Those that there are; without any nobody is told of anything.
    pub channels: Vec<Channel>,
    /// How long something must be wrong, or right again, before that is told.
    pub settle: Span,
    /// At which hour of each day (UTC) the day before is told, if it is.
    pub digest_hour: Option<u8>,
}

/// What the notifier is made with.
pub struct NotifierParts {
    /// Where notices are kept.
    pub store: SharedStore,
    /// Where what is decided and done is written down.
    pub ledger: Port<Commit>,
    /// Where it reads the time.
    pub clock: SharedClock,
    /// Who is told of what.
    pub settings: NotifierSettings,
    /// Those who know what is wrong.
    pub watched: Watched,
    /// Whether the pool mines a chain: without one there are no blocks to tell of.
    pub has_chain: bool,
    /// Names this ledger in the ids of messages.
    pub ledger_name: String,
    /// When this ledger began. There is no day before to tell of.
    pub created_at: Timestamp,
    /// What was wrong when an earlier life ended, as it was stored.
    pub open_incidents: Option<String>,
}

/// The actor that owns what people are told.
pub struct Notifier {
    parts: NotifierParts,
    incidents: Incidents,
    is_looking: bool,
    watched_at: Option<Timestamp>,
    /// Channels by which something is being told.
    busy: BTreeSet<String>,
    /// Channels by which the last try failed: the log is told once.
    failing: BTreeSet<String>,
    /// The day whose digest was posted.
    digested: Option<i64>,
}

impl Notifier {
    /// A notifier that has told nothing in this life.
    pub fn new(parts: NotifierParts) -> Self {
        let incidents = Incidents::restore(parts.open_incidents.as_deref(), parts.settings.settle);
        Self {
            parts,
            incidents,
            is_looking: false,
            watched_at: None,
            busy: BTreeSet::new(),
            failing: BTreeSet::new(),
            digested: None,
        }
    }

    /// Posts what is wrong, plans what is new, tells what is due: one after the other, one look at a time.
    fn look(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.is_looking, true) {
            return;
        }
        let now = self.parts.clock.now();
        let is_due = self.watched_at.is_none_or(|at| now.since(at) >= WATCH_EVERY);
        if is_due {
            self.watched_at = Some(now);
        }
        let watched = is_due.then(|| self.parts.watched.clone());
        let store = self.parts.store.clone();
        let looked = async move {
            let wrong = match watched {
                Some(watched) => watched.look(&store).await,
                None => None,
            };
            let unplanned = store.unplanned_notices(PLANNED_AT_ONCE).await;
            let on_their_way = store.deliveries(WAITING_MAX).await;
            (
                wrong,
                unplanned.unwrap_or_default(),
                on_their_way.unwrap_or_default(),
            )
        };
        ctx.spawn(wrap_future::<_, Self>(looked).map(|looked, this, ctx| {
            let (wrong, unplanned, on_their_way) = looked;
            this.tell_due(&on_their_way, ctx);
            let now = this.parts.clock.now();
            let mut writes = this.incidents.look(wrong, now, this.parts.clock.date_of(now));
            writes.extend(unplanned.iter().map(|notice| this.plan(notice, &on_their_way)));
            this.write(writes, ctx);
        }));
    }

    /// By which channels a notice goes, and when.
    fn plan(&self, notice: &NoticeRow, on_their_way: &[DeliveryRow]) -> Write {
        let now = self.parts.clock.date();
        let is_stale = now.since(notice.at) >= STALE_AFTER && notice.kind != NoticeKind::Digest;
        let mut waiting: BTreeMap<&str, u32> = BTreeMap::new();
        for delivery in on_their_way {
            *waiting.entry(&delivery.channel).or_default() += 1;
        }
        // All that there is room for at this look, if there is little of it.
        let room = WAITING_MAX - PLANNED_AT_ONCE;
        let channels = self.parts.settings.channels.iter().filter(|channel| {
            let is_full = waiting
                .get(channel.name.as_str())
                .is_some_and(|count| *count >= room);
            if is_full {
                log::warn!(
                    "channel={} has too much to tell; it is not told of {}",
                    channel.name,
                    notice.key
                );
            }
            !is_stale && !is_full && channel.kinds.contains(&notice.kind)
        });
        let at = |channel: &Channel| match channel.quiet {
            Some(quiet) if !notice.kind.is_urgent() => quiet.earliest(now),
            _ => now,
        };
        Write::PlanNotice {
            notice: notice.id,
            channels: channels
                .map(|channel| (channel.name.clone(), at(channel)))
                .collect(),
        }
    }

    /// Writes down what a look came to; then the next may begin.
    fn write(&mut self, mut writes: Vec<Write>, ctx: &mut Context<Self>) {
        let day = self.day_to_digest();
        let store = self.parts.store.clone();
        let ledger = self.parts.ledger.clone();
        let (date, has_chain) = (self.parts.clock.date(), self.parts.has_chain);
        let written = async move {
            if day.is_some() {
                match digest::of_day(&store, date, has_chain).await {
                    Some(digest) => writes.push(digest),
                    None => return false,
                }
            }
            if writes.is_empty() {
                return true;
            }
            matches!(ledger.ask(Commit { writes }, LEDGER_DEADLINE).await, Ok(Ok(_)))
        };
        ctx.spawn(wrap_future::<_, Self>(written).map(move |is_written, this, _| {
            this.is_looking = false;
            if is_written {
                this.incidents.note_written();
                this.digested = day.or(this.digested);
            } else {
                this.incidents.note_unwritten();
                log::debug!("notices were not written; the next look does it again");
            }
        }));
    }

    /// The day that is to be told of now: once, which its notice's key sees to after a restart.
    fn day_to_digest(&self) -> Option<i64> {
        let hour = self.parts.settings.digest_hour?;
        let (day, now_hour) = digest::day_and_hour(self.parts.clock.date());
        // The first is due at the first such hour of the ledger's life.
        let is_first_due = (day, i64::from(hour)) > digest::day_and_hour(self.parts.created_at);
        (is_first_due && now_hour >= i64::from(hour) && self.digested != Some(day)).then_some(day)
    }

    /// Tells what is due: by each channel one message at a time, the one that has waited longest.
    fn tell_due(&mut self, on_their_way: &[DeliveryRow], ctx: &mut Context<Self>) {
        let now = self.parts.clock.date();
        for delivery in on_their_way.iter().filter(|delivery| delivery.next_at <= now) {
            let channel = &delivery.channel;
            if !self
                .parts
                .settings
                .channels
                .iter()
                .any(|known| known.name == *channel)
            {
                self.settle(delivery.notice.id, channel.clone(), None, ctx);
            } else if self.busy.insert(channel.clone()) {
                self.tell(delivery.clone(), now, ctx);
            }
        }
    }

    fn tell(&mut self, delivery: DeliveryRow, now: Timestamp, ctx: &mut Context<Self>) {
        let DeliveryRow {
            notice,
            channel,
            failures,
            ..
        } = delivery;
        let id = notice.id;
        let message = Told {
            id: format!("msg_{}_{id}", self.parts.ledger_name),
            kind: notice.kind,
            at: notice.at,
            told_at: now,
            text: notice.text,
            detail: notice.detail,
        };
        let told = self.parts.settings.courier.deliver(&channel, message);
        let told = async move {
            let told = tokio::time::timeout(COURIER_DEADLINE, told).await;
            told.unwrap_or_else(|_| Err(CourierError::Failed("no answer in time".to_owned())))
        };
        ctx.spawn(wrap_future::<_, Self>(told).map(move |told, this, ctx| {
            let again = match told {
                Ok(()) => {
                    if this.failing.remove(&channel) {
                        log::info!("channel={channel} can be reached again");
                    }
                    None
                }
                Err(CourierError::Unwanted(why)) => {
                    log::warn!("notice={id} is given up, channel={channel} wants nothing more: {why}");
                    None
                }
                Err(CourierError::Failed(why)) => this.failed(id, &channel, failures + 1, &why),
            };
            this.settle(id, channel, again, ctx);
        }));
    }

    /// When a message that did not arrive is told again.
    fn failed(&mut self, id: NoticeId, channel: &str, failures: u32, why: &str) -> Option<(u32, Timestamp)> {
        if self.failing.insert(channel.to_owned()) {
            log::warn!("channel={channel} cannot be reached, again later: {why}");
        }
        let wait = retry_after(failures);
        if wait.is_none() {
            log::error!("notice={id} is given up, channel={channel} failed {failures} times: {why}");
        }
        wait.map(|wait| (failures, self.parts.clock.date().plus(wait)))
    }

    /// Writes down what came of a delivery. If that fails it is told again, with the same id.
    fn settle(
        &mut self,
        notice: NoticeId,
        channel: String,
        again: Option<(u32, Timestamp)>,
        ctx: &mut Context<Self>,
    ) {
        let ledger = self.parts.ledger.clone();
        let writes = vec![Write::SettleDelivery {
            notice,
            channel: channel.clone(),
            again,
        }];
        let settled = async move { ledger.ask(Commit { writes }, LEDGER_DEADLINE).await };
        ctx.spawn(wrap_future::<_, Self>(settled).map(move |_, this, _| {
            this.busy.remove(&channel);
        }));
    }
}

/// A hint to look whether there is anything to tell.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
struct Poke;

impl Actor for Notifier {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, MAILBOX_CAPACITY);
        tell_every(ctx, LOOK_EVERY, Poke);
    }
}

impl Handler<Poke> for Notifier {
    type Result = ();

    fn handle(&mut self, _: Poke, ctx: &mut Self::Context) {
        self.look(ctx);
    }
}
