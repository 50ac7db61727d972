//! When a front that stands by may take the lead.
//!
//! Two things tell that the one that leads is gone. Its session has the ledger's lock, which the server frees as soon as
//! the session is over. And its number's `beat` grows for as long as it lives. A process that was killed loses the lock at
//! once. One that stands still, or whose wire is cut, keeps it: its session is ended when it has said nothing for a while.
//! How long is measured by whoever looks, from what it saw change, and never by comparing two machines' clocks.

use dwarves_domain::time::Span;

/// With the lock free: for how long the one that leads must have said nothing. A server that restarts ends every session,
/// and whoever led is to have it back.
const SILENT_FREE: Span = Span::from_millis(1_500);
/// With the lock held: for how long it must have said nothing until its session is ended.
const SILENT_HELD: Span = Span::from_secs(3);

/// What is seen in one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Who leads, if anybody does: its number, its lease of it, and its beat.
    pub leader: Option<(u32, u64, u64)>,
    /// How often the lead was taken.
    pub epoch: u64,
    /// Whether some session has the ledger's lock.
    pub is_held: bool,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Stand by.
    Wait,
    /// End the session that has the ledger's lock: whoever it belongs to is silent.
    End,
    /// Take the lead.
    Lead,
}

/// A front that looks, again and again.
#[derive(Debug, Default)]
pub struct Succession {
    /// What was seen to be true last, and since when.
    unchanged: Option<(Look, Span)>,
}

impl Succession {
    /// What follows from `look` for the front of this number; `now` is time that passed since it began to look.
    pub fn judge(&mut self, this: u32, look: Look, now: Span) -> Verdict {
        let Some((number, ..)) = look.leader else {
            // Nobody led, or the last one stopped in order; somebody may be about to lead.
            self.unchanged = None;
            return match look.is_held {
                true => Verdict::Wait,
                false => Verdict::Lead,
            };
        };
        // Whoever led with this very number is gone: two do not have it at a time.
        if number == this {
            return match look.is_held {
                true => Verdict::End,
                false => Verdict::Lead,
            };
        }
        let is_same = |(seen, _): &(Look, Span)| seen.leader == look.leader && seen.epoch == look.epoch;
        let since = match self.unchanged.filter(is_same) {
            Some((_, since)) => since,
            None => now,
        };
        self.unchanged = Some((look, since));
        let silent = Span::from_millis(now.millis().saturating_sub(since.millis()));
        match look.is_held {
            false if silent >= SILENT_FREE => Verdict::Lead,
            true if silent >= SILENT_HELD => Verdict::End,
            _ => Verdict::Wait,
        }
    }

    /// The ledger could not be asked for a while: what was seen before says nothing.
    pub fn forget(&mut self) {
        self.unchanged = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: u32 = 1;
    const THIS: u32 = 2;

    fn look(leader: Option<(u32, u64, u64)>, is_held: bool) -> Look {
        Look {
            leader,
            epoch: 5,
            is_held,
        }
    }

    /// Looks every half second at what `seen` gives, and tells after how many milliseconds it was no longer to wait.
    fn waits(mut seen: impl FnMut(u64) -> Look) -> (u64, Verdict) {
        let mut succession = Succession::default();
        for millis in (0..60_000).step_by(500) {
            match succession.judge(THIS, seen(millis), Span::from_millis(millis)) {
                Verdict::Wait => {}
                verdict => return (millis, verdict),
            }
        }
        (60_000, Verdict::Wait)
    }

    #[test]
    fn a_ledger_that_nobody_leads_is_led_at_once() {
        assert_eq!(waits(|_| look(None, false)), (0, Verdict::Lead));
        assert_eq!(
            waits(|_| look(None, true)).1,
            Verdict::Wait,
            "somebody is about to lead"
        );
    }

    #[test]
    fn a_front_goes_on_at_once_where_it_led_before() {
        assert_eq!(waits(|_| look(Some((THIS, 1, 9)), false)), (0, Verdict::Lead));
        assert_eq!(waits(|_| look(Some((THIS, 1, 9)), true)), (0, Verdict::End));
    }

    #[test]
    fn who_lives_is_left_alone_with_or_without_the_lock() {
        for is_held in [true, false] {
            let verdict = waits(|millis| look(Some((OTHER, 1, millis / 500)), is_held)).1;
            assert_eq!(verdict, Verdict::Wait, "{is_held}");
        }
    }

    #[test]
    fn who_was_killed_is_followed_soon_and_who_stands_still_a_little_later() {
        assert_eq!(
            waits(|_| look(Some((OTHER, 1, 9)), false)),
            (1_500, Verdict::Lead)
        );
        assert_eq!(waits(|_| look(Some((OTHER, 1, 9)), true)), (3_000, Verdict::End));
        // It was killed after a second.
        let killed = waits(|millis| look(Some((OTHER, 1, millis.min(1_000))), millis < 1_000));
        assert_eq!(killed, (2_500, Verdict::Lead));
    }

    #[test]
    fn another_that_takes_the_lead_begins_anew() {
        let mut succession = Succession::default();
        let after = Span::from_millis;
        assert_eq!(
            succession.judge(THIS, look(Some((OTHER, 1, 9)), false), after(0)),
            Verdict::Wait
        );
        let third = look(Some((3, 1, 0)), false);
        assert_eq!(succession.judge(THIS, third, after(2_000)), Verdict::Wait);
        assert_eq!(succession.judge(THIS, third, after(3_000)), Verdict::Wait);
        assert_eq!(succession.judge(THIS, third, after(3_500)), Verdict::Lead);
    }

    #[test]
    fn what_was_seen_before_a_cut_says_nothing() {
        let mut succession = Succession::default();
        let seen = look(Some((OTHER, 1, 9)), false);
        assert_eq!(succession.judge(THIS, seen, Span::from_millis(0)), Verdict::Wait);
        succession.forget();
        let later = Span::from_secs(60);
        assert_eq!(succession.judge(THIS, seen, later), Verdict::Wait);
    }
}
