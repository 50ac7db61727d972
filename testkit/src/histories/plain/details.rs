//! What the plain store says of one block, payout or share.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, RoundId, Sequence};
use dwarves_domain::payouts::{Payout, Txid};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::{Amount, Units};

use super::money::end_of;
use super::pages::page;
use super::state::State;
use dwarves_ports::store::{
    BlockBooked, BlockDetails, BlockRow, CreditWorkings, Earned, Page, PageRequest, PayoutRow, ShareDetails,
    ShareRow, TemplateRow,
};

fn without_bytes(payout: &Payout) -> Payout {
    let mut payout = payout.clone();
    if let Some(signed) = &mut payout.signed {
        signed.bytes.clear();
    }
    payout
}

fn sum(amounts: impl Iterator<Item = Amount>) -> Amount {
    Amount::checked_sum(amounts).expect("what is stored fits")
}

impl State {
    pub(super) fn share(&self, sequence: Sequence) -> Option<ShareDetails> {
        let share = self.shares.iter().find(|share| share.sequence == sequence)?;
        let id = &share.row.worker;
        let template = &self.rest.templates.get(&share.row.template)?.row;
        let mut chain = template.chain.clone();
        chain.transactions.clear();
        chain.trailer.clear();
        let blocks = self.rest.blocks.iter();
        let rounds = self.rest.rounds.iter();
        Some(ShareDetails {
            sequence,
            total_before: share.total_before,
            hotkey: self.hotkey_of(share),
            worker: self.rest.names.get(id)?.clone(),
            row: ShareRow {
                block: None,
                ..share.row.clone()
            },
            is_whole: true,
            template: TemplateRow {
                chain,
                ..template.clone()
            },
            block: blocks
                .clone()
                .find(|block| block.hash == share.row.hash)
                .map(|block| block.state),
            round: rounds
                .clone()
                .find(|round| round.through >= sequence)
                .map(|round| round.row.id),
        })
    }

    pub(super) fn block_details(&self, hash: HeaderHash, beginning: u32) -> Option<BlockDetails> {
        let block = self.rest.blocks.iter().find(|block| block.hash == hash)?;
        let booked = self.rest.settled.get(&hash).map(|credits| {
            let of_block = |row: &&super::state::StoredRound| row.row.blocks.contains(&hash);
            let round = self.rest.rounds.iter().find(of_block);
            BlockBooked {
                round: round.expect("a round settled it").row.id,
                fee: credits.fee,
                kept: credits.kept,
                credited: sum(credits.credits.iter().map(|credit| credit.amount)),
            }
        });
        let states = self.rest.block_states.get(&hash).cloned().unwrap_or_default();
        Some(BlockDetails {
            beginning: block.bytes.iter().copied().take(beginning as usize).collect(),
            block: BlockRow {
                bytes: Vec::new(),
                ..block.clone()
            },
            states: states[states.len().saturating_sub(100)..].to_vec(),
            booked,
        })
    }

    pub(super) fn found_ends(&self, limit: u32) -> Vec<Units> {
        let newest_first = self.rest.blocks.iter().rev();
        let found = newest_first.filter(|block| block.state.is_found());
        found.take(limit as usize).map(end_of).collect()
    }

    pub(super) fn workings(&self, round: RoundId, hotkey: Hotkey) -> Option<CreditWorkings> {
        let round = self.rest.rounds.iter().find(|known| known.row.id == round)?;
        let workings = round.workings.as_ref()?;
        Some(CreditWorkings {
            fee: workings.fee,
            splits: workings.splits.clone(),
            paid: workings.paid.get(&hotkey).cloned(),
        })
    }

    pub(super) fn earned(&self, hotkey: Hotkey, since: Timestamp, limit: u32) -> Earned {
        let newest_first = self.rest.credits.iter().rev();
        let mut of_miner = newest_first.filter(|credit| credit.hotkey == hotkey);
        let (mut earned, mut oldest) = (Earned::default(), None);
        for credit in of_miner.by_ref().take(limit as usize) {
            if credit.closed_at < since {
                return earned;
            }
            earned.add(credit);
            oldest = Some(credit.closed_at);
        }
        if of_miner.next().is_some() {
            earned.cut_at = oldest;
        }
        earned
    }

    pub(super) fn payouts(&self, request: PageRequest) -> Page<PayoutRow> {
        let rows = self.rest.payouts.values().map(|payout| {
            let row = PayoutRow {
                parts: payout.parts.len() as u64,
                total: sum(payout.parts.iter().map(|part| part.amount)),
                payout: Payout {
                    parts: Vec::new(),
                    ..without_bytes(payout)
                },
            };
            (payout.id.get(), row)
        });
        page(rows, request)
    }

    pub(super) fn payout_of(&self, txid: &Txid) -> Option<Payout> {
        let signed = |payout: &&Payout| payout.signed.as_ref().is_some_and(|signed| signed.txid == *txid);
        self.rest.payouts.values().find(signed).map(without_bytes)
    }
}
