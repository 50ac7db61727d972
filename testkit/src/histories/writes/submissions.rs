//! Evaluated work as it is drawn: few works of few miners, so that they meet again.

use dwarves_domain::evaluation::{Evaluation, Failure, Fault, Reading, SubmissionId, WorkDigest};
use dwarves_ports::store::{Evaluated, NewSubmission, Write};

use super::super::history::{History, at, miner};
use super::one_in;

/// A miner's submission that there may be.
pub(crate) fn name(a: u8, b: u8) -> SubmissionId {
    SubmissionId::of(&miner(a), &WorkDigest::of(&work(b)), at(i64::from(b % 8) / 4))
}

fn work(b: u8) -> String {
    format!("{{\"weights\":[{}]}}", b % 4)
}

fn reading(steps: u8) -> Reading {
    Reading::from_steps(u128::from(steps % 16) * 250).unwrap()
}

impl History {
    pub(super) fn of_evaluated_work(&mut self, kind: u8, (a, b, c): (u8, u8, u16)) -> Write {
        let counts_since = at(self.secs - i64::from(c % 90));
        match kind {
            50..=52 => Write::QueueSubmission(Box::new(NewSubmission {
                id: name(a, b),
                hotkey: miner(a),
                worker: format!("rig-{}", c % 2).parse().unwrap(),
                digest: WorkDigest::of(&work(b)),
                received_at: self.now(),
                work: work(b),
                counts_since,
            })),
            53 | 54 => {
                let [of_loss, of_score] = c.to_be_bytes();
                let result = Evaluation {
                    loss: (!one_in(5, of_loss)).then(|| reading(of_loss)),
                    score: one_in(2, of_score).then(|| reading(of_score)),
                    metadata: one_in(3, c).then(|| format!("{{\"c\":{c}}}")),
                };
                let fault = Fault::ALL[usize::from(c) % Fault::ALL.len()];
                Write::SettleSubmission {
                    id: name(a, b),
                    evaluated: Evaluated {
                        at: self.now(),
                        outcome: if one_in(6, c) {
                            Err(Failure::new(fault, "why"))
                        } else {
                            Ok(result)
                        },
                    },
                    keep: u32::from(c % 3) + 1,
                    counts_since,
                }
            }
            _ => Write::RemoveSubmission { id: name(a, b) },
        }
    }
}
