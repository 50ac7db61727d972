//! What is measured of a front that stands by, for Prometheus.

use dwarves_ports::fronts::Fronts;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Which listener; one of the settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    listener: String,
}

/// How a page of OpenMetrics ends.
const END: &str = "# EOF\n";

/// The figures.
pub(super) struct Figures {
    registry: Registry,
    open: Family<Of, Gauge>,
    passed: Family<Of, Counter>,
    refused: Family<Of, Counter>,
    leads: Gauge,
    live: Gauge,
    leader_live: Gauge,
    linked: Gauge,
}

/// A connection that is passed on, for as long as it is kept.
pub(super) struct Counted(Gauge);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Figures {
    /// Those of listeners with these names.
    pub(super) fn new(listeners: impl Iterator<Item = String>) -> Self {
        let figures = Self {
            registry: Registry::default(),
            open: Family::default(),
            passed: Family::default(),
            refused: Family::default(),
            leads: Gauge::default(),
            live: Gauge::default(),
            leader_live: Gauge::default(),
            linked: Gauge::default(),
        };
        for listener in listeners {
            let of = Of { listener };
            drop(figures.open.get_or_create(&of));
            drop(figures.passed.get_or_create(&of));
            drop(figures.refused.get_or_create(&of));
        }
        figures.registered()
    }

    /// Notes whether there is a link.
    pub(super) fn set_linked(&self, is_linked: bool) {
        self.linked.set(i64::from(is_linked));
    }

    fn registered(mut self) -> Self {
        let mut registry = Registry::with_prefix("dwarves");
        registry.register(
            "relayed_connections",
            "Connections that are passed on to the front that leads",
            self.open.clone(),
        );
        registry.register(
            "relayed",
            "Connections that were passed on to the front that leads",
            self.passed.clone(),
        );
        registry.register(
            "relay_refused",
            "Connections that could not be passed on, because no front led or it could not be reached",
            self.refused.clone(),
        );
        registry.register(
            "front_linked",
            "Whether miners on Stratum are served by this front, which has a link with the one that leads",
            self.linked.clone(),
        );
        registry.register("front_leads", "Whether this front leads", self.leads.clone());
        registry.register("fronts_live", "Fronts that are there", self.live.clone());
        registry.register(
            "front_leader_live",
            "Whether a front leads and is there",
            self.leader_live.clone(),
        );
        self.registry = registry;
        self
    }

    /// A connection is passed on.
    pub(super) fn passed(&self, listener: &str) -> Counted {
        let of = Of {
            listener: listener.to_owned(),
        };
        self.passed.get_or_create(&of).inc();
        let open = self.open.get_or_create(&of).clone();
        open.inc();
        Counted(open)
    }

    /// A connection cannot be passed on.
    pub(super) fn refused(&self, listener: &str) {
        let of = Of {
            listener: listener.to_owned(),
        };
        self.refused.get_or_create(&of).inc();
    }

    /// All of them, and behind them a page of others.
    pub(super) fn text(&self, fronts: &Fronts, more: &str) -> String {
        self.leads.set(i64::from(fronts.leads()));
        self.live.set(i64::try_from(fronts.live()).unwrap_or(i64::MAX));
        self.leader_live.set(i64::from(fronts.is_led()));
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            // There is one end of all.
            Ok(()) => [text.trim_end_matches(END), more].concat(),
            // A string takes whatever is written to it.
            Err(_) => String::new(),
        }
    }
}
