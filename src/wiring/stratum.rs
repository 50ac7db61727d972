//! The Stratum server: its threads, and on each a front and a submission handler; the gate before them.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use actix_rt::Arbiter;
use dwarves_actors::ask::{Outbox, Port};
use dwarves_actors::assembly::PoolPorts;
use dwarves_actors::gate::AttachGate;
use dwarves_actors::handlers::submission::{SubmissionHandler, SubmissionLimits};
use dwarves_actors::work_manager::messages::Subscribe;
use dwarves_domain::address::AddressFormat;
use dwarves_domain::source::SharedLimit;
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::Span;
use dwarves_domain::vardiff;
use dwarves_ports::proof_of_work::SharedProofOfWork;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use super::settings::JUDGE_DEADLINE;
use super::{Ground, StartError};
use crate::config::{Config, StratumListenerConfig};
use dwarves_domain::login::LoginRules;
use dwarves_domain::network::Subnet;
use dwarves_stratum::conversation::{Rules, rejects};
use dwarves_stratum::front::{EndSessions, StratumFront};
use dwarves_stratum::gate::{CloseGate, OpenGate, StratumGate};
use dwarves_stratum::seats::{Caps, Seats};
use dwarves_stratum::settings::{Listener, SessionLimits};
use dwarves_stratum::thread::{Peers, Thread};

/// Connections that may wait to be accepted: all miners come back at once after a restart.
const BACKLOG: i32 = 4_096;
/// Reads whose shares may be on their way, over the sessions of a thread.
const READS_IN_FLIGHT_MAX: usize = 65_536;
/// Open files beside connections: the ledger, the chain, logs, what the runtime needs.
const OTHER_FILES_MAX: usize = 256;
/// How long sessions may take to end when the pool stops.
const SESSIONS_DRAIN: Duration = Duration::from_secs(5);

/// Bound listeners that do not answer yet.
pub(super) struct BoundStratum {
    bound: Vec<TcpListener>,
    listeners: Vec<BoundListener>,
}

/// What is known of a listener before the chain is.
struct BoundListener {
    address: SocketAddr,
    prepared: PreparedListener,
}

/// What is known of a listener before it is bound.
struct PreparedListener {
    start: Difficulty,
    vardiff: vardiff::Settings,
    tls: Option<TlsAcceptor>,
    proxies: Vec<Subnet>,
}

/// The server at work.
pub(super) struct RunningStratum {
    gate: Option<Port<CloseGate>>,
    fronts: Vec<Port<EndSessions>>,
    threads: Vec<Arbiter>,
}

impl BoundStratum {
    /// Binds all listeners and reads their certificates, so that what is wrong is reported before anything else
    /// starts.
    pub(super) fn bind(config: &Config) -> Result<Self, StartError> {
        let mut bound = Vec::new();
        let mut listeners = Vec::new();
        for (setting, listener) in config.stratum.named_listeners() {
            let (socket, address) = bind(&setting, listener.listen)?;
            bound.push(socket);
            let prepared = prepare(&setting, listener, config)?;
            listeners.push(BoundListener { address, prepared });
        }
        Ok(Self { bound, listeners })
    }

    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(|listener| listener.address).collect()
    }

    /// Begins to answer. Without listeners nothing is started.
    pub(super) fn start(
        self,
        config: &Config,
        ground: &Ground,
        ports: &PoolPorts,
        proof_of_work: &SharedProofOfWork,
    ) -> RunningStratum {
        let mut running = RunningStratum {
            gate: None,
            fronts: Vec::new(),
            threads: Vec::new(),
        };
        if self.listeners.is_empty() {
            return running;
        }
        let stratum = &config.stratum;
        let listeners: Arc<[Listener]> = self
            .listeners
            .into_iter()
            .map(|bound| bound.with_rules(config, ground.chain.addresses))
            .collect();
        let session = SessionLimits {
            extranonce2_len: stratum.extranonce2_bytes,
            unread_max: stratum.unread_output_bytes,
            handshake: stratum.handshake_timeout,
            idle: stratum.idle_timeout,
        };
        let caps = Caps {
            total: stratum.max_connections,
            per_address: stratum.max_connections_per_address,
            per_subnet: stratum.max_connections_per_subnet,
            ban: stratum.ban,
        };
        for _ in 0..thread_count(stratum.threads) {
            running.threads.push(Arbiter::new());
        }
        let seats = Seats::new(caps, config.pool.front_end, ports.life);
        let (clock, behind, bound) = (Arc::clone(&ground.clock), Arc::clone(&listeners), self.bound);
        let (kept_out_sender, kept_out) = watch::channel(Arc::default());
        let gate = StratumGate::start_in_arbiter(&running.threads[0].handle(), move |_| {
            StratumGate::new(seats, clock, kept_out_sender, bound, behind)
        });
        let attach = AttachGate {
            read: Port::new(&gate),
            control: Port::new(&gate),
        };
        if ports.attach_gate.post(attach).is_err() {
            log::error!("the pool manager does not know the Stratum gate; admins cannot reach it");
        }
        // The gate shuts when there is no work. Should the work manager be busy now, the fronts see to it alone.
        let subscriber = Outbox::new(&gate);
        if ports.submission.subscribe.post(Subscribe { subscriber }).is_err() {
            log::warn!("the Stratum gate is not told of work");
        }
        let peers = ThreadPeers {
            ports: ports.clone(),
            gate: gate.clone(),
            proof_of_work: Arc::clone(proof_of_work),
            reads_in_flight: config.limits.shared(READS_IN_FLIGHT_MAX),
        };
        let mut newcomers = Vec::new();
        for thread in &running.threads {
            let peers = peers.on(thread, ground);
            let listeners = Arc::clone(&listeners);
            let (job_key, kept_out) = (ground.pool_key.job_key(), kept_out.clone());
            let clock = Arc::clone(&ground.clock);
            let subscribe = ports.submission.subscribe.clone();
            let watch = ports.watch_miners.clone();
            let front = StratumFront::start_in_arbiter(&thread.handle(), move |_| {
                let thread = Thread::new(peers, session, listeners, job_key, kept_out, clock);
                StratumFront::new(thread, subscribe, watch)
            });
            newcomers.push(Outbox::new(&front));
            running.fronts.push(Port::new(&front));
        }
        // Nobody else can have filled this mailbox yet.
        if Outbox::new(&gate).tell(OpenGate(newcomers)).is_err() {
            log::error!("the Stratum gate does not open");
        }
        running.gate = Some(Port::new(&gate));
        for listener in listeners.iter() {
            let with_tls = if listener.tls.is_some() { " with TLS" } else { "" };
            log::info!(
                "listening on stratum+tcp://{}{with_tls} threads={}",
                listener.address,
                running.threads.len()
            );
        }
        running
    }
}

/// Whom the sessions of each thread ask.
struct ThreadPeers {
    ports: PoolPorts,
    gate: Addr<StratumGate>,
    proof_of_work: SharedProofOfWork,
    reads_in_flight: SharedLimit,
}

impl ThreadPeers {
    /// Starts the thread's submission handler.
    fn on(&self, thread: &Arbiter, ground: &Ground) -> Peers {
        let limits = SubmissionLimits {
            mailbox_capacity: READS_IN_FLIGHT_MAX,
            requests_in_flight: self.reads_in_flight,
            // Nobody fetches work from it: sessions make their own.
            waiting: SharedLimit {
                total: 0,
                per_client: 0,
            },
            jobs_cached_max: 1,
            longpoll: Span::from_secs(1),
            judge_deadline: JUDGE_DEADLINE,
        };
        let (peers, job_key) = (self.ports.submission.clone(), ground.pool_key.job_key());
        let clock = Arc::clone(&ground.clock);
        let proof_of_work = Arc::clone(&self.proof_of_work);
        let handler = SubmissionHandler::start_in_arbiter(&thread.handle(), move |_| {
            SubmissionHandler::new(peers, limits, job_key, clock).with_proof_of_work(proof_of_work)
        });
        Peers {
            join: self.ports.join.clone(),
            submit: Port::new(&handler),
            extranonce: Port::new(&self.gate),
            admit: Port::new(&self.gate),
            put_out: Outbox::new(&self.gate),
            let_go: Outbox::new(&self.gate),
        }
    }
}

impl RunningStratum {
    /// Lets nobody in any more, and lets sessions end once what was submitted is answered.
    pub(super) async fn close(&self) {
        if let Some(gate) = &self.gate
            && let Err(error) = gate.ask(CloseGate, SESSIONS_DRAIN).await
        {
            log::warn!("the Stratum gate does not close: {error}");
        }
        for front in &self.fronts {
            if let Err(error) = front.ask(EndSessions, SESSIONS_DRAIN).await {
                log::warn!("Stratum sessions did not end in time: {error}");
            }
        }
    }

    /// Ends the threads. Returns whether they ended in good order.
    pub(super) fn join(self) -> bool {
        for thread in &self.threads {
            thread.stop();
        }
        // All of them are waited for, also if one did not end well.
        let joined: Vec<bool> = self
            .threads
            .into_iter()
            .map(|thread| thread.join().is_ok())
            .collect();
        joined.into_iter().all(|is_joined| is_joined)
    }
}

/// Each connection is an open file, of which many systems allow a process 1,024 unless it asks for more.
pub(super) fn allow_files(config: &Config) {
    let http = config.http.max_connections + config.http.reserved_connections;
    let stratum = if config.stratum.all_listeners().is_empty() {
        0
    } else {
        config.stratum.max_connections
    };
    let wanted = (http + stratum + OTHER_FILES_MAX) as u64;
    match rlimit::increase_nofile_limit(wanted) {
        Ok(allowed) if allowed >= wanted => {}
        Ok(allowed) => log::warn!(
            "the system allows {allowed} open files, too few for every connection that the settings allow ({wanted}); \
             raise the limit (ulimit -n, systemd's LimitNOFILE)"
        ),
        Err(error) => log::warn!("the limit of open files cannot be raised: {error}"),
    }
}

/// The port to which miners may be sent that come over HTTP: of a listener without TLS and PROXY headers that is open
/// wherever HTTP is.
pub(super) fn plain_port(config: &Config, http: SocketAddr, bound: &[SocketAddr]) -> Option<u16> {
    let listeners = config.stratum.all_listeners();
    let plain = listeners.iter().zip(bound).find(|(listener, bound)| {
        let is_plain = listener.tls_certificate.is_none() && listener.proxies.is_empty();
        is_plain && (bound.ip().is_unspecified() || bound.ip() == http.ip())
    });
    plain.map(|(_, bound)| bound.port())
}

/// Opens every listener and closes it again; see [`super::try_listeners`].
pub(super) fn try_listeners(config: &Config, is_running: bool) -> Vec<(String, Result<String, StartError>)> {
    let mut open = Vec::new();
    let listeners = config.stratum.named_listeners().into_iter();
    let tried = listeners.map(|(setting, listener)| {
        let listen = listener.listen;
        let outcome = prepare(&setting, listener, config).and_then(|prepared| {
            let with_tls = if prepared.tls.is_some() { " with TLS" } else { "" };
            if is_running {
                return Ok(format!("{listen}{with_tls}, in use by the running pool"));
            }
            let (socket, address) = bind(&setting, listen)?;
            open.push(socket);
            Ok(format!("{address}{with_tls}"))
        });
        (format!("{setting}.listen"), outcome)
    });
    tried.collect()
}

/// Reads what a listener needs beside its port.
fn prepare(
    setting: &str,
    listener: StratumListenerConfig,
    config: &Config,
) -> Result<PreparedListener, StartError> {
    let [start, min, max] = listener.difficulties(config.difficulties());
    let vardiff = vardiff::Settings::new(config.work.share_interval, min, max)
        .map_err(|error| StartError::Settings(format!("{setting}: {error}")))?;
    Ok(PreparedListener {
        start,
        vardiff,
        tls: tls(setting, &listener)?,
        proxies: listener.proxies,
    })
}

fn bind(setting: &str, listen: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    bind_to(listen).map_err(|source| StartError::BindStratum {
        setting: format!("{setting}.listen"),
        listen,
        source,
    })
}

fn bind_to(listen: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(listen), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for connections of the earlier life to be forgotten.
    socket.set_reuse_address(true)?;
    socket.bind(&listen.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    let listener = TcpListener::from(socket);
    let address = listener.local_addr()?;
    Ok((listener, address))
}

impl BoundListener {
    fn with_rules(self, config: &Config, addresses: AddressFormat) -> Listener {
        Listener {
            address: self.address,
            rules: Rules {
                start: self.prepared.start,
                vardiff: self.prepared.vardiff,
                algorithm: config.chain.algorithm,
                extranonce2_len: config.stratum.extranonce2_bytes,
                logins: LoginRules {
                    addresses,
                    allow_address: config.stratum.allow_address_login,
                },
                workers_max: config.stratum.workers_per_connection,
                rejects: rejects::Limits {
                    window: config.stratum.reject_window,
                    percent_max: config.stratum.reject_percent,
                    keep_out: config.stratum.ban,
                },
            },
            tls: self.prepared.tls,
            proxies: self.prepared.proxies,
        }
    }
}

/// TLS with the listener's certificate, if it has one.
fn tls(setting: &str, listener: &StratumListenerConfig) -> Result<Option<TlsAcceptor>, StartError> {
    let (Some(certificate), Some(key)) = (&listener.tls_certificate, &listener.tls_key) else {
        return Ok(None);
    };
    let failed = |name: &str, file: &Path, error: &dyn std::fmt::Display| StartError::StratumTls {
        setting: format!("{setting}.{name}"),
        detail: format!("{}: {error}", file.display()),
    };
    let bad_chain = |error: &dyn std::fmt::Display| failed("tls_certificate", certificate, error);
    let bad_key = |error: &dyn std::fmt::Display| failed("tls_key", key, error);
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| bad_chain(&error))?;
    if chain.is_empty() {
        return Err(bad_chain(&"there is no certificate in it"));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| bad_key(&error))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret))
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => bad_key(&"it is not the key of the certificate"),
            rustls::Error::InvalidCertificate(_) => bad_chain(&error),
            _ => bad_key(&error),
        })?;
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

/// One less than there are cores, at least one, unless the configuration says otherwise.
fn thread_count(configured: usize) -> usize {
    if configured > 0 {
        return configured;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores.saturating_sub(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_to(listeners: &str, http: &str) -> Option<u16> {
        let config: Config = toml::from_str(listeners).expect("the test's settings are right");
        let bound: Vec<_> = config.stratum.all_listeners().iter().map(|l| l.listen).collect();
        plain_port(&config, http.parse().expect("an address"), &bound)
    }

    #[test]
    fn miners_are_sent_to_a_plain_listener_that_is_open_where_http_is_or_nowhere() {
        let tls = "{ listen = '0.0.0.0:1', tls_certificate = 'c', tls_key = 'k' }";
        let proxy = "{ listen = '0.0.0.0:2', proxies = ['127.0.0.1'] }";
        let local = "{ listen = '127.0.0.1:3' }";
        let plain = "{ listen = '0.0.0.0:4' }";
        for (listeners, http, port) in [
            (vec![], "0.0.0.0:8080", None),
            (vec![tls, proxy], "0.0.0.0:8080", None),
            (vec![tls, proxy, plain], "0.0.0.0:8080", Some(4)),
            (vec![tls, proxy, plain], "127.0.0.1:8080", Some(4)),
            (vec![local, plain], "0.0.0.0:8080", Some(4)),
            (vec![local], "0.0.0.0:8080", None),
            (vec![local, plain], "127.0.0.1:8080", Some(3)),
        ] {
            let text = format!("[stratum]\nlisteners = [{}]", listeners.join(", "));
            assert_eq!(sent_to(&text, http), port, "{text} {http}");
        }
    }
}
