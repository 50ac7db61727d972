//! How long the ledger's commits took, and how many shares were in one, as the pool itself counts them.

use std::net::SocketAddr;

use crate::Error;
use crate::client::Client;

/// The figure of how long commits take, in seconds.
const TOOK: &str = "dwarves_commit_seconds";
/// The figure of how much is in one.
const SIZE: &str = "dwarves_commit_writes";

/// The figures of the pool that serves HTTP here.
pub(crate) async fn figures(http: SocketAddr) -> Result<String, Error> {
    let mut client = Client::connect(http).await?;
    let answer = client.request("GET", "/metrics", "", b"").await?;
    match answer.status {
        200 => Ok(answer.body.to_owned()),
        status => Err(format!("GET /metrics: {status}").into()),
    }
}

/// What a pool had counted at some moment.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    /// Commits that took at most so many seconds, in order.
    within: Vec<(f64, f64)>,
    count: f64,
    writes: f64,
}

impl Commits {
    /// Asks the pool that serves HTTP here.
    ///
    /// # Errors
    /// If it does not answer with such figures.
    pub(crate) async fn read(http: SocketAddr) -> Result<Self, Error> {
        let known = Self::parse(&figures(http).await?);
        match known.within.is_empty() {
            false => Ok(known),
            true => Err(format!("GET /metrics says nothing of {TOOK}").into()),
        }
    }

    fn parse(text: &str) -> Self {
        let mut known = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let Ok(value) = value.parse::<f64>() else {
                continue;
            };
            let bucket = name.strip_prefix(TOOK).and_then(|rest| {
                let edge = rest.strip_prefix("_bucket{le=\"")?.strip_suffix("\"}")?;
                edge.parse().ok()
            });
            if let Some(edge) = bucket {
                known.within.push((edge, value));
            } else if name.strip_prefix(TOOK) == Some("_count") {
                known.count = value;
            } else if name.strip_prefix(SIZE) == Some("_sum") {
                known.writes = value;
            }
        }
        known
    }

    /// The median of the commits since then, in milliseconds: between the edges of the histogram it is taken to lie
    /// where it would if all between them were spread evenly.
    pub(crate) fn median_ms_since(&self, before: &Self) -> f64 {
        let half = (self.count - before.count) / 2.0;
        let (mut least, mut below) = (0.0, 0.0);
        for (place, (edge, count)) in self.within.iter().enumerate() {
            let count = count - before.within.get(place).map_or(0.0, |(_, count)| *count);
            if half > 0.0 && count >= half {
                return (least + (edge - least) * (half - below) / (count - below)) * 1_000.0;
            }
            (least, below) = (*edge, count);
        }
        f64::NAN
    }

    /// Shares and other writes in a commit since then.
    pub(crate) fn size_since(&self, before: &Self) -> f64 {
        (self.writes - before.writes) / (self.count - before.count)
    }
}
