//! The ledger beside its chain and its wallet: whether it belongs to the chain, and what the wallet sent that it does
//! not know.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use dwarves_actors::identity::{Belonging, REMEDY};
use dwarves_actors::paymaster::comparison::Stranger;

use super::{Failure, Findings};
use crate::config::{ChainKind, Config};
use crate::wiring::open_sides;
use dwarves_keys::pool_key;

/// Spends that are named one by one.
const NAMED_MAX: usize = 20;

/// Checks both, if there is a ledger that no pool is running on.
pub(super) async fn check<W: Write>(
    config: &Config,
    dir: &Path,
    is_running: bool,
    findings: &mut Findings<W>,
) -> Result<(), Failure> {
    let is_there = config.chain.kind == ChainKind::Node || dir.join("devnet").exists();
    let has_chain = is_there && !config.is_evaluated();
    if is_running || !dir.join(pool_key::FILE_NAME).exists() || !has_chain {
        return Ok(());
    }
    // What is wrong with the ledger or the chain by itself is told where they are checked.
    let Some(store) = super::ledger::to_compare(config, dir) else {
        return Ok(());
    };
    let settings = store.settings().await?;
    let sides = match open_sides(config, dir, Arc::clone(&store)).await {
        Ok(sides) => sides,
        Err(error) => {
            findings.bad(
                "chain",
                error,
                "see the message; ledger and chain are not compared",
            )?;
            return Ok(());
        }
    };
    let is_ours = match sides.belonging(&settings).await? {
        Belonging::Ours => {
            findings.good("identity", "the ledger belongs to this chain")?;
            true
        }
        Belonging::NotYet(why) => {
            let remedy = "let the node be reachable and synced; payouts are held until then";
            findings.bad("identity", why, remedy)?;
            false
        }
        Belonging::Other(why) => {
            findings.bad("identity", why, REMEDY)?;
            false
        }
    };
    if is_ours {
        match sides.strangers(&settings).await {
            Ok((comparison, holds)) => tell(&comparison.strangers, holds, findings)?,
            Err(error) => findings.bad(
                "spends",
                error,
                "fix the wallet; payouts wait until it can be compared",
            )?,
        }
    }
    sides.close().await;
    Ok(())
}

fn tell<W: Write>(strangers: &[Stranger], holds: bool, findings: &mut Findings<W>) -> std::io::Result<()> {
    if strangers.is_empty() {
        return findings.good("spends", "the wallet sent nothing that the ledger does not know");
    }
    let mut lines = Vec::new();
    for stranger in strangers.iter().take(NAMED_MAX) {
        let spend = &stranger.spend;
        lines.push(format!(
            "txid {} confirmations {}",
            spend.txid, spend.confirmations
        ));
        for ((address, amount), is_miner) in spend.outputs.iter().zip(&stranger.to_miner).take(NAMED_MAX) {
            let whose = if *is_miner { ", a miner's address" } else { "" };
            lines.push(format!("  {amount} sats to {address}{whose}"));
        }
    }
    if strangers.len() > NAMED_MAX {
        lines.push(format!("and {} more", strangers.len() - NAMED_MAX));
    }
    let detail = format!(
        "the wallet sent {} transactions that the ledger does not know:\n         {}",
        strangers.len(),
        lines.join("\n         ")
    );
    if holds {
        let remedy = "the ledger is older than its wallet, or somebody else uses it: a start holds payouts (restored). \
                      Book what the pool paid with `dwarves admin paymaster adopt [txid=]`, then `dwarves admin \
                      paymaster release hold=restored` for the rest; see RUNBOOK, After a restore";
        return findings.bad("spends", detail, remedy);
    }
    findings.good("spends", detail)
}
