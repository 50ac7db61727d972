//! What a front does until it leads: it says that it lives, sees who leads, and passes on whoever comes to it.
//!
//! A pool whose ledger is a file, or that is alone on its database, leads at once.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use dwarves_keys::PoolKey;
use dwarves_ports::fronts::Fronts;
use dwarves_relay::Relay;
use dwarves_store_postgres::{Front, NewFront, OpenError, PostgresOptions, PostgresStore};
use dwarves_system::SystemRandomness;
use tokio::sync::watch;

use super::lead::{Database, Lead};
use super::ledger::{self, in_database};
use super::linking::{self, Ending, Serving};
use super::listen_file::{self, Addresses};
use super::service;
use super::signals;
use super::sockets::Sockets;
use super::{StartError, passing_on, synapse, validators};
use crate::config::{ChainKind, Config};

/// How often a front that starts looks whether it may lead while no other one does, and how long between.
const AT_ONCE_LOOKS: u32 = 60;
const AT_ONCE_PAUSE: Duration = Duration::from_millis(50);
/// How often it is looked who leads, if nothing is heard.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Every listener, by its setting, with where it is configured to listen.
pub(super) fn listeners(config: &Config) -> Vec<(String, SocketAddr)> {
    let mut listeners = vec![("http".to_owned(), config.http.listen)];
    let stratum = config.stratum.named_listeners().into_iter();
    let bittensor = config.bittensor.listen.into_iter();
    listeners.extend(bittensor.map(|listen| (synapse::SETTING.to_owned(), listen)));
    let validators = config.validators.listen.into_iter();
    listeners.extend(validators.map(|listen| (validators::SETTING.to_owned(), listen)));
    let links = config.front.listen.into_iter();
    listeners.extend(links.map(|listen| (dwarves_link::SETTING.to_owned(), listen)));
    listeners.extend(stratum.map(|(setting, listener)| (setting, listener.listen)));
    listeners
}

/// What came of waiting.
pub enum Waited {
    /// This front leads.
    Leads(Box<Lead>),
    /// Somebody wants the process to stop, who is this.
    Stopped(&'static str),
}

/// Waits until this process may be the pool.
///
/// # Errors
/// See [`StartError`].
pub async fn wait_for_lead(config: &Config, data_dir: &Path, sockets: Sockets) -> Result<Waited, StartError> {
    let Some(options) = ledger::database(config)? else {
        return Ok(Waited::Leads(Box::new(Lead {
            sockets,
            database: None,
        })));
    };
    std::fs::create_dir_all(data_dir).map_err(|source| StartError::DataDir {
        path: data_dir.to_owned(),
        source,
    })?;
    ledger::key_must_be_there(config, data_dir)?;
    let pool_key = PoolKey::open_or_create(data_dir, &SystemRandomness)?;
    let sockets = sockets.open_all(&listeners(config))?;
    let again = sockets.again().map_err(StartError::Relay)?;
    let new = NewFront {
        name: config.front.name(),
        hotkey: pool_key.hotkey(),
        listeners: again
            .iter()
            .map(|(setting, at, _)| (setting.clone(), *at))
            .collect(),
        address: config.front.address.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    drop(again);
    let front = Front::join(&options, &new).map_err(|source| in_database(&options, source))?;
    match lead_at_once(&options, front).await? {
        Ok(store) => Ok(leads(&options, sockets, store)),
        Err(front) => stand_by(config, data_dir, &options, sockets, pool_key, front).await,
    }
}

/// Takes the lead, unless another front has it. What the process before of this very front left at the server is over in
/// a moment.
async fn lead_at_once(
    options: &PostgresOptions,
    mut front: Front,
) -> Result<Result<PostgresStore, Front>, StartError> {
    for _ in 0..AT_ONCE_LOOKS {
        front = match try_to_lead(options, front).await? {
            Ok(store) => return Ok(Ok(store)),
            Err(front) => front,
        };
        let another_leads = {
            let seen = front.seen();
            let seen = seen.borrow();
            seen.leader().is_some_and(|leader| leader.number != seen.this)
        };
        if another_leads {
            break;
        }
        tokio::time::sleep(AT_ONCE_PAUSE).await;
    }
    Ok(Err(front))
}

fn leads(options: &PostgresOptions, sockets: Sockets, store: PostgresStore) -> Waited {
    log::info!("the ledger is the {}", options.place());
    Waited::Leads(Box::new(Lead {
        sockets,
        database: Some(Database(store)),
    }))
}

/// Takes the lead, if it may be taken now. The front, if it may not, or another one was quicker.
async fn try_to_lead(
    options: &PostgresOptions,
    front: Front,
) -> Result<Result<PostgresStore, Front>, StartError> {
    if !*front.may_lead().borrow() {
        return Ok(Err(front));
    }
    let options = options.clone();
    // Others are passed on meanwhile, if there is anybody to pass them on to.
    let place = options.clone();
    let led = tokio::task::spawn_blocking(move || PostgresStore::lead(&options, front)).await;
    match led {
        Ok(Ok(store)) => Ok(Ok(store)),
        Ok(Err(failed)) => match *failed {
            // Whoever was quicker leads, or the server is away and comes back.
            (front, OpenError::InUse(_) | OpenError::Connect(_) | OpenError::ReadOnly) => Ok(Err(front)),
            (_, source) => Err(in_database(&place, source)),
        },
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

async fn stand_by(
    config: &Config,
    data_dir: &Path,
    options: &PostgresOptions,
    sockets: Sockets,
    pool_key: PoolKey,
    mut front: Front,
) -> Result<Waited, StartError> {
    if config.chain.kind == ChainKind::Devnet && !config.is_evaluated() {
        return Err(StartError::Settings(
            "chain.kind: the devnet is inside one process, so it cannot be led by another front; several fronts need nodes \
             (chain.kind = \"node\")"
                .to_owned(),
        ));
    }
    let (gate, of_sessions) = watch::channel(None);
    let relays = passing_on::common(config, &sockets, front.seen(), of_sessions)?;
    let others = passing_on::entrances(config, &sockets, |setting| !linking::is_of_stratum(setting));
    let relay = Relay::start(others.map_err(StartError::Relay)?, &relays).map_err(StartError::Relay)?;
    let serving = match config.stratum.named_listeners().is_empty() {
        true => None,
        false => Some(Serving::begin(linking::StandingBy {
            config: config.clone(),
            data_dir: data_dir.to_owned(),
            pool_key,
            seen: front.seen(),
            lease: front.lease(),
            sockets: sockets.try_clone().map_err(StartError::Relay)?,
            relays,
            gate,
        })),
    };
    let (mut seen, mut may_lead) = (front.seen(), front.may_lead());
    let (_never, nobody) = watch::channel(false);
    let stopped = signals::stop_wanted(nobody);
    tokio::pin!(stopped);
    let mut manager = service::StandingBy::begin();
    let mut said = String::new();
    let mut was_open = None;
    loop {
        let state = state(&seen.borrow_and_update(), config.front.peers.is_empty());
        if state != said {
            log::info!("{state}");
            said = state;
        }
        manager.tell(&said);
        tokio::select! {
            why = &mut stopped => {
                let why = why.map_err(StartError::Signals)?;
                say_where(data_dir, &sockets, None);
                if let Some(serving) = serving {
                    serving.end(Ending::Stops).await;
                }
                return Ok(Waited::Stopped(why));
            }
            _ = seen.changed() => {}
            _ = may_lead.changed() => {}
            // The service manager is to hear of it also while the database is away.
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let is_led = seen.borrow().leader().is_some();
        let may_come = is_led && !config.front.peers.is_empty();
        if was_open != Some(may_come) {
            say_where(data_dir, &sockets, Some(may_come));
            was_open = Some(may_come);
        }
        front = match try_to_lead(options, front).await? {
            Ok(store) => {
                if let Some(serving) = serving {
                    serving.end(Ending::Leads).await;
                }
                drop(relay);
                return Ok(leads(options, sockets, store));
            }
            Err(front) => front,
        };
    }
}

/// What it does, in one line: for the log and the service manager.
fn state(fronts: &Fronts, passes_nobody_on: bool) -> String {
    if let Some(why) = &fronts.unreached {
        return format!("standing by; the ledger cannot be asked: {why}");
    }
    let who = match fronts.leader() {
        Some(leader) if leader.lives() => format!("{} (front {}) leads", leader.name, leader.number),
        Some(leader) => format!("{} (front {}) led and is silent", leader.name, leader.number),
        None => "no front leads".to_owned(),
    };
    let nobody = match passes_nobody_on {
        true => "; nobody is passed on to it, because front.peers is empty",
        false => "",
    };
    format!(
        "standing by as {} (front {}); {who}{nobody}",
        fronts.name(),
        fronts.this
    )
}

/// Writes where this front listens: at once for its operator, and for miners while they are passed on.
fn say_where(data_dir: &Path, sockets: &Sockets, may_come: Option<bool>) {
    let said = listen_file::remove(data_dir).and_then(|()| {
        let Some(may_come) = may_come else {
            return Ok(());
        };
        let addresses = addresses(sockets.again()?.into_iter());
        listen_file::write(data_dir, listen_file::LISTENING, &addresses)?;
        match may_come {
            true => listen_file::write(data_dir, listen_file::FILE_NAME, &addresses),
            false => Ok(()),
        }
    });
    if let Err(error) = said {
        log::error!("where this front listens cannot be written down: {error}");
    }
}

fn addresses(sockets: impl Iterator<Item = (String, SocketAddr, TcpListener)>) -> Addresses {
    let all: Vec<_> = sockets.map(|(setting, at, _)| (setting, at)).collect();
    let of = |name: &str| all.iter().find(|(setting, _)| setting == name).map(|(_, at)| *at);
    let stratum = all.iter().filter(|(setting, _)| setting.starts_with("stratum"));
    Addresses {
        // There always is one.
        http: of("http").unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0))),
        stratum: stratum.map(|(_, at)| *at).collect(),
        bittensor: of(synapse::SETTING),
        validators: of(validators::SETTING),
    }
}
