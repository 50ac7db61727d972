//! What the routes know and whom they may ask.

use std::cell::RefCell;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, web};
use dwarves_actors::ask::{AskError, Port, Request};
use dwarves_actors::block_tracker::messages::ReadBlocks;
use dwarves_actors::handlers::admin::messages::{Authorize, Control};
use dwarves_actors::handlers::registration::messages::{Authenticate, OpenSession, Register};
use dwarves_actors::handlers::submission::messages::{FetchWork, SubmitShares};
use dwarves_actors::miner_manager::messages::{ReadMiner, ReadMiners, ReadRecords};
use dwarves_actors::paymaster::messages::{ReadPayouts, ReadWaiting};
use dwarves_actors::pool_manager::messages::ReadPool;
use dwarves_actors::reward_distributor::messages::ReadSchedule;
use dwarves_actors::time_keeper::messages::ReadClock;
use dwarves_actors::work_manager::messages::ReadWork;
use dwarves_domain::address::AddressFormat;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::limits::SharedLimit;
use dwarves_domain::session::SessionKey;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::work::Algorithm;
use dwarves_ports::clock::SharedClock;
use dwarves_ports::store::{PoolTotals, SharedStore, StoreFuture};

use tokio::sync::watch;

use super::admin_token::AdminToken;
use super::bodies::Bodies;
use super::connections::requests;
use super::json_rpc::{JsonRpcDeps, TransactionsCache};
use super::problem::{Code, Problem};
use dwarves_domain::network::Subnet;

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
}

/// Whom the routes of one HTTP worker may ask: the handler actors on that worker's own thread.
#[derive(Clone, Debug)]
pub struct WorkerPorts {
    /// The registration handler: checks a signed request.
    pub authenticate: Port<Authenticate>,
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
        }
    }
}

/// What all HTTP workers share. Made once, behind an `Arc`.
pub struct HttpDeps {
    /// The ports of the actors that routes ask.
    pub ports: PoolPorts,
    /// The store; the routes only read it.
    pub store: SharedStore,
    /// Where routes read the time.
    pub clock: SharedClock,
    /// Proxies whose word for a client's address is taken.
    pub proxies: Vec<Subnet>,
    /// Opens session tokens.
    pub sessions: SessionKey,
    /// The bearer token of the operator.
    pub admin_token: AdminToken,
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
    /// Turns true when the pool stops: long polls are answered at once.
    pub stopping: watch::Receiver<bool>,
}

/// What the routes of one HTTP worker know. Made in the App factory, as `web::Data<HttpState>`.
pub struct HttpState {
    deps: Arc<HttpDeps>,
    worker: WorkerPorts,
    /// The last sums over the ledger and when they were read. An HTTP worker is one thread.
    totals: RefCell<Option<(Timestamp, PoolTotals)>>,
    transactions: TransactionsCache,
    bodies: Bodies,
}

/// How old sums over the ledger may be when they are shown.
const TOTALS_AGE_MAX: Span = Span::from_millis(500);
/// How long beyond the long poll's own time its answer may take.
const LONG_POLL_GRACE: Duration = Duration::from_secs(5);

impl HttpState {
    /// The state of one HTTP worker, ready for `App::app_data`.
    pub fn new(deps: Arc<HttpDeps>, worker: WorkerPorts) -> web::Data<Self> {
        web::Data::new(Self {
            bodies: Bodies::new(deps.limits.bodies_bytes, deps.limits.body_bytes),
            deps,
            worker,
            totals: RefCell::new(None),
            transactions: TransactionsCache::default(),
        })
    }

    /// What all HTTP workers share.
    pub fn deps(&self) -> &HttpDeps {
        &self.deps
    }

    /// This worker's handler actors.
    pub fn worker(&self) -> &WorkerPorts {
        &self.worker
    }

    /// The present template's transactions, as miners over JSON-RPC get them.
    pub fn transactions(&self) -> &TransactionsCache {
        &self.transactions
    }

    /// Room for bodies that are on their way.
    pub fn bodies(&self) -> &Bodies {
        &self.bodies
    }

    /// How long and how large things may be.
    pub fn limits(&self) -> &HttpLimits {
        &self.deps.limits
    }

    /// Asks an actor.
    ///
    /// # Errors
    /// `busy` or `stopping` if there is no answer (in time).
    pub async fn ask<R: Request>(&self, port: &Port<R>, payload: R) -> Result<R::Reply, Problem> {
        Ok(port.ask(payload, self.limits().ask_deadline).await?)
    }

    /// Asks an actor that may take as long as a long poll, for as long as the client of `req` is there.
    ///
    /// # Errors
    /// `busy` or `stopping` if there is no answer (in time).
    pub async fn ask_long<R: Request>(
        &self,
        req: &HttpRequest,
        port: &Port<R>,
        payload: R,
    ) -> Result<R::Reply, Problem> {
        let deadline = self.limits().long_poll + LONG_POLL_GRACE;
        let mut stopping = self.deps.stopping.clone();
        tokio::select! {
            reply = port.ask(payload, deadline) => Ok(reply?),
            // Whoever waits for newer work need not hold up the end. Without a sender it never comes.
            Ok(_) = stopping.wait_for(|stopping| *stopping) => Err(AskError::Gone.into()),
            // Its place among those that wait is another one's.
            () = requests::gone(req) => {
                Err(Problem::new(Code::Busy, "the connection was closed before there was newer work"))
            }
        }
    }

    /// Sums over the whole ledger, at most half a second old: anybody may ask as often as they like.
    ///
    /// # Errors
    /// As [`HttpState::read`].
    pub async fn totals(&self) -> Result<PoolTotals, Problem> {
        let now = self.deps.clock.now();
        if let Some((at, totals)) = self.totals.borrow().as_ref()
            && now.since(*at) < TOTALS_AGE_MAX
            && now >= *at
        {
            return Ok(totals.clone());
        }
        let totals = self.read(|store| store.totals()).await?;
        *self.totals.borrow_mut() = Some((now, totals.clone()));
        Ok(totals)
    }

    /// Reads from the store.
    ///
    /// # Errors
    /// `busy` if it does not answer in time, `unavailable` or `internal` if it fails.
    pub async fn read<T>(&self, question: impl FnOnce(&SharedStore) -> StoreFuture<T>) -> Result<T, Problem> {
        self.within_deadline(question(&self.deps.store))
            .await?
            .map_err(Problem::from)
    }

    async fn within_deadline<F: Future>(&self, future: F) -> Result<F::Output, Problem> {
        tokio::time::timeout(self.limits().ask_deadline, future)
            .await
            .map_err(|_| Problem::from(AskError::TimedOut))
    }
}
