//! A wallet that fails as it is told: before, after, in silence, with old answers and with answers given twice.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;

use dwarves_domain::payouts::{Funds, OutPoint, Rival, Seen, Txid};
use tokio::sync::watch;

use dwarves_ports::wallet::{
    BuildRequest, Built, SendOutcome, Sent, SharedWallet, Spends, Wallet, WalletError, WalletErrorKind,
    WalletFuture, WalletState,
};

/// How a call of the wallet fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalletFault {
    /// Nothing was done, and the wallet cannot be reached.
    Before,
    /// It was done, and the answer got lost: a time-out.
    After,
    /// The process dies before the call: nothing was done, and there is never an answer.
    DieBefore,
    /// The process dies after the call: it was done, and there is never an answer.
    DieAfter,
    /// It is done twice, and the second answer is given.
    Twice,
    /// The answer is the one before the last to the same question; it is not asked again.
    Stale,
}

impl WalletFault {
    /// Every fault after which the process lives on.
    pub const SURVIVED: [Self; 4] = [Self::Before, Self::After, Self::Twice, Self::Stale];
    /// Every fault that ends the process.
    pub const DEADLY: [Self; 2] = [Self::DieBefore, Self::DieAfter];
}

#[derive(Default)]
struct Memory {
    calls: u64,
    answers: u64,
    plan: BTreeMap<u64, WalletFault>,
    is_dead: bool,
    statuses: BTreeMap<Txid, Vec<Seen>>,
    rivals: BTreeMap<Txid, Vec<Rival>>,
    last_built: Option<Built>,
}

/// A wallet that fails by plan, in front of another. Calls are counted from 1. Clones are the same wallet.
#[derive(Clone)]
pub struct FaultyWallet {
    inner: SharedWallet,
    memory: Arc<watch::Sender<Memory>>,
}

impl FaultyWallet {
    /// A wallet in front of `inner` in which the calls of `plan` fail.
    pub fn new(inner: SharedWallet, plan: impl IntoIterator<Item = (u64, WalletFault)>) -> Self {
        let memory = Memory {
            plan: plan.into_iter().collect(),
            ..Memory::default()
        };
        Self {
            inner,
            memory: Arc::new(watch::Sender::new(memory)),
        }
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.memory.borrow().calls
    }

    /// Whether no call is under way.
    pub fn is_idle(&self) -> bool {
        let memory = self.memory.borrow();
        memory.answers == memory.calls
    }

    /// Whether a fault ended the process.
    pub fn is_dead(&self) -> bool {
        self.memory.borrow().is_dead
    }

    fn answered(&self) {
        self.memory.send_modify(|memory| memory.answers += 1);
    }

    fn next(&self) -> Option<WalletFault> {
        let mut fault = None;
        self.memory.send_modify(|memory| {
            memory.calls += 1;
            fault = memory.plan.get(&memory.calls).copied();
            memory.is_dead |= matches!(fault, Some(WalletFault::DieBefore | WalletFault::DieAfter));
        });
        fault
    }

    /// Makes a call of the wallet, as it fails. `stale` is an old answer, if there is one.
    fn call<T: 'static>(
        &self,
        make: impl Fn(&dyn Wallet) -> WalletFuture<T> + 'static,
        stale: impl FnOnce(&Memory) -> Option<T>,
        note: impl FnOnce(&mut Memory, &T) + 'static,
    ) -> WalletFuture<T> {
        let fault = self.next();
        // Not in the condition itself: what is borrowed there stays so in the body.
        let old = match fault {
            Some(WalletFault::Stale) => stale(&self.memory.borrow()),
            _ => None,
        };
        if let Some(old) = old {
            self.answered();
            return Box::pin(std::future::ready(Ok(old)));
        }
        let this = self.clone();
        Box::pin(async move {
            match fault {
                Some(WalletFault::Before) => {
                    let why = "connection refused, by plan";
                    this.answered();
                    return Err(WalletError::new(WalletErrorKind::Unreachable, why));
                }
                Some(WalletFault::DieBefore) => return pending().await,
                Some(WalletFault::Twice) => drop(make(&*this.inner).await),
                _ => {}
            }
            let answer = make(&*this.inner).await;
            this.answered();
            if let Ok(answer) = &answer {
                this.memory.send_modify(|memory| note(memory, answer));
            }
            match fault {
                Some(WalletFault::After) => {
                    let why = "the answer got lost, by plan";
                    Err(WalletError::new(WalletErrorKind::TimedOut, why))
                }
                Some(WalletFault::DieAfter) => pending().await,
                _ => answer,
            }
        })
    }
}

/// The answer before the last.
fn old<K: Ord, T: Copy>(answers: &BTreeMap<K, Vec<T>>, key: &K) -> Option<T> {
    let answers = answers.get(key)?;
    answers.iter().rev().nth(1).or(answers.last()).copied()
}

impl Wallet for FaultyWallet {
    fn state(&self) -> WalletFuture<WalletState> {
        self.call(|wallet| wallet.state(), |_| None, |_, _| {})
    }

    fn funds(&self) -> WalletFuture<Funds> {
        self.call(|wallet| wallet.funds(), |_| None, |_, _| {})
    }

    fn own_address(&self) -> WalletFuture<String> {
        self.call(|wallet| wallet.own_address(), |_| None, |_, _| {})
    }

    fn hold(&self, inputs: Vec<OutPoint>) -> WalletFuture<()> {
        self.call(move |wallet| wallet.hold(inputs.clone()), |_| None, |_, ()| {})
    }

    fn check(&self, request: BuildRequest) -> WalletFuture<()> {
        self.call(move |wallet| wallet.check(request.clone()), |_| None, |_, ()| {})
    }

    fn build(&self, request: BuildRequest) -> WalletFuture<Built> {
        self.call(
            move |wallet| wallet.build(request.clone()),
            |memory| memory.last_built.clone(),
            |memory, built| memory.last_built = Some(built.clone()),
        )
    }

    fn send(&self, bytes: Vec<u8>) -> WalletFuture<SendOutcome> {
        self.call(move |wallet| wallet.send(bytes.clone()), |_| None, |_, _| {})
    }

    fn status(&self, txid: Txid) -> WalletFuture<Seen> {
        self.call(
            move |wallet| wallet.status(txid),
            move |memory| old(&memory.statuses, &txid),
            move |memory, seen| memory.statuses.entry(txid).or_default().push(*seen),
        )
    }

    fn rival(&self, txid: Txid, inputs: Vec<OutPoint>) -> WalletFuture<Rival> {
        self.call(
            move |wallet| wallet.rival(txid, inputs.clone()),
            move |memory| old(&memory.rivals, &txid),
            move |memory, rival| memory.rivals.entry(txid).or_default().push(*rival),
        )
    }

    fn spends(&self, mark: Option<String>) -> WalletFuture<Spends> {
        self.call(move |wallet| wallet.spends(mark.clone()), |_| None, |_, _| {})
    }

    fn sent(&self, txid: Txid) -> WalletFuture<Option<Sent>> {
        self.call(move |wallet| wallet.sent(txid), |_| None, |_, _| {})
    }
}
