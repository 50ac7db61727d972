//! A template for the work manager, tested by the node before any miner gets it.
//!
//! The pool's own block, complete but for its proof of work, is offered to the node as a proposal (BIP23) at
//! the start and whenever the rules change. If the node refuses it, no block of the pool would ever be taken,
//! and the miners' work would be for nothing; so none is given out.

use std::time::Duration;

use dwarves_domain::ids::{ExtraNonce, TemplateId};
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::{ChainTemplate, Template, VersionRolling};
use dwarves_ports::chain::{ChainError, Tip};

use super::engine::Engine;
use super::network::Network;
use super::one_node::{Node, NodeError};
use super::proposal::Proposal;

/// How old a proposal that came unasked may be to be given out.
const FRESH: Duration = Duration::from_secs(1);
/// How often a test is begun anew because the tip moved meanwhile.
const TESTS_MAX: u32 = 5;
/// The node's word for a proposal on a tip that is over (Bitcoin Core, Litecoin Core).
const TIP_MOVED: &str = "inconclusive-not-best-prevblk";

impl Engine {
    /// The block to be found next, from the best node that has one.
    pub(super) async fn template(&self) -> Result<ChainTemplate, ChainError> {
        self.wait_for_first_look().await;
        let mut first_error = None;
        let nodes = self.in_order_of_work();
        if nodes.is_empty() {
            return Err(self.elsewhere());
        }
        for node in nodes {
            match self.template_of(&node).await {
                Ok(template) => {
                    let tip = Tip {
                        hash: template.previous,
                        height: template.height.saturating_sub(1),
                    };
                    if !self.is_behind(tip) {
                        return Ok(template);
                    }
                    let behind = format!("{} has work on a block that is over", node.name());
                    first_error.get_or_insert(ChainError::NotReady(behind));
                }
                Err(error) => {
                    self.note_trouble(&node, error.clone());
                    let is_unsound = matches!(error, NodeError::SelfTest(_));
                    let error = error.into_chain_error(node.name());
                    if is_unsound {
                        // Another node may be content because it is wrong: this is for people to look at.
                        return Err(error);
                    }
                    first_error.get_or_insert(error);
                }
            }
        }
        Err(first_error.unwrap_or_else(|| ChainError::Unreachable("there is no node".to_owned())))
    }

    async fn template_of(&self, node: &Node) -> Result<ChainTemplate, NodeError> {
        let network = self.recognise(node).await?;
        let unasked = node.heard(|heard| heard.fresh.take());
        let fresh = unasked.filter(|(_, since)| since.elapsed() < FRESH);
        let mut proposal = match fresh {
            Some((proposal, _)) => proposal,
            None => node.proposal(network).await?,
        };
        let tested_with = |proposal: &Proposal| {
            node.heard(|heard| match &heard.tested {
                Some((rules, rolling)) if *rules == proposal.rules => Some(*rolling),
                _ => None,
            })
        };
        let mut tests = 0;
        let rolling = loop {
            if let Some(rolling) = tested_with(&proposal) {
                break rolling;
            }
            match self.test(node, network, &proposal).await? {
                Tested::Good(rolling) => {
                    node.heard(|heard| heard.tested = Some((proposal.rules.clone(), rolling)));
                }
                Tested::Bad(why) => return Err(NodeError::SelfTest(why)),
                Tested::TipMoved => {
                    tests += 1;
                    if tests >= TESTS_MAX {
                        return Err(NodeError::SelfTest("its tip moves too often".to_owned()));
                    }
                    proposal = node.proposal(network).await?;
                }
            }
        };
        proposal.template.version_mask &= rolling.mask();
        self.note_work(node, proposal.tip());
        Ok(proposal.template)
    }

    /// Offers the pool's own block to the node, and tells the log what came of it.
    async fn test(&self, node: &Node, network: Network, proposal: &Proposal) -> Result<Tested, NodeError> {
        if !proposal.can_be_tested {
            log::warn!(
                "node {} does not judge proposals; the pool's blocks go untested",
                node.name()
            );
            return Ok(Tested::Good(VersionRolling::Bip320));
        }
        let settings = &self.settings;
        let tested = test(node, network, proposal, &settings.payout_script, &settings.tag).await?;
        if let Tested::Good(rolling) = &tested {
            log::info!(
                "node {} takes the pool's blocks under rules {}, version bits {rolling}",
                node.name(),
                proposal.rules
            );
        }
        Ok(tested)
    }
}

/// What came of a test.
pub(super) enum Tested {
    /// The node takes it, with these version bits rolled.
    Good(VersionRolling),
    /// The node refuses it, for this reason.
    Bad(String),
    /// It was made on a tip that is over.
    TipMoved,
}

/// Offers the pool's own block to the node, as different from the template as miners may make it: with every version
/// bit that they may roll. If the node refuses that, with fewer of them, and at last with none.
pub(super) async fn test(
    node: &Node,
    network: Network,
    proposal: &Proposal,
    payout_script: &[u8],
    tag: &str,
) -> Result<Tested, NodeError> {
    let template = &proposal.template;
    let mut refused = None;
    let mut last_mask = None;
    for rolling in VersionRolling::ALL {
        let mask = template.version_mask & rolling.mask();
        if last_mask.replace(mask) == Some(mask) {
            continue;
        }
        let block = match own_block(template, mask, payout_script, tag) {
            Ok(block) => block,
            Err(error) => return Ok(Tested::Bad(error)),
        };
        match node.judge(network, &block).await?.as_deref() {
            None => {
                if let Some(why) = refused {
                    log::warn!(
                        "node {} refuses a block with more version bits than {rolling} ({why}); miners roll those alone",
                        node.name()
                    );
                }
                return Ok(Tested::Good(rolling));
            }
            Some(TIP_MOVED) => return Ok(Tested::TipMoved),
            Some(why) => refused = Some(why.to_owned()),
        }
    }
    Ok(Tested::Bad(refused.unwrap_or_default()))
}

/// The pool's block, complete but for its proof of work, with the version bits of `mask` flipped.
fn own_block(
    template: &ChainTemplate,
    mask: u32,
    payout_script: &[u8],
    tag: &str,
) -> Result<Vec<u8>, String> {
    let template = Template::new(
        TemplateId::new(0),
        Timestamp::EPOCH,
        template.clone(),
        payout_script,
        tag,
    )
    .map_err(|error| error.to_string())?;
    let extranonce = ExtraNonce::new(0);
    let header = template.header(extranonce);
    let header = header.rolled(header.version() ^ mask, header.time(), 0);
    Ok(template.block(&header, extranonce))
}
