//! Which fronts have a link, and which extranonces are somebody's.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use dwarves_domain::ids::FrontNumber;
use dwarves_domain::work::FrontEnd;
use tokio::sync::watch;

use crate::words::Hello;

/// Who is linked, and which extranonces are somebody's.
struct Taken {
    numbers: BTreeSet<FrontEnd>,
    known: watch::Sender<BTreeSet<FrontNumber>>,
}

/// The places of all links, which are on one thread.
#[derive(Clone)]
pub(crate) struct Places(Rc<RefCell<Taken>>);

/// A link's place, given back when it is dropped.
pub(crate) struct LinkPlace {
    places: Places,
    front_end: FrontEnd,
    number: FrontNumber,
    name: String,
}

impl Places {
    /// All are free but this front's own.
    pub(crate) fn new(own: FrontEnd, known: watch::Sender<BTreeSet<FrontNumber>>) -> Self {
        Self(Rc::new(RefCell::new(Taken {
            numbers: [own].into(),
            known,
        })))
    }

    /// A place for a front, if nobody gives out its extranonces already: two sessions would have the same work.
    pub(crate) fn take(&self, hello: Hello) -> Result<LinkPlace, String> {
        let front_end = FrontEnd::new(hello.front_end).ok_or("there is no such number of a front")?;
        let mut taken = self.0.borrow_mut();
        if !taken.numbers.insert(front_end) {
            return Err(format!(
                "another front gives out the extranonces of number {}: a link of it that is not over yet, or one whose number \
                 is 64 more or less",
                hello.front_end
            ));
        }
        let number = FrontNumber::new(hello.number);
        taken.known.send_modify(|known| {
            known.insert(number);
        });
        Ok(LinkPlace {
            places: self.clone(),
            front_end,
            number,
            name: hello.name,
        })
    }
}

impl LinkPlace {
    /// What the log calls it.
    pub(crate) fn name(&self) -> String {
        format!("{} (front {})", self.name, self.number)
    }
}

impl Drop for LinkPlace {
    fn drop(&mut self) {
        let mut taken = self.places.0.borrow_mut();
        taken.numbers.remove(&self.front_end);
        taken.known.send_modify(|known| {
            known.remove(&self.number);
        });
    }
}
