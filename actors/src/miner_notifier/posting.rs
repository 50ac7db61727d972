//! What is to be told waits for its channels, in memory and in the ledger; what there is no room for is dropped, and said so.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::notices::NoticeKind;
use dwarves_domain::notices::queues::{Place, Queued};
use dwarves_domain::notices::wishes::ChannelName;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{MinerNoticeRow, ToMiner, Write};

use super::MinerNotifier;
use super::messages::Fate;
use super::words::Words;

impl MinerNotifier {
    /// Tells a miner something by every open channel, once the time for it has come; each key once.
    pub(super) fn post(&mut self, hotkey: Hotkey, kind: NoticeKind, key: &str, at: Timestamp, words: Words) {
        let now = self.parts.clock.now();
        let date = self.parts.clock.date();
        let Some(followed) = self.followed.get_mut(&hotkey) else {
            return;
        };
        self.unwritten.change(hotkey);
        if followed.rate.take(now).is_err() {
            followed.subscription.note_dropped(1);
            self.count(kind, "any", Fate::Dropped);
            return;
        }
        let subscription = &mut followed.subscription;
        subscription.day.note(kind, at, &words.text);
        let next_at = subscription.wishes.earliest(date);
        let channels: Vec<_> = subscription
            .open_channels()
            .map(|channel| channel.name.clone())
            .collect();
        if channels.is_empty() {
            subscription.note_dropped(1);
            self.count(kind, "any", Fate::Dropped);
            return;
        }
        let mut detail = words.detail;
        let mut text = words.text;
        let unsaid = std::mem::take(&mut subscription.dropped_unsaid);
        if unsaid > 0 {
            text = format!("{text}\n({unsaid} notices before this one were dropped)");
        }
        if let serde_json::Value::Object(fields) = &mut detail {
            fields.insert("hotkey".to_owned(), hotkey.to_string().into());
            fields.insert("dropped".to_owned(), unsaid.into());
        }
        for channel in channels {
            let queued = Queued {
                key: key.to_owned(),
                kind,
                at,
                text: text.clone(),
                detail: detail.to_string(),
                failures: 0,
                next_at,
            };
            self.send(hotkey, &channel, queued);
        }
    }

    /// Puts a notice on its way, in memory and in the ledger.
    pub(super) fn send(&mut self, hotkey: Hotkey, channel: &ChannelName, queued: Queued) {
        self.unwritten
            .write(Write::ToMiner(ToMiner::Post(Box::new(MinerNoticeRow {
                hotkey,
                channel: channel.as_str().to_owned(),
                key: queued.key.clone(),
                kind: queued.kind,
                at: queued.at,
                text: queued.text.clone(),
                detail: queued.detail.clone(),
                failures: queued.failures,
                next_at: queued.next_at,
            }))));
        self.queue(hotkey, channel, queued);
    }

    /// Lets a notice wait; what has to go for it is dropped, and said so.
    pub(super) fn queue(&mut self, hotkey: Hotkey, channel: &ChannelName, queued: Queued) {
        let kind = queued.kind;
        for place in self.queues.push(hotkey, channel, queued) {
            log::debug!(
                "miner={} has too much waiting: {} is dropped",
                place.hotkey,
                place.key
            );
            self.dropped(&place, kind);
        }
    }

    fn dropped(&mut self, place: &Place, kind: NoticeKind) {
        let way = self.kind_of(place);
        self.count(kind, way, Fate::Dropped);
        if let Some(followed) = self.followed.get_mut(&place.hotkey) {
            followed.subscription.note_dropped(1);
            self.unwritten.change(place.hotkey);
        }
        self.unwritten.settle(place, None);
    }

    /// What kind of channel a notice goes by.
    pub(super) fn kind_of(&self, place: &Place) -> &'static str {
        let followed = self.followed.get(&place.hotkey);
        let channel = followed.and_then(|followed| followed.subscription.wishes.channel(&place.channel));
        channel.map_or("any", |channel| channel.way.kind())
    }

    pub(super) fn count(&mut self, kind: NoticeKind, way: &'static str, fate: Fate) {
        let count = self.counts.entry((kind, way, fate)).or_default();
        *count = count.saturating_add(1);
    }
}
