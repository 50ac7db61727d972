//! What a miner is told, as it sees it: without what must not be read back.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dwarves_actors::miner_notifier::messages::SubscriptionView;
use dwarves_api_types::notifications::{ChannelStatus, Notifications, QuietHoursBody};
use dwarves_api_types::scalars::{Instant, Ss58};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::notices::subscription::{ChannelState, Subscription};
use dwarves_domain::notices::url::ReceiverUrl;
use dwarves_domain::notices::wishes::{Channel, ChannelName, Way};

/// The answer to whoever reads it.
pub(super) fn notifications(hotkey: Hotkey, view: &SubscriptionView) -> Notifications {
    let subscription = &view.subscription;
    let wishes = &subscription.wishes;
    let channels = wishes.channels.iter();
    Notifications {
        hotkey: Ss58(hotkey),
        channels: channels.map(|channel| status(channel, subscription)).collect(),
        events: wishes.kinds.iter().map(|kind| kind.name().to_owned()).collect(),
        quiet_hours: wishes.quiet.map(|quiet| QuietHoursBody {
            from: quiet.from(),
            until: quiet.until(),
        }),
        utc_offset_minutes: wishes.utc_offset.minutes(),
        digest_hour: wishes.digest_hour,
        offline_after_secs: wishes.thresholds.offline_after.secs(),
        low_percent: wishes.thresholds.low_percent,
        reject_percent: wishes.thresholds.reject_percent,
        waiting: view.waiting as u64,
        dropped: subscription.dropped,
    }
}

/// Adds secrets that were made just now.
pub(super) fn add_secrets(answer: &mut Notifications, secrets: &BTreeMap<ChannelName, [u8; 32]>) {
    for (name, secret) in secrets {
        let channels = answer.channels.iter_mut();
        for channel in channels.filter(|channel| channel.name == name.as_str()) {
            channel.secret = Some(format!("whsec_{}", STANDARD.encode(secret)));
        }
    }
}

fn status(channel: &Channel, subscription: &Subscription) -> ChannelStatus {
    let (state, why, since) = match subscription.states.get(&channel.name) {
        None | Some(ChannelState::Open) => ("open", None, None),
        Some(ChannelState::Unconfirmed { asked_at, .. }) => ("unconfirmed", None, Some(*asked_at)),
        Some(ChannelState::GivenUp { at, why }) => ("given_up", Some(why.clone()), Some(*at)),
    };
    ChannelStatus {
        name: channel.name.as_str().to_owned(),
        kind: channel.way.kind().to_owned(),
        leads_to: match &channel.way {
            Way::Webhook { url, .. } | Way::Ntfy { url, .. } => beginning(url),
            Way::Mail { address } => address.as_str().to_owned(),
        },
        state: state.to_owned(),
        why,
        since: since.map(Instant),
        secret: None,
    }
}

/// An address without what follows its host: whoever knows a topic can read it.
fn beginning(url: &ReceiverUrl) -> String {
    let text = url.as_str();
    let after = text.find("://").map_or(0, |at| at + 3);
    match text[after..].find(['/', '?']) {
        Some(end) => format!("{}/***", &text[..after + end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_host_is_not_shown() {
        for (url, shown) in [
            ("https://example.org", "https://example.org"),
            ("https://example.org/secret", "https://example.org/***"),
            ("https://[2606::1]:8443?secret", "https://[2606::1]:8443/***"),
        ] {
            assert_eq!(beginning(&url.parse().unwrap()), shown);
        }
    }
}
