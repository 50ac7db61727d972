//! A running pool with the generator's miners, and the count of what it acknowledged to them.

use std::path::Path;

use dwarves_api_types::pool::Pool as PoolAnswer;

use crate::Error;
use crate::builds::Build;
use crate::client::Client;
use crate::server::Server;
use crate::shares::Miner;

/// A pool under load.
pub(crate) struct Pool {
    /// What it is called in the report.
    pub(crate) name: String,
    /// The process.
    pub(crate) server: Server,
    /// Its registered miners, one for each connection.
    pub(crate) miners: Vec<Miner>,
    /// The shares that it acknowledged, over all runs.
    pub(crate) acknowledged: u64,
    /// The sequence numbers that it gave out, if answers are read in full.
    pub(crate) sequences: Vec<u64>,
}

/// What a pool is started with.
pub(crate) struct PoolSpec<'a> {
    /// The build to start.
    pub(crate) build: Build,
    /// Where its data directory is made.
    pub(crate) parent: &'a Path,
    /// `durable` or `queued`.
    pub(crate) acknowledge: &'a str,
    /// How many miners to register.
    pub(crate) miners: usize,
    /// Whether answers are read in full: every share's name is compared, every sequence kept.
    pub(crate) is_strict: bool,
}

impl Pool {
    /// Starts a pool and registers its miners.
    pub(crate) async fn start(spec: &PoolSpec<'_>) -> Result<Self, Error> {
        let server = Server::pool(&spec.build, spec.parent, spec.acknowledge)?;
        let mut client = Client::connect(server.address).await?;
        let receiver = read_pool(&mut client).await?.hotkey.0;
        let mut miners = Vec::with_capacity(spec.miners);
        for number in 0..u32::try_from(spec.miners)? {
            miners.push(Miner::register(&mut client, number, receiver, spec.is_strict).await?);
        }
        Ok(Self {
            name: spec.build.name.clone(),
            server,
            miners,
            acknowledged: 0,
            sequences: Vec::new(),
        })
    }

    /// Fetches new work for the first `count` miners.
    pub(crate) async fn refresh_work(&mut self, count: usize) -> Result<(), Error> {
        let mut client = Client::connect(self.server.address).await?;
        for miner in self.miners.iter_mut().take(count) {
            miner.fetch_work(&mut client).await?;
        }
        Ok(())
    }

    /// The pool's answer to a request with `shares` shares, for the bare server to repeat.
    pub(crate) async fn sample_answer(&mut self, shares: usize) -> Result<String, Error> {
        self.refresh_work(1).await?;
        let mut client = Client::connect(self.server.address).await?;
        let miner = self.miners.first_mut().ok_or("the pool has no miner")?;
        miner.next_body(shares)?;
        let answer = client
            .request("POST", "/v1/work", &miner.session, miner.body())
            .await?;
        let text = answer.body.to_owned();
        let sequences = crate::load::check_answer(&answer, shares, miner.hashes())?;
        self.acknowledged += shares as u64;
        self.sequences.extend(sequences);
        Ok(text)
    }

    /// Compares what the pool counted with what it acknowledged.
    pub(crate) async fn check_totals(&mut self) -> Result<(), Error> {
        let mut client = Client::connect(self.server.address).await?;
        let pool = read_pool(&mut client).await?;
        let counted = pool.shares.accepted;
        if counted != self.acknowledged {
            let (name, acknowledged) = (&self.name, self.acknowledged);
            return Err(format!(
                "{name}: {acknowledged} shares were acknowledged, the pool counted {counted}"
            )
            .into());
        }
        let given = self.sequences.len();
        self.sequences.sort_unstable();
        self.sequences.dedup();
        if self.sequences.len() != given {
            return Err(format!("{}: sequence numbers were given twice", self.name).into());
        }
        Ok(())
    }
}

async fn read_pool(client: &mut Client) -> Result<PoolAnswer, Error> {
    let answer = client.request("GET", "/v1/pool", "", b"").await?;
    if answer.status != 200 {
        return Err(format!("GET /v1/pool: {} {}", answer.status, answer.body).into());
    }
    Ok(serde_json::from_str(answer.body)?)
}
