//! What was stored at one moment, read past the store's own questions, and what each miner's best result of it weighs, in
//! exact arithmetic without bounds.

use std::collections::{BTreeMap, BTreeSet};

use dwarves_domain::evaluation::Measure;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::rewards::Scheme;
use dwarves_domain::time::Timestamp;
use dwarves_store_sqlite::InlineStore;
use num_bigint::BigUint;

use super::{LOSS_FLOOR, MAX_AGE, Terms, WINNER_BPS};

/// What came of a submission.
#[derive(Clone, Debug)]
pub(super) struct Result {
    pub(super) id: [u8; 16],
    /// Its place in the order in which they came.
    pub(super) sequence: i64,
    is_good: bool,
    pub(super) hotkey: Hotkey,
    received_at: i64,
    evaluated_at: i64,
    loss: Option<BigUint>,
    score: Option<BigUint>,
}

/// What was stored at the moment at which a round asked for the best results.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    /// The date of the round.
    pub(super) until: i64,
    pub(super) results: Vec<Result>,
    banned: BTreeSet<Hotkey>,
}

impl Reading {
    /// Reads all that there is, past the store's own questions.
    pub(super) fn of(memory: &InlineStore, until: Timestamp) -> Option<Self> {
        let until = until.millis();
        let look = memory.look(|connection| {
            let results =
                "SELECT id, sequence, fault IS NULL, hotkey, received_at, evaluated_at, loss, score FROM submissions
                 WHERE evaluated_at IS NOT NULL ORDER BY sequence";
            let mut select = connection.prepare(results).expect("there are submissions");
            let number = |bytes: Option<Vec<u8>>| bytes.map(|bytes| BigUint::from_bytes_be(&bytes));
            let results = select.query_map([], |row| {
                Ok(Result {
                    id: row.get(0)?,
                    sequence: row.get(1)?,
                    is_good: row.get(2)?,
                    hotkey: Hotkey::from_bytes(row.get(3)?),
                    received_at: row.get(4)?,
                    evaluated_at: row.get(5)?,
                    loss: number(row.get(6)?),
                    score: number(row.get(7)?),
                })
            });
            let results = results.expect("they can be read");
            let results = results
                .map(|row| row.expect("they are as they were written"))
                .collect();
            let mut select = connection
                .prepare("SELECT hotkey, ends_at FROM bans")
                .expect("there are bans");
            let bans = select.query_map([], |row| {
                Ok((Hotkey::from_bytes(row.get(0)?), row.get::<_, Option<i64>>(1)?))
            });
            let bans = bans
                .expect("they can be read")
                .map(|row| row.expect("they are as they were written"));
            let banned = bans.filter(|(_, ends_at)| ends_at.is_none_or(|ends_at| ends_at > until));
            Self {
                until,
                results,
                banned: banned.map(|(hotkey, _)| hotkey).collect(),
            }
        });
        // A life that is over may still ask.
        look.ok()
    }

    /// Each miner's best result: what it weighs, and when it came.
    fn merits(&self, measure: Measure) -> BTreeMap<Hotkey, (BigUint, i64)> {
        let inverse = BigUint::from(10_u8).pow(36);
        let after = Timestamp::from_millis(self.until).minus(MAX_AGE).millis();
        let mut best: BTreeMap<Hotkey, (BigUint, i64)> = BTreeMap::new();
        // Of losses that are below the floor the lower is the best all the same, so the first of those that are as good is
        // told by the figure.
        let mut figures: BTreeMap<Hotkey, BigUint> = BTreeMap::new();
        for result in &self.results {
            let counts = result.is_good && result.evaluated_at > after && result.evaluated_at <= self.until;
            let figure = match measure {
                Measure::Loss => &result.loss,
                Measure::Score => &result.score,
            };
            let Some(figure) = figure
                .as_ref()
                .filter(|_| counts && !self.banned.contains(&result.hotkey))
            else {
                continue;
            };
            let merit = match measure {
                Measure::Loss => &inverse / figure.max(&BigUint::from(LOSS_FLOOR)),
                Measure::Score => figure.clone(),
            };
            let is_best = match figures.get(&result.hotkey) {
                None => true,
                Some(before) if before == figure => result.received_at < best[&result.hotkey].1,
                Some(before) => (figure < before) == (measure == Measure::Loss),
            };
            if is_best {
                figures.insert(result.hotkey, figure.clone());
                best.insert(result.hotkey, (merit, result.received_at));
            }
        }
        best.retain(|_, (merit, _)| *merit > BigUint::ZERO);
        best
    }

    /// What each miner's work weighs.
    pub(super) fn weights(&self, terms: &Terms) -> BTreeMap<Hotkey, BigUint> {
        let merits = self.merits(terms.measure);
        let plain = || {
            merits
                .iter()
                .map(|(hotkey, (merit, _))| (*hotkey, merit.clone()))
                .collect()
        };
        if terms.scheme != Scheme::WinnerTakesMost || merits.len() < 2 {
            return plain();
        }
        let most = merits.values().map(|(merit, _)| merit).max();
        let winner = merits.iter().filter(|(_, (merit, _))| Some(merit) == most);
        let winner = winner.min_by_key(|(hotkey, (_, received_at))| (*received_at, **hotkey));
        let winner = winner.map(|(hotkey, _)| *hotkey);
        let of_others = merits.iter().filter(|(hotkey, _)| Some(**hotkey) != winner);
        let rest: BigUint = of_others.map(|(_, (merit, _))| merit).sum();
        let weigh = |(hotkey, merit): (Hotkey, BigUint)| match Some(hotkey) == winner {
            true => (hotkey, &rest * WINNER_BPS),
            false => (hotkey, merit * (10_000 - WINNER_BPS)),
        };
        plain()
            .into_iter()
            .map(weigh)
            .filter(|(_, weight)| *weight > BigUint::ZERO)
            .collect()
    }
}
