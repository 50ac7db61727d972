//! A template for the work manager, tested by the node before any miner gets it.
//!
//! The pool's own block, complete but for its proof of work, is offered to the node as a proposal (BIP23) at
//! the start and whenever the rules change. If the node refuses it, no block of the pool would ever be taken,
//! and the miners' work would be for nothing; so none is given out.

use std::time::Duration;

use dwarves_actors::chain::ChainError;
use dwarves_domain::ids::{ExtraNonce, TemplateId};
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::{ChainTemplate, Template};

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
        let mut first_error = None;
        for node in self.in_order_of_work() {
            match self.template_of(&node).await {
                Ok(template) => return Ok(template),
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
        let is_tested =
            |proposal: &Proposal| node.heard(|heard| heard.tested.as_ref() == Some(&proposal.rules));
        let mut tests = 0;
        while !is_tested(&proposal) {
            match self.test(node, network, &proposal).await? {
                Tested::Good => node.heard(|heard| heard.tested = Some(proposal.rules.clone())),
                Tested::Bad(why) => return Err(NodeError::SelfTest(why)),
                Tested::TipMoved => {
                    tests += 1;
                    if tests >= TESTS_MAX {
                        return Err(NodeError::SelfTest("its tip moves too often".to_owned()));
                    }
                    proposal = node.proposal(network).await?;
                }
            }
        }
        self.note_work(node, proposal.tip());
        Ok(proposal.template)
    }

    /// Offers the pool's own block to the node.
    async fn test(&self, node: &Node, network: Network, proposal: &Proposal) -> Result<Tested, NodeError> {
        if !proposal.can_be_tested {
            log::warn!(
                "node {} does not judge proposals; the pool's blocks go untested",
                node.name()
            );
            return Ok(Tested::Good);
        }
        let block = match own_block(
            &proposal.template,
            &self.settings.payout_script,
            &self.settings.tag,
        ) {
            Ok(block) => block,
            Err(error) => return Ok(Tested::Bad(error)),
        };
        Ok(match node.judge(network, &block).await?.as_deref() {
            None => {
                log::info!(
                    "node {} takes the pool's blocks under rules {}",
                    node.name(),
                    proposal.rules
                );
                Tested::Good
            }
            Some(TIP_MOVED) => Tested::TipMoved,
            Some(why) => Tested::Bad(why.to_owned()),
        })
    }
}

/// What came of a test.
enum Tested {
    Good,
    Bad(String),
    TipMoved,
}

/// The pool's block, complete but for its proof of work.
pub(super) fn own_block(
    template: &ChainTemplate,
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
    Ok(template.block(&template.header(extranonce), extranonce))
}
