use super::*;
use proptest::prelude::*;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn every(secs: u64) -> Span {
    Span::from_secs(secs)
}

fn round(id: u64, secs: i64) -> DueRound {
    DueRound {
        id: RoundId::new(id),
        closed_at: at(secs),
    }
}

fn new_pool(secs: u64) -> Schedule {
    Schedule::new(at(1_000), None, every(secs)).unwrap()
}

#[test]
fn the_first_round_is_due_one_interval_after_the_pool_began() {
    let schedule = new_pool(60);
    assert_eq!(schedule.next_at(), at(1_060));
    assert_eq!(schedule.due(at(1_059)), None);
    assert_eq!(schedule.due(at(1_060)), Some(round(1, 1_060)));
    assert_eq!(
        schedule.due(at(1_060)),
        Some(round(1, 1_060)),
        "asking changes nothing"
    );
}

#[test]
fn a_schedule_goes_on_where_the_last_run_stopped() {
    let last = Some((RoundId::new(41), at(5_000)));
    let schedule = Schedule::new(at(9_999), last, every(60)).unwrap();
    assert_eq!(schedule.due(at(5_060)), Some(round(42, 5_060)));
}

#[test]
fn missed_rounds_close_one_by_one_each_at_its_own_time() {
    let mut schedule = new_pool(60);
    let mut closed = Vec::new();
    while let Some(due) = schedule.due(at(1_200)) {
        schedule.closed(due).unwrap();
        closed.push(due);
    }
    assert_eq!(closed, [round(1, 1_060), round(2, 1_120), round(3, 1_180)]);
    assert_eq!(schedule.next_at(), at(1_240));
}

#[test]
fn a_clock_that_stepped_back_closes_nothing() {
    let mut schedule = new_pool(60);
    schedule.closed(round(1, 1_060)).unwrap();
    assert_eq!(schedule.due(at(0)), None);
    assert_eq!(
        schedule.now(at(1_060)),
        Err(ScheduleError::TooEarly { after: at(1_060) })
    );
    assert_eq!(
        schedule.closed(round(2, 1_060)),
        Err(ScheduleError::TooEarly { after: at(1_060) })
    );
}

#[test]
fn a_changed_interval_counts_from_the_last_closing() {
    let mut schedule = new_pool(3_600);
    schedule.closed(round(1, 4_600)).unwrap();
    assert_eq!(schedule.due(at(4_700)), None);
    schedule.set_interval(every(60)).unwrap();
    assert_eq!(schedule.due(at(4_700)), Some(round(2, 4_660)));
    assert_eq!(schedule.set_interval(every(0)), Err(ScheduleError::NoInterval));
    assert_eq!(schedule.interval(), every(60));
    assert_eq!(
        Schedule::new(at(0), None, every(0)),
        Err(ScheduleError::NoInterval)
    );
}

#[test]
fn a_round_on_demand_moves_the_ones_after_it() {
    let mut schedule = new_pool(60);
    let demanded = schedule.now(at(1_010)).unwrap();
    assert_eq!(demanded, round(1, 1_010));
    schedule.closed(demanded).unwrap();
    assert_eq!(schedule.next_at(), at(1_070));
    // Overdue rounds are merged into one that is demanded.
    schedule.closed(schedule.now(at(1_500)).unwrap()).unwrap();
    assert_eq!(schedule.due(at(1_500)), None);
    assert_eq!(schedule.next_at(), at(1_560));
}

#[test]
fn a_round_that_is_not_next_is_refused() {
    let mut schedule = new_pool(60);
    let refused = Err(ScheduleError::NotNext {
        closed: RoundId::new(2),
        next: RoundId::new(1),
    });
    assert_eq!(schedule.closed(round(2, 1_060)), refused);
    schedule.closed(round(1, 1_060)).unwrap();
    assert!(schedule.closed(round(1, 1_060)).is_err(), "a round closes once");
}

#[test]
fn nothing_is_due_at_the_end_of_time() {
    let last = Some((RoundId::new(1), Timestamp::from_millis(i64::MAX)));
    let schedule = Schedule::new(at(0), last, every(60)).unwrap();
    assert_eq!(schedule.due(Timestamp::from_millis(i64::MAX)), None);
}

#[test]
fn a_last_closing_in_the_future_counts_from_now() {
    let last = Some((RoundId::new(783), at(50_000)));
    let schedule = Schedule::new(at(0), last, every(60))
        .unwrap()
        .not_after(at(3_000));
    assert_eq!(schedule.next_at(), at(3_060));
    assert_eq!(schedule.due(at(3_060)), Some(round(784, 3_060)));
    let before = Schedule::new(at(0), Some((RoundId::new(1), at(2_000))), every(60)).unwrap();
    assert_eq!(before.not_after(at(3_000)), before, "one in the past stays");
}

#[test]
fn missed_rounds_are_counted_and_can_be_forgotten() {
    for (now, missed, next) in [
        (1_000, 0, 1_060),
        (1_119, 0, 1_060),
        (1_120, 1, 1_120),
        (1_239, 2, 1_180),
    ] {
        let mut schedule = new_pool(60);
        assert_eq!(schedule.missed(at(now)), missed, "{now}");
        schedule.skip_missed(at(now));
        assert_eq!(schedule.missed(at(now)), 0, "{now}");
        assert_eq!(schedule.next_at(), at(next), "{now}");
    }
    let mut schedule = new_pool(60);
    schedule.reset(at(9_000));
    assert_eq!((schedule.missed(at(9_059)), schedule.next_at()), (0, at(9_060)));
    assert_eq!(schedule.due(at(9_060)), Some(round(1, 9_060)), "its number stays");
}

proptest! {
    #[test]
    fn whatever_the_ticks_rounds_are_numbered_and_spaced_without_gap(
        interval in 1u64..100, ticks in prop::collection::vec(-50i64..300, 0..60),
    ) {
        let mut schedule = new_pool(interval);
        let mut clock = 1_000;
        let mut latest = clock;
        let mut closed = 0;
        for tick in ticks {
            clock += tick;
            latest = latest.max(clock);
            while let Some(due) = schedule.due(at(clock)) {
                closed += 1;
                prop_assert_eq!(due.id, RoundId::new(closed));
                prop_assert_eq!(due.closed_at, at(1_000).plus(every(closed * interval)));
                schedule.closed(due).unwrap();
            }
        }
        prop_assert_eq!(closed, u64::try_from(latest - 1_000).unwrap() / interval);
    }
}
