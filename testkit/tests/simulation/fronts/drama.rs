//! What happens to fronts: the one that leads stands still, loses its way to the ledger, is killed or stopped; with
//! commits and answers on their way, while others find blocks, operators change their minds, the clock of the machine
//! jumps and the node is on a branch of its own.

use std::rc::Rc;
use std::time::Duration;

use dwarves_domain::time::Span;
use dwarves_testkit::Prng;

use super::world::{Leading, World};
use crate::chaos::Chaos;
use crate::{check, money};

/// How often it is looked whether somebody leads, and for how long.
const LOOK: Duration = Duration::from_millis(100);
const LOOKS: u32 = 1_200;

/// After how long what was late has arrived.
const ARRIVED: Span = Span::from_secs(10);

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
            // Now and then all is well for a while.
            let most = if self.prng.chance(20) { 30_000 } else { 7_000 };
            self.pass(500, most).await;
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
            crate::nothing_panicked();
            tokio::time::sleep(LOOK).await;
        }
        panic!("nobody leads");
    }

    async fn act(&mut self, act: Act, leading: &Leading) {
        let world = self.world.clone();
        let machine = world.machine(leading.front);
        let (front, epoch) = (leading.front, leading.epoch);
        world.steady_from.set(None);
        // What is under way at that moment arrives late, or its answer does.
        match self.prng.below(5) {
            0..2 => machine.line.slow_down(500 + self.prng.below(8_000), 0),
            2..4 => machine.line.slow_down(0, 500 + self.prng.below(8_000)),
            _ => {}
        }
        self.pass(100, 1_000).await;
        if world.database.epoch() != epoch {
            machine.line.slow_down(0, 0);
            return world.steady_from.set(Some(world.now().plus(ARRIVED)));
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
        world.steady_from.set(Some(world.now().plus(ARRIVED)));
        let now = self.world.database.epoch();
        self.event(&format!("front {front} goes on, lead {now}"));
    }

    /// Lets whoever leads work. It may be about to stop, and then it is the next one's turn.
    async fn the_last_leads(&mut self) -> (Leading, Chaos) {
        loop {
            let leading = self.somebody_leads().await;
            leading.clock.jump(-self.world.wrong(&leading.clock));
            let (sim, deliver) = (&self.world.sim, &leading.ports.deliver);
            let chaos = Chaos::new(sim, &leading.clock, deliver, self.prng.fork());
            chaos.calm(&leading.ports).await;
            tokio::time::sleep(Duration::from_secs(10)).await;
            let is_to_stop = *self.world.machine(leading.front).stop.borrow();
            let leads = |now: Leading| now.epoch == leading.epoch;
            if !is_to_stop && self.world.leads().is_some_and(leads) {
                return (leading, chaos);
            }
        }
    }

    /// Nothing goes wrong any more, and the chain grows until all is deep.
    async fn come_to_rest(&mut self) {
        self.world.is_calm.set(true);
        // What goes on around has ended then.
        tokio::time::sleep(LOOK * 2).await;
        // Somebody has set the clocks right at last.
        let machines = self.world.machines.iter();
        machines.for_each(|machine| machine.wrong.set(0));
        let (leading, chaos) = self.the_last_leads().await;
        let sim = &self.world.sim;
        for state in &sim.miners {
            state.borrow_mut().retired = true;
        }
        sim.peer.borrow_mut().retired = true;
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

/// What goes on around whoever leads: others find blocks, operators give orders, the clock jumps, the node forks.
pub(super) async fn go_on_around(world: Rc<World>, mut prng: Prng) {
    while !world.is_calm.get() {
        let Some(leading) = world.leads() else {
            tokio::time::sleep(LOOK).await;
            continue;
        };
        let is_over = async {
            let leads = || world.leads().is_some_and(|now| now.epoch == leading.epoch);
            while leads() && !world.is_calm.get() {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            biased;
            () = is_over => {}
            () = go_on_around_lead(&world, &leading, prng.fork()) => {}
        }
    }
}

async fn go_on_around_lead(world: &World, leading: &Leading, mut prng: Prng) {
    let mut chaos = Chaos::new(&world.sim, &leading.clock, &leading.ports.deliver, prng.fork());
    if world.sim.fork.is_on() {
        chaos.event(&format!("lead {} begins on a branch", leading.epoch));
        let stays = prng.below(4_000);
        tokio::time::sleep(Duration::from_millis(stays)).await;
    }
    chaos.calm(&leading.ports).await;
    // Where others find nothing for a while, a block of whoever led before is the next one even if it comes late.
    let others_find = if prng.chance(40) { 0 } else { 50 };
    loop {
        let wait = 100 + prng.below(2_000);
        tokio::time::sleep(Duration::from_millis(wait)).await;
        match prng.below(100) {
            others if others < others_find => chaos.others_find_blocks(),
            50..60 => chaos.reorganise(),
            60..85 => chaos.operator_acts().await,
            85..89 => chaos.clock_jumps().await,
            89..94 => chaos.node_forks(|| world.is_steady()).await,
            _ => {}
        }
    }
}
