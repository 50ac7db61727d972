//! What the threads of a standby know together, and what people are shown of it.

use std::sync::atomic::{AtomicU64, Ordering};

use dwarves_domain::time::Span;
use dwarves_ports::clock::Moment;
use dwarves_ports::store::StandbyState;
use tokio::sync::watch;

use super::course::Course;
use super::identity::Identity;
use super::{Place, Since, WhyNot};

/// How often primary and standby are looked at.
pub(super) const EVERY: Span = Span::from_millis(500);
/// How long a standby must be well after a failure before it is asked again.
const COMES_BACK_AFTER: Span = Span::from_secs(3);

/// What is known of a standby.
pub(crate) struct Shared {
    /// Where it is, for people.
    place: String,
    lag_max: Span,
    since: Since,
    /// A cell that several threads look into; nobody waits for its changes.
    known: watch::Sender<Known>,
    /// Questions of pages that it answered, and that the primary had to.
    answered: AtomicU64,
    passed_on: AtomicU64,
}

#[derive(Debug)]
struct Known {
    course: Course,
    primary: Option<Identity>,
    /// Why it may not be asked.
    why: Option<WhyNot>,
    /// Since when it has been well again, while there still is a reason.
    well_since: Option<Span>,
    /// Up to when it has all that was committed, as far as anybody saw.
    reached: Option<Span>,
    /// By how much it was behind when it was looked at last.
    lag: Option<Span>,
    /// When somebody was last told of what pages show.
    told: Option<Span>,
}

impl Shared {
    pub(super) fn new(place: String, lag_max: Span) -> Self {
        let known = Known {
            course: Course::default(),
            primary: None,
            why: Some(WhyNot::Unknown),
            well_since: None,
            reached: None,
            lag: None,
            told: None,
        };
        Self {
            place,
            lag_max,
            since: Since(Moment::now()),
            known: watch::Sender::new(known),
            answered: AtomicU64::new(0),
            passed_on: AtomicU64::new(0),
        }
    }

    /// Somebody has been told: from now on the standby must have all that is committed now.
    pub(crate) fn note_told(&self) {
        let now = self.since.now();
        self.known.send_modify(|known| known.told = Some(now));
    }

    pub(super) fn now(&self) -> Span {
        self.since.now()
    }

    pub(super) fn lag_max(&self) -> Span {
        self.lag_max
    }

    /// When the primary's way began that is known.
    pub(super) fn first_place(&self) -> Span {
        self.known.borrow().course.first().unwrap_or_default()
    }

    pub(super) fn primary(&self) -> Option<Identity> {
        self.known.borrow().primary
    }

    /// Notes which server the primary is, and how far its log was on disk at this moment.
    pub(super) fn note_primary(&self, identity: Identity, at: Span, flushed: u64) {
        self.known.send_modify(|known| {
            known.primary = Some(identity);
            known.course.note(at, flushed);
        });
    }

    /// Whether the standby may be asked, as far as is known before it is.
    pub(super) fn may_be_asked(&self) -> bool {
        let now = self.now();
        let known = self.known.borrow();
        known.why.is_none()
            && known
                .reached
                .is_some_and(|reached| known.has_enough(reached, now, self.lag_max))
    }

    /// Whether an answer from this place may be given.
    pub(super) fn judge(&self, place: Place) -> Result<bool, WhyNot> {
        let reached = self.reach(place)?;
        let now = self.now();
        Ok(reached.is_some_and(|reached| self.known.borrow().has_enough(reached, now, self.lag_max)))
    }

    /// Notes how far the standby is. Up to when it has everything.
    pub(super) fn reach(&self, place: Place) -> Result<Option<Span>, WhyNot> {
        if !place.follows {
            return Err(WhyNot::Promoted);
        }
        let reached = self.known.borrow().course.reached(place.replayed);
        self.known.send_if_modified(|known| {
            let is_news = reached > known.reached;
            known.reached = known.reached.max(reached);
            is_news
        });
        Ok(reached)
    }

    /// Something went wrong: it is not asked any more, until it has been well for a while.
    pub(super) fn fail(&self, why: &WhyNot) {
        self.note(Err(why.clone()));
    }

    /// Notes what a look at it came to: by how much it is behind, or why it may not be asked.
    pub(super) fn note(&self, looked: Result<Span, WhyNot>) {
        let now = self.now();
        self.known.send_modify(|known| match looked {
            Ok(lag) => {
                known.lag = Some(lag);
                let well_since = *known.well_since.get_or_insert(now);
                let waited = now.millis().saturating_sub(well_since.millis());
                if matches!(known.why, Some(WhyNot::Unknown)) || waited >= COMES_BACK_AFTER.millis() {
                    known.well_since = None;
                    if known.why.take().is_some() {
                        log::info!(
                            "pages are read from the standby ({}), {} ms behind",
                            self.place,
                            lag.millis()
                        );
                    }
                }
            }
            Err(why) => {
                known.well_since = None;
                known.lag = None;
                if known.why.as_ref().is_none_or(|before| !before.is_like(&why)) {
                    log::warn!(
                        "pages are read from the primary: the standby ({}) {why}",
                        self.place
                    );
                }
                known.why = Some(why);
            }
        });
    }

    /// Counts a question of a page.
    pub(super) fn count(&self, is_answered: bool) {
        let counter = if is_answered {
            &self.answered
        } else {
            &self.passed_on
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// How it is.
    pub(super) fn state(&self) -> StandbyState {
        let now = self.now().millis();
        let known = self.known.borrow();
        let behind = known.reached.map(|reached| now.saturating_sub(reached.millis()));
        // Between two looks nobody knows better than the last one; one that does not come says nothing any more.
        let is_fresh = behind.is_some_and(|behind| behind <= 2 * EVERY.millis());
        StandbyState {
            place: self.place.clone(),
            answers: known.why.is_none(),
            lag: known.lag.filter(|_| is_fresh).or(behind.map(Span::from_millis)),
            lag_max: self.lag_max,
            why: known.why.as_ref().map(ToString::to_string),
            answered: self.answered.load(Ordering::Relaxed),
            passed_on: self.passed_on.load(Ordering::Relaxed),
        }
    }
}

impl Known {
    /// Whether who has everything up to `reached` has enough.
    fn has_enough(&self, reached: Span, now: Span, lag_max: Span) -> bool {
        let is_close = now.millis().saturating_sub(reached.millis()) <= lag_max.millis();
        is_close && self.told.is_none_or(|told| told <= reached)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn identity() -> Identity {
        Identity::default()
    }

    fn at(replayed: u64) -> Place {
        Place {
            follows: true,
            replayed,
        }
    }

    fn pass(millis: u64) -> impl Future<Output = ()> {
        tokio::time::advance(Duration::from_millis(millis))
    }

    async fn new() -> Shared {
        let shared = Shared::new("db".to_owned(), Span::from_secs(5));
        pass(10).await;
        shared
    }

    #[tokio::test(start_paused = true)]
    async fn a_standby_answers_within_its_bound() {
        let shared = new().await;
        shared.note_primary(identity(), shared.now(), 100);
        assert!(!shared.may_be_asked(), "nobody has looked at it");
        shared.reach(at(100)).unwrap();
        shared.note(Ok(Span::from_millis(3)));
        assert!(shared.may_be_asked());
        pass(5_000).await;
        assert!(shared.may_be_asked(), "it is as far behind as it may be");
        pass(1).await;
        assert!(!shared.may_be_asked(), "nobody knows what was committed since");
        shared.note_primary(identity(), shared.now(), 200);
        assert_eq!(shared.judge(at(199)), Ok(false));
        assert_eq!(shared.judge(at(200)), Ok(true));
        let promoted = Place {
            follows: false,
            replayed: 300,
        };
        assert_eq!(shared.judge(promoted), Err(WhyNot::Promoted));
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_told_is_not_shown_what_was_before() {
        let shared = new().await;
        shared.note_primary(identity(), shared.now(), 100);
        shared.reach(at(100)).unwrap();
        shared.note(Ok(Span::from_millis(3)));
        pass(1).await;
        shared.note_told();
        assert!(!shared.may_be_asked());
        assert_eq!(
            shared.judge(at(150)),
            Ok(false),
            "it is not known what was at 150"
        );
        pass(1).await;
        shared.note_primary(identity(), shared.now(), 140);
        assert_eq!(shared.judge(at(139)), Ok(false));
        assert_eq!(shared.judge(at(140)), Ok(true));
        assert!(shared.may_be_asked());
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_it_must_be_well_for_a_while() {
        let shared = new().await;
        let lag = Span::from_millis(3);
        let look = |looked| {
            shared.note_primary(identity(), shared.now(), 100);
            shared.reach(at(100)).unwrap();
            shared.note(looked);
            shared.may_be_asked()
        };
        assert!(look(Ok(lag)));
        assert!(!look(Err(WhyNot::Ahead)));
        assert_eq!(shared.state().why.is_some(), !shared.state().answers);
        for _ in 0..6 {
            assert!(!look(Ok(lag)));
            pass(500).await;
        }
        assert!(look(Ok(lag)));
        assert!(!look(Err(WhyNot::Ahead)));
        assert!(!look(Ok(lag)));
        pass(2_500).await;
        assert!(!look(Err(WhyNot::Promoted)));
        pass(2_500).await;
        assert!(!look(Ok(lag)), "the time before the last failure does not count");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_shown_is_what_was_measured() {
        let shared = new().await;
        assert_eq!(shared.state().lag, None);
        shared.note_primary(identity(), shared.now(), 100);
        shared.reach(at(100)).unwrap();
        shared.note(Ok(Span::from_millis(3)));
        pass(400).await;
        assert_eq!(shared.state().lag, Some(Span::from_millis(3)));
        pass(60_000).await;
        assert_eq!(shared.state().lag, Some(Span::from_millis(60_400)));
    }
}
