//! A batch of exported payouts: who is in it, and the two forms of it that are signed, kept and answered, byte for byte.
//!
//! The text is [`DOMAIN_LINE`], a line feed, and one JSON object without spaces or line feeds behind it: members in the
//! order of their names' bytes, all numbers whole and written as decimal texts, nothing that would need an escape, as
//! statements of work are. The table has the same payouts as CSV (RFC 4180); what is signed of it is
//! [`CSV_DOMAIN_LINE`], a line feed and the table. Each text names the digest of the batch before, so none can be changed,
//! left out or put in between without all that follow.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use super::exported::{BatchName, Exported};
use super::payout::Payout;
use super::plan::{Payee, Plan, PlanError, PlanRules, WhyHeld};
use super::{Part, PayoutState};
use crate::address::{AddressFormat, PayoutAddress};
use crate::hotkey::Hotkey;
use crate::text_digest::text_digest;
use crate::time::Timestamp;
use crate::units::{Amount, in_units};

/// The first line of every batch's text.
pub const DOMAIN_LINE: &str = "dwarves/payout-batch/1";
/// The first line of what is signed of a batch's table.
pub const CSV_DOMAIN_LINE: &str = "dwarves/payout-batch-csv/1";
/// The columns of the table.
const COLUMNS: &str = "batch,payout,hotkey,address,amount,amount_in_units,unit";

/// The most payouts of one batch. Who is not in it is in the next one.
pub const PAYOUTS_MAX: usize = 1_000;

text_digest!(
    /// The SHA-256 of a batch's text.
    BatchDigest
);

/// Who is in the next batch: every miner whose balance has reached its threshold and who can be paid, with all of it; the
/// largest balance first, equal ones in the order of hotkeys, at most `most` of them.
///
/// # Errors
/// If the candidates are not what a ledger holds.
pub fn plan_export(candidates: Vec<Payee>, rules: &PlanRules, most: usize) -> Result<Plan, PlanError> {
    let mut plan = Plan::default();
    let mut miners = BTreeSet::new();
    let mut sum = Amount::ZERO;
    let mut due = Vec::new();
    for candidate in candidates {
        let Payee {
            hotkey,
            payable,
            address,
            threshold,
        } = candidate;
        if !miners.insert(hotkey) {
            return Err(PlanError::Twice(hotkey));
        }
        sum = sum.checked_add(payable).ok_or(PlanError::Overflow)?;
        if payable == Amount::ZERO {
            continue;
        }
        if payable < rules.threshold_of(threshold) {
            plan.hold(hotkey, WhyHeld::BelowThreshold, payable)?;
            continue;
        }
        match payable_to(hotkey, address.as_deref(), rules.addresses) {
            Err(why) => plan.hold(hotkey, why, payable)?,
            Ok(address) => due.push(Part {
                hotkey,
                address,
                amount: payable,
                fee: Amount::ZERO,
                borne: Amount::ZERO,
            }),
        }
    }
    due.sort_unstable_by(|a, b| b.amount.cmp(&a.amount).then(a.hotkey.cmp(&b.hotkey)));
    for part in due.drain(most.min(due.len())..) {
        plan.hold(part.hotkey, WhyHeld::NextBatch, part.amount)?;
    }
    let total = Amount::checked_sum(due.iter().map(|part| part.amount));
    plan.total = total.ok_or(PlanError::Overflow)?;
    plan.parts = due;
    Ok(plan)
}

/// Where a miner is paid: a pool without payout addresses pays hotkeys.
fn payable_to(hotkey: Hotkey, address: Option<&str>, addresses: AddressFormat) -> Result<String, WhyHeld> {
    if addresses == AddressFormat::Nothing {
        return Ok(hotkey.to_string());
    }
    let address = address.ok_or(WhyHeld::NoAddress)?;
    let address = PayoutAddress::parse(address, addresses).map_err(|_| WhyHeld::AddressInvalid)?;
    Ok(address.to_string())
}

/// A batch as it is when it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its name.
    pub name: BatchName,
    /// When its money is set aside.
    pub at: Timestamp,
    /// The pool's own hotkey, which signs it.
    pub pool: Hotkey,
    /// What amounts are counted in: 1 to 12 letters and digits.
    pub unit: String,
    /// Decimal places of the unit: amounts are whole numbers of its smallest part.
    pub decimals: u8,
    /// The digest of the batch before; `None` for the first.
    pub previous: Option<BatchDigest>,
    /// Its payouts, numbered on one by one.
    pub payouts: Vec<Payout>,
}

impl Export {
    /// What all of its payouts come to; `None` if that does not fit.
    pub fn total(&self) -> Option<Amount> {
        Amount::checked_sum(
            self.payouts
                .iter()
                .flat_map(|payout| &payout.parts)
                .map(|part| part.amount),
        )
    }

    /// Whether each of its payouts is one miner's, exported in this batch at this time, and nothing became of it yet.
    fn is_whole(&self) -> bool {
        let mut numbers = self.payouts.iter().map(|payout| payout.id);
        let is_of_it = |payout: &Payout| {
            let exported = payout.exported.as_ref();
            let is_bare = |exported: &Exported| exported.batch == self.name && exported.reference.is_none();
            payout.state == PayoutState::Exported
                && payout.reserved_at == self.at
                && payout.sent_at.is_none()
                && payout.parts.len() == 1
                && exported.is_some_and(is_bare)
        };
        numbers
            .clone()
            .zip(numbers.by_ref().skip(1))
            .all(|(one, next)| one.next() == next)
            && self.payouts.iter().all(is_of_it)
    }

    /// The text; `None` if the sum of all does not fit, or the payouts are not those of a batch that begins.
    pub fn text(&self) -> Option<String> {
        let total = self.total().filter(|_| self.is_whole())?;
        let mut text = String::with_capacity(512 + 200 * self.payouts.len());
        // Writing to a text cannot fail.
        let _infallible = self.write(&mut text, total);
        Some(text)
    }

    fn write(&self, text: &mut String, total: Amount) -> fmt::Result {
        write!(
            text,
            r#"{DOMAIN_LINE}{}{{"batch":"{}","created_at":"{}","decimals":"{}","payouts":["#,
            '\n',
            self.name,
            self.at.secs(),
            self.decimals,
        )?;
        for (place, (payout, part)) in self.rows().enumerate() {
            let between = if place == 0 { "" } else { "," };
            write!(
                text,
                r#"{between}{{"address":"{}","amount":"{}","hotkey":"{}","payout":"{}"}}"#,
                part.address,
                part.amount.sats(),
                part.hotkey,
                payout.id
            )?;
        }
        let previous = self.previous.map(|digest| digest.to_string()).unwrap_or_default();
        write!(
            text,
            r#"],"pool":"{}","previous":"{previous}","total":"{}","unit":"{}"}}"#,
            self.pool,
            total.sats(),
            self.unit
        )
    }

    /// The table; as [`Self::text`].
    pub fn csv(&self) -> Option<String> {
        self.total().filter(|_| self.is_whole())?;
        let mut csv = String::with_capacity(128 + 200 * self.payouts.len());
        csv.push_str(COLUMNS);
        csv.push_str("\r\n");
        for (payout, part) in self.rows() {
            // Writing to a text cannot fail.
            let _infallible = write!(
                csv,
                "{},{},{},{},{},{},{}\r\n",
                self.name,
                payout.id,
                part.hotkey,
                part.address,
                part.amount.sats(),
                in_units(part.amount.sats().into(), self.decimals),
                self.unit
            );
        }
        Some(csv)
    }

    fn rows(&self) -> impl Iterator<Item = (&Payout, &Part)> {
        self.payouts
            .iter()
            .flat_map(|payout| payout.parts.iter().map(move |part| (payout, part)))
    }
}

/// What is signed of a batch's table.
pub fn signed_csv(csv: &str) -> String {
    format!("{CSV_DOMAIN_LINE}\n{csv}")
}

#[cfg(test)]
mod tests;
