//! The paths of synapses.

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_http::HttpState;
use dwarves_http::problem::{Code, Problem};

use crate::calls;
use crate::class::Class;
use crate::fault;
use crate::state::{SynapseDeps, SynapseState};

/// Mounts the paths, for one worker. The App's `app_data` must hold its [`HttpState`].
pub fn mount(cfg: &mut web::ServiceConfig, deps: &SynapseDeps) {
    cfg.app_data(web::Data::new(SynapseState::new(deps.clone())));
    for class in Class::ALL {
        let call =
            move |req: HttpRequest,
                  state: web::Data<HttpState>,
                  synapse: web::Data<SynapseState>,
                  payload: web::Payload| { calls::answer(class, req, state, synapse, payload) };
        cfg.service(
            web::resource(class.path())
                .route(web::method(Method::POST).to(call))
                .default_service(web::to(only_post)),
        );
    }
    cfg.default_service(web::to(unknown));
}

async fn only_post() -> HttpResponse {
    fault::told(&Problem::new(
        Code::MethodNotAllowed,
        "synapses are sent with POST",
    ))
}

async fn unknown() -> HttpResponse {
    let names = Class::ALL.map(Class::name).join(", ");
    let detail = format!("there is no such synapse; this pool has {names}");
    fault::told(&Problem::new(Code::NotFound, detail))
}
