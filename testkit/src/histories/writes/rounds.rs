//! Rounds as they are drawn: over what is due, and some that contradict what is stored.

use crate::build::{quiet_round, sats};
use dwarves_domain::ids::Sequence;
use dwarves_domain::rewards::{
    BlockReward, Emission, OrphanedBlock, RoundInput, Scheme, SettledBlock, Source, Unearned, Weights, close,
    pplns,
};
use dwarves_domain::units::{BasisPoints, Units};
use dwarves_ports::store::{Accounting, BlockRow, BlockState, SharedStore, Write};

use super::super::history::History;
use super::one_in;

impl History {
    /// A round over what is due, as the reward distributor closes it; some that contradict what is stored.
    pub(super) async fn close(&mut self, store: &SharedStore, (a, b, c): (u8, u8, u16)) -> Option<Write> {
        self.round += u64::from(!one_in(9, c) || self.round == 0);
        let mut input = RoundInput {
            fee: BasisPoints::new(u16::from(a)).unwrap(),
            ..quiet_round(self.round, self.now(), Scheme::Pplns)
        };
        let mut blocks = Vec::new();
        if one_in(4, b) {
            let weights = store
                .weights_between(Sequence::new(0), self.last())
                .await
                .unwrap();
            input.source = Source::Emission;
            // Now and then nobody worked for it.
            let weights = if one_in(3, c) { Weights::new() } else { weights };
            input.emission = Some(Emission {
                brought: sats(u64::from(c % 3)),
                unearned: Unearned::ALL[usize::from(a % 2)],
                ..Emission::of(sats(5_000 + u64::from(c)), weights)
            });
        }
        for block in store.blocks_to_account(u32::from(b % 6)).await.unwrap() {
            blocks.push((block.hash, book(store, &mut input, &block).await));
        }
        let through = if one_in(17, c) { self.last + 1 } else { self.last };
        Some(Write::CloseRound {
            round: Box::new(close(&input).ok()?),
            blocks,
            through: Sequence::new(through),
        })
    }
}

/// Puts a due block into the round's input. What is booked for it then.
async fn book(store: &SharedStore, input: &mut RoundInput, block: &BlockRow) -> Accounting {
    let settled = match store.block_credits(block.hash).await.unwrap() {
        Some(credits) => SettledBlock {
            hash: block.hash,
            height: block.height,
            fee: credits.fee,
            kept: credits.kept,
            credits: credits.credits,
        },
        None => {
            let size = Units::from_raw(1_500);
            let window = pplns::Window::of_block(block.total_before, block.units, size).unwrap();
            input.accepted.push(BlockReward {
                hash: block.hash,
                height: block.height,
                reward: block.reward,
                finder: block.finder,
                weights: store.weights_in_window(window, block.sequence).await.unwrap(),
            });
            return Accounting::Credited;
        }
    };
    let was_mature = matches!(block.accounting, Accounting::Matured | Accounting::ReversedMature);
    let is_lost = matches!(block.state, BlockState::Orphaned | BlockState::Refused);
    match (block.accounting, is_lost) {
        (Accounting::Credited | Accounting::Matured, true) => {
            input.orphaned.push(OrphanedBlock { settled, was_mature });
            if was_mature {
                Accounting::ReversedMature
            } else {
                Accounting::Reversed
            }
        }
        (Accounting::Reversed | Accounting::ReversedMature, false) => {
            input.returned.push(OrphanedBlock { settled, was_mature });
            if was_mature {
                Accounting::Matured
            } else {
                Accounting::Credited
            }
        }
        _ => {
            input.matured.push(settled);
            Accounting::Matured
        }
    }
}
