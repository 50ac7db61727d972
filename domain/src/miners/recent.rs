//! Which headers were accepted lately, so that each counts once.
//!
//! One set per live template. A header's hash covers everything that a miner may change, so it names the share
//! whatever job or way in it came by. Only accepted shares enter, so filling the sets costs proof of work; but at a
//! small difficulty very little. So there are quotas: a job brings only so many shares, and a miner holds no more than its
//! part of what is free. What a quota keeps out is busy for that miner alone.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use fingerprint::{Fingerprint, FingerprintKey};
use hashes::SeededHashes;
use headers::{Headers, Seen};
use holders::Holders;
pub use holders::Quotas;

use super::retired::RetiredTemplates;
use crate::hotkey::Hotkey;
use crate::ids::{HeaderHash, Sequence, TemplateId};
use crate::time::Timestamp;
use crate::work::JobMark;

mod fingerprint;
mod hashes;
mod headers;
mod holders;

/// Headers whose places are looked up at once when they are restored: the memory answers many questions at a time.
const RESTORED_TOGETHER: usize = 32;

/// The accepted headers of the live templates, and for a moment of those that are over. Bounded.
#[derive(Clone, Debug)]
pub struct RecentShares {
    sets: BTreeMap<TemplateId, Set>,
    retired: RetiredTemplates,
    holders: Holders,
    quotas: Quotas,
    key: FingerprintKey,
    hashes: SeededHashes,
    len: usize,
    capacity: usize,
}

/// What one job brought of a template's headers.
#[derive(Clone, Copy, Debug)]
struct OfJob {
    holder: u32,
    count: u32,
}

/// The headers of one template, and which jobs brought them.
#[derive(Clone, Debug)]
struct Set {
    headers: Headers,
    jobs: HashMap<JobMark, OfJob, SeededHashes>,
}

impl Set {
    fn new(capacity: usize, hashes: SeededHashes) -> Self {
        Self {
            headers: Headers::new(capacity),
            jobs: HashMap::with_hasher(hashes),
        }
    }
}

/// All jobs that a miner had in earlier lives: which of them brought a header is not remembered.
#[derive(Clone, Copy, Debug)]
pub struct EarlierJobs {
    miner: Hotkey,
    mark: JobMark,
}

impl EarlierJobs {
    /// Those of this miner.
    pub fn of(miner: Hotkey) -> Self {
        Self {
            miner,
            mark: JobMark::of_restored(&miner),
        }
    }
}

/// What a claimed header is confirmed by, among those of its template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(Fingerprint);

/// What the sets say to a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareClaim {
    /// Never seen; it is claimed now, as this slot, and must be confirmed or released.
    New(Slot),
    /// Claimed before; its commit is still under way.
    Pending,
    /// Accepted before.
    Duplicate(Sequence),
    /// The sets are full: shares must wait until templates retire.
    Full,
    /// The job brought as many shares as one may: its worker needs new work, at a greater difficulty.
    JobFull,
    /// The miner holds as much as one may: its shares must wait until templates retire.
    MinerFull,
}

impl RecentShares {
    /// Empty sets for at most `capacity` headers. The secret `seed`, any number that nobody can guess, keeps anybody from
    /// choosing headers that collide.
    pub fn new(capacity: usize, quotas: Quotas, seed: u128) -> Self {
        let hashes = SeededHashes((seed >> 64) as u64 ^ seed as u64);
        Self {
            sets: BTreeMap::new(),
            retired: RetiredTemplates::default(),
            holders: Holders::new(hashes),
            quotas,
            key: FingerprintKey::new(seed),
            hashes,
            len: 0,
            capacity,
        }
    }

    /// Claims a header of a live template, that `miner` found with this job. What is over makes room for it.
    pub fn claim(
        &mut self,
        template: TemplateId,
        hash: HeaderHash,
        miner: Hotkey,
        job: JobMark,
    ) -> ShareClaim {
        let claim = self.claim_in_room(template, hash, miner, job);
        if !matches!(claim, ShareClaim::Full | ShareClaim::MinerFull) {
            return claim;
        }
        let oldest = self.retired.forget_all();
        if template >= oldest && self.retire_before(oldest) {
            return self.claim_in_room(template, hash, miner, job);
        }
        claim
    }

    fn claim_in_room(
        &mut self,
        template: TemplateId,
        hash: HeaderHash,
        miner: Hotkey,
        job: JobMark,
    ) -> ShareClaim {
        let (capacity, hashes) = (self.capacity, self.hashes);
        let set = self
            .sets
            .entry(template)
            .or_insert_with(|| Set::new(capacity, hashes));
        let header = self.key.of(&hash);
        match set.headers.get(header) {
            Some(Seen::Pending) => return ShareClaim::Pending,
            Some(Seen::Committed(sequence)) => return ShareClaim::Duplicate(sequence),
            None => {}
        }
        if self.len >= self.capacity {
            return ShareClaim::Full;
        }
        let free = self.capacity - self.len;
        match set.jobs.entry(job) {
            Entry::Occupied(mut known) => {
                let of_job = known.get_mut();
                if self.quotas.of_job.is_some_and(|quota| of_job.count >= quota) {
                    return ShareClaim::JobFull;
                }
                if !self.quotas.allows(self.holders.held(of_job.holder), free) {
                    return ShareClaim::MinerFull;
                }
                of_job.count += 1;
                self.holders.held[of_job.holder as usize].1 += 1;
            }
            Entry::Vacant(first) => {
                let known = self.holders.numbers.get(&miner);
                let held = known.map_or(0, |number| self.holders.held(*number));
                if !self.quotas.allows(held, free) {
                    return ShareClaim::MinerFull;
                }
                let holder = self.holders.number(miner);
                self.holders.held[holder as usize].1 += 1;
                first.insert(OfJob { holder, count: 1 });
            }
        }
        set.headers.insert(header);
        self.len += 1;
        ShareClaim::New(Slot(header))
    }

    /// Looks at where headers are kept that will be claimed next. One after the other each claim would wait for the
    /// memory; together they wait once.
    pub fn look_ahead<'a>(&self, headers: impl Iterator<Item = (TemplateId, &'a HeaderHash)>) {
        for (template, hash) in headers {
            if let Some(set) = self.sets.get(&template) {
                set.headers.look_ahead(std::iter::once(self.key.of(hash)));
            }
        }
    }

    /// The headers that were claimed as these slots are in the ledger.
    pub fn confirm_all(&mut self, claimed: impl Iterator<Item = (TemplateId, Slot, Sequence)> + Clone) {
        for (template, slot, _) in claimed.clone() {
            if let Some(set) = self.sets.get(&template) {
                set.headers.look_ahead(std::iter::once(slot.0));
            }
        }
        for (template, slot, sequence) in claimed {
            self.confirm(template, slot, sequence);
        }
    }

    /// The header that was claimed as this slot is in the ledger, as `sequence`.
    pub fn confirm(&mut self, template: TemplateId, slot: Slot, sequence: Sequence) {
        // The template may have retired while its last shares were being committed.
        if let Some(set) = self.sets.get_mut(&template) {
            set.headers.set(slot.0, sequence);
        }
    }

    /// The claimed header could not be stored: it was never seen.
    pub fn release(&mut self, template: TemplateId, hash: HeaderHash, job: JobMark) {
        let Some(set) = self.sets.get_mut(&template) else {
            return;
        };
        if !set.headers.remove(self.key.of(&hash)) {
            return;
        }
        self.len -= 1;
        if let Entry::Occupied(mut known) = set.jobs.entry(job) {
            let of_job = known.get_mut();
            of_job.count -= 1;
            self.holders.give_back(of_job.holder, 1);
            if of_job.count == 0 {
                known.remove();
            }
        }
    }

    /// Takes in headers that the store knows, of live templates: of each the template, the header, its place and whose it
    /// is. Every one of them, whatever the limits say: one that was left out would count twice.
    pub fn restore_all<'a>(
        &mut self,
        shares: impl IntoIterator<Item = (TemplateId, HeaderHash, Sequence, &'a EarlierJobs)>,
    ) {
        let mut shares = shares
            .into_iter()
            .map(|(template, hash, sequence, jobs)| (template, self.key.of(&hash), sequence, jobs))
            .peekable();
        let mut together = Vec::with_capacity(RESTORED_TOGETHER);
        while let Some((template, ..)) = shares.peek() {
            let template = *template;
            let set = self
                .sets
                .entry(template)
                .or_insert_with(|| Set::new(self.capacity, self.hashes));
            let of_template = std::iter::from_fn(|| shares.next_if(|(of, ..)| *of == template));
            together.extend(of_template.take(RESTORED_TOGETHER));
            set.headers
                .look_ahead(together.iter().map(|(_, header, ..)| *header));
            for (_, header, sequence, jobs) in together.drain(..) {
                if !set.headers.restore(header, sequence) {
                    continue;
                }
                self.len += 1;
                let holders = &mut self.holders;
                let of_job = set.jobs.entry(jobs.mark).or_insert_with(|| OfJob {
                    holder: holders.number(jobs.miner),
                    count: 0,
                });
                of_job.count += 1;
                holders.held[of_job.holder as usize].1 += 1;
            }
        }
    }

    /// All that the store knows is restored: room that was made for more is given back.
    pub fn settle(&mut self) {
        self.sets.values_mut().for_each(|set| set.headers.settle());
    }

    /// The place in the ledger of a header that was claimed, if it has one by now.
    pub fn sequence_of(&self, template: TemplateId, hash: &HeaderHash) -> Option<Sequence> {
        let set = self.sets.get(&template)?;
        match set.headers.get(self.key.of(hash))? {
            Seen::Committed(sequence) => Some(sequence),
            Seen::Pending => None,
        }
    }

    /// Templates before `oldest` are over from `now` on. Old news change nothing.
    pub fn retire(&mut self, oldest: TemplateId, now: Timestamp) {
        self.retired.retire(oldest, now);
        self.forget_retired(now);
    }

    /// Whether the template was over when a share of it came.
    pub fn was_over(&self, template: TemplateId, received_at: Timestamp) -> bool {
        self.retired.was_over(template, received_at)
    }

    /// Forgets the headers of templates that are over, as soon as no share of them is still on its way, or at once when
    /// half of the room is taken: live work needs it more.
    pub fn forget_retired(&mut self, now: Timestamp) {
        let oldest = if self.len >= self.capacity / 2 {
            self.retired.forget_all()
        } else {
            self.retired.forget_past(now)
        };
        self.retire_before(oldest);
    }

    /// Forgets the headers of templates before `oldest`: their jobs are stale whatever is submitted. Returns whether there
    /// were any.
    fn retire_before(&mut self, oldest: TemplateId) -> bool {
        if self.sets.keys().next().is_none_or(|first| *first >= oldest) {
            return false;
        }
        let live = self.sets.split_off(&oldest);
        let retired = std::mem::replace(&mut self.sets, live);
        self.len -= retired.values().map(|set| set.headers.len()).sum::<usize>();
        for of_job in retired.values().flat_map(|set| set.jobs.values()) {
            self.holders.give_back(of_job.holder, of_job.count);
        }
        true
    }

    /// How many headers are kept.
    pub fn len(&self) -> usize {
        self.len
    }

    /// For how many there is room.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests;
