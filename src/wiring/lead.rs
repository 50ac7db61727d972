//! The right to be the pool, and what the front that has it knows of the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use dwarves_domain::ids::FrontNumber;
use dwarves_domain::work::FrontEnd;
use dwarves_ports::clock::Moment;
use dwarves_ports::fronts::{Fronts, Links};
use dwarves_ports::halt::Halt;
use dwarves_store_postgres::PostgresStore;
use tokio::sync::watch;

use super::ledger::Opened;
use super::sockets::Sockets;

/// The right to be the pool: the ledger, if it is a database, and the sockets that are open already.
#[derive(Default)]
pub struct Lead {
    pub(super) sockets: Sockets,
    pub(super) database: Option<Database>,
}

/// A ledger in a database, led by this front.
pub(super) struct Database(pub(super) PostgresStore);

/// What the one that leads knows of the others.
pub(super) struct Others {
    /// All fronts, as they are seen.
    pub(super) seen: watch::Receiver<Fronts>,
    /// Turns true when another one has taken the lead.
    superseded: watch::Receiver<bool>,
}

impl Others {
    /// Which of all fronts this is, as extranonces have it.
    pub(super) fn front_end(&self) -> FrontEnd {
        front_end_of(self.seen.borrow().this)
    }

    /// Which of them have a link with this one, and which should have one, if those have one that are `linked`; nobody, if
    /// this front takes no links.
    pub(super) fn links(
        &self,
        linked: Option<watch::Receiver<BTreeSet<FrontNumber>>>,
    ) -> watch::Receiver<Links> {
        let mut seen = self.seen.clone();
        let mut linked = linked.unwrap_or_else(|| watch::channel(BTreeSet::new()).1);
        let (sender, links) = watch::channel(Links::default());
        actix_rt::spawn(async move {
            loop {
                sender.send_modify(|links| {
                    let (seen, linked) = (seen.borrow_and_update(), linked.borrow_and_update());
                    *links = links.next(&seen, &linked, Moment::now());
                });
                tokio::select! {
                    changed = seen.changed() => if changed.is_err() { break },
                    // Once nobody takes links any more there is only the other to wait for.
                    Ok(()) = linked.changed() => {}
                    () = sender.closed() => break,
                }
            }
        });
        links
    }

    /// Ends the process if another one takes the lead: what it does from then on counts for nothing.
    pub(super) fn end_when_superseded(&self, halt: Arc<dyn Halt>) {
        let mut superseded = self.superseded.clone();
        actix_rt::spawn(async move {
            if superseded.wait_for(|is| *is).await.is_ok() {
                halt.halt("another front has taken the lead, because this one was silent; started again, it stands by");
            }
        });
    }
}

impl Database {
    pub(super) fn others(&self) -> Option<Others> {
        let front = self.0.front()?;
        Some(Others {
            seen: front.seen(),
            superseded: front.is_superseded(),
        })
    }

    /// The ledger, for who decides and for who is shown.
    pub(super) fn opened(self) -> Opened {
        let shown = Arc::new(self.0.to_show());
        let store = Arc::new(self.0);
        Opened { store, shown }
    }
}

/// Which of all fronts it is, as extranonces have it. No two that live have one number until there are more names than numbers,
/// and even then no two give out work at a time: the one that leads takes no link of such a one.
pub(super) fn front_end_of(number: FrontNumber) -> FrontEnd {
    let number = u8::try_from(number.get() % u32::from(FrontEnd::COUNT)).ok();
    number.and_then(FrontEnd::new).unwrap_or_default()
}
