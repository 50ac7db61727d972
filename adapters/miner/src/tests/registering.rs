//! Registrations and sessions: made, renewed, refused, and made again.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use dwarves_keys::HotkeyFile;
use dwarves_system::clock::SystemClock;
use serde_json::json;

use super::*;
use crate::scripted_pool::{Act, serve};
use dwarves_ports::clock::Clock;

#[test]
fn a_session_that_is_refused_is_opened_again_and_the_share_counts() {
    let opened = Arc::new(AtomicU64::new(0));
    let sessions = Arc::clone(&opened);
    let url = serve(move |seen| {
        if seen.path == "/v1/sessions" {
            let number = opened.fetch_add(1, Ordering::Relaxed);
            let expires_at = rfc3339(SystemClock.now().secs() + 3600);
            return Act::Answer(
                201,
                json!({"token": format!("t{number}"), "expires_at": expires_at}),
            );
        }
        // Only tokens from the fourth on are good: both threads have to renew.
        let good = !matches!(
            seen.header("Authorization"),
            "Bearer t0" | "Bearer t1" | "Bearer t2"
        );
        match seen.path.as_str() {
            "/v1/work" | "/v1/work?worker=rig" if !good => {
                Act::Answer(401, json!({"code": "session_invalid"}))
            }
            "/v1/work" => judge(seen, accepted),
            "/v1/work?worker=rig" => work(60),
            _ => housekeeping(seen).unwrap_or(Act::HangUp),
        }
    });
    let progress = run_until(&options(&url), |progress| progress.accepted >= 1);
    assert_eq!(progress.rejected_total(), 0);
    assert!(sessions.load(Ordering::Relaxed) >= 4);
}

#[test]
fn a_session_near_its_end_is_renewed_before_it_is_used() {
    let opened = Arc::new(AtomicU64::new(0));
    let sessions = Arc::clone(&opened);
    let url = serve(move |seen| {
        if seen.path == "/v1/sessions" {
            opened.fetch_add(1, Ordering::Relaxed);
            let expires_at = rfc3339(SystemClock.now().secs() + 5);
            return Act::Answer(201, json!({"token": "short", "expires_at": expires_at}));
        }
        housekeeping(seen).unwrap_or_else(|| work(60))
    });
    let key = Arc::new(HotkeyFile::from_seed([7; 32]));
    let mut client = api::PoolClient::new(&url, key, None).unwrap();
    for _ in 0..3 {
        client.fetch_work(&"rig".parse().unwrap(), None).unwrap();
    }
    assert_eq!(sessions.load(Ordering::Relaxed), 3);
}

#[test]
fn a_pool_that_lost_its_memory_gets_the_miner_registered_again() {
    let registrations = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&registrations);
    let forgotten = AtomicBool::new(false);
    let url = serve(move |seen| match seen.path.as_str() {
        "/v1/miners" => {
            registrations.fetch_add(1, Ordering::Relaxed);
            forgotten.store(false, Ordering::Relaxed);
            housekeeping(seen).unwrap()
        }
        "/v1/sessions" if forgotten.load(Ordering::Relaxed) => {
            Act::Answer(404, json!({"code": "miner_unknown"}))
        }
        "/v1/work" if registrations.load(Ordering::Relaxed) == 1 => {
            forgotten.store(true, Ordering::Relaxed);
            Act::Answer(404, json!({"code": "miner_unknown"}))
        }
        "/v1/work" => judge(seen, accepted),
        "/v1/work?worker=rig" => work(60),
        _ => housekeeping(seen).unwrap_or(Act::HangUp),
    });
    run_until(&options(&url), |progress| progress.accepted >= 1);
    assert!(count.load(Ordering::Relaxed) >= 2);
}

#[test]
fn a_refusal_for_good_ends_the_run_and_says_why() {
    let url = serve(|seen| match seen.path.as_str() {
        "/v1/miners" => Act::Answer(403, json!({"code": "banned", "detail": "cheated"})),
        _ => housekeeping(seen).unwrap_or(Act::HangUp),
    });
    let error = run(&options(&url), &AtomicBool::new(false), |_| {}).unwrap_err();
    let MinerError::Pool(cause) = &error else {
        panic!("{error}");
    };
    assert_eq!(cause.to_string(), "cheated (403 banned)");
}

#[test]
fn a_miner_waits_for_a_pool_that_is_not_there_yet_and_stops_at_once_when_told() {
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let watch = dwarves_system::clock::Stopwatch::start();
    let progress = run_until(&options(&format!("http://127.0.0.1:{port}")), |progress| {
        progress.trouble.is_some()
    });
    assert!(progress.trouble.unwrap().contains("does not answer"));
    assert!(watch.elapsed() < Duration::from_secs(30), "{:?}", watch.elapsed());
}
