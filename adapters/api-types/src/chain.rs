//! The chain that is mined, and how to connect to the pool.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::scalars::Hash;

/// The end of a branch that a node knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BranchState {
    /// Its height.
    pub height: u32,
    /// Its hash.
    pub hash: Hash,
    /// Blocks of it that are not on the best chain; 0 for that itself.
    pub branch_len: u32,
    /// `active` (the best chain), `valid-fork`, `valid-headers`, `headers-only`, `invalid` or `unknown`, as
    /// `getchaintips` says it.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub status: Cow<'static, str>,
}

/// One of the pool's nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NodeState {
    /// Its address, without login.
    pub name: String,
    /// Which chain it is on: `majority`, `suspect`, … as `chain.verdict` of the pool's status says it.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub state: Cow<'static, str>,
    /// The height of its tip; null if it did not tell.
    pub height: Option<u32>,
    /// Whether work is made of its templates.
    pub is_used: bool,
    /// Blocks by which its tip is below the highest of all nodes; null if it did not tell.
    pub behind: Option<u32>,
    /// Seconds since its tip came, as of the last look; null if it did not tell.
    #[serde(default)]
    pub tip_age_secs: Option<u64>,
    /// What is out of the ordinary about it, in words.
    pub problem: Option<String>,
    /// With how many others it speaks; null if it did not tell. It is asked once a minute.
    #[serde(default)]
    pub peers: Option<u32>,
    /// Those of them that came to it; null if it did not tell.
    #[serde(default)]
    pub peers_in: Option<u32>,
    /// Those of them that it went to; null if it did not tell.
    #[serde(default)]
    pub peers_out: Option<u32>,
    /// The branches that it knows, its best chain's first, then the highest, at most 8. Empty if it did not tell.
    #[serde(default)]
    pub tips: Vec<BranchState>,
    /// How many more it knows.
    #[serde(default)]
    pub tips_left: u32,
}

/// The chain that is mined, as the pool sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ChainState {
    /// The chain's name, such as `devnet`.
    pub chain: String,
    /// Which chain its nodes are on: `majority` if all is well.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub verdict: Cow<'static, str>,
    /// The height of the tip; null while the chain gives no work.
    pub height: Option<u32>,
    /// The tip's hash; null while the chain gives no work.
    pub tip: Option<Hash>,
    /// Seconds since the tip came; null if nobody knows.
    pub tip_age_secs: Option<u64>,
    /// Why there is no work, in words, if there is none.
    pub problem: Option<String>,
    /// Every node, the preferred one first; empty where there is none (the devnet).
    pub nodes: Vec<NodeState>,
}

/// Where and how miners connect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ConnectListener {
    /// `stratum`, `http` or `getwork`.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub protocol: Cow<'static, str>,
    /// What a miner is given, such as `stratum+tcp://pool.example:3333`. Without `host` it has `HOST` in its place:
    /// the name by which you reached the pool.
    pub url: String,
    /// The host, if it is configured.
    pub host: Option<String>,
    /// The port.
    pub port: u16,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// The difficulty with which a worker begins that nobody knows yet.
    pub start_difficulty: f64,
    /// The least difficulty that is given out here.
    pub min_difficulty: f64,
    /// The greatest.
    pub max_difficulty: f64,
    /// For whom it is, in words.
    pub note: Option<String>,
}

/// What a miner logs in with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ConnectLogin {
    /// The form of a user name, such as `ADDRESS.WORKER`.
    pub form: String,
    /// One such, made up.
    pub example: String,
    /// What goes for the password.
    pub password: String,
}

/// How to connect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Connect {
    /// Every port at which miners are served.
    pub listeners: Vec<ConnectListener>,
    /// What a miner logs in with.
    pub login: ConnectLogin,
    /// The pool's host name, if it is configured (`pool.public_host`).
    pub public_host: Option<String>,
}
