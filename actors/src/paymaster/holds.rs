//! The holds that are set: on which grounds nothing may leave at all, each with its detail in words.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::control::hold::{Hold, HoldPayouts};

/// The longest detail that is kept, in bytes.
const DETAIL_LEN_MAX: usize = 500;

/// The holds that are set, each with its detail in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holds(BTreeMap<Hold, String>);

impl Holds {
    /// Sets one at the start, before anybody is told.
    pub fn set(&mut self, hold: Hold, detail: String) {
        self.0.insert(hold, shortened(detail));
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this one is set.
    pub fn contains(&self, hold: Hold) -> bool {
        self.0.contains_key(&hold)
    }

    /// Whether one of them says that this may not be the ledger's chain.
    pub fn doubt_chain(&self) -> bool {
        self.0.keys().any(|hold| hold.doubts_chain())
    }

    /// Sets or lifts one, and logs when it begins and when it is over. Whether anything changed but the detail.
    pub(crate) fn apply(&mut self, told: HoldPayouts) -> bool {
        let HoldPayouts { hold, detail } = told;
        let Some(detail) = detail else {
            let was_set = self.0.remove(&hold).is_some();
            if was_set {
                log::info!("payouts are no longer held by {hold}");
            }
            return was_set;
        };
        let detail = shortened(detail);
        let begins = !self.contains(hold);
        if begins {
            log::error!("payouts are held by {hold}: {detail}; {}", hold.remedy());
        }
        self.0.insert(hold, detail);
        begins
    }

    /// Each as one line: name, detail, remedy.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let line = |(hold, detail): (&Hold, &String)| format!("{hold}: {detail}; {}", hold.remedy());
        self.0.iter().map(line)
    }

    /// Each with what is known of it.
    pub fn each(&self) -> impl Iterator<Item = (Hold, &str)> {
        self.0.iter().map(|(hold, detail)| (*hold, detail.as_str()))
    }

    /// As the pool's status shows them.
    pub fn to_json(&self) -> Value {
        let one = |(hold, detail): (&Hold, &String)| json!({ "hold": hold.name(), "detail": detail, "remedy": hold.remedy() });
        Value::Array(self.0.iter().map(one).collect())
    }
}

impl FromIterator<(Hold, String)> for Holds {
    fn from_iter<I: IntoIterator<Item = (Hold, String)>>(holds: I) -> Self {
        Self(
            holds
                .into_iter()
                .map(|(hold, detail)| (hold, shortened(detail)))
                .collect(),
        )
    }
}

fn shortened(mut detail: String) -> String {
    if detail.len() > DETAIL_LEN_MAX {
        let end = (0..=DETAIL_LEN_MAX)
            .rev()
            .find(|&end| detail.is_char_boundary(end));
        detail.truncate(end.unwrap_or(0));
    }
    detail
}
