//! The nodes: whether they can be reached, are synced, have the wallet, know the address and take the pool's
//! blocks, and whether their clocks agree with this machine's.

use std::future::Future;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use dwarves_domain::address::PayoutAddress;
use dwarves_domain::chain_guard::Verdict;
use dwarves_domain::units::Amount;
use dwarves_ports::clock::Clock;
use dwarves_ports::wallet::Wallet;

use super::Findings;
use crate::config::Config;
use crate::wiring;
use dwarves_node::NodeWallet;
use dwarves_node::chain::inspect::{AddressFinding, Inspector};
use dwarves_node::chain::{Network, Reading};
use dwarves_node::rpc::{Endpoint, RpcError, WalletTrouble};
use dwarves_system::clock::SystemClock;

/// How long one question to a node may take.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// Seconds by which a node's clock may differ before it is worth a remark. Networks allow blocks two hours ahead.
const CLOCK_OFFSET_MAX: i64 = 60;

/// Looks at every node, and at the wallet and its address on the one that has it.
pub(super) async fn check<W: Write>(config: &Config, findings: &mut Findings<W>) -> std::io::Result<()> {
    let found = wiring::node_endpoints(&config.chain).and_then(|nodes| {
        let (paying, _) = wiring::wallet_node(&config.chain, &nodes)?;
        wiring::payout_address(&config.chain).map(|(address, _)| (nodes, paying, address))
    });
    let (nodes, paying, address) = match found {
        Ok(found) => found,
        Err(error) => return findings.bad("chain", error, "correct the key in [chain]"),
    };
    let mut inspectors = Vec::new();
    let mut on = None;
    for (place, endpoint) in nodes.iter().enumerate() {
        let wallet = config.chain.wallet.as_deref().filter(|_| place == paying);
        let reading = Reading {
            rolling: config.work.version_rolling,
            clock: Arc::new(SystemClock),
        };
        let inspector = match Inspector::new(endpoint, wallet, reading) {
            Ok(inspector) => inspector,
            Err(error) => return findings.bad("node", error, "let this user start more threads"),
        };
        let Some(network) = check_network(config, &inspector, findings).await? else {
            inspectors.push(inspector);
            continue;
        };
        on = Some(network);
        check_sync(&inspector, findings).await?;
        if place == paying {
            check_wallet(&inspector, findings).await?;
            check_coins(endpoint, wallet, findings).await?;
            check_address(&inspector, network, address, findings).await?;
        }
        check_work(config, &inspector, network, address, findings).await?;
        inspectors.push(inspector);
    }
    check_chain(config, &inspectors, on, findings).await
}

/// Which chain the nodes are on.
async fn check_chain<W: Write>(
    config: &Config,
    inspectors: &[Inspector],
    network: Option<Network>,
    findings: &mut Findings<W>,
) -> std::io::Result<()> {
    let guard = config.chain.guard();
    let standings = Inspector::standings(inspectors, &guard, network).await;
    for standing in standings.into_iter().flatten() {
        let why = if standing.why.is_empty() {
            String::new()
        } else {
            format!(": {}", standing.why.join("; "))
        };
        let what = format!("{} is {}{why}", standing.name, standing.verdict);
        match standing.verdict {
            Verdict::Minority => findings.bad(
                "verdict",
                what,
                "the node is on another chain than [chain] says: see The right chain in RUNBOOK.md",
            )?,
            Verdict::Stale => findings.bad("verdict", what, "give the node peers, and look at its log")?,
            Verdict::Unknown if standing.why.is_empty() => {
                findings.good(
                    "verdict",
                    format!("{what}: nothing in [chain] tells (pins, a second node)"),
                )?;
            }
            Verdict::Majority | Verdict::Unknown => findings.good("verdict", what)?,
        }
    }
    Ok(())
}

async fn asked<T>(question: impl Future<Output = Result<T, RpcError>>) -> Result<T, RpcError> {
    let late = || RpcError::Unknown(format!("nothing within {} s", ANSWER_MAX.as_secs()));
    tokio::time::timeout(ANSWER_MAX, question)
        .await
        .unwrap_or_else(|_| Err(late()))
}

fn remedy(error: &RpcError) -> &'static str {
    match error {
        RpcError::Unreachable(_) => "start the node with server=1; compare chain.url with its rpcport",
        RpcError::Unauthorized(_) => {
            "set chain.cookie_file to the node's .cookie, or a user and password in chain.url"
        }
        RpcError::WarmingUp(_) => "wait until the node has started",
        RpcError::NotConnected(_) => "give the node peers (addnode); it gives no work without one",
        RpcError::InitialDownload(_) => "wait until the node has the chain",
        RpcError::Wallet { trouble, .. } => match trouble {
            WalletTrouble::NotLoaded => "load it (loadwallet), or make it (createwallet)",
            WalletTrouble::NotNamed => "name the wallet in chain.wallet",
            WalletTrouble::Locked => "unlock it (walletpassphrase)",
            WalletTrouble::Funds | WalletTrouble::Other => "see the node's log",
        },
        RpcError::Refused { .. } => "see the node's log",
        RpcError::Busy(_) => "raise rpcworkqueue and rpcthreads of the node",
        RpcError::Unknown(_) => "check that chain.url is a node's RPC port, and the node's log",
    }
}

async fn check_network<W: Write>(
    config: &Config,
    inspector: &Inspector,
    findings: &mut Findings<W>,
) -> std::io::Result<Option<Network>> {
    let name = inspector.name();
    match asked(inspector.network()).await {
        Ok(Ok(network)) if network.coin.algorithm() == config.chain.algorithm => {
            findings.good("node", format!("{name} is on {network}"))?;
            Ok(Some(network))
        }
        Ok(Ok(network)) => {
            let right = network.coin.algorithm();
            let remedy = format!("set chain.algorithm = \"{right}\"");
            let what = format!("{name} is on {network}, which is mined with {right}");
            findings.bad("node", what, &remedy)?;
            Ok(None)
        }
        Ok(Err(genesis)) => {
            let what = format!("{name} is on a chain that begins with {genesis}");
            findings.bad("node", what, "use a node of Bitcoin or Litecoin")?;
            Ok(None)
        }
        Err(error) => {
            findings.bad("node", format!("{name}: {error}"), remedy(&error))?;
            Ok(None)
        }
    }
}

async fn check_sync<W: Write>(inspector: &Inspector, findings: &mut Findings<W>) -> std::io::Result<()> {
    match asked(inspector.sync_state()).await {
        Ok(state) if state.is_synced => {
            findings.good("sync", format!("synced, at height {}", state.tip.height))
        }
        Ok(state) => {
            let what = format!("not synced yet, at height {}", state.tip.height);
            findings.bad(
                "sync",
                what,
                "wait until the node has the chain; it gives no work before",
            )
        }
        Err(error) => findings.bad("sync", &error, remedy(&error)),
    }
}

async fn check_wallet<W: Write>(inspector: &Inspector, findings: &mut Findings<W>) -> std::io::Result<()> {
    match asked(inspector.wallet()).await {
        Ok(wallet) if wallet.unlocked_until == Some(0) => findings.bad(
            "wallet",
            format!("{:?} is locked, so it cannot pay", wallet.name),
            "unlock it (walletpassphrase)",
        ),
        Ok(wallet) => findings.good("wallet", format!("{:?} is loaded", wallet.name)),
        Err(error) => findings.bad("wallet", &error, remedy(&error)),
    }
}

/// Tells what the wallet can pay with, and what sits where no payout can be made from.
async fn check_coins<W: Write>(
    endpoint: &Endpoint,
    wallet: Option<&str>,
    findings: &mut Findings<W>,
) -> std::io::Result<()> {
    let wallet = NodeWallet::start(endpoint.clone(), wallet)?;
    // A wallet that cannot be asked was told already.
    let Ok(Ok(funds)) = tokio::time::timeout(ANSWER_MAX, wallet.funds()).await else {
        return Ok(());
    };
    let spendable = Amount::checked_sum(funds.coins.iter().map(|(_, value)| *value));
    let detail = format!(
        "{} sats in {} coins can be paid out",
        spendable.unwrap_or(Amount::MAX),
        funds.coins.len()
    );
    findings.good("coins", detail)?;
    if funds.in_mweb > Amount::ZERO {
        let detail = format!(
            "{} sats sit in MWEB, where payouts cannot be made from",
            funds.in_mweb
        );
        let remedy = "sendtoaddress to a bech32 address of the wallet (getnewaddress \"\" bech32): they are back after \
                      six blocks";
        // Some there are an operator's choice; most of them are likely a slip.
        if spendable.is_some_and(|spendable| spendable >= funds.in_mweb) {
            findings.good("coins", format!("{detail}; the way back: {remedy}"))?;
        } else {
            findings.bad("coins", detail, remedy)?;
        }
    }
    Ok(())
}

async fn check_address<W: Write>(
    inspector: &Inspector,
    network: Network,
    address: &str,
    findings: &mut Findings<W>,
) -> std::io::Result<()> {
    let another = "give an address of this wallet (getnewaddress) as chain.payout_address";
    if let Err(error) = PayoutAddress::parse(address, network.addresses()) {
        return findings.bad("address", format!("chain.payout_address is {error}"), another);
    }
    match asked(inspector.address(address)).await {
        Ok(AddressFinding::Own) => findings.good("address", format!("{address} is the wallet's own")),
        Ok(AddressFinding::Foreign) => findings.bad(
            "address",
            format!("{address} is not of this wallet: what is mined cannot be paid out from it"),
            another,
        ),
        Ok(AddressFinding::Valid(error)) => findings.bad(
            "address",
            format!("{address} is valid, but nobody can tell whose it is: {error}"),
            remedy(&error),
        ),
        Ok(AddressFinding::Invalid) => findings.bad(
            "address",
            format!("the node says that {address} is not valid"),
            another,
        ),
        Err(error) => findings.bad("address", &error, remedy(&error)),
    }
}

async fn check_work<W: Write>(
    config: &Config,
    inspector: &Inspector,
    network: Network,
    address: &str,
    findings: &mut Findings<W>,
) -> std::io::Result<()> {
    let Ok(payout) = PayoutAddress::parse(address, network.addresses()) else {
        // It was told already, and no block can be made with it.
        return Ok(());
    };
    let script = payout.script();
    let work = inspector.work(network, &script, &config.pool.tag);
    let work = match tokio::time::timeout(ANSWER_MAX, work).await {
        Ok(Ok(work)) => work,
        Ok(Err(error)) => {
            let remedy = "the node gives no work right now: see the reason, and wait or fix it";
            return findings.bad("template", error, remedy);
        }
        Err(_) => return findings.bad("template", "the node does not answer", "see the node's log"),
    };
    let template = &work.template;
    findings.good(
        "template",
        format!(
            "height {}, {} transactions, pays {} sats, rules {}",
            template.height,
            template.transactions.len(),
            template.coinbase_value,
            work.rules
        ),
    )?;
    match work.judgement {
        Ok(None) => {
            let rolling = work.rolling.unwrap_or(config.work.version_rolling);
            findings.good(
                "self-test",
                "the node takes the pool's own block (in BIP54's form), but for its proof of work",
            )?;
            let what = format!("{rolling}: miners may roll {:08x}", template.version_mask);
            if rolling == config.work.version_rolling {
                findings.good("version", what)?;
            } else {
                let what = format!(
                    "{what}; the node refuses the rest of {}",
                    config.work.version_rolling
                );
                findings.bad(
                    "version",
                    what,
                    "set work.version_rolling to that, or update the node",
                )?;
            }
        }
        Ok(Some(why)) => findings.bad(
            "self-test",
            format!("the node refuses the pool's own block: {why}"),
            "update the pool: it does not know this chain's rules, and gives out no work",
        )?,
        Err(why) => findings.bad(
            "self-test",
            why,
            "update the node, so that it judges proposals (BIP23)",
        )?,
    }
    let offset = i64::from(template.time) - SystemClock.now().secs();
    if offset.abs() > CLOCK_OFFSET_MAX && template.time > template.time_min {
        let what = format!("the node's clock is {offset} s ahead of this machine's");
        return findings.bad(
            "clock",
            what,
            "let both machines take their time from the network (NTP)",
        );
    }
    findings.good(
        "clock",
        format!("the node's time is {offset:+} s from this machine's"),
    )
}
