//! The ways to people, opened as configured.

use std::path::Path;
use std::sync::Arc;

use dwarves_actors::notifier::{Channel, NotifierSettings};
use dwarves_notify::mail::Mail;
use dwarves_notify::ntfy::Ntfy;
use dwarves_notify::webhook::Webhook;
use dwarves_notify::{Channels, Way};

use super::StartError;
use crate::config::{ChannelConfig, ChannelKind, Config};

/// Who is told of what; nobody, if there is no channel.
///
/// # Errors
/// If a channel's secret cannot be read, or a thread cannot be started.
pub(super) fn notifier(config: &Config) -> Result<Option<NotifierSettings>, StartError> {
    let notifications = &config.notifications;
    if notifications.channels.is_empty() {
        return Ok(None);
    }
    let mut courier = Channels::default();
    let mut channels = Vec::new();
    for (channel, way) in notifications.channels.iter().zip(ways(config)?) {
        courier.open(&channel.name, way).map_err(StartError::Thread)?;
        channels.push(Channel {
            name: channel.name.clone(),
            kinds: channel.kinds(),
            quiet: notifications.quiet_hours,
        });
    }
    Ok(Some(NotifierSettings {
        courier: Arc::new(courier),
        channels,
        settle: notifications.settle,
        digest_hour: notifications.digest_at(),
    }))
}

/// The way to each channel, in their order.
///
/// # Errors
/// If a channel's secret cannot be read.
pub(super) fn ways(config: &Config) -> Result<Vec<Way>, StartError> {
    let named = |channel: &ChannelConfig, why| {
        StartError::Settings(format!("notifications.channels, {:?}: {why}", channel.name))
    };
    let channels = config.notifications.channels.iter();
    channels
        .map(|channel| way(channel).map_err(|why| named(channel, why)))
        .collect()
}

fn way(channel: &ChannelConfig) -> Result<Way, String> {
    let secret = channel.secret_file.as_deref().map(read).transpose()?;
    let url = channel.url.clone();
    match (channel.kind, secret) {
        (ChannelKind::Webhook, Some(secret)) => {
            let secret = secret.parse().map_err(|error| format!("secret_file: {error}"))?;
            Ok(Way::Webhook(Webhook::new(url, secret)))
        }
        (ChannelKind::Webhook, None) => Err("a webhook needs secret_file".to_owned()),
        (ChannelKind::Ntfy, token) => Ok(Way::Ntfy(Ntfy::new(url, token))),
        (ChannelKind::Mail, password) => {
            let login = channel.user.clone().zip(password);
            let from = channel.from.as_deref().unwrap_or_default();
            let mail = Mail::new(&url, login, from, &channel.to);
            mail.map(|mail| Way::Mail(Box::new(mail)))
                .map_err(|error| error.to_string())
        }
    }
}

pub(super) fn read(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| format!("secret_file {} cannot be read: {error}", path.display()))?;
    Ok(text.trim().to_owned())
}
