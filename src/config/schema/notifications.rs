//! `[notifications]`: who is told of what happens, and how.

use std::collections::BTreeSet;
use std::path::PathBuf;

use dwarves_domain::notices::{NoticeKind, QuietHours};
use dwarves_domain::settings::word;
use dwarves_domain::time::Span;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::config::readers::{self, Secs, Whole};

/// Channels at most.
const CHANNELS_MAX: usize = 16;

/// `[notifications]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotificationsConfig {
    /// How long something must be wrong, or right again, before that is told.
    #[serde(rename = "settle_secs", with = "Secs::<0, 86_400>")]
    pub settle: Span,
    /// Hours (UTC) in which only what is urgent is told.
    #[serde(deserialize_with = "quiet_hours")]
    pub quiet_hours: Option<QuietHours>,
    /// The hour (UTC) at which the day before is told, as configured; see [`NotificationsConfig::digest_at`].
    #[serde(with = "Whole::<-1, 23>")]
    pub digest_hour: i8,
    /// Ways to the operator.
    #[serde(deserialize_with = "channels")]
    pub channels: Vec<ChannelConfig>,
}

impl Default for NotificationsConfig {
    fn default() -> Self {
        Self {
            settle: Span::from_secs(60),
            quiet_hours: None,
            digest_hour: 8,
            channels: Vec::new(),
        }
    }
}

impl NotificationsConfig {
    /// The hour at which the day before is told, if it is.
    pub fn digest_at(&self) -> Option<u8> {
        u8::try_from(self.digest_hour).ok()
    }
}

/// How the people behind a channel are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelKind {
    /// By a signed webhook.
    Webhook,
    /// By ntfy.
    Ntfy,
    /// By mail.
    Mail,
}

impl<'de> Deserialize<'de> for ChannelKind {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        word(
            d,
            &[
                ("webhook", Self::Webhook),
                ("ntfy", Self::Ntfy),
                ("mail", Self::Mail),
            ],
        )
    }
}

/// `[[notifications.channels]]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelConfig {
    /// Its name, for the log and the outbox.
    #[serde(deserialize_with = "readers::name")]
    pub name: String,
    /// How it is reached.
    pub kind: ChannelKind,
    /// Where.
    #[serde(deserialize_with = "url")]
    pub url: String,
    /// The file with the webhook's secret, ntfy's access token, or the mail server's password.
    #[serde(default, deserialize_with = "readers::optional")]
    pub secret_file: Option<PathBuf>,
    /// As whom one logs in to the mail server; `None`: one does not.
    #[serde(default, deserialize_with = "readers::optional")]
    pub user: Option<String>,
    /// From whom mail is.
    #[serde(default, deserialize_with = "readers::optional")]
    pub from: Option<String>,
    /// Who gets it.
    #[serde(default)]
    pub to: Vec<String>,
    /// What is told by it; none named: everything.
    #[serde(default, deserialize_with = "events")]
    pub events: BTreeSet<NoticeKind>,
}

impl ChannelConfig {
    /// What is told by it.
    pub fn kinds(&self) -> BTreeSet<NoticeKind> {
        if self.events.is_empty() {
            NoticeKind::OPERATORS.into_iter().collect()
        } else {
            self.events.clone()
        }
    }
}

impl ChannelConfig {
    /// What does not fit together, if anything.
    fn complaint(&self) -> Option<&'static str> {
        let is_mail = self.kind == ChannelKind::Mail;
        let is_smtp = self.url.starts_with("smtp");
        let of_mail = self.user.is_some() || self.from.is_some() || !self.to.is_empty();
        match self.kind {
            _ if is_mail != is_smtp => {
                Some("url: mail goes by smtps:// or smtp://, everything else by https:// or http://")
            }
            ChannelKind::Webhook if self.secret_file.is_none() => {
                Some("secret_file is missing, by which it is signed")
            }
            ChannelKind::Mail if self.from.is_none() || self.to.is_empty() => Some("mail needs from and to"),
            ChannelKind::Mail if self.user.is_some() != self.secret_file.is_some() => {
                Some("user and secret_file (with the password) go together")
            }
            ChannelKind::Webhook | ChannelKind::Ntfy if of_mail => Some("user, from and to are for mail"),
            _ => None,
        }
    }
}

/// Two full hours, or nothing if it is an empty text.
fn quiet_hours<'de, D: Deserializer<'de>>(d: D) -> Result<Option<QuietHours>, D::Error> {
    let Some(text) = readers::optional::<D, String>(d)? else {
        return Ok(None);
    };
    let hours = text
        .split_once('-')
        .and_then(|(from, until)| QuietHours::new(from.trim().parse().ok()?, until.trim().parse().ok()?));
    let wrong = || {
        D::Error::custom(format!(
            "expected two hours (UTC) such as \"22-7\", found {text:?}"
        ))
    };
    hours.map(Some).ok_or_else(wrong)
}

fn url<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    let url = String::deserialize(d)?;
    let is_url = ["http://", "https://", "smtp://", "smtps://"]
        .iter()
        .any(|scheme| {
            url.strip_prefix(scheme)
                .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        });
    if is_url && url.chars().all(|letter| letter.is_ascii_graphic()) {
        return Ok(url);
    }
    Err(D::Error::custom(
        "expected an address that begins with https:// or http://, or with smtps:// or smtp:// for mail",
    ))
}

fn events<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeSet<NoticeKind>, D::Error> {
    let names: Vec<String> = readers::list(d, "a list of events, such as [\"block_found\"]")?;
    let known = NoticeKind::OPERATORS.map(NoticeKind::name).join(", ");
    let kinds = names.iter().map(|name| {
        let kind = NoticeKind::OPERATORS.into_iter().find(|kind| kind.name() == name);
        kind.ok_or_else(|| D::Error::custom(format!("{name:?} is no event; there are {known}")))
    });
    kinds.collect()
}

fn channels<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<ChannelConfig>, D::Error> {
    let channels: Vec<ChannelConfig> = readers::list(d, "a list of channels")?;
    for (at, channel) in channels.iter().enumerate() {
        if channels[..at].iter().any(|other| other.name == channel.name) {
            return Err(D::Error::custom(format!(
                "two channels are named {:?}",
                channel.name
            )));
        }
        if let Some(complaint) = channel.complaint() {
            return Err(D::Error::custom(format!(
                "channel {:?}: {complaint}",
                channel.name
            )));
        }
    }
    readers::at_most(channels, CHANNELS_MAX, "channels")
}
