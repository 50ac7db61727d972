//! What admins tell the miner manager: stored before it holds, and in force in the next life.

use dwarves_domain::refusal::Refusal;
use dwarves_domain::target::Difficulty;

use super::*;
use crate::miner_manager::messages::Assigned;

fn fix(worker: Option<&str>, difficulty: Option<f64>) -> MinerControl {
    MinerControl::SetShareDifficulty {
        hotkey: hotkey(1),
        worker: worker.map(worker_name),
        difficulty: difficulty.map(|d| Difficulty::from_f64(d).unwrap()),
    }
}

fn ban(n: u8, until: Option<Timestamp>) -> MinerControl {
    MinerControl::Ban {
        hotkey: hotkey(n),
        reason: "spam".to_owned(),
        until,
    }
}

async fn shown_difficulty(bench: &Bench) -> f64 {
    bench.miner(1).await.workers[0].share_difficulty.to_f64()
}

#[actix::test]
async fn bans_and_settings_outlive_a_restart() {
    let bench = Bench::new().await;
    assert!(bench.ask(ban(2, None)).await.is_ok());
    assert!(bench.ask(MinerControl::CloseRegistration).await.is_ok());
    assert!(bench.ask(fix(Some("rig"), Some(3e-9))).await.is_ok());
    let bench = bench.restarted().await;
    assert_eq!(
        bench.ask(ReadStanding { hotkey: hotkey(2) }).await,
        Err(Refusal::Banned {
            reason: "spam".to_owned()
        })
    );
    assert!(!bench.miners().await.registration_open);
    assert_eq!(
        shown_difficulty(&bench).await,
        Difficulty::from_f64(3e-9).unwrap().to_f64()
    );
    bench
        .ask(MinerControl::Unban { hotkey: hotkey(2) })
        .await
        .unwrap();
    bench.ask(MinerControl::OpenRegistration).await.unwrap();
    bench.ask(fix(Some("rig"), None)).await.unwrap();
    let bench = bench.restarted().await;
    assert_eq!(bench.ask(ReadStanding { hotkey: hotkey(2) }).await, Ok(()));
    assert!(bench.miners().await.registration_open);
    assert_eq!(shown_difficulty(&bench).await, Difficulty::MIN.to_f64());
}

#[actix::test]
async fn a_workers_fixed_difficulty_goes_before_its_miners_and_both_before_vardiff() {
    let bench = Bench::new().await;
    bench.ask(fix(None, Some(2e-9))).await.unwrap();
    assert!((shown_difficulty(&bench).await - 2e-9).abs() < 1e-15);
    bench.ask(fix(Some("rig"), Some(4e-9))).await.unwrap();
    assert!((shown_difficulty(&bench).await - 4e-9).abs() < 1e-15);
    let assign = AssignWorker {
        hotkey: hotkey(1),
        worker: worker_name("rig"),
        client: dwarves_domain::miners::Client::Earlier,
    };
    let Ok(Assigned { share_target, .. }) = bench.ask(assign).await else {
        panic!("expected a target")
    };
    assert_eq!(share_target, Difficulty::from_f64(4e-9).unwrap().target());
}

#[actix::test]
async fn what_makes_no_sense_is_refused_and_says_why() {
    let bench = Bench::new().await;
    let refused = |outcome| match outcome {
        Err(Refusal::ControlRefused(why)) => why,
        other => panic!("expected a refusal, got {other:?}"),
    };
    assert!(refused(bench.ask(ban(9, None)).await).contains("no miner is registered"));
    let unban = MinerControl::Unban { hotkey: hotkey(9) };
    assert!(refused(bench.ask(unban).await).contains("no miner is registered"));
    assert!(refused(bench.ask(fix(Some("nobody"), None)).await).contains("no worker named nobody"));
    assert!(refused(bench.ask(fix(None, Some(1.0))).await).contains("between"));
    assert_eq!(bench.store.commits().len(), 0);
}

#[actix::test]
async fn what_could_not_be_stored_does_not_hold_but_a_ban_does_and_says_so() {
    let bench = Bench::failing(&[(1, Fault::Refuse), (2, Fault::Refuse)]).await;
    let fixed = bench.ask(fix(None, Some(4e-9))).await;
    assert_eq!(fixed, Err(Refusal::Unavailable));
    let Ok(told) = bench.ask(ban(1, None)).await else {
        panic!("a ban holds at once");
    };
    assert_eq!((&told["banned"], &told["saved"]), (&true.into(), &false.into()));
    assert_ne!(bench.ask(ReadStanding { hotkey: hotkey(1) }).await, Ok(()));
}
