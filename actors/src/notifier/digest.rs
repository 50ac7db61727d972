//! What there was in a day: how much of each kind, and each incident by its name.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use dwarves_domain::notices::NoticeKind;
use dwarves_domain::time::{Span, Timestamp};
use serde_json::json;

use crate::notices;
use crate::wall_time::rfc3339;
use dwarves_ports::store::{NoticeRow, SharedStore, Write};

const DAY: Span = Span::from_secs(86_400);
/// Notices of a day that are looked at.
const LOOKED_AT_MAX: u32 = 10_000;
/// Incidents that are named; of more it is said how many they are.
const NAMED_MAX: usize = 40;

/// The day since 1970 and its hour, by UTC.
pub(super) fn day_and_hour(date: Timestamp) -> (i64, i64) {
    let hours = date.secs().div_euclid(3_600);
    (hours.div_euclid(24), hours.rem_euclid(24))
}

/// The digest of the day that ends now; nothing if the store does not tell.
pub(super) async fn of_day(store: &SharedStore, date: Timestamp, has_chain: bool) -> Option<Write> {
    let since = date.minus(DAY);
    let notices = store.notices_since(since, LOOKED_AT_MAX).await.ok()?;
    Some(digest(&notices, date, has_chain))
}

fn digest(notices: &[NoticeRow], date: Timestamp, has_chain: bool) -> Write {
    let told: Vec<_> = notices
        .iter()
        .filter(|notice| notice.kind != NoticeKind::Digest)
        .collect();
    let mut counts: BTreeMap<NoticeKind, u64> = BTreeMap::new();
    for notice in &told {
        *counts.entry(notice.kind).or_default() += 1;
    }
    // Blocks and payouts come by the hundred where all is well; everything else has a name.
    let is_incident =
        |notice: &&&NoticeRow| !matches!(notice.kind, NoticeKind::BlockFound | NoticeKind::PayoutSent);
    let incidents: Vec<_> = told.iter().filter(is_incident).collect();
    let found = counts.get(&NoticeKind::BlockFound).copied().unwrap_or(0);
    let sent = counts.get(&NoticeKind::PayoutSent).copied().unwrap_or(0);
    let mut text = match has_chain {
        true => format!("The last 24 hours: {found} blocks found, {sent} payouts sent, "),
        false => "The last 24 hours: ".to_owned(),
    };
    match incidents.len() {
        0 => text.push_str("no incidents."),
        count => {
            let _written = write!(text, "{count} incidents:");
        }
    }
    for notice in incidents.iter().take(NAMED_MAX) {
        let at = rfc3339(notice.at).unwrap_or_default();
        let _written = write!(text, "\n- {at} {}: {}", notice.kind.title(), notice.text);
    }
    if incidents.len() > NAMED_MAX {
        let _written = write!(text, "\n- and {} more", incidents.len() - NAMED_MAX);
    }
    let counts: BTreeMap<_, _> = counts.iter().map(|(kind, count)| (kind.name(), count)).collect();
    let named = incidents
        .iter()
        .take(NAMED_MAX)
        .map(|notice| json!({ "kind": notice.kind.name(), "at": rfc3339(notice.at), "text": notice.text }));
    let detail = json!({ "counts": counts, "incidents": named.collect::<Vec<_>>() });
    let (day, _) = day_and_hour(date);
    notices::post(format!("digest/{day}"), NoticeKind::Digest, date, text, &detail)
}
