//! Work and shares.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use dwarves_actors::handlers::submission::messages::{FetchWork, SharesAnswer, SubmitShares};
use dwarves_actors::work_manager::messages::IssuedJob;
use dwarves_domain::miners::Client;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::{Rejection, Submission};
use dwarves_domain::time::Span;
use serde_json::json;

use super::fake_ports::{port, port_after, silent, stuck};
use super::fakes::{CorrectedClock, World};
use super::samples::{NOW, job};
use super::{ask, ask_state, get, in_session, miner, post};

/// A port that keeps what it was asked and answers with `reply`.
fn recording<R>(reply: impl Fn() -> R::Reply + 'static) -> (dwarves_actors::ask::Port<R>, Rc<RefCell<Vec<R>>>)
where
    R: dwarves_actors::ask::Request,
{
    let asked = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&asked);
    let port = port(move |question: R| {
        log.borrow_mut().push(question);
        reply()
    });
    (port, asked)
}

#[actix_web::test]
async fn work_is_ready_to_hash() {
    let answer = ask(in_session(get("/v1/work?worker=rig1"))).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let job = job();
    assert_eq!(
        answer.json(),
        json!({
            "job_id": job.id().to_string(),
            "algorithm": "sha256d",
            "height": 101,
            "header": hex::encode(job.header().as_bytes()),
            "version_mask": "1fffe000",
            "time_min": 1_699_999_000,
            "time_max": 1_700_007_200,
            "share_target": job.share_target().to_string(),
            "share_difficulty": job.share_target().difficulty().to_f64(),
            "network_target": "00000000ffff0000000000000000000000000000000000000000000000000000",
            "expires_at": "2023-11-14T22:13:20.123Z",
        })
    );
}

#[actix_web::test]
async fn work_ends_at_a_date_and_not_at_the_pools_running_time() {
    let mut world = World::new();
    world.clock = Arc::new(CorrectedClock);
    let answer = ask_state(world.state(), in_session(get("/v1/work?worker=rig1"))).await;
    assert_eq!(answer.json()["expires_at"], "2023-11-14T21:13:20.123Z");
}

#[actix_web::test]
async fn the_worker_and_the_job_to_wait_for_are_handed_on() {
    let (port, asked) = recording::<FetchWork>(|| {
        Ok(IssuedJob {
            job: job(),
            expires_at: NOW,
        })
    });
    let mut world = World::new();
    world.worker.fetch_work = port;
    let state = world.state();
    let path = format!("/v1/work?longpoll={}&worker=rig%2D1", job().id());
    assert_eq!(ask_state(state.clone(), in_session(get(&path))).await.status, 200);
    assert_eq!(ask_state(state, in_session(get("/v1/work"))).await.status, 200);
    let asked = asked.borrow();
    let expected = FetchWork {
        miner: miner(),
        from: std::net::IpAddr::from([0, 0, 0, 0]),
        worker: "rig-1".parse().unwrap(),
        client: Client::Owner(miner()),
        newer_than: Some(job().id()),
    };
    assert_eq!(asked[0], expected);
    assert_eq!((asked[1].worker.as_str(), asked[1].newer_than), ("default", None));
}

#[actix_web::test]
async fn a_wrong_query_parameter_is_named() {
    for (query, field) in [
        ("worker=", "worker"),
        ("worker=a%20b", "worker"),
        ("worker=a&worker=b", "worker"),
        ("longpoll=abc", "longpoll"),
        ("worker=a&rig=b", "rig"),
        ("Worker=a", "Worker"),
    ] {
        let answer = ask(in_session(get(&format!("/v1/work?{query}")))).await;
        answer.refuses(400, "query_invalid", Some(field));
    }
    ask(in_session(post("/v1/work?worker=a", "{\"shares\":[]}")))
        .await
        .refuses(400, "query_invalid", Some("worker"));
}

#[actix_web::test]
async fn every_refusal_of_work_has_its_code() {
    let banned = Refusal::Banned {
        reason: "hopping".to_owned(),
    };
    let cases = [
        (Refusal::MinerUnknown, 404, "miner_unknown"),
        (banned, 403, "banned"),
        (Refusal::NoWork, 503, "no_work"),
        (Refusal::Busy, 503, "busy"),
        (Refusal::Unavailable, 503, "unavailable"),
    ];
    for (refusal, status, code) in cases {
        let mut world = World::new();
        world.worker.fetch_work = port(move |_| Err(refusal.clone()));
        let answer = ask_state(world.state(), in_session(get("/v1/work"))).await;
        answer.refuses(status, code, None);
        if code == "banned" {
            assert!(answer.json()["detail"].as_str().unwrap().contains("hopping"));
        }
    }
}

#[actix_web::test]
async fn shares_are_handed_on_as_numbers_or_as_stratum_writes_them() {
    let (port, asked) = recording::<SubmitShares>(|| SharesAnswer::from(Ok(Vec::new())));
    let mut world = World::new();
    world.worker.submit = port;
    let id = job().id();
    let body = format!(
        r#"{{"worker":"rig1","shares":[
            {{"job_id":"{id}","nonce":4294967295,"time":1700000001,"version":536870912}},
            {{"nonce":"0000abCD","job_id":"{id}","time":null}},
            {{"job_id":"no job","nonce":0}}
        ]}}"#
    );
    let answer = ask_state(world.state(), in_session(post("/v1/work", &body))).await;
    assert_eq!(answer.status, 200);
    let asked = asked.borrow();
    assert_eq!(asked[0].miner, miner());
    assert_eq!(asked[0].worker, Some("rig1".parse().unwrap()));
    let full = Submission {
        job_id: id,
        nonce: u32::MAX,
        time: Some(1_700_000_001),
        version: Some(0x2000_0000),
    };
    let short = Submission {
        job_id: id,
        nonce: 0xabcd,
        time: None,
        version: None,
    };
    assert_eq!(asked[0].shares, vec![Some(full), Some(short), None]);
}

#[actix_web::test]
async fn each_share_gets_its_verdict_in_order() {
    let id = job().id();
    let share = |nonce: u32| json!({"job_id": id.to_string(), "nonce": nonce});
    let block = json!({"job_id": id.to_string(), "nonce": 9, "version": 5});
    let shares =
        json!({"shares": [share(8), block, share(1), share(2), share(4), {"job_id": "", "nonce": 3}]});
    let answer = ask(in_session(post("/v1/work", &shares.to_string()))).await;
    assert_eq!(answer.status, 200);
    let results = answer.json()["results"].clone();
    let difficulty = job().share_target().difficulty().to_f64();
    assert_eq!(
        results[0],
        json!({"verdict": "accepted", "share_id": "01".repeat(32), "share_difficulty": difficulty,
               "sequence": 8, "block": false})
    );
    assert_eq!(results[1]["block"], true);
    let rejected: Vec<_> = (2..6)
        .map(|at| {
            let result = &results[at];
            assert_eq!(result["verdict"], "rejected");
            assert!(!result["detail"].as_str().unwrap().is_empty());
            (result["reason"].as_str().unwrap(), result["sequence"].as_u64())
        })
        .collect();
    assert_eq!(
        rejected,
        [
            ("stale", None),
            ("duplicate", Some(17)),
            ("unknown_job", None),
            ("unknown_job", None)
        ]
    );
    assert!(results[4]["detail"].as_str().unwrap().contains("another worker"));
    assert_eq!(results.as_array().unwrap().len(), 6);
}

#[actix_web::test]
async fn quotas_are_named_to_whoever_meets_them() {
    let mut world = World::new();
    world.worker.submit = port(|_| Err(Refusal::MinerFull).into());
    let body = "{\"shares\":[]}";
    let answer = ask_state(world.state(), in_session(post("/v1/work", body))).await;
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("limits.recent_shares_per_miner_percent"),
        "{detail}"
    );
    let mut world = World::new();
    let issued = job().share_difficulty();
    world.worker.submit = port(move |_| Ok(vec![Err(Rejection::JobFull { issued })]).into());
    let answer = ask_state(world.state(), in_session(post("/v1/work", body))).await;
    let result = answer.json()["results"][0].clone();
    assert_eq!(
        (&result["verdict"], &result["reason"]),
        (&json!("rejected"), &json!("stale"))
    );
    let detail = result["detail"].as_str().unwrap();
    assert!(detail.contains("limits.recent_shares_per_job_times"), "{detail}");
}

#[actix_web::test]
async fn a_worker_that_is_kept_out_is_told_for_how_long() {
    let try_again = Span::from_millis(76_001);
    let mut world = World::new();
    world.worker.submit = port(move |_| SharesAnswer {
        judged: Err(Refusal::KeptOut { try_again }),
        blocks: vec![0],
    });
    let answer = ask_state(world.state(), in_session(post("/v1/work", "{\"shares\":[]}"))).await;
    answer.refuses(503, "kept_out", None);
    assert_eq!(answer.header("retry-after"), Some("77"));
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("http.reject_percent"), "{detail}");
}

#[actix_web::test]
async fn no_shares_get_no_verdicts() {
    let answer = ask(in_session(post("/v1/work", "{\"shares\":[]}"))).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()),
        (200, json!({"results": []}))
    );
}

#[actix_web::test]
async fn a_thousand_shares_are_taken_and_one_more_is_too_many() {
    let body = |count: usize| {
        let share = json!({"job_id": job().id().to_string(), "nonce": u32::MAX, "time": u32::MAX,
                           "version": u32::MAX});
        json!({"worker": "rig1", "shares": vec![share; count]}).to_string()
    };
    let answer = ask(in_session(post("/v1/work", &body(1_000)))).await;
    assert_eq!(answer.json()["results"].as_array().unwrap().len(), 1_000);
    let answer = ask(in_session(post("/v1/work", &body(1_001)))).await;
    answer.refuses(422, "too_many_shares", Some("shares"));
    assert!(answer.json()["detail"].as_str().unwrap().contains("1000"));
}

#[actix_web::test]
async fn every_refusal_of_shares_has_its_code() {
    let cases: [(Refusal, u16, &str); 7] = [
        (Refusal::MinerFull, 503, "busy"),
        (
            Refusal::KeptOut {
                try_again: Span::from_secs(77),
            },
            503,
            "kept_out",
        ),
        (Refusal::MinerUnknown, 404, "miner_unknown"),
        (
            Refusal::Banned {
                reason: "hopping".to_owned(),
            },
            403,
            "banned",
        ),
        (Refusal::Paused, 503, "paused"),
        (Refusal::Busy, 503, "busy"),
        (Refusal::Unavailable, 503, "unavailable"),
    ];
    for (reply, status, code) in cases {
        let mut world = World::new();
        world.worker.submit = port(move |_| Err(reply.clone()).into());
        let request = in_session(post("/v1/work", "{\"shares\":[]}"));
        ask_state(world.state(), request)
            .await
            .refuses(status, code, None);
    }
}

#[actix_web::test]
async fn a_long_poll_is_waited_for_and_other_work_is_not() {
    let state = || {
        let mut world = World::new();
        world.worker.fetch_work = port_after(std::time::Duration::from_millis(40));
        world.limits.ask_deadline = std::time::Duration::from_millis(5);
        world.limits.long_poll = std::time::Duration::ZERO;
        world.state()
    };
    let long = format!("/v1/work?longpoll={}", job().id());
    let answer = ask_state(state(), in_session(get(&long))).await;
    assert_eq!(answer.status, 200);
    let answer = ask_state(state(), in_session(get("/v1/work"))).await;
    answer.refuses(503, "busy", None);
}

#[actix_web::test]
async fn an_actor_that_is_gone_or_slow_refuses_for_now() {
    let request = || in_session(post("/v1/work", "{\"shares\":[]}"));
    let mut world = World::new();
    world.worker.submit = silent();
    ask_state(world.state(), request())
        .await
        .refuses(503, "stopping", None);

    let mut world = World::new();
    world.worker.fetch_work = stuck();
    world.limits.ask_deadline = std::time::Duration::from_millis(5);
    let answer = ask_state(world.state(), in_session(get("/v1/work"))).await;
    answer.refuses(503, "busy", None);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(
        answer.json()["detail"]
            .as_str()
            .unwrap()
            .contains("repeating the request is safe")
    );
}
