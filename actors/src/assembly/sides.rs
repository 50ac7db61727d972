//! The ways to those who stand on one side of the pool: found blocks and payouts, or work. What they lead to differs with what
//! the pool lives on.

use crate::ask::{Outbox, Port};
use crate::block_tracker::messages::{BlockFound, ReadBlocks, TakeCandidate};
use crate::control::hold::HoldPayouts;
use crate::live_work::WorkChanged;
use crate::paymaster::messages::{DrainPayouts, PaymasterControl, ReadPayouts, ReadWaiting};
use crate::work_manager::messages::{HoldWork, IssueJob, ReadWork, Subscribe, WorkControl};

/// The ways to those who have to do with found blocks and payouts, or to who says that there are none.
pub(super) struct MoneyPorts {
    pub(super) control: Port<PaymasterControl>,
    pub(super) drain: Port<DrainPayouts>,
    pub(super) read: Port<ReadPayouts>,
    pub(super) waiting: Port<ReadWaiting>,
    pub(super) hold: Outbox<HoldPayouts>,
    pub(super) found: Outbox<BlockFound>,
    pub(super) candidates: Port<TakeCandidate>,
    pub(super) read_blocks: Port<ReadBlocks>,
    /// Who is told when the work changes.
    pub(super) changed: Option<Outbox<WorkChanged>>,
}

macro_rules! money_ports {
    ($payouts:expr, $blocks:expr, $changed:expr) => {
        MoneyPorts {
            control: Port::new($payouts),
            drain: Port::new($payouts),
            read: Port::new($payouts),
            waiting: Port::new($payouts),
            hold: Outbox::new($payouts),
            found: Outbox::new($blocks),
            candidates: Port::new($blocks),
            read_blocks: Port::new($blocks),
            changed: $changed,
        }
    };
}

/// The ways to who gives out work, or to who says that there is none.
pub(super) struct WorkPorts {
    pub(super) control: Port<WorkControl>,
    pub(super) read: Port<ReadWork>,
    pub(super) issue: Port<IssueJob>,
    pub(super) subscribe: Port<Subscribe>,
    pub(super) hold: Port<HoldWork>,
}

macro_rules! work_ports {
    ($work:expr, $hold:expr) => {
        WorkPorts {
            control: Port::new($work),
            read: Port::new($work),
            issue: Port::new($work),
            subscribe: Port::new($work),
            hold: Port::new($hold),
        }
    };
}

pub(super) use {money_ports, work_ports};
