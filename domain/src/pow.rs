//! Proof-of-work hashes.
//!
//! A block is named by the SHA-256d of its header on every chain; what must not exceed the target is that hash
//! on `sha256d` chains and another on the rest.

use dwarves_lanes::{Lanes, ScryptMemory};

use crate::ids::HeaderHash;
use crate::work::{Algorithm, Header};

impl Algorithm {
    /// The hash of a header that must not exceed a target, as a little-endian number. SHA-256d takes less than
    /// a microsecond, scrypt some hundreds.
    pub fn pow_hash(self, header: &Header) -> HeaderHash {
        match self {
            Self::Sha256d => header.hash(),
            Self::Scrypt => {
                let mut hash = [[0; 32]];
                Lanes::PLAIN.scrypt(&[*header.as_bytes()], &mut hash, &mut ScryptMemory::new());
                HeaderHash::from_bytes(hash[0])
            }
        }
    }

    /// The hashes of several headers, in these lanes. `memory` is kept for the next.
    pub fn pow_hashes(self, lanes: Lanes, headers: &[Header], memory: &mut ScryptMemory) -> Vec<HeaderHash> {
        let headers: Vec<[u8; Header::LEN]> = headers.iter().map(|header| *header.as_bytes()).collect();
        let mut hashes = vec![[0; 32]; headers.len()];
        match self {
            Self::Sha256d => lanes.headers(&headers, &mut hashes),
            Self::Scrypt => lanes.scrypt(&headers, &mut hashes, memory),
        }
        hashes.into_iter().map(HeaderHash::from_bytes).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The headers of Litecoin's genesis blocks and the hashes that `chainparams.cpp` and miners know.
    #[test]
    fn litecoins_genesis_block_meets_its_target() {
        let header = "010000000000000000000000000000000000000000000000000000000000000000000000\
                      d9ced4ed1130f7b7faad9be25323ffafa33232a17c3edf6cfd97bee6bafbdd97\
                      b9aa8e4ef0ff0f1ecd513f7c";
        let header = Header::from_bytes(hex::decode(header).unwrap().try_into().unwrap());
        assert_eq!(
            header.hash().to_string(),
            "12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2"
        );
        assert_eq!(
            Algorithm::Scrypt.pow_hash(&header).to_string(),
            "0000050c34a64b415b6b15b37f2216634b5b1669cb9a2e38d76f7213b0671e00"
        );
        assert_eq!(Algorithm::Sha256d.pow_hash(&header), header.hash());
    }

    #[test]
    fn several_headers_have_the_hashes_that_each_has_alone() {
        let headers: Vec<Header> = (0..20).map(|n| Header::from_bytes([n; 80])).collect();
        for algorithm in [Algorithm::Sha256d, Algorithm::Scrypt] {
            let alone: Vec<_> = headers.iter().map(|header| algorithm.pow_hash(header)).collect();
            for lanes in Lanes::every() {
                for count in [0, 1, 3, 7, 20] {
                    let hashes = algorithm.pow_hashes(lanes, &headers[..count], &mut ScryptMemory::new());
                    assert_eq!(hashes, alone[..count], "{:?}", lanes.kind());
                }
            }
        }
    }
}
