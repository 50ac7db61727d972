//! Figures of what is measured while the pool works: how long things take, how much waits.

use dwarves_actors::gate::GateView;
use dwarves_actors::meter::{self, actors};
use dwarves_actors::paymaster::messages::PayoutsView;
use dwarves_actors::work_manager::messages::WorkView;
use dwarves_domain::payouts::PayoutState;
use dwarves_domain::time::Timestamp;
use dwarves_ports::chain::Standing;

use super::page::{Kind, Page};

/// The states in which a payout is under way.
const OPEN: [PayoutState; 3] = [PayoutState::Reserved, PayoutState::Signed, PayoutState::Broadcast];

impl Page {
    /// How long shares take, and what was given out.
    pub(super) fn served(&mut self) {
        let name = "dwarves_acknowledgement_seconds";
        let help = "How long shares waited for their verdicts, from the request's handling to its answer, by protocol.";
        self.begin(name, Kind::Histogram, help);
        self.histogram_of(&[("protocol", "http")], meter::ACKNOWLEDGED_HTTP.view());
        self.histogram_of(&[("protocol", "stratum")], meter::ACKNOWLEDGED_STRATUM.view());
        let name = "dwarves_jobs_total";
        self.begin(
            name,
            Kind::Counter,
            "Jobs that were given out, since the start, by protocol.",
        );
        self.value(&[("protocol", "http")], meter::JOBS_HTTP.count());
        self.value(&[("protocol", "stratum")], meter::JOBS_STRATUM.count());
    }

    /// How long commits and rounds take.
    pub(super) fn flow(&mut self) {
        let help = "How long the store took for a commit, the disk's flush included.";
        self.histogram("dwarves_commit_seconds", help, meter::COMMITTED.view());
        let help = "How many shares and other writes shared a commit.";
        self.histogram("dwarves_commit_writes", help, meter::COMMIT_SIZE.view());
        let help = "How long a round took from the reading of its input to its commit.";
        self.histogram("dwarves_round_duration_seconds", help, meter::ROUND_CLOSED.view());
        let help = "How long after it was due a round was in the ledger.";
        self.histogram("dwarves_round_lag_seconds", help, meter::ROUND_LAG.view());
    }

    /// What each kind of actor does.
    pub(super) fn actors(&mut self) {
        let name = "dwarves_actor_handling_seconds";
        let help = "How long a question kept the thread of the actor that was asked.";
        self.begin(name, Kind::Histogram, help);
        for meter in actors::all() {
            self.histogram_of(&[("actor", meter.name())], meter.handling());
        }
        let name = "dwarves_actor_mailbox";
        let help = "Questions that wait for an actor or are being dealt with.";
        self.begin(name, Kind::Gauge, help);
        for meter in actors::all() {
            self.value(&[("actor", meter.name())], meter.waiting());
        }
        let name = "dwarves_actor_mailbox_max";
        self.begin(
            name,
            Kind::Gauge,
            "How many messages an actor's mailbox takes; what is beyond is answered busy.",
        );
        for meter in actors::all() {
            self.value(&[("actor", meter.name())], meter.room());
        }
        let name = "dwarves_actor_refused_total";
        let help = "Messages that were turned away because an actor's mailbox was full, since the start.";
        self.begin(name, Kind::Counter, help);
        for meter in actors::all() {
            self.value(&[("actor", meter.name())], meter.refused());
        }
    }

    /// Open connections of each listener.
    pub(super) fn connections(&mut self, gate: Option<&GateView>) {
        let name = "dwarves_connections";
        self.begin(name, Kind::Gauge, "Open connections by protocol and listener.");
        self.value(
            &[("protocol", "http"), ("listener", "http")],
            meter::CONNECTIONS_HTTP.now(),
        );
        for (address, connections) in gate.iter().flat_map(|gate| &gate.listeners) {
            let labels = [("protocol", "stratum"), ("listener", &*address.to_string())];
            self.value(&labels, *connections);
        }
    }

    /// The template that jobs are made of, and what the nodes say.
    pub(super) fn work(&mut self, view: &WorkView, now: Timestamp) {
        let current = view.work.current.as_ref();
        let age = current.map_or(f64::NAN, |template| {
            now.since(template.received_at()).millis() as f64 / 1_000.0
        });
        let help = "Age of the template that jobs are made of; NaN if there is none.";
        self.gauge("dwarves_template_age_seconds", help, age);
        let height = current.map_or(f64::NAN, |template| f64::from(template.chain().height));
        let help = "Height of the block that is being mined; NaN if there is no template.";
        self.gauge("dwarves_template_height", help, height);
        self.nodes(&view.standing);
    }

    fn nodes(&mut self, standing: &Standing) {
        let name = "dwarves_node_up";
        self.begin(
            name,
            Kind::Gauge,
            "Whether a node told its height when it was asked last; none on the devnet.",
        );
        for node in &standing.nodes {
            self.value(&[("node", &node.name)], u8::from(node.height.is_some()));
        }
        let name = "dwarves_node_height";
        self.begin(
            name,
            Kind::Gauge,
            "The height of a node's tip; NaN if it did not tell.",
        );
        for node in &standing.nodes {
            self.value(&[("node", &node.name)], node.height.map_or(f64::NAN, f64::from));
        }
    }

    /// Payouts that are under way.
    pub(super) fn payouts_under_way(&mut self, view: &PayoutsView, now: Timestamp) {
        let of = |state| view.open.iter().filter(move |payout| payout.state == state);
        let name = "dwarves_payouts";
        self.begin(name, Kind::Gauge, "Payouts under way by state.");
        for state in OPEN {
            self.value(&[("state", state.name())], of(state).count());
        }
        let name = "dwarves_payout_oldest_seconds";
        self.begin(
            name,
            Kind::Gauge,
            "For how long the oldest payout of a state has been under way; 0 if there is none.",
        );
        for state in OPEN {
            let oldest = of(state).map(|payout| now.since(payout.reserved_at)).max();
            let secs = oldest.map_or(0.0, |age| age.millis() as f64 / 1_000.0);
            self.value(&[("state", state.name())], secs);
        }
    }
}
