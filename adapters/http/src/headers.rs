//! The headers of a signature, by name.

use actix_web::http::header::HeaderName;

pub(crate) static VERSION: HeaderName = HeaderName::from_static("x-bittensor-version");
pub(crate) static HOTKEY: HeaderName = HeaderName::from_static("x-bittensor-hotkey");
pub(crate) static RECEIVER: HeaderName = HeaderName::from_static("x-bittensor-receiver");
pub(crate) static NONCE: HeaderName = HeaderName::from_static("x-bittensor-nonce");
pub(crate) static SIGNATURE: HeaderName = HeaderName::from_static("x-bittensor-signature");
pub(crate) static CRYPTO: HeaderName = HeaderName::from_static("x-bittensor-crypto");
