//! The one place that knows whether there is live work, since when not, and when miners are to be let go.
//!
//! Stratum has no message that says "stop": a miner that gets no work goes on with what it has, and no miner leaves a
//! pool that keeps the line open. So whoever mines for nothing must be let go, in order to mine elsewhere.

use actix::prelude::*;

use super::WorkManager;
use super::messages::HoldWork;
use crate::ask::Ask;
use crate::live_work::{LackOfWork, LiveWork, NoWork};
use dwarves_ports::clock::Moment;

impl WorkManager {
    /// Why miners can get no job of `work`, if they cannot.
    fn lack_of(&self, work: &LiveWork) -> Option<LackOfWork> {
        let held = self.holds.first().copied();
        let without = if self.had_work {
            LackOfWork::NoTemplate
        } else {
            LackOfWork::Starting
        };
        held.or_else(|| work.current.is_none().then_some(without))
    }

    /// Writes into `work` whether it is live. What began is one lack until it is over, whatever its reasons.
    pub(super) fn note_lack(&self, work: &mut LiveWork) {
        let before = work.lack.take();
        work.lack = match (self.lack_of(work), before) {
            (None, None) => None,
            (None, Some(before)) => {
                log::info!("live work again after_secs={}", before.began.elapsed().secs());
                None
            }
            (Some(why), Some(before)) if before.why == why => Some(before),
            (Some(why), Some(before)) => {
                log::warn!("no live work why={} ({})", why.as_str(), why.text());
                Some(NoWork { why, ..before })
            }
            (Some(why), None) => {
                // Every pool starts without; that it lasts is said when miners are let go.
                let level = if why == LackOfWork::Starting {
                    log::Level::Info
                } else {
                    log::Level::Warn
                };
                log::log!(level, "no live work why={} ({})", why.as_str(), why.text());
                Some(NoWork {
                    why,
                    since: self.parts.clock.date(),
                    began: Moment::now(),
                    lets_go: false,
                })
            }
        };
    }

    /// Lets miners go once there has been no live work for so long.
    pub(super) fn let_go_if_due(&mut self) {
        let is_due = |lack: &NoWork| !lack.lets_go && lack.began.elapsed() >= self.parts.let_go_after;
        let Some(lack) = self.work.lack.as_ref().filter(|lack| is_due(lack)) else {
            return;
        };
        log::warn!(
            "miners are let go, so that they can work elsewhere why={}",
            lack.why.as_str()
        );
        let mut work = LiveWork::clone(&self.work);
        if let Some(lack) = &mut work.lack {
            lack.lets_go = true;
        }
        self.publish(work);
    }
}

impl Handler<Ask<HoldWork>> for WorkManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<HoldWork>, _: &mut Self::Context) {
        let HoldWork { why, holds } = ask.payload;
        let is_new = if holds {
            self.holds.insert(why)
        } else {
            self.holds.remove(&why)
        };
        if is_new {
            self.publish(LiveWork::clone(&self.work));
        }
        ask.reply.answer(());
    }
}
