//! Telling miners what they ask for, as configured.

use std::sync::Arc;

use dwarves_actors::miner_notifier::MinerNotifierSettings;
use dwarves_domain::address::AddressFormat;
use dwarves_domain::notices::queues::QueueLimits;
use dwarves_domain::notices::wishes::WishRules;
use dwarves_keys::PoolKey;
use dwarves_notify::mail::Mail;
use dwarves_notify::strangers::{Bounds, Strangers};

use super::StartError;
use super::notifications::read;
use crate::config::{Config, MinerNotificationsConfig};

/// How miners are told things, if they are.
///
/// # Errors
/// If the mail server's settings are none, or a thread cannot be started.
pub(super) fn notifier(
    config: &Config,
    pool_key: &PoolKey,
) -> Result<Option<MinerNotifierSettings>, StartError> {
    let settings = &config.miner_notifications;
    if !settings.enabled {
        return Ok(None);
    }
    let mail = mail(settings)?;
    let bounds = Bounds {
        allow_private: settings.allow_private,
        refused: settings.refused_networks.clone(),
        ports: settings.ports.clone(),
    };
    if settings.allow_private {
        log::warn!(
            "miner_notifications.allow_private: any miner can have the pool connect to this machine and its network"
        );
    }
    let courier = Strangers::start(settings.at_once, &bounds, settings.allow_http, mail.as_ref());
    Ok(Some(MinerNotifierSettings {
        courier: Arc::new(courier.map_err(StartError::Thread)?),
        key: pool_key.notification_key(),
        rules: WishRules {
            channels_max: settings.channels_max,
            allow_http: settings.allow_http,
            ports: settings.ports.clone(),
            has_mail: mail.is_some(),
            offline_after_least: settings.offline_after_min,
        },
        limits: QueueLimits {
            of_miner: settings.waiting_per_miner,
            of_all: settings.waiting_max,
            places: settings.at_once,
            of_host: settings.at_once.div_ceil(2),
            of_failing: settings.at_once.div_ceil(2),
        },
        subscriptions_max: settings.miners_max,
        notices_per_hour: settings.notices_per_hour,
        tries_per_hour: settings.tries_per_hour,
        codes_per_day: settings.codes_per_day,
        look_every: settings.look_every,
        pool_name: config.pool.name.clone(),
        unit: config.unit(),
        takes_addresses: !config.is_evaluated()
            || config.pool.payout_addresses.format() != AddressFormat::Nothing,
    }))
}

/// The server that takes mail to miners, if there is one.
///
/// # Errors
/// If its settings are none.
pub(super) fn mail(settings: &MinerNotificationsConfig) -> Result<Option<Mail>, StartError> {
    open_mail(settings).map_err(|why| StartError::Settings(format!("miner_notifications.{why}")))
}

fn open_mail(settings: &MinerNotificationsConfig) -> Result<Option<Mail>, String> {
    let Some(url) = &settings.mail_url else {
        let is_half = settings.mail_from.is_some()
            || settings.mail_user.is_some()
            || settings.mail_secret_file.is_some();
        return match is_half {
            true => Err("mail_url is missing, without which there is no mail".to_owned()),
            false => Ok(None),
        };
    };
    let from = settings
        .mail_from
        .as_deref()
        .ok_or("mail_from is missing: from whom mail is")?;
    let password = settings
        .mail_secret_file
        .as_deref()
        .map(read)
        .transpose()
        .map_err(|why| format!("mail_{why}"))?;
    let login = match (&settings.mail_user, password) {
        (Some(user), Some(password)) => Some((user.clone(), password)),
        (None, None) => None,
        _ => return Err("mail_user and mail_secret_file (with the password) go together".to_owned()),
    };
    let mail = Mail::new(url, login, from, &[]);
    mail.map(Some).map_err(|error| format!("mail_{error}"))
}
