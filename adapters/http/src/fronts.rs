//! The fronts that share the ledger, as operators see them.

use std::collections::BTreeSet;

use dwarves_api_types::operator::FrontState;
use dwarves_api_types::scalars::Instant;
use dwarves_domain::ids::FrontNumber;
use dwarves_ports::fronts::{FrontRow, Fronts};

use super::state::HttpState;

/// The fronts as they were seen last; none if the ledger is a file.
pub fn seen(state: &HttpState) -> Fronts {
    let fronts = state.deps().fronts.as_ref();
    fronts.map_or_else(Fronts::default, |fronts| fronts.borrow().clone())
}

/// The fronts that have a link with this one, so that they serve miners, too.
pub fn linked(state: &HttpState) -> BTreeSet<FrontNumber> {
    let linked = state.deps().linked.as_ref();
    linked.map_or_else(BTreeSet::new, |linked| linked.borrow().clone())
}

/// What to say of fronts that are gone without a word.
pub fn hindrances(fronts: &Fronts) -> Vec<String> {
    let silent = fronts.all.iter().filter(|front| !front.lives());
    silent
        .map(|front| {
            let secs = front.silent.secs();
            format!(
                "front_silent: {} (front {}) has said nothing for {secs} s",
                front.name, front.number
            )
        })
        .collect()
}

/// A front for whoever may see it.
pub fn state(front: &FrontRow, linked: &BTreeSet<FrontNumber>) -> FrontState {
    FrontState {
        number: front.number.get(),
        name: front.name.clone(),
        leads: front.leads,
        lives: front.lives(),
        linked: linked.contains(&front.number),
        silent_ms: front.silent.millis(),
        since: Instant(front.since),
        version: front.version.clone(),
        listeners: front.places.iter().cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use dwarves_domain::time::{Span, Timestamp};

    use super::*;

    fn front(number: u32, silent: Span) -> FrontRow {
        FrontRow {
            number: FrontNumber::new(number),
            name: format!("front-{number}"),
            places: vec![("http".to_owned(), "10.0.0.1:8080".to_owned())],
            version: "0.3.0".to_owned(),
            since: Timestamp::from_secs(5),
            silent,
            leads: number == 1,
        }
    }

    #[test]
    fn who_is_silent_is_named() {
        let fronts = Fronts {
            this: FrontNumber::new(1),
            all: vec![front(1, Span::from_millis(400)), front(2, Span::from_secs(42))],
            epoch: 3,
            unreached: None,
        };
        assert_eq!(
            hindrances(&fronts),
            ["front_silent: front-2 (front 2) has said nothing for 42 s"]
        );
        assert_eq!(crate::remedies::of(&hindrances(&fronts)[0]).name, "front_silent");
        let shown = state(&fronts.all[1], &[FrontNumber::new(2)].into());
        assert!(!shown.lives && !shown.leads && shown.linked && shown.silent_ms == 42_000);
        assert_eq!(shown.listeners["http"], "10.0.0.1:8080");
    }
}
