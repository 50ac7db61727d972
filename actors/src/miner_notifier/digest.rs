//! What there was in a miner's day, told at the hour that it asked for.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::notices::NoticeKind;
use dwarves_domain::notices::subscription::Day;
use dwarves_domain::notices::wishes::Wishes;
use dwarves_domain::time::Timestamp;
use serde_json::json;

use super::MinerNotifier;
use super::words::{Brought, Words};
use crate::wall_time::rfc3339;

/// The day since 1970 and its hour, by the miner's own clock.
fn day_and_hour(wishes: &Wishes, date: Timestamp) -> (i64, i64) {
    let hours = wishes.utc_offset.local(date).secs().div_euclid(3_600);
    (hours.div_euclid(24), hours.rem_euclid(24))
}

impl MinerNotifier {
    /// Tells of the day whoever wants it now.
    pub(super) fn digest(&mut self) {
        let date = self.parts.clock.date();
        let mut due = Vec::new();
        for (hotkey, followed) in &mut self.followed {
            let subscription = &mut followed.subscription;
            let Some(hour) = subscription.wishes.digest_hour else {
                continue;
            };
            let (day, now_hour) = day_and_hour(&subscription.wishes, date);
            let is_past = now_hour >= i64::from(hour);
            match subscription.digested {
                // Of the time before it asked there is nothing to tell.
                None => {
                    subscription.digested = Some(if is_past { day } else { day - 1 });
                    self.unwritten.change(*hotkey);
                }
                Some(told) if is_past && told < day => due.push((*hotkey, day)),
                Some(_) => {}
            }
        }
        for (hotkey, day) in due {
            self.tell_day(hotkey, day, date);
        }
    }

    fn tell_day(&mut self, hotkey: Hotkey, day: i64, date: Timestamp) {
        let brought = self.parts.brought();
        let Some(followed) = self.followed.get_mut(&hotkey) else {
            return;
        };
        followed.subscription.digested = Some(day);
        let of_day = std::mem::take(&mut followed.subscription.day);
        self.post(
            hotkey,
            NoticeKind::Digest,
            &format!("digest/{day}"),
            date,
            of(&of_day, brought),
        );
        // The digest itself is nothing that there was.
        if let Some(followed) = self.followed.get_mut(&hotkey) {
            followed.subscription.day = Day::default();
        }
    }
}

fn of(day: &Day, brought: Brought) -> Words {
    let count = |kind| day.counts.get(&kind).copied().unwrap_or(0);
    let (found, sent) = (count(NoticeKind::BlockFound), count(NoticeKind::PayoutSent));
    let mut text = match brought {
        Brought::Shares => format!("Since the last digest: {found} blocks found, {sent} payouts sent, "),
        // There are no blocks, and no payouts by transaction.
        Brought::Work => "Since the last digest: ".to_owned(),
    };
    match day.incident_count() {
        0 => text.push_str("no incidents."),
        incidents => {
            let _written = write!(text, "{incidents} incidents:");
        }
    }
    for (at, incident) in &day.incidents {
        let _written = write!(text, "\n- {} {incident}", rfc3339(*at).unwrap_or_default());
    }
    let unnamed = day.incident_count().saturating_sub(day.incidents.len() as u64);
    if unnamed > 0 {
        let _written = write!(text, "\n- and {unnamed} more");
    }
    let counts: BTreeMap<_, _> = day.counts.iter().map(|(kind, n)| (kind.name(), n)).collect();
    let incidents = day
        .incidents
        .iter()
        .map(|(at, text)| json!({ "at": rfc3339(*at), "text": text }));
    Words {
        text,
        detail: json!({ "counts": counts, "incidents": incidents.collect::<Vec<_>>() }),
    }
}
