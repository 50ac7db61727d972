//! Fakes that the routes can ask: actors that answer what a test says, a clock, a store that only reads.

use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use actix::Actor;
use actix_web::web;
use dwarves_actors::ask::{Outbox, Port};
use dwarves_actors::block_tracker::messages::BlocksView;
use dwarves_actors::control::Controlled;
use dwarves_actors::handlers::admin::messages::{AdminCaller, Authorize, Control};
use dwarves_actors::handlers::header_book::{HeaderBook, HeaderBookLimits};
use dwarves_actors::handlers::last_job::{LastJobLimits, LastJobs};
use dwarves_actors::handlers::operator::messages::{LogIn, LogInRefused, LogOut, ReadSessions};
use dwarves_actors::handlers::registration::messages::{
    Authenticate, OpenSession, OpenedSession, Register, VerifySignature,
};
use dwarves_actors::handlers::submission::messages::{FetchWork, SubmitShares};
use dwarves_actors::live_work::LiveWork;
use dwarves_actors::miner_manager::messages::{
    GaveWay, JoinWorker, Joined, MinersView, NewcomersRefused, ReadBans, ReadRecords, Registered,
};
use dwarves_actors::paymaster::messages::{PayoutsView, ReadWaiting};
use dwarves_actors::pool_manager::messages::LifeState;
use dwarves_actors::reward_distributor::messages::ScheduleView;
use dwarves_actors::work_manager::messages::{IssuedJob, WorkView};
use dwarves_api_types::chain::{Connect, ConnectLogin};
use dwarves_domain::address::AddressFormat;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, Sequence, WorkerId};
use dwarves_domain::login::LoginRules;
use dwarves_domain::miners::Ban;
use dwarves_domain::operator::OperatorKey;
use dwarves_domain::privacy::Privacy;
use dwarves_domain::refusal::{Refusal, UnknownControl};
use dwarves_domain::rewards::{Scheme, Source};
use dwarves_domain::session::Session;
use dwarves_domain::share::{AcceptedShare, Rejection, ShareVerdict, Submission};
use dwarves_domain::signature::SignedRequest;
use dwarves_domain::statistics::Record;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::units::{BasisPoints, Units};
use dwarves_domain::work::Algorithm;
use dwarves_ports::chain::Standing;
use dwarves_ports::clock::{Clock, SharedClock};

use super::fake_ports::port;
use super::samples::{
    ADMIN_TOKEN, NOW, POOL, STRANGER, hotkey_of, job, keypair, miner_view, pool_view, session_key, template,
};
use super::store::ReadStore;
use crate::events::Tower;
use crate::{
    AdminToken, EvaluationDeps, HttpDeps, HttpLimits, HttpState, JsonRpcDeps, OperatorFiles, OperatorPorts,
    OperatorRules, PoolPorts, WorkerPorts,
};

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// A clock whose date was put right: it is an hour behind what the running time began with.
pub(super) struct CorrectedClock;

impl Clock for CorrectedClock {
    fn now(&self) -> Timestamp {
        NOW
    }

    fn date_of(&self, moment: Timestamp) -> Timestamp {
        moment.minus(Span::from_secs(3_600))
    }
}

/// The fake verdict depends on the nonce alone, so that tests can ask for each.
fn verdict(share: Option<Submission>) -> ShareVerdict {
    let Some(share) = share else {
        return Err(Rejection::UnknownJob);
    };
    match share.nonce {
        1 => Err(Rejection::Stale),
        2 => Err(Rejection::Duplicate(Sequence::new(17))),
        3 => Err(Rejection::LowDifficulty),
        4 => Err(Rejection::OtherWorker),
        nonce => Ok(AcceptedShare {
            hash: HeaderHash::from_bytes([1; 32]),
            share_difficulty: job().share_difficulty(),
            sequence: Sequence::new(u64::from(nonce)),
            is_block: share.version == Some(5),
        }),
    }
}

fn authenticate(question: &Authenticate) -> Result<(), Refusal> {
    let request = SignedRequest {
        scheme: question.scheme,
        method: &question.method,
        path: &question.path,
        body: &question.body,
        nonce_nanos: question.nonce_nanos,
        sender: question.sender,
        receiver: question.receiver,
    };
    match question.nonce_nanos {
        1 => Err(Refusal::StaleRequest),
        2 => Err(Refusal::Replayed),
        3 => Err(Refusal::Busy),
        4 => Err(Refusal::Unavailable),
        5 => Err(Refusal::WrongReceiver),
        _ if request.is_signed_by(&question.signature) => Ok(()),
        _ => Err(Refusal::SignatureInvalid),
    }
}

fn register(question: Register) -> Result<Registered, Refusal> {
    Ok(Registered {
        is_new: question.payout_address.is_some(),
        registered_at: NOW,
        payout_address: question.payout_address,
    })
}

fn control(question: Control) -> Controlled {
    match (question.actor.as_str(), question.message.as_str()) {
        _ if question.caller == AdminCaller::Hotkey(STRANGER) => Err(Refusal::Forbidden),
        ("pool_manager", "echo") => Ok(serde_json::Value::Object(question.fields)),
        ("pool_manager", "pause") => Err(Refusal::ControlRefused("the pool is paused already".to_owned())),
        ("pool_manager", "field") => Err(Refusal::ControlFieldInvalid {
            field: "until".to_owned(),
            detail: "expected an instant".to_owned(),
        }),
        ("pool_manager", "busy") => Err(Refusal::Busy),
        ("pool_manager", "unavailable") => Err(Refusal::Unavailable),
        ("pool_manager", _) => Err(Refusal::ControlUnknown {
            what: UnknownControl::Message,
            known: vec!["echo", "pause"],
        }),
        _ => Err(Refusal::ControlUnknown {
            what: UnknownControl::Actor,
            known: vec!["pool_manager"],
        }),
    }
}

/// Work over JSON-RPC with a real header book, for the test miner and for addresses.
fn json_rpc() -> JsonRpcDeps {
    let book = HeaderBook::new(HeaderBookLimits {
        headers_max: 100,
        mailbox_capacity: 100,
    })
    .start();
    let last = LastJobs::new(LastJobLimits {
        workers_max: 100,
        workers_of_one_max: 10,
        mailbox_capacity: 100,
    })
    .start();
    JsonRpcDeps {
        logins: LoginRules {
            addresses: AddressFormat::BitcoinRegtest,
            allow_address: true,
        },
        join: port(|question: JoinWorker| {
            Ok(Joined {
                miner: question.identity.hotkey(),
                worker: WorkerId::new(1),
                fixed: None,
                earned: None,
            })
        }),
        given: Outbox::new(&book),
        find: Port::new(&book),
        job_given: Outbox::new(&last),
        last_job: Port::new(&last),
        stratum_port: None,
    }
}

/// The operator's door, which counts how often all sessions were ended and takes three wrong tokens.
fn operator_ports() -> OperatorPorts {
    let ended = Rc::new(Cell::new(0));
    let (read, end) = (Rc::clone(&ended), Rc::clone(&ended));
    let mut wrong = 0;
    OperatorPorts {
        log_in: port(move |question: LogIn| {
            let is_too_many = wrong >= 3;
            wrong += u32::from(!question.is_right);
            match question.is_right {
                _ if is_too_many => Err(LogInRefused::TooMany {
                    try_again: Span::from_secs(120),
                }),
                true => Ok(ended.get()),
                false => Err(LogInRefused::Wrong),
            }
        }),
        log_out: port(move |_: LogOut| {
            end.set(end.get() + 1);
            Ok(true)
        }),
        sessions: port(move |_: ReadSessions| read.get()),
    }
}

fn banned(limit: usize) -> Vec<(Hotkey, Ban)> {
    let ban = Ban {
        reason: "<b>spam</b>".to_owned(),
        until: Some(NOW),
    };
    vec![(STRANGER, ban); limit.min(1)]
}

/// Work on one template.
pub(super) fn work_view() -> WorkView {
    WorkView {
        work: Arc::new(LiveWork {
            current: Some(template()),
            live: vec![template()],
            next: template().id().next(),
            since: NOW,
            kept: Arc::default(),
            lack: None,
        }),
        trouble: None,
        standing: Arc::new(Standing::trusted()),
    }
}

fn connect() -> Connect {
    Connect {
        listeners: Vec::new(),
        login: ConnectLogin {
            form: "ADDRESS.WORKER".to_owned(),
            example: "YOUR_ADDRESS.rig2".to_owned(),
            password: "x".to_owned(),
        },
        public_host: None,
    }
}

/// Everything in good order.
pub(super) struct World {
    pub(super) ports: PoolPorts,
    pub(super) worker: WorkerPorts,
    pub(super) store: ReadStore,
    pub(super) limits: HttpLimits,
    pub(super) privacy: Privacy,
    pub(super) json_rpc: JsonRpcDeps,
    pub(super) clock: SharedClock,
    pub(super) events: Tower,
    pub(super) files: OperatorFiles,
    pub(super) evaluation: Option<EvaluationDeps>,
}

impl World {
    pub(super) fn new() -> Self {
        let ports = PoolPorts {
            control: port(control),
            authorize: port(|question: Authorize| question.caller != AdminCaller::Hotkey(STRANGER)),
            miner: port(|question: dwarves_actors::miner_manager::messages::ReadMiner| {
                (question.hotkey != STRANGER).then(|| miner_view(question.hotkey))
            }),
            miners: port(|_| MinersView {
                miners: 2,
                address_miners: 1,
                addresses_refused: NewcomersRefused { rate: 4, no_room: 5 },
                registrations_refused: NewcomersRefused { rate: 6, no_room: 7 },
                gave_way: GaveWay {
                    miners: 8,
                    workers: 9,
                },
                names_waiting: 10,
                recent_shares: (11, 12),
                recent_shares_nearly_full: false,
                workers: 3,
                workers_active: 1,
                hashrate: 2_000.0,
                hashrate_error: Some(0.25),
                accepted: 20,
                rejected: [1, 2, 3, 4, 5, 6],
                registration_open: true,
            }),
            records: port(|question: ReadRecords| {
                assert_eq!(question.limit, 100);
                let record = |found, expected| Record { found, expected };
                vec![
                    (hotkey_of(&keypair(1)), record(0, 7.0)),
                    (STRANGER, record(3, 2.0)),
                ]
            }),
            blocks: port(|_| BlocksView {
                is_synced: Some(true),
                followed: 4,
                waiting: 1,
                deep_reorgs: 2,
                ..BlocksView::default()
            }),
            payouts: port(|_| PayoutsView::default()),
            clock: port(|_| dwarves_actors::time_keeper::messages::ClockView::default()),
            waiting: port(|_: ReadWaiting| None),
            schedule: port(|_| ScheduleView {
                scheme: Scheme::Pplns,
                source: Source::Blocks,
                fee: BasisPoints::new(100).unwrap(),
                window: Units::ONE,
                emission: None,
                run_interval: Span::from_secs(60),
                next_round_at: NOW,
                last_round: None,
                paused: false,
                missed: 0,
            }),
            work: port(|_| work_view()),
            pool: port(|_| pool_view(LifeState::Running)),
            operator: operator_ports(),
            bans: port(|question: ReadBans| banned(question.limit)),
            watches: super::fake_watches::ports(),
            notifications: None,
        };
        let worker = WorkerPorts {
            authenticate: port(|question: Authenticate| authenticate(&question)),
            verify: port(|_: VerifySignature| Err(Refusal::SignatureInvalid)),
            register: port(register),
            open_session: port(|question: OpenSession| match question.hotkey {
                STRANGER => Err(Refusal::MinerUnknown),
                hotkey => {
                    let expires_at = NOW.plus(Span::from_secs(60));
                    let token = session_key().seal(&Session { hotkey, expires_at });
                    Ok(OpenedSession { token, expires_at })
                }
            }),
            fetch_work: port(|_: FetchWork| {
                Ok(IssuedJob {
                    job: job(),
                    expires_at: NOW,
                })
            }),
            submit: port(|question: SubmitShares| {
                Ok(question.shares.into_iter().map(verdict).collect()).into()
            }),
        };
        Self {
            ports,
            worker,
            store: ReadStore::default(),
            limits: HttpLimits::default(),
            privacy: Privacy::default(),
            json_rpc: json_rpc(),
            clock: Arc::new(FixedClock),
            events: Tower::new("life"),
            files: OperatorFiles {
                backup_record: PathBuf::from("/nowhere/backup.json"),
                metagraph: None,
                version_key: 0,
            },
            evaluation: None,
        }
    }

    pub(super) fn state(self) -> web::Data<HttpState> {
        let deps = HttpDeps {
            proxies: vec!["10.0.0.0/8".parse().unwrap()],
            ports: self.ports,
            store: Arc::new(self.store),
            clock: self.clock,
            privacy: self.privacy,
            sessions: session_key(),
            admin_token: AdminToken::new(ADMIN_TOKEN),
            operator: OperatorRules {
                key: OperatorKey::of_token(ADMIN_TOKEN),
                session: Span::from_secs(3_600),
                secure: false,
            },
            pool_hotkey: POOL,
            pool_name: "Test pool".to_owned(),
            chain_name: "devnet".to_owned(),
            algorithm: Algorithm::Sha256d,
            json_rpc: self.json_rpc,
            addresses: AddressFormat::BitcoinRegtest,
            limits: self.limits,
            events: self.events,
            files: self.files,
            connect: connect(),
            unit: ("BTC".to_owned(), 8),
            evaluation: self.evaluation,
            // Its sender is dropped: a closed channel never turns true, and long polls must not mind.
            fronts: None,
            links: None,
            stopping: tokio::sync::watch::channel(false).1,
        };
        HttpState::new(Arc::new(deps), self.worker)
    }
}
