//! The 80 bytes of a block header, which is what miners hash.

use dwarves_lanes::plain;

use crate::ids::HeaderHash;
use crate::target::CompactTarget;

/// A block header in its serialized form.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Header([u8; 80]);

/// The fields of a header, before they are put into their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderFields {
    /// Block version with its signalling bits.
    pub version: u32,
    /// The hash of the block before this one.
    pub previous: HeaderHash,
    /// The merkle root, in hash byte order.
    pub merkle_root: [u8; 32],
    /// Unix time in seconds.
    pub time: u32,
    /// The network's target in compact form.
    pub bits: CompactTarget,
    /// The number that miners search.
    pub nonce: u32,
}

impl Header {
    /// Bytes of a header.
    pub const LEN: usize = 80;

    /// Puts the fields into their places.
    pub fn new(fields: &HeaderFields) -> Self {
        let mut bytes = [0; Self::LEN];
        bytes[0..4].copy_from_slice(&fields.version.to_le_bytes());
        bytes[4..36].copy_from_slice(fields.previous.as_bytes());
        bytes[36..68].copy_from_slice(&fields.merkle_root);
        bytes[68..72].copy_from_slice(&fields.time.to_le_bytes());
        bytes[72..76].copy_from_slice(&fields.bits.bits().to_le_bytes());
        bytes[76..80].copy_from_slice(&fields.nonce.to_le_bytes());
        Self(bytes)
    }

    /// A header from its bytes.
    pub const fn from_bytes(bytes: [u8; 80]) -> Self {
        Self(bytes)
    }

    /// The bytes as they are sent and stored.
    pub const fn as_bytes(&self) -> &[u8; 80] {
        &self.0
    }

    /// The same header with another version, time and nonce: what a miner may change.
    #[must_use]
    pub fn rolled(mut self, version: u32, time: u32, nonce: u32) -> Self {
        self.0[0..4].copy_from_slice(&version.to_le_bytes());
        self.0[68..72].copy_from_slice(&time.to_le_bytes());
        self.0[76..80].copy_from_slice(&nonce.to_le_bytes());
        self
    }

    /// The block version.
    pub fn version(&self) -> u32 {
        u32::from_le_bytes([self.0[0], self.0[1], self.0[2], self.0[3]])
    }

    /// The merkle root, in hash byte order.
    pub fn merkle_root(&self) -> [u8; 32] {
        let mut root = [0; 32];
        root.copy_from_slice(&self.0[36..68]);
        root
    }

    /// The time in Unix seconds.
    pub fn time(&self) -> u32 {
        u32::from_le_bytes([self.0[68], self.0[69], self.0[70], self.0[71]])
    }

    /// The number that was searched.
    pub fn nonce(&self) -> u32 {
        u32::from_le_bytes([self.0[76], self.0[77], self.0[78], self.0[79]])
    }

    /// SHA-256d over the 80 bytes: the block's name, and for `sha256d` chains its proof of work.
    pub fn hash(&self) -> HeaderHash {
        HeaderHash::from_bytes(plain::of_header(&self.0))
    }
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Header({})", hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_genesis_block_has_its_well_known_hash() {
        let mut merkle_root: [u8; 32] =
            hex::decode("4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b")
                .unwrap()
                .try_into()
                .unwrap();
        merkle_root.reverse();
        let header = Header::new(&HeaderFields {
            version: 1,
            previous: HeaderHash::from_bytes([0; 32]),
            merkle_root,
            time: 1_231_006_505,
            bits: CompactTarget::from_bits(0x1d00_ffff),
            nonce: 0,
        });
        let found = header.rolled(1, 1_231_006_505, 2_083_236_893);
        assert_eq!(
            found.hash().to_string(),
            "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
        );
        assert_eq!((found.version(), found.time()), (1, 1_231_006_505));
        let rolled = found.rolled(0x2000_0003, 7, 9);
        assert_eq!(
            (rolled.version(), rolled.time(), rolled.nonce()),
            (0x2000_0003, 7, 9)
        );
        assert_eq!(found.nonce(), 2_083_236_893);
    }
}
