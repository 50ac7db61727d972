//! The operator's session in a browser.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, SET_COOKIE};
use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_actors::handlers::operator::messages::{LogIn, LogInRefused, LogOut};
use dwarves_api_types::control::{LogInBody, OperatorState};
use dwarves_api_types::scalars::Instant;
use dwarves_domain::network::host;
use dwarves_domain::operator::OperatorSession;

use crate::problem::{Problem, ProblemBody};
use crate::state::HttpState;
use crate::{auth, body, client, operator, query};

/// Whether one is logged in, and the token that changes carry.
#[utoipa::path(
    get, path = "/v1/admin/session", operation_id = "read_operator_session", tag = "admin",
    responses(
        (status = 200, description = "Whether one is logged in", body = OperatorState),
        (status = "default", description = "Refused; codes: query_invalid, busy", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn read(req: HttpRequest, state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    query::none(&req)?;
    let session = operator::session(&req, &state).await?;
    answer(&state, session.as_ref(), true, None)
}

/// Logs an operator in: the answer sets the cookie `dwarves_operator`, which stands in for the admin token until it
/// expires, somebody logs out, or the pool is started with another admin token.
#[utoipa::path(
    post, path = "/v1/admin/session", operation_id = "log_in", tag = "admin",
    request_body = LogInBody,
    responses(
        (status = 200, description = "One is logged in", body = OperatorState, headers(("Set-Cookie" = String, description = "HttpOnly, SameSite=Strict, and Secure behind TLS"))),
        (status = "default", description = "Refused; codes: token_invalid, too_many_logins, csrf_invalid, body_invalid", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn log_in(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let sent = body::read(&req, payload, &state).await?;
    query::none(&req)?;
    operator::is_own_page(&req, &state)?;
    let LogInBody { token } = body::parse(&sent)?;
    let deps = state.deps();
    let question = LogIn {
        from: host(client::address(&req, &state)),
        is_right: deps.admin_token.matches(&token),
    };
    let generation = match state.ask(&deps.ports.operator.log_in, question).await? {
        Ok(generation) => generation,
        Err(LogInRefused::Wrong) => return Err(auth::wrong_token().of_field("token")),
        Err(LogInRefused::TooMany { try_again }) => return Err(Problem::too_many_logins(try_again)),
    };
    let lasts = deps.operator.session;
    let session = OperatorSession {
        expires_at: deps.clock.date().plus(lasts),
        generation,
    };
    let value = deps.operator.key.seal(&session);
    let cookie = operator::set_cookie(&req, &state, &value, lasts.secs());
    answer(&state, Some(&session), true, Some(&cookie))
}

/// Logs out: ends every session of every operator, here and in other browsers. Who is not logged in is told so.
#[utoipa::path(
    delete, path = "/v1/admin/session", operation_id = "log_out", tag = "admin",
    params(("X-CSRF-Token" = Option<String>, Header, description = "The session's token, if one is logged in")),
    responses(
        (status = 200, description = "Nobody is logged in", body = OperatorState),
        (status = "default", description = "Refused; codes: csrf_invalid, unavailable", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("operator" = [])),
)]
pub async fn log_out(req: HttpRequest, state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    query::none(&req)?;
    // Without a session there is nothing to end; the cookie goes all the same.
    let mut is_saved = true;
    if let Some(session) = operator::session(&req, &state).await? {
        operator::is_own_change(&req, &state, &session)?;
        is_saved = state.ask(&state.deps().ports.operator.log_out, LogOut).await??;
    }
    let gone = operator::set_cookie(&req, &state, "", 0);
    answer(&state, None, is_saved, Some(&gone))
}

fn answer(
    state: &HttpState,
    session: Option<&OperatorSession>,
    is_saved: bool,
    cookie: Option<&str>,
) -> Result<HttpResponse, Problem> {
    let key = &state.deps().operator.key;
    let mut response = body::unkept(
        StatusCode::OK,
        &OperatorState {
            logged_in: session.is_some(),
            csrf: session.map(|session| key.csrf(session)),
            expires_at: session.map(|session| Instant(session.expires_at)),
            saved: (!is_saved).then_some(false),
        },
    )?;
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::from_str(cookie).ok()) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}
