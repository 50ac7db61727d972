//! What a credit takes in the ledger's file with its entries and all else, once the log has been moved to it.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, Sequence};
use dwarves_domain::rewards::{BlockReward, Emission, RoundInput, Scheme, Source, Weights, close};
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{Accounting, BlockState, FoundBlock, Write};
use dwarves_store_sqlite::SqliteStore;
use dwarves_testkit::build::{quiet_round, sats};
use dwarves_testkit::contract::Backend;

use super::size::{Draws, bytes_of};
use super::{OnDisk, commit, furnish, open};

const MINERS: u64 = 1_000;

fn hotkey(number: u64) -> Hotkey {
    Hotkey::from_bytes(*super::hash(number).as_bytes())
}

/// What the miners of a pool work in a minute, a thousandth of a block's work in all.
fn work(draws: &mut Draws) -> Weights {
    let each = |miner| (hotkey(miner), u128::from(draws.bits(40)) << 33);
    Weights::sum((0..MINERS).map(each)).unwrap()
}

fn close_round(store: &SqliteStore, input: &RoundInput, blocks: Vec<(HeaderHash, Accounting)>) {
    let round = Write::CloseRound {
        round: Box::new(close(input).unwrap()),
        blocks,
        through: Sequence::new(0),
    };
    commit(store, vec![round]).unwrap();
}

fn at(minute: u64) -> Timestamp {
    Timestamp::from_secs(1_764_000_000 + 60 * i64::try_from(minute).unwrap())
}

/// A round that pays every miner.
fn emission(id: u64, draws: &mut Draws) -> RoundInput {
    RoundInput {
        source: Source::Emission,
        emission: Some(Emission::of(sats(312_500_000), work(draws))),
        ..quiet_round(id, at(id), Scheme::Pplns)
    }
}

fn found(store: &SqliteStore, number: u64) -> BlockReward {
    let (hash, height) = (super::hash(9_000_000 + number), u32::try_from(number).unwrap());
    let reward = sats(312_500_000);
    let block = FoundBlock {
        height,
        reward,
        finder: None,
        bytes: Vec::new(),
    };
    let state = Write::SetBlockState {
        hash,
        state: BlockState::Immature,
        confirmations: 1,
        at: at(number),
        block: Some(block),
    };
    commit(store, vec![state]).unwrap();
    BlockReward {
        hash,
        height,
        reward,
        finder: None,
        weights: Weights::new(),
    }
}

/// Bytes a credit of the later ones of many rounds: those of the first bring rows that are there once a miner.
fn bytes_a_credit(round: impl Fn(&SqliteStore, u64, &mut Draws)) -> u64 {
    let backend = OnDisk::fresh();
    let mut draws = Draws::new(1);
    let (begin, rounds) = (4, 24);
    let mut bytes = 0;
    for id in 1..=begin + rounds {
        let store = open(&backend.path());
        if id == 1 {
            furnish(&store);
        }
        round(&store, id, &mut draws);
        drop(store);
        if id == begin {
            bytes = bytes_of(&backend);
        }
    }
    (bytes_of(&backend) - bytes) / (rounds * MINERS)
}

/// The form before took 200 bytes of a credit of an emission, and 319 of one of a block.
#[test]
fn a_credit_takes_few_bytes_of_the_ledger() {
    let of_emission = bytes_a_credit(|store, id, draws| close_round(store, &emission(id, draws), Vec::new()));
    let of_block = bytes_a_credit(|store, id, draws| {
        let block = BlockReward {
            weights: work(draws),
            ..found(store, id)
        };
        let booked = vec![(block.hash, Accounting::Credited)];
        let input = RoundInput {
            accepted: vec![block],
            ..quiet_round(id, at(id), Scheme::Pplns)
        };
        close_round(store, &input, booked);
    });
    println!("{of_emission} bytes a credit of an emission, {of_block} of one of a block");
    assert!(of_emission <= 32, "{of_emission} bytes a credit of an emission");
    assert!(of_block <= 40, "{of_block} bytes a credit of a block");
}
