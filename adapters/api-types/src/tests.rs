//! Every type survives writing and reading, and answers from a newer pool are understood.

use std::fmt::Debug;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerName;
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::Algorithm;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::books::{
    Audit, AuditEntry, Block, Blocks, Round, RoundCredit, RoundDetails, RoundEmission, Rounds,
};
use crate::code::Code;
use crate::control::ControlBody;
use crate::credits::{MinerCredit, MinerCredits, MinerPayout, MinerPayouts};
use crate::history::{History, HistoryMark, HistoryPoint};
use crate::miners::{
    Balances, BlockRecord, MinerStatus, PayoutHeld, Performance, RejectedCounts, ShareCounts, Withholding,
    WithholdingRecord, WorkerStatus,
};
use crate::named::Listed;
use crate::object::Object;
use crate::pool::{Alive, Pool, Ready};
use crate::problem::ProblemBody;
use crate::rates::WindowHashrate;
use crate::registration::{OpenSessionBody, OpenedSession, RegisterBody, Registration};
use crate::scalars::{Instant, JobName, Reason, Ss58, Word, Worker};
use crate::strategies::{
    hash, header, hotkey, instant, job_id, list, maybe_text, named, number, target, text,
};
use crate::work::{ShareBody, ShareResult, SubmitAnswer, SubmitBody, Work};

/// Writes `value` and reads it again, from text as the pool does and from a tree as the miner does.
fn survives<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> Result<(), TestCaseError> {
    let text = serde_json::to_string(value).unwrap();
    prop_assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), value);
    let tree: Value = serde_json::from_str(&text).unwrap();
    prop_assert_eq!(&serde_json::from_value::<T>(tree).unwrap(), value);
    Ok(())
}

/// The same of an answer, and again with a field that this program does not know.
fn survives_and_grows<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    value: &T,
) -> Result<(), TestCaseError> {
    survives(value)?;
    let mut tree = serde_json::to_value(value).unwrap();
    tree["new_in_a_later_pool"] = json!({ "a": [1, null] });
    prop_assert_eq!(&serde_json::from_value::<T>(tree).unwrap(), value);
    Ok(())
}

fn share_counts() -> impl Strategy<Value = ShareCounts> {
    (any::<u64>(), any::<[u64; 6]>()).prop_map(|(accepted, rejected)| ShareCounts {
        accepted,
        rejected: RejectedCounts::from(rejected),
    })
}

prop_compose! {
    fn window_hashrate()(
        window_secs in any::<u64>(), over_secs in any::<u64>(), hashrate in number(), error in option::of(number()),
    ) -> WindowHashrate {
        WindowHashrate { window_secs, over_secs, hashrate, error }
    }
}

prop_compose! {
    fn point()(
        (at, units, accepted, rejected) in (instant(), text(), any::<u64>(), any::<[u64; 6]>()),
        (hashrate, error, difficulty) in (number(), option::of(number()), option::of(number())),
        (miners, workers, is_open) in (any::<Option<u64>>(), any::<Option<u64>>(), any::<bool>()),
    ) -> HistoryPoint {
        HistoryPoint {
            at, units, accepted, rejected: rejected.into(), hashrate, error, difficulty, miners, workers, is_open,
        }
    }
}

prop_compose! {
    fn history()(
        (resolution, step_secs, from, to) in (text(), any::<u64>(), instant(), instant()),
        points in list(point()),
        marks in list((instant(), text(), text(), option::of(instant()), option::of(number()))),
    ) -> History {
        let marks = marks.into_iter().map(|(at, kind, detail, until, to)| HistoryMark {
            at, kind: kind.into(), detail, until, from: None, to,
        });
        History { resolution: resolution.into(), step_secs, from, to, points, marks: marks.collect() }
    }
}

prop_compose! {
    fn pool()(
        (name, hotkey, chain, algorithm, state) in (text(), hotkey(), text(), named(), text()),
        (unit, unit_decimals) in (text(), any::<u8>()),
        (height, network_difficulty, miners, workers, workers_active, hashrate, hashrate_error) in
            (any::<Option<u32>>(), option::of(number()), any::<u64>(), any::<u64>(), any::<u64>(), number(), option::of(number())),
        (hashrates, share_rate, effort_percentile) in (list(window_hashrate()), number(), number()),
        (registration_open, scheme, fee_bps, run_interval_secs, next_round_at) in
            (any::<bool>(), named(), any::<u16>(), any::<u64>(), instant()),
        (luck, luck_error, luck_percentile, round_effort, shares, ledger_sum_sats) in
            (option::of(number()), option::of(number()), option::of(number()), number(), share_counts(), any::<i64>()),
    ) -> Pool {
        Pool {
            name, hotkey, chain, unit, unit_decimals, evaluated: None, algorithm, state: state.into(), height, network_difficulty, miners, workers,
            workers_active, hashrate, hashrate_error, hashrates, share_rate, registration_open, scheme, fee_bps, run_interval_secs,
            next_round_at, luck, luck_error, luck_percentile, round_effort, effort_percentile, shares,
            privacy: None,
            ledger_sum_sats: ledger_sum_sats.into(),
        }
    }
}

prop_compose! {
    fn worker()(
        name in text(), hashrate in number(), share_difficulty in number(),
        (last_share_at, last_share_age_secs) in (option::of(instant()), any::<Option<u64>>()),
        (shares, rejected) in (any::<u64>(), any::<[u64; 6]>()), hashrates in list(window_hashrate()),
    ) -> WorkerStatus {
        WorkerStatus {
            name, hashrate, hashrates, share_difficulty, last_share_at, last_share_age_secs, shares,
            rejected: rejected.into(),
        }
    }
}

prop_compose! {
    fn miner()(
        (hotkey, registered_at, payout_address, hashrate, shares) in
            (hotkey(), instant(), maybe_text(), number(), share_counts()),
        hashrates in list(window_hashrate()),
        (units, window_units, found, expected) in (text(), text(), any::<u64>(), number()),
        payout_threshold_sats in any::<Option<u64>>(),
        payout_held in option::of((named(), any::<u64>(), text())),
        [immature, payable, in_flight, paid] in any::<[u64; 4]>(),
        workers in list(worker()),
    ) -> MinerStatus {
        MinerStatus {
            hotkey, registered_at, payout_address, hashrate, hashrates, shares,
            performance: Performance { units, window_units },
            blocks: BlockRecord { found, expected },
            payout_threshold_sats,
            payout_held: payout_held.map(|(reason, amount_sats, detail)| PayoutHeld {
                reason, amount_sats, detail: detail.into(),
            }),
            window: None,
            next_payout: None,
            results: None,
            balance_sats: Some(Balances { immature, payable, in_flight, paid }),
            workers: Some(workers),
            hidden: Vec::new(),
        }
    }
}

prop_compose! {
    fn block()(
        (hash, height, state, reward_sats) in (hash(), any::<u32>(), named(), any::<u64>()),
        (found_by, found_at, confirmations, effort) in
            (option::of(hotkey()), instant(), any::<u32>(), number()),
    ) -> Block {
        Block { hash, height, state, reward_sats, found_by, found_at, confirmations, effort }
    }
}

prop_compose! {
    fn round()(
        (id, closed_at, scheme, source) in (any::<u64>(), instant(), named(), named()),
        [reward_sats, fee_sats, credited_sats, kept_sats] in any::<[u64; 4]>(),
        (blocks, emission) in (list(hash()), option::of(any::<[u64; 4]>())),
    ) -> Round {
        let emission = emission.map(|[amount_sats, brought_sats, carried_sats, burnt_sats]| RoundEmission {
            amount_sats, brought_sats, carried_sats, burnt_sats,
        });
        Round { id, closed_at, scheme, source, reward_sats, fee_sats, credited_sats, kept_sats, blocks, emission }
    }
}

prop_compose! {
    fn round_credit()(
        hotkey in hotkey(), units in text(), amount_sats in any::<u64>(), block in option::of(hash()),
    ) -> RoundCredit {
        RoundCredit { hotkey, units, amount_sats, block }
    }
}

prop_compose! {
    fn credit()(
        (round_id, closed_at, units) in (any::<u64>(), instant(), text()),
        (amount_sats, kind, block) in (any::<i64>(), named(), option::of(hash())),
    ) -> MinerCredit {
        MinerCredit { round_id, closed_at, units, amount_sats, kind, block }
    }
}

prop_compose! {
    fn payout()(
        (payout_id, state, txid, confirmations, address) in
            (any::<u64>(), named(), maybe_text(), any::<u32>(), text()),
        [amount_sats, fee_sats, debited_sats] in any::<[u64; 3]>(),
        (reserved_at, sent_at, note) in (instant(), option::of(instant()), maybe_text()),
        (batch, reference) in (maybe_text(), maybe_text()),
    ) -> MinerPayout {
        MinerPayout {
            payout_id, state, txid, confirmations, address, amount_sats, fee_sats, debited_sats, reserved_at,
            sent_at, note, batch, reference,
        }
    }
}

prop_compose! {
    fn audit_entry()(
        (id, at, who) in (any::<u64>(), instant(), text()),
        (actor, message, field, outcome) in (text(), text(), any::<i64>(), maybe_text()),
    ) -> AuditEntry {
        AuditEntry { id, at, who, actor, message, fields: json!({ "field": field }), outcome: json!(outcome) }
    }
}

prop_compose! {
    fn withholding()(
        hotkey in hotkey(), found in any::<u64>(), expected in number(), p_value in number(),
        power_all in number(), power_half in number(),
    ) -> WithholdingRecord {
        WithholdingRecord { hotkey, found, expected, p_value, power_all, power_half }
    }
}

prop_compose! {
    fn work()(
        (job_id, algorithm, height, header) in
            (job_id(), select(<Algorithm as Listed>::ALL), any::<u32>(), header()),
        [version_mask, time_min, time_max] in any::<[u32; 3]>(),
        (share_target, share_difficulty, network_target, expires_at) in
            (target(), number(), target(), instant()),
    ) -> Work {
        Work {
            job_id, algorithm, height, header, version_mask, time_min, time_max, share_target,
            share_difficulty, network_target, expires_at,
        }
    }
}

fn share_result() -> impl Strategy<Value = ShareResult> {
    let accepted = (hash(), number(), any::<u64>(), any::<bool>());
    let rejected = ("[a-z_]{1,12}", text(), any::<Option<u64>>());
    prop_oneof![
        accepted.prop_map(
            |(share_id, share_difficulty, sequence, block)| ShareResult::Accepted {
                share_id,
                share_difficulty,
                sequence,
                block
            }
        ),
        rejected.prop_map(|(reason, detail, sequence)| ShareResult::Rejected {
            reason: Reason(reason.into()),
            detail,
            sequence
        }),
    ]
}

prop_compose! {
    fn share()(
        job_id in option::of(job_id()), nonce in any::<u32>(), time in any::<Option<u32>>(),
        version in any::<Option<u32>>(),
    ) -> ShareBody {
        ShareBody { job_id: JobName(job_id), nonce: Word(nonce), time: time.map(Word), version: version.map(Word) }
    }
}

prop_compose! {
    fn problem()(
        code in select(Code::ALL), detail in text(), field in maybe_text(), hindrances in list(text()),
    ) -> ProblemBody {
        ProblemBody {
            kind: format!("urn:dwarves:problem:{}", code.as_str()),
            title: code.title().into(),
            status: code.status(),
            detail,
            code: code.as_str().into(),
            field,
            hindrances,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_answer_about_the_pool_survives(
        pool in pool(), at in instant(), hindrances in list(text()), problem in problem(),
        audit in list(audit_entry()), miners in list(withholding()), next_cursor in maybe_text(),
    ) {
        survives_and_grows(&pool)?;
        survives_and_grows(&Alive { status: "alive".into() })?;
        survives_and_grows(&Ready {
            status: "ready".into(), state: "running".into(), started_at: at, hindrances,
        })?;
        survives_and_grows(&problem)?;
        survives_and_grows(&Audit { audit, next_cursor })?;
        survives_and_grows(&Withholding { miners })?;
    }

    #[test]
    fn every_answer_about_blocks_and_rounds_survives(
        blocks in list(block()), rounds in list(round()), round in round(), credits in list(round_credit()),
        next_cursor in maybe_text(),
    ) {
        survives_and_grows(&Blocks { blocks, next_cursor: next_cursor.clone() })?;
        survives_and_grows(&Rounds { rounds, next_cursor })?;
        survives_and_grows(&RoundDetails { round, credits, hidden: Vec::new() })?;
    }

    #[test]
    fn every_answer_about_a_miner_survives(
        miner in miner(), credits in list(credit()), payouts in list(payout()), next_cursor in maybe_text(),
        hotkey in hotkey(), at in instant(), address in maybe_text(), threshold in any::<Option<u64>>(),
        token in text(),
    ) {
        survives_and_grows(&miner)?;
        survives_and_grows(&MinerCredits { credits, next_cursor: next_cursor.clone() })?;
        survives_and_grows(&MinerPayouts { payouts, next_cursor })?;
        survives_and_grows(&Registration {
            hotkey, registration_success: true, registered_at: at, payout_address: address,
            payout_threshold_sats: threshold,
        })?;
        survives_and_grows(&OpenedSession { token, expires_at: at })?;
    }

    #[test]
    fn work_and_verdicts_survive(work in work(), results in list(share_result())) {
        survives_and_grows(&work)?;
        for result in &results {
            survives_and_grows(result)?;
        }
        survives_and_grows(&SubmitAnswer { results })?;
    }

    #[test]
    fn every_request_survives_and_names_what_it_does_not_know(
        address in maybe_text(), threshold in any::<Option<u64>>(), shares in list(share()),
        worker in option::of("[A-Za-z0-9._-]{1,64}"), field in any::<i64>(),
    ) {
        let register = RegisterBody { payout_address: address, payout_threshold_sats: threshold };
        let worker: Option<WorkerName> = worker.map(|name| name.parse().unwrap());
        let submit = SubmitBody {
            worker: worker.map(Worker), shares: shares.into_iter().map(Object).collect(),
        };
        let control = ControlBody {
            actor: "a".to_owned(), message: "b".to_owned(),
            fields: Map::from_iter([("field".to_owned(), field.into())]),
        };
        survives(&register)?;
        survives(&OpenSessionBody {})?;
        survives(&submit)?;
        survives(&control)?;
        fn named<T: Serialize + DeserializeOwned + Debug>(body: &T) -> String {
            let mut tree = serde_json::to_value(body).unwrap();
            tree["typo"] = json!(1);
            serde_json::from_value::<T>(tree).unwrap_err().to_string()
        }
        for refusal in [named(&register), named(&OpenSessionBody {}), named(&submit)] {
            prop_assert!(refusal.contains("unknown field `typo`"), "{}", refusal);
        }
    }
}

#[test]
fn what_is_absent_and_what_is_null_stay_apart() {
    let register = serde_json::to_string(&RegisterBody::default()).unwrap();
    assert_eq!(register, "{}");
    let registration = json!(Registration {
        hotkey: Ss58(Hotkey::from_bytes([1; 32])),
        registration_success: true,
        registered_at: Instant(Timestamp::from_millis(1)),
        payout_address: None,
        payout_threshold_sats: None,
    });
    assert_eq!(registration["payout_address"], Value::Null);
    assert!(registration.get("payout_threshold_sats").is_none());
    assert_eq!(registration["registered_at"], "1970-01-01T00:00:00.001Z");
}
