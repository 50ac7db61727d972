//! What processes take that do one work together: pools, and a database server with all that it starts.

use std::time::Duration;

use crate::{Error, proc};

/// Ticks of `/proc/PID/stat` in a second, as in [`proc::cpu_time`].
const TICK: Duration = Duration::from_millis(10);

/// Processes that work together.
#[derive(Clone, Debug)]
pub(crate) struct Processes {
    pools: Vec<u32>,
    /// The server that their ledger is on, if it is one of this machine.
    database: Option<u32>,
}

impl From<u32> for Processes {
    fn from(pool: u32) -> Self {
        Self::new(vec![pool], None)
    }
}

impl Processes {
    /// These pools, and the server by its first process.
    pub(crate) fn new(pools: Vec<u32>, database: Option<u32>) -> Self {
        Self { pools, database }
    }

    /// CPU time so far of the pools, and of the server.
    pub(crate) fn cpu_times(&self) -> Result<[Duration; 2], Error> {
        let mut of_pools = Duration::ZERO;
        for pool in &self.pools {
            of_pools += proc::cpu_time(*pool)?;
        }
        let of_database = self.database.map(family_cpu_time).transpose()?;
        Ok([of_pools, of_database.unwrap_or_default()])
    }

    /// The most memory that the pools held, in bytes.
    pub(crate) fn peak_memory(&self) -> Result<u64, Error> {
        self.pools.iter().map(|pool| proc::peak_memory(*pool)).sum()
    }
}

/// CPU time of a process, of those that it started, and of those that it started and has seen the end of.
fn family_cpu_time(parent: u32) -> Result<Duration, Error> {
    let mut ticks = Stat::read(parent)?.ticks;
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(process) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // Who is gone by now is counted by its parent.
        if let Ok(stat) = Stat::read(process)
            && stat.parent == parent
        {
            ticks += stat.ticks;
        }
    }
    Ok(TICK * ticks)
}

/// What Linux says of a process.
struct Stat {
    parent: u32,
    /// Its own, and those of its children that it has seen the end of.
    ticks: u32,
}

impl Stat {
    fn read(process: u32) -> Result<Self, Error> {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
        // The name in parentheses may hold anything.
        let (_, fields) = stat.rsplit_once(')').ok_or("an unknown form of /proc/PID/stat")?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        let number = |at: usize| -> Result<u32, Error> {
            Ok(fields.get(at).ok_or("a short /proc/PID/stat")?.parse()?)
        };
        Ok(Self {
            parent: number(1)?,
            ticks: (11..15).map(number).sum::<Result<_, _>>()?,
        })
    }
}
