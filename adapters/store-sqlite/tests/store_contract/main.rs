//! The store contract on SQLite, on disk and in memory, and what only a store on disk must do.
//!
//! A child process is this very test binary, asked for one ignored test.
#![allow(clippy::unwrap_used, reason = "these are tests, and helpers of tests")]

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, Sequence, TemplateId, WorkerId};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::{Amount, Units};
use dwarves_domain::work::{ChainTemplate, CoinbaseForm, FullExtraNonce};
use dwarves_ports::store::{
    ShareRow, SharedStore, Store, StoreErrorKind, TemplateRow, WorkerRow, Write, Written,
};
use dwarves_store_sqlite::{InlineStore, OpenError, SqliteOptions, SqliteStore};
use dwarves_testkit::contract::Backend;

mod backing_up;
mod in_memory;
mod killing;
mod migrating;
mod opening;
mod size;
mod size_of_history;
mod size_of_money;
mod unpacking;
mod waiting;

struct OnDisk {
    directory: tempfile::TempDir,
}

impl OnDisk {
    fn path(&self) -> PathBuf {
        self.directory.path().join("dwarves.db")
    }
}

impl Backend for OnDisk {
    fn fresh() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory }
    }

    fn open(&self) -> SharedStore {
        Arc::new(open(&self.path()))
    }

    fn share(&self, sequence: Sequence) -> ShareRow {
        share(&rusqlite::Connection::open(self.path()).unwrap(), sequence)
    }
}

/// The same store without a disk and threads.
struct InMemory {
    last: RefCell<InlineStore>,
}

impl Backend for InMemory {
    fn fresh() -> Self {
        let last = RefCell::new(InlineStore::inline().unwrap());
        Self { last }
    }

    fn open(&self) -> SharedStore {
        let anew = self.last.borrow().reopen().unwrap();
        self.last.replace(anew.clone());
        Arc::new(anew)
    }

    fn share(&self, sequence: Sequence) -> ShareRow {
        let last = self.last.borrow();
        last.look(|sqlite| share(sqlite, sequence)).unwrap()
    }
}

fn share(sqlite: &rusqlite::Connection, sequence: Sequence) -> ShareRow {
    let shares = unpacking::shares(sqlite);
    shares
        .into_iter()
        .find(|stored| stored.sequence == sequence)
        .unwrap()
        .row
}

mod contract {
    use super::OnDisk;

    dwarves_testkit::store_contract!(OnDisk);
}

mod contract_in_memory {
    use super::InMemory;

    dwarves_testkit::store_contract!(InMemory);
}

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, SqliteOptions::default()).unwrap()
}

fn refused(path: &Path) -> OpenError {
    SqliteStore::open(path, SqliteOptions::default())
        .err()
        .expect("it must be refused")
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(future)
}

fn commit(store: &SqliteStore, writes: Vec<Write>) -> Result<Vec<Written>, StoreErrorKind> {
    block_on(store.commit(writes)).map_err(|error| error.kind())
}

fn furnish(store: &SqliteStore) {
    commit(store, furniture()).unwrap();
}

/// A miner, its worker and a template.
fn furniture() -> Vec<Write> {
    let hotkey = Hotkey::from_bytes([1; 32]);
    let worker = WorkerRow {
        id: WorkerId::new(1),
        hotkey,
        name: "rig".parse().unwrap(),
    };
    let chain = ChainTemplate {
        height: 1,
        previous: HeaderHash::from_bytes([0; 32]),
        version: 1,
        version_mask: 0,
        bits: CompactTarget::from_bits(0x207f_ffff),
        time: 0,
        time_min: 0,
        time_max: 0,
        subsidy: Amount::ZERO,
        coinbase_value: Amount::ZERO,
        coinbase_form: CoinbaseForm::Bip54,
        witness_commitment: None,
        transactions: Vec::new(),
        trailer: Vec::new(),
    };
    let template = TemplateRow {
        id: TemplateId::new(1),
        received_at: Timestamp::EPOCH,
        chain,
        payout_script: Vec::new(),
        tag: String::new(),
    };
    let register = Write::RegisterMiner {
        hotkey,
        payout_address: None,
        at: Timestamp::EPOCH,
    };
    vec![
        register,
        Write::AddWorker(worker),
        Write::SaveTemplate(Box::new(template)),
    ]
}

/// Shares that differ in their hashes alone.
fn shares(count: u64) -> Write {
    let share = |number: u64| ShareRow {
        template: TemplateId::new(1),
        extranonce: FullExtraNonce::from_bytes([0xff; 12]),
        worker: WorkerId::new(1),
        share_bits: CompactTarget::from_bits(0x207f_ffff),
        units: Units::ONE,
        hash: hash(number),
        version: 1,
        time: 2,
        nonce: 3,
        received_at: Timestamp::from_secs(1_700_000_000),
        block: None,
    };
    Write::AppendShares((0..count).map(share).collect())
}

/// A hash that looks like one, but for large numbers.
fn hash(number: u64) -> HeaderHash {
    let mut bytes = [0; 32];
    for (part, at) in bytes.chunks_mut(8).zip(1..) {
        let mixed = (number * 4 + at).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        part.copy_from_slice(&mixed.to_be_bytes());
    }
    HeaderHash::from_bytes(bytes)
}

fn last_sequence(store: &SqliteStore) -> u64 {
    block_on(store.totals()).unwrap().shares
}

fn units_stored(store: &SqliteStore, through: u64) -> u128 {
    let all = store.weights_between(Sequence::new(0), Sequence::new(through));
    block_on(all).unwrap().total() / 2 / Units::ONE.raw()
}
