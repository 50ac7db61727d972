//! What miners ask for: each is decided at once, and answered once it is durable.

use std::collections::BTreeMap;

use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::limits::Empty;
use dwarves_domain::notices::NoticeKind;
use dwarves_domain::notices::key::mailbox_id;
use dwarves_domain::notices::queues::Queued;
use dwarves_domain::notices::subscription::{Changed, Confirmed, Subscription};
use dwarves_domain::notices::wishes::{ChannelName, MailAddress, Way};

use super::messages::{
    ConfirmAddress, NotGranted, ReadSubscription, ReadTold, SendTest, Subscribe, Subscribed,
    SubscriptionView, ToldView, Unsubscribe,
};
use super::words::{self, Words};
use super::{CODES, CodeOf, MinerNotifier, TESTS};
use crate::ask::{Ask, ReplyTo};

impl From<Empty> for NotGranted {
    fn from(empty: Empty) -> Self {
        Self::TooMany {
            try_again: empty.try_again,
        }
    }
}

impl MinerNotifier {
    /// Answers once all that was changed is durable.
    fn answer_when_written<T: 'static>(
        &mut self,
        reply: ReplyTo<Result<T, NotGranted>>,
        answer: T,
        ctx: &mut Context<Self>,
    ) {
        self.unwritten
            .wait(Box::new(move |written| reply.answer(written.map(|()| answer))));
        self.flush(ctx);
    }

    /// Whether orders can be taken.
    fn check_ready(&self) -> Result<(), NotGranted> {
        if self.is_loaded && !self.unwritten.is_too_much() {
            Ok(())
        } else {
            Err(NotGranted::Busy)
        }
    }

    fn view(&self, hotkey: &Hotkey) -> Result<SubscriptionView, NotGranted> {
        let followed = self.followed.get(hotkey).ok_or(NotGranted::NothingWanted)?;
        Ok(SubscriptionView {
            subscription: followed.subscription.clone(),
            waiting: self.queues.waiting_of(hotkey),
        })
    }

    fn subscribe(&mut self, order: Subscribe) -> Result<Subscribed, NotGranted> {
        self.check_ready()?;
        let Subscribe {
            hotkey,
            wishes,
            renewed,
        } = order;
        self.parts
            .settings
            .rules
            .check(&wishes)
            .map_err(NotGranted::Wish)?;
        let before = self.followed.get(&hotkey);
        if before.is_none() && self.followed.len() >= self.parts.settings.subscriptions_max {
            return Err(NotGranted::Full);
        }
        let date = self.parts.clock.date();
        let before = before.map(|followed| &followed.subscription);
        let Changed {
            subscription,
            new_secrets,
            to_confirm,
            gone,
        } = Subscription::change(before, wishes, &renewed, date);
        let addresses: Vec<_> = to_confirm
            .iter()
            .filter_map(|name| match &subscription.wishes.channel(name)?.way {
                Way::Mail { address } => Some((name.clone(), address.clone())),
                Way::Webhook { .. } | Way::Ntfy { .. } => None,
            })
            .collect();
        self.take_codes(hotkey, &addresses)?;
        for channel in &gone {
            for place in self.queues.drop_channel(&hotkey, channel) {
                self.unwritten.settle(&place, None);
            }
        }
        let mut secrets = BTreeMap::new();
        for name in new_secrets {
            if let Some(Way::Webhook { made_at, .. }) =
                subscription.wishes.channel(&name).map(|channel| &channel.way)
            {
                let key = &self.parts.settings.key;
                secrets.insert(name.clone(), key.webhook_secret(&hotkey, name.as_str(), *made_at));
            }
        }
        match self.followed.get_mut(&hotkey) {
            Some(followed) => followed.subscription = subscription,
            None => {
                let followed = self.follow(subscription);
                self.followed.insert(hotkey, followed);
            }
        }
        self.unwritten.change(hotkey);
        for (channel, address) in addresses {
            let code = self.parts.settings.key.code(&hotkey, address.as_str(), date);
            let words = words::code(&self.parts.settings.pool_name, &hotkey.to_string(), &code);
            self.send_asked_for(hotkey, &channel, NoticeKind::ConfirmAddress, words);
        }
        let view = self.view(&hotkey)?;
        Ok(Subscribed { view, secrets })
    }

    /// Whether so many codes may be mailed; if so they are as good as mailed.
    fn take_codes(
        &mut self,
        hotkey: Hotkey,
        addresses: &[(ChannelName, MailAddress)],
    ) -> Result<(), NotGranted> {
        let now = self.parts.clock.now();
        for (_, address) in addresses {
            self.all_codes.check(now)?;
            let to = CodeOf::Mailbox(mailbox_id(address));
            self.codes
                .take_each(&[(CodeOf::Miner(hotkey), CODES), (to, CODES)], now)?;
            self.all_codes.take(now)?;
        }
        Ok(())
    }

    /// Sends what its miner waits for, by this channel alone, at any hour.
    fn send_asked_for(&mut self, hotkey: Hotkey, channel: &ChannelName, kind: NoticeKind, words: Words) {
        let date = self.parts.clock.date();
        let queued = Queued {
            key: format!("{kind}/{}/{}", channel.as_str(), date.millis()),
            kind,
            at: date,
            text: words.text,
            detail: words.detail.to_string(),
            failures: 0,
            next_at: date,
        };
        self.send(hotkey, channel, queued);
    }

    fn test(&mut self, order: &SendTest) -> Result<Vec<ChannelName>, NotGranted> {
        self.check_ready()?;
        let followed = self
            .followed
            .get(&order.hotkey)
            .ok_or(NotGranted::NothingWanted)?;
        let subscription = &followed.subscription;
        if let Some(name) = &order.channel
            && subscription.wishes.channel(name).is_none()
        {
            return Err(NotGranted::NoChannel);
        }
        let open = subscription.open_channels().map(|channel| channel.name.clone());
        let to: Vec<_> = open
            .filter(|name| order.channel.as_ref().is_none_or(|wanted| wanted == name))
            .collect();
        if to.is_empty() {
            return Err(NotGranted::NoOpenChannel);
        }
        let now = self.parts.clock.now();
        self.tests.take(order.hotkey, TESTS, now)?;
        let date = self.parts.clock.date();
        for channel in &to {
            self.send_asked_for(order.hotkey, channel, NoticeKind::Test, words::test(date));
        }
        Ok(to)
    }

    fn confirm(&mut self, order: &ConfirmAddress) -> Result<(), NotGranted> {
        self.check_ready()?;
        let date = self.parts.clock.date();
        let followed = self
            .followed
            .get_mut(&order.hotkey)
            .ok_or(NotGranted::NothingWanted)?;
        let subscription = &mut followed.subscription;
        let address = match subscription
            .wishes
            .channel(&order.channel)
            .map(|channel| &channel.way)
        {
            Some(Way::Mail { address }) => address.clone(),
            _ => return Err(NotGranted::NoChannel),
        };
        let key = &self.parts.settings.key;
        let right = |asked_at| Some(key.code(&order.hotkey, address.as_str(), asked_at));
        let confirmed = subscription.confirm(&order.channel, &order.code, right, date);
        self.unwritten.change(order.hotkey);
        match confirmed {
            Confirmed::Now | Confirmed::Before => Ok(()),
            Confirmed::WrongCode => Err(NotGranted::WrongCode),
            Confirmed::NoCode => Err(NotGranted::NoCode),
            Confirmed::NoChannel => Err(NotGranted::NoChannel),
        }
    }
}

impl Handler<Ask<Subscribe>> for MinerNotifier {
    type Result = ();

    fn handle(&mut self, ask: Ask<Subscribe>, ctx: &mut Self::Context) {
        match self.subscribe(ask.payload) {
            Ok(subscribed) => self.answer_when_written(ask.reply, subscribed, ctx),
            Err(why) => ask.reply.answer(Err(why)),
        }
        self.tell(ctx);
    }
}

impl Handler<Ask<ReadSubscription>> for MinerNotifier {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadSubscription>, _: &mut Self::Context) {
        let view = if self.is_loaded {
            self.view(&ask.payload.hotkey)
        } else {
            Err(NotGranted::Busy)
        };
        ask.reply.answer(view);
    }
}

impl Handler<Ask<Unsubscribe>> for MinerNotifier {
    type Result = ();

    fn handle(&mut self, ask: Ask<Unsubscribe>, ctx: &mut Self::Context) {
        let hotkey = ask.payload.hotkey;
        let is_there = || {
            self.followed
                .contains_key(&hotkey)
                .then_some(())
                .ok_or(NotGranted::NothingWanted)
        };
        if let Err(why) = self.check_ready().and_then(|()| is_there()) {
            return ask.reply.answer(Err(why));
        }
        let gone = self.followed.remove(&hotkey);
        // Each by itself: if the miner subscribes anew before this is written, its subscription is never seen to end.
        for channel in gone.iter().flat_map(|gone| &gone.subscription.wishes.channels) {
            for place in self.queues.drop_channel(&hotkey, &channel.name) {
                self.unwritten.settle(&place, None);
            }
        }
        self.queues.drop_miner(&hotkey);
        self.unwritten.change(hotkey);
        self.answer_when_written(ask.reply, (), ctx);
    }
}

impl Handler<Ask<SendTest>> for MinerNotifier {
    type Result = ();

    fn handle(&mut self, ask: Ask<SendTest>, ctx: &mut Self::Context) {
        match self.test(&ask.payload) {
            Ok(channels) => self.answer_when_written(ask.reply, channels, ctx),
            Err(why) => ask.reply.answer(Err(why)),
        }
        self.tell(ctx);
    }
}

impl Handler<Ask<ConfirmAddress>> for MinerNotifier {
    type Result = ();

    fn handle(&mut self, ask: Ask<ConfirmAddress>, ctx: &mut Self::Context) {
        match self.confirm(&ask.payload) {
            Ok(()) => self.answer_when_written(ask.reply, (), ctx),
            Err(why) => {
                ask.reply.answer(Err(why));
                // A wrong code is counted durably.
                self.flush(ctx);
            }
        }
    }
}

impl Handler<Ask<ReadTold>> for MinerNotifier {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadTold>, _: &mut Self::Context) {
        ask.reply.answer(ToldView {
            miners: self.followed.len(),
            waiting: self.queues.waiting(),
            counts: self.counts.clone(),
        });
    }
}
