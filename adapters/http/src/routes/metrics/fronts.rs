//! Figures of the fronts that share the ledger.

use dwarves_ports::fronts::Fronts;

use super::page::Page;

impl Page {
    /// They are those that a front which stands by gives of itself, and how many are missed.
    pub(super) fn fronts(&mut self, fronts: &Fronts, linked: usize) {
        let live = fronts.live();
        self.flag("dwarves_front_leads", "Whether this front leads.", fronts.leads());
        self.flag(
            "dwarves_front_leader_live",
            "Whether a front leads and is there.",
            fronts.is_led(),
        );
        self.gauge("dwarves_fronts_live", "Fronts that are there.", live);
        let help = "Fronts that have a link with this one, so that they serve miners on Stratum.";
        self.gauge("dwarves_fronts_linked", help, linked);
        let help =
            "Fronts that are gone without a word: they said nothing for 3 s, and did not stop in order.";
        self.gauge("dwarves_fronts_silent", help, fronts.all.len() - live);
    }
}
