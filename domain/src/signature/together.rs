//! Many sr25519 signatures checked at once: half the work of one for each, and the same verdicts.
//!
//! Schnorr signatures are checked by an equation of points. The sum of many such equations, each times a number that
//! nobody could know who made the signatures, holds if all of them hold, and else in one of 2^128 cases (Bellare, Garay
//! and Rabin, "Fast Batch Verification for Modular Exponentiation and Digital Signatures", 1998). If it does not hold,
//! each is checked for itself.

use std::fmt;

use hmac::{Hmac, Mac};
use rand_core::{CryptoRng, RngCore, impls};
use schnorrkel::{PublicKey, Signature, signing_context, verify_batch_rng};
use sha2::Sha256;

use super::{SIGNING_CONTEXT, verify_sr25519};
use crate::hotkey::Hotkey;

/// The most that are checked at once; more gain little, and hold up what else their thread does.
pub const TOGETHER_MAX: usize = 64;

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

    /// Which of these signatures hold, in their order. Each verdict is that of [`super::verify`].
    pub fn verify(&self, all: &[Signed<'_>]) -> Vec<bool> {
        all.chunks(TOGETHER_MAX)
            .flat_map(|some| {
                if some.len() > 1 && self.all_hold(some) {
                    return vec![true; some.len()];
                }
                let one = |one: &Signed<'_>| verify_sr25519(&one.signer, one.message, one.signature);
                some.iter().map(one).collect()
            })
            .collect()
    }

    fn all_hold(&self, all: &[Signed<'_>]) -> bool {
        let keys: Result<Vec<_>, _> = all
            .iter()
            .map(|one| PublicKey::from_bytes(one.signer.as_bytes()))
            .collect();
        let signatures: Result<Vec<_>, _> = all
            .iter()
            .map(|one| Signature::from_bytes(one.signature))
            .collect();
        let (Ok(keys), Ok(signatures)) = (keys, signatures) else {
            return false;
        };
        let context = signing_context(SIGNING_CONTEXT);
        let messages = all.iter().map(|one| context.bytes(one.message));
        let seed = Seed(self.seed(all.iter().map(|one| one.signature)));
        verify_batch_rng(messages, &signatures, &keys, false, seed).is_ok()
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
