//! A look at one node for the start and for `dwarves check`: it follows nothing and keeps nothing.

use std::rc::Rc;

use dwarves_domain::work::{ChainTemplate, VersionRolling};
use dwarves_ports::chain::{NodeStanding, SyncState};
use serde::Deserialize;
use serde_json::json;

use super::finding::GuardSettings;
use super::guard::look_once;
use super::network::Network;
use super::one_node::Node;
use super::settings::Reading;
use super::work::{Tested, test};
use crate::rpc::{Endpoint, RpcClient, RpcError};

/// What a node says of the address that coinbases pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressFinding {
    /// The wallet's own: what is mined can be paid out from it.
    Own,
    /// Right for the node's network, but not of the wallet.
    Foreign,
    /// Right for the node's network; whose it is cannot be told.
    Valid(RpcError),
    /// Not right for the node's network.
    Invalid,
}

/// What a node says of its wallet.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WalletInfo {
    /// Its name; empty for the default one.
    #[serde(rename = "walletname", default)]
    pub name: String,
    /// Until when it is unlocked; 0: locked; `None`: not encrypted.
    pub unlocked_until: Option<u64>,
}

/// What a node proposes, and what it says to the pool's own block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkFinding {
    /// The work that the node offers.
    pub template: ChainTemplate,
    /// The rules in force, in the node's words.
    pub rules: String,
    /// What it says to the pool's own block: `Ok(None)` is good; `Err` if it judges none.
    pub judgement: Result<Option<String>, String>,
    /// The version bits that it takes in such a block, if it judged one and takes it.
    pub rolling: Option<VersionRolling>,
}

/// Looks at one node.
pub struct Inspector {
    node: Rc<Node>,
    wallet: RpcClient,
}

#[derive(Deserialize)]
struct ValidJson {
    isvalid: bool,
}

#[derive(Deserialize)]
struct OwnJson {
    ismine: bool,
}

impl Inspector {
    /// An inspector of the node at `endpoint` and its wallet of this name, which reads templates like this.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn new(endpoint: &Endpoint, wallet: Option<&str>, reading: Reading) -> std::io::Result<Self> {
        let client = RpcClient::start(endpoint.clone(), "node-inspect")?;
        Ok(Self {
            node: Rc::new(Node::start(endpoint, reading)?),
            wallet: match wallet {
                Some(wallet) => client.with_wallet(wallet),
                None => client,
            },
        })
    }

    /// The node's address, without login.
    pub fn name(&self) -> &str {
        self.node.name()
    }

    /// The network that the node is on: or its genesis block, if that is none that is known.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub async fn network(&self) -> Result<Result<Network, String>, RpcError> {
        let genesis = self.node.ask_genesis().await?;
        Ok(Network::of_genesis(&genesis).ok_or(genesis))
    }

    /// How far the node has come.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub async fn sync_state(&self) -> Result<SyncState, RpcError> {
        Ok(self.node.progress().await?.state())
    }

    /// Which chain each of these nodes is on; `None` of one that does not answer.
    pub async fn standings(
        inspectors: &[Self],
        settings: &GuardSettings,
        network: Option<Network>,
    ) -> Vec<Option<NodeStanding>> {
        let nodes: Vec<Rc<Node>> = inspectors.iter().map(|one| Rc::clone(&one.node)).collect();
        look_once(&nodes, settings, network).await
    }

    /// The node's wallet.
    ///
    /// # Errors
    /// If it cannot be asked, or has none.
    pub async fn wallet(&self) -> Result<WalletInfo, RpcError> {
        self.wallet.call("getwalletinfo", json!([])).await
    }

    /// What the node says of an address.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub async fn address(&self, address: &str) -> Result<AddressFinding, RpcError> {
        let valid: ValidJson = self.wallet.call("validateaddress", json!([address])).await?;
        if !valid.isvalid {
            return Ok(AddressFinding::Invalid);
        }
        Ok(match self.wallet.call("getaddressinfo", json!([address])).await {
            Ok(OwnJson { ismine: true }) => AddressFinding::Own,
            Ok(OwnJson { ismine: false }) => AddressFinding::Foreign,
            Err(error) => AddressFinding::Valid(error),
        })
    }

    /// A proposal of the node, and its judgement of the pool's own block.
    ///
    /// # Errors
    /// If it has none, with its reason.
    pub async fn work(
        &self,
        network: Network,
        payout_script: &[u8],
        tag: &str,
    ) -> Result<WorkFinding, String> {
        let mut proposal = self
            .node
            .proposal(network)
            .await
            .map_err(|error| error.to_string())?;
        let mut rolling = None;
        let judgement = if proposal.can_be_tested {
            let judged = test(&self.node, network, &proposal, payout_script, tag).await;
            match judged.map_err(|error| error.to_string())? {
                Tested::Good(taken) => {
                    proposal.template.version_mask &= taken.mask();
                    rolling = Some(taken);
                    Ok(None)
                }
                Tested::Bad(why) => Ok(Some(why)),
                Tested::TipMoved => Err("its tip moved meanwhile; check again".to_owned()),
            }
        } else {
            Err("it does not judge proposals".to_owned())
        };
        Ok(WorkFinding {
            rules: proposal.rules.to_string(),
            template: proposal.template,
            judgement,
            rolling,
        })
    }
}
