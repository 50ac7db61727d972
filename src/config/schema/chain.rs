//! `[chain]`: which chain, and whose nodes.

use std::fmt;
use std::path::PathBuf;

use dwarves_domain::chain_guard::Pin;
use dwarves_domain::settings::{text, word};
use dwarves_domain::time::Span;
use dwarves_domain::work::Algorithm;
use serde::{Deserialize, Deserializer};

use crate::config::readers::{self, Millis, Secs, Whole};
use dwarves_node::chain::GuardSettings;
use dwarves_node::rpc::{Endpoint, EndpointError};

/// Where the chain is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChainKind {
    /// In this process.
    #[default]
    Devnet,
    /// A node, asked over JSON-RPC.
    Node,
}

impl<'de> Deserialize<'de> for ChainKind {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        word(d, &[("devnet", Self::Devnet), ("node", Self::Node)])
    }
}

/// A node's JSON-RPC address. It may hold a password, which `Debug` and `Display` leave out.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeUrl(String);

impl NodeUrl {
    /// From a text that begins with `http://` or `https://`.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text
            .strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"))?;
        let plain = !rest.is_empty() && rest.chars().all(|c| !c.is_whitespace() && !c.is_control());
        plain.then(|| Self(text.to_owned()))
    }

    /// The address with its password.
    pub fn with_credentials(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.split_once("://"), self.0.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => write!(f, "{scheme}://***@{host}"),
            _ => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeUrl({self})")
    }
}

/// A refusal does not repeat the address: it may hold a password.
impl<'de> Deserialize<'de> for NodeUrl {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        const EXPECTED: &str = "an address such as \"http://user:password@127.0.0.1:8332\"";
        text(d, EXPECTED, |found| match found {
            "" => Err("expected a node's address, found nothing".to_owned()),
            found => Self::parse(found).ok_or_else(|| format!("expected {EXPECTED}")),
        })
    }
}

/// Another node of the same chain.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FallbackNode {
    /// Its JSON-RPC address.
    pub url: NodeUrl,
    /// The file with this node's login, if the url has none.
    #[serde(default, deserialize_with = "readers::optional")]
    pub cookie_file: Option<PathBuf>,
}

/// The most nodes that stand in for the first.
const FALLBACKS_MAX: usize = 8;

/// Nodes that stand in for the first.
fn fallbacks<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<FallbackNode>, D::Error> {
    let nodes = readers::list(
        d,
        "a list of nodes, such as [{ url = \"http://127.0.0.1:8332\" }]",
    )?;
    readers::at_most(nodes, FALLBACKS_MAX, "nodes")
}

/// `[chain]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChainConfig {
    /// Where the chain is.
    pub kind: ChainKind,
    /// Its proof of work.
    pub algorithm: Algorithm,
    /// The node's JSON-RPC address.
    #[serde(deserialize_with = "readers::optional")]
    pub url: Option<NodeUrl>,
    /// The node's cookie file.
    #[serde(deserialize_with = "readers::optional")]
    pub cookie_file: Option<PathBuf>,
    /// Nodes that stand in for the first, in order.
    #[serde(deserialize_with = "fallbacks")]
    pub fallbacks: Vec<FallbackNode>,
    /// How often each node is looked at beside the long poll.
    #[serde(rename = "poll_interval_secs", with = "Millis::<50, 60_000>")]
    pub poll_interval: Span,
    /// Blocks that must be on the chain.
    #[serde(deserialize_with = "readers::pins")]
    pub pins: Vec<Pin>,
    /// Deployments that must not be active.
    #[serde(deserialize_with = "readers::deployments")]
    pub forbidden_deployments: Vec<String>,
    /// How far below the lower of two tips two nodes must have the same block.
    #[serde(with = "Whole::<1, 1_000>")]
    pub fork_depth: u32,
    /// How old the tip may be; zero: what is right for the network.
    #[serde(rename = "tip_age_max_secs", with = "Secs::<0, 604_800>")]
    pub tip_age_max: Span,
    /// How often it is looked which chain the nodes are on.
    #[serde(rename = "guard_interval_secs", with = "Secs::<1, 3_600>")]
    pub guard_interval: Span,
    /// The node's wallet.
    #[serde(deserialize_with = "readers::optional")]
    pub wallet: Option<String>,
    /// Which of the nodes has it; `None`: the first.
    #[serde(deserialize_with = "readers::optional")]
    pub wallet_node: Option<NodeUrl>,
    /// Where coinbases pay, as text: which addresses are right depends on the chain. It was checked when the
    /// settings were loaded, as far as that can be done without asking a node.
    #[serde(deserialize_with = "readers::optional")]
    pub payout_address: Option<String>,
    /// Confirmations from which a block's reward is payable, as configured; 0 stands for
    /// [`ChainConfig::maturity`]'s choice.
    #[serde(with = "Whole::<0, 10_000>")]
    pub maturity_confirmations: u32,
    /// Hashes that a block of the devnet takes on average.
    #[serde(with = "Whole::<1, 1_000_000_000_000_000>")]
    pub devnet_block_hashes: u64,
}

impl ChainConfig {
    /// Confirmations from which a block's reward is payable: by default 10 on the devnet, where a newcomer is
    /// to see a reward within minutes, and 101 on a node, where wallets spend coinbases from then on.
    pub fn maturity(&self) -> u32 {
        match (self.maturity_confirmations, self.kind) {
            (0, ChainKind::Devnet) => 10,
            (0, ChainKind::Node) => 101,
            (chosen, _) => chosen,
        }
    }

    /// What the operator knows of the chain.
    pub fn guard(&self) -> GuardSettings {
        GuardSettings {
            pins: self.pins.clone(),
            forbidden: self.forbidden_deployments.clone(),
            fork_depth: self.fork_depth,
            tip_age_max: self.tip_age_max,
            look_every: self.guard_interval.to_std(),
        }
    }

    /// The nodes, the preferred one first; none on the devnet.
    ///
    /// # Errors
    /// If an address is none of a node.
    pub fn endpoints(&self) -> Result<Vec<Endpoint>, EndpointError> {
        let first = self.url.as_ref().map(|url| (url, &self.cookie_file));
        let others = self.fallbacks.iter().map(|node| (&node.url, &node.cookie_file));
        first
            .into_iter()
            .chain(others)
            .map(|(url, cookie)| Endpoint::new(url.with_credentials(), cookie.as_deref()))
            .collect()
    }

    /// Which of `nodes` has the wallet, by its place; `None` if the one that was named is not among them.
    pub fn wallet_place(&self, nodes: &[Endpoint]) -> Option<usize> {
        let Some(named) = &self.wallet_node else {
            return Some(0);
        };
        let named = Endpoint::new(named.with_credentials(), None).ok()?;
        nodes.iter().position(|node| node.is_at(&named))
    }
}

impl Default for ChainConfig {
    fn default() -> Self {
        Self {
            kind: ChainKind::Devnet,
            algorithm: Algorithm::Sha256d,
            url: None,
            cookie_file: None,
            fallbacks: Vec::new(),
            poll_interval: Span::from_secs(1),
            pins: Vec::new(),
            forbidden_deployments: Vec::new(),
            fork_depth: 6,
            tip_age_max: Span::from_secs(0),
            guard_interval: Span::from_secs(30),
            wallet: None,
            wallet_node: None,
            payout_address: None,
            maturity_confirmations: 0,
            devnet_block_hashes: 15_000_000,
        }
    }
}
