//! What miners earned in some rounds, in the form in which a subnet's validators set it.

use std::collections::BTreeMap;

use dwarves_domain::blocks::CreditKind;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::metagraph::Metagraph;
use dwarves_domain::units::Amount;
use dwarves_domain::validator_weights::ValidatorWeights;
use dwarves_ports::store::{CreditRow, RoundRow};
use serde::{Deserialize, Serialize};

use crate::scalars::{Instant, Ss58};

/// Rounds that weights are made of at most.
pub const ROUNDS_MAX: u64 = 100;

/// Weights as `set_weights` takes them: of each uid its weight, in two lists of one order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Weights {
    /// The neurons, in the order of their uids: those whose weight is not 0.
    pub uids: Vec<u16>,
    /// The weight of each, 1 to 65535; the largest is 65535.
    pub weights: Vec<u16>,
    /// `bittensor.version_key` of the pool's settings.
    pub version_key: u64,
    /// The first round whose credits they are.
    pub first_round: u64,
    /// The last.
    pub last_round: u64,
    /// When that closed.
    pub closed_at: Instant,
    /// Who earned something and is in no weight: the metagraph does not have the hotkey.
    pub without_uid: Vec<WithoutUid>,
    /// The subnet, if the metagraph says so; null otherwise.
    pub netuid: Option<u16>,
    /// The block that the metagraph is of, if it says so; null otherwise.
    pub block: Option<u64>,
}

/// Somebody who earned something and has no uid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WithoutUid {
    /// Who, in SS58.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub hotkey: Ss58,
    /// How much, in the smallest part of the pool's unit.
    pub amount_sats: u64,
}

/// Rounds with what they credited, in any order.
pub type Rounds = Vec<(RoundRow, Vec<CreditRow>)>;

/// What each miner was credited in these rounds, less what they took back; of whom more was taken back, nothing. `None` if
/// a sum does not fit.
pub fn earned(rounds: &Rounds) -> Option<BTreeMap<Hotkey, Amount>> {
    let mut sums: BTreeMap<Hotkey, i128> = BTreeMap::new();
    for credit in rounds.iter().flat_map(|(_, credits)| credits) {
        let sats = i128::from(credit.amount.sats());
        *sums.entry(credit.hotkey).or_default() += match credit.kind {
            CreditKind::Credit | CreditKind::Return => sats,
            CreditKind::Reversal => -sats,
        };
    }
    let amount = |(hotkey, sats): (Hotkey, i128)| {
        let sats = u64::try_from(sats.max(0)).ok()?;
        Some((hotkey, Amount::from_sats(sats)?))
    };
    sums.into_iter().map(amount).collect()
}

impl Weights {
    /// The weights of these rounds by this metagraph; `None` if there is no round, or a sum does not fit.
    pub fn of(rounds: &Rounds, metagraph: &Metagraph, version_key: u64) -> Option<Self> {
        let ids = rounds.iter().map(|(row, _)| row.id.get());
        let last = rounds.iter().map(|(row, _)| row).max_by_key(|row| row.id)?;
        let weights = ValidatorWeights::of(&earned(rounds)?, metagraph);
        Some(Self {
            uids: weights.weights.iter().map(|weight| weight.uid).collect(),
            weights: weights.weights.iter().map(|weight| weight.weight).collect(),
            version_key,
            first_round: ids.min()?,
            last_round: last.id.get(),
            closed_at: Instant(last.closed_at),
            without_uid: weights
                .without_uid
                .into_iter()
                .map(|(hotkey, amount)| WithoutUid {
                    hotkey: Ss58(hotkey),
                    amount_sats: amount.sats(),
                })
                .collect(),
            netuid: metagraph.netuid(),
            block: metagraph.block(),
        })
    }

    /// The same as rows, for a table.
    pub fn rows(&self) -> WeightRows {
        let rows = self.uids.iter().zip(&self.weights);
        WeightRows {
            weights: rows
                .map(|(uid, weight)| WeightRow {
                    uid: *uid,
                    weight: *weight,
                })
                .collect(),
        }
    }
}

/// Weights as rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WeightRows {
    /// One a neuron.
    pub weights: Vec<WeightRow>,
}

/// A neuron's weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct WeightRow {
    /// Its number in the subnet.
    pub uid: u16,
    /// Its weight.
    pub weight: u16,
}

#[cfg(test)]
mod tests {
    use dwarves_domain::ids::RoundId;
    use dwarves_domain::rewards::{HalfUnits, Scheme, Source};
    use dwarves_domain::time::Timestamp;

    use super::*;

    fn key(n: u8) -> Hotkey {
        Hotkey::from_bytes([n; 32])
    }

    fn round(id: u64, credits: &[(u8, u64, CreditKind)]) -> (RoundRow, Vec<CreditRow>) {
        let closed_at = Timestamp::from_secs(id.cast_signed());
        let row = RoundRow {
            id: RoundId::new(id),
            closed_at,
            scheme: Scheme::Score,
            source: Source::Emission,
            reward: Amount::ZERO,
            fee: Amount::ZERO,
            kept: Amount::ZERO,
            credited: Amount::ZERO,
            emitted: None,
            blocks: Vec::new(),
            digest: [0; 32],
        };
        let credits = credits.iter().map(|(miner, sats, kind)| CreditRow {
            round: row.id,
            closed_at,
            hotkey: key(*miner),
            units: HalfUnits::ZERO,
            amount: Amount::from_sats(*sats).unwrap(),
            kind: *kind,
            block: None,
        });
        let credits = credits.collect();
        (row, credits)
    }

    #[test]
    fn rounds_are_added_up_and_what_was_taken_back_is_taken_off() {
        use CreditKind::{Credit, Return, Reversal};
        let rows = [(3, 1), (1, 2), (2, 4)];
        let rows = rows.map(|(uid, n)| format!(r#"{{"uid": {uid}, "hotkey": "{}"}}"#, key(n)));
        let metagraph = format!(r#"{{"netuid": 14, "block": 5, "neurons": [{}]}}"#, rows.join(","));
        let metagraph = Metagraph::parse(metagraph.as_bytes()).unwrap();
        let rounds = vec![
            round(
                8,
                &[(1, 60, Credit), (2, 5, Credit), (3, 7, Credit), (4, 1, Credit)],
            ),
            round(
                7,
                &[
                    (1, 50, Credit),
                    (2, 50, Return),
                    (1, 10, Reversal),
                    (4, 2, Reversal),
                ],
            ),
        ];
        let weights = Weights::of(&rounds, &metagraph, 10_005_000).unwrap();
        // 100 and 55: the miner of whom more was taken back than it got has none.
        assert_eq!(
            (weights.uids.as_slice(), weights.weights.as_slice()),
            (&[1, 3][..], &[36_044, 65_535][..])
        );
        assert_eq!(
            (weights.first_round, weights.last_round, weights.version_key),
            (7, 8, 10_005_000)
        );
        assert_eq!((weights.netuid, weights.block), (Some(14), Some(5)));
        assert_eq!(
            weights.without_uid,
            [WithoutUid {
                hotkey: Ss58(key(3)),
                amount_sats: 7
            }]
        );
        let rows = serde_json::to_value(weights.rows()).unwrap();
        assert_eq!(
            rows["weights"][1],
            serde_json::json!({ "uid": 3, "weight": 65_535 })
        );
        assert_eq!(Weights::of(&Vec::new(), &metagraph, 0), None);
    }
}
