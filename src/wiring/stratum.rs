//! The Stratum server: its threads, and on each a front and a submission handler; the gate before them.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use actix_rt::Arbiter;
use dwarves_actors::ask::{Outbox, Port};
use dwarves_actors::assembly::PoolPorts;
use dwarves_actors::gate::{AttachGate, ReadGate};
use dwarves_actors::handlers::submission::{SubmissionHandler, SubmissionLimits, SubmissionPeers};
use dwarves_actors::miner_manager::messages::{JoinWorker, WatchMiners};
use dwarves_actors::work_manager::messages::Subscribe;
use dwarves_domain::address::AddressFormat;
use dwarves_domain::limits::SharedLimit;
use dwarves_domain::time::Span;
use dwarves_domain::work::{FrontEnd, JobKey};
use dwarves_ports::clock::SharedClock;
use tokio::sync::watch;

use super::Ground;
use super::hashing::Hashing;
use super::settings::JUDGE_DEADLINE;
use super::stratum_listeners::BoundStratum;
use crate::config::Config;
use dwarves_stratum::acceptor::{CloseGate, OpenGate, StratumAcceptor};
use dwarves_stratum::connection_limiter::{ConnectionCaps, ConnectionLimiter};
use dwarves_stratum::dispatcher::{EndSessions, StratumDispatcher};
use dwarves_stratum::settings::{Listener, SessionLimits};
use dwarves_stratum::thread::{Peers, Thread};

/// Reads whose shares may be on their way, over the sessions of a thread.
const READS_IN_FLIGHT_MAX: usize = 65_536;
/// Open files beside connections: the ledger, the chain, logs, what the runtime needs.
const OTHER_FILES_MAX: usize = 256;
/// How long sessions may take to end when the pool stops.
const SESSIONS_DRAIN: Duration = Duration::from_secs(5);

/// The server at work.
pub(super) struct RunningStratum {
    gate: Option<Port<CloseGate>>,
    read: Option<Port<ReadGate>>,
    fronts: Vec<Port<EndSessions>>,
    threads: Vec<Arbiter>,
}

/// What sessions need: of the pool that is led here, or of the one that another front leads.
#[derive(Clone)]
pub(super) struct StratumNeeds {
    /// Which of all lives, that there ever were of a pool's server, this is: its sessions' extranonces begin where those of
    /// others are over.
    pub(super) life: u32,
    pub(super) front_end: FrontEnd,
    pub(super) submission: SubmissionPeers,
    pub(super) join: Port<JoinWorker>,
    pub(super) watch_miners: Port<WatchMiners>,
    /// Who is told of the gate, so that admins reach it.
    pub(super) attach_gate: Option<Port<AttachGate>>,
    pub(super) clock: SharedClock,
    pub(super) job_key: JobKey,
    pub(super) addresses: AddressFormat,
}

impl StratumNeeds {
    /// Those of the pool that is led here.
    pub(super) fn led_here(ground: &Ground, ports: &PoolPorts, front_end: FrontEnd) -> Self {
        Self {
            life: ports.life,
            front_end,
            submission: ports.submission.clone(),
            join: ports.join.clone(),
            watch_miners: ports.watch_miners.clone(),
            attach_gate: Some(ports.attach_gate.clone()),
            clock: Arc::clone(&ground.clock),
            job_key: ground.pool_key.job_key(),
            addresses: ground.chain.addresses,
        }
    }
}

impl BoundStratum {
    /// Begins to answer. Without listeners nothing is started.
    pub(super) fn start(self, config: &Config, needs: &StratumNeeds, hashing: &Hashing) -> RunningStratum {
        let mut running = RunningStratum {
            gate: None,
            read: None,
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
            .map(|bound| bound.with_rules(config, needs.addresses))
            .collect();
        let session = SessionLimits {
            extranonce2_len: stratum.extranonce2_bytes,
            unread_max: stratum.unread_output_bytes,
            handshake: stratum.handshake_timeout,
            idle: stratum.idle_timeout,
        };
        let caps = ConnectionCaps {
            total: stratum.max_connections,
            per_address: stratum.max_connections_per_address,
            per_subnet: stratum.max_connections_per_subnet,
            ban: stratum.ban,
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..stratum.io_threads(cores) {
            running.threads.push(Arbiter::new());
        }
        let seats = ConnectionLimiter::new(caps, needs.front_end, needs.life);
        let (clock, behind, bound) = (Arc::clone(&needs.clock), Arc::clone(&listeners), self.bound);
        let (kept_out_sender, kept_out) = watch::channel(Arc::default());
        let gate = StratumAcceptor::start_in_arbiter(&running.threads[0].handle(), move |_| {
            StratumAcceptor::new(seats, clock, kept_out_sender, bound, behind)
        });
        let attach = AttachGate {
            read: Port::new(&gate),
            control: Port::new(&gate),
        };
        if needs
            .attach_gate
            .as_ref()
            .is_some_and(|pool| pool.post(attach).is_err())
        {
            log::error!("the pool manager does not know the Stratum gate; admins cannot reach it");
        }
        // The gate shuts when there is no work. Should the work manager be busy now, the fronts see to it alone.
        let subscriber = Outbox::new(&gate);
        if needs.submission.subscribe.post(Subscribe { subscriber }).is_err() {
            log::warn!("the Stratum gate is not told of work");
        }
        let peers = ThreadPeers {
            needs: needs.clone(),
            gate: gate.clone(),
            hashing: hashing.clone(),
            reads_in_flight: config.limits.shared(READS_IN_FLIGHT_MAX),
        };
        let mut newcomers = Vec::new();
        for thread in &running.threads {
            let peers = peers.on(thread);
            let listeners = Arc::clone(&listeners);
            let (job_key, kept_out) = (needs.job_key.clone(), kept_out.clone());
            let clock = Arc::clone(&needs.clock);
            let subscribe = needs.submission.subscribe.clone();
            let watch = needs.watch_miners.clone();
            let front = StratumDispatcher::start_in_arbiter(&thread.handle(), move |_| {
                let thread = Thread::new(peers, session, listeners, job_key, kept_out, clock);
                StratumDispatcher::new(thread, subscribe, watch)
            });
            newcomers.push(Outbox::new(&front));
            running.fronts.push(Port::new(&front));
        }
        // Nobody else can have filled this mailbox yet.
        if Outbox::new(&gate).tell(OpenGate(newcomers)).is_err() {
            log::error!("the Stratum gate does not open");
        }
        running.gate = Some(Port::new(&gate));
        running.read = Some(Port::new(&gate));
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
    needs: StratumNeeds,
    gate: Addr<StratumAcceptor>,
    hashing: Hashing,
    reads_in_flight: SharedLimit,
}

impl ThreadPeers {
    /// Starts the thread's submission handler.
    fn on(&self, thread: &Arbiter) -> Peers {
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
        let (peers, job_key) = (self.needs.submission.clone(), self.needs.job_key.clone());
        let clock = Arc::clone(&self.needs.clock);
        let Hashing { lanes, proof_of_work } = self.hashing.clone();
        let handler = SubmissionHandler::start_in_arbiter(&thread.handle(), move |_| {
            SubmissionHandler::new(peers, limits, job_key, clock)
                .with_proof_of_work(proof_of_work)
                .with_lanes(lanes)
        });
        Peers {
            join: self.needs.join.clone(),
            submit: Port::new(&handler),
            extranonce: Port::new(&self.gate),
            admit: Port::new(&self.gate),
            put_out: Outbox::new(&self.gate),
            let_go: Outbox::new(&self.gate),
        }
    }
}

impl RunningStratum {
    /// Who says how the gate is, if there is one.
    pub(super) fn read(&self) -> Option<Port<ReadGate>> {
        self.read.clone()
    }

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
    let bittensor = config
        .bittensor
        .listen
        .map_or(0, |_| config.bittensor.max_connections);
    let validators = config
        .validators
        .listen
        .map_or(0, |_| config.validators.max_connections);
    let wanted = (http + stratum + bittensor + validators + OTHER_FILES_MAX) as u64;
    match rlimit::increase_nofile_limit(wanted) {
        Ok(allowed) if allowed >= wanted => {}
        Ok(allowed) => log::warn!(
            "the system allows {allowed} open files, too few for every connection that the settings allow ({wanted}); \
             raise the limit (ulimit -n, systemd's LimitNOFILE)"
        ),
        Err(error) => log::warn!("the limit of open files cannot be raised: {error}"),
    }
}
