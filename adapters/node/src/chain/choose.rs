//! Which node is asked.

use std::rc::Rc;

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::time::Timestamp;
use dwarves_ports::chain::{BlockStatus, ChainError, MinedCoinbase, SyncState, Tip};

use super::engine::{Engine, View};
use super::one_node::{Node, Progress};
use crate::rpc::RpcError;

/// Blocks that a preferred node may be behind another: a new block reaches one before the other.
const BEHIND_MAX: u32 = 1;

/// The place of the first that is not behind `tallest`.
fn first_not_behind(tips: &[Option<Tip>], tallest: u32) -> Option<usize> {
    tips.iter()
        .position(|tip| tip.is_some_and(|tip| tip.height.saturating_add(BEHIND_MAX) >= tallest))
}

impl Engine {
    /// The nodes that may have work, the best first; those in trouble come last, since it may be over. Those on another
    /// chain are not among them.
    pub(super) fn in_order_of_work(&self) -> Vec<Rc<Node>> {
        let chosen = first_not_behind(&self.tips(), self.tallest());
        let rank = |(place, node): &(usize, &Rc<Node>)| {
            (
                Some(*place) != chosen,
                node.heard(|heard| heard.trouble.is_some()),
                *place,
            )
        };
        let mut nodes: Vec<_> = self.nodes.iter().enumerate().collect();
        nodes.retain(|(_, node)| !Self::is_elsewhere(node));
        nodes.sort_by_key(rank);
        nodes.into_iter().map(|(_, node)| Rc::clone(node)).collect()
    }

    /// The tips of the nodes that have work.
    fn tips(&self) -> Vec<Option<Tip>> {
        let tip = |node: &Rc<Node>| {
            let tip = node.heard(|heard| heard.tip.filter(|_| heard.trouble.is_none()));
            tip.filter(|_| !Self::is_elsewhere(node))
        };
        self.nodes.iter().map(tip).collect()
    }

    /// The tips that synced nodes name, whether they have work on them or not, and whether there is other work.
    fn known_tips(&self) -> impl Iterator<Item = (Tip, bool)> {
        let nodes = self.nodes.iter().filter(|node| !Self::is_elsewhere(node));
        nodes.filter_map(|node| {
            node.heard(|heard| {
                let progress = heard.progress.filter(Progress::is_synced)?;
                Some((progress.tip, heard.tip.is_some_and(|tip| tip != progress.tip)))
            })
        })
    }

    /// The greatest height that any node names, with work or without.
    fn tallest(&self) -> u32 {
        let known = self.known_tips().map(|(tip, _)| tip);
        let tips = self.tips().into_iter().flatten().chain(known);
        tips.map(|tip| tip.height).max().unwrap_or(0)
    }

    /// Whether work on a block of this height is that of a node which is behind another.
    pub(super) fn is_behind(&self, tip: Tip) -> bool {
        tip.height.saturating_add(BEHIND_MAX) < self.tallest()
    }

    /// Tells those who wait for a tip what there is.
    pub(super) fn choose(&self) {
        let tips = self.tips();
        let view = match first_not_behind(&tips, self.tallest()).and_then(|place| tips[place]) {
            Some(tip) => View::Tip(tip),
            None => {
                let moved = self.known_tips().filter(|(_, is_moved)| *is_moved);
                let tallest = moved.map(|(tip, _)| tip).max_by_key(|tip| tip.height);
                let none = || ChainError::NotReady("no node has work on the newest block".to_owned());
                match (tallest, self.trouble()) {
                    (Some(tip), trouble) => View::Over(tip, trouble.unwrap_or_else(none)),
                    (None, Some(trouble)) => View::Trouble(trouble),
                    (None, None) if tips.iter().any(Option::is_some) => View::Trouble(none()),
                    (None, None) => View::Starting,
                }
            }
        };
        self.view.send_if_modified(|before| {
            let changed = *before != view;
            *before = view;
            changed
        });
    }

    /// What is wrong with the preferred node; `None` while nothing was heard of some node.
    fn trouble(&self) -> Option<ChainError> {
        let usable: Vec<&Rc<Node>> = self
            .nodes
            .iter()
            .filter(|node| !Self::is_elsewhere(node))
            .collect();
        if usable.is_empty() {
            return Some(self.elsewhere());
        }
        let of = |node: &Rc<Node>| {
            let trouble = node.heard(|heard| heard.trouble.clone());
            trouble.map(|error| error.into_chain_error(node.name()))
        };
        let troubles: Option<Vec<ChainError>> = usable.into_iter().map(of).collect();
        troubles?.into_iter().next()
    }

    /// All nodes are on another chain.
    pub(super) fn elsewhere(&self) -> ChainError {
        let why = self.nodes.iter().map(|node| {
            let why = node.heard(|heard| heard.finding.as_ref().map(|finding| finding.why.join("; ")));
            format!("{}: {}", node.name(), why.unwrap_or_default())
        });
        ChainError::WrongChain(why.collect::<Vec<_>>().join("; "))
    }

    /// The node whose word on blocks counts: the first that is synced, or else the first that answers.
    fn reader(&self) -> Result<Rc<Node>, ChainError> {
        let progress = |node: &Rc<Node>| node.heard(|heard| heard.progress);
        let synced = |node: &&Rc<Node>| progress(node).is_some_and(|progress| progress.is_synced());
        let answering = |node: &&Rc<Node>| progress(node).is_some();
        let mut usable = self.nodes.iter().filter(|node| !Self::is_elsewhere(node));
        let found = usable.clone().find(synced);
        let found = found.or_else(|| usable.find(answering));
        found.map(Rc::clone).ok_or_else(|| {
            let nobody = || ChainError::Unreachable("no node has answered yet".to_owned());
            self.trouble().unwrap_or_else(nobody)
        })
    }

    pub(super) async fn sync_state(&self) -> Result<SyncState, ChainError> {
        let node = self.reader()?;
        let progress = node.progress().await.map_err(|error| reading(&node, error))?;
        node.heard(|heard| heard.progress = Some(progress));
        Ok(progress.state())
    }

    /// What became of a block. A node that is not synced is not believed.
    pub(super) async fn status(&self, hash: HeaderHash) -> Result<BlockStatus, ChainError> {
        let node = self.reader()?;
        if !node.heard(|heard| heard.progress.is_some_and(|progress| progress.is_synced())) {
            let text = format!(
                "{} is not synced, so what it says of blocks does not count",
                node.name()
            );
            return Err(ChainError::NotReady(text));
        }
        node.status(hash).await.map_err(|error| reading(&node, error))
    }

    pub(super) async fn hash_at(&self, height: u32) -> Result<Option<HeaderHash>, ChainError> {
        let node = self.reader()?;
        node.hash_at(height).await.map_err(|error| reading(&node, error))
    }

    /// The time in the best header of a node that is synced.
    pub(super) async fn best_header_time(&self) -> Result<Option<Timestamp>, ChainError> {
        let node = self.reader()?;
        let progress = node.progress().await.map_err(|error| reading(&node, error))?;
        if !progress.is_synced() {
            return Err(ChainError::NotReady(format!("{} is not synced", node.name())));
        }
        let time = node.header_time(progress.tip.hash).await;
        let time = time.map_err(|error| reading(&node, error))?;
        Ok(time.map(|secs| Timestamp::from_secs(i64::from(secs))))
    }

    pub(super) async fn coinbase_at(&self, height: u32) -> Result<Option<MinedCoinbase>, ChainError> {
        let node = self.reader()?;
        node.coinbase_at(height)
            .await
            .map_err(|error| reading(&node, error))
    }
}

fn reading(node: &Node, error: RpcError) -> ChainError {
    super::one_node::NodeError::from(error).into_chain_error(node.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tip(height: u32) -> Option<Tip> {
        let hash = HeaderHash::from_bytes([1; 32]);
        Some(Tip { hash, height })
    }

    #[test]
    fn the_first_node_is_preferred_unless_it_is_behind_or_has_no_work() {
        assert_eq!(first_not_behind(&[tip(7), tip(7)], 7), Some(0));
        assert_eq!(first_not_behind(&[tip(7), tip(8)], 8), Some(0));
        assert_eq!(first_not_behind(&[tip(7), tip(9), tip(9)], 9), Some(1));
        assert_eq!(first_not_behind(&[None, tip(1)], 1), Some(1));
        assert_eq!(first_not_behind(&[None, None], 0), None);
        // Another names a newer block, and has no work on it.
        assert_eq!(first_not_behind(&[tip(7), None], 8), Some(0));
        assert_eq!(first_not_behind(&[tip(7), None], 9), None);
    }
}
