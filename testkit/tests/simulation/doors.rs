//! The ways of miners into the pool, and which of them one takes.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix::Actor;
use dwarves_actors::ask::Port;
use dwarves_actors::assembly::PoolPorts;
use dwarves_actors::handlers::rate::SharedRate;
use dwarves_actors::handlers::registration::messages::{Authenticate, Register};
use dwarves_actors::handlers::registration::{RegistrationHandler, RegistrationSettings};
use dwarves_actors::handlers::submission::messages::{FetchWork, SubmitShares};
use dwarves_actors::handlers::submission::{SubmissionHandler, SubmissionLimits};
use dwarves_actors::miner_manager::messages::JoinWorker;
use dwarves_domain::address::AddressFormat;
use dwarves_domain::limits::SharedLimit;
use dwarves_domain::session::SessionKey;
use dwarves_domain::signature::{BatchKey, Window};
use dwarves_domain::time::Span;
use dwarves_domain::units::Amount;
use dwarves_testkit::SimClock;
use dwarves_testkit::build::{hotkey, job_key};

use crate::notes::WINDOW_SECS;

/// The ways of miners into the pool: as many submission handlers as there are HTTP workers.
#[derive(Clone)]
pub(crate) struct Doors {
    pub(crate) authenticate: Port<Authenticate>,
    pub(crate) register: Port<Register>,
    pub(crate) workers: Vec<(Port<FetchWork>, Port<SubmitShares>)>,
    /// How a worker joins a session of Stratum, where anybody may log in as anybody.
    pub(crate) join: Port<JoinWorker>,
    /// Whose they are, if the pool has several fronts.
    pub(crate) of: Whose,
}

/// The front behind the doors. In a pool that is alone each life is a lead.
#[derive(Clone, Default)]
pub(crate) struct Whose {
    /// Its number, and that of its lead.
    pub(crate) front: u32,
    pub(crate) epoch: u64,
    /// Another one has taken the lead, which this one may not know.
    pub(crate) is_behind: Arc<AtomicBool>,
    /// It does not reach the ledger.
    pub(crate) is_cut: Arc<AtomicBool>,
}

impl Whose {
    /// Whether it knows all that is in the ledger, and can write there.
    pub(crate) fn is_sound(&self) -> bool {
        !self.is_behind.load(Ordering::SeqCst) && !self.is_cut.load(Ordering::SeqCst)
    }
}

/// All doors that are open. Whoever comes takes any.
#[derive(Clone, Default)]
pub(crate) struct Ways(Rc<RefCell<Vec<Doors>>>);

impl Ways {
    /// Into the one pool that there is.
    pub(crate) fn of(doors: Doors) -> Self {
        let ways = Self::default();
        ways.add(doors);
        ways
    }

    /// Somebody opens doors.
    pub(crate) fn add(&self, doors: Doors) {
        self.0.borrow_mut().push(doors);
    }

    /// Those that were opened in this lead are closed.
    pub(crate) fn close(&self, epoch: u64) {
        self.0.borrow_mut().retain(|doors| doors.of.epoch != epoch);
    }

    /// The doors of one front; `below` chooses if there are several.
    pub(crate) fn any(&self, below: impl FnOnce(u64) -> u64) -> Option<Doors> {
        let doors = self.0.borrow();
        match doors.len() {
            0 => None,
            1 => doors.first().cloned(),
            several => doors.get(below(several as u64) as usize).cloned(),
        }
    }
}

impl Doors {
    /// Opens a pool that is alone for miners.
    pub(crate) fn open(ports: &PoolPorts, clock: &SimClock) -> Self {
        let of = Whose {
            epoch: u64::from(ports.life),
            ..Whose::default()
        };
        Self::open_of(of, ports, clock)
    }

    /// Opens a front of the pool for miners.
    pub(crate) fn open_of(of: Whose, ports: &PoolPorts, clock: &SimClock) -> Self {
        let settings = RegistrationSettings {
            pool: hotkey(200),
            window: Window {
                back: Span::from_secs(WINDOW_SECS),
                ahead: Span::from_secs(1),
            },
            session: Span::from_secs(3_600),
            addresses: AddressFormat::BitcoinRegtest,
            threshold_least: Amount::ZERO,
            signatures_per_sec: SharedRate {
                total: 200,
                per_client: 100,
            },
            mailbox_capacity: 64,
        };
        let sessions = SessionKey::new(&[8; 32]);
        let registration = RegistrationHandler::new(
            settings,
            ports.registration.clone(),
            sessions,
            BatchKey::new(&[9; 32]),
            Arc::new(clock.clone()),
        )
        .start();
        let limits = SubmissionLimits {
            mailbox_capacity: 64,
            requests_in_flight: SharedLimit::shared(40, 50),
            waiting: SharedLimit::shared(6, 50),
            jobs_cached_max: 4,
            longpoll: Span::from_secs(5),
            judge_deadline: Span::from_secs(10),
        };
        let worker = |_| {
            let peers = ports.submission.clone();
            let handler = SubmissionHandler::new(peers, limits, job_key(), Arc::new(clock.clone())).start();
            (Port::new(&handler), Port::new(&handler))
        };
        Self {
            authenticate: Port::new(&registration),
            register: Port::new(&registration),
            workers: (0..2).map(worker).collect(),
            join: ports.join.clone(),
            of,
        }
    }
}
