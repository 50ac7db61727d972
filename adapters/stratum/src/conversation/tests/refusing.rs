//! What is held against a session, and what is not.

use dwarves_domain::share::Rejection;
use dwarves_domain::time::Span;
use dwarves_testkit::build::template;
use serde_json::json;

use super::*;

#[test]
fn refused_requests_climb_the_ladder_and_late_shares_do_not() {
    let mut talk = Talk::mining_on(template(1));
    let rules = talk.rules.clone();
    for _ in 0..30 {
        talk.verdict(&Err(Rejection::Stale), 1);
    }
    assert_eq!(talk.conversation.take_rung(&rules), None);
    for rung in [Rung::NewWork, Rung::Reconnect, Rung::Disconnect] {
        for _ in 0..10 {
            talk.line(&json!({"id": 1, "method": "mining.nonsense", "params": []}));
        }
        assert_eq!(talk.conversation.take_rung(&rules), Some((rung, None)));
    }
    for rung in [Rung::NewWork, Rung::Reconnect, Rung::Disconnect] {
        for _ in 0..10 {
            talk.verdict(&Err(Rejection::LowDifficulty), 1);
        }
        assert_eq!(
            talk.conversation.take_rung(&rules),
            Some((rung, Some(USER.into())))
        );
    }
    assert_eq!(talk.conversation.take_rung(&rules), None);
}

#[test]
fn one_broken_rig_behind_a_proxy_is_put_out_and_the_others_stay() {
    let mut talk = Talk::mining_on(template(1));
    let good = format!("{ADDRESS}.good");
    talk.join(&good, 2);
    talk.tell(Telling::Again);
    let job = job_of(talk.notified().unwrap());
    let rules = talk.rules.clone();
    let mut rungs = Vec::new();
    for _ in 0..30 {
        // The broken one is ten times as busy.
        for _ in 0..10 {
            talk.verdict(&Err(Rejection::LowDifficulty), 1);
        }
        talk.accepted(1e-9, 2);
        rungs.extend(talk.conversation.take_rung(&rules));
        if rungs.len() == 3 {
            break;
        }
    }
    let expected = [Rung::NewWork, Rung::Reconnect, Rung::Disconnect].map(|rung| (rung, Some(USER.into())));
    assert_eq!(rungs, expected, "it is the broken one's ladder");
    assert!(talk.conversation.take_honest(), "the other is honest");
    let goes_on = talk.on_stage(|talk, scene, _| talk.keep_out(USER, scene));
    assert!(goes_on);
    let share = ["65432100", "00000001"];
    for _ in 0..100 {
        let refused = talk.submit(&job, &share).unwrap_err();
        assert!(
            matches!(refused, Refused::Fault(Fault::KeptOut { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(
        talk.conversation.take_rung(&rules),
        None,
        "that is not held against the session"
    );
    let params = json!([good, job, "0000000000000001", "65432100", "00000001"]);
    let attempt = talk.line(&json!({"id": 9, "method": "mining.submit", "params": params}));
    assert!(matches!(attempt, Some(Attempt::Share(..))), "{attempt:?}");
    talk.now = talk.now.plus(Span::from_secs(60));
    assert!(talk.submit(&job, &share).is_ok(), "it gets another chance");
    // Once nobody else is left, the session ends.
    let both = talk.on_stage(|talk, scene, _| (talk.keep_out(USER, scene), talk.keep_out(&good, scene)));
    assert_eq!(both, (true, false));
}

#[test]
fn a_session_has_a_bounded_number_of_workers() {
    let mut talk = Talk::mining_on(template(1));
    for worker in 0..talk.rules.workers_max as u32 - 1 {
        talk.join(&format!("{ADDRESS}.{worker}"), worker + 2);
    }
    let answer = talk.answer("mining.authorize", json!([format!("{ADDRESS}.more"), "x"]));
    assert_eq!(answer["error"][0], 24);
    // One that is known may authorize again.
    talk.sent.clear();
    talk.line(&json!({"id": 1, "method": "mining.authorize", "params": [USER, "x"]}));
    assert!(talk.sent.is_empty());
}
