//! Which difficulty a session issues.
//!
//! The rule is the domain's `vardiff`, with what only sessions have: the miner's own wishes, which may raise
//! what is issued and never lower it below the listener's least, and an operator's choice, which beats all.
//! What vardiff finds is issued as the nearest power of two: its target is exact in compact form, old firmware
//! reads it best, and small changes of pace change nothing.

use dwarves_domain::target::Difficulty;
use dwarves_domain::time::Timestamp;
use dwarves_domain::vardiff::{self, Settings, Vardiff};

/// A job that brought as many shares as one may is renewed this many times harder.
const RAISED_BY: f64 = 20.0;

/// The pace of one session.
#[derive(Debug)]
pub struct Pace {
    vardiff: Vardiff,
    /// The miner asked for no less.
    floor: Option<Difficulty>,
    /// The operator chose this.
    fixed: Option<Difficulty>,
    has_shares: bool,
}

impl Pace {
    /// A session that begins at `start`.
    pub fn new(start: Difficulty, now: Timestamp, settings: &Settings) -> Self {
        Self {
            vardiff: Vardiff::new(start, now, settings),
            floor: None,
            fixed: None,
            has_shares: false,
        }
    }

    /// What the next job gets.
    pub fn wanted(&self, settings: &Settings) -> Difficulty {
        if let Some(fixed) = self.fixed {
            return fixed;
        }
        let wanted = power_of_two(self.vardiff.difficulty());
        settings.within_limits(wanted.max(self.floor.unwrap_or(Difficulty::MIN)))
    }

    /// What the shares speak for, of which the last was issued at `proven`: where vardiff is, within one of its own
    /// steps of that. A wish or a suggestion is not in it.
    pub fn earned(&self, proven: Difficulty) -> Difficulty {
        let reach = proven.scaled(vardiff::RAISE_MAX as u64, 1);
        power_of_two(self.vardiff.difficulty()).min(reach)
    }

    /// Goes on at `difficulty`, as an earlier session left off.
    pub fn begin_at(&mut self, difficulty: Difficulty, now: Timestamp, settings: &Settings) {
        self.vardiff = Vardiff::new(difficulty, now, settings);
    }

    /// The miner wants no less than `difficulty` from now on.
    pub fn raise_floor(&mut self, difficulty: Difficulty) {
        self.floor = self.floor.max(Some(difficulty));
    }

    /// The miner suggests `difficulty`. It is taken as a beginning: once there are shares, they tell better what
    /// it can do, and a suggestion can only raise.
    pub fn suggest(&mut self, difficulty: Difficulty, now: Timestamp, settings: &Settings) {
        if !self.has_shares || difficulty > self.vardiff.difficulty() {
            self.begin_at(difficulty, now, settings);
        }
    }

    /// The operator chose a difficulty, or lets vardiff choose again.
    pub fn fix(&mut self, fixed: Option<Difficulty>) {
        self.fixed = fixed;
    }

    /// Notes an accepted share that was issued at `issued`.
    pub fn on_share(&mut self, now: Timestamp, issued: Difficulty, settings: &Settings) {
        self.has_shares = true;
        self.vardiff.on_share(now, issued, settings);
    }

    /// A job that was issued at `issued` brought far more shares than is its due.
    pub fn raise(&mut self, issued: Difficulty, now: Timestamp, settings: &Settings) {
        self.vardiff.raise(now, issued, RAISED_BY, settings);
    }

    /// Lowers the difficulty of a miner that has been silent for too long.
    pub fn on_idle(&mut self, now: Timestamp, settings: &Settings) {
        self.vardiff.on_idle(now, settings);
    }
}

/// The nearest power of two.
fn power_of_two(difficulty: Difficulty) -> Difficulty {
    let rounded = difficulty.to_f64().log2().round().exp2();
    Difficulty::from_f64(rounded).unwrap_or(difficulty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dwarves_domain::time::Span;

    fn difficulty(value: f64) -> Difficulty {
        Difficulty::from_f64(value).unwrap()
    }

    fn settings() -> Settings {
        Settings::new(Span::from_secs(10), difficulty(0.001), difficulty(1e6)).unwrap()
    }

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    #[test]
    fn what_vardiff_finds_is_issued_as_a_power_of_two_with_an_exact_target() {
        for value in [0.0016, 0.7, 1.0, 3.1, 1000.0, 65_537.0] {
            let wanted = Pace::new(difficulty(value), NOW, &settings()).wanted(&settings());
            assert_eq!(wanted.to_f64().log2().fract(), 0.0, "{value}");
            assert!((0.7..1.42).contains(&(wanted.to_f64() / value)), "{value}");
            assert_eq!(wanted.target().rounded_to_compact(), wanted.target());
        }
    }

    #[test]
    fn wishes_raise_and_never_go_below_or_above_the_listeners_limits() {
        let settings = settings();
        let mut pace = Pace::new(difficulty(16.0), NOW, &settings);
        pace.raise_floor(difficulty(0.000_001));
        assert_eq!(pace.wanted(&settings), difficulty(16.0));
        pace.raise_floor(difficulty(500.0));
        pace.raise_floor(difficulty(20.0));
        assert_eq!(pace.wanted(&settings), difficulty(500.0));
        pace.raise_floor(difficulty(1e12));
        assert_eq!(pace.wanted(&settings), difficulty(1e6));
    }

    #[test]
    fn a_suggestion_lowers_only_before_the_first_share() {
        let settings = settings();
        let mut pace = Pace::new(difficulty(16.0), NOW, &settings);
        pace.suggest(difficulty(1e-9), NOW, &settings);
        assert_eq!(pace.wanted(&settings), difficulty(0.001), "the listener's least");
        pace.suggest(difficulty(8.0), NOW, &settings);
        pace.on_share(NOW, difficulty(8.0), &settings);
        pace.suggest(difficulty(1.0), NOW, &settings);
        assert_eq!(pace.wanted(&settings), difficulty(8.0));
        pace.suggest(difficulty(64.0), NOW, &settings);
        assert_eq!(pace.wanted(&settings), difficulty(64.0));
    }

    #[test]
    fn what_was_only_asked_for_is_not_earned() {
        let settings = settings();
        let mut pace = Pace::new(difficulty(0.5), NOW, &settings);
        pace.raise_floor(difficulty(1e12));
        assert_eq!(pace.earned(difficulty(0.5)), difficulty(0.5));
        pace.suggest(difficulty(1e6), NOW, &settings);
        // A share of work that was issued before the suggestion speaks for itself alone.
        pace.on_share(NOW, difficulty(0.5), &settings);
        assert_eq!(pace.earned(difficulty(0.5)), difficulty(4.0));
    }

    #[test]
    fn an_operators_choice_beats_all() {
        let settings = settings();
        let mut pace = Pace::new(difficulty(16.0), NOW, &settings);
        pace.raise_floor(difficulty(500.0));
        pace.fix(Some(difficulty(3.0)));
        assert_eq!(pace.wanted(&settings), difficulty(3.0));
        pace.fix(None);
        assert_eq!(pace.wanted(&settings), difficulty(500.0));
    }
}
