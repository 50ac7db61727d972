//! What happens to fronts: the one that leads stands still, loses its way to the ledger, is killed or stopped; with
//! commits and answers on their way, while others find blocks and operators change their minds.

use std::rc::Rc;
use std::time::Duration;

use dwarves_testkit::Prng;

use super::world::{Leading, World};
use crate::chaos::Chaos;
use crate::{check, money};

/// How often it is looked whether somebody leads, and for how long.
const LOOK: Duration = Duration::from_millis(100);
const LOOKS: u32 = 1_200;

/// What makes things happen.
pub(super) struct Drama {
    pub(super) world: Rc<World>,
    pub(super) prng: Prng,
}

/// What happens to whoever leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    StandStill,
    Cut,
    Kill,
    Stop,
}

impl Drama {
    /// All of it.
    pub(super) async fn unfold(mut self) {
        for _ in 0..3 + self.prng.below(4) {
            let leading = self.somebody_leads().await;
            self.pass(500, 7_000).await;
            let act = match self.prng.below(10) {
                0..4 => Act::StandStill,
                4..7 => Act::Cut,
                7..9 => Act::Kill,
                _ => Act::Stop,
            };
            self.act(act, &leading).await;
        }
        self.come_to_rest().await;
    }

    async fn pass(&mut self, least: u64, most: u64) {
        let millis = least + self.prng.below(most - least);
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    fn event(&self, what: &str) {
        let at = self.world.now();
        self.world.notes().event(format!("{at} {what}"));
    }

    async fn somebody_leads(&self) -> Leading {
        for _ in 0..LOOKS {
            if let Some(leading) = self.world.leads() {
                return leading;
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("nobody leads");
    }

    async fn act(&mut self, act: Act, leading: &Leading) {
        let world = self.world.clone();
        let machine = world.machine(leading.front);
        let (front, epoch) = (leading.front, leading.epoch);
        // What is under way at that moment arrives late, or its answer does.
        match self.prng.below(3) {
            0 => machine.line.slow_down(500 + self.prng.below(8_000), 0),
            1 => machine.line.slow_down(0, 500 + self.prng.below(8_000)),
            _ => {}
        }
        self.pass(100, 1_000).await;
        if world.database.epoch() != epoch {
            return machine.line.slow_down(0, 0);
        }
        let signals = machine.signals.borrow().clone();
        self.event(&format!("front {front} of lead {epoch}: {act:?}"));
        match act {
            Act::StandStill => signals.stop(),
            Act::Cut => machine.line.cut(true),
            Act::Kill => signals.kill(),
            Act::Stop => drop(machine.stop.send_replace(true)),
        }
        // Too short to be taken over, or long.
        match self.prng.below(4) {
            0 => self.pass(100, 2_500).await,
            _ => self.pass(4_000, 14_000).await,
        }
        machine.line.slow_down(0, 0);
        machine.line.cut(false);
        signals.go_on();
        let now = self.world.database.epoch();
        self.event(&format!("front {front} goes on, lead {now}"));
    }

    /// Nothing goes wrong any more, and the chain grows until all is deep.
    async fn come_to_rest(&mut self) {
        let leading = self.somebody_leads().await;
        let sim = &self.world.sim;
        let chaos = Chaos::new(sim, &leading.clock, &leading.ports.deliver, self.prng.fork());
        chaos.calm(&leading.ports).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        for state in &sim.miners {
            state.borrow_mut().retired = true;
        }
        let nothing_is_due = || check::nothing_is_due(&sim.memory) && money::all_is_paid(&sim.memory);
        chaos.bury_everything(nothing_is_due).await;
        self.world.is_over.set(true);
        for (front, machine) in (1..).zip(&self.world.machines) {
            if front != leading.front {
                machine.signals.borrow().kill();
            }
        }
        let machine = self.world.machine(leading.front);
        machine.stop.send_replace(true);
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert!(self.world.leads().is_none(), "the pool does not stop");
    }
}

/// What goes on around whoever leads: others find blocks, and operators give orders.
pub(super) async fn go_on_around(world: Rc<World>, mut prng: Prng) {
    loop {
        let Some(leading) = world.leads() else {
            tokio::time::sleep(LOOK).await;
            continue;
        };
        let (deliver, epoch) = (&leading.ports.deliver, leading.epoch);
        let mut chaos = Chaos::new(&world.sim, &leading.clock, deliver, prng.fork());
        // Where others find nothing for a while, a block of whoever led before is the next one even if it comes late.
        let others_find = if prng.chance(40) { 0 } else { 5 };
        let around = async {
            chaos.calm(&leading.ports).await;
            while !world.is_over.get() {
                let wait = 100 + prng.below(2_000);
                tokio::time::sleep(Duration::from_millis(wait)).await;
                match prng.below(10) {
                    others if others < others_find => chaos.others_find_blocks(),
                    5 => chaos.reorganise(),
                    6..9 => chaos.operator_acts().await,
                    _ => {}
                }
            }
        };
        let is_over = async {
            while world.leads().is_some_and(|leading| leading.epoch == epoch) {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            biased;
            () = is_over => {}
            () = around => return,
        }
    }
}
