use std::sync::Arc;

use dwarves_domain::refusal::Refusal;
use dwarves_ports::store::Written;
use dwarves_testkit::build::{BEGIN, hotkey};
use dwarves_testkit::{ManualClock, settle};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::*;
use crate::control::Controlled;
use crate::testing::{Inbox, recorded_port};

mod parsing;
mod trail;

struct Bench {
    handler: Addr<AdminHandler>,
    deliver: Inbox<Ask<Deliver>>,
    ledger: Inbox<Ask<Commit>>,
}

async fn bench() -> Bench {
    tokio::time::pause();
    let (deliver, deliver_inbox) = recorded_port();
    let (ledger, ledger_inbox) = recorded_port();
    let handler = AdminHandler::new(AdminHandlerParts {
        admins: [hotkey(1)].into(),
        deliver,
        ledger,
        clock: Arc::new(ManualClock::at(BEGIN)),
    })
    .start();
    settle().await;
    Bench {
        handler,
        deliver: deliver_inbox,
        ledger: ledger_inbox,
    }
}

fn control(actor: &str, message: &str, fields: Value) -> Control {
    let Value::Object(fields) = fields else {
        panic!("fields are an object")
    };
    Control {
        caller: AdminCaller::Token,
        actor: actor.to_owned(),
        message: message.to_owned(),
        fields,
    }
}

impl Bench {
    fn post(&self, control: Control) -> oneshot::Receiver<Controlled> {
        Port::new(&self.handler).post(control).unwrap()
    }

    /// Sends a message; the pool manager answers `outcome`. Gives what it was delivered, the row of the audit
    /// trail, and the reply.
    async fn deliver(
        &mut self,
        control: Control,
        outcome: Controlled,
    ) -> (ControlMessage, AuditRow, Controlled) {
        let mut answer = self.post(control);
        settle().await;
        let deliver = self.deliver.try_recv().unwrap();
        deliver.reply.answer(outcome);
        settle().await;
        assert!(
            answer.try_recv().is_err(),
            "it is in the trail before it is answered"
        );
        let commit = self.ledger.try_recv().unwrap();
        let [Write::AppendAudit(row)] = &commit.payload.writes[..] else {
            panic!("one row of the trail")
        };
        let row = row.clone();
        commit.reply.answer(Ok(vec![Written::Done]));
        (deliver.payload.0, row, answer.await.unwrap())
    }

    /// The refusal of a message that comes nowhere.
    async fn refused(&mut self, control: Control) -> Controlled {
        let reply = self.post(control).await.unwrap();
        assert!(self.deliver.try_recv().is_err(), "it is not delivered");
        reply
    }
}

#[actix::test]
async fn only_admins_and_the_token_may() {
    let mut bench = bench().await;
    let by = |caller| Control {
        caller,
        ..control("pool_manager", "pause", json!({}))
    };
    let stranger = AdminCaller::Hotkey(hotkey(2));
    assert_eq!(bench.refused(by(stranger)).await, Err(Refusal::Forbidden));
    assert!(bench.ledger.try_recv().is_err());
    let admin = AdminCaller::Hotkey(hotkey(1));
    let done = Ok(json!({}));
    let (_, row, _) = bench.deliver(by(admin), done).await;
    assert_eq!(row.who, hotkey(1).to_string());
    for (caller, may) in [(stranger, false), (admin, true), (AdminCaller::Token, true)] {
        let answer = Port::<Authorize>::new(&bench.handler)
            .post(Authorize { caller })
            .unwrap();
        assert_eq!(answer.await, Ok(may));
    }
}
