//! The HTTP server: one registration and one submission handler for each of its workers.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix::Actor;
use actix_web::dev::{Server, ServerHandle};
use dwarves_actors::ask::{Outbox, Port};
use dwarves_actors::assembly::PoolPorts;
use dwarves_actors::handlers::registration::{RegistrationHandler, RegistrationPeers, RegistrationSettings};
use dwarves_actors::handlers::submission::ladder::Ladder;
use dwarves_actors::handlers::submission::{SubmissionHandler, SubmissionLimits, SubmissionPeers};
use dwarves_actors::http_gate::{AttachHttpGate, HttpGate, PutOutRig};
use dwarves_domain::limits::SharedLimit;
use dwarves_domain::miners::RigAt;
use dwarves_domain::miners::rejects::Limits;
use dwarves_domain::network::Subnet;
use dwarves_domain::session::SessionKey;
use dwarves_domain::signature::BatchKey;
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::JobKey;
use dwarves_ports::clock::SharedClock;
use tokio::sync::watch;

use super::StartError;
use super::hashing::Hashing;
use super::settings;
use crate::config::{Config, HttpConfig};
use dwarves_http::connections::ConnectionLimits;
use dwarves_http::{HttpDeps, HttpState, ServerLimits, WorkerPorts};

/// What every worker's handlers are made with.
#[derive(Clone)]
pub(super) struct HandlerParts {
    pub(super) registration: RegistrationSettings,
    pub(super) registration_peers: RegistrationPeers,
    pub(super) submission_limits: SubmissionLimits,
    pub(super) submission_peers: SubmissionPeers,
    pub(super) sessions: SessionKey,
    pub(super) batches: BatchKey,
    pub(super) job_key: JobKey,
    pub(super) clock: SharedClock,
    pub(super) hashing: Hashing,
    pub(super) http_gate: HttpGateParts,
}

/// How workers are kept out whose shares are mostly wrong.
#[derive(Clone)]
pub(super) struct HttpGateParts {
    pub(super) limits: Limits,
    pub(super) kept_out: watch::Receiver<Arc<HashMap<RigAt, Timestamp>>>,
    pub(super) gate: Outbox<PutOutRig>,
}

impl HttpGateParts {
    /// Starts the gate that keeps workers out of HTTP.
    pub(super) fn start(config: &Config, clock: &SharedClock, ports: &PoolPorts) -> Self {
        let limits = settings::rejects(config);
        let (tell, kept_out) = watch::channel(Arc::default());
        let gate = HttpGate::new(limits.keep_out, Arc::clone(clock), tell).start();
        let attach = AttachHttpGate {
            read: Port::new(&gate),
            control: Port::new(&gate),
        };
        if ports.attach_http_gate.post(attach).is_err() {
            log::error!("the pool manager does not know the HTTP gate; admins cannot reach it");
        }
        Self {
            limits,
            kept_out,
            gate: Outbox::new(&gate),
        }
    }
}

impl HandlerParts {
    /// Starts the handlers of one worker, on the worker's own thread.
    pub(super) fn start(&self) -> WorkerPorts {
        let registration = RegistrationHandler::new(
            self.registration.clone(),
            self.registration_peers.clone(),
            self.sessions.clone(),
            self.batches.clone(),
            Arc::clone(&self.clock),
        )
        .start();
        let submission = SubmissionHandler::new(
            self.submission_peers.clone(),
            self.submission_limits,
            self.job_key.clone(),
            Arc::clone(&self.clock),
        )
        .with_proof_of_work(Arc::clone(&self.hashing.proof_of_work))
        .with_lanes(self.hashing.lanes)
        .with_ladder(Ladder::new(
            self.http_gate.limits,
            self.http_gate.kept_out.clone(),
            self.http_gate.gate.clone(),
        ))
        .start();
        WorkerPorts {
            authenticate: Port::new(&registration),
            verify: Port::new(&registration),
            register: Port::new(&registration),
            open_session: Port::new(&registration),
            fetch_work: Port::new(&submission),
            submit: Port::new(&submission),
        }
    }
}

/// A bound server that does not answer yet.
pub(super) struct BoundServer {
    pub(super) listener: TcpListener,
    pub(super) address: SocketAddr,
}

impl BoundServer {
    /// Binds what this section's `listen` says, so that a taken port is reported before anything else starts, if no
    /// socket was handed over.
    pub(super) fn bind(
        section: &str,
        listen: SocketAddr,
        handed_over: Option<TcpListener>,
    ) -> Result<Self, StartError> {
        let failed = |source| cannot_listen(section, listen, source);
        let listener = match handed_over {
            Some(listener) => listener,
            None => TcpListener::bind(listen).map_err(failed)?,
        };
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Begins to answer.
    pub(super) fn start(
        self,
        config: &Config,
        deps: Arc<HttpDeps>,
        parts: HandlerParts,
    ) -> Result<(Server, ServerHandle), StartError> {
        let listen = self.address;
        let state = move || HttpState::new(Arc::clone(&deps), parts.start());
        let server = dwarves_http::serve(self.listener, server_limits(config), state)
            .map_err(|source| cannot_listen("http", listen, source))?;
        let handle = server.handle();
        Ok((server, handle))
    }
}

/// Why there is no server where this section's `listen` says.
pub(super) fn cannot_listen(section: &str, listen: SocketAddr, source: std::io::Error) -> StartError {
    StartError::Bind {
        setting: format!("{section}.listen"),
        listen,
        source,
    }
}

/// How the server works. Connections are shared out among the workers, to whom they come in turn.
pub(super) fn server_limits(config: &Config) -> ServerLimits {
    let http = &config.http;
    let workers = worker_count(http);
    ServerLimits {
        workers,
        keep_alive: http.keep_alive.to_std(),
        request_head_timeout: http.header_timeout.to_std(),
        disconnect_timeout: http.disconnect_timeout.to_std(),
        drain: super::HTTP_DRAIN,
        connections: ConnectionLimits {
            places: config.limits.shared(http.max_connections.div_ceil(workers)),
            reserved: http.reserved_connections.div_ceil(workers),
            // Looks are a second apart. A next request's head has its own time after that of being quiet.
            quiet_looks: http.keep_alive.secs() + http.header_timeout.secs(),
            unread_looks: http.unread_output.secs(),
            proxies: proxies(config),
        },
    }
}

/// Whose word for a client's address is taken.
pub(super) fn proxies(config: &Config) -> Vec<Subnet> {
    [config.http.proxies.clone(), config.front.peers.clone()].concat()
}

/// The event streams of one worker.
pub(super) fn event_streams(config: &Config) -> SharedLimit {
    config
        .limits
        .shared(config.http.event_streams.div_ceil(worker_count(&config.http)))
}

/// One less than there are cores, at least one, unless the configuration says otherwise.
pub(super) fn worker_count(config: &HttpConfig) -> usize {
    if config.workers > 0 {
        return config.workers;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores.saturating_sub(1).max(1)
}
