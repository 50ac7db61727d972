//! Who is due, and who of them is paid by the next transaction: as far as coins, size and the cap on fees go.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::PayoutAddress;
use crate::hotkey::Hotkey;
use crate::units::Amount;

use super::batch::Part;
use super::coins::{ChooseError, Outputs, Price, Purse};
use super::plan::{Payee, Plan, PlanError, PlanRules, WhyHeld};

/// The least virtual bytes of a usual output, to a key's hash with witness: what cannot pay for that is not even
/// read.
const OUTPUT_VBYTES_MIN: u64 = 31;
/// How many that do not pay for themselves are tried to ride along without success before no more are.
const RIDERS_IN_VAIN_MAX: u32 = 64;

/// Plans the next payout: every miner whose balance has reached its threshold, as far as the purse goes and one
/// transaction takes, so that nobody waits because of another.
///
/// The smallest balances come first, equal ones in the order of hotkeys; the first that does not fit whole is paid in
/// part, and what is larger waits. If the network would take too much of it all, the smallest are left out, one by
/// one, and the largest of them ride along as far as the others' room for fees goes.
///
/// # Errors
/// If the candidates are not what a ledger holds.
pub fn plan(candidates: Vec<Payee>, rules: &PlanRules, purse: &Purse) -> Result<Plan, PlanError> {
    let mut plan = Plan::default();
    let mut miners = BTreeSet::new();
    let mut sum = Amount::ZERO;
    let mut due = Vec::new();
    for candidate in candidates {
        if !miners.insert(candidate.hotkey) {
            return Err(PlanError::Twice(candidate.hotkey));
        }
        let Payee {
            hotkey,
            payable,
            address,
            threshold,
        } = candidate;
        sum = sum.checked_add(payable).ok_or(PlanError::Overflow)?;
        let threshold = rules.threshold_of(threshold);
        match address {
            _ if payable == Amount::ZERO => {}
            _ if payable < threshold => plan.hold(hotkey, WhyHeld::BelowThreshold, payable)?,
            None => plan.hold(hotkey, WhyHeld::NoAddress, payable)?,
            Some(address) => due.push(Due::new(hotkey, payable, threshold, address)),
        }
    }
    due.sort_unstable_by(|a, b| a.payable.cmp(&b.payable).then(a.hotkey.cmp(&b.hotkey)));
    Draft::of(due, rules, purse).write_into(plan)
}

/// Where a balance goes.
#[derive(Clone, Debug)]
struct Target {
    address: String,
    script: Vec<u8>,
}

/// A balance that has reached its threshold.
#[derive(Clone, Debug)]
struct Due {
    hotkey: Hotkey,
    payable: Amount,
    threshold: Amount,
    address: String,
    /// Read when it is looked at first.
    target: Option<Target>,
    /// What of it is paid.
    paid: Amount,
    /// Why the rest of it waits.
    why: WhyHeld,
}

impl Due {
    fn new(hotkey: Hotkey, payable: Amount, threshold: Amount, address: String) -> Self {
        Self {
            hotkey,
            payable,
            threshold,
            address,
            target: None,
            paid: Amount::ZERO,
            why: WhyHeld::NextBatch,
        }
    }

    fn read(&mut self, rules: &PlanRules) -> Result<Target, WhyHeld> {
        if let Some(target) = &self.target {
            return Ok(target.clone());
        }
        let address = PayoutAddress::parse(&self.address, rules.addresses);
        let address = address.map_err(|_| WhyHeld::AddressInvalid)?;
        let script = address.script();
        if rules.refused.contains(&script) {
            return Err(WhyHeld::AddressRefused);
        }
        if rules.suspected.contains(&script) {
            return Err(WhyHeld::NextBatch);
        }
        let target = Target {
            address: address.to_string(),
            script,
        };
        Ok(self.target.insert(target).clone())
    }
}

/// A transaction that is being put together.
struct Draft<'a> {
    rules: &'a PlanRules,
    purse: &'a Purse,
    /// All that are due, the smallest first.
    due: Vec<Due>,
    /// How many parts go to each script.
    scripts: BTreeMap<Vec<u8>, usize>,
    outputs: Outputs,
    total: Amount,
    price: Option<Price>,
    /// Why those wait that come after the first that did not fit.
    why_full: WhyHeld,
}

impl<'a> Draft<'a> {
    fn of(due: Vec<Due>, rules: &'a PlanRules, purse: &'a Purse) -> Self {
        let mut draft = Self {
            rules,
            purse,
            due,
            scripts: BTreeMap::new(),
            outputs: Outputs::default(),
            total: Amount::ZERO,
            price: None,
            why_full: WhyHeld::NextBatch,
        };
        let left_out = draft.fill_until_cheap();
        if draft.total == Amount::ZERO {
            draft.take_one(&left_out);
        }
        draft.let_ride_along(&left_out);
        draft.price = draft.priced(draft.total, draft.outputs).ok();
        draft
    }

    /// Takes the smallest balances, and while the network would take too much of it all, leaves the smallest of them
    /// out again and takes larger ones for them. Returns those that are left out.
    fn fill_until_cheap(&mut self) -> Vec<usize> {
        let mut left_out = Vec::new();
        let (mut next, mut smallest) = (0, 0);
        loop {
            next = self.fill(next, &mut left_out);
            if self.total == Amount::ZERO || self.priced(self.total, self.outputs).is_ok() {
                break;
            }
            while self.due[smallest].paid == Amount::ZERO {
                smallest += 1;
            }
            self.give_back(smallest);
            self.due[smallest].why = WhyHeld::FeeTooHigh;
            left_out.push(smallest);
            if smallest == next {
                // It was paid in part.
                next += 1;
            } else if next < self.due.len() {
                // More of it fits now, if a part of it was taken.
                self.give_back(next);
            }
        }
        for later in self.due.iter_mut().skip(next) {
            later.why = self.why_full;
        }
        left_out
    }

    /// Takes balances whole from `next` on, as far as coins and size go, and a part of the first that does not fit.
    /// Returns which that is, and notes those that cannot pay for their own outputs.
    fn fill(&mut self, next: usize, left_out: &mut Vec<usize>) -> usize {
        for place in next..self.due.len() {
            let payable = self.due[place].payable;
            if !self.pays_for(payable, OUTPUT_VBYTES_MIN) {
                self.due[place].why = WhyHeld::FeeTooHigh;
                left_out.push(place);
                continue;
            }
            // A full transaction takes nobody any more, not even to an address that it pays already: so no more
            // addresses are read than one transaction has, however many miners are due.
            if self.scripts.len() >= self.rules.outputs_max {
                self.why_full = WhyHeld::NextBatch;
                return place;
            }
            let target = match self.due[place].read(self.rules) {
                Ok(target) => target,
                Err(why) => {
                    self.due[place].why = why;
                    continue;
                }
            };
            let output = self.new_output(&target.script);
            if !self.pays_for(payable, output.vbytes) {
                self.due[place].why = WhyHeld::FeeTooHigh;
                left_out.push(place);
                continue;
            }
            let outputs = self.outputs.and(output);
            let payer = self.rules.payer;
            let total = self.total_with(payable);
            if self.purse.price(total, outputs, payer, Amount::MAX).is_ok() {
                self.take(place, payable);
                continue;
            }
            let (most, by_size) = self.purse.most(outputs, payer);
            self.why_full = if by_size {
                WhyHeld::NextBatch
            } else {
                WhyHeld::ShortOfFunds
            };
            // One output more can cost what the others were counted on: then nothing fits.
            let fits = most.checked_sub(self.total).unwrap_or(Amount::ZERO);
            let part = self.part_of(&self.due[place], fits);
            if let Some(part) = part.filter(|part| self.pays_for(*part, output.vbytes)) {
                self.take(place, part);
            }
            return place;
        }
        self.due.len()
    }

    /// Whether an output of this size costs no more of an amount than the network may take.
    fn pays_for(&self, amount: Amount, vbytes: u64) -> bool {
        let terms = self.rules.terms;
        let cost = terms.rate.fee_of(vbytes);
        cost.is_some_and(|cost| cost <= amount.fee(terms.fee_max))
    }

    /// The part of a balance that is paid if only so much fits: the rest stays above its threshold, if it can, so
    /// that the next payout takes it.
    fn part_of(&self, due: &Due, fits: Amount) -> Option<Amount> {
        let least = self.rules.least();
        let above = due.payable.checked_sub(due.threshold);
        let above = above.expect("only a balance that has reached its threshold is due");
        let part = if above >= least { fits.min(above) } else { fits };
        (part >= least).then_some(part)
    }

    /// The output that a script needs and that is not there yet.
    fn new_output(&self, script: &[u8]) -> Outputs {
        if self.scripts.contains_key(script) {
            Outputs::default()
        } else {
            Outputs::one(script.len())
        }
    }

    /// What is paid together with one balance more.
    fn total_with(&self, amount: Amount) -> Amount {
        let total = self.total.checked_add(amount);
        total.expect("the sum of all balances fits an amount: the plan looked")
    }

    fn take(&mut self, place: usize, amount: Amount) {
        let total = self.total_with(amount);
        let due = &mut self.due[place];
        let target = due.target.as_ref();
        let target = target.expect("a balance is taken once its address was read");
        due.paid = amount;
        let count = self.scripts.entry(target.script.clone()).or_insert(0);
        *count += 1;
        if *count == 1 {
            self.outputs = self.outputs.and(Outputs::one(target.script.len()));
        }
        self.total = total;
    }

    fn give_back(&mut self, place: usize) {
        let due = &mut self.due[place];
        if due.paid == Amount::ZERO {
            return;
        }
        let target = due.target.as_ref();
        let target = target.expect("what is paid has an address, which was read");
        let total = self.total.checked_sub(due.paid);
        self.total = total.expect("what is given back is a part of the total");
        due.paid = Amount::ZERO;
        if let Some(count) = self.scripts.get_mut(&target.script) {
            *count -= 1;
            if *count == 0 {
                self.scripts.remove(&target.script);
                let gone = Outputs::one(target.script.len());
                self.outputs.count -= gone.count;
                self.outputs.vbytes -= gone.vbytes;
            }
        }
    }

    /// What a transaction costs, if that is no more than the network may take of it.
    fn priced(&self, total: Amount, outputs: Outputs) -> Result<Price, ChooseError> {
        let terms = self.rules.terms;
        self.purse
            .price(total, outputs, self.rules.payer, total.fee(terms.fee_max))
    }

    /// Takes the smallest that can be paid alone, if everything together was too dear.
    fn take_one(&mut self, left_out: &[usize]) {
        for &place in left_out {
            let due = &self.due[place];
            let Some(target) = &due.target else { continue };
            let (payable, output) = (due.payable, Outputs::one(target.script.len()));
            if self.priced(payable, output).is_ok() {
                return self.take(place, payable);
            }
        }
    }

    /// Takes of those that were left out as many as the others' room for fees carries, the largest first.
    fn let_ride_along(&mut self, left_out: &[usize]) {
        if self.total == Amount::ZERO {
            return;
        }
        let mut left_out = left_out.to_vec();
        left_out.sort_unstable();
        let mut in_vain = 0;
        for place in left_out.into_iter().rev() {
            if self.scripts.len() >= self.rules.outputs_max || in_vain >= RIDERS_IN_VAIN_MAX {
                return;
            }
            if self.due[place].paid > Amount::ZERO {
                continue;
            }
            let target = match self.due[place].read(self.rules) {
                Ok(target) => target,
                Err(why) => {
                    self.due[place].why = why;
                    continue;
                }
            };
            let payable = self.due[place].payable;
            let outputs = self.outputs.and(self.new_output(&target.script));
            let total = self.total_with(payable);
            if self.priced(total, outputs).is_ok() {
                self.take(place, payable);
            } else {
                in_vain += 1;
            }
        }
    }

    /// The plan with all that are due in it.
    fn write_into(self, mut plan: Plan) -> Result<Plan, PlanError> {
        for due in self.due {
            let rest = due.payable.checked_sub(due.paid).ok_or(PlanError::Overflow)?;
            if rest > Amount::ZERO {
                plan.hold(due.hotkey, due.why, rest)?;
            }
            if due.paid > Amount::ZERO {
                let target = due.target.expect("what is paid has an address, which was read");
                plan.parts.push(Part {
                    hotkey: due.hotkey,
                    address: target.address,
                    amount: due.paid,
                    fee: Amount::ZERO,
                    borne: Amount::ZERO,
                });
            }
        }
        plan.total = self.total;
        plan.price = self.price;
        let parts = &mut plan.parts;
        parts.sort_unstable_by(|a, b| b.amount.cmp(&a.amount).then(a.hotkey.cmp(&b.hotkey)));
        Ok(plan)
    }
}
