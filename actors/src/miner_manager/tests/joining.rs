//! Workers of sessions that steer their own difficulty: who is let in, and what is remembered of them.

use dwarves_domain::address::{AddressFormat, PayoutAddress};
use dwarves_domain::target::Difficulty;

use super::*;
use crate::pool_manager::messages::ControlOutcome;

const ADDRESS: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

fn address() -> PayoutAddress {
    PayoutAddress::parse(ADDRESS, AddressFormat::BitcoinRegtest).unwrap()
}

fn difficulty(value: f64) -> Difficulty {
    Difficulty::from_f64(value).unwrap()
}

fn by_hotkey(n: u8, issued: Option<f64>) -> JoinWorker {
    JoinWorker {
        identity: Identity::Hotkey(hotkey(n)),
        worker: worker_name("rig"),
        issued: issued.map(difficulty),
    }
}

fn by_address(worker: &str) -> JoinWorker {
    JoinWorker {
        identity: Identity::Address(address()),
        worker: worker_name(worker),
        issued: None,
    }
}

/// What a worker was known to be issued before this question.
async fn issued_before(bench: &Bench, join: JoinWorker) -> Option<Difficulty> {
    match bench.ask(join).await {
        JoinWorkerReply::Joined { issued, .. } => issued,
        refused => panic!("{refused:?}"),
    }
}

#[actix::test]
async fn an_address_is_registered_once_under_its_own_identity_and_paid_to_itself() {
    let bench = Bench::new().await;
    let JoinWorkerReply::Joined { miner, worker, .. } = bench.ask(by_address("a")).await else {
        panic!("an address may mine")
    };
    assert_eq!(miner, address().identity());
    assert_eq!(worker, WorkerId::new(2));
    let JoinWorkerReply::Joined { worker, .. } = bench.ask(by_address("b")).await else {
        panic!("with another worker, too")
    };
    assert_eq!(worker, WorkerId::new(3));
    // A share of it counts as anybody's.
    let job = job(&template(1), 1, miner, 2);
    let shares = CheckedShares {
        miner,
        worker: None,
        shares: vec![checked(&job, 0)],
    };
    assert_eq!(words(&bench.ask(judge(vec![shares])).await), ["accepted 1"]);
    let bench = bench.restarted().await;
    let view = bench.ask(ReadMiner { hotkey: miner }).await.unwrap();
    assert_eq!(view.payout_address.as_deref(), Some(ADDRESS));
    assert_eq!((view.accepted, view.workers.len()), (1, 2));
    assert_eq!(bench.miners().await.miners, 3);
}

#[actix::test]
async fn a_hotkey_must_have_registered_and_nobody_banned_gets_in() {
    let bench = Bench::new().await;
    assert_eq!(
        bench.ask(by_hotkey(9, None)).await,
        JoinWorkerReply::Refused(Standing::Unknown)
    );
    bench.ask(by_address("a")).await;
    for hotkey in [hotkey(1), address().identity()] {
        let ban = MinerControl::Ban {
            hotkey,
            reason: "spam".to_owned(),
            until: None,
        };
        assert!(matches!(bench.ask(ban).await, ControlOutcome::Done(_)));
    }
    let banned = JoinWorkerReply::Refused(Standing::Banned {
        reason: "spam".to_owned(),
    });
    assert_eq!(bench.ask(by_hotkey(1, None)).await, banned);
    assert_eq!(bench.ask(by_address("b")).await, banned);
}

#[actix::test]
async fn a_closed_or_paused_pool_takes_no_new_address() {
    let bench = Bench::new().await;
    bench.ask(MinerControl::CloseRegistration).await;
    assert_eq!(bench.ask(by_address("a")).await, JoinWorkerReply::Closed);
    assert!(matches!(
        bench.ask(by_hotkey(1, None)).await,
        JoinWorkerReply::Joined { .. }
    ));
    bench.ask(SetPaused(true)).await;
    assert_eq!(bench.ask(by_hotkey(1, None)).await, JoinWorkerReply::Paused);
}

#[actix::test]
async fn a_full_registry_takes_no_new_address() {
    let mut settings = memory_settings();
    settings.limits.miners = 2;
    let bench = Bench::with(settings).await;
    assert_eq!(bench.ask(by_address("a")).await, JoinWorkerReply::Full);
}

#[actix::test]
async fn an_address_that_could_not_be_stored_is_not_let_in() {
    let bench = Bench::failing(&[(1, Fault::Refuse)]).await;
    assert_eq!(bench.ask(by_address("a")).await, JoinWorkerReply::Unavailable);
    assert_eq!(bench.miners().await.miners, 2);
    assert!(matches!(
        bench.ask(by_address("a")).await,
        JoinWorkerReply::Joined { .. }
    ));
}

#[actix::test]
async fn an_operators_choice_reaches_sessions() {
    let bench = Bench::new().await;
    let fix = MinerControl::SetShareDifficulty {
        hotkey: hotkey(1),
        worker: None,
        difficulty: Some(difficulty(3e-9)),
    };
    assert!(matches!(bench.ask(fix).await, ControlOutcome::Done(_)));
    let joined = bench.ask(by_hotkey(1, None)).await;
    assert!(matches!(joined, JoinWorkerReply::Joined { fixed: Some(d), .. } if d == difficulty(3e-9)));
}

#[actix::test]
async fn what_a_session_issued_is_shown_and_known_to_the_next_one_also_after_a_restart() {
    let bench = Bench::new().await;
    assert_eq!(issued_before(&bench, by_hotkey(1, Some(0.5))).await, None);
    assert_eq!(
        issued_before(&bench, by_hotkey(1, None)).await,
        Some(difficulty(0.5))
    );
    let shown = bench.miner(1).await.workers[0].share_difficulty;
    assert_eq!(shown, difficulty(0.5));
    tokio::time::sleep(SAVE_COUNTERS_EVERY.to_std()).await;
    settle().await;
    let bench = bench.restarted().await;
    assert_eq!(
        issued_before(&bench, by_hotkey(1, None)).await,
        Some(difficulty(0.5))
    );
    assert_eq!(issued_before(&bench, by_hotkey(2, None)).await, None);
}

#[actix::test]
async fn issued_difficulties_that_could_not_be_saved_are_saved_the_next_time() {
    let bench = Bench::failing(&[(1, Fault::Refuse), (2, Fault::Refuse)]).await;
    issued_before(&bench, by_hotkey(1, Some(0.25))).await;
    for _ in 0..2 {
        tokio::time::sleep(SAVE_COUNTERS_EVERY.to_std()).await;
        settle().await;
    }
    let bench = bench.restarted().await;
    assert_eq!(
        issued_before(&bench, by_hotkey(1, None)).await,
        Some(difficulty(0.25))
    );
}
