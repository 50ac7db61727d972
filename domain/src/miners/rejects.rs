//! When many refused requests are too many: a ladder, climbed by ratio and never for a single refusal.
//!
//! Requests are counted in windows. A window with too many refusals climbs one rung: first the miner gets new
//! work, in case it is lost; then it is asked to connect again; then it is put out. A window that is good
//! enough begins at the bottom again. Each worker of a session has a ladder of its own, and there is one for what
//! belongs to no worker: one broken rig behind a proxy is put out, and the proxy stays. Over HTTP there is no session to
//! tell work or to end: there the top rung keeps the worker out ([`super::rigs`]). (Whoever is put out again and
//! again is kept out for a while: that is the gate's to do, which sees more than one session.)

use crate::time::Span;

/// When a window is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests of a window.
    pub window: u16,
    /// The most of them that may be refused, in percent.
    pub percent_max: u16,
    /// For how long a worker is kept out of a session that goes on for others.
    pub keep_out: Span,
}

/// What is done about a bad window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// Tell the work again.
    NewWork,
    /// Ask to connect again.
    Reconnect,
    /// Put it out.
    Disconnect,
}

/// The requests of the present window.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rejects {
    judged: u16,
    refused: u16,
    bad_windows: u8,
}

impl Rejects {
    /// Notes a request.
    pub fn note(&mut self, is_refused: bool) {
        self.note_many(u16::from(!is_refused), u16::from(is_refused));
    }

    /// Notes requests that came together.
    pub fn note_many(&mut self, right: u16, refused: u16) {
        self.judged = self.judged.saturating_add(right).saturating_add(refused);
        self.refused = self.refused.saturating_add(refused);
    }

    /// Whether no window was bad since the last good one.
    pub fn is_in_good_standing(&self) -> bool {
        self.bad_windows == 0
    }

    /// Ends the window if it is full, and says what is to be done if it was bad.
    pub fn take_rung(&mut self, limits: &Limits) -> Option<Rung> {
        if self.judged < limits.window {
            return None;
        }
        let is_bad = u32::from(self.refused) * 100 > u32::from(self.judged) * u32::from(limits.percent_max);
        (self.judged, self.refused) = (0, 0);
        if !is_bad {
            self.bad_windows = 0;
            return None;
        }
        self.bad_windows = self.bad_windows.saturating_add(1);
        Some(match self.bad_windows {
            1 => Rung::NewWork,
            2 => Rung::Reconnect,
            _ => Rung::Disconnect,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        window: 100,
        percent_max: 50,
        keep_out: Span::from_secs(60),
    };

    fn window(rejects: &mut Rejects, refused: u16) -> Option<Rung> {
        let mut rung = None;
        for n in 0..LIMITS.window {
            rejects.note(n < refused);
            rung = rung.or(rejects.take_rung(&LIMITS));
        }
        rung
    }

    #[test]
    fn a_few_refusals_do_nothing_and_many_climb_the_ladder() {
        let mut rejects = Rejects::default();
        assert_eq!(window(&mut rejects, 50), None);
        assert_eq!(window(&mut rejects, 51), Some(Rung::NewWork));
        assert_eq!(window(&mut rejects, 100), Some(Rung::Reconnect));
        assert_eq!(window(&mut rejects, 100), Some(Rung::Disconnect));
    }

    #[test]
    fn a_good_window_forgives() {
        let mut rejects = Rejects::default();
        assert_eq!(window(&mut rejects, 100), Some(Rung::NewWork));
        assert_eq!(window(&mut rejects, 0), None);
        assert_eq!(window(&mut rejects, 100), Some(Rung::NewWork));
    }

    #[test]
    fn a_window_is_judged_as_soon_as_it_is_full_and_not_before() {
        for (right, refused, expected) in [
            (0, 98, None),
            (0, 99, None),
            (0, 100, Some(Rung::NewWork)),
            (50, 50, None),
            (49, 51, Some(Rung::NewWork)),
            // Those that came together may be more than fit; they are judged together.
            (60, 60, None),
            (0, u16::MAX, Some(Rung::NewWork)),
        ] {
            let mut rejects = Rejects::default();
            rejects.note_many(right, refused);
            assert_eq!(rejects.take_rung(&LIMITS), expected, "{right} and {refused}");
        }
    }

    #[test]
    fn good_standing_ends_with_a_bad_window_and_comes_back_with_a_good_one() {
        let mut rejects = Rejects::default();
        assert!(rejects.is_in_good_standing());
        rejects.note_many(0, 99);
        assert_eq!(rejects.take_rung(&LIMITS), None);
        assert!(rejects.is_in_good_standing(), "the window is not full");
        rejects.note(true);
        assert_eq!(rejects.take_rung(&LIMITS), Some(Rung::NewWork));
        assert!(!rejects.is_in_good_standing());
        rejects.note_many(100, 0);
        assert_eq!(rejects.take_rung(&LIMITS), None);
        assert!(rejects.is_in_good_standing());
    }

    #[test]
    fn one_refused_request_is_never_enough() {
        let mut rejects = Rejects::default();
        rejects.note(true);
        assert_eq!(rejects.take_rung(&LIMITS), None);
    }
}
