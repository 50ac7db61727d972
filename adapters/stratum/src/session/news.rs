//! What the dispatcher brings: new work, which is written at once, and everything else, which the session's future
//! sees to.

use std::task::Context as Wake;

use super::leaving::End;
use super::{News, StratumSession};
use crate::conversation::Telling;

impl StratumSession {
    pub(super) fn hear(&mut self, news: News) {
        let span = self.span.clone();
        let _said_of_it = span.enter();
        match news {
            News::Look => self.over = self.over.or(self.look()),
            News::End => self.leaving = Some(End::Stopping),
            News::LetGo => self.is_let_go = true,
            News::Recheck(miner) => self.recheck(&miner),
        }
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    /// Tells the miner of new work here and now, through a page that the thread's sessions share: nothing is allocated,
    /// and the session's future need not run unless the connection does not take all of it.
    pub(super) fn hear_of_work(&mut self) {
        // Before its future has run for the first time, nobody is logged in who could be told.
        let Some(waker) = self.waker.take() else {
            return;
        };
        let wake = &mut Wake::from_waker(&waker);
        let has_nothing_to_write = self.out.is_empty();
        if has_nothing_to_write {
            self.out = self.thread.take_page();
        }
        self.tell_work(Telling::IfNew);
        // If the connection takes less than all, it wakes the session's future when it takes more.
        let written = self.poll_write(wake);
        let written = written.and_then(|is_all| if is_all { self.poll_sent(wake) } else { Ok(()) });
        if has_nothing_to_write {
            let rest = self.out[self.written..].to_vec();
            self.thread.give_page_back(std::mem::replace(&mut self.out, rest));
            self.written = 0;
        }
        if let Err(end) = written {
            self.over = self.over.or(Some(end));
            waker.wake_by_ref();
        }
        self.waker = Some(waker);
    }
}
