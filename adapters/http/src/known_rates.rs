//! How fast the pool and its miners work, as it was found out.

use std::collections::HashMap;

use dwarves_api_types::rates::WindowHashrate;
use dwarves_domain::ids::WorkerName;

/// How fast the pool works.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolRates {
    /// Its hashrates over each time.
    pub hashrates: Vec<WindowHashrate>,
    /// Accepted shares a second over the shortest of them.
    pub share_rate: f64,
}

/// How fast a miner works.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MinerRates {
    /// Its hashrates over each time.
    pub hashrates: Vec<WindowHashrate>,
    /// Those of its workers that ever had a share accepted.
    pub workers: HashMap<WorkerName, Vec<WindowHashrate>>,
}
