//! Batches: begun once, told of for ever.

use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::export::signed_csv;
use dwarves_domain::payouts::{BatchDigest, BatchFault, BatchName, Export, Payout};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::units::Amount;
use dwarves_ports::store::{
    BatchHead, BatchRow, BatchSummary, NewBatch, PageRequest, StoreError, Write, Written,
};
use serde_json::{Value, json};

use super::Clerk;
use crate::ask::ReplyTo;
use crate::control::Controlled;
use crate::ledger::messages::Commit;
use crate::paymaster::control::held;
use crate::wall_time::rfc3339;

/// Batches that the status shows.
const SHOWN: u32 = 10;

pub(super) fn unavailable(_: StoreError) -> Refusal {
    Refusal::Unavailable
}

/// What an admin is told of a batch; its texts are read by their own route.
fn told(head: &BatchHead, is_new: bool) -> Value {
    json!({
        "batch": head.name.as_str(),
        "is_new": is_new,
        "at": rfc3339(head.at),
        "first_payout": head.first_payout.get(),
        "payouts": head.payouts,
        "total_sats": head.total.sats(),
        "digest": head.digest.to_string(),
    })
}

fn summary(batch: &BatchSummary) -> Value {
    let mut told = told(&batch.head, false);
    if let Some(fields) = told.as_object_mut() {
        fields.remove("is_new");
        fields.insert("exported".to_owned(), json!(batch.exported));
        fields.insert("paid".to_owned(), json!(batch.paid));
        fields.insert("cancelled".to_owned(), json!(batch.cancelled));
    }
    told
}

impl Clerk {
    fn newest(limit: u32) -> PageRequest {
        PageRequest { cursor: None, limit }
    }

    pub(super) async fn status(&self) -> Controlled {
        let plan = self.plan().await?;
        let batches = self.store.payout_batches(Self::newest(SHOWN)).await;
        let batches = batches.map_err(unavailable)?;
        Ok(json!({
            "obstacle": self.obstacle,
            "due": { "payouts": plan.parts.len(), "total_sats": plan.total.sats(), "held": held(&plan.held) },
            "batches": batches.rows.iter().map(summary).collect::<Vec<_>>(),
        }))
    }

    /// Begins a batch, or tells of the one that has this name.
    pub(super) async fn export(&self, name: BatchName, reply: &ReplyTo<Controlled>) -> Controlled {
        let known = self.store.payout_batch(name.clone()).await;
        if let Some(known) = known.map_err(unavailable)? {
            return Ok(told(&known.head, false));
        }
        if let Some(why) = &self.obstacle {
            return Err(Refusal::ControlRefused(why.clone()));
        }
        let plan = self.plan().await?;
        let left = held(&plan.held);
        if plan.parts.is_empty() {
            return Err(Refusal::Batch(BatchFault::NothingDue));
        }
        let batch = self.put_together(name, plan.parts, plan.total).await?;
        let head = batch.row.head.clone();
        let mut done = told(&head, true);
        done["held"] = left;
        let done = self
            .commit(vec![Write::BeginBatch(Box::new(batch))], done, reply)
            .await?;
        tracing::info!(
            "batch {} is exported, payouts={} total_sats={}",
            head.name,
            head.payouts,
            head.total
        );
        Ok(done)
    }

    /// The batch with its texts and signatures.
    async fn put_together(
        &self,
        name: BatchName,
        parts: Vec<dwarves_domain::payouts::Part>,
        total: Amount,
    ) -> Result<NewBatch, Refusal> {
        let last_batch = self
            .store
            .payout_batches(Self::newest(1))
            .await
            .map_err(unavailable)?;
        let last_payout = self.store.payouts(Self::newest(1)).await.map_err(unavailable)?;
        let last_payout = last_payout.rows.first().map(|row| row.payout.id);
        let first_payout = last_payout.map_or(PayoutId::new(1), PayoutId::next);
        let at = self.clock.date();
        let mut id = first_payout;
        let numbered = parts.into_iter().map(|part| {
            let payout = Payout::export(id, at, part, name.clone());
            id = id.next();
            payout
        });
        let payouts = numbered.collect();
        let signer = &self.exports.signer;
        let export = Export {
            name,
            at,
            pool: signer.hotkey(),
            unit: self.exports.unit.clone(),
            decimals: self.exports.decimals,
            previous: last_batch.rows.first().map(|last| last.head.digest),
            payouts,
        };
        let (Some(text), Some(csv)) = (export.text(), export.csv()) else {
            let why = "the payouts do not make a batch".to_owned();
            return Err(Refusal::ControlRefused(why));
        };
        let head = BatchHead {
            name: export.name,
            at,
            first_payout,
            payouts: export.payouts.len() as u64,
            total,
            digest: BatchDigest::of(&text),
            previous: export.previous,
            signer: signer.hotkey(),
            signature: signer.sign(text.as_bytes()),
            csv_signature: signer.sign(signed_csv(&csv).as_bytes()),
        };
        Ok(NewBatch {
            row: BatchRow { head, text, csv },
            payouts: export.payouts,
        })
    }

    /// Commits what an order changes with its row of the audit trail, and answers `done` once it is durable.
    pub(super) async fn commit(
        &self,
        writes: Vec<Write>,
        done: Value,
        reply: &ReplyTo<Controlled>,
    ) -> Controlled {
        let writes = reply.commit(writes, &done);
        let answer = self.ledger.post(Commit { writes });
        let answer = answer.map_err(|_| Refusal::Busy)?;
        match answer.await {
            Ok(Ok(written)) if written.contains(&Written::PayoutRefused) => Err(Refusal::ControlRefused(
                "a balance is less than it was a moment ago; ask again".to_owned(),
            )),
            Ok(Ok(written)) => {
                reply.committed(&written);
                Ok(done)
            }
            Ok(Err(_)) | Err(_) => Err(Refusal::Unavailable),
        }
    }
}
