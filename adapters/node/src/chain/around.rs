//! What each node tells of the network around it: with how many it speaks, and which branches it knows. It is for people to
//! look at. Nothing waits for it, it is asked seldom and on a connection of its own, and a question that is not answered
//! changes nothing.

use std::rc::Rc;
use std::time::Duration;

use dwarves_ports::chain::{BranchTip, Peers, TIPS_MAX, TipStatus};

use super::engine::Engine;
use super::one_node::Node;
use super::wire::{ChainTipJson, NetworkInfoJson};

/// How often nodes are asked when no tip moves.
const ASK_EVERY: Duration = Duration::from_secs(60);
/// The least time from one asking to the next, however quickly tips move.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// With whom a node speaks; `None` if it does not tell.
async fn peers(node: &Node) -> Option<Peers> {
    let info = node.network_info().await.ok();
    if let Some(NetworkInfoJson {
        connections,
        connections_in: Some(inbound),
        connections_out: Some(outbound),
    }) = info
    {
        return Some(Peers {
            count: connections,
            inbound: Some(inbound),
            outbound: Some(outbound),
        });
    }
    // Older nodes tell it of each peer alone.
    let Ok(peers) = node.peers().await else {
        return info.map(|info| Peers {
            count: info.connections,
            inbound: None,
            outbound: None,
        });
    };
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let inbound = peers.iter().filter(|peer| peer.inbound).count();
    Some(Peers {
        count: number(peers.len()),
        inbound: Some(number(inbound)),
        outbound: Some(number(peers.len() - inbound)),
    })
}

/// The branches that are kept, and how many more there are.
pub(super) fn some_tips(told: Vec<ChainTipJson>) -> (Vec<BranchTip>, u32) {
    let tips = told.into_iter().map(|tip| BranchTip {
        height: tip.height,
        hash: tip.hash,
        branch_len: tip.branch_len,
        status: TipStatus::from_word(&tip.status),
    });
    let mut tips: Vec<BranchTip> = tips.collect();
    tips.sort_by_key(|tip| {
        let is_other = tip.status != TipStatus::Active;
        (is_other, std::cmp::Reverse(tip.height), tip.hash)
    });
    let left = tips.len().saturating_sub(TIPS_MAX);
    tips.truncate(TIPS_MAX);
    (tips, u32::try_from(left).unwrap_or(u32::MAX))
}

/// Asks a node, and keeps what it tells.
pub(super) async fn look_around(node: &Node) {
    if let Some(peers) = peers(node).await {
        node.heard(|heard| heard.around.peers = Some(peers));
    }
    if let Ok(told) = node.chain_tips().await {
        let (tips, left) = some_tips(told);
        node.heard(|heard| (heard.around.tips, heard.around.tips_left) = (tips, left));
    }
}

impl Engine {
    /// Asks all nodes for as long as there is somebody to tell.
    pub(super) async fn look_around(self: Rc<Self>) {
        let mut view = self.view.subscribe();
        self.wait_for_first_look().await;
        loop {
            view.mark_unchanged();
            let looks = self.nodes.iter().map(|node| {
                let node = Rc::clone(node);
                tokio::task::spawn_local(async move { look_around(&node).await })
            });
            let looks: Vec<_> = looks.collect();
            for look in looks {
                let _done = look.await;
            }
            // Before the nodes were looked at there is no standing to tell.
            if *self.is_guarded.borrow() {
                self.tell_standing();
            }
            tokio::time::sleep(ASK_AGAIN).await;
            let _either = tokio::time::timeout(ASK_EVERY - ASK_AGAIN, view.changed()).await;
        }
    }
}
