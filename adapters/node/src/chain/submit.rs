//! A found block, to all nodes.
//!
//! Every node gets it, since the preferred one may be gone or be the last to tell the others. A node that does
//! not answer is tried again a few times; whoever submits tries again as a whole after that.

use std::rc::Rc;
use std::time::Duration;

use dwarves_domain::work::Header;
use dwarves_ports::chain::{BlockStatus, ChainError, SubmitOutcome};
use tokio::sync::mpsc;

use super::engine::Engine;
use super::one_node::{Node, NodeError};
use crate::rpc::RpcError;

/// The waits between the tries of one submission to one node.
const WAITS: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
];

impl Engine {
    /// Submits a block to every node. Answered as soon as one accepts it; the others go on getting it.
    pub(super) async fn submit(&self, block: &[u8]) -> Result<SubmitOutcome, ChainError> {
        let header: Option<[u8; Header::LEN]> =
            block.get(..Header::LEN).and_then(|bytes| bytes.try_into().ok());
        let Some(header) = header else {
            return Ok(SubmitOutcome::Refused("shorter than a header".to_owned()));
        };
        let (header, text) = (Header::from_bytes(header), hex::encode(block));
        let (tell, mut told) = mpsc::channel(self.nodes.len());
        for node in &self.nodes {
            let (node, tell, text) = (Rc::clone(node), tell.clone(), text.clone());
            tokio::task::spawn_local(async move {
                let outcome = submit_to(&node, &header, text).await;
                if let Ok(outcome) = &outcome {
                    // Where blocks are as easy as shares, what came second is told by the hundred.
                    let is_news = matches!(outcome, SubmitOutcome::Accepted | SubmitOutcome::Refused(_));
                    let level = if is_news {
                        log::Level::Info
                    } else {
                        log::Level::Debug
                    };
                    log::log!(
                        level,
                        "block hash={} node={} said={outcome:?}",
                        header.hash(),
                        node.name()
                    );
                }
                let outcome = outcome.map_err(|error| NodeError::from(error).into_chain_error(node.name()));
                let _nobody_waits = tell.send(outcome).await;
            });
        }
        drop(tell);
        let mut outcomes = Vec::new();
        while let Some(outcome) = told.recv().await {
            if outcome == Ok(SubmitOutcome::Accepted) {
                return outcome;
            }
            outcomes.push(outcome);
        }
        best_of(outcomes)
    }
}

async fn submit_to(node: &Node, header: &Header, block: String) -> Result<SubmitOutcome, RpcError> {
    let mut waits = WAITS.iter();
    let outcome = loop {
        match node.submit(block.clone()).await {
            Ok(result) => break SubmitOutcome::from_bip22(result.as_deref()),
            Err(error) => {
                // The block may be in nevertheless: then the next answer is "duplicate".
                log::warn!(
                    "block hash={} not submitted to {}: {error}",
                    header.hash(),
                    node.name()
                );
                let Some(wait) = waits.next() else {
                    return Err(error);
                };
                tokio::time::sleep(*wait).await;
            }
        }
    };
    if outcome != SubmitOutcome::Duplicate {
        return Ok(outcome);
    }
    Ok(match node.status(header.hash()).await? {
        BlockStatus::MainChain { .. } => SubmitOutcome::Accepted,
        BlockStatus::SideChain => SubmitOutcome::Inconclusive,
        BlockStatus::Unknown => SubmitOutcome::Duplicate,
    })
}

/// What several nodes say of one block, in one word: what is best for the block, since any node hands on what it
/// takes. A refusal counts only against nothing better; no answer only against nothing at all.
fn best_of(outcomes: Vec<Result<SubmitOutcome, ChainError>>) -> Result<SubmitOutcome, ChainError> {
    let rank = |outcome: &Result<SubmitOutcome, ChainError>| match outcome {
        Ok(SubmitOutcome::Accepted) => 0,
        Ok(SubmitOutcome::Duplicate) => 1,
        Ok(SubmitOutcome::Inconclusive) => 2,
        Ok(SubmitOutcome::NotYet(_)) => 3,
        Ok(SubmitOutcome::Refused(_)) => 4,
        Err(_) => 5,
    };
    let best = outcomes.into_iter().min_by_key(rank);
    best.unwrap_or_else(|| Err(ChainError::Unreachable("there is no node".to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_for_many_nodes_is_the_best_for_the_block() {
        let refused = || Ok(SubmitOutcome::Refused("high-hash".to_owned()));
        let gone = || Err(ChainError::Unreachable("gone".to_owned()));
        let late = || Ok(SubmitOutcome::NotYet("prev-blk-not-found".to_owned()));
        assert_eq!(best_of(vec![gone(), refused()]), refused());
        assert_eq!(best_of(vec![refused(), late()]), late());
        assert_eq!(
            best_of(vec![refused(), Ok(SubmitOutcome::Inconclusive), late()]),
            Ok(SubmitOutcome::Inconclusive)
        );
        assert_eq!(
            best_of(vec![gone(), Ok(SubmitOutcome::Accepted), refused()]),
            Ok(SubmitOutcome::Accepted)
        );
        assert_eq!(best_of(vec![gone(), gone()]), gone());
        assert!(best_of(Vec::new()).is_err());
    }
}
