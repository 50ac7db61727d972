//! The processes that share one ledger (fronts): which there are, and which of them leads.
//!
//! One front leads: it gives out work, judges, writes the ledger, closes rounds and pays. The others stand by: they pass
//! on to it whoever comes to them, and one of them leads when it is gone.

use std::collections::{BTreeMap, BTreeSet};

use dwarves_domain::ids::FrontNumber;
use dwarves_domain::time::{Span, Timestamp};

use crate::clock::Moment;

/// A process that shares, or shared, the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontRow {
    /// Its number.
    pub number: FrontNumber,
    /// What its operator calls it (`front.name`). No two have one name.
    pub name: String,
    /// Where it listens, as the others reach it: settings, each with host and port.
    pub places: Vec<(String, String)>,
    /// Which version of the pool it runs.
    pub version: String,
    /// Since when it runs, by the database's clock.
    pub since: Timestamp,
    /// How long it has said nothing, by the database's clock.
    pub silent: Span,
    /// Whether it leads.
    pub leads: bool,
}

impl FrontRow {
    /// A front that was silent for so long is taken for gone.
    pub const SILENT_MAX: Span = Span::from_secs(3);
    /// The setting of the listener that takes links, by which other fronts find where it is.
    pub const LINKS: &str = "front";
    /// How the settings of listeners of Stratum begin.
    pub const STRATUM: &str = "stratum";

    /// Whether it is there.
    pub fn lives(&self) -> bool {
        self.silent <= Self::SILENT_MAX
    }

    /// Where the listener of this setting is reached.
    pub fn place(&self, setting: &str) -> Option<&str> {
        let found = self.places.iter().find(|(known, _)| known == setting);
        found.map(|(_, place)| place.as_str())
    }

    /// Whether links are taken there.
    pub fn takes_links(&self) -> bool {
        self.place(Self::LINKS).is_some()
    }

    /// Whether miners come to it on Stratum.
    pub fn serves_stratum(&self) -> bool {
        self.places
            .iter()
            .any(|(setting, _)| setting.starts_with(Self::STRATUM))
    }
}

/// All fronts, as one of them saw them last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fronts {
    /// Who looks.
    pub this: FrontNumber,
    /// Every front that was there in the last days, by number.
    pub all: Vec<FrontRow>,
    /// How often the lead was taken. Whoever led before writes nothing any more.
    pub epoch: u64,
    /// Why nobody knows what is true now, if the ledger could not be asked.
    pub unreached: Option<String>,
}

impl Fronts {
    /// The front that leads, if one does.
    pub fn leader(&self) -> Option<&FrontRow> {
        self.all.iter().find(|front| front.leads)
    }

    /// How many fronts are there.
    pub fn live(&self) -> usize {
        self.all.iter().filter(|front| front.lives()).count()
    }

    /// Whether a front leads and is there, as far as anybody knows.
    pub fn is_led(&self) -> bool {
        self.unreached.is_none() && self.leader().is_some_and(FrontRow::lives)
    }

    /// Whether the one that looks leads.
    pub fn leads(&self) -> bool {
        self.leader().is_some_and(|leader| leader.number == self.this)
    }

    /// What this one is called.
    pub fn name(&self) -> &str {
        let this = self.all.iter().find(|front| front.number == self.this);
        this.map_or("", |this| this.name.as_str())
    }
}

/// The links of the fronts that stand by with the one that leads, as that one sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// The fronts that have one, so that they serve miners on Stratum.
    pub linked: BTreeSet<FrontNumber>,
    /// Those that should have one and have none, each with since when.
    pub missing: BTreeMap<FrontNumber, Moment>,
}

impl Links {
    /// A front that has had no link for so long is a hindrance: one that starts, or is to be linked to the next front that
    /// leads, has one within seconds.
    pub const MISSING_MAX: Span = Span::from_secs(60);

    /// What is so now, if these fronts are seen, and these have a link. A front should have one while it is there, if
    /// miners come to it on Stratum, and if it or the one that leads takes links: then its operator wants them.
    #[must_use]
    pub fn next(&self, fronts: &Fronts, linked: &BTreeSet<FrontNumber>, now: Moment) -> Self {
        let leader = fronts.leader().filter(|_| fronts.leads());
        let missing = leader.into_iter().flat_map(|leader| {
            fronts.all.iter().filter(|front| {
                !front.leads
                    && front.lives()
                    && front.serves_stratum()
                    && (front.takes_links() || leader.takes_links())
                    && !linked.contains(&front.number)
            })
        });
        let since = |front: &FrontRow| self.missing.get(&front.number).copied().unwrap_or(now);
        Self {
            missing: missing.map(|front| (front.number, since(front))).collect(),
            linked: linked.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn front(number: u32, places: &[&str]) -> FrontRow {
        let place = |setting: &&str| ((*setting).to_owned(), "10.0.0.1:3400".to_owned());
        FrontRow {
            number: FrontNumber::new(number),
            name: format!("front-{number}"),
            places: places.iter().map(place).collect(),
            version: String::new(),
            since: Timestamp::EPOCH,
            silent: Span::from_millis(400),
            leads: number == 1,
        }
    }

    fn seen(all: Vec<FrontRow>) -> Fronts {
        Fronts {
            this: FrontNumber::new(1),
            all,
            epoch: 1,
            unreached: None,
        }
    }

    /// Who should have a link and has none, if nobody has one.
    fn missing(fronts: &Fronts) -> Vec<u32> {
        let links = Links::default().next(fronts, &BTreeSet::new(), Moment::now());
        links.missing.keys().map(|number| number.get()).collect()
    }

    #[test]
    fn who_should_have_a_link_is_missed() {
        let all = ["stratum", FrontRow::LINKS];
        assert_eq!(missing(&seen(vec![front(1, &all), front(2, &all)])), [2]);
        // Whichever of the two takes links, its operator wants them.
        assert_eq!(missing(&seen(vec![front(1, &["stratum"]), front(2, &all)])), [2]);
        assert_eq!(
            missing(&seen(vec![front(1, &all), front(2, &["http", "stratum_tls"])])),
            [2]
        );
        for none in [["stratum"].as_slice(), &["http"]] {
            assert_eq!(missing(&seen(vec![front(1, none), front(2, none)])), [0; 0]);
        }
        // Without Stratum there is nothing to serve there.
        let of_links = ["http", FrontRow::LINKS];
        assert_eq!(missing(&seen(vec![front(1, &all), front(2, &of_links)])), [0; 0]);
        // Who is gone is missed for that.
        let gone = FrontRow {
            silent: Span::from_secs(4),
            ..front(2, &all)
        };
        assert_eq!(missing(&seen(vec![front(1, &all), gone])), [0; 0]);
        // Links are with the front that leads.
        let standing_by = Fronts {
            this: FrontNumber::new(2),
            ..seen(vec![front(1, &all), front(2, &all), front(3, &all)])
        };
        assert_eq!(missing(&standing_by), [0; 0]);
    }

    #[test]
    fn it_is_missed_since_it_was_first_seen_without() {
        let all = ["stratum", FrontRow::LINKS];
        let fronts = seen(vec![front(1, &all), front(2, &all)]);
        let (two, none) = (FrontNumber::new(2), BTreeSet::new());
        let later = Moment::now();
        let first = later.minus(Span::from_millis(5));
        let links = Links::default().next(&fronts, &none, first);
        let links = links.next(&fronts, &none, later);
        assert_eq!(links.missing, [(two, first)].into());
        let links = links.next(&fronts, &[two].into(), later);
        assert_eq!((links.missing.len(), links.linked.contains(&two)), (0, true));
        // Then it begins anew.
        assert_eq!(links.next(&fronts, &none, later).missing, [(two, later)].into());
    }
}
