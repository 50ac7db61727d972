//! Whoever signs as the pool.

use std::sync::Arc;

use dwarves_domain::hotkey::Hotkey;

/// Signs with the pool's own hotkey.
pub trait Signer: Send + Sync + 'static {
    /// The hotkey whose signatures they are.
    fn hotkey(&self) -> Hotkey;

    /// An sr25519 signature of `message` in the context `substrate`, as Bittensor's key pairs verify it. Two signatures of
    /// one message may differ.
    fn sign(&self, message: &[u8]) -> [u8; 64];
}

/// A signer shared by those who need signatures.
pub type SharedSigner = Arc<dyn Signer>;
