//! Which difficulty a worker gets.

use super::*;

#[test]
fn a_fixed_difficulty_of_a_worker_goes_before_its_miners_and_both_before_vardiff() {
    let mut registry = registry();
    let worker = number(&mut registry, "a");
    let next = |registry: &mut Registry| {
        let next = registry.next_difficulty(worker, NOW);
        assert_eq!(registry.shown_difficulty(registry.worker(worker).unwrap()), next);
        next
    };
    assert_eq!(next(&mut registry), difficulty(1.0));
    assert!(registry.fix_difficulty(&miner(1), None, Some(difficulty(2.0))));
    assert_eq!(next(&mut registry), difficulty(2.0));
    assert!(registry.fix_difficulty(&miner(1), Some(&name("a")), Some(difficulty(3.0))));
    assert_eq!(next(&mut registry), difficulty(3.0));
    assert!(registry.fix_difficulty(&miner(1), Some(&name("a")), None));
    assert!(registry.fix_difficulty(&miner(1), None, None));
    assert_eq!(next(&mut registry), difficulty(1.0));
    // Also for a worker that is yet to come.
    assert!(registry.fix_difficulty(&miner(1), Some(&name("b")), Some(difficulty(5.0))));
    let later = number(&mut registry, "b");
    assert_eq!(registry.next_difficulty(later, NOW), difficulty(5.0));
    assert!(!registry.fix_difficulty(&miner(2), None, None));
    // A worker that nobody knows begins where all begin.
    assert_eq!(registry.next_difficulty(WorkerId::new(9), NOW), difficulty(1.0));
}

#[test]
fn a_worker_whose_job_brings_far_too_much_is_raised_at_once_and_never_lowered_by_it() {
    let mut registry = registry();
    let worker = number(&mut registry, "a");
    registry.raise(worker, NOW, difficulty(1.0), 20.0);
    assert_eq!(registry.next_difficulty(worker, NOW), difficulty(20.0));
    registry.raise(worker, NOW, difficulty(0.5), 20.0);
    assert_eq!(registry.next_difficulty(worker, NOW), difficulty(20.0));
    registry.raise(worker, NOW, difficulty(20.0), 20.0);
    assert_eq!(
        registry.next_difficulty(worker, NOW),
        difficulty(100.0),
        "the greatest that may be"
    );
}

#[test]
fn vardiff_follows_the_shares_of_a_worker_and_its_silence() {
    let mut registry = registry();
    let worker = number(&mut registry, "a");
    let mut now = NOW;
    for _ in 0..20 {
        now = now.plus(Span::from_millis(500));
        let issued = registry.next_difficulty(worker, now).target();
        registry.on_accepted(worker, now, &counted(issued));
    }
    let fast = registry.next_difficulty(worker, now);
    assert!(fast > difficulty(1.0), "twenty shares in the time of one");
    now = now.plus(Span::from_secs(600));
    assert!(
        registry.next_difficulty(worker, now) < fast,
        "ten minutes of silence"
    );
}
