//! A page of figures, and how it is written: names, kinds and values here, the two formats in `prometheus-client`.

use dwarves_actors::meter::histogram::HistogramView;
use dwarves_domain::units::Amount;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, prometheus_text, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

/// What only grows, what goes both ways, or counts by size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A number as it is written: whole ones without a fraction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Figure {
    Whole(i64),
    Real(f64),
}

macro_rules! whole {
    ($($type:ty),+) => {
        $(impl From<$type> for Figure {
            fn from(number: $type) -> Self {
                // Beyond what anybody counts or owns.
                Self::Whole(i64::try_from(number).unwrap_or(i64::MAX))
            }
        })+
    };
}
whole!(u8, u32, u64, usize, i64, i128);

impl From<f64> for Figure {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl From<Amount> for Figure {
    fn from(amount: Amount) -> Self {
        amount.sats().into()
    }
}

/// Names of labels are the program's own; values may be anything, and are escaped where they are written.
pub(super) type Labels = Vec<(&'static str, String)>;

#[derive(Debug)]
enum Value {
    Figure(Figure),
    Histogram(HistogramView),
}

/// A figure with all its values.
#[derive(Debug)]
struct Family {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    values: Vec<(Labels, Value)>,
}

/// A page of figures in the making.
#[derive(Debug, Default)]
pub(super) struct Page(Vec<Family>);

/// The formats that Prometheus and its kin read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The text format of Prometheus, version 0.0.4.
    Text,
}

impl Format {
    /// The media type of the format.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => prometheus_text::CONTENT_TYPE,
        }
    }

    /// What whoever sent this `Accept` reads best: OpenMetrics if it is named and not less wanted than plain text.
    pub(super) fn accepted(accept: Option<&str>) -> Self {
        let (mut open_metrics, mut plain) = (0.0, 0.0);
        for part in accept.unwrap_or_default().split(',') {
            let mut parameters = part.split(';').map(str::trim);
            let media = parameters.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parameters
                .find_map(|parameter| parameter.strip_prefix("q="))
                .map_or(1.0, |quality| quality.parse::<f32>().unwrap_or(0.0));
            match media.as_str() {
                "application/openmetrics-text" => open_metrics = quality.max(open_metrics),
                "text/plain" => plain = quality.max(plain),
                _ => {}
            }
        }
        if open_metrics > 0.0 && open_metrics >= plain {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }
}

impl Page {
    /// Begins a figure.
    pub(super) fn begin(&mut self, name: &'static str, kind: Kind, help: &'static str) {
        let values = Vec::new();
        self.0.push(Family {
            name,
            kind,
            help,
            values,
        });
    }

    /// One more value of the figure that was begun last.
    pub(super) fn value(&mut self, labels: &[(&'static str, &str)], value: impl Into<Figure>) {
        self.add(labels, Value::Figure(value.into()));
    }

    fn add(&mut self, labels: &[(&'static str, &str)], value: Value) {
        let labels = labels.iter().map(|(name, text)| (*name, (*text).to_owned()));
        if let Some(family) = self.0.last_mut() {
            family.values.push((labels.collect(), value));
        }
    }

    pub(super) fn counter(&mut self, name: &'static str, help: &'static str, value: impl Into<Figure>) {
        self.begin(name, Kind::Counter, help);
        self.value(&[], value);
    }

    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str, value: impl Into<Figure>) {
        self.begin(name, Kind::Gauge, help);
        self.value(&[], value);
    }

    pub(super) fn flag(&mut self, name: &'static str, help: &'static str, is_set: bool) {
        self.gauge(name, help, u8::from(is_set));
    }

    /// One more histogram of the figure that was begun last.
    pub(super) fn histogram_of(&mut self, labels: &[(&'static str, &str)], view: HistogramView) {
        self.add(labels, Value::Histogram(view));
    }

    pub(super) fn histogram(&mut self, name: &'static str, help: &'static str, view: HistogramView) {
        self.begin(name, Kind::Histogram, help);
        self.histogram_of(&[], view);
    }

    /// The page in this format.
    pub(super) fn write(self, format: Format) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut out = String::new();
        let written = match format {
            Format::OpenMetrics => text::encode(&mut out, &registry),
            Format::Text => prometheus_text::encode(&mut out, &registry),
        };
        written.expect("a String takes any text");
        out
    }
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.0.iter().try_for_each(|family| family.encode(&mut encoder))
    }
}

impl Family {
    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let kind = match self.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Histogram => MetricType::Histogram,
        };
        // The encoder writes what ends the name of every counter by itself.
        let name = match self.kind {
            Kind::Counter => self.name.strip_suffix("_total").unwrap_or(self.name),
            _ => self.name,
        };
        let mut family = encoder.encode_descriptor(name, self.help, None, kind)?;
        for (labels, value) in &self.values {
            if labels.is_empty() {
                value.encode(self.kind, &mut family)?;
            } else {
                value.encode(self.kind, &mut family.encode_family(labels)?)?;
            }
        }
        Ok(())
    }
}

impl Value {
    fn encode(&self, kind: Kind, encoder: &mut MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        match (kind, self) {
            (_, Self::Histogram(view)) => {
                encoder.encode_histogram::<Labels>(view.sum, view.count, &view.buckets, None)
            }
            (Kind::Counter, Self::Figure(Figure::Whole(number))) => {
                encoder.encode_counter::<Labels, _, u64>(&number.unsigned_abs(), None)
            }
            (Kind::Counter, Self::Figure(Figure::Real(number))) => {
                encoder.encode_counter::<Labels, _, f64>(number, None)
            }
            (_, Self::Figure(Figure::Whole(number))) => encoder.encode_gauge(number),
            (_, Self::Figure(Figure::Real(number))) => encoder.encode_gauge(number),
        }
    }
}
