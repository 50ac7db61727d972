//! Work as the miner is told it: once, with its difficulty, and under a name and time of its own.

use dwarves_domain::ids::{HeaderHash, TemplateId};
use dwarves_domain::target::{CompactTarget, Difficulty, shortest_decimal};
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::work::{Algorithm, SessionJob, SessionSeat, Template};

use super::{Conversation, Scene};
use crate::protocol::{reply, scale};

/// When work is told that the miner may know already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// Not at all: only if it or its difficulty is new.
    IfNew,
    /// So that the miner hears something.
    Again,
    /// So that the miner drops everything else.
    Anew,
}

/// What was told last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    template: TemplateId,
    previous: HeaderHash,
    /// The network's target of the template.
    network: CompactTarget,
    wanted: Difficulty,
    /// What that came to with this network's target.
    share: ShareTarget,
    /// How often template and share target were told before.
    telling: u8,
    time: u32,
    at: Timestamp,
}

impl Conversation {
    /// What the session issues, if it is mining.
    pub fn issued(&self) -> Option<Difficulty> {
        let told = self.told.filter(|_| self.is_mining())?;
        Some(told.share.issued)
    }

    /// Tells the present work, if the session is mining.
    pub fn tell_work(&mut self, telling: Telling, scene: &Scene<'_>, out: &mut Vec<u8>) {
        let Some(parts) = scene.parts.filter(|_| self.is_mining()) else {
            return;
        };
        let Some(SessionSeat { extranonce1, .. }) = self.seat else {
            return;
        };
        let template = parts.template();
        let wanted = self.pace.wanted(&scene.rules.vardiff);
        let same_template = self.told.filter(|told| told.template == template.id());
        if telling == Telling::IfNew && same_template.is_some_and(|told| told.wanted == wanted) {
            return;
        }
        let chain = template.chain();
        // Most blocks change neither: then nothing need be calculated.
        let known = self
            .told
            .filter(|told| told.wanted == wanted && told.network == chain.bits);
        let share = known.map_or_else(
            || ShareTarget::of(wanted, template, scene.rules.algorithm),
            |told| told.share,
        );
        let ShareTarget {
            bits: share_bits,
            told: difficulty,
            ..
        } = share;
        let before = same_template.filter(|told| told.share.bits == share_bits);
        if let (Some(told), Telling::IfNew) = (before, telling) {
            // Another wish beyond the block's own difficulty comes to the same work.
            self.told = Some(Told {
                wanted,
                share,
                ..told
            });
            return;
        }
        if let Some(miner_mask) = self.miner_mask {
            let mask = miner_mask & chain.version_mask;
            if mask != self.told_mask {
                self.told_mask = mask;
                reply::set_version_mask(out, mask);
            }
        }
        if difficulty != self.told_difficulty {
            self.told_difficulty = difficulty;
            reply::set_difficulty(out, difficulty);
        }
        let telling_again = before.map_or(0, |told| told.telling.wrapping_add(1));
        let session_job = SessionJob {
            template: template.id(),
            share_bits,
            telling: telling_again,
        };
        let id = scene.job_key.seal_session_job(extranonce1, &session_job);
        let is_new_tip = self.told.is_none_or(|told| told.previous != chain.previous);
        let time = self.header_time(template, scene.template_age);
        parts.write(out, &id, time, is_new_tip || telling == Telling::Anew);
        self.job = None;
        self.told = Some(Told {
            template: template.id(),
            previous: chain.previous,
            network: chain.bits,
            wanted,
            share,
            telling: telling_again,
            time,
            at: scene.now,
        });
    }

    /// The header's time for the next notify. A miner begins each job with the same extranonce2 and nonces, so
    /// two notifies of one template must differ: by their time.
    fn header_time(&self, template: &Template, age: Span) -> u32 {
        let chain = template.chain();
        let age = u32::try_from(age.secs()).unwrap_or(u32::MAX);
        let time = chain.time.saturating_add(age);
        let after_last = self
            .told
            .filter(|told| told.template == template.id())
            .map_or(0, |told| told.time.saturating_add(1));
        time.max(after_last).clamp(chain.time_min, chain.time_max)
    }

    /// When work was told last.
    pub fn told_at(&self) -> Option<Timestamp> {
        self.told.map(|told| told.at)
    }
}

/// The share target of a job that is wanted at some difficulty: a share is never harder than the block itself, and never
/// harder than what the miner was told.
#[derive(Clone, Copy, Debug)]
struct ShareTarget {
    bits: CompactTarget,
    /// The difficulty that is issued so.
    issued: Difficulty,
    /// How the miner is told it.
    told: f64,
}

impl ShareTarget {
    fn of(wanted: Difficulty, template: &Template, algorithm: Algorithm) -> Self {
        let network = template.network_target();
        let target = wanted.target().no_harder_than(network);
        let bits = target.rounded_up_to_compact().to_compact();
        if target == network {
            // A hair below, so that no rounding by the miner makes it throw a block away.
            let issued = network.difficulty();
            let told = scale::to_wire(issued, algorithm) * (1.0 - 1e-9);
            return Self { bits, issued, told };
        }
        let told = shortest_decimal(scale::to_wire(wanted, algorithm), |wire| {
            let meant = scale::from_wire(wire, algorithm);
            meant.is_some_and(|meant| meant.target().rounded_up_to_compact().to_compact() == bits)
        });
        Self {
            bits,
            issued: wanted,
            told,
        }
    }
}
