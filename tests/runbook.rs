//! What `status`, `/readyz` and the figures name stands in RUNBOOK.md under the very same name.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use dwarves_actors::control::hold::Hold;
use dwarves_actors::live_work::LackOfWork;
use dwarves_actors::paymaster::trouble::TroubleKind;
use dwarves_domain::chain_guard::Verdict;
use dwarves_domain::payouts::WhyHeld;

#[test]
fn an_operator_finds_every_name_in_the_runbook() {
    let runbook = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/RUNBOOK.md")).unwrap();
    let names = std::iter::empty()
        .chain(LackOfWork::ALL.map(LackOfWork::as_str))
        .chain(Hold::ALL.map(Hold::name))
        .chain(TroubleKind::ALL.map(TroubleKind::name))
        .chain(Verdict::ALL.map(Verdict::as_str))
        .chain(WhyHeld::ALL.map(WhyHeld::name));
    let is_missing = |name: &&str| !runbook.contains(&format!("`{name}`"));
    let missing: Vec<_> = names.filter(is_missing).collect();
    assert!(missing.is_empty(), "RUNBOOK.md does not speak of {missing:?}");
}
