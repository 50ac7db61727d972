//! What must hold after each life, by a plain reading of what is stored and exact arithmetic without bounds.
//!
//! Every acknowledged submission is there, its result is one that an evaluator gave, and stays as it is. Each round pays what
//! the results that were stored when it was gathered come to, and its emission is issued, carried or burnt to the last unit.

use std::collections::{BTreeMap, BTreeSet};

use dwarves_domain::evaluation::{Fault, SubmissionId};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ledger::{Account, Balance};
use dwarves_domain::rewards::Unearned;
use dwarves_ports::store::{CreditRow, PageRequest, RoundRow, Store, SubmissionRow};
use dwarves_store_sqlite::InlineStore;
use num_bigint::BigUint;

use super::judge::{Judge, Said};
use super::reading::{Reading, Result};
use super::records::{Records, Told};
use super::{TRIES, Terms};
use crate::check::now;

const ALL: PageRequest = PageRequest {
    cursor: None,
    limit: u32::MAX,
};

pub(super) fn row_of(memory: &InlineStore, id: &SubmissionId) -> Option<SubmissionRow> {
    now(memory.submission(*id))
}

/// How many rounds there are.
pub(super) fn rounds_of(memory: &InlineStore) -> u64 {
    let newest = PageRequest {
        cursor: None,
        limit: 1,
    };
    now(memory.rounds(newest))
        .rows
        .first()
        .map_or(0, |row| row.id.get())
}

/// What of `amount` each gets: the exact part rounded down, and one more for the largest remainders, in the order of hotkeys.
fn split(amount: u64, weights: &BTreeMap<Hotkey, BigUint>) -> BTreeMap<Hotkey, u64> {
    let total: BigUint = weights.values().sum();
    let mut parts = Vec::new();
    for (hotkey, weight) in weights {
        let product = weight * amount;
        let part = u64::try_from(&product / &total).expect("a part is less than the whole");
        parts.push((*hotkey, part, product % &total));
    }
    let given: u64 = parts.iter().map(|(_, part, _)| part).sum();
    let mut by_remainder: Vec<_> = parts.iter_mut().collect();
    by_remainder.sort_by(|one, other| other.2.cmp(&one.2).then(one.0.cmp(&other.0)));
    for (_, part, _) in by_remainder.into_iter().take((amount - given) as usize) {
        *part += 1;
    }
    let parts = parts.into_iter().map(|(hotkey, part, _)| (hotkey, part));
    parts.filter(|(_, part)| *part > 0).collect()
}

/// After each life.
pub(super) fn check(
    memory: &InlineStore,
    records: &Records,
    judge: &Judge,
    readings: &[Reading],
    terms: &Terms,
) {
    submissions(memory, records, judge, terms);
    let told = records.told();
    kept(readings, &told, terms);
    let mut sums: BTreeMap<Account, i128> = BTreeMap::new();
    let mut carried = 0;
    let mut rounds = now(memory.rounds(ALL)).rows;
    rounds.reverse();
    for (place, row) in rounds.iter().enumerate() {
        assert_eq!(row.id.get(), place as u64 + 1, "rounds have no gaps");
        let (listed, credits) = now(memory.round(row.id)).expect("a listed round can be read");
        assert_eq!(&listed, row);
        carried = round(row, &credits, carried, readings, &told, terms);
        let mut add = |account, amount: u64| *sums.entry(account).or_default() += i128::from(amount);
        add(Account::Fee, row.fee.sats());
        for credit in &credits {
            add(
                Account::Miner(credit.hotkey, Balance::Payable),
                credit.amount.sats(),
            );
        }
        *sums.entry(Account::Emission).or_default() -= i128::from(row.reward.sats());
    }
    for (account, moved) in super::exports::moved(memory, records) {
        *sums.entry(account).or_default() += moved;
    }
    sums.retain(|_, sum| *sum != 0);
    let balances = memory.balances();
    let stored: BTreeMap<_, _> = balances
        .iter()
        .map(|(account, sats)| (account, i128::from(sats)))
        .collect();
    assert_eq!(stored, sums, "nobody was paid twice, and nobody too little");
    assert_eq!(now(memory.totals()).ledger_sum, 0);
}

/// Every acknowledged submission is there as it was told, and what came of it is what an evaluator said.
fn submissions(memory: &InlineStore, records: &Records, judge: &Judge, terms: &Terms) {
    let told = records.told();
    for (id, (hotkey, received_at)) in &told.acknowledged {
        let asked = judge.asked(id);
        let Some(row) = row_of(memory, id) else {
            let made_room = terms.keep < u32::MAX && asked.is_some();
            assert!(
                made_room || told.unwanted.contains(id),
                "{id} was acknowledged and is lost"
            );
            continue;
        };
        assert!(!told.removed.contains(id), "{id} was removed and is there again");
        assert_eq!((row.hotkey, row.received_at), (*hotkey, *received_at));
        records.stored(&row);
        let Some(evaluated) = row.evaluated else { continue };
        let asked = asked.unwrap_or_else(|| panic!("nobody was asked about {id}"));
        let stored = match &evaluated.outcome {
            Ok(evaluation) => Said::Figures {
                loss: evaluation.loss.map(|loss| loss.steps()),
                score: evaluation.score.map(|score| score.steps()),
            },
            Err(failure) => Said::Broke(failure.fault),
        };
        // One that nobody waits for any more is late, whatever it would have been.
        let is_said = asked.said.contains(&stored) || stored == Said::Broke(Fault::Late);
        assert!(
            is_said,
            "{id} is {stored:?}, and nobody said so: {:?}",
            asked.said
        );
        let is_for_good = |fault| {
            !matches!(
                fault,
                Fault::Late | Fault::Failed | Fault::Malformed | Fault::Missing
            )
        };
        if let Said::Broke(fault) = stored {
            assert!(
                is_for_good(fault) || asked.times >= TRIES,
                "{id} was given up after {} tries",
                asked.times
            );
        }
        let figures = asked
            .said
            .iter()
            .filter(|said| matches!(said, Said::Figures { .. }));
        let figures: BTreeSet<_> = figures.map(|said| format!("{said:?}")).collect();
        if figures.len() > 1 {
            records.event(format!(
                "{id} has one of {} results that it was given",
                figures.len()
            ));
        }
        if let Said::Broke(fault) = stored {
            records.event(format!("{id} counts for nothing: {fault}"));
        }
    }
}

/// What was seen stays, but for what somebody wanted removed, and what made room for as many newer ones as are kept.
fn kept(readings: &[Reading], told: &Told, terms: &Terms) {
    let mut ever: BTreeMap<[u8; 16], &Result> = BTreeMap::new();
    let is_wanted = |id: &[u8; 16]| !told.unwanted.contains(&SubmissionId::from_bytes(*id));
    for reading in readings {
        let present: BTreeSet<_> = reading.results.iter().map(|result| result.id).collect();
        for lost in ever
            .values()
            .filter(|result| !present.contains(&result.id) && is_wanted(&result.id))
        {
            let is_newer = |result: &&Result| result.hotkey == lost.hotkey && result.sequence > lost.sequence;
            let here = reading.results.iter().filter(is_newer).count();
            // Of the newer ones some may have been removed since.
            let is_of_miner = |id: &&SubmissionId| {
                told.acknowledged
                    .get(*id)
                    .is_some_and(|whose| whose.0 == lost.hotkey)
            };
            let newer = here + told.unwanted.iter().filter(is_of_miner).count();
            assert!(
                newer >= terms.keep as usize,
                "a result made room for {newer} newer ones"
            );
        }
        ever.extend(reading.results.iter().map(|result| (result.id, result)));
    }
}

/// One round; gives what it carries to the next.
fn round(
    row: &RoundRow,
    credits: &[CreditRow],
    brought: u64,
    readings: &[Reading],
    told: &Told,
    terms: &Terms,
) -> u64 {
    let id = row.id.get();
    let emitted = row.emitted.expect("what becomes of an emission is kept");
    let amounts = told.emission.in_round(terms.emission, id);
    assert!(
        amounts.contains(&emitted.amount.sats()),
        "round {id} emits {} and not {amounts:?}",
        emitted.amount
    );
    assert_eq!(emitted.brought.sats(), brought, "round {id}");
    let total = emitted.amount.sats() + brought;
    let fees = told.fee.in_round(terms.fee_bps, id);
    let fees = fees
        .into_iter()
        .map(|bps| (u128::from(row.reward.sats()) * u128::from(bps) / 10_000) as u64);
    assert!(
        fees.into_iter().any(|fee| fee == row.fee.sats()),
        "the fee of round {id}"
    );
    let paid: BTreeMap<_, _> = credits
        .iter()
        .map(|credit| (credit.hotkey, credit.amount.sats()))
        .collect();
    assert_eq!(paid.len(), credits.len(), "each miner is paid once in round {id}");
    let paid: BTreeMap<_, _> = paid.into_iter().filter(|(_, amount)| *amount > 0).collect();
    let sum: u64 = paid.values().sum();
    assert_eq!((sum, row.kept.sats()), (row.credited.sats(), 0), "round {id}");
    assert_eq!(row.fee.sats() + sum, row.reward.sats(), "round {id}");
    let mut seen = readings
        .iter()
        .filter(|reading| reading.until == row.closed_at.millis());
    let is_right = |reading: &Reading| {
        let weights = reading.weights(terms);
        let (issued, carried, burnt) = match (weights.is_empty(), terms.unearned) {
            (false, _) => (total, 0, 0),
            (true, Unearned::Carry) => (0, total, 0),
            (true, Unearned::Burn) => (0, 0, total),
        };
        let is_emitted = (
            emitted.issued.sats(),
            emitted.carried.sats(),
            emitted.burnt.sats(),
        ) == (issued, carried, burnt);
        let weighs = |credit: &CreditRow| {
            weights.get(&credit.hotkey) == Some(&BigUint::from(credit.units.half_steps()))
        };
        is_emitted
            && row.reward.sats() == issued
            && paid == split_or_none(issued - row.fee.sats(), &weights)
            && credits.iter().all(weighs)
    };
    assert!(
        seen.any(is_right),
        "round {id} of {} pays {credits:?}, {emitted:?}; read were {:?}",
        row.closed_at,
        readings
            .iter()
            .filter(|reading| reading.until == row.closed_at.millis())
            .collect::<Vec<_>>()
    );
    emitted.carried.sats()
}

fn split_or_none(amount: u64, weights: &BTreeMap<Hotkey, BigUint>) -> BTreeMap<Hotkey, u64> {
    if weights.is_empty() {
        return BTreeMap::new();
    }
    split(amount, weights)
}

/// In the end nothing waits.
pub(super) fn nothing_waits(memory: &InlineStore) -> bool {
    now(memory.waiting_submissions(1)).is_empty()
}
