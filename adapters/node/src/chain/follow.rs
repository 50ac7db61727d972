//! Following one node's tip: a long poll, and a look every second beside it.

use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use dwarves_ports::chain::Tip;
use tokio::time::MissedTickBehavior;

use super::engine::Engine;
use super::network::Network;
use super::one_node::{Heard, Node, NodeError};
use super::proposal::Proposal;
use dwarves_system::clock::Stopwatch;

/// The wait before a node that failed is tried again: doubled each time from the first to the last.
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_LAST: Duration = Duration::from_secs(3);

type LongPoll = Pin<Box<dyn Future<Output = Result<Proposal, NodeError>>>>;

impl Engine {
    /// Follows a node for as long as there is somebody to tell.
    pub(super) async fn follow(self: Rc<Self>, node: Rc<Node>) {
        let mut wait = RETRY_FIRST;
        loop {
            let error = match self.follow_until_trouble(&node, &mut wait).await {
                Ok(never) => match never {},
                Err(error) => error,
            };
            self.note_trouble(&node, error);
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RETRY_LAST);
        }
    }

    async fn follow_until_trouble(
        &self,
        node: &Rc<Node>,
        wait: &mut Duration,
    ) -> Result<std::convert::Infallible, NodeError> {
        let network = self.recognise(node).await?;
        self.note_progress(node, node.progress().await?);
        self.choose();
        let first = node.proposal(network).await?;
        let mut long_poll = long_poll(node, network, &first);
        let has_long_poll = long_poll.is_some();
        self.note_proposal(node, first);
        *wait = RETRY_FIRST;
        let mut looks = tokio::time::interval(self.settings.poll_every);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                answer = poll(&mut long_poll) => match answer {
                    Ok(proposal) => {
                        long_poll = self::long_poll(node, network, &proposal);
                        self.note_proposal(node, proposal);
                    }
                    // It took too long, or the node is gone, which the next look tells; then it is tried again.
                    Err(NodeError::Rpc(error)) if !error.is_answer() => {
                        log::debug!("long poll of {}: {error}", node.name());
                        long_poll = None;
                    }
                    Err(error) => return Err(error),
                },
                _ = looks.tick() => {
                    let progress = node.progress().await?;
                    self.note_progress(node, progress);
                    let is_known = node.heard(|heard| heard.tip) == Some(progress.tip);
                    let is_over = has_long_poll && long_poll.is_none();
                    if !is_known || is_over {
                        let proposal = node.proposal(network).await?;
                        if is_over {
                            long_poll = self::long_poll(node, network, &proposal);
                        }
                        self.note_proposal(node, proposal);
                    }
                }
            }
        }
    }

    fn note_proposal(&self, node: &Node, proposal: Proposal) {
        let tip = proposal.tip();
        node.heard(|heard| heard.fresh = Some((proposal, Stopwatch::start())));
        // A node that refuses the pool's own block is in order only once it takes it.
        let is_refusing = |heard: &mut Heard| matches!(heard.trouble, Some(NodeError::SelfTest(_)));
        if !node.heard(is_refusing) {
            self.note_work(node, tip);
        }
    }

    /// Notes that a node has work on this tip.
    pub(super) fn note_work(&self, node: &Node, tip: Tip) {
        let recovered = node.heard(|heard| {
            heard.tip = Some(tip);
            heard.trouble.take()
        });
        if let Some(trouble) = recovered {
            log::info!("node {} gives work again, after: {trouble}", node.name());
        }
        self.choose();
    }

    /// Notes that a node is of no use now. Each kind of trouble is logged once.
    pub(super) fn note_trouble(&self, node: &Node, error: NodeError) {
        let is_new = node.heard(|heard| {
            let is_new = !heard
                .trouble
                .as_ref()
                .is_some_and(|before| before.is_like(&error));
            if !matches!(&error, NodeError::Rpc(error) if error.is_answer()) {
                heard.progress = None;
            }
            // It may come back as another node, with other rules.
            heard.network = None;
            heard.tested = None;
            heard.fresh = None;
            heard.trouble = Some(error.clone());
            is_new
        });
        if is_new {
            log::warn!("node {} gives no work: {error}", node.name());
        }
        self.choose();
    }

    /// Which network the node is on, if it is the pool's.
    pub(super) async fn recognise(&self, node: &Node) -> Result<Network, NodeError> {
        if let Some(network) = node.network() {
            return Ok(network);
        }
        let genesis = node.ask_genesis().await?;
        let network = self
            .settings
            .check_network(&genesis)
            .map_err(NodeError::WrongChain)?;
        node.heard(|heard| heard.network = Some(network));
        Ok(network)
    }
}

fn long_poll(node: &Rc<Node>, network: Network, last: &Proposal) -> Option<LongPoll> {
    let id = last.longpollid.clone()?;
    let node = Rc::clone(node);
    Some(Box::pin(async move { node.long_poll(network, id).await }))
}

/// The long poll's answer; never, if there is none under way.
async fn poll(long_poll: &mut Option<LongPoll>) -> Result<Proposal, NodeError> {
    match long_poll {
        Some(future) => {
            let answer = future.await;
            *long_poll = None;
            answer
        }
        None => std::future::pending().await,
    }
}
