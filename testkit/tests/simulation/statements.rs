//! Statements of work in the simulation: of short epochs, so that many end, and some in the very moment of a crash.
//!
//! After each life every statement is compared with a plain reading of the shares that it covers: it is signed by the pool,
//! follows the one before, leaves no share out and counts none twice, says for each miner the exact sums, and is the same,
//! byte for byte, as it was when it was first seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use dwarves_actors::notary::NotarySettings;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::statements::{DOMAIN_LINE, EpochId, EpochLength, StatementDigest};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::work::Algorithm;
use dwarves_ports::signer::Signer;
use dwarves_ports::store::{PageRequest, StatementRow, Store};
use dwarves_store_sqlite::InlineStore;
use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier};
use num_bigint::BigUint;
use serde_json::Value;

use crate::check::now;
use crate::notes::Notes;

/// How long an epoch is.
const EPOCH_SECS: u32 = 4;

const ALL: PageRequest = PageRequest {
    cursor: None,
    limit: u32::MAX,
};

/// Signs as the pool. What kind of signature it is nobody here minds.
struct PoolKey(SigningKey);

fn key() -> SigningKey {
    SigningKey::from_bytes(&[99; 32])
}

impl Signer for PoolKey {
    fn hotkey(&self) -> Hotkey {
        Hotkey::from_bytes(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

pub(crate) fn settings() -> NotarySettings {
    NotarySettings {
        length: EpochLength::from_secs(EPOCH_SECS),
        algorithm: Algorithm::Sha256d,
        signer: Arc::new(PoolKey(key())),
    }
}

/// The statements that were seen, as validators keep them. An older ledger that is put back takes back those since.
#[derive(Default)]
pub(crate) struct Seen(BTreeMap<EpochId, StatementRow>);

/// What somebody's shares come to: how many, in hashes, in units.
type Sums = (u64, BigUint, BigUint);

impl Seen {
    /// The ledger was put back to what it was before.
    pub(crate) fn forget_after(&mut self, backup: &InlineStore) {
        self.0.retain(|epoch, _| now(backup.statement(*epoch)).is_some());
    }

    /// After each life.
    pub(crate) fn check(&mut self, store: &InlineStore, notes: &Notes) {
        let mut heads = now(store.statements(ALL)).rows;
        heads.sort_by_key(|head| head.ended.epoch);
        for epoch in self.0.keys() {
            let is_there = heads.iter().any(|head| head.ended.epoch.start == *epoch);
            assert!(is_there, "the statement of epoch {epoch} is gone");
        }
        let shares = shares(store);
        let told = notes.told();
        let mut before: Option<StatementRow> = None;
        for head in heads {
            let epoch = head.ended.epoch;
            let row = now(store.statement(epoch.start)).expect("what is listed is there");
            assert_eq!(row.head, head);
            follows(&row, before.as_ref());
            let (after, through) = (head.ended.after.get(), head.ended.through.get());
            let stated = read(&row);
            let of_epoch = &shares[after as usize..through as usize];
            assert_eq!(stated, added(of_epoch), "the statement of epoch {}", epoch.start);
            for (sequence, miner) in told.accepted.values() {
                let is_in = (after + 1..=through).contains(&sequence.get());
                assert!(
                    !is_in || stated.contains_key(&miner.to_string()),
                    "{miner} is left out"
                );
            }
            if !self.0.contains_key(&epoch.start) {
                notes.event(format!(
                    "epoch {} is stated: {} shares of {} miners",
                    epoch.start,
                    through - after,
                    stated.len()
                ));
            }
            let first_seen = self.0.entry(epoch.start).or_insert_with(|| row.clone());
            assert_eq!(*first_seen, row, "the statement of epoch {} changed", epoch.start);
            before = Some(row);
        }
        let known = now(store.epochs());
        let stated = before.map_or(0, |row| row.head.ended.through.get());
        if let Some(ended) = known.ended {
            assert_eq!(ended.after.get().max(stated), ended.after.get());
            notes.event(format!("epoch {} has ended and is not stated", ended.epoch.start));
        }
    }
}

/// It is the pool's, and of the text; its epoch and its shares begin where those of the one before end.
fn follows(row: &StatementRow, before: Option<&StatementRow>) {
    let head = &row.head;
    assert_eq!(head.digest, StatementDigest::of(&row.text));
    let signature = Signature::from_bytes(&head.signature);
    let is_signed = key().verifying_key().verify(row.text.as_bytes(), &signature);
    is_signed.expect("a statement is signed by the pool");
    assert_eq!(head.previous, before.map(|before| before.head.digest));
    let Some(before) = before else { return };
    let (last, next) = (before.head.ended, head.ended);
    assert_eq!(
        last.epoch.end, next.epoch.start,
        "between two epochs there is no time"
    );
    assert_eq!(
        last.through, next.after,
        "a share is in two statements, or in none"
    );
    assert!(next.epoch.start < next.epoch.end && next.after <= next.through);
}

/// Every share: whose it is, its target, and its units.
fn shares(store: &InlineStore) -> Vec<(String, CompactTarget, u128)> {
    let owned = store.shares().into_iter().map(|(_, row)| {
        let owner = store.owner_of_worker(row.worker).expect("a share has an owner");
        (owner.to_string(), row.share_bits, row.units.raw())
    });
    owned.collect()
}

fn added(shares: &[(String, CompactTarget, u128)]) -> BTreeMap<String, Sums> {
    let mut sums: BTreeMap<String, Sums> = BTreeMap::new();
    for (owner, bits, units) in shares {
        let sum = sums.entry(owner.clone()).or_default();
        sum.0 += 1;
        sum.1 += hashes_of(*bits);
        sum.2 += BigUint::from(*units);
    }
    sums
}

/// What a share of this target takes, by the definition that validators are given.
fn hashes_of(bits: CompactTarget) -> BigUint {
    let bits = bits.bits();
    let (size, mantissa) = (bits >> 24, BigUint::from(bits & 0x007f_ffff));
    let target = mantissa << (8 * (size - 3));
    (BigUint::from(1_u8) << 256) / (target + 1_u8)
}

/// What a statement says of each miner with accepted shares, as one that knows nothing but the documents reads it.
fn read(row: &StatementRow) -> BTreeMap<String, Sums> {
    let (first, rest) = row.text.split_once('\n').expect("a statement has two lines");
    assert_eq!(first, DOMAIN_LINE);
    let said: Value = serde_json::from_str(rest).expect("a statement is JSON");
    let number = |value: &Value| {
        value
            .as_str()
            .and_then(|text| text.parse::<BigUint>().ok())
            .expect("a number")
    };
    let ended = &row.head.ended;
    let expected = [
        ("start", ended.epoch.start.get()),
        ("end", ended.epoch.end.get()),
        ("sequence_after", ended.after.get()),
        ("sequence_through", ended.through.get()),
    ];
    for (name, value) in expected {
        assert_eq!(number(&said[name]), BigUint::from(value), "{name}");
    }
    let sums = |work: &Value| {
        let (shares, minutes) = (number(&work["shares"]), number(&work["active_minutes"]));
        let is_any = shares > BigUint::ZERO;
        assert!(minutes <= shares && is_any == (minutes > BigUint::ZERO), "{work}");
        let shares = u64::try_from(shares).expect("so many there are not");
        (shares, number(&work["hashes"]), number(&work["units"]))
    };
    let add = |sum: &mut Sums, more: &Sums| {
        sum.0 += more.0;
        sum.1 += &more.1;
        sum.2 += &more.2;
    };
    let (mut all, mut total) = (BTreeMap::new(), Sums::default());
    for miner in said["miners"].as_array().expect("a list") {
        let mut of_miner = Sums::default();
        for work in miner["workers"].as_array().expect("a list") {
            add(&mut of_miner, &sums(work));
        }
        add(&mut total, &of_miner);
        let hotkey = miner["hotkey"].as_str().expect("a hotkey").to_owned();
        if of_miner.0 > 0 {
            assert_eq!(all.insert(hotkey, of_miner), None, "a miner is there once");
        }
    }
    assert_eq!(total, sums(&said["total"]), "the whole is the sum of its parts");
    all
}
