//! The listener for dendrites: as the HTTP server, with handlers of its own and the synapses' routes.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix::Actor;
use actix_web::dev::ServerHandle;
use dwarves_actors::ask::Port;
use dwarves_actors::assembly::PoolPorts;
use dwarves_actors::handlers::rate::SharedRate;
use dwarves_actors::metagraph::AttachMetagraph;
use dwarves_domain::metagraph::Metagraph;
use dwarves_domain::signature::Window;
use dwarves_http::{HttpDeps, HttpState, ServerLimits};
use dwarves_ports::clock::SharedClock;
use dwarves_synapse::metagraph::MetagraphReader;
use dwarves_synapse::{Gate, GuestRules, SynapseDeps, TurnLimits};
use tokio::sync::watch;

use super::StartError;
use super::http_server::{BoundServer, HandlerParts, cannot_listen, server_limits, worker_count};
use crate::config::{BittensorConfig, Config};

/// The name of its socket, for a service manager that hands it over.
pub(super) const SETTING: &str = "bittensor";

/// A bound listener that does not answer yet, if there is to be one.
pub(super) struct BoundSynapse(Option<BoundServer>);

/// The server at work, if there is one.
pub(super) struct RunningSynapse(Option<(ServerHandle, actix_rt::task::JoinHandle<io::Result<()>>)>);

impl BoundSynapse {
    /// Binds, if no socket was handed over.
    pub(super) fn bind(config: &Config, handed_over: Option<TcpListener>) -> Result<Self, StartError> {
        let listen = config.bittensor.listen;
        let bound = listen.map(|listen| BoundServer::bind(SETTING, listen, handed_over));
        bound.transpose().map(Self)
    }

    /// Where it listens.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.0.as_ref().map(|bound| bound.address)
    }

    /// Begins to answer.
    pub(super) fn start(
        self,
        config: &Config,
        deps: &Arc<HttpDeps>,
        parts: &HandlerParts,
        ports: &PoolPorts,
    ) -> Result<RunningSynapse, StartError> {
        let Some(BoundServer { listener, address }) = self.0 else {
            return Ok(RunningSynapse(None));
        };
        let bittensor = &config.bittensor;
        let synapse = SynapseDeps {
            pool: deps.pool_hotkey,
            admit: ports.admit_call.clone(),
            window: Window {
                back: bittensor.window_back,
                ahead: bittensor.window_ahead,
            },
            gate: gate(bittensor, &parts.clock, ports),
            turns: turns(config),
        };
        let mut parts = parts.clone();
        parts.registration.signatures_per_sec = SharedRate {
            total: bittensor.signed_calls_per_sec,
            per_client: config.limits.share_of(bittensor.signed_calls_per_sec),
        };
        let deps = Arc::clone(deps);
        let state = move || HttpState::new(Arc::clone(&deps), parts.start());
        let routes = move |cfg: &mut actix_web::web::ServiceConfig| dwarves_synapse::mount(cfg, &synapse);
        let limits = limits(config);
        let workers = limits.workers;
        let refusing = dwarves_synapse::fault::told;
        let server = dwarves_http::serve_routes(listener, limits, state, routes, refusing)
            .map_err(|source| cannot_listen(SETTING, address, source))?;
        log::info!("listening for dendrites on http://{address} workers={workers}");
        let handle = server.handle();
        Ok(RunningSynapse(Some((handle, actix_rt::spawn(server)))))
    }
}

/// Binds as [`BoundSynapse::bind`] does, for a look at the settings; what was bound is kept in `open`.
pub(super) fn try_listener(
    config: &Config,
    is_running: bool,
    open: &mut Vec<BoundServer>,
) -> Option<(String, Result<String, StartError>)> {
    let listen = config.bittensor.listen?;
    let tried = if is_running {
        Ok(format!("{listen}, in use by the running pool"))
    } else {
        BoundServer::bind(SETTING, listen, None).map(|bound| {
            let detail = bound.address.to_string();
            open.push(bound);
            detail
        })
    };
    Some((format!("{SETTING}.listen"), tried))
}

/// How many threads serve calls, if any do.
pub(super) fn workers(config: &Config) -> usize {
    match (config.bittensor.listen, config.bittensor.workers) {
        (None, _) => 0,
        (Some(_), 0) => worker_count(&config.http),
        (Some(_), chosen) => chosen,
    }
}

/// Nonces of calls that may have to be remembered at once.
pub(super) fn nonces(config: &Config) -> usize {
    config
        .bittensor
        .nonces_of_worker()
        .saturating_mul(workers(config))
}

fn limits(config: &Config) -> ServerLimits {
    let workers = workers(config);
    let mut limits = server_limits(config);
    limits.workers = workers;
    limits.connections.places = config
        .limits
        .shared(config.bittensor.max_connections.div_ceil(workers.max(1)));
    // There is nothing for operators here.
    limits.connections.reserved = 0;
    limits
}

fn turns(config: &Config) -> TurnLimits {
    let BittensorConfig {
        calls_at_once,
        calls_waiting,
        ..
    } = config.bittensor;
    TurnLimits {
        at_once: calls_at_once,
        waiting: calls_waiting,
        per_client: config.limits.shared(calls_at_once + calls_waiting).per_client,
    }
}

fn gate(bittensor: &BittensorConfig, clock: &SharedClock, ports: &PoolPorts) -> Gate {
    let (tell, metagraph) = watch::channel(Arc::new(Metagraph::default()));
    if let Some(file) = &bittensor.metagraph {
        let reader = MetagraphReader::new(file.clone(), Arc::clone(clock), tell).start();
        let attach = AttachMetagraph(Port::new(&reader));
        if ports.attach_metagraph.post(attach).is_err() {
            log::error!("the pool manager does not know the metagraph; status does not show it");
        }
    }
    let allowed = &bittensor.allow_hotkeys;
    let rules = GuestRules {
        allowed: (!allowed.is_empty()).then(|| allowed.iter().copied().collect()),
        registered: bittensor.require_registration,
        stake_least: bittensor.min_stake,
    };
    Gate::new(rules, metagraph)
}

impl RunningSynapse {
    /// Takes no more connections.
    pub(super) async fn pause(&self) {
        if let Some((handle, _)) = &self.0 {
            handle.pause().await;
        }
    }

    /// Ends when the calls that were begun have been answered. Returns whether it ended in good order.
    pub(super) async fn stop(self) -> bool {
        let Some((handle, served)) = self.0 else {
            return true;
        };
        handle.stop(true).await;
        matches!(served.await, Ok(Ok(())))
    }
}
