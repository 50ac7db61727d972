//! Work on the wrong chain, and work on a tip that is over: neither counts for anything, so neither is given out nor
//! credited.

use std::sync::Arc;

use dwarves_domain::chain_guard::Verdict;
use dwarves_domain::time::Span;

use super::WorkManager;
use crate::control::hold::Hold;
use crate::control::hold::HoldPayouts;
use crate::live_work::{LackOfWork, LiveWork};
use dwarves_ports::chain::{Standing, Tip};
use dwarves_ports::clock::Moment;

/// How long the chain may take for work on a new tip before that on the old one is over. It is over at once if the
/// chain says that it has none.
const RENEWAL_MAX: Span = Span::from_secs(1);

impl WorkManager {
    /// Looks which chain the nodes are on: says it where it changed, and holds work and money.
    pub(super) fn look_at_standing(&mut self) {
        let standing = self.parts.chain.standing();
        if *self.standing != standing {
            self.on_standing(standing);
        }
        let hold = HoldPayouts {
            hold: Hold::Chain,
            detail: self.standing.holds_payouts.clone(),
        };
        if self.told_hold != hold.detail && self.parts.payouts.tell(hold).is_ok() {
            self.told_hold.clone_from(&self.standing.holds_payouts);
        }
    }

    fn on_standing(&mut self, standing: Standing) {
        let before = std::mem::replace(&mut self.standing, Arc::new(standing));
        let now = &self.standing;
        if before.verdict != now.verdict {
            log::info!("chain verdict={} before={}", now.verdict, before.verdict);
        }
        match (&before.trouble, &now.trouble) {
            (before, now) if before == now => {}
            (_, Some(trouble)) => log::error!("ALARM the chain is in doubt: {trouble}"),
            (Some(trouble), None) => log::info!("the chain is no longer in doubt: {trouble} is over"),
            (None, None) => {}
        }
        let is_wrong = now.verdict == Verdict::Minority;
        let is_new = if is_wrong {
            self.holds.insert(LackOfWork::WrongChain)
        } else {
            self.holds.remove(&LackOfWork::WrongChain)
        };
        if is_wrong {
            self.end_all_work();
        }
        if is_new {
            self.publish(LiveWork::clone(&self.work));
        }
    }

    /// Ends everything that is out: its shares are stale from now on.
    pub(super) fn end_all_work(&mut self) {
        if self.work.current.is_none() && self.work.live.is_empty() {
            return;
        }
        let mut work = LiveWork::clone(&self.work);
        work.current = None;
        work.live.clear();
        self.publish(work);
        self.retire_before(self.parts.next_template);
    }

    /// Notes that the chain told a tip. Work on another one is over as soon as there is new work, or none.
    pub(super) fn note_tip(&mut self, tip: Tip) {
        self.tip = Some(tip.hash);
        let is_on_it = |previous| previous == tip.hash;
        let is_over = (self.work.live.iter()).any(|template| !is_on_it(template.chain().previous));
        self.moved = is_over.then(Moment::now);
    }

    /// Ends work on a tip that the chain says is over and gives no other work for.
    pub(super) fn end_work_on_old_tip(&mut self) {
        if self.moved.take().is_none() {
            return;
        }
        log::warn!("the tip that was worked on is over, and the chain gives no work on the new one");
        self.end_all_work();
    }

    /// The same, if the chain takes too long.
    pub(super) fn end_work_on_old_tip_if_late(&mut self) {
        if self.moved.is_some_and(|moved| moved.elapsed() >= RENEWAL_MAX) {
            self.end_work_on_old_tip();
        }
    }
}
