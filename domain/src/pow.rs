//! Proof-of-work hashes.
//!
//! A block is named by the SHA-256d of its header on every chain; what must not exceed the target is that hash
//! on `sha256d` chains and another on the rest.

use crate::ids::HeaderHash;
use crate::work::{Algorithm, Header};

/// log2 of scrypt's N = 1024, its r and its p, as Litecoin has them (Tenebrix' choice: 128 KiB).
const SCRYPT: (u8, u32, u32) = (10, 1, 1);

impl Algorithm {
    /// The hash of a header that must not exceed a target, as a little-endian number. SHA-256d takes less than
    /// a microsecond, scrypt some hundreds.
    pub fn pow_hash(self, header: &Header) -> HeaderHash {
        match self {
            Self::Sha256d => header.hash(),
            Self::Scrypt => scrypt(header),
        }
    }
}

/// scrypt (RFC 7914) with the header as both password and salt.
fn scrypt(header: &Header) -> HeaderHash {
    let (log_n, r, p) = SCRYPT;
    let params = scrypt::Params::new(log_n, r, p).expect("Litecoin's numbers are in range");
    let mut hash = [0; 32];
    scrypt::scrypt(header.as_bytes(), header.as_bytes(), &params, &mut hash)
        .expect("32 bytes are a length that scrypt can give");
    HeaderHash::from_bytes(hash)
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
}
