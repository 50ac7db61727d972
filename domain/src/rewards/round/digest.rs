//! A round's digest: SHA-256 over one canonical encoding of all that the round does.
//!
//! Version 1: numbers are big-endian, texts and lists begin with their length as a `u64`, and the fields come
//! in the order in which [`ClosedRound`] declares them. A change of this encoding takes a new version line. Version 2 is that of
//! rounds with an emission, and ends with what became of it.

use sha2::{Digest, Sha256};

use crate::hotkey::Hotkey;
use crate::ids::HeaderHash;
use crate::rewards::round::{ClosedRound, SettledBlock};
use crate::units::Amount;

const VERSION: &[u8] = b"dwarves reward round 1\n";
const VERSION_WITH_EMISSION: &[u8] = b"dwarves reward round 2\n";

/// Writes values so that two different rounds never give the same bytes.
struct Encoder(Sha256);

impl Encoder {
    fn u64(&mut self, number: u64) {
        self.0.update(number.to_be_bytes());
    }

    fn u128(&mut self, number: u128) {
        self.0.update(number.to_be_bytes());
    }

    fn i64(&mut self, number: i64) {
        self.0.update(number.to_be_bytes());
    }

    fn amount(&mut self, amount: Amount) {
        self.u64(amount.sats());
    }

    fn hotkey(&mut self, hotkey: Hotkey) {
        self.0.update(hotkey.as_bytes());
    }

    fn len(&mut self, len: usize) {
        self.u64(u64::try_from(len).expect("a length in memory fits 64 bits"));
    }

    fn text(&mut self, text: &str) {
        self.len(text.len());
        self.0.update(text.as_bytes());
    }

    fn hashes(&mut self, hashes: &[HeaderHash]) {
        self.len(hashes.len());
        for hash in hashes {
            self.0.update(hash.as_bytes());
        }
    }

    fn block(&mut self, block: &SettledBlock) {
        self.0.update(block.hash.as_bytes());
        self.u64(u64::from(block.height));
        self.amount(block.fee);
        self.amount(block.kept);
        self.len(block.credits.len());
        for credit in &block.credits {
            self.hotkey(credit.hotkey);
            self.amount(credit.amount);
        }
    }
}

impl ClosedRound {
    /// The digest that this round must have: every field but `digest` itself goes into it.
    pub fn digest_of(&self) -> [u8; 32] {
        let version = if self.emitted.is_some() {
            VERSION_WITH_EMISSION
        } else {
            VERSION
        };
        let mut encoder = Encoder(Sha256::new_with_prefix(version));
        encoder.u64(self.id.get());
        encoder.i64(self.closed_at.millis());
        encoder.text(self.scheme.name());
        encoder.text(self.source.name());
        for amount in [self.reward, self.fee, self.kept, self.credited] {
            encoder.amount(amount);
        }
        encoder.len(self.credits.len());
        for credit in &self.credits {
            encoder.hotkey(credit.hotkey);
            encoder.u128(credit.units.half_steps());
            encoder.amount(credit.amount);
        }
        encoder.len(self.blocks.len());
        for block in &self.blocks {
            encoder.block(block);
        }
        encoder.hashes(&self.matured);
        encoder.hashes(&self.orphaned);
        encoder.hashes(&self.returned);
        encoder.len(self.carried.len());
        for (&hotkey, &remainder) in &self.carried {
            encoder.hotkey(hotkey);
            encoder.u128(remainder);
        }
        encoder.len(self.postings.len());
        for entry in self.postings.entries() {
            encoder.text(entry.account.code());
            // The code says whether a hotkey follows.
            if let Some(hotkey) = entry.account.hotkey() {
                encoder.hotkey(hotkey);
            }
            encoder.i64(entry.delta.sats());
        }
        if let Some(emitted) = &self.emitted {
            let amounts = [
                emitted.amount,
                emitted.brought,
                emitted.issued,
                emitted.carried,
                emitted.burnt,
            ];
            for amount in amounts {
                encoder.amount(amount);
            }
        }
        encoder.0.finalize().into()
    }
}
