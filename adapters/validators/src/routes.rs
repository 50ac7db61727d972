//! The paths. Those of three subnets' readers meet nowhere.

use actix_web::http::header::AUTHORIZATION;
use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_http::HttpState;
use dwarves_ports::clock::SharedClock;
use serde_json::{Value, json};

use crate::answer::{Fault, ok};
use crate::params::Params;
use crate::state::{ValidatorDeps, ValidatorState};
use crate::{hashtensor, infinitehash, taohash};

/// The forms of answers: which figures under which path.
#[derive(Clone, Copy)]
enum Form {
    WorkersStats,
    WorkersTimerange,
    Query,
    LuxorWorkers,
    ProxyWorkers,
}

const PATHS: [(&str, Form); 5] = [
    ("/api/workers/stats", Form::WorkersStats),
    ("/api/workers/timerange", Form::WorkersTimerange),
    ("/api/v1/query", Form::Query),
    ("/v2/pool/workers/{coin}", Form::LuxorWorkers),
    ("/api/v1/workers", Form::ProxyWorkers),
];

/// Mounts the paths. The App's `app_data` must hold its [`HttpState`].
pub fn mount(cfg: &mut web::ServiceConfig, deps: &ValidatorDeps, clock: SharedClock) {
    cfg.app_data(web::Data::new(ValidatorState::new(deps.clone(), clock)));
    cfg.route("/health", web::get().to(health));
    for (path, form) in PATHS {
        let read = move |req: HttpRequest, http: web::Data<HttpState>, state: web::Data<ValidatorState>| {
            answer(form, req, http, state)
        };
        cfg.route(path, web::get().to(read));
    }
    cfg.default_service(web::to(unknown));
}

async fn health(http: web::Data<HttpState>, state: web::Data<ValidatorState>) -> HttpResponse {
    let database = match http.totals().await {
        Ok(_) => "connected",
        Err(_) => "disconnected",
    };
    ok(&json!({"status": "ok", "timestamp": state.date().secs(), "database": database}))
}

async fn unknown() -> HttpResponse {
    Fault::unknown().response()
}

async fn answer(
    form: Form,
    req: HttpRequest,
    http: web::Data<HttpState>,
    state: web::Data<ValidatorState>,
) -> HttpResponse {
    let answered = answered(form, &req, &http, &state).await;
    answered.unwrap_or_else(|fault| fault.response())
}

async fn answered(
    form: Form,
    req: &HttpRequest,
    http: &HttpState,
    state: &ValidatorState,
) -> Result<HttpResponse, Fault> {
    let authorization = req.headers().get(AUTHORIZATION);
    state.admit(authorization.and_then(|value| value.to_str().ok()))?;
    let params = Params::of(req)?;
    let body: Value = match form {
        Form::WorkersStats => taohash::stats(http, state, &params).await?,
        Form::WorkersTimerange => taohash::timerange(http, state, &params).await?,
        Form::Query => return hashtensor::query(http, state, &params).await,
        Form::LuxorWorkers => infinitehash::luxor(http, state, &params).await?,
        Form::ProxyWorkers => infinitehash::proxy(http, state, &params).await?,
    };
    Ok(ok(&body))
}
