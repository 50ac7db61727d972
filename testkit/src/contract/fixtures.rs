//! A small pool's data, and short ways to write and read it.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{ExtraNonce, HeaderHash, Sequence, TemplateId, WorkerId};
use dwarves_domain::ledger::Account;
use dwarves_domain::rewards::{ClosedRound, RoundInput, Scheme, close};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::{Amount, BasisPoints, Units};
use dwarves_domain::work::template::TemplateTransaction;
use dwarves_domain::work::{ChainTemplate, CoinbaseForm};

use super::Backend;
use crate::build::quiet_round;
use dwarves_ports::store::{
    Accounting, BlockState, FoundBlock, PageRequest, RecentShare, ShareRow, SharedStore, StoreErrorKind,
    StoredState, TemplateRow, WorkerRow, Write, Written,
};

pub(super) const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

pub(super) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_700_000_000 + secs)
}

pub(super) fn key(n: u8) -> Hotkey {
    Hotkey::from_bytes([n; 32])
}

/// A hash that looks like no other number's.
pub(super) fn hash(n: u64) -> HeaderHash {
    let mut bytes = [0x5a; 32];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    HeaderHash::from_bytes(bytes)
}

pub(super) fn sats(sats: u64) -> Amount {
    Amount::from_sats(sats).unwrap()
}

pub(super) fn seq(n: u64) -> Sequence {
    Sequence::new(n)
}

/// Worker `id` of miner `miner`.
pub(super) fn worker(id: u32, miner: u8) -> WorkerRow {
    WorkerRow {
        id: WorkerId::new(id),
        hotkey: key(miner),
        name: format!("rig-{id}").parse().unwrap(),
    }
}

pub(super) fn register(miner: u8) -> Write {
    Write::RegisterMiner {
        hotkey: key(miner),
        payout_address: None,
        at: NOW,
    }
}

pub(super) fn template(id: u32) -> TemplateRow {
    let transaction = |byte: u8| TemplateTransaction {
        data: vec![byte; 70 + usize::from(byte)],
        txid: [byte; 32],
    };
    TemplateRow {
        id: TemplateId::new(id),
        received_at: at(i64::from(id)),
        chain: ChainTemplate {
            height: 100 + id,
            previous: hash(1_000_000 + u64::from(id)),
            version: 0x2000_0000,
            version_mask: 0x1fff_e000,
            bits: CompactTarget::from_bits(0x207f_ffff),
            time: 1_700_000_000,
            time_min: 1_699_999_000,
            time_max: 1_700_007_000,
            subsidy: sats(5_000_000_000),
            coinbase_value: sats(5_000_000_000 + u64::from(id)),
            coinbase_form: CoinbaseForm::Bip54,
            witness_commitment: Some(vec![0x6a, 0x24, 0xaa]).filter(|_| id % 2 == 1),
            transactions: vec![transaction(1), transaction(2)],
            trailer: vec![9; 3],
        },
        payout_script: vec![0, 20, 1, 2, 3],
        tag: "/dwarves/".to_owned(),
    }
}

/// Share number `n` (which gives its hash) of worker `of`, on template 1, worth `units` raw steps.
pub(super) fn share(n: u64, of: u32, units: u128) -> ShareRow {
    ShareRow {
        template: TemplateId::new(1),
        extranonce: ExtraNonce::new(n << 32 | 7).into(),
        worker: WorkerId::new(of),
        share_bits: CompactTarget::from_bits(0x1f00_ffff),
        units: Units::from_raw(units),
        hash: hash(n),
        version: 0x2000_0000,
        time: 1_700_000_001,
        nonce: 0xdead_beef,
        received_at: at(i64::try_from(n).unwrap()),
        block: None,
    }
}

pub(super) fn found(height: u32, finder: u8) -> FoundBlock {
    FoundBlock {
        height,
        reward: sats(1_000),
        finder: Some(key(finder)),
        bytes: vec![0xb1; 300],
    }
}

/// A share that is a block of this height.
pub(super) fn block_share(n: u64, of: u32, units: u128, height: u32) -> ShareRow {
    ShareRow {
        block: Some(found(height, 1)),
        ..share(n, of, units)
    }
}

/// What became of block `n`, whose share is stored.
pub(super) fn became(n: u64, state: BlockState) -> Write {
    Write::SetBlockState {
        hash: hash(n),
        state,
        confirmations: 1,
        at: NOW,
        block: None,
    }
}

pub(super) fn page(cursor: Option<u64>, limit: u32) -> PageRequest {
    PageRequest { cursor, limit }
}

/// A round in which nothing happened yet.
pub(super) fn round_input(id: u64, scheme: Scheme) -> RoundInput {
    RoundInput {
        fee: BasisPoints::new(100).unwrap(),
        ..quiet_round(id, at(i64::try_from(id).unwrap() * 60), scheme)
    }
}

pub(super) fn empty_round(id: u64) -> ClosedRound {
    close(&round_input(id, Scheme::Pplns)).unwrap()
}

/// A round that books a block of [`found`] so, all of it to the reserve.
pub(super) fn booked_round(id: u64, accounting: Accounting) -> ClosedRound {
    let mut round = empty_round(id);
    let to = match accounting {
        Accounting::Credited => Account::ReserveImmature,
        Accounting::Matured => Account::Reserve,
        Accounting::None | Accounting::Reversed | Accounting::ReversedMature => return round,
    };
    round
        .postings
        .transfer(Account::Chain, to, found(1, 1).reward)
        .unwrap();
    round
}

pub(super) fn close_round(round: ClosedRound, blocks: &[(u64, Accounting)], through: u64) -> Write {
    Write::CloseRound {
        round: Box::new(round),
        blocks: blocks.iter().map(|&(n, booked)| (hash(n), booked)).collect(),
        through: seq(through),
    }
}

pub(super) async fn commit(store: &SharedStore, writes: Vec<Write>) -> Vec<Written> {
    let count = writes.len();
    let written = store.commit(writes).await.unwrap();
    assert_eq!(written.len(), count, "every write is answered");
    written
}

pub(super) async fn append(store: &SharedStore, shares: Vec<ShareRow>) -> Written {
    commit(store, vec![Write::AppendShares(shares)]).await.remove(0)
}

/// What a commit fails with.
pub(super) async fn refused(store: &SharedStore, writes: Vec<Write>) -> StoreErrorKind {
    store.commit(writes).await.unwrap_err().kind()
}

pub(super) async fn start(store: &SharedStore) -> StoredState {
    store.start(NOW).await.unwrap()
}

/// All shares of live templates.
pub(super) async fn recent(store: &SharedStore) -> Vec<RecentShare> {
    store.recent_shares(Sequence::new(0), u32::MAX).await.unwrap()
}

/// A store with miners 1 and 2, workers 1 and 3 of the first and 2 of the second, and template 1.
pub(super) async fn furnished<B: Backend>(backend: &B) -> SharedStore {
    let store = backend.open();
    let mut writes = vec![register(1), register(2)];
    for (id, miner) in [(1, 1), (2, 2), (3, 1)] {
        writes.push(Write::AddWorker(worker(id, miner)));
    }
    writes.push(Write::SaveTemplate(Box::new(template(1))));
    commit(&store, writes).await;
    store
}
