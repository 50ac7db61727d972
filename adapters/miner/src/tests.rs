//! Whole runs against a pool of a few lines that answers as each test wants.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use dwarves_api_types::miners::{
    Balances, BlockRecord, MinerStatus, Performance, RejectedCounts, ShareCounts,
};
use dwarves_api_types::scalars::{Hash, Instant, Ss58};
use dwarves_api_types::work::ShareResult;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::target::Target;
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::Header;
use dwarves_keys::HotkeyFile;
use dwarves_ports::clock::Clock;
use dwarves_system::clock::SystemClock;
use serde_json::{Value, json};

use super::scripted_pool::{Act, Seen, pool, serve};
use super::*;

mod registering;
mod submitting;

const JOB: &str = "00000000000000000000000000000000000000000000000000000001";

/// What a pool in good order says to everything but work and shares.
fn housekeeping(seen: &Seen) -> Option<Act> {
    let at = |secs: i64| rfc3339(SystemClock.now().secs() + secs);
    let route = (seen.method.as_str(), seen.path.as_str());
    let signed = |status, body| {
        if seen.is_signed() {
            Act::Answer(status, body)
        } else {
            Act::Answer(401, json!({"code": "signature_invalid"}))
        }
    };
    Some(match route {
        ("GET", "/v1/pool") => {
            let mut pool = json!(pool());
            pool["new_in_a_later_pool"] = json!([1]);
            Act::Answer(200, pool)
        }
        ("POST", "/v1/miners") => signed(201, json!({"registration_success": true})),
        ("POST", "/v1/sessions") => signed(201, json!({"token": "one", "expires_at": at(3600)})),
        ("GET", path) if path.starts_with("/v1/miners/") => Act::Answer(200, json!(status())),
        _ => return None,
    })
}

/// What a pool shows of a miner.
fn status() -> MinerStatus {
    MinerStatus {
        hotkey: Ss58(Hotkey::from_bytes([7; 32])),
        registered_at: Instant(Timestamp::from_secs(0)),
        payout_address: None,
        hashrate: 1.5,
        hashrates: Vec::new(),
        shares: ShareCounts {
            accepted: 0,
            rejected: RejectedCounts::default(),
        },
        performance: Performance {
            units: "0".to_owned(),
            window_units: "2".to_owned(),
        },
        blocks: BlockRecord {
            found: 0,
            expected: 0.0,
        },
        payout_threshold_sats: None,
        payout_held: None,
        window: None,
        next_payout: None,
        results: None,
        balance_sats: Some(Balances {
            immature: 1,
            payable: 2,
            in_flight: 4,
            paid: 8,
        }),
        workers: Some(Vec::new()),
        hidden: Vec::new(),
    }
}

fn rfc3339(secs: i64) -> String {
    DateTime::from_timestamp(secs, 0)
        .unwrap()
        .to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Easy work: one hash in 2^12 is a share.
fn work(expires_in_secs: i64) -> Act {
    let mut target = [0xff; 32];
    target[..2].copy_from_slice(&[0x00, 0x0f]);
    let target = Target::from_be_bytes(target).unwrap().to_string();
    Act::Answer(
        200,
        json!({
            "job_id": JOB, "algorithm": "sha256d", "height": 7,
            "header": hex::encode(header().as_bytes()), "version_mask": "1fffe000",
            "time_min": 1_700_000_000, "time_max": 1_700_000_100,
            "share_target": target, "share_difficulty": 0.1, "network_target": target,
            "expires_at": rfc3339(SystemClock.now().secs() + expires_in_secs),
        }),
    )
}

fn header() -> Header {
    Header::from_bytes([5; 80]).rolled(0x2000_0000, 1_700_000_000, 0)
}

fn is_long_poll(seen: &Seen) -> bool {
    seen.path.contains("longpoll=")
}

/// Accepts every share of a request, as `verdict` says.
fn judge(seen: &Seen, verdict: impl Fn(&Value) -> Value) -> Act {
    let shares = seen.json()["shares"].as_array().unwrap().clone();
    let results: Vec<Value> = shares.iter().map(verdict).collect();
    Act::Answer(200, json!({ "results": results }))
}

fn accepted(_: &Value) -> Value {
    verdict(false)
}

/// A share that counts.
fn verdict(block: bool) -> Value {
    json!(ShareResult::Accepted {
        share_id: Hash(HeaderHash::from_bytes([0; 32])),
        share_difficulty: 0.1,
        sequence: 1,
        block,
    })
}

fn options(url: &str) -> MinerOptions {
    MinerOptions {
        pool_url: url.to_owned(),
        key: Arc::new(HotkeyFile::from_seed([7; 32])),
        worker: "rig".parse().unwrap(),
        threads: NonZeroU32::new(2).unwrap(),
        payout_address: Some("somewhere".to_owned()),
        duration: Some(Duration::from_secs(60)),
        throttle: Some(40_000),
    }
}

/// Runs until `enough` or the end of the time, which fails the test.
fn run_until(options: &MinerOptions, enough: impl Fn(&Progress) -> bool) -> Progress {
    let stop = AtomicBool::new(false);
    let mut last = Progress::default();
    let outcome = run(options, &stop, |progress| {
        last = progress.clone();
        if enough(progress) {
            stop.store(true, Ordering::Relaxed);
        }
    });
    let progress = outcome.unwrap();
    assert!(stop.load(Ordering::Relaxed), "never enough: {progress:?}");
    progress
}

/// Whether the share in JSON meets the target of `work`, and is told as the API has it.
fn is_sound(share: &Value) -> bool {
    let nonce = u32::try_from(share["nonce"].as_u64().unwrap()).unwrap();
    let hash = header().rolled(0x2000_0000, 1_700_000_000, nonce).hash();
    share["job_id"] == JOB && hash.as_bytes()[31] == 0 && hash.as_bytes()[30] <= 0x0f
}

#[test]
fn a_computer_whose_clock_is_wrong_mines_by_the_pools() {
    for wrong_by in [-31_536_000, -3_600, 3_600, 31_536_000] {
        let pool_secs = move || SystemClock.now().secs() + wrong_by;
        let stale = AtomicU64::new(0);
        let url = serve(move |seen| {
            let at = |status, body| {
                let date = DateTime::from_timestamp(pool_secs(), 0).unwrap();
                Act::At(date.format("%a, %d %b %Y %H:%M:%S GMT").to_string(), status, body)
            };
            let nonce: Option<i64> = seen.header("X-Bittensor-Nonce").parse().ok();
            if let Some(nonce) = nonce
                && (pool_secs() - nonce / 1_000_000_000).abs() > 10
            {
                // Once for the client that fetches, once for the one that submits, whatever they sign later.
                assert!(stale.fetch_add(1, Ordering::Relaxed) < 2);
                return at(401, json!({"code": "stale_request"}));
            }
            match seen.path.as_str() {
                "/v1/sessions" => at(
                    201,
                    json!({"token": "one", "expires_at": rfc3339(pool_secs() + 3_600)}),
                ),
                "/v1/work" => {
                    let Act::Answer(status, body) = judge(seen, accepted) else {
                        unreachable!()
                    };
                    at(status, body)
                }
                path if path.starts_with("/v1/work?") => {
                    if is_long_poll(seen) {
                        std::thread::sleep(Duration::from_secs(30));
                    }
                    let Act::Answer(status, body) = work(60 + wrong_by) else {
                        unreachable!()
                    };
                    at(status, body)
                }
                _ => match housekeeping(seen) {
                    Some(Act::Answer(status, body)) => at(status, body),
                    _ => Act::HangUp,
                },
            }
        });
        let progress = run_until(&options(&url), |progress| progress.accepted >= 3);
        assert_eq!(progress.rejected_total(), 0, "{wrong_by}: {progress:?}");
        let way = if wrong_by > 0 { "behind" } else { "ahead of" };
        let told = progress.clock.unwrap_or_default();
        assert!(told.contains(way), "{wrong_by}: {told:?}");
    }
}

#[test]
fn a_run_registers_mines_and_tells_what_it_earned() {
    let url = serve(|seen| match (seen.method.as_str(), is_long_poll(seen)) {
        ("GET", true) if seen.path.starts_with("/v1/work") => {
            assert_eq!(seen.path, format!("/v1/work?worker=rig&longpoll={JOB}"));
            std::thread::sleep(Duration::from_secs(30));
            work(60)
        }
        ("GET", false) if seen.path == "/v1/work?worker=rig" => work(60),
        ("POST", _) if seen.path == "/v1/miners" => {
            assert_eq!(seen.json(), json!({"payout_address": "somewhere"}));
            housekeeping(seen).unwrap()
        }
        ("POST", _) if seen.path == "/v1/work" => {
            assert_eq!(seen.header("Authorization"), "Bearer one");
            assert_eq!(seen.json()["worker"], "rig");
            judge(seen, |share| {
                if is_sound(share) {
                    verdict(true)
                } else {
                    json!({"verdict": "rejected", "reason": "low_difficulty", "detail": ""})
                }
            })
        }
        _ => housekeeping(seen).unwrap_or(Act::Answer(404, json!({}))),
    });
    let progress = run_until(&options(&url), |progress| progress.accepted >= 5);
    assert_eq!(progress.rejected_total(), 0, "{progress:?}");
    assert_eq!(progress.blocks, progress.accepted);
    assert_eq!((progress.height, progress.jobs), (Some(7), 1));
    assert_eq!(progress.money.unwrap().balances.earned(), 15);
    assert!(progress.hashes >= 4_096 && progress.hashrate > 0.0);
}

#[test]
fn a_scrypt_pool_is_mined_with_scrypt() {
    let url = serve(|seen| match seen.path.as_str() {
        "/v1/work?worker=rig" => match work(60) {
            Act::Answer(status, mut body) => {
                body["algorithm"] = "scrypt".into();
                body["share_target"] = format!("0f{}", "f".repeat(62)).into();
                Act::Answer(status, body)
            }
            other => other,
        },
        "/v1/work" => judge(seen, accepted),
        _ => housekeeping(seen).unwrap_or_else(|| {
            std::thread::sleep(Duration::from_secs(30));
            Act::HangUp
        }),
    });
    let progress = run_until(&options(&url), |progress| progress.accepted >= 3);
    // One in sixteen is a share.
    assert!(progress.hashes >= 3, "{progress:?}");
}

#[test]
fn a_throttled_thread_keeps_to_its_rate() {
    let url = serve(|seen| match seen.path.as_str() {
        "/v1/work" => judge(seen, accepted),
        "/v1/work?worker=rig" => work(60),
        _ => housekeeping(seen).unwrap_or_else(|| {
            std::thread::sleep(Duration::from_secs(30));
            Act::HangUp
        }),
    });
    let mut options = options(&url);
    options.throttle = Some(5_000);
    let progress = run_until(&options, |progress| progress.elapsed > Duration::from_secs(3));
    let most = 2.0 * 5_000.0 * (progress.elapsed.as_secs_f64() + 0.5);
    assert!(
        progress.hashes > 2_000 && (progress.hashes as f64) < most,
        "{progress:?}"
    );
}
