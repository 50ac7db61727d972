//! The headers of one template: a table that is always in order, nearly full, and grows a piece at a time.
//!
//! Fingerprints are evenly spread, so a fingerprint's own value says where in the table it belongs; those that want one
//! place stand in order behind it. Whoever looks for one stops at the first that is greater. A piece grows by an
//! eighth when seven eighths of it are taken: what is in order stays in order, so that is one run over some hundred
//! kilobytes, and no claim ever waits for all headers to be moved. 24 bytes a header, at four fifths to seven eighths: 27
//! to 31 bytes.

use super::fingerprint::Fingerprint;
use crate::ids::Sequence;

/// Headers of one piece, about, when all the room is one template's.
const OF_ONE_PIECE: usize = 16_384;
/// The most pieces: 2 to the power of this.
const PIECES_BITS_MAX: u32 = 16;
/// The fewest places by which a piece grows.
const GROWTH_MIN: usize = 8;
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
    /// In order, each at its own place or behind it, with none free between the two.
    places: Vec<Place>,
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
        let place = piece.places.get(piece.find(header, part))?;
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
            let place = piece.places.get(Piece::own_place(part, piece.own));
            seen ^ place.map_or(0, |place| place.header.high)
        });
        std::hint::black_box(seen);
    }

    /// Takes in a header that is not there, as pending.
    pub(super) fn insert(&mut self, header: Fingerprint) {
        let (piece, part) = self.whereabouts(header);
        self.pieces[piece].insert(header, part, self.bits);
        self.len += 1;
    }

    /// Notes a header's place in the ledger, if it is there.
    pub(super) fn set(&mut self, header: Fingerprint, sequence: Sequence) {
        let (piece, part) = self.whereabouts(header);
        let piece = &mut self.pieces[piece];
        let at = piece.find(header, part);
        if let Some(place) = piece.places.get_mut(at).filter(|place| place.header == header) {
            place.sequence = sequence.get();
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
        (u128::from(part) * u128::from(own) >> 64) as usize
    }

    /// Where the header is, or where it would be: there is none greater before it.
    fn find(&self, header: Fingerprint, part: u64) -> usize {
        let mut at = Self::own_place(part, self.own);
        while self.places.get(at).is_some_and(|place| place.header < header) {
            at += 1;
        }
        at
    }

    fn is_free(&self, at: usize) -> bool {
        self.places[at].header == Fingerprint::NONE
    }

    fn insert(&mut self, header: Fingerprint, part: u64, bits: u32) {
        if self.taken >= self.own / 8 * 7 {
            self.grow(bits);
        }
        let at = self.find(header, part);
        let mut end = at;
        while end < self.places.len() && !self.is_free(end) {
            end += 1;
        }
        if end == self.places.len() {
            self.places.reserve_exact(BEHIND);
            self.places.push(FREE);
        }
        self.places.copy_within(at..end, at + 1);
        self.places[at] = Place {
            header,
            sequence: PENDING,
        };
        self.taken += 1;
    }

    fn remove(&mut self, header: Fingerprint, part: u64, bits: u32) -> bool {
        let at = self.find(header, part);
        if self.places.get(at).is_none_or(|place| place.header != header) {
            return false;
        }
        // Those behind it that are not at their own places move up.
        let mut end = at + 1;
        while end < self.places.len() && !self.is_free(end) && self.own_of(end, bits) < end {
            end += 1;
        }
        self.places.copy_within(at + 1..end, at);
        self.places[end - 1] = FREE;
        self.taken -= 1;
        true
    }

    /// The own place of what is at this one.
    fn own_of(&self, at: usize, bits: u32) -> usize {
        Self::own_place(self.places[at].header.high << bits, self.own)
    }

    fn grow(&mut self, bits: u32) {
        let own = self.own as usize + (self.own as usize / 8).max(GROWTH_MIN);
        // The setting's range ends far below.
        let own = u32::try_from(own).unwrap_or(u32::MAX);
        let mut places = Vec::with_capacity(own as usize + BEHIND);
        for place in &self.places {
            if place.header == Fingerprint::NONE {
                continue;
            }
            let at = Self::own_place(place.header.high << bits, own);
            if at > places.len() {
                places.resize(at, FREE);
            }
            if places.len() == places.capacity() {
                places.reserve_exact(BEHIND);
            }
            places.push(*place);
        }
        let len = places.len().max(own as usize);
        places.resize(len, FREE);
        (self.places, self.own) = (places, own);
    }
}

#[cfg(test)]
mod tests;
