//! Links between fronts: the one that leads takes them, and one that stands by serves Stratum itself while it has one.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dwarves_actors::ask::Port;
use dwarves_actors::assembly::PoolPorts;
use dwarves_actors::gate::ReadGate;
use dwarves_domain::work::FrontEnd;
use dwarves_keys::PoolKey;
use dwarves_link::{Dialing, Exchange, Exchanging, LinkKey, Linked};
use dwarves_ports::clock::SharedClock;
use dwarves_ports::fronts::{FrontRow, Fronts};
use dwarves_relay::{Common, Relay};
use dwarves_system::clock::PoolClock;
use tokio::sync::watch;

use super::StartError;
use super::chain::OpenChain;
use super::ground::Ground;
use super::hashing::Hashing;
use super::lead::front_end_of;
use super::passing_on::entrances;
use super::sockets::{self, Sockets};
use super::stratum::{self, RunningStratum, StratumNeeds};
use super::stratum_listeners::BoundStratum;
use crate::config::Config;

/// How long miners wait for a link before they are passed on.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long is waited until it is tried again to link this front.
const AGAIN: Duration = Duration::from_secs(1);
/// Lives of sessions' servers that are no lives of the pool, of which there are not so many: see [`life_of`].
const LIFE_APART: u32 = 1 << 31;
/// Of such a life, the bits that count the links of one process.
const LINK_BITS: u32 = 8;

/// The socket for links, if there are to be any.
pub(super) fn socket(
    config: &Config,
    handed_over: &mut impl Iterator<Item = Option<TcpListener>>,
) -> Option<TcpListener> {
    config.front.listen.and_then(|_| handed_over.next()).flatten()
}

/// Opens the listener and closes it again; see [`super::try_listeners`].
pub(super) fn try_listener(
    config: &Config,
    is_running: bool,
) -> Option<(String, Result<String, StartError>)> {
    let listen = config.front.listen?;
    let setting = format!("{}.listen", dwarves_link::SETTING);
    let tried = match is_running {
        true => Ok(format!("{listen}, in use by the running pool")),
        false => sockets::open(listen)
            .map(|_| listen.to_string())
            .map_err(|source| StartError::Bind {
                setting: setting.clone(),
                listen,
                source,
            }),
    };
    Some((setting, tried))
}

/// Takes links of the fronts that stand by.
pub(super) fn exchange(
    socket: TcpListener,
    ground: &Ground,
    needs: &StratumNeeds,
    ports: &PoolPorts,
) -> Exchange {
    let parts = Exchanging {
        key: LinkKey::new(ground.pool_key.link_secret()),
        job_key: needs.job_key.clone(),
        addresses: needs.addresses,
        front_end: needs.front_end,
        submission: needs.submission.clone(),
        join: needs.join.clone(),
        watch_miners: needs.watch_miners.clone(),
        look_for_tip: ports.look_for_tip.clone(),
        clock: Arc::clone(&ground.clock),
    };
    Exchange::start(socket, parts)
}

/// What a front needs that stands by to serve miners.
pub(super) struct StandingBy {
    pub(super) config: Config,
    pub(super) data_dir: PathBuf,
    pub(super) pool_key: PoolKey,
    pub(super) seen: watch::Receiver<Fronts>,
    pub(super) lease: u64,
    pub(super) sockets: Sockets,
    pub(super) relays: Common,
    /// Where it is said who knows of the sessions that are served here.
    pub(super) gate: watch::Sender<Option<Port<ReadGate>>>,
}

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The process stops: what miners sent is answered first, by the front that leads.
    Stops,
    /// The front that led is gone, and answers nothing any more.
    Leads,
}

/// Miners on Stratum at a front that stands by: served here whenever there is a link, and passed on otherwise.
pub(super) struct Serving {
    stop: watch::Sender<Option<Ending>>,
    task: actix_rt::task::JoinHandle<()>,
}

impl Serving {
    /// Begins.
    pub(super) fn begin(standing_by: StandingBy) -> Self {
        let (stop, stopped) = watch::channel(None);
        let task = actix_rt::spawn(async move {
            if let Err(error) = serve(standing_by, stopped).await {
                log::error!("no miner can be served here while this front stands by: {error}");
            }
        });
        Self { stop, task }
    }

    /// Ends it, with its sessions and its threads.
    pub(super) async fn end(self, how: Ending) {
        // It may have ended by itself.
        let _gone = self.stop.send(Some(how));
        if self.task.await.is_err() {
            log::error!("what serves miners at a front that stands by panicked");
        }
    }
}

async fn serve(
    standing_by: StandingBy,
    mut stopped: watch::Receiver<Option<Ending>>,
) -> Result<(), StartError> {
    let clock: SharedClock = Arc::new(PoolClock::start());
    let hashing = Hashing::start(&standing_by.config)?;
    stratum::allow_files(&standing_by.config);
    let mut chain = None;
    let mut links = 0;
    let mut said = String::new();
    // Kept while it is tried to link this front, again and again: whoever is passed on stays so until there is a link.
    let mut relay = None;
    loop {
        let tried = {
            let link = try_to_link(&standing_by, &clock, &mut chain);
            tokio::pin!(link);
            loop {
                tokio::select! {
                    _ = stopped.wait_for(Option::is_some) => break None,
                    tried = &mut link => break Some(tried),
                    () = tokio::time::sleep(PATIENCE), if relay.is_none() => relay = Some(pass_on(&standing_by)?),
                }
            }
        };
        let linked = match tried {
            None => break,
            Some(Ok(linked)) => linked,
            Some(Err(why)) => {
                if why != said {
                    log::info!("miners on Stratum are passed on: {why}");
                    said = why;
                }
                if relay.is_none() {
                    relay = Some(pass_on(&standing_by)?);
                }
                tokio::select! {
                    _ = stopped.wait_for(Option::is_some) => break,
                    () = until_linkable(&standing_by) => continue,
                }
            }
        };
        relay = None;
        said.clear();
        let Some(open) = &chain else {
            continue;
        };
        let needs = StratumNeeds {
            life: life_of(standing_by.lease, links),
            front_end: front_end(&standing_by),
            submission: linked.submission.clone(),
            join: linked.join.clone(),
            watch_miners: linked.watch_miners.clone(),
            attach_gate: None,
            clock: Arc::clone(&clock),
            job_key: standing_by.pool_key.job_key(),
            addresses: open.addresses,
        };
        links += 1;
        let running = listen(&standing_by, &needs, &hashing)?;
        standing_by.relays.set_linked(true);
        standing_by.gate.send_replace(running.read());
        log::info!("miners on Stratum are served here, by a link with the front that leads");
        let mut over = linked.over.clone();
        let why = tokio::select! {
            _ = stopped.wait_for(Option::is_some) => "this front does not stand by any more".to_owned(),
            over = over.wait_for(Option::is_some) => over.ok().and_then(|why| why.clone()).unwrap_or_default(),
        };
        log::info!("the link with the front that leads is over: {why}");
        standing_by.relays.set_linked(false);
        standing_by.gate.send_replace(None);
        let is_answered = *stopped.borrow() == Some(Ending::Stops);
        if is_answered {
            running.close().await;
        }
        linked.close();
        running.close().await;
        running.join();
    }
    if let Some(chain) = chain {
        chain.close().await;
    }
    Ok(())
}

/// Links this front, if there is one that leads and takes links.
async fn try_to_link(
    standing_by: &StandingBy,
    clock: &SharedClock,
    chain: &mut Option<OpenChain>,
) -> Result<Linked, String> {
    let to = leaders_place(&standing_by.seen.borrow())?;
    if chain.is_none() {
        let StandingBy {
            config,
            data_dir,
            pool_key,
            ..
        } = standing_by;
        let opened = OpenChain::open(config, data_dir, pool_key, clock).await;
        *chain = Some(opened.map_err(|error| error.to_string())?);
    }
    let (number, name) = {
        let seen = standing_by.seen.borrow();
        (seen.this, seen.name().to_owned())
    };
    let dialing = Dialing {
        to: to.clone(),
        key: LinkKey::new(standing_by.pool_key.link_secret()),
        number,
        name,
        front_end: front_end(standing_by),
        nodes: chain.as_ref().and_then(OpenChain::shared).map(|(chain, _)| chain),
    };
    let linked = Linked::dial(dialing).await;
    linked.map_err(|error| format!("there is no link with the front at {to}: {error}"))
}

/// Where the front that leads takes links.
fn leaders_place(fronts: &Fronts) -> Result<String, String> {
    let leader = fronts.leader().filter(|leader| leader.lives());
    let leader = leader.ok_or("no front leads")?;
    if leader.number == fronts.this {
        return Err("this front leads".to_owned());
    }
    let place = leader.place(dwarves_link::SETTING).map(str::to_owned);
    place.ok_or_else(|| format!("{} has no front.listen", leader.name))
}

/// Waits until it is worth trying again.
async fn until_linkable(standing_by: &StandingBy) {
    let mut seen = standing_by.seen.clone();
    tokio::time::sleep(AGAIN).await;
    // Without the other end nobody looks at the fronts any more, and this is over soon.
    let _over = seen.wait_for(|fronts| leaders_place(fronts).is_ok()).await;
}

fn front_end(standing_by: &StandingBy) -> FrontEnd {
    front_end_of(standing_by.seen.borrow().this)
}

/// Which life of a sessions' server it is: unlike those of the pool, and unlike all of this front's for long.
fn life_of(lease: u64, links: u32) -> u32 {
    // Only so many bits of a lease fit; what is cut off comes again after millions of processes.
    let lease = u32::try_from(lease & u64::from(u32::MAX)).unwrap_or_default();
    LIFE_APART | (lease << LINK_BITS).wrapping_add(links) & !LIFE_APART
}

fn pass_on(standing_by: &StandingBy) -> Result<Relay, StartError> {
    let entrances = entrances(&standing_by.config, &standing_by.sockets, |setting| {
        is_of_stratum(setting)
    });
    Relay::start(entrances.map_err(StartError::Relay)?, &standing_by.relays).map_err(StartError::Relay)
}

fn listen(
    standing_by: &StandingBy,
    needs: &StratumNeeds,
    hashing: &Hashing,
) -> Result<RunningStratum, StartError> {
    let sockets = standing_by
        .sockets
        .again()
        .map_err(StartError::Relay)?
        .into_iter();
    let of_stratum = sockets.filter(|(setting, ..)| is_of_stratum(setting));
    let bound = BoundStratum::bind(&standing_by.config, of_stratum.map(|(_, _, socket)| Some(socket)))?;
    Ok(bound.start(&standing_by.config, needs, hashing))
}

/// Whether the listener of this setting is one of Stratum.
pub(super) fn is_of_stratum(setting: &str) -> bool {
    setting.starts_with(FrontRow::STRATUM)
}

#[cfg(test)]
mod tests {
    use dwarves_domain::ids::FrontNumber;

    use super::*;

    fn front(number: u32, leads: bool, place: Option<&str>) -> FrontRow {
        FrontRow {
            number: FrontNumber::new(number),
            name: format!("front-{number}"),
            places: place
                .map(|place| (dwarves_link::SETTING.to_owned(), place.to_owned()))
                .into_iter()
                .collect(),
            version: String::new(),
            since: dwarves_domain::time::Timestamp::EPOCH,
            silent: dwarves_domain::time::Span::from_secs(1),
            leads,
        }
    }

    fn seen(all: Vec<FrontRow>) -> Result<String, String> {
        leaders_place(&Fronts {
            this: FrontNumber::new(2),
            all,
            epoch: 1,
            unreached: None,
        })
    }

    #[test]
    fn it_is_linked_to_the_front_that_leads_and_takes_links() {
        let here = "10.0.0.1:3400";
        assert_eq!(
            seen(vec![front(1, true, Some(here)), front(2, false, None)]).unwrap(),
            here
        );
        for (others, why) in [
            (vec![front(1, false, Some(here))], "no front leads"),
            (vec![front(1, true, None)], "front-1 has no front.listen"),
            (vec![front(2, true, Some(here))], "this front leads"),
        ] {
            assert_eq!(seen(others).unwrap_err(), why);
        }
        let silent = FrontRow {
            silent: dwarves_domain::time::Span::from_secs(60),
            ..front(1, true, Some(here))
        };
        assert_eq!(seen(vec![silent]).unwrap_err(), "no front leads");
    }

    #[test]
    fn lives_of_links_are_apart_from_the_pools_and_from_each_other() {
        let mut lives = std::collections::BTreeSet::new();
        for lease in 1..50 {
            for links in 0..200 {
                let life = life_of(lease, links);
                assert!(life >= LIFE_APART);
                assert!(lives.insert(life));
            }
        }
    }
}
