//! Keys and secrets on disk.
//!
//! | module | its one job |
//! |---|---|
//! | [`secret_file`] | writing a secret so that it is whole, private and never replaces another |
//! | [`hotkey_file`] | an sr25519 key pair in the form of Bittensor's key files; signs requests |
//! | [`pool_key`] | the pool's own hotkey and the secrets that are derived from it |
//! | [`admin_token`] | the bearer token with which the operator of this machine steers the pool |

pub mod admin_token;
pub mod hotkey_file;
pub mod pool_key;
pub mod secret_file;

pub use admin_token::AdminToken;
pub use hotkey_file::{HotkeyFile, PhraseWords};
pub use pool_key::PoolKey;
