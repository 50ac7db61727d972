//! The fronts that share the ledger, as operators see them.

use dwarves_api_types::operator::FrontState;
use dwarves_api_types::scalars::Instant;
use dwarves_ports::clock::Moment;
use dwarves_ports::fronts::{FrontRow, Fronts, Links};

use super::state::HttpState;

/// The fronts as they were seen last; none if the ledger is a file.
pub fn seen(state: &HttpState) -> Fronts {
    let fronts = state.deps().fronts.as_ref();
    fronts.map_or_else(Fronts::default, |fronts| fronts.borrow().clone())
}

/// Their links with this one.
pub fn links(state: &HttpState) -> Links {
    let links = state.deps().links.as_ref();
    links.map_or_else(Links::default, |links| links.borrow().clone())
}

/// All that hinders the pool: what its own actors say, and what is so of its fronts.
pub fn all_hindrances(state: &HttpState, of_the_pool: Vec<String>) -> Vec<String> {
    let mut all = of_the_pool;
    all.extend(hindrances(&seen(state), &links(state), Moment::now()));
    all
}

/// What to say of fronts that are gone without a word, and of those that have had no link for too long.
fn hindrances(fronts: &Fronts, links: &Links, now: Moment) -> Vec<String> {
    let silent = fronts.all.iter().filter(|front| !front.lives()).map(|front| {
        let secs = front.silent.secs();
        format!(
            "front_silent: {} (front {}) has said nothing for {secs} s",
            front.name, front.number
        )
    });
    let leader = fronts.leader();
    let why = match leader.is_some_and(FrontRow::takes_links) {
        true => "",
        false => ", because the front that leads has no front.listen",
    };
    let unlinked = fronts.all.iter().filter_map(|front| {
        let missed = now.since(*links.missing.get(&front.number)?);
        let (name, number, secs) = (&front.name, front.number, missed.secs());
        (missed >= Links::MISSING_MAX).then(|| {
            format!(
                "front_unlinked: {name} (front {number}) has had no link for {secs} s{why}: it passes its miners on"
            )
        })
    });
    silent.chain(unlinked).collect()
}

/// A front for whoever may see it.
pub fn state(front: &FrontRow, links: &Links, now: Moment) -> FrontState {
    let missing = links.missing.get(&front.number);
    FrontState {
        number: front.number.get(),
        name: front.name.clone(),
        leads: front.leads,
        lives: front.lives(),
        linked: links.linked.contains(&front.number),
        unlinked_ms: missing.map(|since| now.since(*since).millis()),
        silent_ms: front.silent.millis(),
        since: Instant(front.since),
        version: front.version.clone(),
        listeners: front.places.iter().cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use dwarves_domain::ids::FrontNumber;
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

    fn seen(all: Vec<FrontRow>) -> Fronts {
        Fronts {
            this: FrontNumber::new(1),
            all,
            epoch: 3,
            unreached: None,
        }
    }

    #[test]
    fn who_is_silent_is_named() {
        let fronts = seen(vec![
            front(1, Span::from_millis(400)),
            front(2, Span::from_secs(42)),
        ]);
        let links = Links {
            linked: [FrontNumber::new(2)].into(),
            ..Links::default()
        };
        let said = hindrances(&fronts, &links, Moment::now());
        assert_eq!(
            said,
            ["front_silent: front-2 (front 2) has said nothing for 42 s"]
        );
        assert_eq!(crate::remedies::of(&said[0]).name, "front_silent");
        let shown = state(&fronts.all[1], &links, Moment::now());
        assert!(!shown.lives && !shown.leads && shown.linked && shown.silent_ms == 42_000);
        assert_eq!(
            (shown.unlinked_ms, &*shown.listeners["http"]),
            (None, "10.0.0.1:8080")
        );
    }

    #[test]
    fn who_has_had_no_link_for_too_long_is_named() {
        let lives = Span::from_millis(400);
        let mut fronts = seen(vec![front(1, lives), front(2, lives), front(3, lives)]);
        fronts.all[0]
            .places
            .push((FrontRow::LINKS.to_owned(), "10.0.0.1:3400".to_owned()));
        let now = Moment::now();
        let long = Span::from_secs(75);
        let links = Links {
            missing: [(2, long), (3, Span::from_secs(59))]
                .map(|(number, span)| (FrontNumber::new(number), now.minus(span)))
                .into(),
            ..Links::default()
        };
        let said = hindrances(&fronts, &links, now);
        assert_eq!(
            said,
            ["front_unlinked: front-2 (front 2) has had no link for 75 s: it passes its miners on"]
        );
        assert_eq!(crate::remedies::of(&said[0]).name, "front_unlinked");
        let shown = state(&fronts.all[1], &links, now);
        assert_eq!((shown.linked, shown.unlinked_ms), (false, Some(75_000)));
        fronts.all[0].places.clear();
        assert!(hindrances(&fronts, &links, now)[0].contains("the front that leads has no front.listen"));
    }
}
