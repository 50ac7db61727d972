//! Figures of the fronts that share the ledger.

use dwarves_ports::fronts::{Fronts, Links};

use super::page::{Kind, Page};

impl Page {
    /// They are those that a front which stands by gives of itself, and how many are missed.
    pub(super) fn fronts(&mut self, fronts: &Fronts, links: &Links) {
        let live = fronts.live();
        self.flag("dwarves_front_leads", "Whether this front leads.", fronts.leads());
        self.flag(
            "dwarves_front_leader_live",
            "Whether a front leads and is there.",
            fronts.is_led(),
        );
        self.gauge("dwarves_fronts_live", "Fronts that are there.", live);
        let help = "Fronts that have a link with this one, so that they serve miners on Stratum.";
        self.gauge("dwarves_fronts_linked", help, links.linked.len());
        let help =
            "Fronts that should have a link with this one and have none, so that their miners are passed on.";
        self.gauge("dwarves_fronts_unlinked", help, links.missing.len());
        let help = "How long a front has said nothing; from 3 s on it is taken for gone.";
        self.begin("dwarves_front_silent_seconds", Kind::Gauge, help);
        for front in &fronts.all {
            let secs = front.silent.millis() as f64 / 1_000.0;
            self.value(&[("front", &front.name)], secs);
        }
        let help =
            "Fronts that are gone without a word: they said nothing for 3 s, and did not stop in order.";
        self.gauge("dwarves_fronts_silent", help, fronts.all.len() - live);
    }
}
