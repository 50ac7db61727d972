//! Nonces and registrations.

use dwarves_domain::refusal::Refusal;

use super::*;
use crate::miner_manager::calls::AdmitCall;
use crate::miner_manager::messages::Registered;

fn nonce(nonce_nanos: u64) -> UseNonce {
    UseNonce {
        hotkey: hotkey(1),
        nonce_nanos,
        expires_at: BEGIN.plus(Span::from_secs(12)),
    }
}

fn register(n: u8, address: Option<&str>) -> RegisterMiner {
    RegisterMiner {
        hotkey: hotkey(n),
        payout_address: address.map(str::to_owned),
        payout_threshold: None,
        from: std::net::Ipv4Addr::LOCALHOST.into(),
    }
}

#[actix::test]
async fn a_new_miner_is_stored_before_it_is_told_and_a_known_one_keeps_its_date() {
    let bench = Bench::gated().await;
    let mut answer = bench.post(register(5, Some("addr")));
    settle().await;
    assert!(answer.try_recv().is_err(), "nothing is told before it is stored");
    assert_eq!(
        bench.ask(ReadStanding { hotkey: hotkey(5) }).await,
        Err(Refusal::MinerUnknown)
    );
    bench.gate.open();
    let new = Ok(Registered {
        is_new: true,
        registered_at: BEGIN,
        payout_address: Some("addr".to_owned()),
    });
    assert_eq!(answer.await.unwrap(), new);

    bench.clock.advance(Span::from_secs(100));
    let known = Ok(Registered {
        is_new: false,
        registered_at: BEGIN,
        payout_address: Some("addr".to_owned()),
    });
    assert_eq!(bench.ask(register(5, None)).await, known, "the address stays");
    let moved = Ok(Registered {
        is_new: false,
        registered_at: BEGIN,
        payout_address: Some("other".to_owned()),
    });
    assert_eq!(bench.ask(register(5, Some("other"))).await, moved);
    assert_eq!(bench.miner(5).await.payout_address.as_deref(), Some("other"));
    assert_eq!(bench.miners().await.miners, 3);
}

#[actix::test]
async fn a_closed_pool_takes_known_miners_only() {
    let bench = Bench::new().await;
    bench.ask(MinerControl::CloseRegistration).await.unwrap();
    assert_eq!(
        bench.ask(register(5, None)).await,
        Err(Refusal::RegistrationClosed)
    );
    assert!(matches!(
        bench.ask(register(1, Some("new"))).await,
        Ok(Registered { is_new: false, .. })
    ));
    bench.ask(MinerControl::OpenRegistration).await.unwrap();
    assert!(matches!(
        bench.ask(register(5, None)).await,
        Ok(Registered { is_new: true, .. })
    ));
}

#[actix::test]
async fn a_banned_miner_can_not_register_again_until_the_ban_is_over() {
    let bench = Bench::new().await;
    let until = BEGIN.plus(Span::from_secs(60));
    bench
        .ask(MinerControl::Ban {
            hotkey: hotkey(1),
            reason: "cheating".to_owned(),
            until: Some(until),
        })
        .await
        .unwrap();
    let banned = Err(Refusal::Banned {
        reason: "cheating".to_owned(),
    });
    assert_eq!(bench.ask(register(1, None)).await, banned);
    let standing = bench.ask(ReadStanding { hotkey: hotkey(1) }).await;
    assert_eq!(
        standing,
        Err(Refusal::Banned {
            reason: "cheating".to_owned()
        })
    );
    bench.clock.set(until);
    assert_eq!(bench.ask(ReadStanding { hotkey: hotkey(1) }).await, Ok(()));
}

#[actix::test]
async fn a_registration_that_could_not_be_stored_is_not_remembered() {
    let bench = Bench::failing(&[(1, Fault::Refuse)]).await;
    assert_eq!(bench.ask(register(5, None)).await, Err(Refusal::Unavailable));
    assert_eq!(
        bench.ask(ReadStanding { hotkey: hotkey(5) }).await,
        Err(Refusal::MinerUnknown)
    );
    assert!(matches!(
        bench.ask(register(5, None)).await,
        Ok(Registered { is_new: true, .. })
    ));
}

#[actix::test]
async fn a_nonce_is_good_once_also_while_it_is_being_stored_and_after_a_restart() {
    let bench = Bench::gated().await;
    let first = bench.post(nonce(7));
    let second = bench.post(nonce(7));
    settle().await;
    bench.gate.open();
    assert_eq!(first.await.unwrap(), Ok(()));
    assert_eq!(second.await.unwrap(), Err(Refusal::Replayed));
    assert_eq!(bench.ask(nonce(8)).await, Ok(()));
    let bench = bench.restarted().await;
    assert_eq!(bench.ask(nonce(7)).await, Err(Refusal::Replayed));
    assert_eq!(bench.ask(nonce(9)).await, Ok(()));
}

#[actix::test]
async fn a_nonce_that_could_not_be_stored_is_released() {
    let bench = Bench::failing(&[(1, Fault::Refuse)]).await;
    assert_eq!(bench.ask(nonce(7)).await, Err(Refusal::Unavailable));
    assert_eq!(bench.ask(nonce(7)).await, Ok(()));
}

#[actix::test]
async fn a_nonce_that_may_have_been_stored_stays_used() {
    let bench = Bench::failing(&[(1, Fault::LoseAfter)]).await;
    assert_eq!(bench.ask(nonce(7)).await, Err(Refusal::Unavailable));
    assert_eq!(bench.ask(nonce(7)).await, Err(Refusal::Replayed));
    assert_eq!(bench.halt.reasons().len(), 1);
}

#[actix::test]
async fn too_many_nonces_in_use_are_refused() {
    let mut settings = memory_settings();
    settings.nonces_max = 2;
    let bench = Bench::with(settings).await;
    assert_eq!(bench.ask(nonce(1)).await, Ok(()));
    assert_eq!(bench.ask(nonce(2)).await, Ok(()));
    assert_eq!(bench.ask(nonce(3)).await, Err(Refusal::Busy));
    bench.clock.advance(Span::from_secs(12));
    let younger = UseNonce {
        expires_at: BEGIN.plus(Span::from_secs(24)),
        ..nonce(3)
    };
    assert_eq!(bench.ask(younger).await, Ok(()));
}

#[actix::test]
async fn a_call_is_let_in_once_unless_its_miner_is_banned_and_then_its_nonce_is_not_used_up() {
    let bench = Bench::new().await;
    let call = |n: u8| {
        AdmitCall(UseNonce {
            hotkey: hotkey(n),
            ..nonce(7)
        })
    };
    // Who is registered and who is not, and one kind of request after the other: there is one guard for all.
    for n in [1, 9] {
        assert_eq!(bench.ask(call(n)).await, Ok(()));
        assert_eq!(bench.ask(call(n)).await, Err(Refusal::Replayed));
        assert_eq!(bench.ask(call(n).0).await, Err(Refusal::Replayed));
    }
    let ban = MinerControl::Ban {
        hotkey: hotkey(2),
        reason: "spam".to_owned(),
        until: None,
    };
    bench.ask(ban).await.unwrap();
    let banned = Refusal::Banned {
        reason: "spam".to_owned(),
    };
    assert_eq!(bench.ask(call(2)).await, Err(banned));
    assert_eq!(bench.ask(call(2).0).await, Ok(()), "it was not used up");
}
