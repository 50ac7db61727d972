//! What says that a ledger is not whole yet, or was moved away: settings of its own, by which a pool refuses to start.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::datum::{Datum, Key};

/// The setting that a ledger has while it is copied to, with how far that is.
pub const UNFINISHED: &str = "ledger.copying";

/// The setting that a ledger has once it was moved away, with where to.
pub const MOVED: &str = "ledger.moved";

/// Settings that say something of one ledger and are not copied to another.
pub const OF_COPIES: [&str; 2] = [UNFINISHED, MOVED];

/// How far a copy is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Where it comes from, for people.
    pub from: String,
    /// Which ledger that is, and how far it was.
    pub state: String,
    /// The table that was copied to last, and the place of the last row; `None`: none was.
    pub at: Option<(String, Option<Key>)>,
    /// Rows that were copied.
    pub rows: u64,
}

impl Unfinished {
    /// It as the setting says it.
    pub fn to_text(&self) -> String {
        let table = self.at.as_ref().map(|(table, _)| table);
        let key = self.at.as_ref().and_then(|(_, key)| key.as_ref());
        let after = key.map(|key| key.iter().map(Datum::to_word).collect::<Vec<_>>());
        json!({"from": self.from, "state": self.state, "table": table, "after": after, "rows": self.rows})
            .to_string()
    }

    /// It as a setting said it; `None`: it does not say that.
    pub fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let word = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
        let key = match value.get("after")? {
            Value::Array(words) => Some(
                words
                    .iter()
                    .map(|word| Datum::parse(word.as_str()?))
                    .collect::<Option<Key>>()?,
            ),
            _ => None,
        };
        Some(Self {
            from: word("from")?,
            state: word("state")?,
            at: word("table").map(|table| (table, key)),
            rows: value.get("rows")?.as_u64()?,
        })
    }
}

/// Where a ledger was moved to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The place, for people.
    pub to: String,
    /// When, for people.
    pub at: String,
}

impl Moved {
    /// It as the setting says it.
    pub fn to_text(&self) -> String {
        json!({"to": self.to, "at": self.at}).to_string()
    }

    /// It as a setting said it; `None`: it does not say that.
    pub fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let word = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
        Some(Self {
            to: word("to")?,
            at: word("at")?,
        })
    }
}

/// Whether a pool may be started on a ledger with these settings.
///
/// # Errors
/// Why not, and what to do.
pub fn may_start(settings: &BTreeMap<String, String>) -> Result<(), String> {
    if let Some(text) = settings.get(UNFINISHED) {
        let from = Unfinished::parse(text).map_or_else(|| "another ledger".to_owned(), |mark| mark.from);
        return Err(format!(
            "this ledger is the unfinished copy of another one ({from}): finish it with the same `dwarves ledger copy` \
             again, which goes on where it was, or drop it"
        ));
    }
    if let Some(text) = settings.get(MOVED) {
        let moved = Moved::parse(text);
        let (to, at) = moved.map_or_else(
            || ("another place".to_owned(), "an unknown time".to_owned()),
            |moved| (moved.to, moved.at),
        );
        return Err(format!(
            "this ledger was moved to {to} at {at}, and two pools would pay from one wallet: start the pool there \
             ([store] in its settings). To go on with this one all the same, give up the other one for good, and then: \
             dwarves ledger reclaim"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_a_copy_is_survives_storing() {
        let mut mark = Unfinished {
            from: "data/dwarves.db".to_owned(),
            state: "1/2/3".to_owned(),
            at: None,
            rows: 0,
        };
        assert_eq!(Unfinished::parse(&mark.to_text()).as_ref(), Some(&mark));
        mark.at = Some(("lives".to_owned(), None));
        assert_eq!(Unfinished::parse(&mark.to_text()).as_ref(), Some(&mark));
        mark.at = Some((
            "miner_notices".to_owned(),
            Some(vec![Datum::Bytes(vec![1, 2]), Datum::Text("ä\"\\".to_owned())]),
        ));
        mark.rows = 7;
        assert_eq!(Unfinished::parse(&mark.to_text()).as_ref(), Some(&mark));
        assert_eq!(Unfinished::parse("{}"), None);
        assert_eq!(Unfinished::parse("copying"), None);
    }

    #[test]
    fn a_pool_does_not_start_on_what_is_unfinished_or_was_moved() {
        let with = |name: &str, value: &str| {
            may_start(&BTreeMap::from([(name.to_owned(), value.to_owned())])).unwrap_err()
        };
        let moved = Moved {
            to: "database dwarves on db.example".to_owned(),
            at: "2026-11-29T12:00:00Z".to_owned(),
        };
        assert_eq!(Moved::parse(&moved.to_text()).as_ref(), Some(&moved));
        let told = with(MOVED, &moved.to_text());
        assert!(
            told.contains(&moved.to) && told.contains(&moved.at) && told.contains("reclaim"),
            "{told}"
        );
        // What nobody can read is no reason to start.
        assert!(with(MOVED, "?").contains("moved"));
        assert!(with(UNFINISHED, "?").contains("unfinished"));
        assert_eq!(may_start(&BTreeMap::new()), Ok(()));
    }
}
