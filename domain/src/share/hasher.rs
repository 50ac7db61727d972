//! Hashing many shares at once.

use std::sync::Arc;

use dwarves_lanes::{Block, Lanes};

use super::Candidate;
use super::draft::{Base, Draft};
use crate::ids::HeaderHash;
use crate::work::Header;
use crate::work::merkle::Node;

/// Drafts that are hashed together: more fill no more lanes, and what is kept for them stays small.
const AT_ONCE: usize = 64;

/// Puts headers together and hashes them, as many at once as the processor has lanes for. It keeps what it needs for that,
/// some 25 kilobytes.
#[derive(Debug)]
pub struct ShareHasher {
    lanes: Lanes,
    /// Drafts whose merkle root is to be hashed, by their places; then those of one template.
    rootless: Vec<usize>,
    of_template: Vec<usize>,
    tails: Vec<Block>,
    roots: Vec<Node>,
    /// The merkle root of each draft that needs one, by its place.
    root_of: [Node; AT_ONCE],
    headers: Vec<[u8; Header::LEN]>,
    hashes: Vec<[u8; 32]>,
}

impl ShareHasher {
    /// One that hashes in these lanes.
    pub fn new(lanes: Lanes) -> Self {
        Self {
            lanes,
            rootless: Vec::with_capacity(AT_ONCE),
            of_template: Vec::with_capacity(AT_ONCE),
            tails: Vec::new(),
            roots: Vec::with_capacity(AT_ONCE),
            root_of: [[0; 32]; AT_ONCE],
            headers: Vec::with_capacity(AT_ONCE),
            hashes: Vec::with_capacity(AT_ONCE),
        }
    }

    /// Appends what the drafts are once they are hashed, in their order.
    pub fn hash(&mut self, drafts: &[Draft], candidates: &mut Vec<Candidate>) {
        candidates.reserve(drafts.len());
        for drafts in drafts.chunks(AT_ONCE) {
            self.hash_roots(drafts);
            self.hash_headers(drafts, candidates);
        }
    }

    /// The merkle roots of those that need one. Most are of one template, whose branch all of them go up.
    fn hash_roots(&mut self, drafts: &[Draft]) {
        let is_rootless = |place: &usize| matches!(drafts[*place].base, Base::Parts(_));
        self.rootless.clear();
        self.rootless.extend((0..drafts.len()).filter(is_rootless));
        while let Some(Base::Parts(parts)) = self.rootless.first().map(|place| &drafts[*place].base) {
            let is_of_it = |place: &mut usize| match &drafts[*place].base {
                Base::Parts(others) => Arc::ptr_eq(others, parts),
                Base::Header(_) => false,
            };
            self.of_template.clear();
            self.of_template.extend(self.rootless.extract_if(.., is_of_it));
            self.tails.clear();
            for place in &self.of_template {
                parts.append_tail(drafts[*place].extranonce, &mut self.tails);
            }
            self.roots.clear();
            self.roots.resize(self.of_template.len(), [0; 32]);
            self.lanes
                .merkle_roots(parts.midstate(), &self.tails, parts.branch(), &mut self.roots);
            for (place, root) in self.of_template.iter().zip(&self.roots) {
                self.root_of[*place] = *root;
            }
        }
    }

    fn hash_headers(&mut self, drafts: &[Draft], candidates: &mut Vec<Candidate>) {
        self.headers.clear();
        for (draft, root) in drafts.iter().zip(&self.root_of) {
            let header = match &draft.base {
                Base::Header(header) => *header,
                Base::Parts(parts) => parts.header_of(*root),
            };
            self.headers.push(*draft.finished(header).as_bytes());
        }
        self.hashes.clear();
        self.hashes.resize(drafts.len(), [0; 32]);
        self.lanes.headers(&self.headers, &mut self.hashes);
        for ((draft, header), hash) in drafts.iter().zip(&self.headers).zip(&self.hashes) {
            candidates.push(Candidate {
                header: Header::from_bytes(*header),
                hash: HeaderHash::from_bytes(*hash),
                extranonce: draft.extranonce,
            });
        }
    }
}
