//! The wiring: the one place that knows every actor, thread and file, and the order in which they begin and end.
//!
//! | module | its one job |
//! |---|---|
//! | `announce` | who tells what happens |
//! | `connect` | how miners connect, as they are told |
//! | `chain` | the chain that the configuration asks for |
//! | `evaluator` | those who evaluate work |
//! | `http_server` | the HTTP server and the handlers of its workers |
//! | [`ledger`] | the ledger, wherever it is kept |
//! | [`standing_by`] | what a front does until it leads |
//! | `json_rpc` | who remembers jobs for miners that know no other way |
//! | `operator` | the operator's door |
//! | `settings` | the configuration, in the actors' terms |
//! | `stratum` | the Stratum server: its threads, gate and handlers |
//! | `stratum_listeners` | the ports that it is served on, with their certificates |
//! | `synapse` | the listener for dendrites |
//! | `watches` | who may look at miners |
//! | `validators` | the listener for validators |
//! | `error` | why the pool does not start |
//! | [`signals`] | what stops the process |
//! | [`listen_file`] | `listen.json` |
//! | [`sockets`] | listening sockets that the service manager opened |
//! | [`service`] | what the service manager hears of the pool |
//! | `halt` | the emergency stop |

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix::Actor;
use actix_rt::Arbiter;
use actix_web::dev::ServerHandle;
use dwarves_actors::ask::Port;
use dwarves_actors::assembly::{self, Placement, PoolPorts, World};
use dwarves_actors::handlers::admin::{AdminHandler, AdminHandlerParts};
use dwarves_actors::pool_manager::messages::{ReadPool, Stop};
use dwarves_actors::pool_manager::settings::Effective;
use tokio::sync::watch;

use crate::config::Config;
use dwarves_http::{HttpDeps, HttpLimits};
use dwarves_link::Exchange;
use dwarves_system::SystemRandomness;

mod announce;
mod chain;
mod connect;
mod error;
mod evaluator;
mod ground;
mod halt;
mod hashing;
mod http_server;
mod json_rpc;
pub mod lead;
pub mod ledger;
mod linking;
pub mod listen_file;
mod miner_notifications;
mod notifications;
mod operator;
mod passing_on;
pub mod service;
mod settings;
mod sides;
pub mod sockets;
pub mod standing_by;

pub mod signals;
mod stratum;
mod stratum_listeners;
mod synapse;
mod trying;
mod validators;
mod watches;

use chain::OpenChain;
pub use chain::{node_endpoints, payout_address, wallet_node};
pub use error::StartError;
use ground::Ground;
use hashing::Hashing;
pub use hashing::chosen_lanes;
use http_server::{BoundServer, HandlerParts, HttpGateParts};
use lead::{Database, Lead, Others};
use listen_file::Addresses;
pub use settings::devnet_params;
pub use sides::{OpenSides, open_sides};
use standing_by::listeners;
use stratum::{RunningStratum, StratumNeeds};
use stratum_listeners::BoundStratum;
use synapse::{BoundSynapse, RunningSynapse};
pub use trying::{try_files, try_listeners};
use validators::{BoundValidators, RunningValidators};

/// How long requests that were begun may take to finish when the pool stops.
pub(crate) const HTTP_DRAIN: Duration = Duration::from_secs(5);
/// How long the actors may take to finish when the pool stops.
const ACTORS_DRAIN: Duration = Duration::from_secs(35);
/// How long all of it may take: the requests, the Stratum sessions, the actors, then the files. A unit of systemd must
/// allow more (`TimeoutStopSec=`).
pub const STOP_MAX: Duration = Duration::from_secs(75);
/// How long connections are served that were accepted just before the server takes no more: whoever connects later waits
/// for the next process, if the socket is not this one's own.
const LAST_ACCEPTED: Duration = Duration::from_millis(100);

/// A pool at work.
pub struct RunningPool {
    /// The address on which the API really listens.
    pub http: SocketAddr,
    /// Where it listens for Stratum.
    pub stratum: Vec<SocketAddr>,
    /// Turns true when an admin wants the process to stop.
    pub stop_wanted: watch::Receiver<bool>,
    data_dir: PathBuf,
    read: Port<ReadPool>,
    stopping: watch::Sender<bool>,
    server: ServerHandle,
    served: actix_rt::task::JoinHandle<io::Result<()>>,
    stratum_server: RunningStratum,
    exchange: Option<Exchange>,
    synapse_server: RunningSynapse,
    validators_server: RunningValidators,
    stop: Port<Stop>,
    managers: Arbiter,
    chain: OpenChain,
}

/// As [`start_on`], with sockets of its own and a ledger in a file.
///
/// # Errors
/// See [`StartError`].
pub async fn start(
    config: &Config,
    data_dir: &Path,
    effective: Vec<Effective>,
) -> Result<RunningPool, StartError> {
    start_on(config, data_dir, effective, Lead::default()).await
}

/// Starts the pool; `effective` are its settings with where each comes from, for `status`. It listens on the sockets that
/// came with the lead, and opens those that did not. It is ready for miners a moment later, when [`listen_file`] has been
/// written.
///
/// # Errors
/// See [`StartError`].
pub async fn start_on(
    config: &Config,
    data_dir: &Path,
    effective: Vec<Effective>,
    lead: Lead,
) -> Result<RunningPool, StartError> {
    let Lead { sockets, database } = lead;
    let (bittensor, validators) = (config.bittensor.listen, config.validators.listen);
    let mut handed_over = sockets.share_out(&listeners(config))?.into_iter();
    let bound = BoundServer::bind("http", config.http.listen, handed_over.next().flatten())?;
    let http = bound.address;
    let of_synapse = bittensor.and_then(|_| handed_over.next()).flatten();
    let bound_synapse = BoundSynapse::bind(config, of_synapse)?;
    let of_validators = validators.and_then(|_| handed_over.next()).flatten();
    let bound_validators = BoundValidators::bind(config, of_validators)?;
    let front_socket = linking::socket(config, &mut handed_over);
    let bound_stratum = BoundStratum::bind(config, handed_over)?;
    let stratum = bound_stratum.addresses();
    let others = database.as_ref().and_then(Database::others);
    let ground = Ground::open(config, data_dir, database).await?;
    let script = &ground.chain.payout_script;
    let addresses = ground.chain.addresses;
    let mut settings =
        settings::pool_settings(config, &ground.pool_key, script, addresses, &SystemRandomness)?;
    let front_end = others.as_ref().map_or(config.pool.front_end, Others::front_end);
    settings.work.front_end = front_end;
    settings.effective = effective;
    settings.notifier = notifications::notifier(config)?;
    settings.miner_notifier = miner_notifications::notifier(config, &ground.pool_key)?;
    let managers = Arbiter::new();
    let (stop_sender, stop_wanted) = watch::channel(false);
    let (stopping, stopped) = watch::channel(false);
    let world = World {
        store: Arc::clone(&ground.store),
        trade: ground.chain.trade()?,
        clock: Arc::clone(&ground.clock),
        halt: Arc::new(halt::ProcessHalt),
        stop: stop_sender,
    };
    let ports = assembly::start(settings, world, &Placement::Arbiter(managers.handle())).await?;
    if let Some(others) = &others {
        others.end_when_superseded(Arc::new(halt::ProcessHalt));
    }
    let admin = AdminHandler::new(AdminHandlerParts {
        admins: config.admin.hotkeys.iter().copied().collect(),
        deliver: ports.deliver.clone(),
        ledger: ports.commit.clone(),
        clock: Arc::clone(&ground.clock),
    })
    .start();
    let operator = operator::start(&ground, &ports).await?;
    let events = announce::start(&ground, &ports)?;
    let needs = StratumNeeds::led_here(&ground, &ports, front_end);
    let exchange = front_socket.map(|socket| linking::exchange(socket, &ground, &needs, &ports));
    let connect = connect::connect(config, http, &bound_stratum);
    let deps = HttpDeps {
        ports: dwarves_http::PoolPorts {
            control: Port::new(&admin),
            authorize: Port::new(&admin),
            miner: ports.read_miner.clone(),
            miners: ports.read_miners.clone(),
            schedule: ports.read_schedule.clone(),
            work: ports.read_work.clone(),
            records: ports.read_records.clone(),
            blocks: ports.read_blocks.clone(),
            payouts: ports.read_payouts.clone(),
            clock: ports.read_clock.clone(),
            waiting: ports.read_waiting.clone(),
            pool: ports.read_pool.clone(),
            operator,
            bans: ports.read_bans.clone(),
            watches: watches::start(&ground, &ports),
            notifications: ports.notifications.clone(),
        },
        store: Arc::clone(&ground.shown),
        clock: Arc::clone(&ground.clock),
        proxies: http_server::proxies(config),
        privacy: config.privacy.rule(),
        sessions: ground.pool_key.session_key(),
        admin_token: dwarves_http::AdminToken::new(ground.admin_token.text()),
        operator: operator::rules(config, &ground),
        pool_hotkey: ground.pool_key.hotkey(),
        pool_name: config.pool.name.clone(),
        chain_name: ground.chain.name.to_owned(),
        algorithm: config.chain.algorithm,
        json_rpc: json_rpc::start(config, &ground, &ports, http, &stratum),
        addresses,
        limits: HttpLimits {
            body_bytes: config.http.body_limit_bytes,
            bodies_bytes: config.limits.shared(config.http.bodies_bytes),
            long_poll: config.http.longpoll.to_std(),
            event_streams: http_server::event_streams(config),
            ..HttpLimits::default()
        },
        events,
        files: operator::files(config, data_dir),
        connect,
        unit: config.unit(),
        evaluation: ports
            .evaluator
            .as_ref()
            .map(|evaluator| evaluator::deps(config, evaluator)),
        links: others
            .as_ref()
            .map(|others| others.links(exchange.as_ref().map(Exchange::fronts))),
        fronts: others.map(|others| others.seen),
        stopping: stopped,
    };
    let hashing = Hashing::start(config)?;
    stratum::allow_files(config);
    let stratum_server = bound_stratum.start(config, &needs, &hashing);
    let parts = handler_parts(config, &ground, &ports, hashing);
    let deps = Arc::new(deps);
    let bittensor = bound_synapse.address();
    let synapse_server = bound_synapse.start(config, &deps, &parts, &ports)?;
    let validators = bound_validators.address();
    let validators_server = bound_validators.start(config, &deps, &parts, &ports)?;
    let (server, handle) = bound.start(config, deps, parts)?;
    log::info!(
        "listening on http://{http} workers={}",
        http_server::worker_count(&config.http)
    );
    listen_file::announce(
        ports.read_pool.clone(),
        data_dir.to_owned(),
        Addresses {
            http,
            stratum: stratum.clone(),
            bittensor,
            validators,
        },
    );
    Ok(RunningPool {
        http,
        stratum,
        stratum_server,
        exchange,
        synapse_server,
        validators_server,
        stop_wanted,
        data_dir: data_dir.to_owned(),
        read: ports.read_pool,
        stopping,
        server: handle,
        served: actix_rt::spawn(server),
        stop: ports.stop,
        managers,
        chain: ground.chain,
    })
}

fn handler_parts(config: &Config, ground: &Ground, ports: &PoolPorts, hashing: Hashing) -> HandlerParts {
    HandlerParts {
        registration: settings::registration(config, ground.pool_key.hotkey(), ground.chain.addresses),
        registration_peers: ports.registration.clone(),
        submission_limits: settings::submission(config),
        submission_peers: ports.submission.clone(),
        sessions: ground.pool_key.session_key(),
        batches: ground.pool_key.batch_key(),
        job_key: ground.pool_key.job_key(),
        clock: Arc::clone(&ground.clock),
        hashing,
        http_gate: HttpGateParts::start(config, &ground.clock, ports),
    }
}

impl RunningPool {
    /// Says to the service manager, if there is one, that the pool listens, and how it is for as long as it runs.
    pub fn tell_service_manager(&self) {
        let where_it_listens = format!("http://{}", self.http);
        service::attend(self.read.clone(), !self.stratum.is_empty(), where_it_listens);
    }

    /// Stops everything in order: no new requests, those that were begun finish, the round in flight closes,
    /// what only memory knows is saved, the ledger closes, the threads end. Returns whether every step was in
    /// time; what was not is made good from the store at the next start.
    pub async fn stop(self) -> bool {
        if let Err(error) = listen_file::remove(&self.data_dir) {
            log::warn!("{} cannot be removed: {error}", listen_file::FILE_NAME);
        }
        // The server drops connections that it has accepted and not begun to serve, so it stops to accept first.
        self.server.pause().await;
        self.synapse_server.pause().await;
        self.validators_server.pause().await;
        actix_rt::time::sleep(LAST_ACCEPTED).await;
        // Nobody listening is as good: then there are no HTTP workers.
        let _told = self.stopping.send(true);
        self.stratum_server.close().await;
        // Other fronts' sessions end with their links, once what they sent is answered: the actors drain below.
        drop(self.exchange);
        let ((), synapses_served, validators_served) = tokio::join!(
            self.server.stop(true),
            self.synapse_server.stop(),
            self.validators_server.stop()
        );
        let served = matches!(self.served.await, Ok(Ok(()))) && synapses_served && validators_served;
        let drained = self.stop.ask(Stop, ACTORS_DRAIN).await;
        if let Err(error) = drained {
            log::error!("stopping overran: {error}");
        }
        let stratum_joined = self.stratum_server.join();
        self.managers.stop();
        let joined = self.managers.join().is_ok();
        self.chain.close().await;
        log::info!("stopped");
        served && drained.is_ok() && joined && stratum_joined
    }
}
