//! A submit becomes a share: whose it is, of which job, and what the miner rolled.

use dwarves_actors::handlers::submission::messages::RolledShare;
use dwarves_domain::share::{self, Rejection};
use dwarves_domain::work::ExtraNonce1;
use dwarves_testkit::build::{hotkey, template};
use serde_json::json;

use super::*;

#[test]
fn a_share_names_its_worker_and_carries_what_the_miner_rolled() {
    let template = template(1);
    let mut talk = Talk::mining_on(Arc::clone(&template));
    talk.tell(Telling::Again);
    let (job, time) = {
        let notified = talk.notified().unwrap();
        (job_of(notified), notified[7].as_str().unwrap().to_owned())
    };
    let solved = talk.submit(&job, &[&time, "0000002a"]).unwrap();
    assert_eq!(solved.job.worker(), WorkerId::new(1));
    assert_eq!(solved.job.owner(), hotkey(1));
    assert_eq!(solved.submission.nonce, 42);
    assert_eq!(
        &solved.extranonce.as_bytes()[..4],
        &ExtraNonce1::numbered(5).to_bytes()
    );
    assert_eq!(&solved.extranonce.as_bytes()[4..], &[0, 0, 0, 0, 0, 0, 0, 1]);
    let again = talk.submit(&job, &[&time, "0000002b"]).unwrap();
    assert!(Arc::ptr_eq(&again.job, &solved.job), "the job is made once");
    let proof = share::check_rolled(
        &solved.job,
        solved.extranonce,
        &solved.submission,
        Algorithm::Sha256d,
        |h| h.hash(),
    );
    if let Ok(proof) = proof {
        assert_eq!(proof.header.nonce(), 42);
        let block = template.block(&proof.header, proof.extranonce);
        assert!(block.starts_with(proof.header.as_bytes()));
    }
}

#[test]
fn stale_forged_and_borrowed_jobs_are_told_apart() {
    let mut talk = Talk::mining_on(template(1));
    talk.tell(Telling::Again);
    let job = job_of(talk.notified().unwrap());
    let share = ["65432100", "00000001"];
    assert_eq!(
        talk.submit("00", &share).unwrap_err(),
        Refused::Counted(Rejection::UnknownJob)
    );
    let mut other = Talk::mining_on(template(1));
    other.conversation.seat = Some(seat(6));
    assert_eq!(
        other.submit(&job, &share).unwrap_err(),
        Refused::Counted(Rejection::UnknownJob)
    );
    talk.set_work(&[template(2)]);
    assert_eq!(
        talk.submit(&job, &share).unwrap_err(),
        Refused::Counted(Rejection::Stale)
    );
}

#[test]
fn a_miner_that_leaves_the_workers_name_away_is_its_first_worker() {
    let mut talk = Talk::mining_on(template(1));
    talk.join(&format!("{ADDRESS}_second.part"), 2);
    talk.tell(Telling::Again);
    let job = job_of(talk.notified().unwrap());
    let by = |talk: &mut Talk, user: &str| {
        let params = json!([user, job, "0000000000000001", "65432100", "00000001"]);
        match talk.line(&json!({"id": 9, "method": "mining.submit", "params": params})) {
            Some(Attempt::Share(_, RolledShare::Solved { job, .. })) => Some(job.worker().get()),
            _ => None,
        }
    };
    assert_eq!(by(&mut talk, USER), Some(1));
    assert_eq!(by(&mut talk, ADDRESS), Some(1));
    assert_eq!(by(&mut talk, &format!("{ADDRESS}_second.part")), Some(2));
    for stranger in [
        "",
        "bcrt1",
        &ADDRESS[..ADDRESS.len() - 1],
        &format!("{ADDRESS}."),
        &format!("{ADDRESS}_second"),
        &format!("{ADDRESS}.other"),
    ] {
        assert_eq!(by(&mut talk, stranger), None, "{stranger}");
    }
}
