//! Templates that are kept for the blocks that may still be found on them.
//!
//! Whether a share counts and whether a header is a block are two questions. A job may be too old for credit, and what
//! is found with it is a block all the same as long as its tip is the chain's; and on a tip that was replaced a moment
//! ago the race may still be won. So every template stays known until its tip has been replaced for a while. In memory
//! it is bare; its transactions are in the ledger, where the block tracker finds them when a block is to be made.

use std::collections::BTreeMap;
use std::sync::Arc;

use dwarves_domain::ids::{HeaderHash, TemplateId};
use dwarves_domain::time::Span;
use dwarves_domain::work::BareTemplate;

use super::{WorkManager, template_of};
use crate::ledger::messages::Commit;
use dwarves_ports::clock::Moment;
use dwarves_ports::store::{TemplateRow, Write};

/// Every template of which blocks are taken.
#[derive(Debug, Default)]
pub(super) struct Kept {
    templates: BTreeMap<TemplateId, Entry>,
    /// The same, as it is told to others.
    told: Arc<[Arc<BareTemplate>]>,
    /// The ledger was told to drop what is older.
    dropped_before: Option<TemplateId>,
}

#[derive(Debug)]
struct Entry {
    template: Arc<BareTemplate>,
    /// When its tip was replaced, if it was.
    replaced: Option<Moment>,
}

impl Kept {
    /// Those that an earlier life left, of which nobody knows yet whether their tip still is the chain's.
    pub(super) fn of_rows<'a>(rows: impl IntoIterator<Item = &'a TemplateRow>, next: TemplateId) -> Self {
        let mut kept = Self::default();
        for row in rows {
            match template_of(row) {
                Ok(template) => kept.insert(template.bare()),
                Err(error) => log::warn!("template {} cannot be used any more: {error}", row.id),
            }
        }
        let first = kept.templates.keys().next().copied();
        kept.dropped_before = Some(first.unwrap_or(next));
        kept.tell();
        kept
    }

    pub(super) fn told(&self) -> Arc<[Arc<BareTemplate>]> {
        Arc::clone(&self.told)
    }

    fn insert(&mut self, template: BareTemplate) {
        let entry = Entry {
            template: Arc::new(template),
            replaced: None,
        };
        self.templates.insert(entry.template.id(), entry);
    }

    fn tell(&mut self) {
        let all = self.templates.values();
        self.told = all.map(|entry| Arc::clone(&entry.template)).collect();
    }

    /// Takes in the newest template; its tip is the chain's.
    pub(super) fn add(&mut self, template: BareTemplate) {
        let tip = template.previous();
        self.insert(template);
        self.note_tip(tip);
        self.tell();
    }

    /// A tip may come back.
    fn note_tip(&mut self, tip: HeaderHash) {
        for entry in self.templates.values_mut() {
            if entry.template.previous() == tip {
                entry.replaced = None;
            } else {
                entry.replaced.get_or_insert_with(Moment::now);
            }
        }
    }

    /// Drops those whose tip has been replaced for so long, and the oldest of more than `max`. Says whether there were
    /// any.
    fn drop_over(&mut self, previous_tip: Span, max: usize) -> bool {
        let before = self.templates.len();
        let is_over = |replaced: Moment| replaced.elapsed() >= previous_tip;
        self.templates
            .retain(|_, entry| !entry.replaced.is_some_and(is_over));
        while self.templates.len() > max {
            self.templates.pop_first();
        }
        let is_changed = self.templates.len() != before;
        if is_changed {
            self.tell();
        }
        is_changed
    }
}

impl WorkManager {
    /// Drops templates of which no block is taken any more, here and in the ledger. Says whether there were any.
    pub(super) fn drop_kept(&mut self) -> bool {
        let (previous_tip, max) = (self.parts.previous_tip, self.parts.past_templates_max);
        let is_changed = self.kept.drop_over(previous_tip, max);
        let first = self.kept.templates.keys().next().copied();
        let before = first.unwrap_or(self.parts.next_template);
        if self.kept.dropped_before < Some(before) {
            let writes = vec![Write::DropTemplates { before }];
            match self.parts.ledger.post(Commit { writes }) {
                Ok(_) => self.kept.dropped_before = Some(before),
                Err(_) => log::debug!("the ledger is busy; templates before {before} are dropped later"),
            }
        }
        is_changed
    }
}
