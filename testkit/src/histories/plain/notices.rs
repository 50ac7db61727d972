//! What people are to be told.

use std::collections::BTreeMap;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::NoticeId;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{DeliveryRow, MinerNoticeRow, NOTICES_KEPT, NoticeRow, SubscriptionRow, ToMiner};

use super::state::{Rest, State};

impl Rest {
    pub(super) fn post_notice(&mut self, row: &NoticeRow) {
        if self.notices.values().any(|(stored, _)| stored.key == row.key) {
            return;
        }
        let last = self.notices.last_key_value().map(|(id, _)| *id);
        let id = last.unwrap_or_default().next();
        self.notices.insert(id, (NoticeRow { id, ..row.clone() }, false));
        let kept = id.get().saturating_sub(NOTICES_KEPT);
        let on_their_way = &self.deliveries;
        self.notices
            .retain(|id, _| id.get() > kept || on_their_way.keys().any(|(notice, _)| notice == id));
    }

    pub(super) fn plan_notice(&mut self, notice: NoticeId, channels: &[(String, Timestamp)]) {
        let Some((_, is_planned)) = self
            .notices
            .get_mut(&notice)
            .filter(|(_, is_planned)| !is_planned)
        else {
            return;
        };
        *is_planned = true;
        for (channel, at) in channels {
            self.deliveries
                .entry((notice, channel.clone()))
                .or_insert((0, *at));
        }
    }

    pub(super) fn settle_delivery(
        &mut self,
        notice: NoticeId,
        channel: &str,
        again: Option<(u32, Timestamp)>,
    ) {
        let key = (notice, channel.to_owned());
        match (again, self.deliveries.get_mut(&key)) {
            (Some(again), Some(delivery)) => *delivery = again,
            (None, _) => drop(self.deliveries.remove(&key)),
            (Some(_), None) => {}
        }
    }
}

impl Rest {
    pub(super) fn tell_miner(&mut self, write: &ToMiner) {
        match write {
            ToMiner::Subscribe { hotkey, record } => self.save_subscription(*hotkey, record.as_deref()),
            ToMiner::Post(row) => self.post_miner_notice(row),
            ToMiner::Settle {
                hotkey,
                channel,
                key,
                again,
            } => self.settle_miner_notice((*hotkey, channel.clone(), key.clone()), *again),
        }
    }

    pub(super) fn save_subscription(&mut self, hotkey: Hotkey, record: Option<&str>) {
        match record {
            None => {
                self.subscriptions.remove(&hotkey);
                self.miner_notices.retain(|(of, ..), _| *of != hotkey);
            }
            Some(record) if self.miners.contains_key(&hotkey) => {
                self.subscriptions.insert(hotkey, record.to_owned());
            }
            Some(_) => {}
        }
    }

    fn post_miner_notice(&mut self, row: &MinerNoticeRow) {
        if self.subscriptions.contains_key(&row.hotkey) {
            let key = (row.hotkey, row.channel.clone(), row.key.clone());
            self.miner_notices.entry(key).or_insert_with(|| row.clone());
        }
    }

    fn settle_miner_notice(&mut self, key: (Hotkey, String, String), again: Option<(u32, Timestamp)>) {
        match (again, self.miner_notices.get_mut(&key)) {
            (Some((failures, next_at)), Some(row)) => {
                (row.failures, row.next_at) = (failures, next_at);
            }
            (None, _) => drop(self.miner_notices.remove(&key)),
            (Some(_), None) => {}
        }
    }
}

impl State {
    pub(super) fn notices_after(&self, after: NoticeId, limit: u32) -> Vec<NoticeRow> {
        let rows = self.rest.notices.range(after.next()..);
        rows.take(limit as usize)
            .map(|(_, (row, _))| row.clone())
            .collect()
    }

    pub(super) fn subscriptions(&self) -> Vec<SubscriptionRow> {
        let rows = self.rest.subscriptions.iter();
        rows.map(|(hotkey, record)| SubscriptionRow {
            hotkey: *hotkey,
            record: record.clone(),
        })
        .collect()
    }

    pub(super) fn miner_notices(&self) -> Vec<MinerNoticeRow> {
        let mut rows: Vec<_> = self.rest.miner_notices.values().cloned().collect();
        rows.sort_by_key(|row| row.at);
        rows
    }

    pub(super) fn unplanned_notices(&self, limit: u32) -> Vec<NoticeRow> {
        let unplanned = self.rest.notices.values().filter(|(_, is_planned)| !is_planned);
        unplanned
            .take(limit as usize)
            .map(|(row, _)| row.clone())
            .collect()
    }

    pub(super) fn notices_since(&self, at: Timestamp, limit: u32) -> Vec<NoticeRow> {
        let rows = self.rest.notices.values().map(|(row, _)| row.clone());
        let mut rows: Vec<_> = rows.filter(|row| row.at >= at).collect();
        rows.sort_by_key(|row| (row.at, row.id));
        rows.truncate(limit as usize);
        rows
    }

    pub(super) fn deliveries(&self, limit: u32) -> Vec<DeliveryRow> {
        let rows = self.rest.deliveries.iter();
        let rows = rows.map(|((notice, channel), (failures, next_at))| DeliveryRow {
            notice: self.rest.notices[notice].0.clone(),
            channel: channel.clone(),
            failures: *failures,
            next_at: *next_at,
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by_key(|row| (row.next_at, row.notice.id, row.channel.clone()));
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        rows.retain(|row| {
            let count = counts.entry(row.channel.clone()).or_default();
            *count += 1;
            *count <= limit
        });
        rows
    }
}
