//! Who asks a route that answers everybody, and what of miners they see.
//!
//! While everything is public nobody is asked who they are, and what a request says of that is left alone. Where something
//! is hidden, whoever says who they are must prove it: a token that has expired is told so, rather than shown less.

use actix_web::{HttpRequest, web};
use dwarves_actors::handlers::admin::messages::{AdminCaller, Authorize};
use dwarves_actors::handlers::watches::messages::{NotOpened, OpenWatch};
use dwarves_domain::privacy::{Asker, View};
use dwarves_ports::store::WatchRow;

use super::headers::SIGNATURE;
use super::problem::{Code, Problem};
use super::state::HttpState;
use super::{auth, body, client, operator};

/// What whoever sent this request sees.
///
/// # Errors
/// As those of [`auth::session`], [`auth::verify`] and [`watch`], and `busy` or `stopping`.
pub async fn view(req: &HttpRequest, payload: web::Payload, state: &HttpState) -> Result<View, Problem> {
    let privacy = state.deps().privacy;
    let asker = match privacy.hides_anything() {
        true => asker(req, payload, state).await?,
        false => Asker::Anybody,
    };
    Ok(View::new(privacy, asker))
}

/// Who sent this request.
///
/// # Errors
/// As [`view`].
pub async fn asker(req: &HttpRequest, payload: web::Payload, state: &HttpState) -> Result<Asker, Problem> {
    let deps = state.deps();
    if let Some(token) = auth::watch_token(req)? {
        let row = watch(req, state, token, Code::WatchInvalid).await?;
        return Ok(Asker::Watcher(row.hotkey));
    }
    match auth::bearer(req)? {
        Some(token) if deps.admin_token.matches(token) => Ok(Asker::Operator),
        Some(_) => {
            let claim = auth::session(req, state)?;
            claim
                .settle(req, state, &web::Bytes::new())
                .await
                .map(Asker::Miner)
        }
        None if req.headers().contains_key(&SIGNATURE) => {
            let headers = auth::signed(req, state)?;
            let sent = body::read(req, payload, state).await?;
            let hotkey = auth::verify(req, state, headers, &sent).await?;
            let caller = AdminCaller::Hotkey(hotkey);
            let is_admin = state.ask(&deps.ports.authorize, Authorize { caller }).await?;
            Ok(if is_admin {
                Asker::Operator
            } else {
                Asker::Miner(hotkey)
            })
        }
        None => {
            let session = operator::session(req, state).await?;
            Ok(session.map_or(Asker::Anybody, |_| Asker::Operator))
        }
    }
}

/// What the ledger has of a watch token that a request presents. If it shows nothing, the refusal has this code.
///
/// # Errors
/// That code, `too_many_guesses`, `unavailable`, `busy` or `stopping`.
pub async fn watch(
    req: &HttpRequest,
    state: &HttpState,
    token: &str,
    otherwise: Code,
) -> Result<WatchRow, Problem> {
    let question = OpenWatch {
        from: client::address(req, state),
        token: token.to_owned(),
    };
    let refusal = |detail: &'static str| Err(Problem::new(otherwise, detail));
    match state.ask(&state.deps().ports.watches.open, question).await? {
        Ok(row) => Ok(row),
        Err(NotOpened::Wrong) => refusal("this is no watch token of this pool"),
        Err(NotOpened::Over) => refusal(
            "this watch token was taken back, or its time is over; ask the miner's owner for another one",
        ),
        Err(NotOpened::TooMany { try_again }) => Err(Problem::too_many_guesses(try_again)),
        Err(NotOpened::Unavailable) => Err(Problem::new(
            Code::Unavailable,
            "the ledger cannot be read right now; try again",
        )),
    }
}
