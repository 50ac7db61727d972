//! What a miner's body asks for, in the domain's terms.

use std::collections::BTreeSet;

use dwarves_api_types::notifications::{ChannelBody, NotificationsBody, QuietHoursBody};
use dwarves_domain::notices::wishes::{Channel, ChannelName, Thresholds, UtcOffset, Way, WishError, Wishes};
use dwarves_domain::notices::{NoticeKind, QuietHours};
use dwarves_domain::time::{Span, Timestamp};

/// The longest time after which a worker may be called offline.
const OFFLINE_AFTER_MAX: u64 = 7 * 86_400;

/// The wishes of a body, and the channels that get a new secret. `known`: what the pool can tell of.
pub(super) fn wishes(
    body: NotificationsBody,
    known: &[NoticeKind],
) -> Result<(Wishes, Vec<ChannelName>), WishError> {
    let mut renewed = Vec::new();
    let mut channels = Vec::new();
    for (at, wanted) in body.channels.into_iter().enumerate() {
        let is_renewed = wanted.new_secret == Some(true);
        let channel = channel(at, wanted)?;
        if is_renewed {
            renewed.push(channel.name.clone());
        }
        channels.push(channel);
    }
    let wishes = Wishes {
        channels,
        kinds: kinds(body.events, known)?,
        quiet: body.quiet_hours.map(quiet).transpose()?,
        utc_offset: offset(body.utc_offset_minutes)?,
        digest_hour: ranged("digest_hour", body.digest_hour, 0, 23)?,
        thresholds: thresholds(body.offline_after_secs, body.low_percent, body.reject_percent)?,
    };
    Ok((wishes, renewed))
}

fn kinds(events: Option<Vec<String>>, known: &[NoticeKind]) -> Result<BTreeSet<NoticeKind>, WishError> {
    let Some(events) = events else {
        return Ok(known.iter().copied().collect());
    };
    let kind = |(at, name): (usize, &String)| {
        let found = known.iter().copied().find(|kind| kind.name() == name);
        let wrong = || {
            let names: Vec<_> = known.iter().map(|kind| kind.name()).collect();
            let known = names.join(", ");
            WishError::new(format!("events[{at}]"), format!("expected one of {known}"))
        };
        found.ok_or_else(wrong)
    };
    events.iter().enumerate().map(kind).collect()
}

fn quiet(hours: QuietHoursBody) -> Result<QuietHours, WishError> {
    let wrong = || WishError::new("quiet_hours", "expected two different hours from 0 to 23");
    QuietHours::new(hours.from, hours.until).ok_or_else(wrong)
}

fn offset(minutes: Option<i16>) -> Result<UtcOffset, WishError> {
    let max = UtcOffset::MINUTES_MAX;
    let wrong = || WishError::new("utc_offset_minutes", format!("expected -{max} to {max}"));
    UtcOffset::of_minutes(minutes.unwrap_or(0)).ok_or_else(wrong)
}

fn ranged<T: PartialOrd + std::fmt::Display>(
    field: &str,
    value: Option<T>,
    min: T,
    max: T,
) -> Result<Option<T>, WishError> {
    match value {
        Some(value) if value < min || value > max => {
            Err(WishError::new(field, format!("expected {min} to {max}")))
        }
        value => Ok(value),
    }
}

fn thresholds(
    offline_after_secs: Option<u64>,
    low_percent: Option<u8>,
    reject_percent: Option<u8>,
) -> Result<Thresholds, WishError> {
    let usual = Thresholds::default();
    let secs = ranged("offline_after_secs", offline_after_secs, 1, OFFLINE_AFTER_MAX)?;
    Ok(Thresholds {
        offline_after: secs.map_or(usual.offline_after, Span::from_secs),
        low_percent: ranged("low_percent", low_percent, 1, 99)?.unwrap_or(usual.low_percent),
        reject_percent: ranged("reject_percent", reject_percent, 1, 100)?.unwrap_or(usual.reject_percent),
    })
}

/// A text of a channel, in its own form; the error names where it stands.
fn text<T: std::str::FromStr<Err: std::fmt::Display>>(
    at: usize,
    field: &str,
    text: &str,
) -> Result<T, WishError> {
    text.parse()
        .map_err(|error| WishError::new(format!("channels[{at}].{field}"), error))
}

fn channel(at: usize, wanted: ChannelBody) -> Result<Channel, WishError> {
    let ChannelBody {
        name,
        kind,
        url,
        token,
        address,
        new_secret,
    } = wanted;
    let wrong = |field: &str, detail: &str| WishError::new(format!("channels[{at}].{field}"), detail);
    let is_for = |kinds: &str, field: &str, is_there: bool| match is_there {
        true => Err(wrong(field, &format!("this is for {kinds}"))),
        false => Ok(()),
    };
    let way = match kind.as_str() {
        "webhook" | "ntfy" => {
            is_for("mail", "address", address.is_some())?;
            let url = url.ok_or_else(|| wrong("url", "a webhook or a topic of ntfy has an address"))?;
            let url = text(at, "url", &url)?;
            if kind == "webhook" {
                is_for("ntfy", "token", token.is_some())?;
                Way::Webhook {
                    url,
                    made_at: Timestamp::EPOCH,
                }
            } else {
                is_for("webhooks", "new_secret", new_secret.is_some())?;
                let token = token.as_deref().map(|token| text(at, "token", token));
                Way::Ntfy {
                    url,
                    token: token.transpose()?,
                }
            }
        }
        "mail" => {
            is_for("webhooks and ntfy", "url", url.is_some())?;
            is_for("ntfy", "token", token.is_some())?;
            is_for("webhooks", "new_secret", new_secret.is_some())?;
            let address = address.ok_or_else(|| wrong("address", "mail goes to an address"))?;
            Way::Mail {
                address: text(at, "address", &address)?,
            }
        }
        _ => {
            return Err(wrong(
                "kind",
                &format!("expected one of {}", Way::KINDS.join(", ")),
            ));
        }
    };
    Ok(Channel {
        name: text(at, "name", &name)?,
        way,
    })
}
