//! The room for live shares: nobody fills it for others, whatever way the shares come.

use dwarves_domain::miners::{Client, Quotas};
use dwarves_domain::target::Difficulty;

use super::*;
use crate::miner_manager::messages::Assigned;

fn settings(room: usize, miner_percent: u32, of_job: Option<u32>) -> MemorySettings {
    let mut settings = memory_settings();
    settings.recent_shares_max = room;
    settings.quotas = Quotas {
        miner_percent,
        of_job,
    };
    settings
}

/// Shares of one job of a miner, each another one.
async fn flood(bench: &Bench, miner: u8, job_number: u64, count: u32) -> Vec<String> {
    let job_number = u64::from(miner) << 16 | job_number;
    let job = build::job(&template(1), job_number, hotkey(miner), u32::from(miner) - 1);
    let mut said = Vec::new();
    for n in 0..count {
        let one = judge(vec![request(miner, vec![checked(&job, n * 1_000)])]);
        said.extend(words(&bench.ask(one).await));
    }
    said
}

fn accepted(said: &[String]) -> usize {
    said.iter().filter(|said| said.starts_with("accepted")).count()
}

#[actix::test]
async fn one_miner_never_fills_the_room_of_others_with_one_job_or_with_many() {
    tokio::time::pause();
    for (what, jobs, of_job, expected, word) in [
        ("one job", 1, Some(10), 10, "job_full"),
        ("many jobs", 10, Some(10), 50, "miner_full"),
        ("one job without a quota", 1, None, 50, "miner_full"),
    ] {
        let bench = Bench::another(settings(100, 50, of_job)).await;
        let mut said = Vec::new();
        for job in 0..jobs {
            said.extend(flood(&bench, 1, 1 + job, 120 / jobs as u32).await);
        }
        assert_eq!(accepted(&said), expected, "{what}");
        assert_eq!(said.last().map(String::as_str), Some(word), "{what}");
        assert_eq!(
            accepted(&flood(&bench, 2, 77, 20).await),
            if of_job.is_some() { 10 } else { 20 },
            "{what}"
        );
        // A repeat is told as such, and counts against no quota.
        assert_eq!(flood(&bench, 1, 1, 1).await, ["duplicate 1"], "{what}");
        bench.retire_before(2).await;
        bench.clock.advance(Span::from_secs(3));
        bench.retire_before(2).await;
        assert_eq!(bench.miners().await.recent_shares, (0, 100), "{what}");
    }
}

#[actix::test]
async fn without_quotas_one_miner_may_take_all() {
    let bench = Bench::with(settings(100, 100, None)).await;
    let said = flood(&bench, 1, 1, 110).await;
    assert_eq!(accepted(&said), 100);
    assert_eq!(said.last().map(String::as_str), Some("busy"));
    assert_eq!(flood(&bench, 2, 1, 1).await, ["busy"]);
}

#[actix::test]
async fn a_job_that_brought_too_much_is_renewed_harder_at_once() {
    let bench = Bench::with(settings(1_000, 50, Some(10))).await;
    let assign = || AssignWorker {
        hotkey: hotkey(1),
        worker: worker_name("rig"),
        client: Client::Owner(hotkey(1)),
    };
    let target = |reply| match reply {
        Ok(Assigned { share_target, .. }) => share_target.difficulty().to_f64(),
        other => panic!("{other:?}"),
    };
    // All in one request: however quick they come, no time passes in which vardiff could learn.
    let job = job_1();
    let shares = (0..12).map(|n| checked(&job, n * 1_000)).collect();
    let said = words(&bench.ask(judge(vec![request(1, shares)])).await);
    let verdicts: Vec<_> = said[0].split(", ").collect();
    assert_eq!(verdicts[9..], ["accepted 10", "job_full", "job_full"]);
    let next = target(bench.ask(assign()).await);
    let expected = 20.0 * Difficulty::MIN.to_f64();
    assert!(
        (next / expected - 1.0).abs() < 0.01,
        "{next} instead of {expected}"
    );
    assert_eq!(bench.miner(1).await.rejected[1], 2, "they are stale");
}

#[actix::test]
async fn a_start_remembers_all_live_shares_whatever_its_limit_is_and_whose_they_are() {
    tokio::time::pause();
    for room in [1_000, 100, 40] {
        let bench = Bench::another(settings(1_000, 100, None)).await;
        assert_eq!(accepted(&flood(&bench, 1, 1, 60).await), 60);
        let bench = Bench::on(
            bench.memory,
            FaultPlan::default(),
            settings(room, 50, Some(1_000)),
        )
        .await;
        bench.gate.open();
        let again = flood(&bench, 1, 1, 60).await;
        assert!(
            again.iter().all(|said| said.starts_with("duplicate")),
            "{room}: {again:?}"
        );
        let (held, _) = bench.miners().await.recent_shares;
        assert_eq!(held, 60, "{room}");
        let more = flood(&bench, 1, 2, 3).await;
        let other = flood(&bench, 2, 3, 3).await;
        let expected: (&str, &str) = match room {
            1_000 => ("accepted 61", "accepted 64"),
            100 => ("miner_full", "accepted 61"),
            _ => ("busy", "busy"),
        };
        assert_eq!((more[0].as_str(), other[0].as_str()), expected, "{room}");
    }
}

#[actix::test]
async fn nearly_full_is_told_from_nine_tenths_until_there_are_two_tenths_of_room() {
    let bench = Bench::with(settings(100, 100, None)).await;
    let is_told = async |bench: &Bench| bench.miners().await.recent_shares_nearly_full;
    flood(&bench, 1, 1, 89).await;
    assert!(!is_told(&bench).await);
    let second = build::job(&template(2), 1, hotkey(1), 0);
    for n in 0..3 {
        bench.ask(judge_one(checked(&second, n * 1_000))).await;
    }
    assert!(is_told(&bench).await);
    bench.retire_before(2).await;
    assert!(!is_told(&bench).await);
    assert_eq!(bench.miners().await.recent_shares, (3, 100));
}
