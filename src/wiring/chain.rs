//! The chain that the configuration asks for.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::key::{CompressedPublicKey, Secp256k1};
use bitcoin::secp256k1::SecretKey;
use bitcoin::{Address, Network};
use dwarves_actors::assembly::Trade;
use dwarves_actors::exporter::ExportSettings;
use dwarves_actors::work_evaluator::EvaluatorSettings;
use dwarves_domain::address::{AddressFormat, PayoutAddress};
use dwarves_ports::chain::SharedChain;
use dwarves_ports::clock::SharedClock;
use dwarves_ports::wallet::SharedWallet;

use super::{StartError, evaluator, settings};
use crate::config::{ChainConfig, ChainKind, Config};
use dwarves_devnet::DevnetWallet;
use dwarves_devnet::chain::{ADDRESS_FORMAT, Devnet};
use dwarves_keys::PoolKey;
use dwarves_node::NodeWallet;
use dwarves_node::chain::inspect::{AddressFinding, Inspector};
use dwarves_node::chain::{Coin, NodeChain, NodeSettings, Reading};
use dwarves_node::rpc::{Endpoint, RpcError};
use dwarves_system::clock::Stopwatch;

/// How long the start waits for a node that does not answer. The pool starts without it, too, if the payout
/// address tells the network; otherwise it waits longer before it gives up.
const PATIENCE: Duration = Duration::from_secs(2);
const PATIENCE_IF_NEEDED: Duration = Duration::from_secs(60);
/// Confirmations from which a node's wallet spends a coinbase.
const SPENDABLE_AT: u32 = 101;
/// How often it is asked meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// How long one question may take.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The chain, its wallet, where its coinbases pay and how its addresses are written.
pub(super) struct OpenChain {
    kind: Kind,
    /// The wallet that signs and sends payouts, if there is a chain.
    wallet: Option<SharedWallet>,
    /// The script that coinbases pay.
    pub(super) payout_script: Vec<u8>,
    /// How addresses are written.
    pub(super) addresses: AddressFormat,
    /// What the API calls the chain.
    pub(super) name: &'static str,
}

enum Kind {
    Devnet(Devnet),
    Node(NodeChain),
    /// There is none: work is evaluated.
    Nothing {
        evaluator: Box<EvaluatorSettings>,
        exports: ExportSettings,
    },
}

impl OpenChain {
    /// Opens the chain. The devnet's file lies in `data_dir`; a node is asked who it is if it is there.
    pub(super) async fn open(
        config: &Config,
        data_dir: &Path,
        key: &PoolKey,
        clock: &SharedClock,
    ) -> Result<Self, StartError> {
        if config.is_evaluated() {
            return Ok(Self {
                kind: Kind::Nothing {
                    evaluator: Box::new(evaluator::settings(config)?),
                    exports: settings::exports(config, key),
                },
                wallet: None,
                payout_script: Vec::new(),
                addresses: config.pool.payout_addresses.format(),
                name: "none",
            });
        }
        match config.chain.kind {
            ChainKind::Devnet => Self::open_devnet(config, data_dir, key, clock),
            ChainKind::Node => Self::open_node(config, clock).await,
        }
    }

    fn open_devnet(
        config: &Config,
        data_dir: &Path,
        key: &PoolKey,
        clock: &SharedClock,
    ) -> Result<Self, StartError> {
        let payout_script = devnet_payout_script(&config.chain, key)?;
        let params = settings::devnet_params(config)?;
        let devnet = Devnet::open(&data_dir.join("devnet"), &params, Arc::clone(clock))?;
        Ok(Self {
            wallet: Some(Arc::new(devnet_wallet(&devnet, key)?)),
            kind: Kind::Devnet(devnet),
            payout_script,
            addresses: ADDRESS_FORMAT,
            name: "devnet",
        })
    }

    async fn open_node(config: &Config, clock: &SharedClock) -> Result<Self, StartError> {
        let reading = Reading {
            rolling: config.work.version_rolling,
            clock: Arc::clone(clock),
        };
        let nodes = node_endpoints(&config.chain)?;
        let (text, formats) = payout_address(&config.chain)?;
        let addresses = address_format(&config.chain, &nodes, &reading, text, &formats).await?;
        let payout_script = PayoutAddress::parse(text, addresses)
            .map_err(|error| StartError::Settings(format!("chain.payout_address is {error}")))?
            .script();
        let maturity = config.chain.maturity();
        if maturity < SPENDABLE_AT {
            log::warn!(
                "chain.maturity_confirmations = {maturity}: rewards are payable before the wallet can spend them \
                 ({SPENDABLE_AT} confirmations), so payouts need other coins in it"
            );
        }
        let (wallet_place, wallet) = wallet_node(&config.chain, &nodes)?;
        let wallet =
            NodeWallet::start(wallet.clone(), config.chain.wallet.as_deref()).map_err(StartError::Thread)?;
        let chain = NodeChain::start(NodeSettings {
            nodes,
            wallet_place,
            algorithm: config.chain.algorithm,
            addresses,
            payout_script: payout_script.clone(),
            tag: config.pool.tag.clone(),
            reading,
            guard: config.chain.guard(),
            poll_every: config.chain.poll_interval.to_std(),
        })
        .map_err(StartError::Thread)?;
        Ok(Self {
            wallet: Some(Arc::new(wallet)),
            kind: Kind::Node(chain),
            payout_script,
            addresses,
            name: match Coin::of_algorithm(config.chain.algorithm) {
                Coin::Bitcoin => "bitcoin",
                Coin::Litecoin => "litecoin",
            },
        })
    }

    /// The chain and its wallet, as the actors use them, if there is one.
    pub(super) fn shared(&self) -> Option<(SharedChain, SharedWallet)> {
        let chain: SharedChain = match &self.kind {
            Kind::Devnet(devnet) => Arc::new(devnet.clone()),
            Kind::Node(node) => Arc::new(node.clone()),
            Kind::Nothing { .. } => return None,
        };
        Some((chain, self.wallet.clone()?))
    }

    /// What the pool lives on.
    pub(super) fn trade(&self) -> Result<Trade, StartError> {
        if let Kind::Nothing { evaluator, exports } = &self.kind {
            return Ok(Trade::Evaluating {
                evaluator: evaluator.clone(),
                exports: exports.clone(),
            });
        }
        let (chain, wallet) = self
            .shared()
            .ok_or_else(|| StartError::Settings("the chain has no wallet".to_owned()))?;
        Ok(Trade::Mining { chain, wallet })
    }

    /// Closes what has a file.
    pub(super) async fn close(&self) {
        match &self.kind {
            Kind::Devnet(devnet) => devnet.close().await,
            Kind::Node(_) | Kind::Nothing { .. } => {}
        }
    }
}

/// The configured nodes, the preferred one first.
pub fn node_endpoints(chain: &ChainConfig) -> Result<Vec<Endpoint>, StartError> {
    let nodes = chain
        .endpoints()
        .map_err(|error| StartError::Settings(format!("chain.url is {error}")))?;
    if nodes.is_empty() {
        return Err(no_node());
    }
    Ok(nodes)
}

/// The node whose wallet pays, and its place among them.
pub fn wallet_node<'a>(
    chain: &ChainConfig,
    nodes: &'a [Endpoint],
) -> Result<(usize, &'a Endpoint), StartError> {
    let place = chain.wallet_place(nodes);
    let found = place.and_then(|place| Some((place, nodes.get(place)?)));
    found.ok_or_else(|| StartError::Settings("chain.wallet_node is none of the nodes".to_owned()))
}

fn no_node() -> StartError {
    StartError::Settings("chain.url is missing".to_owned())
}

fn devnet_wallet(devnet: &Devnet, key: &PoolKey) -> Result<DevnetWallet, StartError> {
    let wallet = DevnetWallet::new(devnet.clone(), &key.devnet_wallet_secret());
    wallet.map_err(|error| StartError::Settings(format!("the pool's key gives no devnet wallet: {error}")))
}

/// The configured address that coinbases pay, with the formats in which it is right.
pub fn payout_address(chain: &ChainConfig) -> Result<(&str, Vec<AddressFormat>), StartError> {
    let text = chain.payout_address.as_deref().unwrap_or_default();
    let coin = Coin::of_algorithm(chain.algorithm);
    let formats = coin.formats_of(text);
    if formats.is_empty() {
        return Err(StartError::Settings(format!(
            "chain.payout_address is no address of {coin:?}"
        )));
    }
    Ok((text, formats))
}

/// How addresses are written on the nodes' network: what the first node that answers says, and what the payout
/// address says if none does.
async fn address_format(
    chain: &ChainConfig,
    nodes: &[Endpoint],
    reading: &Reading,
    text: &str,
    formats: &[AddressFormat],
) -> Result<AddressFormat, StartError> {
    let patience = if formats.len() == 1 {
        PATIENCE
    } else {
        PATIENCE_IF_NEEDED
    };
    let watch = Stopwatch::start();
    let (paying, _) = wallet_node(chain, nodes)?;
    let mut inspectors = Vec::new();
    for (place, endpoint) in nodes.iter().enumerate() {
        // A node without the pool's wallet may have none at all.
        let wallet = chain.wallet.as_deref().filter(|_| place == paying);
        let inspector = Inspector::new(endpoint, wallet, reading.clone());
        inspectors.push(inspector.map_err(StartError::Thread)?);
    }
    loop {
        let mut trouble = None;
        for (place, inspector) in inspectors.iter().enumerate() {
            match tokio::time::timeout(ANSWER_MAX, inspector.network()).await {
                Ok(Ok(network)) => {
                    let format = judge_network(chain, inspector, network, text)?;
                    judge_address(inspector, text, place == paying).await?;
                    return Ok(format);
                }
                Ok(Err(error)) => trouble = trouble.or(Some(format!("{}: {error}", inspector.name()))),
                Err(_) => trouble = trouble.or(Some(format!("{} does not answer", inspector.name()))),
            }
        }
        if watch.elapsed() < patience {
            tokio::time::sleep(ASK_EVERY).await;
            continue;
        }
        let trouble = trouble.unwrap_or_default();
        return match formats {
            [format] => {
                log::warn!("starting without a node, which is tried again until it answers: {trouble}");
                Ok(*format)
            }
            _ => Err(StartError::Node(format!(
                "{trouble}; chain.payout_address is right on several networks, so start the node first, or give \
                 an address that tells the network (bech32)"
            ))),
        };
    }
}

/// How addresses are written on this network, if it is the pool's.
fn judge_network(
    chain: &ChainConfig,
    inspector: &Inspector,
    network: Result<dwarves_node::chain::Network, String>,
    text: &str,
) -> Result<AddressFormat, StartError> {
    let node = inspector.name();
    let network = network.map_err(|genesis| {
        StartError::Node(format!(
            "{node}: its chain begins with {genesis}, which is neither Bitcoin's nor Litecoin's"
        ))
    })?;
    let right = network.coin.algorithm();
    if right != chain.algorithm {
        let what = format!("{node} is on {network}: set chain.algorithm = \"{right}\"");
        return Err(StartError::Node(what));
    }
    let format = network.addresses();
    PayoutAddress::parse(text, format).map_err(|error| {
        StartError::Node(format!(
            "{node} is on {network}, and chain.payout_address is {error}"
        ))
    })?;
    log::info!("node {node} is on {network}");
    Ok(format)
}

/// Says what a node knows of the address that coinbases pay; whether it is the wallet's own only if the node has that.
async fn judge_address(inspector: &Inspector, text: &str, has_wallet: bool) -> Result<(), StartError> {
    let node = inspector.name();
    match tokio::time::timeout(ANSWER_MAX, inspector.address(text)).await {
        Ok(Ok(AddressFinding::Invalid)) => {
            return Err(StartError::Node(format!(
                "{node} says that chain.payout_address is not valid"
            )));
        }
        Ok(Ok(_)) if !has_wallet => log::info!("coinbases pay address={text}"),
        Ok(Ok(AddressFinding::Own)) => log::info!("coinbases pay address={text}, which is the node's own"),
        Ok(Ok(AddressFinding::Foreign)) => log::warn!(
            "coinbases pay address={text}, which is not of the node's wallet: payouts cannot spend what is mined"
        ),
        Ok(Ok(AddressFinding::Valid(error))) => {
            log::warn!(
                "coinbases pay address={text}; whether it is the wallet's own cannot be told: {error}"
            );
        }
        Ok(Err(RpcError::WarmingUp(why))) => log::info!("chain.payout_address is not checked yet: {why}"),
        Ok(Err(error)) => log::warn!("chain.payout_address cannot be checked: {error}"),
        Err(_) => log::warn!("chain.payout_address cannot be checked: {node} does not answer"),
    }
    Ok(())
}

/// The script that the devnet's coinbases pay: the configured address, or the pool's own.
fn devnet_payout_script(chain: &ChainConfig, key: &PoolKey) -> Result<Vec<u8>, StartError> {
    if let Some(text) = &chain.payout_address {
        let address = PayoutAddress::parse(text, ADDRESS_FORMAT)
            .map_err(|error| StartError::Settings(format!("chain.payout_address is {error}")))?;
        return Ok(address.script());
    }
    let secret = SecretKey::from_slice(&key.devnet_wallet_secret())
        .map_err(|error| StartError::Settings(format!("the pool's key gives no devnet wallet: {error}")))?;
    let public = CompressedPublicKey(secret.public_key(&Secp256k1::signing_only()));
    let address = Address::p2wpkh(&public, Network::Regtest);
    log::info!("coinbases pay the pool's own devnet address={address}");
    Ok(address.script_pubkey().into_bytes())
}
