//! A process of a front. It has all of its tasks for itself, and can be stopped and killed as the operating system does:
//! what stands still knows nothing of it, and what is killed does nothing more.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::task::LocalSet;

/// What is done to a process. Clones are of the same one.
#[derive(Clone, Default)]
pub(super) struct Signals(Rc<Inner>);

#[derive(Default)]
struct Inner {
    stands_still: Cell<bool>,
    is_over: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Signals {
    fn wake(&self) {
        if let Some(waker) = self.0.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Stands still from now on.
    pub(super) fn stop(&self) {
        self.0.stands_still.set(true);
    }

    /// Goes on.
    pub(super) fn go_on(&self) {
        self.0.stands_still.set(false);
        self.wake();
    }

    /// Is gone.
    pub(super) fn kill(&self) {
        self.0.is_over.set(true);
        self.wake();
    }
}

/// A process; it is awaited until it is over.
pub(super) struct Process {
    tasks: Option<LocalSet>,
    signals: Signals,
}

impl Process {
    /// One that begins with this task. It ends when somebody kills it; the task may.
    pub(super) fn begin(signals: &Signals, task: impl Future<Output = ()> + 'static) -> Self {
        let tasks = LocalSet::new();
        tasks.spawn_local(task);
        Self {
            tasks: Some(tasks),
            signals: signals.clone(),
        }
    }
}

impl Future for Process {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let signals = self.signals.clone();
        signals.0.waker.replace(Some(context.waker().clone()));
        let runs = !signals.0.is_over.get() && !signals.0.stands_still.get();
        if let Some(tasks) = self.tasks.as_mut().filter(|_| runs) {
            let _all_done = Pin::new(tasks).poll(context);
        }
        if signals.0.is_over.get() {
            // Every actor and every future of it is dropped.
            self.tasks = None;
            return Poll::Ready(());
        }
        Poll::Pending
    }
}
