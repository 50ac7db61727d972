//! The operator's session in a browser: its cookie, and whether a change that comes with it is the operator's own.
//!
//! A browser sends the cookie along whoever makes it send a request. `SameSite=Strict` keeps other sites from that; beside
//! it every change carries a token that only the operator's page could read, and comes from that page as far as the browser
//! says where from.

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::{COOKIE, HOST, HeaderName, ORIGIN};
use dwarves_actors::handlers::operator::messages::ReadSessions;
use dwarves_domain::operator::OperatorSession;

use super::client;
use super::problem::{Code, Problem};
use super::state::HttpState;

/// The cookie's name.
pub const COOKIE_NAME: &str = "dwarves_operator";
/// The header with the token that a change carries.
pub const CSRF: HeaderName = HeaderName::from_static("x-csrf-token");
/// Where a browser says a request comes from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The host that a proxy was asked for.
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The value of the operator's cookie. Of several the first, as browsers send the one with the longest path first.
fn cookie(req: &HttpRequest) -> Option<&str> {
    let lines = req.headers().get_all(COOKIE);
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    let mut named = pairs.filter_map(|pair| pair.trim().split_once('='));
    named
        .find(|(name, _)| *name == COOKIE_NAME)
        .map(|(_, value)| value)
}

/// The operator's session that a request comes with. A cookie that is over, or is none of the pool's, is none.
///
/// # Errors
/// `busy` or `stopping` if the operator's door does not answer.
pub async fn session(req: &HttpRequest, state: &HttpState) -> Result<Option<OperatorSession>, Problem> {
    let Some(cookie) = cookie(req) else {
        return Ok(None);
    };
    let deps = state.deps();
    let Ok(session) = deps.operator.key.open(cookie, deps.clock.date()) else {
        return Ok(None);
    };
    let ended = state.ask(&deps.ports.operator.sessions, ReadSessions).await?;
    Ok((session.generation == ended).then_some(session))
}

/// Makes sure that a request that came with a session's cookie, and changes something, is the operator's own.
///
/// # Errors
/// `csrf_invalid`.
pub fn is_own_change(req: &HttpRequest, state: &HttpState, session: &OperatorSession) -> Result<(), Problem> {
    if [Method::GET, Method::HEAD].contains(req.method()) {
        return Ok(());
    }
    is_own_page(req, state)?;
    let mut presented = req.headers().get_all(&CSRF);
    let token = presented.next().and_then(|token| token.to_str().ok());
    let is_right = token.is_some_and(|token| state.deps().operator.key.is_csrf(session, token));
    if is_right && presented.next().is_none() {
        return Ok(());
    }
    let detail = "a change that comes with the operator's cookie needs the header X-CSRF-Token once, as \
                  GET /v1/admin/session gives it";
    Err(Problem::new(Code::CsrfInvalid, detail).of_field(CSRF.as_str()))
}

/// Makes sure that a request does not come from another site's page, as far as the browser says where from.
///
/// # Errors
/// `csrf_invalid`.
pub fn is_own_page(req: &HttpRequest, state: &HttpState) -> Result<(), Problem> {
    let text = |name: &HeaderName| req.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
    // No page can write this header; over plain HTTP browsers leave it out.
    match text(&FETCH_SITE) {
        Some("same-origin" | "none") => return Ok(()),
        Some(_) => return Err(foreign(&FETCH_SITE)),
        None => {}
    }
    let Some(origin) = text(&ORIGIN) else {
        // No browser's page.
        return Ok(());
    };
    let asked = origin.split_once("://").map(|(_, authority)| authority);
    let is_proxys = client::is_through_proxy(req, state);
    let hosts = [text(&HOST), text(&FORWARDED_HOST).filter(|_| is_proxys)];
    let mut hosts = hosts.into_iter().flatten();
    if asked.is_some_and(|asked| hosts.any(|host| host.eq_ignore_ascii_case(asked))) {
        return Ok(());
    }
    Err(foreign(&ORIGIN))
}

fn foreign(header: &HeaderName) -> Problem {
    let detail = format!(
        "{header} says that this comes from another site's page; if it is the pool's own behind a proxy, let the proxy \
         pass the Host header on, or set X-Forwarded-Host and list the proxy in http.proxies"
    );
    Problem::new(Code::CsrfInvalid, detail).of_field(header.as_str())
}

/// The `Set-Cookie` header of a session that lasts for so many more seconds; none: it takes the cookie away.
pub fn set_cookie(req: &HttpRequest, state: &HttpState, value: &str, secs: u64) -> String {
    let is_secure = state.deps().operator.secure || client::came_by_tls(req, state);
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{COOKIE_NAME}={value}; Path=/; Max-Age={secs}; HttpOnly; SameSite=Strict{secure}")
}
