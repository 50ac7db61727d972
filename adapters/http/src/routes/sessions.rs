//! Opening a session, whose token stands in for the signature until it expires.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_actors::handlers::registration::messages::OpenSession;
use dwarves_api_types::registration::{OpenSessionBody, OpenedSession};
use dwarves_api_types::scalars::Instant;

use crate::problem::{Problem, ProblemBody};
use crate::state::HttpState;
use crate::{auth, body, query};

/// Opens a session for the signer.
#[utoipa::path(
    post, path = "/v1/sessions", operation_id = "open_session", tag = "miners",
    request_body(content = OpenSessionBody, description = "`{}`, or nothing"),
    responses(
        (status = 201, description = "The session is open", body = OpenedSession),
        (status = "default", description = "Refused; codes: miner_unknown, banned", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("signature" = [])),
)]
pub async fn open(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let headers = auth::signed(&req, &state)?;
    let sent = body::read(&req, payload, &state).await?;
    let hotkey = auth::verify(&req, &state, headers, &sent).await?;
    query::none(&req)?;
    let OpenSessionBody {} = body::parse_or_empty(&sent)?;
    let question = OpenSession { hotkey };
    let session = state.ask(&state.worker().open_session, question).await??;
    let answer = OpenedSession {
        token: session.token,
        expires_at: Instant(session.expires_at),
    };
    body::unkept(StatusCode::CREATED, &answer)
}
