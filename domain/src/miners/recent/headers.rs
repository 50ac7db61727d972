//! The headers of one template: a table that is always in order, nearly full, and grows a piece at a time.
//!
//! Fingerprints are evenly spread, so a fingerprint's own value says where in the table it belongs; those that want one
//! place stand in order behind it. Whoever looks for one stops at the first that is greater. A piece grows by an
//! eighth when seven eighths of it are taken: what is in order stays in order, so that is one run over some hundred
//! kilobytes, and no claim ever waits for all headers to be moved. A piece takes its memory in chunks of one size and
//! keeps them, so nothing is left behind that is too small for what comes next. 24 bytes a header, at four fifths to seven
//! eighths: 27 to 31 bytes.

use super::fingerprint::Fingerprint;
use crate::ids::Sequence;

/// Headers of one piece, about, when all the room is one template's.
const OF_ONE_PIECE: usize = 32_768;
/// Places of one chunk: 24 KiB.
const CHUNK: usize = 1_024;
/// The most pieces: 2 to the power of this.
const PIECES_BITS_MAX: u32 = 16;
/// By which part of itself a piece grows.
const GROWTH: u32 = 8;
/// The same while what an earlier life left is taken in.
const RESTORED_GROWTH: u32 = 2;
/// The fewest places by which a piece grows.
const GROWTH_MIN: u32 = 8;
/// Places behind a piece's last for those that stand behind their own.
const BEHIND: usize = 8;
/// The sequence of what has none yet. The ledger's numbers are 63 bits.
const PENDING: u64 = u64::MAX;

/// What is known of the headers of one template.
#[derive(Clone, Debug)]
pub(super) struct Headers {
    pieces: Box<[Piece]>,
    bits: u32,
    len: usize,
}

/// Those whose fingerprints begin with the same bits.
#[derive(Clone, Debug, Default)]
struct Piece {
    /// The places: in order, each header at its own or behind it, with none free between the two. All chunks but the last
    /// are full ones.
    chunks: Vec<Vec<Place>>,
    /// How many there are to be one's own.
    own: u32,
    taken: u32,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    header: Fingerprint,
    sequence: u64,
}

const FREE: Place = Place {
    header: Fingerprint::NONE,
    sequence: PENDING,
};

/// What is known of a claimed header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Accepted, but its commit is still under way.
    Pending,
    Committed(Sequence),
}

impl Headers {
    /// None yet. There will be `capacity` of them at most, or not many more.
    pub(super) fn new(capacity: usize) -> Self {
        let pieces = capacity.div_ceil(OF_ONE_PIECE).max(1).next_power_of_two();
        let bits = pieces.trailing_zeros().min(PIECES_BITS_MAX);
        Self {
            pieces: vec![Piece::default(); 1 << bits].into_boxed_slice(),
            bits,
            len: 0,
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// In which piece a header is, and which part of the piece it belongs to, in 2^64th.
    fn whereabouts(&self, header: Fingerprint) -> (usize, u64) {
        match self.bits {
            0 => (0, header.high),
            bits => ((header.high >> (64 - bits)) as usize, header.high << bits),
        }
    }

    /// What is known of a header.
    pub(super) fn get(&self, header: Fingerprint) -> Option<Seen> {
        let (piece, part) = self.whereabouts(header);
        let piece = &self.pieces[piece];
        let place = piece.get(piece.find(header, part))?;
        (place.header == header).then(|| match place.sequence {
            PENDING => Seen::Pending,
            sequence => Seen::Committed(Sequence::new(sequence)),
        })
    }

    /// Looks at the places of some headers that will be asked for next. One after the other each would wait for the
    /// memory; together they wait once.
    pub(super) fn look_ahead(&self, headers: impl Iterator<Item = Fingerprint>) {
        let seen = headers.fold(0, |seen, header| {
            let (piece, part) = self.whereabouts(header);
            let piece = &self.pieces[piece];
            let place = piece.get(Piece::own_place(part, piece.own));
            seen ^ place.map_or(0, |place| place.header.high)
        });
        std::hint::black_box(seen);
    }

    /// Takes in a header, as pending. Returns whether it was not there.
    pub(super) fn insert(&mut self, header: Fingerprint) -> bool {
        self.take_in(header, PENDING, GROWTH)
    }

    /// Takes in a header of many, with its place in the ledger. Returns whether it was not there. There is more room made
    /// at a time than they will need: [`Self::settle`] gives it back when all are here.
    pub(super) fn restore(&mut self, header: Fingerprint, sequence: Sequence) -> bool {
        self.take_in(header, sequence.get(), RESTORED_GROWTH)
    }

    fn take_in(&mut self, header: Fingerprint, sequence: u64, growth: u32) -> bool {
        let (piece, part) = self.whereabouts(header);
        let is_new = self.pieces[piece].insert(Place { header, sequence }, part, self.bits, growth);
        self.len += usize::from(is_new);
        is_new
    }

    /// Gives back room that is not needed.
    pub(super) fn settle(&mut self) {
        let bits = self.bits;
        self.pieces.iter_mut().for_each(|piece| piece.settle(bits));
    }

    /// Notes a header's place in the ledger, if it is there.
    pub(super) fn set(&mut self, header: Fingerprint, sequence: Sequence) {
        let (piece, part) = self.whereabouts(header);
        let piece = &mut self.pieces[piece];
        let at = piece.find(header, part);
        if piece.get(at).is_some_and(|place| place.header == header) {
            piece.at(at).sequence = sequence.get();
        }
    }

    /// Forgets a header. Returns whether it was there.
    pub(super) fn remove(&mut self, header: Fingerprint) -> bool {
        let (piece, part) = self.whereabouts(header);
        let is_removed = self.pieces[piece].remove(header, part, self.bits);
        self.len -= usize::from(is_removed);
        is_removed
    }
}

impl Piece {
    /// The place that a header belongs to, of so many.
    fn own_place(part: u64, own: u32) -> usize {
        ((u128::from(part) * u128::from(own)) >> 64) as usize
    }

    fn get(&self, at: usize) -> Option<&Place> {
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)
    }

    /// A place that there is.
    fn at(&mut self, at: usize) -> &mut Place {
        &mut self.chunks[at / CHUNK][at % CHUNK]
    }

    /// Where the header is, or where it would be: there is none greater before it.
    fn find(&self, header: Fingerprint, part: u64) -> usize {
        let mut at = Self::own_place(part, self.own);
        while self.get(at).is_some_and(|place| place.header < header) {
            at += 1;
        }
        at
    }

    fn insert(&mut self, mut place: Place, part: u64, bits: u32, growth: u32) -> bool {
        let mut at = self.find(place.header, part);
        if self.get(at).is_some_and(|known| known.header == place.header) {
            return false;
        }
        if self.taken >= self.own / 8 * 7 {
            let more = (self.own / growth).max(GROWTH_MIN);
            // The setting's range ends far below.
            self.rebuild(self.own.saturating_add(more), bits);
            at = self.find(place.header, part);
        }
        // Those that are greater move on, up to the next free place.
        while place.header != Fingerprint::NONE {
            self.reach(at);
            std::mem::swap(self.at(at), &mut place);
            at += 1;
        }
        self.taken += 1;
        true
    }

    fn remove(&mut self, header: Fingerprint, part: u64, bits: u32) -> bool {
        let mut at = self.find(header, part);
        if self.get(at).is_none_or(|place| place.header != header) {
            return false;
        }
        // Those behind it that are not at their own places move up.
        while let Some(next) = self.get(at + 1).copied()
            && next.header != Fingerprint::NONE
            && Self::own_place(next.header.high << bits, self.own) <= at
        {
            *self.at(at) = next;
            at += 1;
        }
        *self.at(at) = FREE;
        self.taken -= 1;
        true
    }

    fn settle(&mut self, bits: u32) {
        let own = self.taken + self.taken / 5 + 2 * GROWTH_MIN;
        if own < self.own {
            self.rebuild(own, bits);
        }
    }

    /// Makes it so many to be one's own, of which those that are taken need at most seven eighths.
    fn rebuild(&mut self, own: u32, bits: u32) {
        let mut headers = Vec::with_capacity(self.taken as usize);
        for place in self.chunks.iter_mut().flatten() {
            if place.header != Fingerprint::NONE {
                headers.push(std::mem::replace(place, FREE));
            }
        }
        self.own = own;
        let places = own as usize + BEHIND;
        self.chunks.truncate(places.div_ceil(CHUNK));
        let others = (self.chunks.len().saturating_sub(1)) * CHUNK;
        if let Some(last) = self.chunks.last_mut() {
            last.truncate(places - others);
        }
        self.extend_to(places);
        let mut next = 0;
        for place in headers {
            let at = Self::own_place(place.header.high << bits, self.own).max(next);
            self.reach(at);
            *self.at(at) = place;
            next = at + 1;
        }
    }

    /// Makes sure that there is this place: more than some seldom stand behind the last.
    fn reach(&mut self, at: usize) {
        if self.get(at).is_none() {
            self.extend_to(at + BEHIND);
        }
    }

    /// Makes it so many places, the new ones free.
    fn extend_to(&mut self, places: usize) {
        let count = places.div_ceil(CHUNK).max(self.chunks.len());
        self.chunks.resize_with(count, Vec::new);
        for (number, chunk) in self.chunks.iter_mut().enumerate() {
            let wanted = places.saturating_sub(number * CHUNK).min(CHUNK);
            if chunk.len() < wanted {
                // A piece of a small set takes no more than it needs.
                let room = if count > 1 { CHUNK } else { wanted };
                chunk.reserve_exact(room - chunk.len());
                chunk.resize(wanted, FREE);
            }
        }
    }
}

#[cfg(test)]
mod tests;
