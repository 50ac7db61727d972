//! An emergency stop that only says why.

use std::sync::Arc;

use tokio::sync::watch;

use dwarves_ports::halt::{Halt, SharedHalt};

/// Notes why the pool had to stop. Clones are the same stop.
#[derive(Clone, Debug)]
pub struct RecordingHalt(watch::Sender<Vec<String>>);

impl Default for RecordingHalt {
    fn default() -> Self {
        Self(watch::Sender::new(Vec::new()))
    }
}

impl RecordingHalt {
    /// As the actors take it.
    pub fn shared(&self) -> SharedHalt {
        Arc::new(self.clone())
    }

    /// Every reason so far, oldest first.
    pub fn reasons(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    /// Waits until there is a reason.
    pub async fn halted(&self) {
        let mut reasons = self.0.subscribe();
        // The sender is in `self`, so waiting ends only when there is a reason.
        let _reason = reasons.wait_for(|reasons| !reasons.is_empty()).await;
    }
}

impl Halt for RecordingHalt {
    fn halt(&self, why: &str) {
        self.0.send_modify(|reasons| reasons.push(why.to_owned()));
    }
}
