//! Shares reach the pool: what is sent again, what counts, and what is given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::progress::EXPIRED_UNSENT;
use crate::scripted_pool::{Act, serve};

#[test]
fn a_busy_pool_is_asked_again_after_the_time_it_names() {
    let refusals = AtomicU64::new(0);
    let url = serve(move |seen| match seen.path.as_str() {
        "/v1/work" if refusals.fetch_add(1, Ordering::Relaxed) < 2 => {
            Act::Later(503, json!({"code": "busy", "detail": "the pool is busy"}), 1)
        }
        "/v1/work" => judge(seen, accepted),
        "/v1/work?worker=rig" => work(60),
        _ => housekeeping(seen).unwrap_or(Act::HangUp),
    });
    let watch = dwarves_system::clock::Stopwatch::start();
    let progress = run_until(&options(&url), |progress| progress.accepted >= 1);
    assert!(
        watch.elapsed() >= Duration::from_secs(2),
        "it did not wait: {:?}",
        watch.elapsed()
    );
    assert_eq!(progress.rejected_total(), 0);
}

#[test]
fn a_share_whose_answer_was_lost_counts_when_the_repeat_is_a_duplicate() {
    let requests = AtomicU64::new(0);
    let first = AtomicU64::new(0);
    let url = serve(move |seen| match seen.path.as_str() {
        "/v1/work" => {
            let nonces: Vec<u64> = seen.json()["shares"]
                .as_array()
                .unwrap()
                .iter()
                .map(|share| share["nonce"].as_u64().unwrap())
                .collect();
            // The first request is taken in, but its answer is lost.
            if requests.fetch_add(1, Ordering::Relaxed) == 0 {
                first.store(nonces[0], Ordering::Relaxed);
                return Act::HangUp;
            }
            judge(seen, |share| {
                if share["nonce"].as_u64() == Some(first.load(Ordering::Relaxed)) {
                    json!({"verdict": "rejected", "reason": "duplicate", "detail": "", "sequence": 1})
                } else {
                    accepted(share)
                }
            })
        }
        "/v1/work?worker=rig" => work(60),
        _ => housekeeping(seen).unwrap_or(Act::HangUp),
    });
    let progress = run_until(&options(&url), |progress| progress.accepted >= 3);
    assert_eq!(progress.rejected_total(), 0, "{progress:?}");
}

#[test]
fn a_duplicate_that_was_not_sent_before_is_a_rejection() {
    let url = serve(|seen| match seen.path.as_str() {
        "/v1/work" => judge(
            seen,
            |_| json!({"verdict": "rejected", "reason": "duplicate", "detail": ""}),
        ),
        "/v1/work?worker=rig" => work(60),
        _ => housekeeping(seen).unwrap_or(Act::HangUp),
    });
    let progress = run_until(&options(&url), |progress| progress.rejected_total() >= 1);
    assert_eq!(progress.accepted, 0);
    assert!(progress.rejected.contains_key("duplicate"));
}

#[test]
fn what_was_found_while_the_pool_was_away_is_submitted_when_it_is_back() {
    let watch = dwarves_system::clock::Stopwatch::start();
    let away = move || (1_000..3_000).contains(&watch.elapsed().as_millis());
    let mined = Arc::new(AtomicU64::new(0));
    let received = Arc::clone(&mined);
    let url = serve(move |seen| {
        if away() {
            return Act::HangUp;
        }
        match seen.path.as_str() {
            "/v1/work" => {
                received.fetch_add(
                    seen.json()["shares"].as_array().unwrap().len() as u64,
                    Ordering::Relaxed,
                );
                judge(seen, accepted)
            }
            "/v1/work?worker=rig" => work(60),
            _ => housekeeping(seen).unwrap_or(Act::HangUp),
        }
    });
    let progress = run_until(&options(&url), |progress| {
        progress.elapsed > Duration::from_secs(5) && progress.waiting == 0 && progress.trouble.is_none()
    });
    assert_eq!(progress.rejected_total(), 0, "{progress:?}");
    assert_eq!(progress.accepted, mined.load(Ordering::Relaxed));
    // 80,000 hashes a second, a share in 4,096: 20 a second, also while the pool was away.
    let least = progress.hashes / 4_096 / 2;
    assert!(progress.accepted >= least, "{progress:?}");
}

#[test]
fn shares_of_a_job_that_ended_unsent_are_counted_as_such() {
    let url = serve(|seen| match seen.path.as_str() {
        "/v1/work" => Act::HangUp,
        "/v1/work?worker=rig" => work(2),
        _ => housekeeping(seen).unwrap_or(Act::HangUp),
    });
    let progress = run_until(&options(&url), |progress| progress.rejected_total() >= 1);
    assert!(progress.rejected.contains_key(EXPIRED_UNSENT), "{progress:?}");
    assert_eq!(progress.accepted, 0);
}

#[test]
fn a_batch_that_the_pool_never_takes_is_given_up_in_sight() {
    let url = serve(|seen| match seen.path.as_str() {
        "/v1/work" => Act::Answer(400, json!({"code": "body_invalid"})),
        "/v1/work?worker=rig" => work(60),
        _ => housekeeping(seen).unwrap_or(Act::HangUp),
    });
    let progress = run_until(&options(&url), |progress| progress.rejected_total() >= 1);
    assert!(progress.rejected.contains_key("body_invalid"));
}
