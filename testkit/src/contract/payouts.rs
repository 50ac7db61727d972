//! Payouts: money set aside, on its way, paid and given back.

use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{FeePayer, FeeRate, OutPoint, Part, Payout, Signed, Transition, Txid};
use dwarves_domain::rewards::{Emission, Scheme, Source, Weights, close};
use dwarves_domain::units::{Amount, BasisPoints};
use dwarves_ports::store::{AuditRow, SharedStore, Write, Written};

use super::Backend;
use super::fixtures::{at, close_round, commit, furnished, key, page, round_input, sats};

mod reading;
mod steps;

pub use reading::*;
pub use steps::*;

/// A store in which miners 1 and 2 have 1,000 and 500 sats payable.
pub(super) async fn with_payable<B: Backend>(backend: &B) -> SharedStore {
    let store = furnished(backend).await;
    let mut input = round_input(1, Scheme::Pplns);
    input.source = Source::Emission;
    input.fee = BasisPoints::default();
    let weights = Weights::sum([(key(1), 1_000), (key(2), 500)]).unwrap();
    input.emission = Some(Emission::of(sats(1_500), weights));
    commit(&store, vec![close_round(close(&input).unwrap(), &[], 0)]).await;
    store
}

/// With what it is owed, and with a payout that may still change, whatever its state is.
pub async fn a_miner_with_money_is_not_removed<B: Backend>(backend: B) {
    let store = with_payable(&backend).await;
    let remove = |miner: u8| Write::RemoveMiner { hotkey: key(miner) };
    let kept = |written: Vec<Written>| written == [Written::MinerKept];
    assert!(kept(commit(&store, vec![remove(1)]).await), "payable");
    let all = payout(1, &[(1, 1_000), (2, 500)], FeePayer::Miners);
    commit(&store, vec![reserve(&all)]).await;
    assert!(kept(commit(&store, vec![remove(1)]).await), "in flight");
    let (id, at) = (all.id, at(9));
    let fees = vec![sats(20), sats(10)];
    let signed = signed(1, 30);
    for step in [
        Transition::Sign { signed, fees },
        Transition::Send,
        Transition::Confirm(6),
    ] {
        commit(&store, vec![Write::StepPayout { id, step, at }]).await;
        assert!(kept(commit(&store, vec![remove(1)]).await), "watched");
    }
    let step = Transition::Forget;
    commit(&store, vec![Write::StepPayout { id, step, at }]).await;
    assert_eq!(commit(&store, vec![remove(1)]).await, [Written::Done]);
    assert_eq!(
        store.miner_balances(key(1)).await.unwrap().paid,
        sats(980),
        "the books stay"
    );
}

/// The row of an order that is refused is not in the trail, and that of one that is done is.
pub async fn an_orders_row_is_stored_only_with_what_it_orders<B: Backend>(backend: B) {
    let store = with_payable(&backend).await;
    let order = |miner: u8| {
        let row = AuditRow {
            id: 0,
            at: at(9),
            who: "token".to_owned(),
            actor: "miner_manager".to_owned(),
            message: format!("remove {miner}"),
            fields: "{}".to_owned(),
            outcome: "{}".to_owned(),
        };
        let hotkey = key(miner);
        [Write::RemoveMiner { hotkey }, Write::AppendAuditIfDone(row)]
    };
    let register = |miner: u8| Write::RegisterMiner {
        hotkey: key(miner),
        payout_address: None,
        at: at(9),
    };
    commit(&store, vec![register(8), register(9)]).await;
    // Orders of several admins may be one transaction.
    let writes = [order(8), order(1), order(9)].concat();
    use Written::{Done, MinerKept};
    let written = commit(&store, writes).await;
    assert_eq!(written, [Done, Done, MinerKept, Done, Done, Done]);
    let rows = store.audit(page(None, 9)).await.unwrap().rows;
    let messages: Vec<_> = rows.iter().map(|row| row.message.as_str()).collect();
    assert_eq!(messages, ["remove 9", "remove 8"]);
}

fn part(miner: u8, amount: u64) -> Part {
    Part {
        hotkey: key(miner),
        address: format!("address-{miner}"),
        amount: sats(amount),
        fee: Amount::ZERO,
        borne: Amount::ZERO,
    }
}

pub(super) fn payout(id: u64, parts: &[(u8, u64)], payer: FeePayer) -> Payout {
    let parts = parts.iter().map(|&(miner, amount)| part(miner, amount)).collect();
    let rate = FeeRate::new(7).unwrap();
    Payout::reserve(
        PayoutId::new(id),
        at(i64::try_from(id).unwrap()),
        parts,
        payer,
        rate,
    )
}

pub(super) fn reserve(payout: &Payout) -> Write {
    Write::ReservePayout(Box::new(payout.clone()))
}

fn signed(byte: u8, fee: u64) -> Signed {
    Signed {
        txid: Txid::from_bytes([byte; 32]),
        bytes: vec![byte; 300],
        inputs: vec![
            OutPoint {
                txid: Txid::from_bytes([0xee; 32]),
                vout: u32::MAX,
            },
            OutPoint {
                txid: Txid::from_bytes([byte; 32]),
                vout: 0,
            },
        ],
        fee: sats(fee),
    }
}

pub(super) fn sign(byte: u8, fee: u64, fees: &[u64]) -> Transition {
    Transition::Sign {
        signed: signed(byte, fee),
        fees: fees.iter().map(|&fee| sats(fee)).collect(),
    }
}

pub(super) fn step(id: u64, step: Transition) -> Write {
    Write::StepPayout {
        id: PayoutId::new(id),
        step,
        at: at(1_000),
    }
}

/// A miner's payable, in-flight and paid sats.
async fn balances(store: &SharedStore, miner: u8) -> [u64; 3] {
    let of = store.miner_balances(key(miner)).await.unwrap();
    [of.payable, of.in_flight, of.paid].map(Amount::sats)
}

async fn stored(store: &SharedStore, id: u64) -> Payout {
    store
        .payout(PayoutId::new(id))
        .await
        .unwrap()
        .expect("it is stored")
}

async fn ledger_sum(store: &SharedStore) -> i128 {
    store.totals().await.unwrap().ledger_sum
}
