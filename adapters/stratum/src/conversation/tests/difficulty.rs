//! Which difficulty a session is told, and what is judged by it.

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::share::Rejection;
use dwarves_domain::target::CompactTarget;
use dwarves_testkit::build::{BEGIN, hotkey, template, template_of, template_row};
use serde_json::json;

use super::*;

#[test]
fn work_in_flight_keeps_the_target_that_it_was_issued_with() {
    let mut talk = Talk::mining_on(template(1));
    talk.tell(Telling::Again);
    let before = job_of(talk.notified().unwrap());
    let easy = talk
        .submit(&before, &["65432100", "00000001"])
        .unwrap()
        .job
        .share_target();
    talk.answer(
        "mining.configure",
        json!([["minimum-difficulty"], {"minimum-difficulty.value": 2e-9}]),
    );
    talk.tell(Telling::IfNew);
    let after = job_of(talk.notified().unwrap());
    assert_ne!(before, after);
    assert_eq!(talk.notified().unwrap()[8], false);
    let told = talk
        .sent
        .iter()
        .find(|sent| sent["method"] == "mining.set_difficulty")
        .unwrap();
    assert!((told["params"][0].as_f64().unwrap() / 2e-9 - 1.0).abs() < 1e-6);
    let hard = talk
        .submit(&after, &["65432100", "00000001"])
        .unwrap()
        .job
        .share_target();
    assert!(hard < easy);
    // What was told is never harder than what is judged by.
    assert!(hard >= difficulty(2e-9).target());
    let late = talk
        .submit(&before, &["65432100", "00000002"])
        .unwrap()
        .job
        .share_target();
    assert_eq!(late, easy);
}

#[test]
fn a_miner_is_never_told_more_than_the_block_itself_takes() {
    let mut talk = Talk::new();
    talk.rules.start = difficulty(1000.0);
    talk.conversation = Conversation::new(&talk.rules, BEGIN);
    let template = template(1);
    talk.set_work(&[Arc::clone(&template)]);
    talk.line(&json!({"id": 1, "method": "mining.subscribe", "params": []}));
    talk.join(USER, 1);
    let told = talk
        .sent
        .iter()
        .find(|sent| sent["method"] == "mining.set_difficulty")
        .unwrap();
    let told = told["params"][0].as_f64().unwrap();
    let network = template.network_target().difficulty().to_f64();
    assert!(told <= network && told > network * 0.999_999);
    let job = job_of(talk.notified().unwrap());
    let solved = talk.submit(&job, &["65432100", "00000001"]).unwrap();
    assert_eq!(solved.job.share_target(), template.network_target());
}

#[test]
fn scrypt_miners_are_told_difficulties_in_their_own_steps() {
    let mut talk = Talk::new();
    talk.rules.algorithm = Algorithm::Scrypt;
    talk.set_work(&[template(1)]);
    talk.line(&json!({"id": 1, "method": "mining.subscribe", "params": []}));
    talk.join(USER, 1);
    let told = talk.sent[1]["params"][0].as_f64().unwrap();
    assert!((told / (1e-9 * 65_536.0) - 1.0).abs() < 1e-6);
    assert_eq!(
        talk.answer("mining.suggest_difficulty", json!([0.000_13]))["result"],
        true
    );
    talk.tell(Telling::IfNew);
    let told = talk
        .sent
        .iter()
        .find(|sent| sent["method"] == "mining.set_difficulty")
        .unwrap();
    let told = told["params"][0].as_f64().unwrap();
    // The nearest power of two of the pool's own steps.
    assert!((told / (2f64.powi(-29) * 65_536.0) - 1.0).abs() < 1e-6, "{told}");
}

#[test]
fn a_resumed_session_goes_on_at_its_difficulty_and_a_new_one_does_not() {
    for (is_resumed, expected) in [(true, 2f64.powi(-10)), (false, 1e-9)] {
        let mut talk = Talk::new();
        talk.on_stage(|talk, scene, out| {
            talk.subscribed("1", seat(70), is_resumed, scene, out);
            let issued = Some(difficulty(2f64.powi(-10)));
            talk.joined(USER, (hotkey(1), WorkerId::new(1)), issued, None, scene);
        });
        assert_eq!(talk.conversation.issued(), None, "nothing was told yet");
        let mut row = template_row(1, 101, HeaderHash::from_bytes([9; 32]));
        row.chain.bits = CompactTarget::from_bits(0x1b00_ffff);
        talk.set_work(&[template_of(&row)]);
        assert_eq!(talk.conversation.issued(), Some(difficulty(expected)));
    }
}

#[test]
fn a_job_that_brought_far_too_much_is_replaced_by_a_harder_one_at_once() {
    let mut talk = Talk::mining_on(template(1));
    let issued = talk.conversation.issued().unwrap();
    talk.sent.clear();
    // However many verdicts say so: it is the job that counts.
    for _ in 0..20 {
        let fault = talk.on_stage(|talk, scene, _| {
            talk.on_verdict(&Err(Rejection::JobFull { issued }), WorkerId::new(1), scene)
        });
        assert_eq!(fault, Some(Fault::Stale));
    }
    talk.tell(Telling::IfNew);
    let methods: Vec<_> = talk
        .sent
        .iter()
        .map(|sent| sent["method"].as_str().unwrap())
        .collect();
    assert_eq!(methods, ["mining.set_difficulty", "mining.notify"]);
    let raised = talk.conversation.pace.wanted(&talk.rules.vardiff).to_f64() / issued.to_f64();
    assert!(
        (14.0..=28.3).contains(&raised),
        "20 times, as a power of two: {raised}"
    );
    assert_eq!(
        talk.conversation.take_rung(&talk.rules.clone()),
        None,
        "it is not held against the miner"
    );
}

#[test]
fn a_wish_beyond_the_blocks_own_difficulty_is_told_once_and_shown_as_what_was_issued() {
    let template = template(1);
    let network = template.network_target().difficulty();
    let mut talk = Talk::mining_on(template);
    let mut notifies = Vec::new();
    for wish in [1e3, 2e3, 5e5] {
        talk.sent.clear();
        talk.answer(
            "mining.configure",
            json!([["minimum-difficulty"], {"minimum-difficulty.value": wish}]),
        );
        talk.tell(Telling::IfNew);
        notifies.push(talk.notified().is_some());
        assert_eq!(talk.conversation.issued(), Some(network));
    }
    assert_eq!(notifies, [true, false, false], "nothing changed for the miner");
}

#[test]
fn difficulties_are_told_as_they_were_chosen() {
    for (chosen, told) in [
        (0.000_001, "0.000001"),
        (0.3, "0.3"),
        (2f64.powi(-20), "0.00000095367431640625"),
        (1_000.0, "1000"),
        (524_288.0, "524288"),
    ] {
        let mut talk = Talk::new();
        talk.rules.start = difficulty(1e-9);
        let mut row = template_row(1, 101, HeaderHash::from_bytes([9; 32]));
        row.chain.bits = CompactTarget::from_bits(0x1900_ffff);
        talk.set_work(&[template_of(&row)]);
        talk.line(&json!({"id": 1, "method": "mining.subscribe", "params": []}));
        talk.on_stage(|talk, scene, out| {
            let worker = (hotkey(1), WorkerId::new(1));
            talk.joined(USER, worker, None, Some(difficulty(chosen)), scene);
            talk.tell_work(Telling::IfNew, scene, out);
        });
        let sent = talk
            .sent
            .iter()
            .find(|sent| sent["method"] == "mining.set_difficulty");
        let number = sent.unwrap()["params"][0].as_f64().unwrap();
        assert_eq!(number.to_string(), told);
        // A miner that works by it finds nothing that is too easy.
        let job = job_of(talk.notified().unwrap());
        let judged = talk
            .submit(&job, &["65432100", "00000001"])
            .unwrap()
            .job
            .share_target();
        assert!(difficulty(number).target() <= judged);
    }
}

#[test]
fn what_a_session_asked_for_is_not_remembered_and_what_a_workers_shares_earned_is() {
    let other = format!("{ADDRESS}.other");
    let mut row = template_row(1, 101, HeaderHash::from_bytes([9; 32]));
    row.chain.bits = CompactTarget::from_bits(0x1900_ffff);
    let mut talk = Talk::mining_on(template_of(&row));
    talk.join(&other, 2);
    for wish in [
        json!({"id": 3, "method": "mining.authorize", "params": [USER, "d=1000000000000"]}),
        json!({"id": 3, "method": "mining.suggest_difficulty", "params": [1e12]}),
        json!({"id": 3, "method": "mining.suggest_target", "params": ["00000000000000ffff"]}),
        json!({"id": 3, "method": "mining.configure", "params": [["minimum-difficulty"], {"minimum-difficulty.value": 1e9}]}),
    ] {
        talk.line(&wish);
        talk.tell(Telling::IfNew);
        assert_eq!(talk.conversation.earned(USER), None, "{wish}");
    }
    assert!(
        talk.conversation.issued().unwrap() > difficulty(1_000.0),
        "it is issued all the same"
    );
    talk.accepted(2f64.powi(-10), 2);
    assert_eq!(
        talk.conversation.earned(USER),
        None,
        "it was another worker's share"
    );
    let earned = talk.conversation.earned(&other).unwrap();
    assert!(earned <= difficulty(2f64.powi(-7)), "one step of vardiff at most");
}
