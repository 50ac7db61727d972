//! What people are to be told.

use std::collections::BTreeMap;

use dwarves_domain::ids::NoticeId;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{DeliveryRow, NOTICES_KEPT, NoticeRow};

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

impl State {
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
