//! Clocks that are wrong, jump, or say that the pool was away for long.

use dwarves_domain::refusal::Refusal;
use serde_json::json;

use super::*;

const HOUR: i64 = 3_600_000;
const YEAR: i64 = 365 * 24 * HOUR;
/// Forward and back, small and large.
const JUMPS: [i64; 8] = [1_000, -1_000, 60_000, -60_000, HOUR, -HOUR, YEAR, -YEAR];

/// What is paid in all rounds, however they fell.
async fn paid(bench: &Bench) -> u64 {
    bench.rounds().await.iter().map(|round| round.reward.sats()).sum()
}

fn refused() -> ClockNews {
    ClockNews {
        refused: Some("clock_refused: far ahead".to_owned()),
        ..ClockNews::default()
    }
}

fn tell(bench: &Bench, news: ClockNews) {
    Outbox::new(&bench.distributor).tell(news).unwrap();
}

/// The wall jumps while nothing is under way or while a round is on its way; the date follows it or not. In no case is
/// there a round too many or too few.
#[test]
fn a_jump_of_the_wall_makes_no_round_and_keeps_none_back() {
    for jump in JUMPS {
        for is_followed in [false, true] {
            for during_round in [false, true] {
                actix::System::new().block_on(jump_once(jump, is_followed, during_round));
            }
        }
    }
}

async fn jump_once(jump: i64, is_followed: bool, during_round: bool) {
    let what = format!("{jump} followed={is_followed} during={during_round}");
    let follow = |bench: &Bench, millis: i64, steps: u64| {
        if is_followed {
            bench.clock.correct(millis);
            tell(bench, right(steps));
        }
    };
    let bench = Bench::gated().await;
    if !during_round {
        bench.gate.open();
    }
    bench.usual_work().await;
    bench.tick_at(10).await;
    bench.clock.jump_wall(jump);
    follow(&bench, jump, 1);
    bench.tick_at(19).await;
    bench.gate.open();
    settle().await;
    follow(&bench, 0, 1);
    bench.tick_at(20).await;
    bench.clock.jump_wall(-jump);
    follow(&bench, -jump, 2);
    bench.tick_at(30).await;
    let ids: Vec<u64> = bench.rounds().await.iter().map(|round| round.id.get()).collect();
    assert_eq!(ids, [1, 2, 3], "{what}");
    assert_eq!(bench.schedule().await.next_round_at, at(40), "{what}");
    assert_eq!(paid(&bench).await, REWARD, "{what}");
}

#[test]
fn a_life_after_a_wrong_clock_goes_on_within_an_interval() {
    for jump in JUMPS {
        actix::System::new().block_on(live_with_a_wrong_clock(jump));
    }
}

async fn live_with_a_wrong_clock(jump: i64) {
    let bench = Bench::new().await;
    bench.usual_work().await;
    // A whole life with a wrong clock, which nobody found out.
    bench.clock.set(at(0).moved(jump));
    let bench = bench.restarted(terms()).await;
    bench.clock.advance(INTERVAL);
    bench.tick();
    settle().await;
    let before = bench.rounds().await.len();
    // And one with the right clock.
    bench.clock.set(at(50));
    let bench = bench.restarted(terms()).await;
    let next = bench.schedule().await.next_round_at;
    assert!(next <= at(60), "{jump}: {next}");
    bench.tick_at(60).await;
    assert!(bench.rounds().await.len() > before, "{jump}");
    assert_eq!(paid(&bench).await, REWARD, "{jump}");
    let through = bench.asked_to_close().into_iter().map(|write| match write {
        Write::CloseRound { through, .. } => through.get(),
        other => panic!("expected a round, got {other:?}"),
    });
    assert_eq!(
        through.max(),
        Some(3),
        "{jump}: all shares are looked at, whatever their dates"
    );
}

#[actix::test]
async fn while_the_clock_is_refused_no_round_closes_and_then_they_go_on() {
    let bench = Bench::new().await;
    tell(&bench, refused());
    bench.tick_at(35).await;
    assert_eq!(bench.closings().await, [0; 0]);
    match bench.ask(DistributorControl::DistributeNow).await {
        Err(Refusal::ControlRefused(why)) => assert!(why.contains("clock_refused"), "{why}"),
        other => panic!("expected a refusal, got {other:?}"),
    }
    tell(&bench, right(0));
    settle().await;
    assert_eq!(bench.closings().await, [10, 20, 30]);
}

#[actix::test]
async fn missed_rounds_wait_until_the_clock_is_confirmed_and_come_so_many_a_minute() {
    let bench = Bench::new().await;
    bench.tick_at(10).await;
    bench.clock.set(at(10 + 1_000));
    let bench = bench.restarted(terms()).await;
    let most = MISSED_PER_MINUTE as usize;
    assert_eq!(
        bench.rounds().await.len(),
        1 + most,
        "closed at once by a confirmed clock"
    );
    for second in 1..60 {
        bench.tick_at(1_010 + second).await;
    }
    assert_eq!(
        bench.rounds().await.len(),
        1 + most,
        "the rest waits for its minute"
    );
    bench.tick_at(1_070).await;
    assert_eq!(bench.rounds().await.len(), 1 + 2 * most);
    let expected: Vec<u64> = (1..=1 + 2 * most as u64).map(|n| n * 10).collect();
    assert_eq!(bench.closings().await, expected, "each at the time it was due");
    assert_eq!(bench.schedule().await.missed, 75);
    // The date is put right: how long the pool was away is not known.
    tell(&bench, right(1));
    settle().await;
    assert_eq!(
        bench.rounds().await.len(),
        2 + 2 * most,
        "the one that was due last"
    );
    assert_eq!(bench.schedule().await.missed, 0);
}

#[actix::test]
async fn a_clock_that_is_not_confirmed_closes_nothing() {
    let bench = Bench::new().await;
    tell(&bench, ClockNews::default());
    bench.tick_at(45).await;
    assert_eq!(bench.closings().await, [0; 0]);
    match bench.ask(DistributorControl::DistributeNow).await {
        Err(Refusal::ControlRefused(why)) => assert!(why.contains("not confirmed"), "{why}"),
        other => panic!("expected a refusal, got {other:?}"),
    }
    tell(&bench, right(0));
    settle().await;
    assert_eq!(bench.closings().await, [10, 20, 30, 40]);
}

#[actix::test]
async fn a_reset_schedule_forgets_what_was_missed_pays_nothing_twice_and_outlives_a_restart() {
    let bench = Bench::new().await;
    bench.usual_work().await;
    bench.tick_at(10).await;
    tell(&bench, ClockNews::default());
    bench.clock.set(at(1_005));
    let told = bench.ask(DistributorControl::ResetSchedule).await;
    let expected = json!({
        "missed_rounds_forgotten": 98, "next_round_at_millis": at(1_015).millis(),
    });
    assert_eq!(told, Ok(expected));
    let bench = bench.restarted(terms()).await;
    bench.tick_at(1_014).await;
    assert_eq!(bench.closings().await, [10]);
    bench.tick_at(1_015).await;
    assert_eq!(bench.closings().await, [10, 1_015]);
    assert_eq!(paid(&bench).await, REWARD);
    assert_eq!(bench.of_miners(Balance::Immature), [495_000, 495_000]);
}
