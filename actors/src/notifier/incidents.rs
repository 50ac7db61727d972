//! When something that is wrong is worth a notice: once it has lasted for a while, and once it has been over for a while.
//! What comes and goes in between is one incident, and what an earlier life told of is not told again.

use std::collections::BTreeMap;

use dwarves_domain::notices::NoticeKind;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::store::Write;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::watch::Wrong;
use crate::notices;

/// Where the incidents that were told of and are not over are kept among the settings.
pub(crate) const STORED_AS: &str = "notifications.incidents";
/// Incidents that are followed at once.
const INCIDENTS_MAX: usize = 256;

#[derive(Clone, Debug)]
struct Incident {
    kind: NoticeKind,
    text: String,
    detail: Value,
    /// Since when it has been as it is now: wrong, or over.
    since: Timestamp,
    is_wrong: bool,
    /// When it began, if that was told.
    told: Option<Timestamp>,
}

/// An incident that was told of, as it is stored.
#[derive(Debug, Deserialize, Serialize)]
struct Stored {
    kind: String,
    text: String,
    began: i64,
}

/// All that is wrong, or was a moment ago.
#[derive(Debug, Default)]
pub(super) struct Incidents {
    settle: Span,
    open: BTreeMap<String, Incident>,
    /// As it is once what the last look came to is written.
    next: Option<BTreeMap<String, Incident>>,
}

impl Incidents {
    /// Those that an earlier life told of; what cannot be read is none.
    pub(super) fn restore(stored: Option<&str>, settle: Span) -> Self {
        let stored: BTreeMap<String, Stored> = stored
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let open = stored.into_iter().filter_map(|(key, stored)| {
            let incident = Incident {
                kind: stored.kind.parse().ok()?,
                text: stored.text,
                detail: Value::Null,
                since: Timestamp::EPOCH,
                is_wrong: true,
                told: Some(Timestamp::from_millis(stored.began)),
            };
            Some((key, incident))
        });
        Self {
            settle,
            open: open.collect(),
            next: None,
        }
    }

    /// What is to be told, now that this is wrong and nothing else; `None`: nobody knows, so nothing changes.
    pub(super) fn look(&mut self, wrong: Option<Vec<Wrong>>, now: Timestamp, date: Timestamp) -> Vec<Write> {
        let Some(wrong) = wrong else {
            return Vec::new();
        };
        let mut open = self.open.clone();
        let mut wrong: BTreeMap<_, _> = wrong.into_iter().map(|one| (one.key.clone(), one)).collect();
        for (key, incident) in &mut open {
            let is_wrong = wrong.contains_key(key);
            if let Some(now_wrong) = wrong.remove(key) {
                (incident.text, incident.detail) = (now_wrong.text, now_wrong.detail);
            }
            if incident.is_wrong != is_wrong {
                (incident.is_wrong, incident.since) = (is_wrong, now);
            }
        }
        for (key, new) in wrong {
            if open.len() < INCIDENTS_MAX {
                let incident = Incident {
                    kind: new.kind,
                    text: new.text,
                    detail: new.detail,
                    since: now,
                    is_wrong: true,
                    told: None,
                };
                open.insert(key, incident);
            }
        }
        let mut writes = Vec::new();
        for (key, incident) in &mut open {
            if now.since(incident.since) < self.settle {
                continue;
            }
            if incident.is_wrong && incident.told.is_none() {
                incident.told = Some(date);
                writes.push(incident.post(key, date, "begins"));
            } else if !incident.is_wrong
                && let Some(began) = incident.told
            {
                writes.push(incident.post(key, began, "ends"));
            }
        }
        let settle = self.settle;
        open.retain(|_, incident| incident.is_wrong || now.since(incident.since) < settle);
        if !writes.is_empty() {
            writes.push(stored(&open));
        }
        self.next = Some(open);
        writes
    }

    /// What the last look came to is in the ledger.
    pub(super) fn note_written(&mut self) {
        if let Some(next) = self.next.take() {
            self.open = next;
        }
    }

    /// It is not: the next look comes to the same, with all that was seen meanwhile.
    pub(super) fn note_unwritten(&mut self) {
        for (key, mut incident) in self.next.take().unwrap_or_default() {
            incident.told = self.open.get(&key).and_then(|before| before.told);
            self.open.insert(key, incident);
        }
    }
}

impl Incident {
    /// Told under the date of its beginning, so that the same one is posted once.
    fn post(&self, key: &str, date: Timestamp, state: &str) -> Write {
        let mut detail = json!({ "state": state, "incident": key });
        if let (Value::Object(all), Value::Object(own)) = (&mut detail, &self.detail) {
            all.extend(own.clone());
        }
        let text = match state {
            "ends" => format!("It is over: {}", self.text),
            _ => self.text.clone(),
        };
        let id = format!("{key}/{state}/{}", date.millis());
        notices::post(id, self.kind, date, text, &detail)
    }
}

fn stored(open: &BTreeMap<String, Incident>) -> Write {
    let told: BTreeMap<_, _> = open
        .iter()
        .filter_map(|(key, incident)| {
            let stored = Stored {
                kind: incident.kind.name().to_owned(),
                text: incident.text.clone(),
                began: incident.told?.millis(),
            };
            Some((key, stored))
        })
        .collect();
    let value = serde_json::to_string(&told).ok().filter(|_| !told.is_empty());
    Write::SaveSetting {
        key: STORED_AS.to_owned(),
        value,
    }
}
