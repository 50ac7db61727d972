//! The transactions of a template as JSON-RPC shows them, kept as they are written.

use std::cell::RefCell;
use std::sync::Arc;

use dwarves_domain::ids::TemplateId;
use dwarves_domain::work::Template;
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
struct TemplateTxn {
    data: String,
    txid: String,
    hash: String,
}

/// The transactions of the template that was asked for last, as they are written: many miners ask for the same ones.
#[derive(Default)]
pub struct TransactionsCache(RefCell<Option<(TemplateId, Arc<RawValue>)>>);

impl TransactionsCache {
    /// Those of this template.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn of(&self, template: &Template) -> Result<Arc<RawValue>, serde_json::Error> {
        if let Some((id, written)) = &*self.0.borrow()
            && *id == template.id()
        {
            return Ok(Arc::clone(written));
        }
        let transactions = template.chain().transactions.iter();
        let transactions: Vec<_> = transactions
            .map(|transaction| {
                let txid = reversed_hex(transaction.txid);
                TemplateTxn {
                    data: hex::encode(&transaction.data),
                    hash: txid.clone(),
                    txid,
                }
            })
            .collect();
        let written: Arc<RawValue> = serde_json::value::to_raw_value(&transactions)?.into();
        *self.0.borrow_mut() = Some((template.id(), Arc::clone(&written)));
        Ok(written)
    }
}

/// A hash as nodes write it, most significant byte first.
pub(crate) fn reversed_hex(mut hash: [u8; 32]) -> String {
    hash.reverse();
    hex::encode(hash)
}
