//! Many sr25519 signatures checked at once: half the work of one for each, and the same verdicts.
//!
//! Schnorr signatures are checked by an equation of points. The sum of many such equations, each times a number that
//! nobody could know who made the signatures, holds if all of them hold, and else in one of 2^128 cases (Bellare, Garay
//! and Rabin, "Fast Batch Verification for Modular Exponentiation and Digital Signatures", 1998). If it does not hold,
//! each is checked for itself.

use std::collections::HashMap;
use std::fmt;

use hmac::{Hmac, Mac};
use rand_core::{CryptoRng, RngCore, impls};
use schnorrkel::{PublicKey, Signature, signing_context, verify_batch_rng};
use sha2::Sha256;

use super::SIGNING_CONTEXT;
use crate::hotkey::Hotkey;

/// The most that are checked at once; more gain little, and hold up what else their thread does.
pub const TOGETHER_MAX: usize = 64;
/// Signers whose keys are kept as points. About 250 bytes each.
const KEYS_MAX: usize = 4_096;

/// A signature that somebody is said to have made with sr25519.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// Who is said to have signed.
    pub signer: Hotkey,
    /// What is signed.
    pub message: &'a [u8],
    /// The signature.
    pub signature: &'a [u8; 64],
}

/// A secret of the pool's, from which the numbers are made that nobody else may know.
#[derive(Clone)]
pub struct BatchKey(Hmac<Sha256>);

impl fmt::Debug for BatchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BatchKey(..)")
    }
}

impl BatchKey {
    /// From a secret.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("an HMAC takes a key of any length"))
    }

    /// What nobody knows who made these signatures; schnorrkel adds keys and messages to it.
    fn seed<'a>(&self, signatures: impl Iterator<Item = &'a [u8; 64]>) -> [u8; 32] {
        let mut hmac = self.0.clone();
        for signature in signatures {
            hmac.update(signature);
        }
        hmac.finalize().into_bytes().into()
    }

    /// Whether all of these hold, of which `read` are keys and signatures.
    fn all_hold(&self, all: &[Signed<'_>], read: &[(PublicKey, Signature)]) -> bool {
        let (keys, signatures): (Vec<_>, Vec<_>) = read.iter().copied().unzip();
        let context = signing_context(SIGNING_CONTEXT);
        let messages = all.iter().map(|one| context.bytes(one.message));
        let seed = Seed(self.seed(all.iter().map(|one| one.signature)));
        verify_batch_rng(messages, &signatures, &keys, false, seed).is_ok()
    }
}

/// Checks signatures, and knows the keys of those who signed before: reading one takes a tenth of the work.
#[derive(Debug)]
pub struct Verifier {
    batches: BatchKey,
    keys: HashMap<Hotkey, PublicKey>,
    keys_max: usize,
}

impl Verifier {
    /// One that knows nobody yet.
    pub fn new(batches: BatchKey) -> Self {
        Self {
            batches,
            keys: HashMap::new(),
            keys_max: KEYS_MAX,
        }
    }

    /// Which of these signatures hold, in their order. Each verdict is that of [`super::verify`].
    pub fn verify(&mut self, all: &[Signed<'_>]) -> Vec<bool> {
        all.chunks(TOGETHER_MAX)
            .flat_map(|some| self.verify_some(some))
            .collect()
    }

    fn verify_some(&mut self, some: &[Signed<'_>]) -> Vec<bool> {
        let read: Vec<_> = some.iter().map(|one| self.read(one)).collect();
        let whole: Option<Vec<_>> = read.iter().copied().collect();
        let all_hold = some.len() > 1 && whole.is_some_and(|read| self.batches.all_hold(some, &read));
        let verdicts: Vec<_> = some
            .iter()
            .zip(&read)
            .map(|(one, read)| {
                all_hold
                    || read.is_some_and(|(key, signature)| {
                        key.verify_simple(SIGNING_CONTEXT, one.message, &signature)
                            .is_ok()
                    })
            })
            .collect();
        for ((one, read), holds) in some.iter().zip(read).zip(&verdicts) {
            if let (Some((key, _)), true) = (read, holds) {
                self.remember(one.signer, key);
            }
        }
        verdicts
    }

    /// Key and signature in their forms; `None` if one of them is none.
    fn read(&self, one: &Signed<'_>) -> Option<(PublicKey, Signature)> {
        let known = self.keys.get(&one.signer).copied();
        let key = known.or_else(|| PublicKey::from_bytes(one.signer.as_bytes()).ok())?;
        Some((key, Signature::from_bytes(one.signature).ok()?))
    }

    /// Keeps the key of somebody who signed. Nobody else's is kept: anybody can name keys.
    fn remember(&mut self, signer: Hotkey, key: PublicKey) {
        if self.keys.len() >= self.keys_max && !self.keys.contains_key(&signer) {
            self.keys.clear();
        }
        self.keys.insert(signer, key);
    }
}

/// A seed in the form in which schnorrkel takes it: it draws 32 bytes, once.
struct Seed([u8; 32]);

impl RngCore for Seed {
    fn next_u32(&mut self) -> u32 {
        impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        assert_eq!(bytes.len(), self.0.len(), "a seed is drawn whole, and once");
        bytes.copy_from_slice(&std::mem::take(&mut self.0));
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Seed {}

#[cfg(test)]
mod tests;
