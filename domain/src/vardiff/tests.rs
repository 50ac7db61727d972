use super::*;
use proptest::prelude::*;

const SECOND: u64 = 1_000;
const INTERVAL_SECS: u64 = 10;

fn difficulty(value: f64) -> Difficulty {
    Difficulty::from_f64(value).unwrap()
}

fn settings() -> Settings {
    Settings::new(Span::from_secs(INTERVAL_SECS), difficulty(1e-6), difficulty(1e12)).unwrap()
}

fn after(millis: u64) -> Timestamp {
    Timestamp::EPOCH.plus(Span::from_millis(millis))
}

/// A miner of constant speed: shares come at random, at the difficulty of the job it works on.
struct Miner {
    /// The difficulty at which one share comes every interval.
    right: f64,
    random: u64,
    now: u64,
    vardiff: Vardiff,
}

impl Miner {
    fn new(right: f64, start: f64, seed: u64) -> Self {
        Self {
            right,
            random: seed,
            now: 0,
            vardiff: Vardiff::new(difficulty(start), after(0), &settings()),
        }
    }

    /// A number above 0 and at most 1 (xorshift64).
    fn chance(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        ((self.random >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// Mines for this many intervals with a look for silence every second. Gives the number of shares and the
    /// number of changes.
    fn mine(&mut self, intervals: u64) -> (u32, u32) {
        let (mut shares, mut changes) = (0, 0);
        let end = self.now + intervals * INTERVAL_SECS * SECOND;
        while self.now < end {
            // Time to the next share is exponential and has no memory, so drawing it anew each second is exact.
            let second_ends = (self.now / SECOND + 1) * SECOND;
            let issued = self.vardiff.difficulty();
            let mean = issued.to_f64() / self.right * (INTERVAL_SECS * SECOND) as f64;
            let next = self.now as f64 - self.chance().ln() * mean;
            let change = if next < second_ends as f64 {
                self.now = next as u64;
                shares += 1;
                self.vardiff.on_share(after(self.now), issued, &settings())
            } else {
                self.now = second_ends;
                self.vardiff.on_idle(after(self.now), &settings())
            };
            changes += u32::from(change.is_some());
        }
        (shares, changes)
    }

    fn off_by(&self) -> f64 {
        let ratio = self.vardiff.difficulty().to_f64() / self.right;
        ratio.max(1.0 / ratio)
    }
}

#[test]
fn the_state_of_a_worker_is_small() {
    assert!(size_of::<Vardiff>() <= 48, "{} bytes", size_of::<Vardiff>());
}

#[test]
fn a_start_a_thousandfold_off_is_mended_in_few_changes() {
    for seed in 1..=40 {
        for start in [1e3, 1e6, 1e9] {
            let mut miner = Miner::new(1e6, start, seed * 7_919);
            let (mut changes, mut intervals) = (0, 0);
            while miner.off_by() > 2.0 && intervals < 60 {
                changes += miner.mine(1).1;
                intervals += 1;
            }
            assert!(
                changes <= 8 && intervals < 60,
                "seed {seed}, start {start}: {changes} changes, {intervals} intervals"
            );
        }
    }
}

#[test]
fn a_start_that_is_too_easy_does_not_flood_the_pool_for_long() {
    let mut miner = Miner::new(1e6, 1e3, 99);
    let (shares, _) = miner.mine(10);
    assert!(shares < 600, "{shares} shares in 10 intervals");
}

#[test]
fn a_constant_pace_comes_to_one_share_an_interval_and_few_changes() {
    for seed in [3, 1_001, 77_777] {
        let mut miner = Miner::new(5e4, 1e3, seed);
        miner.mine(50);
        let (shares, changes) = miner.mine(4_000);
        let pace = f64::from(shares) / 4_000.0;
        assert!(
            (0.8..1.25).contains(&pace),
            "seed {seed}: {pace} shares an interval"
        );
        assert!(changes < 120, "seed {seed}: {changes} changes in 4,000 intervals");
        assert!(miner.off_by() < 2.5, "seed {seed}: off by {}", miner.off_by());
    }
}

#[test]
fn a_tenfold_drop_is_followed_within_forty_intervals() {
    for seed in 1..=20 {
        let mut miner = Miner::new(1e6, 1e6, seed * 31);
        miner.mine(300);
        miner.right = 1e5;
        let mut intervals = 0;
        assert!(miner.off_by() > 3.0, "seed {seed}: the drop must be felt");
        while miner.off_by() > 3.0 {
            miner.mine(1);
            intervals += 1;
            assert!(intervals <= 40, "seed {seed}: off by {}", miner.off_by());
        }
        let (shares, _) = miner.mine(1_000);
        assert!((750..1_300).contains(&shares), "seed {seed}: {shares} shares");
    }
}

#[test]
fn a_batch_of_shares_at_once_raises_one_bounded_step() {
    let start = difficulty(1_000.0);
    let mut vardiff = Vardiff::new(start, after(0), &settings());
    let now = after(INTERVAL_SECS * SECOND);
    let changes: Vec<Difficulty> = (0..10_000)
        .filter_map(|_| vardiff.on_share(now, start, &settings()))
        .collect();
    assert_eq!(changes.len(), 1);
    assert!(vardiff.difficulty().to_f64() <= 1_000.0 * RAISE_MAX * 1.000_001);
}

#[test]
fn shares_of_old_jobs_count_at_the_difficulty_they_were_issued_with() {
    // The job in hand is still the easy one: shares come eight times as fast, each counts an eighth.
    let mut vardiff = Vardiff::new(difficulty(8_000.0), after(0), &settings());
    for share in 1..=800 {
        let now = after(share * INTERVAL_SECS * SECOND / 8);
        assert_eq!(vardiff.on_share(now, difficulty(1_000.0), &settings()), None);
    }
}

#[test]
fn a_pace_within_the_band_changes_nothing() {
    for millis in [7_500, 10_000, 14_000] {
        let start = difficulty(64.0);
        let mut vardiff = Vardiff::new(start, after(0), &settings());
        for share in 1..=2_000 {
            assert_eq!(vardiff.on_share(after(share * millis), start, &settings()), None);
            assert_eq!(vardiff.on_idle(after(share * millis), &settings()), None);
        }
    }
}

#[test]
fn a_pace_outside_the_band_is_mended_also_when_it_is_not_gross() {
    for (millis, wanted) in [(5_500, 64.0 / 0.55), (18_000, 64.0 / 1.8)] {
        let start = difficulty(64.0);
        let mut vardiff = Vardiff::new(start, after(0), &settings());
        let change = (1..=200).find_map(|share| vardiff.on_share(after(share * millis), start, &settings()));
        let ratio = change.unwrap().to_f64() / wanted;
        assert!((0.8..1.25).contains(&ratio), "{ratio}");
    }
}

#[test]
fn silence_lowers_a_known_worker_gently_and_an_unknown_one_at_once() {
    let interval = INTERVAL_SECS * SECOND;
    let start = difficulty(1_024.0);
    let mut unknown = Vardiff::new(start, after(0), &settings());
    assert_eq!(unknown.on_idle(after(3 * interval - 1), &settings()), None);
    assert_eq!(
        unknown.on_idle(after(3 * interval), &settings()),
        Some(difficulty(128.0))
    );
    assert_eq!(unknown.on_idle(after(3 * interval), &settings()), None);

    let mut known = Vardiff::new(start, after(0), &settings());
    assert_eq!(known.on_share(after(interval), start, &settings()), None);
    assert_eq!(known.on_idle(after(7 * interval - 1), &settings()), None);
    let steps = [7, 10, 13, 16].map(|at| {
        let change = known.on_idle(after(at * interval), &settings());
        change.unwrap().to_f64()
    });
    assert_eq!(steps, [512.0, 128.0, 16.0, 2.0]);
}

#[test]
fn a_worker_that_a_limit_held_for_long_is_not_judged_by_the_past() {
    let interval = INTERVAL_SECS * SECOND;
    let high = difficulty(1_000.0);
    let limited = Settings::new(Span::from_secs(INTERVAL_SECS), difficulty(1.0), high).unwrap();
    let mut vardiff = Vardiff::new(high, after(0), &limited);
    // A day at ten times the pace that the limit lets it have, then a third of the pace.
    let day = 8_640 * 10;
    for share in 1..=day {
        let now = after(share * interval / 10);
        assert_eq!(vardiff.on_share(now, high, &limited), None);
    }
    let slow = (1..=100).position(|share| {
        let now = after(day * interval / 10 + share * 3 * interval);
        vardiff.on_share(now, high, &limited).is_some()
    });
    assert!(slow.is_some_and(|shares| shares < 60), "{slow:?}");
}

#[test]
fn settings_that_make_no_sense_are_refused_and_new_limits_hold_at_once() {
    let (low, high) = (difficulty(1.0), difficulty(10.0));
    let ten_secs = Span::from_secs(10);
    assert_eq!(
        Settings::new(Span::default(), low, high),
        Err(SettingsError::NoInterval)
    );
    assert_eq!(
        Settings::new(ten_secs, high, low),
        Err(SettingsError::LimitsCrossed)
    );
    assert!(
        Settings::new(ten_secs, low, low).is_ok(),
        "one difficulty for all"
    );
    let mut vardiff = Vardiff::new(difficulty(1_000.0), after(0), &settings());
    let narrow = Settings::new(ten_secs, low, high).unwrap();
    assert_eq!(
        vardiff.on_share(after(1), difficulty(1_000.0), &narrow),
        Some(high)
    );
    assert_eq!(vardiff.difficulty(), high);
}

#[test]
fn a_clock_that_stepped_back_begins_the_count_anew() {
    let start = difficulty(64.0);
    let mut vardiff = Vardiff::new(start, after(1_000_000_000), &settings());
    for share in 1..=100 {
        let now = after(share * INTERVAL_SECS * SECOND);
        assert_eq!(vardiff.on_share(now, start, &settings()), None);
    }
    // Counting goes on in the new time: silence is noticed.
    assert!(vardiff.on_idle(after(2_000_000), &settings()).is_some());
}

#[test]
fn a_clock_that_steps_back_behind_the_last_share_forgets_the_pace_before_it() {
    let interval = INTERVAL_SECS * SECOND;
    let start = difficulty(1_024.0);
    let at = |intervals: u64| after(intervals * interval);
    // One share an interval, up to 100, and a clock that then says this: behind the last share, and after the start.
    let heard = |now: Timestamp| {
        let mut vardiff = Vardiff::new(start, at(10), &settings());
        for share in 11..=100 {
            assert_eq!(vardiff.on_share(at(share), start, &settings()), None);
        }
        assert_eq!(vardiff.on_idle(now, &settings()), None);
        vardiff
    };
    // Silence counts from the clock's new time, and not from a share that lies ahead of it.
    let mut back = heard(at(50));
    assert_eq!(
        back.on_idle(at(56).minus(Span::from_millis(1)), &settings()),
        None
    );
    assert_eq!(back.on_idle(at(56), &settings()), Some(difficulty(512.0)));
    // So does the pace: 40 shares in 10 intervals are four times too many, whatever came before.
    let mut back = heard(at(50));
    let change = (1..=40)
        .find_map(|share| back.on_share(after(50 * interval + share * interval / 4), start, &settings()));
    let change = change.expect("a pace four times too fast is seen").to_f64();
    assert!((2_048.0..=8_192.0).contains(&change), "{change}");
    // A clock that stands still has not stepped back: nothing is forgotten.
    let mut still = heard(at(100));
    assert_eq!(still.since, heard(at(101)).since);
    assert_eq!(still.on_share(at(100), start, &settings()), None);
    assert!(still.seen > 30.0, "{} shares are remembered", still.seen);
}

#[test]
fn the_band_chance_and_the_shortest_time_hold_to_the_share() {
    let start = difficulty(64.0);
    // Of shares at these milliseconds, the first that changes anything.
    let first_change = |times: Vec<u64>| {
        let mut vardiff = Vardiff::new(start, after(0), &settings());
        times
            .into_iter()
            .position(|at| vardiff.on_share(after(at), start, &settings()).is_some())
    };
    // Just half as many again as wanted: three shares every other interval, for 60 intervals.
    let fast = (1..=30).flat_map(|burst| [burst * 20_000; 3]);
    assert_eq!(first_change(fast.collect()), None);
    // And just two thirds of them.
    let slow = (1..=40).map(|share| share * 15_000);
    assert_eq!(first_change(slow.collect()), None);
    // Eight of sixteen are just two standard deviations too few.
    let eighth_at = |at: u64| (1..=7).map(|share| share * 10_000).chain([at]).collect();
    assert_eq!(first_change(eighth_at(160_000)), None);
    assert_eq!(first_change(eighth_at(160_100)), Some(7));
    // Shares are judged from a quarter of an interval on.
    assert_eq!(first_change(vec![2_499; 1_000]), None);
    assert!(first_change(vec![2_500; 1_000]).is_some());
}

#[test]
fn evidence_fades_once_it_is_older_than_the_memory() {
    let start = difficulty(64.0);
    let mut vardiff = Vardiff::new(start, after(0), &settings());
    for share in 1..=64 {
        assert_eq!(vardiff.on_share(after(share * 10_000), start, &settings()), None);
    }
    assert_eq!((vardiff.seen, vardiff.since), (64.0, after(0)));
    assert_eq!(vardiff.on_share(after(650_000), start, &settings()), None);
    assert_eq!((vardiff.seen, vardiff.since), (32.5, after(325_000)));
}

#[test]
fn a_raise_to_what_there_is_changes_nothing() {
    let start = difficulty(1_024.0);
    let mut vardiff = Vardiff::new(start, after(0), &settings());
    for times in [0.5, 1.0] {
        let before = vardiff;
        assert_eq!(vardiff.raise(after(5), start, times, &settings()), None);
        assert_eq!(vardiff, before, "not even what silence means");
    }
    let raised = vardiff.raise(after(5), start, 1.5, &settings());
    assert_eq!(raised, Some(difficulty(1_536.0)));
}

#[derive(Clone, Debug)]
enum Event {
    Share { later: i64, issued: f64, count: u32 },
    Look { later: i64 },
}

fn any_event() -> impl Strategy<Value = Event> {
    let later = || prop_oneof![0i64..5, 0i64..100_000, -1_000_000i64..1_000_000];
    prop_oneof![
        (later(), -9.0f64..15.0, 1u32..50).prop_map(|(later, log, count)| Event::Share {
            later,
            issued: 10f64.powf(log),
            count,
        }),
        later().prop_map(|later| Event::Look { later }),
    ]
}

proptest! {
    #[test]
    fn whatever_comes_the_difficulty_stays_within_limits_and_raises_are_bounded(
        events in prop::collection::vec(any_event(), 0..80), start in -12.0f64..18.0,
    ) {
        let settings = settings();
        let mut clock = 1_000_000_000i64;
        let mut vardiff =
            Vardiff::new(difficulty(10f64.powf(start).max(1e-9)), Timestamp::from_millis(clock), &settings);
        for event in events {
            let (later, share) = match event {
                Event::Share { later, issued, count } => (later, Some((issued.max(1e-9), count))),
                Event::Look { later } => (later, None),
            };
            clock += later;
            let now = Timestamp::from_millis(clock);
            let before = vardiff.difficulty();
            match share {
                Some((issued, count)) => for _ in 0..count {
                    let change = vardiff.on_share(now, difficulty(issued), &settings);
                    prop_assert!(change.is_none_or(|d| d == vardiff.difficulty()));
                },
                None => {
                    let change = vardiff.on_idle(now, &settings);
                    prop_assert!(change.is_none_or(|d| d < before));
                }
            }
            let d = vardiff.difficulty();
            prop_assert_eq!(settings.within_limits(d), d);
            // However many shares come at one instant, they are one step.
            prop_assert!(d.to_f64() <= before.to_f64() * RAISE_MAX * 1.000_001);
        }
    }
}
