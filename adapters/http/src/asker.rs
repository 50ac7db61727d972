//! Who asks a route that answers everybody, and what of miners they see.
//!
//! While everything is public nobody is asked who they are, and what a request says of that is left alone. Where something
//! is hidden, whoever says who they are must prove it: a token that has expired is told so, rather than shown less.

use actix_web::{HttpRequest, web};
use dwarves_actors::handlers::admin::messages::{AdminCaller, Authorize};
use dwarves_domain::privacy::{Asker, View};

use super::headers::SIGNATURE;
use super::problem::Problem;
use super::state::HttpState;
use super::{auth, body, operator};

/// What whoever sent this request sees.
///
/// # Errors
/// As those of [`auth::session`] and [`auth::verify`], and `busy` or `stopping`.
pub async fn view(req: &HttpRequest, payload: web::Payload, state: &HttpState) -> Result<View, Problem> {
    let privacy = state.deps().privacy;
    let asker = match privacy.hides_anything() {
        true => asker(req, payload, state).await?,
        false => Asker::Anybody,
    };
    Ok(View::new(privacy, asker))
}

async fn asker(req: &HttpRequest, payload: web::Payload, state: &HttpState) -> Result<Asker, Problem> {
    let deps = state.deps();
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
