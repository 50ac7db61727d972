//! Telling what is due, and noting what came of it.

use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::notices::key::message_id;
use dwarves_domain::notices::queues::{Outcome, Place, Queued, Settled};
use dwarves_domain::notices::subscription::ChannelState;
use dwarves_domain::notices::wishes::{ChannelName, Way};
use dwarves_domain::time::Timestamp;
use dwarves_ports::courier::{CourierError, Message as Told, Receiver};

use super::MinerNotifier;
use super::messages::Fate;

/// How long a courier may take, beyond what it allows itself.
const COURIER_DEADLINE: Duration = Duration::from_secs(60);
/// All mail goes through one server.
const MAIL: &str = "mail";

impl MinerNotifier {
    /// Tells all that is due and has a place.
    pub(super) fn tell(&mut self, ctx: &mut Context<Self>) {
        let now = self.parts.clock.now();
        let date = self.parts.clock.date();
        while self.tries.check(now).is_ok() {
            let followed = &self.followed;
            let host_of = |hotkey: &Hotkey, channel: &ChannelName| {
                let channel = followed.get(hotkey)?.subscription.wishes.channel(channel)?;
                let url = channel.way.url();
                Some(url.map_or_else(|| MAIL.to_owned(), |url| url.host().to_owned()))
            };
            let Some((place, queued)) = self.queues.next(date, host_of) else {
                return;
            };
            // It was looked at a moment ago.
            let _there_is_one = self.tries.take(now);
            match self.receiver(&place) {
                Some(receiver) => self.tell_one(place, queued, receiver, date, ctx),
                None => self.settle(
                    &place,
                    &queued,
                    Err(CourierError::Unwanted("it is gone".to_owned())),
                ),
            }
        }
    }

    fn receiver(&self, place: &Place) -> Option<Receiver> {
        let wishes = &self.followed.get(&place.hotkey)?.subscription.wishes;
        let channel = wishes.channel(&place.channel)?;
        Some(match &channel.way {
            Way::Webhook { url, made_at } => Receiver::Webhook {
                url: url.clone(),
                secret: self.parts.settings.key.webhook_secret(
                    &place.hotkey,
                    channel.name.as_str(),
                    *made_at,
                ),
            },
            Way::Ntfy { url, token } => Receiver::Ntfy {
                url: url.clone(),
                token: token.clone(),
            },
            Way::Mail { address } => Receiver::Mail {
                address: address.clone(),
            },
        })
    }

    fn tell_one(
        &mut self,
        place: Place,
        queued: Queued,
        receiver: Receiver,
        date: Timestamp,
        ctx: &mut Context<Self>,
    ) {
        let message = Told {
            id: message_id(&self.parts.ledger_name, &place.hotkey, &place.key),
            kind: queued.kind,
            at: queued.at,
            told_at: date,
            text: queued.text.clone(),
            detail: queued.detail.clone(),
        };
        let told = self.parts.settings.courier.deliver(receiver, message);
        let told = async move {
            let told = tokio::time::timeout(COURIER_DEADLINE, told).await;
            told.unwrap_or_else(|_| Err(CourierError::Failed("no answer in time".to_owned())))
        };
        ctx.spawn(wrap_future::<_, Self>(told).map(move |told, this, ctx| {
            this.settle(&place, &queued, told);
            this.tell(ctx);
            this.flush(ctx);
        }));
    }

    fn settle(&mut self, place: &Place, queued: &Queued, told: Result<(), CourierError>) {
        let way = self.kind_of(place);
        let (outcome, fate, why) = match told {
            Ok(()) => (Outcome::Arrived, Fate::Arrived, String::new()),
            Err(CourierError::Failed(why)) => (Outcome::Failed, Fate::Failed, why),
            Err(CourierError::Unwanted(why)) => (Outcome::Unwanted, Fate::Failed, why),
        };
        self.count(queued.kind, way, fate);
        let was_waiting = self.queues.get(place).is_some();
        match self.queues.settle(place, outcome, self.parts.clock.date()) {
            Settled::Done if was_waiting => self.unwritten.settle(place, None),
            Settled::Done => {}
            Settled::Again(failures, at) => self.unwritten.settle(place, Some((failures, at))),
            Settled::GivenUp(places) => self.give_up(place, queued, &places, why, way),
        }
    }

    /// A channel is given up, with all that waits for it, until its miner sets it again.
    fn give_up(&mut self, place: &Place, queued: &Queued, places: &[Place], why: String, way: &'static str) {
        log::info!(
            "miner={} channel={} is given up: {why}",
            place.hotkey,
            place.channel
        );
        for place in places {
            self.count(queued.kind, way, Fate::GivenUp);
            self.unwritten.settle(place, None);
        }
        let at = self.parts.clock.date();
        if let Some(followed) = self.followed.get_mut(&place.hotkey) {
            let subscription = &mut followed.subscription;
            subscription.note_dropped(places.len() as u64);
            if let Some(state) = subscription.states.get_mut(&place.channel)
                && *state == ChannelState::Open
            {
                *state = ChannelState::GivenUp { at, why };
            }
            self.unwritten.change(place.hotkey);
        }
    }
}
