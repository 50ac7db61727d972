//! Ticks, the clock, and commits that fail: each round is closed once, at its time.

use super::*;

#[actix::test]
async fn tick_while_round_in_flight_starts_nothing() {
    let bench = Bench::gated().await;
    bench.tick_at(10).await;
    assert_eq!(bench.asked_to_close().len(), 1);
    for secs in 11..40 {
        bench.tick_at(secs).await;
    }
    assert_eq!(bench.asked_to_close().len(), 1);
    bench.gate.open_for(1);
    settle().await;
    assert_eq!(bench.closings().await, [10]);
    assert_eq!(
        bench.asked_to_close().len(),
        2,
        "the next one that is due follows at once"
    );
}

#[actix::test]
async fn two_ticks_at_once_start_one_round() {
    let bench = Bench::new().await;
    bench.clock.set(at(10));
    for _ in 0..5 {
        bench.tick();
    }
    settle().await;
    assert_eq!(bench.asked_to_close().len(), 1);
    assert_eq!(bench.closings().await, [10]);
}

#[actix::test]
async fn a_round_closes_without_any_tick_but_the_actors_own() {
    let bench = Bench::new().await;
    bench.clock.set(at(9));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(bench.closings().await, [0; 0]);
    bench.clock.set(at(10));
    tokio::time::sleep(POKE_EVERY.to_std() * 2).await;
    assert_eq!(bench.closings().await, [10]);
}

#[actix::test]
async fn missed_rounds_close_one_by_one_oldest_first() {
    let bench = Bench::new().await;
    bench.share(1, 10, 5, None).await;
    bench.share(1, 10, 15, None).await;
    bench.tick_at(35).await;
    assert_eq!(bench.closings().await, [10, 20, 30]);
    let ids: Vec<u64> = bench.rounds().await.iter().map(|round| round.id.get()).collect();
    assert_eq!(ids, [1, 2, 3]);
    // Each looks at the shares that had come when it was due.
    let through = bench.asked_to_close().into_iter().map(|write| match write {
        Write::CloseRound { through, .. } => through.get(),
        other => panic!("expected a round, got {other:?}"),
    });
    assert_eq!(through.collect::<Vec<_>>(), [1, 2, 2]);
}

#[actix::test]
async fn a_pool_that_was_away_closes_what_it_missed_when_it_starts() {
    let bench = Bench::new().await;
    bench.tick_at(10).await;
    bench.clock.set(at(45));
    let bench = bench.restarted(terms()).await;
    assert_eq!(bench.closings().await, [10, 20, 30, 40]);
}

#[actix::test]
async fn a_clock_that_steps_back_closes_nothing() {
    let bench = Bench::new().await;
    bench.tick_at(20).await;
    for secs in [3, 10, 19, 20, 29] {
        bench.tick_at(secs).await;
        assert_eq!(bench.closings().await, [10, 20]);
    }
    bench.tick_at(30).await;
    assert_eq!(bench.closings().await, [10, 20, 30]);
}

#[actix::test]
async fn a_commit_that_fails_is_retried_with_the_same_content() {
    let bench = Bench::with(terms(), &[(1, Fault::Refuse), (2, Fault::Refuse)]).await;
    bench.usual_work().await;
    bench.tick_at(10).await;
    assert_eq!(bench.closings().await, [0; 0]);
    // Meanwhile the world moves on; the round does not.
    bench.block_becomes(1, BlockState::Mature).await;
    bench.share(2, 50, 4, None).await;
    for _ in 0..4 {
        bench.tick_at(12).await;
        tokio::time::sleep(RETRY_AFTER).await;
    }
    assert_eq!(bench.closings().await, [10]);
    let asked = bench.asked_to_close();
    assert_eq!(asked.len(), 3);
    assert!(
        asked.iter().all(|round| *round == asked[0]),
        "the same to the digest"
    );
    assert_eq!(bench.of_miners(Balance::Immature), [495_000, 495_000]);
}

#[actix::test]
async fn a_round_whose_answer_was_lost_is_not_booked_again_by_the_next_life() {
    let bench = Bench::with(terms(), &[(1, Fault::LoseAfter)]).await;
    bench.usual_work().await;
    bench.tick_at(10).await;
    assert_eq!(bench.halt.reasons().len(), 1);
    tokio::time::sleep(RETRY_AFTER * 3).await;
    assert_eq!(bench.asked_to_close().len(), 1, "the store is left alone");
    let bench = bench.restarted(terms()).await;
    bench.tick_at(19).await;
    assert_eq!(bench.closings().await, [10]);
    assert_eq!(bench.of_miners(Balance::Immature), [495_000, 495_000]);
    bench.tick_at(20).await;
    assert_eq!(bench.closings().await, [10, 20]);
    assert_eq!(bench.of_miners(Balance::Immature), [495_000, 495_000]);
}

#[actix::test]
async fn a_round_that_was_lost_before_it_was_booked_is_booked_by_the_next_life() {
    let bench = Bench::with(terms(), &[(1, Fault::LoseBefore)]).await;
    bench.usual_work().await;
    bench.tick_at(10).await;
    assert_eq!(bench.closings().await, [0; 0]);
    let bench = bench.restarted(terms()).await;
    assert_eq!(bench.closings().await, [10]);
    assert_eq!(bench.of_miners(Balance::Immature), [495_000, 495_000]);
}

#[actix::test]
async fn draining_waits_for_the_round_in_flight_and_starts_no_other() {
    let bench = Bench::gated().await;
    bench.tick_at(35).await;
    let mut drained = bench.post(DrainRounds);
    settle().await;
    assert!(drained.try_recv().is_err());
    bench.gate.open();
    drained.await.unwrap();
    settle().await;
    assert_eq!(
        bench.closings().await,
        [10],
        "rounds 2 and 3 wait for the next life"
    );
    assert_eq!(
        bench.post(DrainRounds).await,
        Ok(()),
        "nothing is in flight any more"
    );
    bench.tick_at(60).await;
    assert_eq!(bench.closings().await, [10]);
    let bench = bench.restarted(terms()).await;
    assert_eq!(bench.closings().await, [10, 20, 30, 40, 50, 60]);
}

/// Whatever becomes of a round, what the log says of it says which one it is.
#[actix::test]
async fn what_is_said_of_a_round_is_within_its_span() {
    let heard = Heard::from_now_on(Level::DEBUG);
    let bench = Bench::with(terms(), &[(1, Fault::Refuse)]).await;
    bench.tick_at(25).await;
    tokio::time::sleep(RETRY_AFTER * 2).await;
    settle().await;
    assert_eq!(bench.closings().await, [10, 20]);
    let lines = heard.lines();
    let of_round = |text: &str| -> Vec<&Value> {
        let has_text = |line: &&Value| line["message"].as_str().is_some_and(|said| said.contains(text));
        lines
            .iter()
            .filter(has_text)
            .map(|line| of_span(line, "round", "round"))
            .collect()
    };
    assert_eq!(of_round("is not booked yet"), [1]);
    assert_eq!(of_round("round closed round="), [1, 2]);
}
