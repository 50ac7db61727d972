//! The pool's database: one SQLite file.
//!
//! One thread writes: each commit is one transaction that is flushed to disk before it is answered. Two
//! threads read, with connections of their own, so reads never queue behind writes. All queues are bounded;
//! when one is full the answer is "unavailable" at once.
//!
//! | module | its one job |
//! |---|---|
//! | `open` | one process only, and the settings that the pool's promises need |
//! | `schema` | versions of the schema; `migrations/` holds them |
//! | `writer` | the writing thread and its transactions |
//! | `log_mover` | the thread that moves the log to the database, beside the commits |
//! | `tail` | what the writer keeps in memory |
//! | `write` | each intent of writing as SQL |
//! | `state` | the start of a life |
//! | `reader` | the reading threads |
//! | `read` | each question as SQL |
//! | `books` | whether the books hold exactly what came in |
//! | `batches` | places in the ledger, found by halving |
//! | `rows`, `cells` | rows and cells as the actors' and the domain's types |
//! | `error` | what SQLite's errors mean to the pool |

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{self, SyncSender};
use std::thread::JoinHandle;

use dwarves_actors::store::{
    AuditRow, BlockCredits, BlockRow, CreditRow, LedgerPosition, MinerBalances, MinerPayoutRow, Page,
    PageRequest, PoolTotals, RoundRow, Store, StoreError, StoreErrorKind, StoreFuture, StoredState,
    TemplateRow, ValuedUnits, Write, Written,
};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{ExtraNonce, HeaderHash, PayoutId, RoundId, Sequence, TemplateId};
use dwarves_domain::payouts::{Candidate, Payout, Txid};
use dwarves_domain::rewards::{Weights, pplns};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::{Amount, Units};
use tokio::sync::oneshot;

mod batches;
mod books;
mod cells;
mod error;
mod log_mover;
mod open;
mod read;
mod reader;
mod rows;
mod schema;
mod state;
mod tail;
mod write;
mod writer;

pub use open::{OpenError, SqliteOptions};

use log_mover::LogMover;
use reader::Readers;
use writer::{Order, Reply, Writer};

/// Commits that may wait for the writer; the ledger has one under way at a time.
const WRITER_QUEUE_MAX: usize = 16;
/// Threads that read: a long fold over a window leaves one for quick questions.
const READERS: usize = 2;

/// A store in an SQLite file. Dropping it waits until what was asked is written.
pub struct SqliteStore {
    // Dropped in this order: the readers first, so that the writer is the last to close and tidies the log.
    readers: Option<Readers>,
    orders: Option<SyncSender<Order>>,
    /// The writer's thread, and the mover's, which ends with it.
    threads: Vec<JoinHandle<()>>,
    /// Held as long as the database is open.
    _lock: File,
}

impl SqliteStore {
    /// Opens the database at `path`, makes it if it is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// If another process has it, it is damaged, of a newer version or another program's, or the file can not
    /// be written.
    pub fn open(path: &Path, options: SqliteOptions) -> Result<Self, OpenError> {
        let path = &open::real_path(path)?;
        let lock = open::lock(path)?;
        let mut connection = open::writer(path, options)?;
        let (log_mover, mover) = LogMover::start(&mut connection, open::mover(path)?, open::LOG_PAGES)
            .map_err(|error| OpenError::Database(error.to_string()))?;
        let writer = Writer::new(connection, log_mover).map_err(|error| match error.kind() {
            StoreErrorKind::Corrupt => OpenError::Corrupt(error.to_string()),
            _ => OpenError::Database(error.to_string()),
        })?;
        let connections = (0..READERS).map(|_| open::reader(path));
        let connections = connections.collect::<Result<Vec<_>, _>>()?;
        let no_thread = |error: std::io::Error| OpenError::Database(format!("no thread for it: {error}"));
        let readers = Readers::start(connections).map_err(no_thread)?;
        let (orders, ordered) = mpsc::sync_channel(WRITER_QUEUE_MAX);
        let writer = std::thread::Builder::new()
            .name("store-write".into())
            .spawn(move || writer.run(&ordered))
            .map_err(no_thread)?;
        Ok(Self {
            readers: Some(readers),
            orders: Some(orders),
            threads: vec![writer, mover],
            _lock: lock,
        })
    }

    /// The stored settings of a ledger that a running pool has open. Nothing is written, and nobody is held up.
    ///
    /// # Errors
    /// If they can not be read.
    pub fn settings_in_use(path: &Path) -> Result<BTreeMap<String, String>, OpenError> {
        let connection = open::reader(&open::real_path(path)?)?;
        state::settings(&connection)
            .map_err(|fail| OpenError::Database(fail.into_store_error("reading settings").to_string()))
    }

    /// Hands an order to the writer at once; what it comes to is told by the future.
    fn order<T: 'static>(&self, make: impl FnOnce(Reply<T>) -> Order) -> StoreFuture<T> {
        let (reply, answer) = oneshot::channel();
        let orders = self.orders.as_ref();
        let is_taken = orders.is_some_and(|orders| orders.try_send(make(reply)).is_ok());
        Box::pin(async move {
            if !is_taken {
                let why = "too many commits wait";
                return Err(StoreError::new(StoreErrorKind::Unavailable, why));
            }
            answer.await.unwrap_or_else(|_| {
                let why = "the writer ended without an answer";
                Err(StoreError::new(StoreErrorKind::Unknown, why))
            })
        })
    }

    fn read<T: Send + 'static>(
        &self,
        name: &'static str,
        read: impl FnOnce(&rusqlite::Connection) -> error::Outcome<T> + Send + 'static,
    ) -> StoreFuture<T> {
        match &self.readers {
            Some(readers) => readers.read(name, read),
            None => {
                let error = StoreError::new(StoreErrorKind::Unavailable, "the store is closed");
                Box::pin(std::future::ready(Err(error)))
            }
        }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.readers = None;
        self.orders = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                log::error!("a thread of the store panicked");
            }
        }
    }
}

impl Store for SqliteStore {
    fn start(&self, now: Timestamp) -> StoreFuture<StoredState> {
        self.order(|reply| Order::Start(now, reply))
    }

    fn commit(&self, writes: Vec<Write>) -> StoreFuture<Vec<Written>> {
        self.order(|reply| Order::Commit(writes, reply))
    }

    fn blocks_to_account(&self, limit: u32) -> StoreFuture<Vec<BlockRow>> {
        self.read("blocks to account", move |c| read::blocks::to_account(c, limit))
    }

    fn open_blocks(&self, depth: u32) -> StoreFuture<Vec<BlockRow>> {
        self.read("open blocks", move |c| read::blocks::open(c, depth))
    }

    fn weights_in_window(&self, window: pplns::Window, through: Sequence) -> StoreFuture<Weights> {
        self.read("weights in window", move |c| {
            read::windows::in_window(c, &window, through)
        })
    }

    fn weights_between(&self, after: Sequence, through: Sequence) -> StoreFuture<Weights> {
        self.read("weights between", move |c| {
            read::windows::between(c, after, through)
        })
    }

    fn values_between(&self, after: Sequence, through: Sequence) -> StoreFuture<Vec<ValuedUnits>> {
        self.read("values between", move |c| {
            read::windows::values_between(c, after, through)
        })
    }

    fn position_before(&self, total: Units) -> StoreFuture<LedgerPosition> {
        self.read("position before", move |c| {
            read::windows::position_before(c, total)
        })
    }

    fn position_at(&self, at: Timestamp) -> StoreFuture<LedgerPosition> {
        self.read("position at", move |c| read::windows::position_at(c, at))
    }

    fn block_before(&self, hash: HeaderHash) -> StoreFuture<Option<BlockRow>> {
        self.read("block before", move |c| read::blocks::before(c, &hash))
    }

    fn block(&self, hash: HeaderHash) -> StoreFuture<Option<BlockRow>> {
        self.read("block", move |c| read::blocks::one(c, &hash))
    }

    fn template(&self, id: TemplateId) -> StoreFuture<Option<TemplateRow>> {
        self.read("template", move |c| read::templates::whole(c, id))
    }

    fn owner_of(&self, extranonce: ExtraNonce) -> StoreFuture<Option<Hotkey>> {
        self.read("owner of", move |c| read::windows::owner_of(c, extranonce))
    }

    fn block_credits(&self, hash: HeaderHash) -> StoreFuture<Option<BlockCredits>> {
        self.read("block credits", move |c| read::blocks::credits(c, &hash))
    }

    fn miner_balances(&self, hotkey: Hotkey) -> StoreFuture<MinerBalances> {
        self.read("miner balances", move |c| read::money::balances(c, &hotkey))
    }

    fn miner_credits(&self, hotkey: Hotkey, page: PageRequest) -> StoreFuture<Page<CreditRow>> {
        self.read("miner credits", move |c| read::money::credits(c, &hotkey, page))
    }

    fn payout_candidates(&self, least: Amount) -> StoreFuture<Vec<Candidate>> {
        self.read("payout candidates", move |c| read::payouts::candidates(c, least))
    }

    fn known_txids(&self, txids: Vec<Txid>) -> StoreFuture<BTreeSet<Txid>> {
        self.read("known txids", move |c| read::payouts::known(c, &txids))
    }

    fn settings(&self) -> StoreFuture<BTreeMap<String, String>> {
        self.read("settings", state::settings)
    }

    fn payees(&self) -> StoreFuture<Vec<Candidate>> {
        self.read("payees", read::payouts::payees)
    }

    fn watched_payouts(&self, limit: u32) -> StoreFuture<Vec<Payout>> {
        self.read("watched payouts", move |c| read::payouts::watched(c, limit))
    }

    fn payout(&self, id: PayoutId) -> StoreFuture<Option<Payout>> {
        self.read("payout", move |c| {
            read::payouts::one(c, id, read::payouts::Parts::With)
        })
    }

    fn miner_payouts(&self, hotkey: Hotkey, page: PageRequest) -> StoreFuture<Page<MinerPayoutRow>> {
        self.read("miner payouts", move |c| {
            read::payouts::of_miner(c, &hotkey, page)
        })
    }

    fn payout_threshold(&self, hotkey: Hotkey) -> StoreFuture<Option<Amount>> {
        self.read("payout threshold", move |c| read::payouts::threshold(c, &hotkey))
    }

    fn blocks(&self, page: PageRequest) -> StoreFuture<Page<BlockRow>> {
        self.read("blocks", move |c| read::blocks::list(c, page))
    }

    fn rounds(&self, page: PageRequest) -> StoreFuture<Page<RoundRow>> {
        self.read("rounds", move |c| read::money::rounds(c, page))
    }

    fn round(&self, id: RoundId) -> StoreFuture<Option<(RoundRow, Vec<CreditRow>)>> {
        self.read("round", move |c| read::money::round(c, id))
    }

    fn audit(&self, page: PageRequest) -> StoreFuture<Page<AuditRow>> {
        self.read("audit", move |c| read::money::audit(c, page))
    }

    fn totals(&self) -> StoreFuture<PoolTotals> {
        self.read("totals", read::money::totals)
    }
}
