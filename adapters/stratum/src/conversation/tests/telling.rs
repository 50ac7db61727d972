//! What a session is told of the work: when, and under which name.

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::time::Span;
use dwarves_domain::work::ExtraNonce1;
use dwarves_testkit::build::{BEGIN, job_key, template, template_of, template_row};
use serde_json::json;

use super::*;

#[test]
fn work_is_told_once_the_session_subscribed_and_has_a_worker_in_any_order() {
    let mut talk = Talk::new();
    talk.set_work(&[template(1)]);
    talk.join(USER, 1);
    assert!(talk.notified().is_none());
    talk.line(&json!({"id": 1, "method": "mining.subscribe", "params": []}));
    talk.tell(Telling::IfNew);
    assert_eq!(talk.notified().unwrap()[8], true);
    let told = talk.sent.len();
    talk.tell(Telling::IfNew);
    assert_eq!(talk.sent.len(), told, "the same work is told once");
}

#[test]
fn a_session_that_subscribes_again_stays_the_session_that_it_is() {
    let mut talk = Talk::new();
    assert!(
        talk.conversation.seat.is_none(),
        "a connection alone takes no extranonce"
    );
    talk.join(USER, 1);
    assert!(talk.conversation.seat.is_none(), "nor does a login");
    let id = job_key().seal_session_id(seat(99));
    let first = talk.answer("mining.subscribe", json!(["miner", id]));
    let again = talk.answer("mining.subscribe", json!(["miner", id]));
    assert_eq!(first["result"], again["result"]);
    assert_eq!(first["result"][1], ExtraNonce1::numbered(5).to_string());
}

#[test]
fn a_template_on_the_same_tip_leaves_jobs_alive_and_a_new_tip_ends_them() {
    let tip = HeaderHash::from_bytes([9; 32]);
    let other_tip = HeaderHash::from_bytes([8; 32]);
    let first = template_of(&template_row(1, 101, tip));
    let second = template_of(&template_row(2, 101, tip));
    let mut talk = Talk::mining_on(Arc::clone(&first));
    talk.set_work(&[Arc::clone(&first), Arc::clone(&second)]);
    assert_eq!(talk.notified().unwrap()[8], false);
    talk.set_work(&[template_of(&template_row(3, 102, other_tip))]);
    assert_eq!(talk.notified().unwrap()[8], true);
}

#[test]
fn notifies_of_one_template_differ_in_their_time_alone() {
    let mut talk = Talk::mining_on(template(1));
    let mut times = Vec::new();
    for secs in [0, 0, 0, 30, 30] {
        talk.now = BEGIN.plus(Span::from_secs(secs));
        talk.tell(Telling::Again);
        let time = talk.notified().unwrap()[7].as_str().unwrap().to_owned();
        times.push(u32::from_str_radix(&time, 16).unwrap());
    }
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    let chain_time = template(1).chain().time;
    assert_eq!(times[3], chain_time + 30);
}

#[test]
fn a_job_that_is_told_again_has_another_name() {
    let mut talk = Talk::mining_on(template(1));
    let mut names = std::collections::BTreeSet::new();
    for telling in [Telling::Again, Telling::Anew, Telling::Again, Telling::Again] {
        talk.tell(telling);
        let job = job_of(talk.notified().unwrap());
        assert!(talk.submit(&job, &["65432100", "00000001"]).is_ok());
        assert!(names.insert(job), "a name was used twice");
    }
    // The names that were given out before are good for as long as they were.
    for job in names {
        assert!(talk.submit(&job, &["65432100", "00000001"]).is_ok());
    }
}
