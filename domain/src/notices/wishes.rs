//! What a miner wants to be told, and by which channels: as it asked for it, held against what the pool allows.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::url::{ReceiverUrl, UrlError};
use super::{NoticeKind, QuietHours};
use crate::time::{Span, Timestamp};

/// A channel's name, chosen by its miner: 1 to 32 letters, digits, `.`, `_` and `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChannelName(String);

/// The longest mail address (RFC 5321, 4.5.3.1.3), and the longest part of it before the `@`.
const ADDRESS_LEN_MAX: (usize, usize) = (254, 64);
/// The longest access token.
const TOKEN_LEN_MAX: usize = 256;
/// The longest name of a channel.
const NAME_LEN_MAX: usize = 32;

/// A text that is no channel's name, no mail address, or no access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Not a name.
    #[error("expected 1 to {NAME_LEN_MAX} letters, digits, '.', '_' or '-'")]
    Name,
    /// Not an address.
    #[error("expected a mail address such as me@example.org, in ASCII")]
    Address,
    /// Not a token.
    #[error("expected at most {TOKEN_LEN_MAX} visible ASCII characters")]
    Token,
}

/// A text with a form of its own, which is stored as that text.
macro_rules! text {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = TextError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl $name {
            /// As text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

text!(ChannelName);
text!(MailAddress);
text!(AccessToken);

impl FromStr for ChannelName {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if text.is_empty() || text.len() > NAME_LEN_MAX || !text.bytes().all(is_plain) {
            return Err(TextError::Name);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A mail address in the plain form that everybody writes; its domain is in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MailAddress(String);

impl FromStr for MailAddress {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (local, domain) = text.split_once('@').ok_or(TextError::Address)?;
        let is_local = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b);
        let is_label = |label: &str| {
            let is_plain = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            (1..=63).contains(&label.len()) && is_plain && !label.starts_with('-') && !label.ends_with('-')
        };
        let is_address = text.len() <= ADDRESS_LEN_MAX.0
            && local.len() <= ADDRESS_LEN_MAX.1
            && local
                .split('.')
                .all(|part| !part.is_empty() && part.bytes().all(is_local))
            && domain.contains('.')
            && domain.split('.').all(is_label)
            && !domain.ends_with(|last: char| last.is_ascii_digit());
        if !is_address {
            return Err(TextError::Address);
        }
        Ok(Self(format!("{local}@{}", domain.to_ascii_lowercase())))
    }
}

impl MailAddress {
    /// What is counted as one address: most servers know no difference of case, and deliver `me+anything` to `me`.
    pub fn mailbox(&self) -> String {
        let lower = self.0.to_ascii_lowercase();
        match lower.split_once('@') {
            Some((local, domain)) => {
                let (local, _) = local.split_once('+').unwrap_or((local, ""));
                format!("{local}@{domain}")
            }
            None => lower,
        }
    }
}

/// An access token of ntfy. It is told to ntfy alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccessToken(String);

impl FromStr for AccessToken {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_token =
            (1..=TOKEN_LEN_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if is_token {
            Ok(Self(text.to_owned()))
        } else {
            Err(TextError::Token)
        }
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(..)")
    }
}

/// How a miner is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// By a webhook that the pool signs.
    Webhook {
        /// Where it leads.
        url: ReceiverUrl,
        /// When its secret was made ([`super::key::NotificationKey::webhook_secret`]).
        made_at: Timestamp,
    },
    /// By a topic of ntfy.
    Ntfy {
        /// The topic's address.
        url: ReceiverUrl,
        /// What it asks for, if it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<AccessToken>,
    },
    /// By mail.
    Mail {
        /// To whom.
        address: MailAddress,
    },
}

impl Way {
    /// Every kind of channel, by its name on the wire and in storage.
    pub const KINDS: [&'static str; 3] = ["webhook", "ntfy", "mail"];

    /// Which kind it is, by its name.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => Self::KINDS[0],
            Self::Ntfy { .. } => Self::KINDS[1],
            Self::Mail { .. } => Self::KINDS[2],
        }
    }

    /// The address of what it leads to, unless it is mail.
    pub const fn url(&self) -> Option<&ReceiverUrl> {
        match self {
            Self::Webhook { url, .. } | Self::Ntfy { url, .. } => Some(url),
            Self::Mail { .. } => None,
        }
    }

    /// Whether both lead to the same place in the same way.
    pub fn leads_where(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Mail { address: one }, Self::Mail { address: two }) => one == two,
            _ => self.kind() == other.kind() && self.url() == other.url(),
        }
    }
}

/// A way to a miner, under the name that it gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// The name.
    pub name: ChannelName,
    /// How and where.
    pub way: Way,
}

/// By how much a miner's clock is ahead of UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UtcOffset {
    minutes: i16,
}

impl UtcOffset {
    /// The furthest that any clock is from UTC, in minutes.
    pub const MINUTES_MAX: i16 = 14 * 60;

    /// So many minutes ahead of UTC; `None` if no clock is so far from it.
    pub const fn of_minutes(minutes: i16) -> Option<Self> {
        if minutes.unsigned_abs() > Self::MINUTES_MAX.unsigned_abs() {
            return None;
        }
        Some(Self { minutes })
    }

    /// Minutes ahead of UTC.
    pub const fn minutes(self) -> i16 {
        self.minutes
    }

    /// What that clock shows at this moment, as if it were UTC.
    pub fn local(self, at: Timestamp) -> Timestamp {
        at.moved(i64::from(self.minutes) * 60_000)
    }

    /// The moment at which that clock shows this.
    pub fn utc(self, local: Timestamp) -> Timestamp {
        local.moved(-i64::from(self.minutes) * 60_000)
    }
}

/// From when on something is worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thresholds {
    /// After how long without a share a worker is offline.
    pub offline_after: Span,
    /// Below how many percent of the last day's hashrate it is low.
    pub low_percent: u8,
    /// From how many percent of rejected shares on there are many.
    pub reject_percent: u8,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            offline_after: Span::from_secs(900),
            low_percent: 50,
            reject_percent: 10,
        }
    }
}

/// All that a miner wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wishes {
    /// By which channels it is told.
    pub channels: Vec<Channel>,
    /// What it is told of.
    pub kinds: BTreeSet<NoticeKind>,
    /// Hours of its own day in which it is told nothing.
    pub quiet: Option<QuietHours>,
    /// Its clock.
    pub utc_offset: UtcOffset,
    /// At which hour of its day it is told what there was since yesterday, if it is.
    pub digest_hour: Option<u8>,
    /// From when on something is worth telling.
    pub thresholds: Thresholds,
}

impl Wishes {
    /// When something of this moment may be told.
    pub fn earliest(&self, at: Timestamp) -> Timestamp {
        match self.quiet {
            Some(quiet) => self.utc_offset.utc(quiet.earliest(self.utc_offset.local(at))),
            None => at,
        }
    }

    /// The channel of this name.
    pub fn channel(&self, name: &ChannelName) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.name == *name)
    }
}

/// What the pool allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WishRules {
    /// Channels that one miner may have.
    pub channels_max: usize,
    /// Whether a channel may lead somewhere without encryption.
    pub allow_http: bool,
    /// To which ports a channel may lead; none named: to every one.
    pub ports: Vec<u16>,
    /// Whether there is a server that takes mail.
    pub has_mail: bool,
    /// The least time without a share after which a worker may be called offline.
    pub offline_after_least: Span,
}

/// Which wish cannot be granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct WishError {
    /// The path of the field.
    pub field: String,
    /// What would be right.
    pub detail: String,
}

impl WishError {
    /// That this field is wrong, and why.
    pub fn new(field: impl Into<String>, detail: impl fmt::Display) -> Self {
        Self {
            field: field.into(),
            detail: detail.to_string(),
        }
    }
}

impl WishRules {
    /// Whether the pool grants all of it.
    ///
    /// # Errors
    /// The first wish that it does not.
    pub fn check(&self, wishes: &Wishes) -> Result<(), WishError> {
        let max = self.channels_max;
        if wishes.channels.is_empty() || wishes.channels.len() > max {
            return Err(WishError::new(
                "channels",
                format!("expected 1 to {max} channels"),
            ));
        }
        let least = self.offline_after_least;
        if wishes.thresholds.offline_after < least {
            let detail = format!("expected at least {} s", least.secs());
            return Err(WishError::new("offline_after_secs", detail));
        }
        for (at, channel) in wishes.channels.iter().enumerate() {
            let before = &wishes.channels[..at];
            if before.iter().any(|other| other.name == channel.name) {
                let name = &channel.name;
                return Err(WishError::new(
                    format!("channels[{at}].name"),
                    format!("two channels are named {name}"),
                ));
            }
            let Some(url) = channel.way.url() else {
                if self.has_mail {
                    continue;
                }
                return Err(WishError::new(
                    format!("channels[{at}].kind"),
                    "this pool sends no mail",
                ));
            };
            let wrong = |detail: String| Err(WishError::new(format!("channels[{at}].url"), detail));
            if !url.is_encrypted() && !self.allow_http {
                return wrong(UrlError::Scheme.to_string());
            }
            if !self.ports.is_empty() && !self.ports.contains(&url.port()) {
                let ports: Vec<_> = self.ports.iter().map(u16::to_string).collect();
                return wrong(format!("expected one of these ports: {}", ports.join(", ")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
