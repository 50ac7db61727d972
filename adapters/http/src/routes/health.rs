//! Whether the process lives, and whether the pool is ready for miners.

use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_actors::pool_manager::messages::ReadPool;
use dwarves_api_types::pool::{Alive, Ready};
use dwarves_api_types::scalars::Instant;

use crate::problem::{Code, Problem, ProblemBody};
use crate::state::HttpState;
use crate::{body, fronts, query};

/// Answers as long as the process does.
#[utoipa::path(
    get, path = "/healthz", operation_id = "alive", tag = "health",
    responses(
        (status = 200, description = "The process is alive", body = Alive),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn alive(req: HttpRequest) -> Result<HttpResponse, Problem> {
    query::none(&req)?;
    body::ok(&Alive {
        status: "alive".into(),
    })
}

/// Answers 200 if the pool gives out work and its ledger writes.
#[utoipa::path(
    get, path = "/readyz", operation_id = "ready", tag = "health",
    responses(
        (status = 200, description = "The pool is ready for miners", body = Ready),
        (status = "default", description = "It is not, and `hindrances` says why; codes: not_ready, busy, stopping", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn ready(req: HttpRequest, state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    query::none(&req)?;
    let view = state.ask(&state.deps().ports.pool, ReadPool).await?;
    let mut obstacles = view.obstacles();
    let hindrances = fronts::all_hindrances(&state, view.hindrances);
    if obstacles.is_empty() {
        return body::ok(&Ready {
            status: "ready".into(),
            state: view.state.as_str().into(),
            started_at: Instant(view.started_at),
            hindrances,
        });
    }
    obstacles.extend(hindrances);
    Err(Problem::new(Code::NotReady, obstacles.join("; ")).hindered_by(obstacles))
}
