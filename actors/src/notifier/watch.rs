//! What is wrong now, as others tell it.

use std::time::Duration;

use dwarves_domain::notices::NoticeKind;
use serde_json::{Value, json};

use crate::ask::Port;
use crate::block_tracker::messages::ReadBlocks;
use crate::paymaster::messages::ReadPayouts;
use crate::paymaster::trouble::TroubleKind;
use crate::work_manager::messages::ReadWork;
use dwarves_ports::store::SharedStore;

/// How long each may take.
const ASK_DEADLINE: Duration = Duration::from_secs(5);

/// Those who know what is wrong.
#[derive(Clone)]
pub struct Watched {
    /// The work manager: which chain the nodes are on.
    pub work: Port<ReadWork>,
    /// The paymaster: what hinders payouts.
    pub payouts: Port<ReadPayouts>,
    /// The block tracker: blocks that the chain does not take.
    pub blocks: Port<ReadBlocks>,
}

/// Something that is wrong, for as long as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// What it is, in one text that stays the same while it lasts.
    pub(super) key: String,
    pub(super) kind: NoticeKind,
    pub(super) text: String,
    pub(super) detail: Value,
}

impl Watched {
    /// All that is wrong; `None` of one who does not answer, of whom nothing is known.
    pub(super) async fn look(&self, store: &SharedStore) -> Option<Vec<Wrong>> {
        let mut wrong = Vec::new();
        let work = self.work.ask(ReadWork, ASK_DEADLINE).await.ok()?;
        let standing = &work.standing;
        for node in standing.nodes.iter().filter(|node| node.height.is_none()) {
            wrong.push(Wrong {
                key: format!("node/{}", node.name),
                kind: NoticeKind::NodeLost,
                text: format!("Node {} does not answer", node.name),
                detail: json!({ "node": node.name, "why": node.why }),
            });
        }
        if let Some(trouble) = &standing.trouble {
            wrong.push(Wrong {
                key: format!("chain/{}", standing.verdict),
                kind: NoticeKind::ChainSuspect,
                text: format!("The chain is in doubt ({}): {trouble}", standing.verdict),
                detail: json!({ "verdict": standing.verdict.as_str(), "trouble": trouble }),
            });
        }
        let payouts = self.payouts.ask(ReadPayouts, ASK_DEADLINE).await.ok()?;
        let stuck = payouts
            .troubles
            .iter()
            .filter(|trouble| trouble.kind == TroubleKind::Stuck);
        for trouble in stuck {
            let payout = trouble.payout.map(|id| id.get());
            wrong.push(Wrong {
                key: format!("payout/{}/stuck", payout.unwrap_or_default()),
                kind: NoticeKind::PayoutStuck,
                text: format!("A payout is stuck: {trouble}"),
                detail: json!({ "payout": payout, "trouble": trouble.to_string() }),
            });
        }
        let blocks = self.blocks.ask(ReadBlocks, ASK_DEADLINE).await.ok()?;
        let waiting = blocks
            .troubles
            .iter()
            .find(|trouble| trouble.starts_with("blocks_waiting"));
        wrong.extend(waiting.map(|trouble| Wrong {
            key: "blocks/waiting".to_owned(),
            kind: NoticeKind::SubmitFailed,
            text: format!("The chain does not take found blocks: {trouble}"),
            detail: json!({ "waiting": blocks.waiting }),
        }));
        let totals = store.totals().await.ok()?;
        if let Err(error) = totals.holdings.check(&totals.income) {
            wrong.push(Wrong {
                key: "books".to_owned(),
                kind: NoticeKind::BooksDiffer,
                text: format!("The books do not add up: {error}"),
                detail: json!({
                    "difference_sats": i64::try_from(totals.income.confirmed() - totals.holdings.confirmed()).ok(),
                }),
            });
        }
        Some(wrong)
    }
}
