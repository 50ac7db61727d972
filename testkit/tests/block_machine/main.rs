//! The way of a block, killed between every two of its steps, and over a chain that fails in every way that a
//! chain can fail. Whatever happens, in the end every miner has what its work in the blocks' windows is worth: no
//! block of the pool is missing, none is paid twice, and nobody keeps what an orphan paid.
//!
//! A step is a call to the chain or a commit, before and after. The story (see `story`) is told over as many lives
//! of the pool as crashes make of it; the chain and the store are what outlives them. What must hold is in `check`.

mod check;
mod story;

use dwarves_testkit::ChainFault;
use story::{Ending, Plan, Story};

/// Tells the story by this plan, whatever lives it takes, and checks its end. Gives how many steps and calls the
/// first life took.
fn tell(ending: Ending, plan: Plan) -> (u64, u64) {
    let mut story = Story::new(ending);
    let first = story.live(plan);
    check::books(story.store());
    for _ in 0..3 {
        if story.is_over() {
            break;
        }
        story.live(Plan::default());
        check::books(story.store());
    }
    assert!(story.is_over(), "the story comes to its end with {plan:?}");
    check::end(&story);
    first
}

fn kill_between_every_two_steps(ending: Ending) {
    let (steps, _) = tell(ending, Plan::default());
    assert!(steps > 60, "the story has {steps} steps");
    for step in 1..=steps {
        tell(
            ending,
            Plan {
                crash_at: Some(step),
                fault: None,
            },
        );
    }
}

#[test]
fn a_crash_between_any_two_steps_pays_everybody_once() {
    kill_between_every_two_steps(Ending::Orphaned);
}

#[test]
fn a_crash_between_any_two_steps_pays_everybody_once_when_an_orphan_comes_back() {
    kill_between_every_two_steps(Ending::BroughtBack);
}

#[test]
fn a_crash_between_any_two_steps_of_a_deep_reorganisation_is_the_reserves_loss() {
    kill_between_every_two_steps(Ending::DeepReorg);
}

fn fail_every_call(fault: ChainFault) {
    for ending in Ending::ALL {
        let (_, calls) = tell(ending, Plan::default());
        assert!(calls > 30, "the story has {calls} calls");
        for call in 1..=calls {
            tell(
                ending,
                Plan {
                    crash_at: None,
                    fault: Some((call, fault)),
                },
            );
        }
    }
}

#[test]
fn a_call_that_does_not_reach_the_chain_is_made_again() {
    fail_every_call(ChainFault::LostBefore);
}

#[test]
fn a_call_whose_answer_is_lost_is_made_again() {
    fail_every_call(ChainFault::LostAfter);
}

#[test]
fn a_call_that_is_never_answered_is_given_up_and_made_again() {
    fail_every_call(ChainFault::NeverAnswered);
}

#[test]
fn a_call_that_is_made_twice_does_nothing_twice() {
    fail_every_call(ChainFault::Twice);
}

#[test]
fn an_answer_of_before_is_put_right_by_the_next() {
    fail_every_call(ChainFault::Stale);
}

/// A lost call and, some steps later, the end: for every fault and every seventh call.
#[test]
fn a_crash_soon_after_a_failed_call_pays_everybody_once() {
    for fault in ChainFault::ALL {
        for call in (1..40).step_by(7) {
            for after in [1, 3, 8] {
                tell(
                    Ending::BroughtBack,
                    Plan {
                        crash_at: Some(call * 2 + 10 + after),
                        fault: Some((call, fault)),
                    },
                );
            }
        }
    }
}
