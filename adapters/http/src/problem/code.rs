//! The codes of refusals: every one with its status and title, in one list.

use actix_web::http::StatusCode;
use serde::{Serialize, Serializer};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

/// Defines the codes, so that name, status and title of each stand in one line.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $status:ident, $title:literal;)+) => {
        /// Why a request is refused: stable, for programs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $variant,)+
        }

        impl Code {
            /// Every code, for tests and the OpenAPI document.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code's name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The HTTP status that it comes with.
            pub const fn status(self) -> StatusCode {
                match self {
                    $(Self::$variant => StatusCode::$status,)+
                }
            }

            /// A short sentence for people, the same for every problem with this code.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $title,)+
                }
            }
        }
    };
}

codes! {
    /// A signature (or a token, where one is allowed) is needed.
    SignatureMissing, "signature_missing", UNAUTHORIZED, "The request is not signed";
    /// A header that says who is asking is missing, repeated or not in its form.
    AuthMalformed, "auth_malformed", UNAUTHORIZED, "A header of the signature is malformed";
    /// The signature is meant for another pool.
    WrongReceiver, "wrong_receiver", UNAUTHORIZED, "The request is signed for another receiver";
    /// The nonce is too old or too far ahead.
    StaleRequest, "stale_request", UNAUTHORIZED, "The nonce is outside the time window";
    /// The nonce was used before.
    Replayed, "replayed", UNAUTHORIZED, "The nonce was used before";
    /// The signature does not hold.
    SignatureInvalid, "signature_invalid", UNAUTHORIZED, "The signature does not hold";
    /// The session token is none of this pool's.
    SessionInvalid, "session_invalid", UNAUTHORIZED, "The session token is not valid";
    /// The session's time is over.
    SessionExpired, "session_expired", UNAUTHORIZED, "The session has expired";
    /// The admin token is wrong.
    TokenInvalid, "token_invalid", UNAUTHORIZED, "The admin token is not valid";
    /// The caller is no admin.
    Forbidden, "forbidden", FORBIDDEN, "The caller may not do this";
    /// The pool takes no new miners.
    RegistrationClosed, "registration_closed", FORBIDDEN, "Registration is closed";
    /// The miner is banned.
    Banned, "banned", FORBIDDEN, "The miner is banned";
    /// No such path.
    NotFound, "not_found", NOT_FOUND, "There is nothing at this path";
    /// No such miner.
    MinerUnknown, "miner_unknown", NOT_FOUND, "The miner is not registered";
    /// No such round.
    RoundUnknown, "round_unknown", NOT_FOUND, "There is no such round";
    /// The path has no such method.
    MethodNotAllowed, "method_not_allowed", METHOD_NOT_ALLOWED, "The path does not take this method";
    /// The body did not arrive in time.
    BodyTimeout, "body_timeout", REQUEST_TIMEOUT, "The body did not arrive in time";
    /// The actor cannot do it now.
    ControlRefused, "control_refused", CONFLICT, "The actor cannot do this in its present state";
    /// The body is larger than the pool reads.
    BodyTooLarge, "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large";
    /// The body is not JSON.
    UnsupportedMediaType, "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The body must be plain JSON";
    /// The body is not what the route takes.
    BodyInvalid, "body_invalid", BAD_REQUEST, "The body is not as it should be";
    /// A query parameter is not what the route takes.
    QueryInvalid, "query_invalid", BAD_REQUEST, "A query parameter is not as it should be";
    /// More shares than one request may bring.
    TooManyShares, "too_many_shares", UNPROCESSABLE_ENTITY, "One request brings too many shares";
    /// The payout address is none of this chain.
    PayoutAddressInvalid, "payout_address_invalid", UNPROCESSABLE_ENTITY, "The payout address is not valid";
    /// The miner's payout threshold is below what can be paid.
    PayoutThresholdInvalid, "payout_threshold_invalid", UNPROCESSABLE_ENTITY, "The payout threshold is not valid";
    /// No such actor or message.
    ControlUnknown, "control_unknown", UNPROCESSABLE_ENTITY, "There is no such actor or message";
    /// A field of a control message is missing, unknown or wrong.
    ControlFieldInvalid, "control_field_invalid", UNPROCESSABLE_ENTITY, "A field of the control message is wrong";
    /// Too many new miners came from one place.
    TooManyNew, "too_many_new_miners", TOO_MANY_REQUESTS, "Too many new miners came from here";
    /// A queue is full, or there was no answer in time.
    Busy, "busy", SERVICE_UNAVAILABLE, "The pool is busy";
    /// The ledger cannot be written or read now.
    Unavailable, "unavailable", SERVICE_UNAVAILABLE, "The ledger is not available";
    /// Most shares of the worker were wrong lately.
    KeptOut, "kept_out", SERVICE_UNAVAILABLE, "The worker is kept out for a while";
    /// The chain gives no work.
    NoWork, "no_work", SERVICE_UNAVAILABLE, "There is no work right now";
    /// The operator paused the pool.
    Paused, "paused", SERVICE_UNAVAILABLE, "The pool is paused";
    /// The pool is stopping.
    Stopping, "stopping", SERVICE_UNAVAILABLE, "The pool is stopping";
    /// The pool is not ready for miners.
    NotReady, "not_ready", SERVICE_UNAVAILABLE, "The pool is not ready";
    /// A fault of the pool's own.
    Internal, "internal", INTERNAL_SERVER_ERROR, "Something is wrong with the pool";
}

impl Code {
    /// After how many seconds to try again, for refusals that pass by themselves.
    pub const fn retry_after_secs(self) -> Option<u32> {
        match self {
            Self::Busy => Some(1),
            Self::NoWork | Self::Unavailable | Self::NotReady | Self::Stopping => Some(5),
            Self::Paused => Some(10),
            // What is left of its time is told where it is known.
            Self::KeptOut => Some(60),
            _ => None,
        }
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(None::<SchemaFormat>)
            .description(Some("Why the request is refused: stable, for programs."))
            .enum_values(Some(Self::ALL.iter().map(|code| code.as_str())))
            .into()
    }
}

impl ToSchema for Code {}
