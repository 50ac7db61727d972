//! The end of a transaction that was sent, and is waited for later: meanwhile another connection can be used.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use super::{Ahead, Db, parameters};
use crate::error::{Fail, Outcome, unavailable};
use crate::value::Value;

impl Db {
    /// Sends a transaction's last statement with COMMIT behind it. [`Self::sent_or`] tells what became of them: of a statement
    /// that the server refuses nothing is committed.
    ///
    /// # Errors
    /// Nothing was sent.
    pub(crate) fn send_last<const N: usize>(&self, sql: &str, values: [Value<'static>; N]) -> Outcome<()> {
        let statement = self.statement(sql)?;
        let client = Arc::clone(self.client());
        let mut sent: Ahead = Box::pin(async move {
            let values = parameters(&values);
            let last = client.execute(&statement, &values);
            let (last, committed) = tokio::join!(biased; last, client.batch_execute("COMMIT"));
            last.and(committed).map_err(Fail::from)
        });
        let mut known = None;
        // Asking puts it into the connection's hands; what moves the connection once then puts it on the wire.
        let mut is_asked = false;
        let gone = self.drive(poll_fn(|cx| {
            if is_asked {
                return Poll::Ready(Ok(()));
            }
            is_asked = true;
            if let Poll::Ready(outcome) = sent.as_mut().poll(cx) {
                known = Some(outcome);
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }));
        // Some of it may have gone out even so: what became of it is found out like any other end that is not known.
        let known = known.or_else(|| gone.err().map(Err));
        *self.sent.borrow_mut() = Some(match known {
            Some(outcome) => Box::pin(std::future::ready(outcome)),
            None => sent,
        });
        Ok(())
    }

    /// Waits until it is known what became of what was sent last, unless `other` comes before: then nothing.
    pub(crate) fn sent_or(&self, other: impl Future<Output = ()>) -> Option<Outcome<()>> {
        let Some(mut sent) = self.sent.borrow_mut().take() else {
            return Some(Err(unavailable("nothing was sent").into()));
        };
        let ended = self.drive(async {
            tokio::select! {
                biased;
                outcome = &mut sent => outcome.map(Some),
                () = other => Ok(None),
            }
        });
        let ended = ended.transpose();
        if ended.is_none() {
            *self.sent.borrow_mut() = Some(sent);
        }
        ended
    }
}
