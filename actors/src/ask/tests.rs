use actix::Context;

use super::*;

const CAPACITY: usize = 4;

/// Keeps every question unanswered until it is told to answer.
struct Slow {
    waiting: Vec<ReplyTo<u32>>,
}

impl Actor for Slow {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, CAPACITY);
    }
}

struct Question(u32);

impl Request for Question {
    type Reply = u32;
}

impl Handler<Ask<Question>> for Slow {
    type Result = ();

    fn handle(&mut self, ask: Ask<Question>, _: &mut Self::Context) {
        if ask.payload.0 == 0 {
            self.waiting.clear();
            ask.reply.answer(0);
        } else {
            self.waiting.push(ask.reply);
        }
    }
}

fn slow() -> Port<Question> {
    Port::new(&Slow { waiting: Vec::new() }.start())
}

#[actix::test]
async fn a_full_mailbox_refuses_at_once_and_stays_bounded() {
    let port = slow();
    // The actor has not run yet: what is posted stays in the mailbox.
    tokio::task::yield_now().await;
    let posted = (1..=1_000)
        .filter(|n| port.clone().post(Question(*n)).is_ok())
        .count();
    assert!(posted <= CAPACITY + 2, "{posted} messages were taken");
    assert_eq!(port.post(Question(1)).err(), Some(AskError::Busy));
}

#[actix::test]
async fn an_unanswered_question_times_out_and_a_dropped_one_says_gone() {
    let port = slow();
    let answer = port.ask(Question(1), Duration::from_millis(5)).await;
    assert_eq!(answer, Err(AskError::TimedOut));
    let pending = port.post(Question(2)).unwrap();
    assert_eq!(port.ask(Question(0), Duration::from_secs(5)).await, Ok(0));
    assert!(pending.await.is_err());
}
