//! What miners are told, in words and for programs. Worker names are the miner's own, and only its confirmed channels get them.

use dwarves_domain::ids::WorkerName;
use dwarves_domain::notices::look::Change;
use dwarves_domain::payouts::Part;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::{Amount, in_units};
use dwarves_ports::store::BlockRow;
use serde_json::{Value, json};

/// Workers that are named in one notice; of more it is said how many they are.
const NAMED_MAX: usize = 10;

/// What a pool's miners bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brought {
    /// Shares of a chain's work.
    Shares,
    /// Work that is evaluated.
    Work,
}

impl Brought {
    const fn word(self) -> &'static str {
        match self {
            Self::Shares => "shares",
            Self::Work => "work",
        }
    }
}

/// Something for people and for programs.
pub(super) struct Words {
    pub(super) text: String,
    pub(super) detail: Value,
}

fn words(text: impl Into<String>, detail: Value) -> Words {
    Words {
        text: text.into(),
        detail,
    }
}

fn list(names: &[WorkerName]) -> String {
    let named: Vec<_> = names.iter().take(NAMED_MAX).map(WorkerName::as_str).collect();
    let named = named.join(", ");
    match names.len().saturating_sub(NAMED_MAX) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

fn workers(names: &[WorkerName], what: &str) -> String {
    match names {
        [name] => format!("Worker {name} brings {what}"),
        names => format!("{} workers bring {what}: {}", names.len(), list(names)),
    }
}

/// Hashes per second with a fitting unit.
fn rate(per_sec: f64) -> String {
    let units = ["H/s", "kH/s", "MH/s", "GH/s", "TH/s", "PH/s", "EH/s", "ZH/s"];
    let (mut value, mut at) = (per_sec.max(0.0), 0);
    while value >= 999.5 && at + 1 < units.len() {
        value /= 1_000.0;
        at += 1;
    }
    format!("{value:.3} {}", units[at])
}

/// Something about a miner's work.
pub(super) fn of_change(change: &Change, brought: Brought) -> Words {
    let state = if change.begins() { "begins" } else { "ends" };
    match change {
        Change::Offline(names) => words(
            workers(names, &format!("no {} any more", brought.word())),
            json!({ "state": state, "workers": names.iter().map(WorkerName::as_str).collect::<Vec<_>>() }),
        ),
        Change::Online(names) => words(
            workers(names, &format!("{} again", brought.word())),
            json!({ "state": state, "workers": names.iter().map(WorkerName::as_str).collect::<Vec<_>>() }),
        ),
        Change::Low { hashrate, usual } => words(
            format!(
                "The hashrate is {}, far below the {} of the last day",
                rate(*hashrate),
                rate(*usual)
            ),
            json!({ "state": state, "hashrate": hashrate, "usual_hashrate": usual }),
        ),
        Change::NotLow { hashrate } => words(
            format!("The hashrate is back at {}", rate(*hashrate)),
            json!({ "state": state, "hashrate": hashrate }),
        ),
        Change::Rejects { rejected, shares } => words(
            format!("{rejected} of the last {shares} shares were rejected; the miner's page says why"),
            json!({ "state": state, "rejected": rejected, "shares": shares }),
        ),
        Change::FewRejects => words("Few shares are rejected any more", json!({ "state": state })),
        Change::NoAddress => {
            let how = match brought {
                Brought::Shares => "dwarves mine --payout-address, or with POST /v1/miners",
                // Other programs bring it.
                Brought::Work => "POST /v1/miners",
            };
            words(
                format!("There is something to be paid, and no payout address: set one with {how}"),
                json!({ "state": state }),
            )
        }
    }
}

/// The miner found a block.
pub(super) fn block_found(hash: &str, height: u64) -> Words {
    words(
        format!("You found block {height}: {hash}"),
        json!({ "hash": hash, "height": height }),
    )
}

/// A block of the miner's was orphaned.
pub(super) fn block_orphaned(block: &BlockRow) -> Words {
    let (hash, height) = (block.hash, block.height);
    words(
        format!("Block {height}, which you found, was orphaned: {hash}"),
        json!({ "hash": hash.to_string(), "height": height }),
    )
}

fn payout_detail(id: u64, txid: Option<&str>, part: &Part) -> Value {
    json!({ "payout": id, "txid": txid, "amount_sats": part.amount.sats(), "address": part.address })
}

/// What amounts are counted in: its name and decimal places.
pub(super) type Unit = (String, u8);

/// An amount with its unit, all of its decimal places shown.
fn money(amount: Amount, (name, decimals): &Unit) -> String {
    format!("{} {name}", in_units(amount.sats().into(), *decimals))
}

/// A payout to the miner was sent.
pub(super) fn payout_sent(id: u64, txid: Option<&str>, part: &Part, unit: &Unit) -> Words {
    let in_transaction = txid
        .map(|txid| format!(" by transaction {txid}"))
        .unwrap_or_default();
    words(
        format!(
            "{} were sent to {}{in_transaction}",
            money(part.net(), unit),
            part.address
        ),
        payout_detail(id, txid, part),
    )
}

/// A payout to the miner waits for a block.
pub(super) fn payout_stuck(id: u64, txid: Option<&str>, part: &Part, unit: &Unit) -> Words {
    words(
        format!(
            "The payout of {} to {} has waited long for a block; the pool sends it again by itself",
            money(part.amount, unit),
            part.address
        ),
        payout_detail(id, txid, part),
    )
}

/// A payout to the miner came back.
pub(super) fn payout_returned(id: u64, txid: Option<&str>, part: &Part, unit: &Unit) -> Words {
    words(
        format!(
            "The payout of {} to {} did not go through: they are part of your balance again",
            money(part.amount, unit),
            part.address
        ),
        payout_detail(id, txid, part),
    )
}

/// A channel works.
pub(super) fn test(at: Timestamp) -> Words {
    words(
        "This channel works: you asked for this test",
        json!({ "asked_at": crate::wall_time::rfc3339(at) }),
    )
}

/// The code that confirms an address. Nothing in it is of the miner's choosing but its hotkey.
pub(super) fn code(pool: &str, hotkey: &str, code: &str) -> Words {
    let text = format!(
        "Somebody who mines at the pool {pool} as {hotkey} wants notices at this address.\n\nIf that is you, confirm it \
         with this code: {code}\n\nIf it is not, do nothing: without the code nothing more is sent, and the code holds \
         for a day."
    );
    words(text, json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_workers_are_counted_and_some_are_named() {
        let names: Vec<WorkerName> = (0..12).map(|n| format!("r{n}").parse().unwrap()).collect();
        assert_eq!(
            of_change(&Change::Offline(names.clone()), Brought::Shares).text,
            "12 workers bring no shares any more: r0, r1, r2, r3, r4, r5, r6, r7, r8, r9 and 2 more"
        );
        let one = of_change(&Change::Online(names[..1].to_vec()), Brought::Work);
        assert_eq!(one.text, "Worker r0 brings work again");
        assert_eq!(one.detail, json!({ "state": "ends", "workers": ["r0"] }));
        let with_shares = of_change(&Change::NoAddress, Brought::Shares).text;
        assert!(with_shares.ends_with("dwarves mine --payout-address, or with POST /v1/miners"));
    }

    #[test]
    fn amounts_are_told_in_the_pools_unit() {
        let unit = |name: &str, decimals| (name.to_owned(), decimals);
        let told = |sats, unit| money(Amount::from_sats(sats).unwrap(), &unit);
        assert_eq!(told(9_900_000_000, unit("BTC", 8)), "99.00000000 BTC");
        assert_eq!(told(1, unit("BTC", 8)), "0.00000001 BTC");
        assert_eq!(told(1_500_000_000, unit("TAO", 9)), "1.500000000 TAO");
        assert_eq!(told(7, unit("points", 0)), "7 points");
    }

    #[test]
    fn hashrates_have_a_fitting_unit() {
        for (per_sec, text) in [
            (0.0, "0.000 H/s"),
            (-1.0, "0.000 H/s"),
            (999.0, "999.000 H/s"),
            (999.9, "1.000 kH/s"),
            (1.5e12, "1.500 TH/s"),
            (1e30, "1000000000.000 ZH/s"),
            (f64::NAN, "0.000 H/s"),
        ] {
            assert_eq!(rate(per_sec), text);
        }
    }
}
