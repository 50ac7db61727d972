//! The processes that share one ledger (fronts): which there are, and which of them leads.
//!
//! One front leads: it gives out work, judges, writes the ledger, closes rounds and pays. The others stand by: they pass
//! on to it whoever comes to them, and one of them leads when it is gone.

use dwarves_domain::ids::FrontNumber;
use dwarves_domain::time::{Span, Timestamp};

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

    /// Whether it is there.
    pub fn lives(&self) -> bool {
        self.silent <= Self::SILENT_MAX
    }

    /// Where the listener of this setting is reached.
    pub fn place(&self, setting: &str) -> Option<&str> {
        let found = self.places.iter().find(|(known, _)| known == setting);
        found.map(|(_, place)| place.as_str())
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
