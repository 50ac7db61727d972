use std::sync::Arc;

use dwarves_domain::time::Span;
use dwarves_ports::store::{StoreError, StoreErrorKind, Written};
use dwarves_testkit::build::BEGIN;
use dwarves_testkit::{ManualClock, settle};

use super::*;
use crate::testing::{Inbox, recorded_port};

const SOON: Duration = Duration::from_secs(5);

struct Bench {
    door: Addr<OperatorDoor>,
    ledger: Inbox<Ask<Commit>>,
    clock: ManualClock,
}

async fn bench(ended: u64) -> Bench {
    let (ledger, inbox) = recorded_port();
    let clock = ManualClock::at(BEGIN);
    let door = OperatorDoor::new(OperatorDoorParts {
        ended,
        ledger,
        clock: Arc::new(clock.clone()),
    })
    .start();
    settle().await;
    Bench {
        door,
        ledger: inbox,
        clock,
    }
}

impl Bench {
    async fn log_in(&self, n: u8, is_right: bool) -> Result<u64, LogInRefused> {
        let from = IpAddr::from([192, 0, 2, n]);
        let port: Port<LogIn> = Port::new(&self.door);
        port.ask(LogIn { from, is_right }, SOON).await.unwrap()
    }

    async fn sessions(&self) -> u64 {
        let port: Port<ReadSessions> = Port::new(&self.door);
        port.ask(ReadSessions, SOON).await.unwrap()
    }
}

#[actix::test]
async fn wrong_tokens_keep_their_own_client_out_for_a_while_and_right_ones_cost_nothing() {
    let bench = bench(0).await;
    for _ in 0..100 {
        assert_eq!(bench.log_in(1, true).await, Ok(0));
    }
    for _ in 0..30 {
        assert_eq!(bench.log_in(1, false).await, Err(LogInRefused::Wrong));
    }
    for is_right in [false, true] {
        let refused = bench.log_in(1, is_right).await;
        let Err(LogInRefused::TooMany { try_again }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(try_again, Span::from_secs(120));
    }
    assert_eq!(bench.log_in(2, true).await, Ok(0), "another client");
    bench.clock.advance(Span::from_secs(120));
    assert_eq!(bench.log_in(1, true).await, Ok(0));
}

#[actix::test]
async fn logging_out_ends_all_sessions_at_once_and_for_good() {
    let mut bench = bench(7).await;
    assert_eq!(bench.sessions().await, 7);
    for (answer, expected) in [
        (Ok(vec![Written::Done, Written::Done]), Ok(true)),
        (Ok(vec![Written::Kept, Written::Kept]), Ok(false)),
        (
            Err(StoreError::new(StoreErrorKind::Unavailable, "full")),
            Err(Refusal::Unavailable),
        ),
    ] {
        let before = bench.sessions().await;
        let port: Port<LogOut> = Port::new(&bench.door);
        let done = port.post(LogOut).unwrap();
        let commit = bench.ledger.recv().await.unwrap();
        assert_eq!(bench.sessions().await, before + 1, "at once");
        let [Write::SaveSetting { key, value }, Write::AppendAudit(row)] = &commit.payload.writes[..] else {
            panic!("{:?}", commit.payload);
        };
        let stored = BTreeMap::from([(key.clone(), value.clone().unwrap())]);
        assert_eq!(sessions_ended(&stored), before + 1, "the next life knows it");
        // A ledger that cannot write keeps it, and all that comes with it, until it can.
        assert!(commit.payload.writes.iter().all(Write::holds_unsaved));
        assert_eq!((&*row.actor, &*row.message), ("operator_door", "log_out"));
        commit.reply.answer(answer);
        assert_eq!(done.await.unwrap(), expected);
    }
    assert_eq!(sessions_ended(&BTreeMap::new()), 0);
}

#[actix::test]
async fn logging_in_is_in_the_trail_and_presenting_a_wrong_token_is_not() {
    let mut bench = bench(0).await;
    assert!(bench.log_in(1, false).await.is_err());
    assert!(bench.log_in(3, true).await.is_ok());
    let commit = bench.ledger.recv().await.unwrap();
    let [Write::AppendAudit(row)] = &commit.payload.writes[..] else {
        panic!("{:?}", commit.payload);
    };
    assert_eq!(
        (&*row.message, &*row.fields),
        ("log_in", r#"{"from":"192.0.2.3"}"#)
    );
    assert!(bench.ledger.try_recv().is_err());
}
