//! Orders that hold although they could not be stored: kept here, and written again until they are.

use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_ports::store::{StoreError, StoreErrorKind, Write};

use super::Ledger;

/// Writes of operators' orders that are kept while the disk takes nothing; more are refused.
const KEPT_MAX: usize = 256;
/// How often they are tried if nobody else writes.
const KEPT_RETRY: Duration = Duration::from_secs(5);

impl Ledger {
    /// Keeps orders that could not be stored, if that is what hinders them and there is room.
    pub(super) fn keep(&mut self, orders: Vec<Write>, error: &StoreError) -> bool {
        let is_hindered = error.kind() == StoreErrorKind::Unavailable;
        if !is_hindered || self.kept.len() + orders.len() > KEPT_MAX {
            return false;
        }
        log::warn!("an operator's order holds but is not saved yet: {error}");
        self.kept.extend(orders);
        true
    }

    /// Tries again to store what is kept, should nobody else write.
    pub(super) fn retry_kept(&mut self, ctx: &mut Context<Self>) {
        if self.kept.is_empty() || self.is_retrying || self.refusing.is_some() {
            return;
        }
        self.is_retrying = true;
        let later = wrap_future::<_, Self>(tokio::time::sleep(KEPT_RETRY));
        ctx.spawn(later.map(|(), this, ctx| {
            this.is_retrying = false;
            if this.under_way.is_empty() && !this.kept.is_empty() {
                this.begin(ctx);
            }
        }));
    }
}
