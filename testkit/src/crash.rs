//! A moment at which the process is killed: the world's calls are counted, and at one of them everything stops.

use tokio::sync::watch;

use super::paced_store::{Pace, Pause};

/// Counts steps and stops at one of them. Clones count together.
#[derive(Clone, Debug)]
pub struct CrashPoint {
    steps: watch::Sender<u64>,
    at: Option<u64>,
}

impl CrashPoint {
    /// Stops at step number `at`, counted from 1; never if `None`.
    pub fn at(at: Option<u64>) -> Self {
        Self {
            steps: watch::Sender::new(0),
            at,
        }
    }

    /// How many steps were taken.
    pub fn steps(&self) -> u64 {
        *self.steps.borrow()
    }

    /// Takes a step. From the last one on nobody comes back from here.
    pub async fn step(&self) {
        self.steps.send_modify(|steps| *steps += 1);
        if self.at.is_some_and(|at| self.steps() >= at) {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until the last step was begun.
    pub async fn reached(&self) {
        let mut steps = self.steps.subscribe();
        let is_over = |steps: &u64| self.at.is_some_and(|at| *steps >= at);
        if steps.wait_for(is_over).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Pace for CrashPoint {
    fn before_commit(&self) -> Pause {
        let this = self.clone();
        Box::pin(async move { this.step().await })
    }

    fn after_commit(&self) -> Pause {
        self.before_commit()
    }
}
