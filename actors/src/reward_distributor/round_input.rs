//! What a round is closed with: read from the store, nothing decided but which list a block belongs to.

use dwarves_domain::blocks::Booking;
use dwarves_domain::ids::{HeaderHash, Sequence};
use dwarves_domain::rewards::{
    BlockReward, Emission, OrphanedBlock, RoundInput, Scheme, SettledBlock, ShareValue, Source, Weights,
    evaluated, pplns, pps,
};
use dwarves_domain::rounds::DueRound;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::units::Amount;

use super::Terms;
use dwarves_ports::store::reads::{LastRound, PageRequest};
use dwarves_ports::store::{
    Accounting, BlockRow, LedgerPosition, SharedStore, StoreError, StoreErrorKind, ValuedUnits,
};

/// Blocks that one round may touch; what is beyond waits for the next.
const BLOCKS_PER_ROUND_MAX: u32 = 1_000;

/// A round's input, with what the ledger will have booked for each block that it touches.
pub(super) struct Gathered {
    pub(super) input: RoundInput,
    pub(super) blocks: Vec<(HeaderHash, Accounting)>,
    pub(super) through: Sequence,
    /// Shares up to here are of no use to any round any more, and older than they are kept.
    pub(super) prunable: Option<Sequence>,
}

fn broken(error: impl std::fmt::Display) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, error.to_string())
}

/// Gathers the input of `round`. One that is punctual ends where the ledger ends; one that was missed where the ledger
/// ended when it was due, as far as the shares' dates tell.
pub(super) async fn gather(
    store: SharedStore,
    round: DueRound,
    is_punctual: bool,
    terms: Terms,
    last: Option<LastRound>,
    retention: Option<Span>,
) -> Result<Gathered, StoreError> {
    let end = if is_punctual {
        Timestamp::from_millis(i64::MAX)
    } else {
        round.closed_at
    };
    let position = store.position_at(end).await?;
    let after = last.as_ref().map_or(Sequence::new(0), |last| last.through);
    let through = position.sequence.max(after);
    let brought = last.as_ref().map_or(Amount::ZERO, |last| last.emission_carried);
    let mut gathered = Gathered {
        input: RoundInput {
            id: round.id,
            closed_at: round.closed_at,
            scheme: terms.scheme,
            fee: terms.fee,
            source: terms.source,
            accepted: Vec::new(),
            matured: Vec::new(),
            orphaned: Vec::new(),
            returned: Vec::new(),
            shares: Vec::new(),
            // Nothing is carried into the first round.
            carried: last.map(|last| last.carried).unwrap_or_default(),
            emission: None,
        },
        blocks: Vec::new(),
        through,
        prunable: prunable(&store, round, &terms, position, retention).await?,
    };
    for block in store.blocks_to_account(BLOCKS_PER_ROUND_MAX).await? {
        gathered.add_block(&store, block, &terms).await?;
    }
    match (terms.source, terms.scheme) {
        (Source::Emission, _) => {
            let weights = if terms.scheme.is_of_evaluated_work() {
                result_weights(&store, &terms, round.closed_at).await?
            } else {
                emission_weights(&store, &terms, after, position).await?
            };
            gathered.input.emission = Some(Emission {
                amount: terms.emission,
                brought,
                weights,
                unearned: terms.unearned,
            });
        }
        (Source::Blocks, Scheme::Pps | Scheme::Fpps) => {
            let values = store.values_between(after, through).await?;
            gathered.input.shares = values
                .into_iter()
                .map(|v| priced(v, &terms))
                .collect::<Result<_, _>>()?;
        }
        // The rules refuse to pay evaluated work from blocks.
        (
            Source::Blocks,
            Scheme::Pplns
            | Scheme::Proportional
            | Scheme::Solo
            | Scheme::InverseLoss
            | Scheme::Score
            | Scheme::WinnerTakesMost,
        ) => {}
    }
    Ok(gathered)
}

/// What no window can reach any more and what is older than shares are kept: a block found from now on pays at
/// most a window's work back, or back to the block before it. Blocks that the chain took long ago are booked.
async fn prunable(
    store: &SharedStore,
    round: DueRound,
    terms: &Terms,
    end: LedgerPosition,
    retention: Option<Span>,
) -> Result<Option<Sequence>, StoreError> {
    let Some(retention) = retention else {
        return Ok(None);
    };
    let old = store
        .position_at(round.closed_at.minus(retention))
        .await?
        .sequence;
    // A window that is larger than all work so far begins with the first share.
    let begin = end.total.saturating_sub(terms.window);
    let behind_window = store.position_before(begin).await?.sequence;
    let newest = store
        .blocks(PageRequest {
            cursor: None,
            limit: 2,
        })
        .await?;
    let behind_blocks = match newest.rows.as_slice() {
        [_, before] => before.sequence,
        _ => Sequence::new(0),
    };
    let prunable = match terms.scheme {
        Scheme::Proportional => old.min(behind_blocks),
        Scheme::Pplns
        | Scheme::Pps
        | Scheme::Fpps
        | Scheme::Solo
        | Scheme::InverseLoss
        | Scheme::Score
        | Scheme::WinnerTakesMost => old.min(behind_window),
    };
    Ok((prunable > Sequence::new(0)).then_some(prunable))
}

fn priced(work: ValuedUnits, terms: &Terms) -> Result<ShareValue, StoreError> {
    let fees = work
        .coinbase_value
        .checked_sub(work.subsidy)
        .ok_or_else(|| broken("a template pays less than its subsidy"))?;
    let value = pps::unit_value(terms.scheme, work.subsidy, fees).map_err(broken)?;
    Ok(ShareValue {
        hotkey: work.hotkey,
        units: work.units,
        value,
    })
}

/// The work that one emission pays: the window that ends with the round, or all work since the last one.
async fn emission_weights(
    store: &SharedStore,
    terms: &Terms,
    after: Sequence,
    end: LedgerPosition,
) -> Result<Weights, StoreError> {
    let worked = store.weights_between(after, end.sequence).await?;
    if terms.scheme != Scheme::Pplns || worked.is_empty() {
        // When nobody worked since the last round, nobody is paid for having worked before.
        return Ok(worked);
    }
    let window = pplns::Window::ending_now(end.total, terms.window).map_err(broken)?;
    store.weights_in_window(window, end.sequence).await
}

/// What each miner's best result weighs, of those that were known by the time at which the round was due and are not too
/// old by then.
async fn result_weights(
    store: &SharedStore,
    terms: &Terms,
    closed_at: Timestamp,
) -> Result<Weights, StoreError> {
    let evaluated = &terms.evaluated;
    let after = closed_at.minus(evaluated.max_age);
    let best = store.best_results(evaluated.measure, after, closed_at).await?;
    evaluated::weights(terms.scheme, evaluated, &best).map_err(broken)
}

impl Gathered {
    async fn add_block(
        &mut self,
        store: &SharedStore,
        block: BlockRow,
        terms: &Terms,
    ) -> Result<(), StoreError> {
        let hash = block.hash;
        let input = &mut self.input;
        let Some(booking) = block.accounting.due(block.state) else {
            return Ok(());
        };
        match booking {
            Booking::Credit => {
                let weights = weights_of(store, &block, terms).await?;
                input.accepted.push(BlockReward {
                    hash,
                    height: block.height,
                    reward: block.reward,
                    finder: block.finder,
                    weights,
                });
            }
            Booking::Mature => input.matured.push(settled(store, &block).await?),
            Booking::Reverse { was_mature } => {
                let settled = settled(store, &block).await?;
                input.orphaned.push(OrphanedBlock { settled, was_mature });
            }
            Booking::Return { was_mature } => {
                let settled = settled(store, &block).await?;
                input.returned.push(OrphanedBlock { settled, was_mature });
            }
        }
        self.blocks.push((hash, booking.accounting()));
        Ok(())
    }
}

async fn settled(store: &SharedStore, block: &BlockRow) -> Result<SettledBlock, StoreError> {
    let missing = || {
        broken(format!(
            "block {} is credited, but its credits are missing",
            block.hash
        ))
    };
    let credits = store.block_credits(block.hash).await?.ok_or_else(missing)?;
    Ok(SettledBlock {
        hash: block.hash,
        height: block.height,
        fee: credits.fee,
        kept: credits.kept,
        credits: credits.credits,
    })
}

/// The work that a block pays under the scheme.
async fn weights_of(store: &SharedStore, block: &BlockRow, terms: &Terms) -> Result<Weights, StoreError> {
    match terms.scheme {
        Scheme::Pplns => {
            let window = pplns::Window::of_block(block.total_before, block.units, terms.window);
            store
                .weights_in_window(window.map_err(broken)?, block.sequence)
                .await
        }
        Scheme::Proportional => {
            let before = store.block_before(block.hash).await?;
            let after = before.map_or(Sequence::new(0), |before| before.sequence);
            store.weights_between(after, block.sequence).await
        }
        Scheme::Solo => {
            let finder = block.finder.map(|finder| (finder, block.units.raw() * 2));
            Ok(Weights::sum(finder).map_err(broken)?)
        }
        Scheme::Pps | Scheme::Fpps | Scheme::InverseLoss | Scheme::Score | Scheme::WinnerTakesMost => {
            Ok(Weights::new())
        }
    }
}
