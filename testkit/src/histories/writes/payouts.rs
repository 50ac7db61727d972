//! Payouts as they are drawn: reserved, adopted, and led on.

use crate::build::sats;
use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{Adopted, FeePayer, FeeRate, OutPoint, Part, Payout, Signed, Transition, Txid};
use dwarves_domain::units::Amount;
use dwarves_ports::store::{SharedStore, Write};

use super::super::history::{History, miner};
use super::one_in;

fn signed(byte: u8, fee: u64) -> Signed {
    Signed {
        txid: Txid::from_bytes([byte; 32]),
        bytes: vec![byte; 120],
        inputs: vec![OutPoint {
            txid: Txid::from_bytes([0xee; 32]),
            vout: u32::from(byte),
        }],
        fee: sats(fee),
    }
}

impl History {
    pub(super) async fn reserve(&mut self, store: &SharedStore, (a, b, c): (u8, u8, u16)) -> Option<Write> {
        let candidates = store.payout_candidates(sats(1)).await.unwrap();
        let parts: Vec<Part> = candidates
            .iter()
            .skip(usize::from(b % 3))
            .take(3)
            .map(|candidate| Part {
                hotkey: candidate.hotkey,
                address: candidate.address.clone().unwrap_or_else(|| "address".to_owned()),
                // Some of it, all of it, or more than there is.
                amount: Amount::from_sats(match c % 5 {
                    0 => candidate.payable.sats() / 2 + 1,
                    1 if one_in(4, a) => candidate.payable.sats() + 1,
                    _ => candidate.payable.sats(),
                })
                .unwrap(),
                fee: Amount::ZERO,
                borne: Amount::ZERO,
            })
            .collect();
        if parts.is_empty() {
            return None;
        }
        self.payout += u64::from(!one_in(8, c) || self.payout == 0);
        let payer = if one_in(2, a) {
            FeePayer::Miners
        } else {
            FeePayer::Pool
        };
        let payout = Payout::reserve(
            PayoutId::new(self.payout),
            self.now(),
            parts,
            payer,
            FeeRate::new(u32::from(b) + 1).unwrap(),
        );
        Some(Write::ReservePayout(Box::new(payout)))
    }

    pub(super) async fn step(&self, store: &SharedStore, (a, b, c): (u8, u8, u16)) -> Option<Write> {
        let id = PayoutId::new(1 + u64::from(a) % (self.payout + 1));
        let payout = store.payout(id).await.unwrap();
        let is_exported = payout.as_ref().is_some_and(|payout| payout.exported.is_some());
        let parts = payout.map_or(0, |payout| payout.parts.len());
        let step = match b % 12 {
            _ if is_exported => super::payout_batches::drawn_step(b, c),
            0..=2 => {
                let byte = u8::try_from(id.get() % 250).unwrap() + u8::from(one_in(19, c));
                let fees: Vec<Amount> = (0..parts).map(|n| sats(n as u64 + 1)).collect();
                let fee = fees.iter().map(|fee| fee.sats()).sum();
                Transition::Sign {
                    signed: signed(byte, fee),
                    fees,
                }
            }
            3 | 4 => Transition::Send,
            5 => Transition::Depth(u32::from(c % 6)),
            6 => Transition::Confirm(u32::from(c % 6) + 1),
            7 => Transition::Unconfirm(u32::from(c % 3)),
            8 => Transition::Return(format!("rival {c}")),
            9 => Transition::Cancel(format!("because {c}")),
            10 => Transition::Revive(u32::from(c % 4)),
            _ => Transition::Forget,
        };
        Some(Write::StepPayout {
            id,
            step,
            at: self.now(),
        })
    }

    pub(super) fn adopt(&mut self, (a, b, c): (u8, u8, u16)) -> Write {
        self.payout += u64::from(!one_in(8, c) || self.payout == 0);
        let part = Part {
            hotkey: miner(b),
            address: "address-1".to_owned(),
            amount: sats(u64::from(c) + 10),
            fee: sats(3),
            borne: Amount::ZERO,
        };
        let adopted = Adopted {
            parts: vec![part],
            uncovered: Amount::ZERO,
            payer: FeePayer::Miners,
        };
        Write::AdoptPayout(Box::new(Payout::adopt(
            PayoutId::new(self.payout),
            self.now(),
            adopted,
            FeeRate::new(u32::from(b) + 1).unwrap(),
            signed(a, 3),
        )))
    }
}
