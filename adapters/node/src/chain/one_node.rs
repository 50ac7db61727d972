//! The calls to one node, and what was last heard of it.

use std::cell::RefCell;
use std::time::Duration;

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::work::VersionRolling;
use dwarves_ports::chain::{BlockStatus, ChainError, MinedCoinbase, Surroundings, SyncState, Tip};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::finding::Finding;
use super::network::Network;
use super::proposal::{Proposal, ProposalError, Rules};
use super::settings::Reading;
use super::wire::{
    BlockJson, ChainInfoJson, ChainTipJson, DeploymentInfoJson, HeaderJson, NetworkInfoJson, PeerJson,
    TemplateJson,
};
use crate::rpc::{Endpoint, RpcClient, RpcError};
use dwarves_system::clock::Stopwatch;

/// How long a long poll may last. Nodes end it a minute after a change of their mempool. Giving up sooner would
/// cost the node one of its few RPC threads each time, since it goes on waiting for the tip.
const LONG_POLL_MAX: Duration = Duration::from_secs(3_600);
/// Calls about blocks that wait for each other at most; more wait for their turn before they are sent.
const READS_MAX: usize = 16;
/// How long an ordinary call may take; then the next node is asked.
const ANSWER_MAX: Duration = Duration::from_secs(15);
/// How long a node may take to judge a block.
const JUDGE_MAX: Duration = Duration::from_secs(60);
/// Headers that a synced node may have without their blocks: a new block's header comes first.
const HEADERS_AHEAD_MAX: u32 = 2;
/// Nodes' errors: no such block or transaction; a height that is none; bytes that are no block.
const NOT_FOUND: i64 = -5;
const OUT_OF_RANGE: i64 = -8;
const NOT_DECODED: i64 = -22;

/// Why a node is of no use now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NodeError {
    /// A call failed.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// Its template is none.
    #[error(transparent)]
    Proposal(#[from] ProposalError),
    /// It is of another chain than the pool.
    #[error("{0}")]
    WrongChain(String),
    /// The pool's own block breaks the node's rules.
    #[error(
        "the node refuses the pool's own block ({0}); no work is given out, since no block could be found"
    )]
    SelfTest(String),
}

impl NodeError {
    /// For the log: errors of one kind are told once, however their words change (a node tells how far its
    /// start has come).
    pub(super) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rpc(RpcError::Refused { code, .. }), Self::Rpc(RpcError::Refused { code: other, .. })) => {
                code == other
            }
            (Self::Rpc(error), Self::Rpc(other)) => {
                std::mem::discriminant(error) == std::mem::discriminant(other)
            }
            _ => self == other,
        }
    }

    pub(super) fn into_chain_error(self, node: &str) -> ChainError {
        let text = format!("{node}: {self}");
        match self {
            Self::Rpc(error) if !error.is_answer() => ChainError::Unreachable(text),
            Self::SelfTest(_) | Self::WrongChain(_) => ChainError::Unsound(text),
            _ => ChainError::NotReady(text),
        }
    }
}

/// How far a node has come, by its own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) tip: Tip,
    pub(super) headers: u32,
    pub(super) initial_download: bool,
}

impl Progress {
    pub(super) fn is_synced(&self) -> bool {
        !self.initial_download && self.headers <= self.tip.height.saturating_add(HEADERS_AHEAD_MAX)
    }

    pub(super) fn state(&self) -> SyncState {
        SyncState {
            tip: self.tip,
            is_synced: self.is_synced(),
        }
    }
}

/// What was last heard of a node.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Nothing was heard yet if both are `None`.
    pub(super) tip: Option<Tip>,
    pub(super) trouble: Option<NodeError>,
    /// How far it is; `None` while it does not answer.
    pub(super) progress: Option<Progress>,
    pub(super) network: Option<Network>,
    /// A proposal that came unasked, and when.
    pub(super) fresh: Option<(Proposal, Stopwatch)>,
    /// The rules under which it took the pool's own block, and the version bits that it took in it.
    pub(super) tested: Option<(Rules, VersionRolling)>,
    /// Which chain it is on, as far as it was found out.
    pub(super) finding: Option<Finding>,
    /// What it told of the network around it.
    pub(super) around: Surroundings,
    /// The time of a block, which templates on it depend on.
    pub(super) block_time: Option<(HeaderHash, u32)>,
}

/// One node. A client each for what must not wait for the rest.
pub(super) struct Node {
    /// A connection of its own for long polls, which keep it busy.
    polls: RpcClient,
    /// Templates, and how far the node is.
    work: RpcClient,
    /// What became of blocks.
    reads: RpcClient,
    /// Blocks to submit and to judge.
    blocks: RpcClient,
    /// Questions about the network around it, which hold up nothing else, however long a node thinks about them.
    around: RpcClient,
    /// Turns on `reads`: many blocks are asked for at once when the tip moves.
    read_turns: Semaphore,
    heard: RefCell<Heard>,
    reading: Reading,
}

impl Node {
    pub(super) fn start(endpoint: &Endpoint, reading: Reading) -> std::io::Result<Self> {
        let client = |name, timeout| {
            RpcClient::start(endpoint.clone(), name).map(|client| client.with_timeout(timeout))
        };
        Ok(Self {
            polls: client("node-poll", LONG_POLL_MAX)?,
            work: client("node-work", ANSWER_MAX)?,
            reads: client("node-reads", ANSWER_MAX)?,
            blocks: client("node-blocks", JUDGE_MAX)?,
            around: client("node-around", ANSWER_MAX)?,
            read_turns: Semaphore::new(READS_MAX),
            heard: RefCell::default(),
            reading,
        })
    }

    /// Its address, without login.
    pub(super) fn name(&self) -> &str {
        self.work.address()
    }

    /// Looks at what was heard, or changes it. `look` must not call anything that does the same.
    pub(super) fn heard<T>(&self, look: impl FnOnce(&mut Heard) -> T) -> T {
        look(&mut self.heard.borrow_mut())
    }

    pub(super) fn network(&self) -> Option<Network> {
        self.heard(|heard| heard.network)
    }

    pub(super) async fn ask_genesis(&self) -> Result<String, RpcError> {
        self.work.call("getblockhash", json!([0])).await
    }

    pub(super) async fn chain_info(&self) -> Result<ChainInfoJson, RpcError> {
        self.work.call("getblockchaininfo", json!([])).await
    }

    pub(super) async fn progress(&self) -> Result<Progress, RpcError> {
        let info = self.chain_info().await?;
        Ok(Progress {
            tip: Tip {
                hash: info.best,
                height: info.blocks,
            },
            headers: info.headers,
            initial_download: info.initial_download,
        })
    }

    /// A template at once.
    pub(super) async fn proposal(&self, network: Network) -> Result<Proposal, NodeError> {
        let request = json!([{ "rules": network.rules() }]);
        let json: TemplateJson = self.work.call("getblocktemplate", request).await?;
        self.read_proposal(network, json).await
    }

    /// A template in the pool's own types, with what its network demands of the header's time.
    async fn read_proposal(&self, network: Network, json: TemplateJson) -> Result<Proposal, NodeError> {
        let mut proposal = Proposal::read(json, self.reading.rolling, self.reading.now())?;
        if let Some(rule) = network.slow_blocks()
            && let Some(time) = self.time_of(proposal.tip().hash).await?
        {
            proposal.keep_to(&rule, time);
        }
        Ok(proposal)
    }

    /// How many others it speaks with.
    pub(super) async fn network_info(&self) -> Result<NetworkInfoJson, RpcError> {
        self.around.call("getnetworkinfo", json!([])).await
    }

    /// Those with whom it speaks.
    pub(super) async fn peers(&self) -> Result<Vec<PeerJson>, RpcError> {
        self.around.call("getpeerinfo", json!([])).await
    }

    /// The ends of all branches that it knows.
    pub(super) async fn chain_tips(&self) -> Result<Vec<ChainTipJson>, RpcError> {
        self.around.call("getchaintips", json!([])).await
    }

    /// Unix time in seconds, by the pool's clock.
    pub(super) fn reading_now(&self) -> u32 {
        self.reading.now()
    }

    /// The deployments that it knows, and whether each is active.
    pub(super) async fn deployments(&self) -> Result<Vec<(String, bool)>, RpcError> {
        let info: DeploymentInfoJson = self.read("getdeploymentinfo", json!([])).await?;
        Ok(info.deployments)
    }

    /// The time of a block; `None` if the node does not name it.
    pub(super) async fn time_of(&self, hash: HeaderHash) -> Result<Option<u32>, RpcError> {
        let known = self.heard(|heard| heard.block_time);
        if let Some((_, time)) = known.filter(|(block, _)| *block == hash) {
            return Ok(Some(time));
        }
        let header: HeaderJson = self
            .work
            .call("getblockheader", json!([hash.to_string()]))
            .await?;
        self.heard(|heard| heard.block_time = header.time.map(|time| (hash, time)));
        Ok(header.time)
    }

    /// A template when the tip is another than that of `longpollid`, or the mempool changed long ago.
    pub(super) async fn long_poll(
        &self,
        network: Network,
        longpollid: String,
    ) -> Result<Proposal, NodeError> {
        let request = json!([{ "rules": network.rules(), "longpollid": longpollid }]);
        let json: TemplateJson = self.polls.call("getblocktemplate", request).await?;
        self.read_proposal(network, json).await
    }

    /// What the node says to a block whose proof of work it does not check (BIP23): `None` is good.
    pub(super) async fn judge(&self, network: Network, block: &[u8]) -> Result<Option<String>, RpcError> {
        let data = hex::encode(block);
        let request = json!([{ "mode": "proposal", "data": data, "rules": network.rules() }]);
        self.blocks.call("getblocktemplate", request).await
    }

    /// What the node says to a block (BIP22): `None` is accepted.
    pub(super) async fn submit(&self, block_hex: String) -> Result<Option<String>, RpcError> {
        match self.blocks.call("submitblock", json!([block_hex])).await {
            Err(RpcError::Refused {
                code: NOT_DECODED,
                message,
            }) => Ok(Some(message)),
            answer => answer,
        }
    }

    pub(super) async fn status(&self, hash: HeaderHash) -> Result<BlockStatus, RpcError> {
        let header = self.read("getblockheader", json!([hash.to_string()])).await;
        match header {
            Ok(HeaderJson { confirmations, .. }) => Ok(match u32::try_from(confirmations) {
                Ok(confirmations) => BlockStatus::MainChain { confirmations },
                Err(_) => BlockStatus::SideChain,
            }),
            Err(RpcError::Refused { code: NOT_FOUND, .. }) => Ok(BlockStatus::Unknown),
            Err(error) => Err(error),
        }
    }

    /// The time in a header, in Unix seconds; `None` if the node cannot tell.
    pub(super) async fn header_time(&self, hash: HeaderHash) -> Result<Option<u32>, RpcError> {
        match self.read("getblockheader", json!([hash.to_string()])).await {
            Ok(HeaderJson { time, .. }) => Ok(time),
            Err(RpcError::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// One call about blocks, when its turn has come.
    async fn read<T>(&self, method: &'static str, params: Value) -> Result<T, RpcError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let _turn = self.read_turns.acquire().await;
        self.reads.call(method, params).await
    }

    pub(super) async fn hash_at(&self, height: u32) -> Result<Option<HeaderHash>, RpcError> {
        let hash: String = match self.read("getblockhash", json!([height])).await {
            Err(RpcError::Refused {
                code: OUT_OF_RANGE, ..
            }) => return Ok(None),
            answer => answer?,
        };
        let hash = hash.parse();
        hash.map(Some)
            .map_err(|_| RpcError::Unknown("getblockhash gave no hash".to_owned()))
    }

    pub(super) async fn coinbase_at(&self, height: u32) -> Result<Option<MinedCoinbase>, RpcError> {
        let Some(hash) = self.hash_at(height).await? else {
            return Ok(None);
        };
        let hash = hash.to_string();
        let block: BlockJson = self.read("getblock", json!([hash, 1])).await?;
        let wrong = |what: &str| RpcError::Unknown(format!("block {hash} {what}"));
        let first = block.tx.first().ok_or_else(|| wrong("has no transactions"))?;
        // With the block's hash it is found without an index of transactions.
        let coinbase: String = self
            .read("getrawtransaction", json!([first, false, hash]))
            .await?;
        Ok(Some(MinedCoinbase {
            block: hash.parse().map_err(|_| wrong("has no such hash"))?,
            time: block.time,
            transaction: hex::decode(coinbase).map_err(|_| wrong("has a coinbase that is not hex"))?,
        }))
    }
}
