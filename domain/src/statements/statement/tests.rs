//! The text against a slow reading of its rules: an object made of sorted maps.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::ids::WorkerName;
use crate::statements::{EpochId, Worked};
use crate::target::CompactTarget;
use crate::time::Timestamp;
use crate::units::Units;

type Deed = (u8, String, Vec<(u32, u64)>, [u64; 6]);

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let bits = prop_oneof![Just(0x1d00_ffff_u32), Just(0x207f_ffff), Just(0x1b04_04cb)];
    let counts = proptest::array::uniform6(prop_oneof![3 => Just(0_u64), 1 => 1..1_000_u64]);
    vec(
        (
            0_u8..4,
            "[a-zA-Z0-9._-]{1,8}",
            vec((bits, 1_u64..1 << 60), 0..6),
            counts,
        ),
        0..12,
    )
}

fn work_of(deeds: &[Deed]) -> WorkOfAll {
    let mut all = WorkOfAll::new();
    for (miner, name, shares, rejected) in deeds {
        let of = (
            Hotkey::from_bytes([*miner; 32]),
            name.parse::<WorkerName>().unwrap(),
        );
        let worked = shares
            .iter()
            .enumerate()
            .try_fold(Worked::default(), |sum, (n, (bits, units))| {
                let at = Timestamp::from_secs(60 * i64::try_from(n).unwrap());
                sum.with_share(
                    CompactTarget::from_bits(*bits),
                    Units::from_raw(u128::from(*units)),
                    at,
                )
            });
        all.add_worked(of.clone(), &worked.unwrap()).unwrap();
        all.add_rejected(of, rejected).unwrap();
    }
    all
}

fn statement(work: WorkOfAll, previous: Option<StatementDigest>) -> Statement {
    let shares = work.total().unwrap().worked.shares;
    Statement {
        pool: Hotkey::from_bytes([9; 32]),
        algorithm: Algorithm::Sha256d,
        epoch: Epoch {
            start: EpochId::new(1_699_999_200),
            end: EpochId::new(1_700_002_800),
        },
        after: Sequence::new(7),
        through: Sequence::new(7 + shares),
        previous,
        work,
    }
}

fn object(members: impl IntoIterator<Item = (String, Value)>) -> Value {
    let sorted: BTreeMap<String, Value> = members.into_iter().collect();
    Value::Object(sorted.into_iter().collect())
}

fn slow_work(work: &WorkOf) -> BTreeMap<String, Value> {
    let worked = &work.worked;
    let rejected = Rejection::REASONS.iter().zip(work.rejected);
    let rejected = rejected.filter(|(_, count)| *count > 0);
    let text = |number: &dyn ToString| Value::String(number.to_string());
    BTreeMap::from([
        ("shares".to_owned(), text(&worked.shares)),
        ("units".to_owned(), text(&worked.units.raw())),
        ("hashes".to_owned(), text(&worked.hashes.get())),
        ("active_minutes".to_owned(), text(&worked.active_minutes)),
        (
            "rejected".to_owned(),
            object(rejected.map(|(reason, count)| ((*reason).to_owned(), text(&count)))),
        ),
    ])
}

fn slow_text(statement: &Statement) -> String {
    let mut miners: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for ((hotkey, worker), work) in statement.work.iter() {
        let mut members = slow_work(work);
        members.insert("worker".to_owned(), json!(worker.as_str()));
        miners
            .entry(hotkey.to_string())
            .or_default()
            .push(object(members));
    }
    let miners = miners
        .into_iter()
        .map(|(hotkey, workers)| {
            object([
                ("hotkey".to_owned(), json!(hotkey)),
                ("workers".to_owned(), json!(workers)),
            ])
        })
        .collect();
    let members = [
        ("algorithm", json!(statement.algorithm.as_str())),
        ("end", json!(statement.epoch.end.to_string())),
        ("miners", Value::Array(miners)),
        ("pool", json!(statement.pool.to_string())),
        (
            "previous",
            json!(
                statement
                    .previous
                    .map_or(String::new(), |digest| digest.to_string())
            ),
        ),
        ("sequence_after", json!(statement.after.to_string())),
        ("sequence_through", json!(statement.through.to_string())),
        ("start", json!(statement.epoch.start.to_string())),
        ("total", object(slow_work(&statement.work.total().unwrap()))),
    ];
    let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
    format!("dwarves/work-statement/1\n{}", object(members))
}

proptest! {
    #[test]
    fn the_text_is_the_object_of_sorted_members(deeds in deeds(), previous in any::<Option<[u8; 32]>>()) {
        let statement = statement(work_of(&deeds), previous.map(StatementDigest::from_bytes));
        let text = statement.text().unwrap();
        prop_assert_eq!(&text, &slow_text(&statement));
        prop_assert!(text.is_ascii() && !text.contains(' ') && !text.contains('\\'));
        prop_assert_eq!(text.matches('\n').count(), 1);
    }
}

#[test]
fn a_statement_of_shares_that_are_not_its_own_is_none() {
    let mut statement = statement(
        work_of(&[(1, "a".to_owned(), vec![(0x1d00_ffff, 5)], [0; 6])]),
        None,
    );
    assert!(statement.text().is_some());
    statement.through = Sequence::new(9);
    assert_eq!(statement.text(), None);
    statement.after = Sequence::new(10);
    assert_eq!(statement.text(), None);
}

/// The example of the documentation, so that nobody changes the form without a new first line.
#[test]
fn the_form_stays_as_it_is() {
    let deeds = [
        (
            1,
            "rig1".to_owned(),
            vec![(0x1d00_ffff, 5), (0x1d00_ffff, 6)],
            [0, 1, 0, 2, 0, 0],
        ),
        (1, "rig2".to_owned(), vec![], [0; 6]),
    ];
    let text = statement(work_of(&deeds), None).text().unwrap();
    let expected = concat!(
        "dwarves/work-statement/1\n",
        r#"{"algorithm":"sha256d","end":"1700002800","miners":[{"hotkey":"5C62Ck4UrFPiBtoCmeSrgF7x9yv9mn38446dhCpsi2mLHiFT","#,
        r#""workers":[{"active_minutes":"2","hashes":"8590065666","rejected":{"low_difficulty":"2","stale":"1"},"shares":"2","#,
        r#""units":"11","worker":"rig1"},{"active_minutes":"0","hashes":"0","rejected":{},"shares":"0","units":"0","worker":"rig2"}]}],"#,
        r#""pool":"5CGYyLcrWUfBDKExbvRjDQinEoCZWQmD6SjaXBLhny6A2wjE","previous":"","sequence_after":"7","sequence_through":"9","#,
        r#""start":"1699999200","total":{"active_minutes":"2","hashes":"8590065666","rejected":{"low_difficulty":"2","stale":"1"},"#,
        r#""shares":"2","units":"11"}}"#
    );
    assert_eq!(text, expected);
    assert_eq!(StatementDigest::of(&text).to_string().len(), 64);
}
