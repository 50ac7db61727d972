//! The codes of refusals: every one with its status and title, in one list.

/// Defines the codes, so that name, status and title of each stand in one line.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $status:literal, $title:literal;)+) => {
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
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$variant => $status,)+
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
    SignatureMissing, "signature_missing", 401, "The request is not signed";
    /// A header that says who is asking is missing, repeated or not in its form.
    AuthMalformed, "auth_malformed", 401, "A header of the signature is malformed";
    /// The signature is meant for another pool.
    WrongReceiver, "wrong_receiver", 401, "The request is signed for another receiver";
    /// The nonce is too old or too far ahead.
    StaleRequest, "stale_request", 401, "The nonce is outside the time window";
    /// The nonce was used before.
    Replayed, "replayed", 401, "The nonce was used before";
    /// The signature does not hold.
    SignatureInvalid, "signature_invalid", 401, "The signature does not hold";
    /// The session token is none of this pool's.
    SessionInvalid, "session_invalid", 401, "The session token is not valid";
    /// The session's time is over.
    SessionExpired, "session_expired", 401, "The session has expired";
    /// The admin token is wrong.
    TokenInvalid, "token_invalid", 401, "The admin token is not valid";
    /// The watch token is none of this pool's, was taken back, or is over.
    WatchInvalid, "watch_invalid", 401, "The watch token is not valid";
    /// A change that came with the operator's cookie does not come from the operator's own page.
    CsrfInvalid, "csrf_invalid", 403, "The request does not come from the operator's own page";
    /// The caller is no admin.
    Forbidden, "forbidden", 403, "The caller may not do this";
    /// It is for the miner itself, those whom it lets look, and the operator.
    Hidden, "hidden", 403, "Only the miner itself and the operator may see this";
    /// The pool takes no new miners.
    RegistrationClosed, "registration_closed", 403, "Registration is closed";
    /// The worker's name stands for another miner's hotkey.
    WorkerForeign, "worker_foreign", 403, "The worker's name stands for another miner's hotkey";
    /// The miner is banned.
    Banned, "banned", 403, "The miner is banned";
    /// No such path.
    NotFound, "not_found", 404, "There is nothing at this path";
    /// No such miner.
    MinerUnknown, "miner_unknown", 404, "The miner is not registered";
    /// Miners are told nothing here.
    NotificationsOff, "notifications_off", 404, "This pool tells miners nothing";
    /// The miner has not said what it wants to be told.
    NotificationsUnknown, "notifications_unknown", 404, "The miner wants no notifications";
    /// No such round.
    RoundUnknown, "round_unknown", 404, "There is no such round";
    /// No such epoch, or it is not stated yet.
    EpochUnknown, "epoch_unknown", 404, "There is no statement of such an epoch";
    /// No such block.
    BlockUnknown, "block_unknown", 404, "The pool found no such block";
    /// No such payout.
    PayoutUnknown, "payout_unknown", 404, "There is no such payout";
    /// No such batch of payouts.
    BatchUnknown, "batch_unknown", 404, "There is no such batch of payouts";
    /// No such share, or it is not kept any more.
    ShareUnknown, "share_unknown", 404, "There is no such share";
    /// The round credited the miner nothing.
    CreditUnknown, "credit_unknown", 404, "The round credited this miner nothing";
    /// How the round came to its credits was not kept.
    WorkingsUnknown, "workings_unknown", 404, "How this round came to its credits was not kept";
    /// No such watch token.
    WatchUnknown, "watch_unknown", 404, "There is no such watch token";
    /// No such submission of this miner, or it is not kept any more.
    SubmissionUnknown, "submission_unknown", 404, "The miner has no such submission";
    /// The path has no such method.
    MethodNotAllowed, "method_not_allowed", 405, "The path does not take this method";
    /// The body did not arrive in time.
    BodyTimeout, "body_timeout", 408, "The body did not arrive in time";
    /// The actor cannot do it now.
    ControlRefused, "control_refused", 409, "The actor cannot do this in its present state";
    /// Who has which uid is not known.
    MetagraphUnusable, "metagraph_unusable", 409, "Who has which uid is not known";
    /// No balance is due.
    NothingDue, "nothing_due", 409, "No balance is due";
    /// A payout is marked paid by another payment.
    AlreadyPaid, "already_paid", 409, "The payout is marked paid by another payment";
    /// A payout is not marked paid by this payment.
    OtherReference, "other_reference", 409, "The payout is marked paid by another payment than this";
    /// A payout was marked paid, so it is not given back.
    WasPaid, "was_paid", 409, "The payout was marked paid";
    /// A payout was given back, so it is not paid any more.
    GivenBack, "given_back", 409, "The payout was given back";
    /// The miner has as many watch tokens as it may.
    WatchesFull, "watches_full", 409, "The miner has as many watch tokens as it may";
    /// The body is larger than the pool reads.
    BodyTooLarge, "body_too_large", 413, "The body is too large";
    /// The body is not JSON.
    UnsupportedMediaType, "unsupported_media_type", 415, "The body must be plain JSON";
    /// The body is not what the route takes.
    BodyInvalid, "body_invalid", 400, "The body is not as it should be";
    /// A query parameter is not what the route takes.
    QueryInvalid, "query_invalid", 400, "A query parameter is not as it should be";
    /// More shares than one request may bring.
    TooManyShares, "too_many_shares", 422, "One request brings too many shares";
    /// The payout address is none of this chain.
    PayoutAddressInvalid, "payout_address_invalid", 422, "The payout address is not valid";
    /// The miner's payout threshold is below what can be paid.
    PayoutThresholdInvalid, "payout_threshold_invalid", 422, "The payout threshold is not valid";
    /// What the miner wants to be told, or by which channel, is nothing that the pool grants.
    NotificationsInvalid, "notifications_invalid", 422, "The pool grants no such notifications";
    /// The code is not the one that was mailed, or it holds no more.
    CodeInvalid, "code_invalid", 422, "The code does not confirm the address";
    /// No such actor or message.
    ControlUnknown, "control_unknown", 422, "There is no such actor or message";
    /// A field of a control message is missing, unknown or wrong.
    ControlFieldInvalid, "control_field_invalid", 422, "A field of the control message is wrong";
    /// Too many new miners came from one place.
    TooManyNew, "too_many_new_miners", 429, "Too many new miners came from here";
    /// Too many wrong admin tokens came from one place.
    TooManyLogins, "too_many_logins", 429, "Too many wrong admin tokens came from here";
    /// Too many watch tokens that the pool never made came from one place.
    TooManyGuesses, "too_many_guesses", 429, "Too many wrong watch tokens came from here";
    /// Too many tests or codes were asked for.
    TooManyNotifications, "too_many_notifications", 429, "Too many notifications were asked for";
    /// As much of the miner's work waits to be evaluated as may.
    TooMuchWaits, "too_many_waiting", 503, "As much of this miner's work waits as may";
    /// Work of another kind than this pool's.
    WrongKind, "wrong_kind", 409, "This pool has no such work";
    /// A queue is full, or there was no answer in time.
    Busy, "busy", 503, "The pool is busy";
    /// The ledger cannot be written or read now.
    Unavailable, "unavailable", 503, "The ledger is not available";
    /// Most shares of the worker were wrong lately.
    KeptOut, "kept_out", 503, "The worker is kept out for a while";
    /// There are as many event streams as there may be.
    TooManyStreams, "too_many_streams", 503, "There are too many event streams";
    /// The chain gives no work.
    NoWork, "no_work", 503, "There is no work right now";
    /// The operator paused the pool.
    Paused, "paused", 503, "The pool is paused";
    /// The pool is stopping.
    Stopping, "stopping", 503, "The pool is stopping";
    /// The pool is not ready for miners.
    NotReady, "not_ready", 503, "The pool is not ready";
    /// A fault of the pool's own.
    Internal, "internal", 500, "Something is wrong with the pool";
}

impl Code {
    /// After how many seconds to try again, for refusals that pass by themselves.
    pub const fn retry_after_secs(self) -> Option<u32> {
        match self {
            Self::Busy | Self::TooMuchWaits => Some(1),
            Self::NoWork | Self::Unavailable | Self::NotReady | Self::Stopping => Some(5),
            Self::Paused => Some(10),
            Self::TooManyStreams => Some(30),
            // What is left of its time is told where it is known.
            Self::KeptOut => Some(60),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_has_a_name_of_its_own_and_a_status_that_refuses() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            let status = code.status();
            assert!((400..600).contains(&status), "{code:?}");
            assert_eq!(code.retry_after_secs().is_some(), status == 503, "{code:?}");
        }
    }
}
