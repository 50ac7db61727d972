//! What all HTTP workers share: whom the routes may ask, and how long and how large things may be.

use std::path::PathBuf;
use std::time::Duration;

use dwarves_actors::ask::{Outbox, Port};
use dwarves_actors::block_tracker::messages::ReadBlocks;
use dwarves_actors::handlers::admin::messages::{Authorize, Control};
use dwarves_actors::handlers::header_book::messages::{FindJob, HeaderGiven};
use dwarves_actors::handlers::last_job::messages::{JobGiven, ReadLastJob};
use dwarves_actors::handlers::operator::messages::{LogIn, LogOut, ReadSessions};
use dwarves_actors::handlers::registration::messages::{
    Authenticate, OpenSession, Register, VerifySignature,
};
use dwarves_actors::handlers::submission::messages::{FetchWork, SubmitShares};
use dwarves_actors::handlers::watches::messages::{HandOut, OpenWatch, TakeBack};
use dwarves_actors::miner_manager::messages::{JoinWorker, ReadBans, ReadMiner, ReadMiners, ReadRecords};
use dwarves_actors::miner_notifier::MinerNotifierPorts;
use dwarves_actors::paymaster::messages::{ReadPayouts, ReadWaiting};
use dwarves_actors::pool_manager::messages::ReadPool;
use dwarves_actors::reward_distributor::messages::ReadSchedule;
use dwarves_actors::time_keeper::messages::ReadClock;
use dwarves_actors::work_evaluator::messages::{ReadEvaluator, RemoveSubmission, SubmitWork};
use dwarves_actors::work_manager::messages::ReadWork;
use dwarves_api_types::chain::Connect;
use dwarves_domain::address::AddressFormat;
use dwarves_domain::evaluation::Measure;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::limits::SharedLimit;
use dwarves_domain::login::LoginRules;
use dwarves_domain::network::Subnet;
use dwarves_domain::operator::OperatorKey;
use dwarves_domain::privacy::Privacy;
use dwarves_domain::session::SessionKey;
use dwarves_domain::time::Span;
use dwarves_domain::work::Algorithm;
use dwarves_ports::clock::SharedClock;
use dwarves_ports::fronts::{Fronts, Links};
use dwarves_ports::store::SharedStore;
use tokio::sync::watch;

use super::admin_token::AdminToken;
use super::events::Tower;

/// Whom the routes of every HTTP worker may ask: the actors of which there is one in the process.
#[derive(Clone, Debug)]
pub struct PoolPorts {
    /// The admin handler: sends an admin's message.
    pub control: Port<Control>,
    /// The admin handler: says who is an admin.
    pub authorize: Port<Authorize>,
    /// The miner manager: reads one miner.
    pub miner: Port<ReadMiner>,
    /// The miner manager: reads all miners together.
    pub miners: Port<ReadMiners>,
    /// The reward distributor: reads schedule and terms.
    pub schedule: Port<ReadSchedule>,
    /// The work manager: reads the present work.
    pub work: Port<ReadWork>,
    /// The miner manager: reads which miners find fewer blocks than their work should.
    pub records: Port<ReadRecords>,
    /// The block tracker: reads how the found blocks are.
    pub blocks: Port<ReadBlocks>,
    /// The paymaster: reads how payouts are.
    pub payouts: Port<ReadPayouts>,
    /// The time keeper: reads how the machine's clock is.
    pub clock: Port<ReadClock>,
    /// The paymaster: reads whether a miner's balance is due and waits.
    pub waiting: Port<ReadWaiting>,
    /// The pool manager: reads how the pool is.
    pub pool: Port<ReadPool>,
    /// The operator's door.
    pub operator: OperatorPorts,
    /// The miner manager: reads who is banned.
    pub bans: Port<ReadBans>,
    /// The miner notifier, if miners are told anything.
    pub notifications: Option<MinerNotifierPorts>,
    /// The keeper of watch tokens.
    pub watches: WatchPorts,
}

/// The keeper of watch tokens: whom miners let look at them.
#[derive(Clone, Debug)]
pub struct WatchPorts {
    /// Hands one out.
    pub hand_out: Port<HandOut>,
    /// Takes one back.
    pub take_back: Port<TakeBack>,
    /// Says what one shows.
    pub open: Port<OpenWatch>,
}

/// The operator's door: who is logged in at the operator's page.
#[derive(Clone, Debug)]
pub struct OperatorPorts {
    /// Begins a session.
    pub log_in: Port<LogIn>,
    /// Ends all of them.
    pub log_out: Port<LogOut>,
    /// Reads how often they were ended.
    pub sessions: Port<ReadSessions>,
}

/// What is read for operators beside the ledger.
#[derive(Clone, Debug)]
pub struct OperatorFiles {
    /// Where `dwarves backup` writes down when it made the last one.
    pub backup_record: PathBuf,
    /// Who has which uid in the subnet, if the operator keeps such a file.
    pub metagraph: Option<PathBuf>,
    /// What weights say of the version of the subnet's software that they are for.
    pub version_key: u64,
}

/// What operators' sessions in browsers are made with.
#[derive(Clone, Debug)]
pub struct OperatorRules {
    /// Makes cookies, and knows them again.
    pub key: OperatorKey,
    /// How long a session lasts.
    pub session: Span,
    /// Whether cookies go over TLS alone, even if nothing shows that the request came over it.
    pub secure: bool,
}

/// Whom the routes of one HTTP worker may ask: the handler actors on that worker's own thread.
#[derive(Clone, Debug)]
pub struct WorkerPorts {
    /// The registration handler: checks a signed request.
    pub authenticate: Port<Authenticate>,
    /// The registration handler: checks a signature alone.
    pub verify: Port<VerifySignature>,
    /// The registration handler: registers a miner.
    pub register: Port<Register>,
    /// The registration handler: opens a session.
    pub open_session: Port<OpenSession>,
    /// The submission handler: gives work.
    pub fetch_work: Port<FetchWork>,
    /// The submission handler: takes shares.
    pub submit: Port<SubmitShares>,
}

/// How long and how large things may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// The largest body that is read, in bytes. 1,000 shares written with every field take 150,000.
    pub body_bytes: usize,
    /// Bytes of bodies that one worker holds while they are on their way.
    pub bodies_bytes: SharedLimit,
    /// How long a body may take to arrive.
    pub body_deadline: Duration,
    /// How long to wait for an actor or the store before answering "busy".
    pub ask_deadline: Duration,
    /// How long the submission handler holds a long poll before it answers with the work there is.
    pub long_poll: Duration,
    /// The most shares that one request may bring.
    pub shares_max: usize,
    /// Event streams of one worker.
    pub event_streams: SharedLimit,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            body_bytes: 262_144,
            bodies_bytes: SharedLimit::shared(33_554_432, 25),
            body_deadline: Duration::from_secs(15),
            ask_deadline: Duration::from_secs(10),
            long_poll: Duration::from_secs(60),
            shares_max: 1_000,
            event_streams: SharedLimit::shared(2_000, 25),
        }
    }
}

/// What all HTTP workers share. Made once, behind an `Arc`.
pub struct HttpDeps {
    /// The ports of the actors that routes ask.
    pub ports: PoolPorts,
    /// The store; the routes only read it, to show it: it may answer a little late ([`Store::standby`]).
    ///
    /// [`Store::standby`]: dwarves_ports::store::Store::standby
    pub store: SharedStore,
    /// Where routes read the time.
    pub clock: SharedClock,
    /// Proxies whose word for a client's address is taken.
    pub proxies: Vec<Subnet>,
    /// What of miners is for everybody.
    pub privacy: Privacy,
    /// Opens session tokens.
    pub sessions: SessionKey,
    /// The bearer token of the operator.
    pub admin_token: AdminToken,
    /// Operators' sessions in browsers.
    pub operator: OperatorRules,
    /// The pool's own hotkey: the receiver of signed requests.
    pub pool_hotkey: Hotkey,
    /// The pool's name, for people.
    pub pool_name: String,
    /// The chain's name, such as `devnet` or `bitcoin`.
    pub chain_name: String,
    /// How the chain hashes.
    pub algorithm: Algorithm,
    /// Work over JSON-RPC.
    pub json_rpc: JsonRpcDeps,
    /// Which addresses are right on the chain.
    pub addresses: AddressFormat,
    /// How long and how large things may be.
    pub limits: HttpLimits,
    /// Where workers hear what happens, for event streams.
    pub events: Tower,
    /// What is read for operators beside the ledger.
    pub files: OperatorFiles,
    /// How miners connect.
    pub connect: Connect,
    /// What amounts are counted in, and its decimal places.
    pub unit: (String, u8),
    /// How work is evaluated, if it is.
    pub evaluation: Option<EvaluationDeps>,
    /// The fronts that share the ledger, as they are seen; `None` if it is a file.
    pub fronts: Option<watch::Receiver<Fronts>>,
    /// Which of them have a link with this one, or should have one; `None` if the ledger is a file.
    pub links: Option<watch::Receiver<Links>>,
    /// Turns true when the pool stops: long polls are answered at once.
    pub stopping: watch::Receiver<bool>,
}

/// What routes know of evaluated work.
#[derive(Clone, Debug)]
pub struct EvaluationDeps {
    /// The work evaluator: takes work.
    pub submit: Port<SubmitWork>,
    /// The work evaluator: removes a miner's submission.
    pub remove: Port<RemoveSubmission>,
    /// The work evaluator: how it goes.
    pub read: Port<ReadEvaluator>,
    /// How long a miner waits for its result.
    pub wait: Span,
    /// The largest work, in bytes.
    pub work_bytes: usize,
    /// What the operator wants miners to do: JSON.
    pub task: Option<String>,
    /// What is paid by.
    pub measure: Measure,
    /// For how long a result is paid.
    pub max_age: Span,
}

/// What JSON-RPC knows beyond what all routes know.
pub struct JsonRpcDeps {
    /// What user names are taken.
    pub logins: LoginRules,
    /// Lets a payout address mine that nobody has registered.
    pub join: Port<JoinWorker>,
    /// Writes down which job a header was made of.
    pub given: Outbox<HeaderGiven>,
    /// Finds it again.
    pub find: Port<FindJob>,
    /// Writes down which job a worker was given last.
    pub job_given: Outbox<JobGiven>,
    /// Finds it again.
    pub last_job: Port<ReadLastJob>,
    /// Where Stratum is served as miners that are sent there speak it, without TLS and without a PROXY header.
    pub stratum_port: Option<u16>,
}
