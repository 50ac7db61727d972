//! The text format: a figure's name, what kind it is, and its values.

use std::fmt::Write;

/// What only grows, or what goes both ways.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

/// A page of figures in the making.
#[derive(Default)]
pub(super) struct Page(pub(super) String);

impl Page {
    /// Begins a figure. Names and texts are the program's own, so nothing in them needs to be escaped.
    pub(super) fn begin(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let head = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        head.expect("a String takes any text");
    }

    pub(super) fn value(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        writeln!(self.0, "{name}{labels} {value}").expect("a String takes any text");
    }

    pub(super) fn counter(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.begin(name, Kind::Counter, help);
        self.value(name, "", value);
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.begin(name, Kind::Gauge, help);
        self.value(name, "", value);
    }

    pub(super) fn flag(&mut self, name: &str, help: &str, is_set: bool) {
        self.gauge(name, help, u8::from(is_set));
    }
}

/// A float as the format writes it.
pub(super) struct Figure(pub(super) f64);

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Rust writes NaN as the format does, and no infinite value is ever shown.
        write!(f, "{}", self.0)
    }
}
