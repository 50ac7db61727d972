//! The coinbase transaction, cut around its extranonce so that a job only fills in a few bytes.
//!
//! Its script holds the height (BIP34), the extranonce and the pool's tag; its outputs are the pool's payout
//! and, if the template has one, the witness commitment (BIP141). Its lock time is that of BIP54, which no two
//! heights share, so that no coinbase can be the copy of another.

use std::fmt;
use std::str::FromStr;

use bitcoin::absolute::LockTime;
use bitcoin::consensus::encode::serialize;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::transaction::Version;
use bitcoin::{OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness};
use dwarves_lanes::{Block, State, plain};

use super::extranonce::{EXTRANONCE_LEN, FullExtraNonce};
use crate::units::Amount;

mod decode;
mod recognise;
mod tail;

pub use decode::{CoinbaseOutput, DecodedCoinbase};
pub use recognise::{CoinbaseMark, OwnCoinbase};
use tail::Tail;

/// The longest tag: with height and extranonce the script stays below its limit of 100 bytes.
pub const TAG_LEN_MAX: usize = 64;
/// BIP141's witness reserved value, which a coinbase carries if the block has a witness commitment.
const WITNESS_RESERVED: [u8; 32] = [0; 32];

/// How a coinbase's lock time and sequence are set. Both are final under the rules of today.
///
/// It belongs to the template: the jobs of a template that an older pool stored are built again as they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CoinbaseForm {
    /// Lock time 0, sequence final: how pools made them before BIP54.
    Plain,
    /// BIP54: the lock time is the height before, and the sequence lets it count. No template says when a chain begins
    /// to demand it, so it is the form of every new template.
    #[default]
    Bip54,
}

impl CoinbaseForm {
    /// Its name in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Bip54 => "bip54",
        }
    }

    /// The lock time of a coinbase at this height, and the sequence of its input.
    fn locks(self, height: u32) -> (LockTime, Sequence) {
        match self {
            Self::Plain => (LockTime::ZERO, Sequence::MAX),
            Self::Bip54 => (
                LockTime::from_consensus(height.saturating_sub(1)),
                Sequence::ENABLE_LOCKTIME_NO_RBF,
            ),
        }
    }
}

impl fmt::Display for CoinbaseForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text names no form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected plain or bip54")]
pub struct ParseCoinbaseFormError;

impl FromStr for CoinbaseForm {
    type Err = ParseCoinbaseFormError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "plain" => Ok(Self::Plain),
            "bip54" => Ok(Self::Bip54),
            _ => Err(ParseCoinbaseFormError),
        }
    }
}

/// What a coinbase is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoinbaseSpec<'a> {
    /// The height of the block, pushed first (BIP34).
    pub height: u32,
    /// How its lock time and sequence are set.
    pub form: CoinbaseForm,
    /// Text by which the pool finds its own blocks again, at most [`TAG_LEN_MAX`] bytes.
    pub tag: &'a str,
    /// The script that is paid.
    pub payout_script: &'a [u8],
    /// What is paid: subsidy and fees.
    pub value: Amount,
    /// The script of the witness commitment output, from the template.
    pub witness_commitment: Option<&'a [u8]>,
}

/// A coinbase without its extranonce: the bytes before and after it, as they enter the transaction id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coinbase {
    prefix: Vec<u8>,
    suffix: Vec<u8>,
    tail: Tail,
    has_witness: bool,
}

/// Why no coinbase can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoinbaseError {
    /// The tag is too long.
    #[error("the pool's tag is longer than {TAG_LEN_MAX} bytes")]
    TagTooLong,
}

impl Coinbase {
    /// Builds the coinbase of `spec`.
    ///
    /// # Errors
    /// If the tag is too long.
    pub fn new(spec: &CoinbaseSpec<'_>) -> Result<Self, CoinbaseError> {
        if spec.tag.len() > TAG_LEN_MAX {
            return Err(CoinbaseError::TagTooLong);
        }
        let height = Builder::new().push_int(i64::from(spec.height));
        let extranonce_at = height.as_bytes().len() + 1;
        let tag = PushBytesBuf::try_from(spec.tag.as_bytes().to_vec())
            .expect("a tag of at most 64 bytes is a valid push");
        let script_sig = height
            .push_slice([0; EXTRANONCE_LEN])
            .push_slice(tag)
            .into_script();
        let mut output = vec![TxOut {
            value: bitcoin::Amount::from_sat(spec.value.sats()),
            script_pubkey: ScriptBuf::from_bytes(spec.payout_script.to_vec()),
        }];
        if let Some(script) = spec.witness_commitment {
            output.push(TxOut {
                value: bitcoin::Amount::ZERO,
                script_pubkey: ScriptBuf::from_bytes(script.to_vec()),
            });
        }
        let (lock_time, sequence) = spec.form.locks(spec.height);
        let bytes = serialize(&Transaction {
            version: Version::TWO,
            lock_time,
            input: vec![TxIn {
                previous_output: OutPoint::null(),
                script_sig,
                sequence,
                witness: Witness::new(),
            }],
            output,
        });
        // version (4), input count (1), previous output (36), script length (1), then the script.
        let cut = 4 + 1 + 36 + 1 + extranonce_at;
        let (prefix, suffix) = (&bytes[..cut], &bytes[cut + EXTRANONCE_LEN..]);
        Ok(Self {
            tail: Tail::new(prefix, suffix),
            prefix: prefix.to_vec(),
            suffix: suffix.to_vec(),
            has_witness: spec.witness_commitment.is_some(),
        })
    }

    /// The bytes before the extranonce, as they enter the transaction id.
    pub fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// The bytes after the extranonce, as they enter the transaction id.
    pub fn suffix(&self) -> &[u8] {
        &self.suffix
    }

    /// The transaction id with this extranonce, in hash byte order.
    pub fn txid(&self, extranonce: impl Into<FullExtraNonce>) -> [u8; 32] {
        let mut blocks = Vec::new();
        self.append_tail(extranonce.into(), &mut blocks);
        plain::twice(*self.midstate(), &blocks)
    }

    /// The state of SHA-256 before the blocks of [`Coinbase::append_tail`].
    pub(super) fn midstate(&self) -> &State {
        self.tail.midstate()
    }

    /// Appends what is left to hash with this extranonce, padding included: as many blocks for each.
    pub(super) fn append_tail(&self, extranonce: FullExtraNonce, blocks: &mut Vec<Block>) {
        self.tail.append(extranonce, blocks);
    }

    /// The whole transaction with this extranonce, as it stands in a block.
    pub fn transaction(&self, extranonce: impl Into<FullExtraNonce>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.prefix.len() + self.suffix.len() + 48);
        let (version, inputs) = self.prefix.split_at(4);
        bytes.extend_from_slice(version);
        if self.has_witness {
            bytes.extend_from_slice(&[0, 1]); // BIP144 marker and flag
        }
        bytes.extend_from_slice(inputs);
        bytes.extend_from_slice(extranonce.into().as_bytes());
        let (outputs, lock_time) = self.suffix.split_at(self.suffix.len() - 4);
        bytes.extend_from_slice(outputs);
        if self.has_witness {
            bytes.extend_from_slice(&[1, 32]); // one witness item of 32 bytes
            bytes.extend_from_slice(&WITNESS_RESERVED);
        }
        bytes.extend_from_slice(lock_time);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ExtraNonce;
    use bitcoin::consensus::encode::deserialize;
    use bitcoin::hashes::Hash;
    use proptest::prelude::*;

    fn spec(height: u32, commitment: Option<&[u8]>) -> CoinbaseSpec<'_> {
        CoinbaseSpec {
            height,
            form: CoinbaseForm::Bip54,
            tag: "/Dwarves/",
            payout_script: &[0x51],
            value: Amount::from_sats(5_000_000_000).unwrap(),
            witness_commitment: commitment,
        }
    }

    #[test]
    fn low_heights_are_pushed_as_bip34_wants() {
        let script = |height| {
            let coinbase = Coinbase::new(&spec(height, None)).unwrap();
            let tx: Transaction = deserialize(&coinbase.transaction(ExtraNonce::new(1))).unwrap();
            tx.input[0].script_sig.to_bytes()
        };
        assert_eq!(script(1)[0], 0x51);
        assert_eq!(script(16)[0], 0x60);
        assert_eq!(script(17)[..2], [1, 17]);
        assert_eq!(script(128)[..3], [2, 128, 0]);
        assert_eq!(script(840_000)[..4], [3, 0x40, 0xd1, 0x0c]);
    }

    #[test]
    fn the_lock_time_is_that_of_the_form_and_final_at_every_height() {
        for form in [CoinbaseForm::Plain, CoinbaseForm::Bip54] {
            // Below 500 million a lock time is a height.
            for height in [1, 2, 16, 17, 840_000, 499_999_999] {
                let coinbase = Coinbase::new(&CoinbaseSpec {
                    form,
                    ..spec(height, None)
                });
                let bytes = coinbase.unwrap().transaction(ExtraNonce::new(1));
                let tx: Transaction = deserialize(&bytes).unwrap();
                let is_final = !tx.is_lock_time_enabled() || tx.lock_time.to_consensus_u32() < height;
                assert!(is_final, "{form:?} {height}");
                let (lock_time, sequence) = match form {
                    CoinbaseForm::Plain => (0, 0xffff_ffff),
                    CoinbaseForm::Bip54 => (height - 1, 0xffff_fffe),
                };
                assert_eq!(tx.lock_time.to_consensus_u32(), lock_time);
                assert_eq!(tx.input[0].sequence.0, sequence);
                assert!(bytes.ends_with(&lock_time.to_le_bytes()));
            }
        }
    }

    #[test]
    fn a_tag_that_would_overflow_the_script_is_refused() {
        let tag = "x".repeat(TAG_LEN_MAX + 1);
        let long = CoinbaseSpec {
            tag: &tag,
            ..spec(1, None)
        };
        assert_eq!(Coinbase::new(&long), Err(CoinbaseError::TagTooLong));
        let longest = CoinbaseSpec {
            tag: &tag[1..],
            ..spec(1, None)
        };
        assert!(Coinbase::new(&longest).is_ok());
    }

    #[test]
    fn forms_survive_storing_and_no_others_are_read() {
        for form in [CoinbaseForm::Plain, CoinbaseForm::Bip54] {
            assert_eq!(form.to_string().parse(), Ok(form));
        }
        assert_eq!(CoinbaseForm::Bip54.to_string(), "bip54");
        assert_eq!("BIP54".parse::<CoinbaseForm>(), Err(ParseCoinbaseFormError));
    }

    proptest! {
        #[test]
        fn the_transaction_decodes_and_has_the_id_that_jobs_use(
            height in 0u32..8_000_000, extranonce in any::<u64>(), witness in any::<bool>(),
        ) {
            let commitment = [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];
            let coinbase = Coinbase::new(&spec(height, witness.then_some(&commitment[..]))).unwrap();
            let extranonce = ExtraNonce::new(extranonce);
            let tx: Transaction = deserialize(&coinbase.transaction(extranonce)).unwrap();
            prop_assert!(tx.is_coinbase());
            prop_assert_eq!(tx.compute_txid().to_byte_array(), coinbase.txid(extranonce));
            prop_assert_eq!(tx.input[0].witness.len(), usize::from(witness));
            prop_assert!(tx.input[0].script_sig.len() <= 100);
            let script = tx.input[0].script_sig.to_bytes();
            prop_assert!(script.windows(8).any(|w| w == extranonce.get().to_be_bytes()));
        }
    }
}
