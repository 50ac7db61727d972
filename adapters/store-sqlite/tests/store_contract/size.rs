//! What a share takes in the ledger's file, pages and all, once the log has been moved to it.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, Sequence, TemplateId, WorkerId};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;
use dwarves_domain::work::{ExtraNonce1, FullExtraNonce};
use dwarves_ports::store::{ShareRow, Store, WorkerRow, Write};
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::contract::Backend;

use super::{OnDisk, block_on, commit, furnish, open};

/// Workers that send shares by turns.
const WORKERS: u64 = 4_000;
/// The bits of the version that miners roll.
const ROLLED: u32 = 0x1fff_e000;

/// Numbers that nobody can foretell, and that are the same in every run.
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn bits(&mut self, count: u32) -> u64 {
        self.draw() >> (64 - count)
    }
}

/// What a pool of a few thousand machines commits: every miner rolls its extranonce from 0 on, all of the version that
/// it may and some of the time; difficulties are powers of two, as sessions are given them; `ms` apart.
pub(crate) fn share(draws: &mut Draws, number: u64, ms: i64) -> ShareRow {
    let worker = draws.draw() % WORKERS;
    let easier = worker % 4;
    let mut hash = [0; 32];
    for part in hash[..24].chunks_mut(8) {
        part.copy_from_slice(&draws.draw().to_be_bytes());
    }
    // A difficulty of 2^16 to 2^19: the hash as a number begins with six zero bytes.
    hash[24..26].copy_from_slice(&draws.bits(16).to_le_bytes()[..2]);
    let session = ExtraNonce1::numbered(u32::try_from(worker).unwrap() + 70_000);
    let rolled = draws.bits(14).to_le_bytes();
    let received_at = 1_764_000_000_000 + i64::try_from(number).unwrap() * ms;
    ShareRow {
        template: TemplateId::new(1),
        extranonce: FullExtraNonce::rolled(session, &rolled).unwrap(),
        worker: WorkerId::new(u32::try_from(worker).unwrap() + 1),
        share_bits: CompactTarget::from_bits(0x1a00_ffff + (u32::try_from(easier).unwrap() << 8)),
        units: Units::from_raw(4_372_911_563_847_223_311 << easier),
        hash: HeaderHash::from_bytes(hash),
        version: 0x2000_0000 | (u32::try_from(draws.bits(32)).unwrap() & ROLLED),
        time: 1_764_000_000 + u32::try_from(number / 500 + draws.bits(5)).unwrap(),
        nonce: u32::try_from(draws.bits(32)).unwrap(),
        received_at: Timestamp::from_millis(received_at),
        block: None,
    }
}

pub(crate) fn workers() -> Vec<Write> {
    let worker = |n: u64| {
        Write::AddWorker(WorkerRow {
            id: WorkerId::new(u32::try_from(n).unwrap() + 1),
            hotkey: Hotkey::from_bytes([1; 32]),
            name: format!("rig-{n}").parse().unwrap(),
        })
    };
    (1..WORKERS).map(worker).collect()
}

pub(crate) fn bytes_of(backend: &OnDisk) -> u64 {
    std::fs::metadata(backend.path()).unwrap().len()
}

/// Bytes a share after so many commits of so many shares.
fn bytes_a_share(commits: u64, in_each: u64) -> u64 {
    let backend = OnDisk::fresh();
    let store = open(&backend.path());
    furnish(&store);
    commit(&store, workers()).unwrap();
    drop(store);
    let before = bytes_of(&backend);
    let store = open(&backend.path());
    let mut draws = Draws::new(1);
    for number in 0..commits {
        let first = number * in_each;
        let shares = (first..first + in_each).map(|n| share(&mut draws, n, 1));
        commit(&store, vec![Write::AppendShares(shares.collect())]).unwrap();
    }
    drop(store);
    (bytes_of(&backend) - before) / (commits * in_each)
}

/// The form before, a row for each share, took 172 bytes of shares that are alone in their commit, 122 of those of commits
/// of ten and 118 of many.
#[test]
fn a_share_takes_few_bytes_of_the_ledger() {
    let cases = [
        (500, 1, 116),
        (150, 5, 75),
        (100, 10, 67),
        (100, 20, 65),
        (80, 45, 62),
        (20, 500, 58),
        (1, 20_000, 58),
    ];
    let bytes = cases.map(|(commits, in_each, _)| bytes_a_share(commits, in_each));
    for ((_, in_each, at_most), bytes) in cases.into_iter().zip(bytes) {
        println!("{bytes} bytes a share, {in_each} in a commit");
        assert!(bytes <= at_most, "{bytes} bytes a share, {in_each} in a commit");
    }
}

/// The writer's work without a disk, to be measured from outside: `perf stat`, callgrind, or two counts and the
/// difference of the process's CPU time.
#[test]
#[ignore = "a measurement: SHARES and IN_EACH say how many"]
fn appending_to_be_measured() {
    let number = |name: &str, default| std::env::var(name).map_or(default, |n| n.parse().unwrap());
    let (shares, in_each) = (number("SHARES", 200_000), number("IN_EACH", 100));
    let store = InlineStore::inline().unwrap();
    let furnished = |writes| block_on(store.commit(writes)).unwrap();
    furnished(super::furniture());
    furnished(workers());
    let mut draws = Draws::new(1);
    let mut first = 0;
    while first < shares {
        let rows = (first..first + in_each).map(|n| share(&mut draws, n, 1));
        furnished(vec![Write::AppendShares(rows.collect())]);
        first += in_each;
    }
}

/// How long an older ledger takes to be brought up to date, and with FOLD the sum over all of its shares.
#[test]
#[ignore = "a measurement: LEDGER is a copy of a ledger, which is changed"]
fn opening_to_be_measured() {
    let path = std::env::var("LEDGER").expect("LEDGER says which");
    let store = open(std::path::Path::new(&path));
    let shares = block_on(store.totals()).unwrap().shares;
    if std::env::var("FOLD").is_ok() {
        let all = store.weights_between(Sequence::new(0), Sequence::new(shares));
        println!("{} half-steps", block_on(all).unwrap().total());
    }
    println!("{shares} shares");
}
