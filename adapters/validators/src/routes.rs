//! The paths. Those of three subnets' readers meet nowhere.

use actix_web::http::header::AUTHORIZATION;
use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_http::HttpState;
use dwarves_ports::clock::SharedClock;
use serde_json::{Value, json};

use crate::answer::{Fault, ok};
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

/// The parameters of a request. Those that a form does not know are left alone, as the software does that it stands for.
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    fn of(req: &HttpRequest) -> Result<Self, Fault> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(req.query_string());
        let pairs = pairs.map_err(|_| Fault::malformed("expected name=value pairs joined by &"))?;
        Ok(Self(pairs.into_inner()))
    }

    /// The first value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A whole number, not below `least` and not above `most`.
    pub(crate) fn number(&self, name: &str, least: i64, most: i64) -> Result<Option<i64>, Fault> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(|n| (least..=most).contains(n));
        let wrong = || Fault::malformed(format!("{name}: expected a number from {least} to {most}"));
        number.map(Some).ok_or_else(wrong)
    }

    #[cfg(test)]
    pub(crate) fn from_pairs(pairs: &[(&str, &str)]) -> Self {
        let pairs = pairs.iter();
        Self(
            pairs
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }
}
