//! Who is asking: the headers of `btauth/1`, session tokens, the admin token.
//!
//! A signed route takes a signature alone. A session route takes a session token too, and an admin route the
//! admin token. What is signed is the whole request, so its body is read before the signature is checked,
//! but the headers are looked at first: a request that is not signed at all costs nothing.

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use actix_web::web::{Bytes, Payload};
use dwarves_actors::handlers::admin::messages::AdminCaller;
use dwarves_actors::handlers::registration::messages::Authenticate;
use dwarves_domain::hotkey::{Hotkey, ParseHotkeyError};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::session::SessionError;
use dwarves_domain::signature::KeyType;

use super::body;
use super::client;
use super::connections::line::Line;
use super::headers::{CRYPTO, HOTKEY, NONCE, RECEIVER, SIGNATURE, VERSION};
use super::operator;
use super::problem::{Code, Problem};
use super::state::HttpState;

/// The headers of a signature, in the right form and meant for this pool; not checked yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureHeaders {
    scheme: KeyType,
    nonce_nanos: u64,
    sender: Hotkey,
    receiver: Hotkey,
    signature: [u8; 64],
}

/// Who a request says it comes from, before its body was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim<Caller> {
    /// The holder of a token, which was checked.
    Proven(Caller),
    /// Someone who signed; the signature is still to be checked.
    Signed(SignatureHeaders),
}

fn malformed(header: &HeaderName, detail: impl std::fmt::Display) -> Problem {
    Problem::new(Code::AuthMalformed, format!("{header}: {detail}")).of_field(header.as_str())
}

/// A header that may be there once.
fn once<'a>(req: &'a HttpRequest, name: &HeaderName) -> Result<Option<&'a HeaderValue>, Problem> {
    let mut values = req.headers().get_all(name);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(malformed(name, "sent more than once"));
    }
    Ok(Some(value))
}

fn text<'a>(name: &HeaderName, value: &'a HeaderValue) -> Result<&'a str, Problem> {
    value
        .to_str()
        .map_err(|_| malformed(name, "expected visible ASCII text"))
}

/// The text of a header that may be there once.
fn single<'a>(req: &'a HttpRequest, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    once(req, name)?.map(|value| text(name, value)).transpose()
}

fn required<'a>(req: &'a HttpRequest, name: &HeaderName) -> Result<&'a str, Problem> {
    single(req, name)?.ok_or_else(|| malformed(name, "this header is missing"))
}

/// One spelling only: what is signed is the number's text.
fn parse_nonce(text: &str) -> Option<u64> {
    let plain = text.len() <= 20 && text.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = text.len() > 1 && text.starts_with('0');
    if plain && !leading_zero {
        text.parse().ok()
    } else {
        None
    }
}

fn parse_signature(text: &str) -> Option<[u8; 64]> {
    let mut bytes = [0; 64];
    hex::decode_to_slice(text.strip_prefix("0x")?, &mut bytes).ok()?;
    Some(bytes)
}

/// The bearer token in a header. Other kinds of authorization (a proxy's) are not ours.
fn token_of(header: &HeaderValue) -> Result<Option<&str>, Problem> {
    token_by("bearer", header)
}

/// The token of this scheme in a header.
fn token_by<'a>(scheme: &str, header: &'a HeaderValue) -> Result<Option<&'a str>, Problem> {
    let token = text(&AUTHORIZATION, header)?
        .split_once(' ')
        .filter(|(given, _)| given.eq_ignore_ascii_case(scheme))
        .map(|(_, token)| token.trim_matches(' '));
    Ok(token)
}

/// The watch token of a request, if it carries one.
pub(super) fn watch_token(req: &HttpRequest) -> Result<Option<&str>, Problem> {
    once(req, &AUTHORIZATION)?.map_or(Ok(None), |header| token_by("watch", header))
}

/// The bearer token of a request, if it carries one.
pub(super) fn bearer(req: &HttpRequest) -> Result<Option<&str>, Problem> {
    once(req, &AUTHORIZATION)?.map_or(Ok(None), token_of)
}

fn signature_headers(
    req: &HttpRequest,
    pool: Hotkey,
    missing: &'static str,
) -> Result<SignatureHeaders, Problem> {
    let Some(signature) = single(req, &SIGNATURE)? else {
        return Err(Problem::new(Code::SignatureMissing, missing).of_field(SIGNATURE.as_str()));
    };
    if required(req, &VERSION)? != "1" {
        return Err(malformed(&VERSION, "expected 1"));
    }
    let sender = required(req, &HOTKEY)?
        .parse()
        .map_err(|error: ParseHotkeyError| malformed(&HOTKEY, error))?;
    let nonce_nanos = parse_nonce(required(req, &NONCE)?).ok_or_else(|| {
        malformed(
            &NONCE,
            "expected Unix time in nanoseconds in plain decimal digits",
        )
    })?;
    let scheme = match single(req, &CRYPTO)? {
        None => KeyType::Sr25519,
        Some(name) => name.parse().map_err(|error| malformed(&CRYPTO, error))?,
    };
    let signature =
        parse_signature(signature).ok_or_else(|| malformed(&SIGNATURE, "expected 0x and 128 hex digits"))?;
    let receiver: Option<Hotkey> = single(req, &RECEIVER)?.and_then(|text| text.parse().ok());
    let Some(receiver) = receiver.filter(|receiver| *receiver == pool) else {
        return Err(wrong_receiver(pool));
    };
    Ok(SignatureHeaders {
        scheme,
        nonce_nanos,
        sender,
        receiver,
        signature,
    })
}

fn wrong_receiver(pool: Hotkey) -> Problem {
    Problem::new(
        Code::WrongReceiver,
        format!("{RECEIVER}: expected this pool's hotkey, {pool}"),
    )
    .of_field(RECEIVER.as_str())
}

/// The claim of a request to a route that takes a signature alone.
///
/// # Errors
/// `signature_missing`, `auth_malformed` or `wrong_receiver`.
pub fn signed(req: &HttpRequest, state: &HttpState) -> Result<SignatureHeaders, Problem> {
    signature_headers(
        req,
        state.deps().pool_hotkey,
        "this route needs a request signed with btauth/1; a token does not do",
    )
}

/// The claim of a request to a route that takes a session token or a signature. The token goes first.
///
/// # Errors
/// As [`signed`], and `session_invalid` or `session_expired`.
pub fn session(req: &HttpRequest, state: &HttpState) -> Result<Claim<Hotkey>, Problem> {
    let deps = state.deps();
    let header = once(req, &AUTHORIZATION)?;
    let now = deps.clock.date();
    // Nearly always a connection brings the same token again and again.
    let line = req.conn_data::<Line>();
    let known = line.and_then(|line| line.session_of(header?.as_bytes()));
    if let Some(session) = known.filter(|session| now < session.expires_at) {
        return Ok(Claim::Proven(session.hotkey));
    }
    let Some(token) = header.map_or(Ok(None), token_of)? else {
        let missing = "this route needs a session token (Authorization: Bearer ...) or a signed request";
        return signature_headers(req, deps.pool_hotkey, missing).map(Claim::Signed);
    };
    match deps.sessions.open(token, now) {
        Ok(session) => {
            if let (Some(line), Some(header)) = (line, header) {
                line.remember_session(header.as_bytes(), session);
            }
            Ok(Claim::Proven(session.hotkey))
        }
        Err(error) => {
            let code = match error {
                SessionError::Invalid => Code::SessionInvalid,
                SessionError::Expired => Code::SessionExpired,
            };
            Err(Problem::new(code, error.to_string()).of_field(AUTHORIZATION.as_str()))
        }
    }
}

/// The claim of a request to a route for admins. The token goes first, the operator's cookie last.
///
/// # Errors
/// As [`signed`], `token_invalid`, and what [`operator::session`] and [`operator::is_own_change`] say.
pub async fn admin(req: &HttpRequest, state: &HttpState) -> Result<Claim<AdminCaller>, Problem> {
    let deps = state.deps();
    match bearer(req)? {
        None => {
            if !req.headers().contains_key(&SIGNATURE)
                && let Some(session) = operator::session(req, state).await?
            {
                operator::is_own_change(req, state, &session)?;
                return Ok(Claim::Proven(AdminCaller::Token));
            }
            let missing = "this route needs the admin token (Authorization: Bearer ...), the cookie of an operator who \
                           logged in, or a request signed by an admin's hotkey";
            signature_headers(req, deps.pool_hotkey, missing).map(Claim::Signed)
        }
        Some(token) if deps.admin_token.matches(token) => Ok(Claim::Proven(AdminCaller::Token)),
        Some(_) => Err(wrong_token().of_field(AUTHORIZATION.as_str())),
    }
}

/// The refusal of a wrong admin token.
pub(super) fn wrong_token() -> Problem {
    let detail = "this is not the admin token; it is in the file admin.token of the pool's data directory";
    Problem::new(Code::TokenInvalid, detail)
}

/// Checks a signature over the request and its body, and uses up its nonce. Gives the signer.
///
/// # Errors
/// `wrong_receiver`, `stale_request`, `replayed`, `signature_invalid`, `busy`, `unavailable` or `stopping`.
pub async fn verify(
    req: &HttpRequest,
    state: &HttpState,
    headers: SignatureHeaders,
    body: &Bytes,
) -> Result<Hotkey, Problem> {
    let path = req.uri().path_and_query().map_or("/", |path| path.as_str());
    let question = Authenticate {
        from: client::address(req, state),
        scheme: headers.scheme,
        method: req.method().as_str().to_owned(),
        path: path.to_owned(),
        body: body.to_vec(),
        nonce_nanos: headers.nonce_nanos,
        sender: headers.sender,
        receiver: headers.receiver,
        signature: headers.signature,
    };
    match state.ask(&state.worker().authenticate, question).await? {
        Ok(()) => Ok(headers.sender),
        Err(Refusal::WrongReceiver) => Err(wrong_receiver(state.deps().pool_hotkey)),
        Err(refusal) => Err(refusal.into()),
    }
}

impl<Caller: From<Hotkey>> Claim<Caller> {
    /// Makes sure of a claim, which may be signed over this body. Whether an operator's hotkey is an admin's is not known yet.
    ///
    /// # Errors
    /// As [`verify`].
    pub async fn settle(self, req: &HttpRequest, state: &HttpState, body: &Bytes) -> Result<Caller, Problem> {
        match self {
            Self::Proven(caller) => Ok(caller),
            Self::Signed(headers) => verify(req, state, headers, body).await.map(Caller::from),
        }
    }

    /// Reads the body and makes sure of the claim. Gives the caller and the body.
    ///
    /// # Errors
    /// As [`body::read`] and [`verify`].
    pub async fn with_body(
        self,
        req: &HttpRequest,
        payload: Payload,
        state: &HttpState,
    ) -> Result<(Caller, Bytes), Problem> {
        let sent = body::read(req, payload, state).await?;
        let caller = self.settle(req, state, &sent).await?;
        Ok((caller, sent))
    }
}
