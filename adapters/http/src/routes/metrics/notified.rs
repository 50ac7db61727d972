//! What miners are told, in numbers: no label is a miner's.

use dwarves_actors::miner_notifier::messages::ToldView;

use super::page::{Kind, Page};

impl Page {
    /// Miners that are told things, what waits for them, and what became of it.
    pub(super) fn notified(&mut self, view: &ToldView) {
        let help = "Miners that want to be told something.";
        self.gauge("dwarves_miners_notified", help, view.miners);
        let help = "Notices that wait for miners' channels.";
        self.gauge("dwarves_miner_notices_waiting", help, view.waiting);
        let name = "dwarves_miner_notices_total";
        let help = "Notices to miners by kind, kind of channel and what became of them, since the start; each try that failed counts.";
        self.begin(name, Kind::Counter, help);
        for ((kind, channel, fate), count) in &view.counts {
            let labels = [
                ("kind", kind.name()),
                ("channel", *channel),
                ("outcome", fate.name()),
            ];
            self.value(&labels, *count);
        }
    }
}
