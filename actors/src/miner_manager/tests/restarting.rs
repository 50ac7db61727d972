//! What the next life knows: counters to the last share, and every share that can still be repeated.

use dwarves_domain::share::RejectedShare;

use super::*;

/// Lets the counters be saved once.
async fn counters_are_saved() {
    tokio::time::sleep(SAVE_COUNTERS_EVERY.to_std()).await;
    settle().await;
}

fn share_of(miner: u8, nonce: u32) -> JudgeShares {
    let job = build::job(
        &template(1),
        u64::from(miner),
        hotkey(miner),
        u32::from(miner) - 1,
    );
    judge(vec![request(miner, vec![checked(&job, nonce)])])
}

fn saved_counters(bench: &Bench) -> Vec<usize> {
    let in_write = |write: &Write| match write {
        Write::SaveCounters { counters, .. } => Some(counters.len()),
        _ => None,
    };
    bench
        .store
        .commits()
        .iter()
        .flatten()
        .filter_map(in_write)
        .collect()
}

#[actix::test]
async fn a_repeat_after_a_restart_is_a_duplicate_of_the_first() {
    let bench = Bench::new().await;
    bench.ask(share_of(2, 0)).await;
    bench.ask(share_of(1, 0)).await;
    let bench = bench.restarted().await;
    assert_eq!(words(&bench.ask(share_of(1, 0)).await), ["duplicate 2"]);
    assert_eq!(words(&bench.ask(share_of(1, 9_000)).await), ["accepted 3"]);
    assert_eq!(bench.miner(1).await.units.raw(), 2 * job_1().units().raw());
}

#[actix::test]
async fn rates_are_right_at_once_after_a_restart() {
    let bench = Bench::new().await;
    // One every fifteen seconds, for ten minutes.
    for nth in 1..=40 {
        bench.clock.advance(Span::from_secs(15));
        for miner in [1, 2] {
            let sent_at = BEGIN.moved(i64::from(nth) * 15_000);
            let share = share_of(miner, nth * 1_000);
            bench.ask(JudgeShares { sent_at, ..share }).await;
        }
    }
    let (all, one) = (bench.miners().await, bench.miner(1).await);
    assert!(one.hashrate > 0.0 && all.hashrate > one.hashrate);
    let bench = bench.restarted().await;
    let (all_again, one_again) = (bench.miners().await, bench.miner(1).await);
    for (before, after) in [
        (all.hashrate, all_again.hashrate),
        (one.hashrate, one_again.hashrate),
    ] {
        assert!((after / before - 1.0).abs() < 0.1, "{before} {after}");
    }
}

#[actix::test]
async fn counters_are_saved_when_they_changed_and_are_exact_after_a_restart() {
    let bench = Bench::new().await;
    bench.ask(share_of(1, 0)).await;
    bench.ask(share_of(1, 0)).await;
    counters_are_saved().await;
    // Both workers: what a start counted is saved once.
    assert_eq!(saved_counters(&bench), [2]);
    counters_are_saved().await;
    assert_eq!(saved_counters(&bench), [2], "nothing changed since");
    bench.ask(share_of(1, 5_000)).await;
    bench.ask(share_of(2, 0)).await;
    let bench = bench.restarted().await;
    let (one, two) = (bench.miner(1).await, bench.miner(2).await);
    assert_eq!((one.accepted, two.accepted), (2, 1));
    assert_eq!(one.rejected[2], 1, "the duplicate was saved");
    assert_eq!(one.workers[0].last_share_at, Some(BEGIN));
}

#[actix::test]
async fn counters_that_could_not_be_saved_are_saved_with_the_next() {
    // The third commit is the second saving of counters, which holds miner 1's share.
    let bench = Bench::failing(&[(3, Fault::Refuse)]).await;
    counters_are_saved().await;
    bench.ask(share_of(1, 0)).await;
    counters_are_saved().await;
    assert_eq!(saved_counters(&bench), [2, 1]);
    // If only miner 2 were saved now, miner 1's share would be behind the saved sequence and lost.
    bench.ask(share_of(2, 0)).await;
    counters_are_saved().await;
    assert_eq!(saved_counters(&bench), [2, 1, 2]);
    let bench = bench.restarted().await;
    let counted = (bench.miner(1).await.accepted, bench.miner(2).await.accepted);
    assert_eq!(counted, (1, 1));
}

#[actix::test]
async fn what_a_life_counted_from_shares_is_not_lost_when_the_next_saves_others() {
    let bench = Bench::new().await;
    bench.ask(share_of(1, 0)).await;
    // This life saves nothing: the next one counts the share itself.
    let bench = bench.restarted().await;
    bench.ask(share_of(2, 0)).await;
    counters_are_saved().await;
    let bench = bench.restarted().await;
    let counted = (bench.miner(1).await.accepted, bench.miner(2).await.accepted);
    assert_eq!(counted, (1, 1));
}

#[actix::test]
async fn counters_of_many_workers_are_saved_in_one_transaction() {
    tokio::time::pause();
    let memory = prepared().await;
    let workers = COUNTERS_PER_WRITE as u32 + 10;
    let rows = (2..2 + workers).map(|n| {
        Write::AddWorker(WorkerRow {
            id: WorkerId::new(n),
            hotkey: hotkey(1),
            name: worker_name(&format!("w{n}")),
        })
    });
    memory.commit(rows.collect()).await.unwrap();
    let bench = Bench::on(memory, FaultPlan::default(), memory_settings()).await;
    bench.gate.open();
    for n in 2..2 + workers {
        let rejected = Err(RejectedShare {
            reason: dwarves_domain::share::Rejection::LowDifficulty,
            worker: Some(WorkerId::new(n)),
        });
        bench.ask(judge(vec![request(1, vec![rejected])])).await;
    }
    counters_are_saved().await;
    assert_eq!(saved_counters(&bench), [COUNTERS_PER_WRITE, 12]);
    assert_eq!(bench.store.commits().len(), 1);
}

#[actix::test]
async fn draining_answers_after_everything_is_noted_and_saved() {
    let bench = Bench::gated().await;
    let share = bench.post(share_of(1, 0));
    let repeat = bench.post(share_of(1, 0));
    settle().await;
    let mut drained = bench.post(DrainMiners);
    let late = bench.post(share_of(1, 5_000));
    settle().await;
    assert!(drained.try_recv().is_err());
    assert_eq!(words(&late.await.unwrap()), ["paused"]);
    bench.gate.open();
    drained.await.unwrap();
    assert_eq!(words(&share.await.unwrap()), ["accepted 1"]);
    assert_eq!(words(&repeat.await.unwrap()), ["duplicate 1"]);
    // Rejections are known to memory alone, so this life must have saved them.
    let bench = bench.restarted().await;
    let view = bench.miner(1).await;
    assert_eq!((view.accepted, view.rejected[2]), (1, 1));
}
