//! What happens to a pool that has work evaluated: evaluators that go away, a clock that jumps, and operators who change
//! their minds.

use std::time::Duration;

use dwarves_actors::miner_manager::messages::MinerControl;
use dwarves_actors::pool_manager::messages::{ControlMessage, Deliver, PoolControl};
use dwarves_actors::reward_distributor::messages::DistributorControl;
use dwarves_actors::work_evaluator::messages::EvaluatorControl;
use dwarves_domain::time::Span;
use dwarves_domain::units::BasisPoints;
use dwarves_ports::clock::Clock;
use dwarves_testkit::build::{hotkey, sats};
use dwarves_testkit::{Prng, SimClock};

use super::judge::Judge;
use super::oracle::rounds_of;
use super::sender::Door;
use crate::backup::word;

/// What makes things happen.
pub(super) struct Operator {
    pub(super) door: Door,
    pub(super) judge: Judge,
    pub(super) clock: SimClock,
    pub(super) prng: Prng,
    pub(super) miners: u8,
}

impl Operator {
    /// Undoes what the life before may have left behind, so that this one can work.
    pub(super) async fn calm(&self) {
        self.judge.set_away(false);
        for control in [
            ControlMessage::Pool(PoolControl::Resume),
            ControlMessage::Rewards(DistributorControl::Resume),
        ] {
            let _done = self.act(control).await;
        }
        for n in 0..self.miners {
            let unban = MinerControl::Unban { hotkey: hotkey(n) };
            let _unknown_or_done = self.act(ControlMessage::Miners(unban)).await;
        }
    }

    /// Goes on for as long as the life does.
    pub(super) async fn rage(mut self) {
        loop {
            let wait = 200 + self.prng.below(3_000);
            tokio::time::sleep(Duration::from_millis(wait)).await;
            match self.prng.below(100) {
                0..10 => self.evaluators_go_away().await,
                10..18 => self.clock_jumps().await,
                18..30 => self.emission_changes().await,
                30..38 => self.fee_changes().await,
                38..46 => self.removes().await,
                46..80 => self.gives_an_order().await,
                80..92 => super::exports::order(&self.door, &mut self.prng).await,
                _ => {}
            }
        }
    }

    async fn evaluators_go_away(&mut self) {
        self.judge.set_away(true);
        self.door.records.event("evaluators away");
        let away = self.prng.below(15_000);
        tokio::time::sleep(Duration::from_millis(away)).await;
        self.judge.set_away(false);
        self.door.records.event("evaluators are back");
    }

    /// The machine's clock is set wrong for a while.
    async fn clock_jumps(&mut self) {
        let millis = self.prng.below(30_000) as i64;
        let millis = if self.prng.chance(50) { millis } else { -millis };
        self.clock.jump(millis);
        self.door.records.event(format!("clock jumped by {millis} ms"));
        let wrong_for = self.prng.below(12_000);
        tokio::time::sleep(Duration::from_millis(wrong_for)).await;
        self.clock.jump(-millis);
    }

    async fn emission_changes(&mut self) {
        let amount = [0, 1, 7, 1_000_000, 999_999_999_999][self.prng.below(5) as usize];
        let records = self.door.records.clone();
        let place = records.change(|told| told.emission.send(amount, rounds_of(&self.door.memory)));
        let set = DistributorControl::SetEmission(sats(amount));
        if self.act(ControlMessage::Rewards(set)).await {
            records.change(|told| told.emission.done(place, rounds_of(&self.door.memory)));
        }
    }

    async fn fee_changes(&mut self) {
        let bps = [0, 1, 333, 10_000][self.prng.below(4) as usize];
        let fee = BasisPoints::new(bps).expect("at most one whole");
        let records = self.door.records.clone();
        let place = records.change(|told| told.fee.send(bps, rounds_of(&self.door.memory)));
        if self
            .act(ControlMessage::Rewards(DistributorControl::SetFee(fee)))
            .await
        {
            records.change(|told| told.fee.done(place, rounds_of(&self.door.memory)));
        }
    }

    /// A submission of whomever is removed.
    async fn removes(&mut self) {
        let known: Vec<_> = self.door.records.told().acknowledged.into_keys().collect();
        if known.is_empty() {
            return;
        }
        let id = known[self.prng.below(known.len() as u64) as usize];
        self.door.records.change(|told| told.unwanted.insert(id));
        let remove = ControlMessage::Evaluator(EvaluatorControl::RemoveSubmission(id));
        if self.act(remove).await {
            self.door.records.change(|told| told.removed.insert(id));
        }
    }

    async fn gives_an_order(&mut self) {
        let (control, undo) = match self.prng.below(7) {
            0 => (
                ControlMessage::Pool(PoolControl::Pause),
                Some(ControlMessage::Pool(PoolControl::Resume)),
            ),
            1 => (
                ControlMessage::Rewards(DistributorControl::Pause),
                Some(ControlMessage::Rewards(DistributorControl::Resume)),
            ),
            2 => (
                ControlMessage::Miners(MinerControl::Ban {
                    hotkey: hotkey(self.prng.below(u64::from(self.miners)) as u8),
                    reason: "by chance".to_owned(),
                    until: Some(self.clock.date().plus(Span::from_secs(5))),
                }),
                None,
            ),
            3 => {
                let interval = Span::from_secs(1 + self.prng.below(5));
                let set = DistributorControl::SetRunInterval(interval);
                (ControlMessage::Rewards(set), None)
            }
            4 => (ControlMessage::Pool(PoolControl::Status), None),
            5 => (ControlMessage::Evaluator(EvaluatorControl::Status), None),
            _ => (ControlMessage::Rewards(DistributorControl::DistributeNow), None),
        };
        let _done = self.act(control).await;
        if let Some(undo) = undo {
            let later = self.prng.below(4_000);
            tokio::time::sleep(Duration::from_millis(later)).await;
            let _done = self.act(undo).await;
        }
    }

    /// Whether it is known to be done.
    async fn act(&self, control: ControlMessage) -> bool {
        let what = format!("{control:?}");
        let deliver = &self.door.ports.deliver;
        let outcome = deliver.ask(Deliver(control), Duration::from_secs(30)).await.ok();
        let word = word(outcome.as_ref());
        self.door.records.event(format!("operator: {what}: {word}"));
        matches!(outcome, Some(Ok(_)))
    }
}
