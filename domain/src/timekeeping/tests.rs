use super::*;

const RULES: Rules = Rules {
    tolerance: Span::from_secs(7_200),
    settle: Span::from_secs(60),
};
const BEGIN: i64 = 1_700_000_000_000;
const HOUR: i64 = 3_600_000;
const YEAR: i64 = 365 * 24 * HOUR;
/// Every kind of jump: forward and back, within what is followed, within the tolerance, beyond it.
const JUMPS: [i64; 12] = [
    1,
    -1,
    1_500,
    -1_500,
    3_000,
    -3_000,
    HOUR,
    -HOUR,
    3 * HOUR,
    -3 * HOUR,
    YEAR,
    -YEAR,
];

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(BEGIN + millis)
}

fn header(is_there: bool, millis: i64) -> BestHeader {
    if is_there {
        BestHeader::Time(at(millis))
    } else {
        BestHeader::Timeless
    }
}

/// A machine whose true time is the running time, with a wall that is wrong by `wrong`.
struct Machine {
    keeping: Timekeeping,
    passed: i64,
    wrong: i64,
    /// By how much the date is off the running time.
    correction: i64,
    /// Whether there is a chain whose best header is right.
    has_header: bool,
}

impl Machine {
    fn new(has_header: bool) -> Self {
        Self {
            keeping: Timekeeping::new(RULES, at(0), at(-10_000)),
            passed: 0,
            wrong: 0,
            correction: 0,
            has_header,
        }
    }

    fn tick(&mut self, millis: i64) {
        self.passed += millis;
        let step = self.keeping.look(Readings {
            now: at(self.passed),
            date: at(self.passed + self.correction),
            wall: at(self.passed + self.wrong),
            header: header(self.has_header, self.passed),
        });
        self.correction += step.unwrap_or_default();
    }

    fn seconds(&mut self, secs: i64) {
        for _ in 0..secs {
            self.tick(1_000);
        }
    }
}

#[test]
fn a_jump_that_goes_away_again_moves_no_date_whatever_its_size() {
    for has_header in [false, true] {
        for jump in JUMPS {
            let mut machine = Machine::new(has_header);
            machine.seconds(5);
            machine.wrong = jump;
            machine.seconds(6);
            let is_small = jump.unsigned_abs() <= STEP_MAX.millis();
            assert_eq!(machine.correction, if is_small { jump } else { 0 }, "{jump}");
            assert_eq!(machine.keeping.state().jump.is_some(), !is_small, "{jump}");
            let is_far = has_header && jump.unsigned_abs() > RULES.tolerance.millis();
            assert_eq!(machine.keeping.state().is_refused, is_far, "{jump}");
            machine.wrong = 0;
            machine.seconds(1);
            assert_eq!(machine.correction, 0, "{jump}");
            let state = machine.keeping.state();
            assert_eq!((state.jump, state.is_refused), (None, false), "{jump}");
        }
    }
}

#[test]
fn a_jump_that_stays_is_taken_on_once_it_has_settled_unless_the_chain_speaks_against_it() {
    for has_header in [false, true] {
        for jump in JUMPS {
            let mut machine = Machine::new(has_header);
            machine.wrong = jump;
            machine.seconds(59);
            if jump.unsigned_abs() > STEP_MAX.millis() {
                assert_eq!(machine.correction, 0, "{jump}");
            }
            machine.seconds(10);
            let is_far = has_header && jump.unsigned_abs() > RULES.tolerance.millis();
            assert_eq!(machine.correction, if is_far { 0 } else { jump }, "{jump}");
            assert_eq!(machine.keeping.state().is_refused, is_far, "{jump}");
            assert_eq!(machine.keeping.state().jump.is_some(), is_far, "{jump}");
        }
    }
}

#[test]
fn a_wall_that_was_wrong_from_the_start_is_refused_by_the_chain_at_once() {
    for jump in JUMPS {
        let wall = at(jump);
        let mut keeping = Timekeeping::new(RULES, wall, at(-10_000));
        let header = BestHeader::Time(at(0));
        let step = keeping.look(Readings {
            now: wall,
            date: wall,
            wall,
            header,
        });
        assert_eq!(step, None, "the date is the wall's already");
        let is_far = jump.unsigned_abs() > RULES.tolerance.millis();
        assert_eq!(keeping.state().is_refused, is_far, "{jump}");
        assert_eq!(keeping.state().is_confirmed, !is_far, "{jump}");
        assert_eq!(keeping.state().from_header, Some(jump));
    }
}

#[test]
fn a_date_that_the_chain_refuses_gives_way_at_once_to_a_wall_that_is_right() {
    for has_header in [false, true] {
        for wrong in [YEAR, -YEAR] {
            let (running, mut correction) = (at(wrong), 0);
            let mut keeping = Timekeeping::new(RULES, running, at(-10_000));
            for (wall, expected) in [(running, 0), (at(0), if has_header { -wrong } else { 0 })] {
                let step = keeping.look(Readings {
                    now: running,
                    date: running.moved(correction),
                    wall,
                    header: header(has_header, 0),
                });
                correction += step.unwrap_or_default();
                assert_eq!(correction, expected);
            }
            assert!(!keeping.state().is_refused);
        }
    }
}

#[test]
fn a_long_time_away_is_believed_when_the_wall_has_stood_by_it_and_a_short_one_at_once() {
    for (away, at_once) in [
        (0, true),
        (HOUR, true),
        (-HOUR, true),
        (3 * HOUR, false),
        (YEAR, false),
        // The last date that was written down lies in the future: that one was wrong.
        (-YEAR, true),
    ] {
        let mut keeping = Timekeeping::new(RULES, at(0), at(-away));
        for millis in (0..=60_000).step_by(1_000) {
            keeping.look(Readings {
                now: at(millis),
                date: at(millis),
                wall: at(millis),
                header: BestHeader::Timeless,
            });
            let has_stood = millis >= 60_000;
            assert_eq!(
                keeping.state().is_confirmed,
                at_once || has_stood,
                "{away} {millis}"
            );
        }
    }
}

#[test]
fn while_the_chain_was_not_heard_nothing_beyond_the_tolerance_is_believed() {
    for wrong in JUMPS {
        let mut keeping = Timekeeping::new(RULES, at(0), at(-wrong));
        let mut correction = 0;
        for millis in (0..=600_000).step_by(1_000) {
            let step = keeping.look(Readings {
                now: at(millis),
                date: at(millis + correction),
                wall: at(millis + wrong),
                header: BestHeader::Unheard,
            });
            correction += step.unwrap_or_default();
        }
        let is_far = wrong.unsigned_abs() > RULES.tolerance.millis();
        assert_eq!(correction, if is_far { 0 } else { wrong }, "{wrong}");
        assert_eq!(keeping.state().is_confirmed, !is_far, "{wrong}");
    }
}

#[test]
fn a_wall_that_does_not_stand_still_is_never_taken_on() {
    let mut machine = Machine::new(false);
    for n in 0..50 {
        machine.wrong = if n % 2 == 0 { HOUR } else { -HOUR };
        machine.seconds(30);
        assert_eq!(machine.correction, 0);
    }
}

#[test]
fn clocks_at_the_ends_of_time_break_nothing() {
    for wall in [i64::MIN, 0, i64::MAX] {
        let mut keeping = Timekeeping::new(RULES, at(0), Timestamp::from_millis(i64::MAX));
        let earliest = BestHeader::Time(Timestamp::from_millis(i64::MIN));
        for header in [BestHeader::Timeless, BestHeader::Unheard, earliest] {
            keeping.look(Readings {
                now: at(0),
                date: at(0),
                wall: Timestamp::from_millis(wall),
                header,
            });
        }
    }
}

/// Looks with these milliseconds on the clocks, at this moment.
fn look(keeping: &mut Timekeeping, now: i64, date: i64, wall: i64, header: BestHeader) -> Option<i64> {
    keeping.look(Readings {
        now: at(now),
        date: at(date),
        wall: at(wall),
        header,
    })
}

#[test]
fn the_tolerance_is_part_of_what_is_tolerated() {
    let tolerance = i64::try_from(RULES.tolerance.millis()).unwrap();
    let settle = i64::try_from(RULES.settle.millis()).unwrap();
    let new = || Timekeeping::new(RULES, at(0), at(0));
    for side in [1, -1] {
        for (beyond, is_beyond) in [(0, false), (1, true)] {
            let off = side * (tolerance + beyond);
            // A wall that is so far from the best header.
            let mut keeping = new();
            look(&mut keeping, 0, off, off, BestHeader::Time(at(0)));
            assert_eq!(keeping.state().is_refused, is_beyond, "{off}");
            // A date that is so far from it gives way at once, where the wall is right.
            let step = look(&mut new(), 0, off, 0, BestHeader::Time(at(0)));
            assert_eq!(step, is_beyond.then_some(-off), "{off}");
            // Before the first header is heard, a wall that is so far from the date is not followed.
            let mut keeping = new();
            assert_eq!(look(&mut keeping, 0, 0, off, BestHeader::Unheard), None);
            let step = look(&mut keeping, settle, 0, off, BestHeader::Unheard);
            assert_eq!(step, (!is_beyond).then_some(off), "{off}");
        }
    }
}

#[test]
fn a_step_is_small_and_a_jump_the_same_up_to_the_largest_step() {
    let step_max = i64::try_from(STEP_MAX.millis()).unwrap();
    let settle = i64::try_from(RULES.settle.millis()).unwrap();
    let new = || Timekeeping::new(RULES, at(0), at(0));
    for side in [1, -1] {
        let mut keeping = new();
        let small = side * step_max;
        assert_eq!(look(&mut keeping, 0, 0, small, BestHeader::Timeless), Some(small));
        let large = small + side;
        assert_eq!(look(&mut keeping, 0, 0, large, BestHeader::Timeless), None);
        assert_eq!(keeping.state().jump.map(|jump| jump.millis), Some(large));
        // One that changes by as much is still the same jump, and settles from where it began.
        for (change, is_same) in [(step_max, true), (step_max + 1, false)] {
            let mut keeping = new();
            let (first, then) = (side * HOUR, side * HOUR + change);
            assert_eq!(look(&mut keeping, 0, 0, first, BestHeader::Timeless), None);
            let step = look(&mut keeping, settle, 0, then, BestHeader::Timeless);
            assert_eq!(step, is_same.then_some(then), "{first} and {change} more");
        }
    }
}
