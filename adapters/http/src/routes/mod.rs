//! The routes, in one list: what is served, what is documented and what the tests walk through.
//!
//! | module | its routes |
//! |---|---|
//! | [`work`] | work and shares |
//! | [`sessions`] | opening a session |
//! | [`miners`] | registration, a miner, its credits and payouts |
//! | [`notifications`] | what a miner wants to be told |
//! | [`pool`] | the pool |
//! | [`history`] | what was mined when |
//! | [`events`] | what happens, as it happens |
//! | [`chain`] | the chain that is mined, and how to connect |
//! | [`blocks`] | found blocks |
//! | [`rounds`] | reward rounds |
//! | [`epochs`] | epochs and their statements |
//! | [`earnings`] | what a miner earned beside what was to be expected |
//! | [`examples`] | why a miner got an amount |
//! | [`luck`] | luck over the last blocks |
//! | [`payouts`] | payouts |
//! | [`shares`] | one share |
//! | [`submissions`] | what came of evaluated work |
//! | [`watches`] | watch tokens: whom a miner lets look at it |
//! | [`admin`] | control messages and the audit trail |
//! | [`batches`] | batches of payouts that somebody else sends |
//! | [`weights`] | what miners earned, as validators set it |
//! | [`operator`] | the operator's session in a browser |
//! | [`operator_state`] | the pool as its operator sees it |
//! | [`metrics`] | figures for Prometheus |
//! | [`pages`] | the pages for people, and the files that they load |
//! | [`document`] | the document that describes all of them |
//! | [`health`] | whether the process lives, and whether the pool is ready |

use actix_web::{HttpResponse, web};
use dwarves_ports::store::Cursor;

use super::json_rpc;
use super::problem::{Code, Problem};
use super::resource::{delete, get, post, put, resource};

pub mod admin;
pub mod batches;
pub mod blocks;
pub mod chain;
pub mod document;
pub mod earnings;
pub mod epochs;
pub mod events;
pub mod examples;
pub mod health;
pub mod history;
pub mod luck;
pub mod metrics;
pub mod miners;
mod named_miner;
pub mod notifications;
pub mod operator;
pub mod operator_state;
pub mod pages;
pub mod payouts;
pub mod pool;
pub mod rounds;
pub mod sessions;
pub mod shares;
pub mod submissions;
pub mod watches;
pub mod weights;
pub mod work;

/// A method and the path that it is served at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// The path, with `{name}` for its parts that vary.
    pub path: &'static str,
    /// The method in lower case, as the OpenAPI document writes it.
    pub method: &'static str,
}

async fn not_found() -> Result<HttpResponse, Problem> {
    Err(Problem::new(
        Code::NotFound,
        "there is nothing at this path; GET /openapi.json lists all that there is",
    ))
}

/// Defines the routes: the list itself, what mounts it, and the operations of the OpenAPI document.
macro_rules! routes {
    ($($path:literal { $($method:ident => $module:ident::$handler:ident),+ })+) => {
        /// Every route that is served.
        pub const ENDPOINTS: &[Endpoint] = &[
            $($(Endpoint { path: $path, method: stringify!($method) }),+),+
        ];

        /// Mounts every route. The App's `app_data` must hold what
        /// [`HttpState::new`](super::HttpState::new) made.
        pub fn configure(cfg: &mut web::ServiceConfig) {
            $(
                cfg.service(
                    resource($path, &[$(stringify!($method)),+])
                        $(.route($method().to($module::$handler)))+,
                );
            )+
            json_rpc::configure(cfg);
            pages::configure(cfg);
            cfg.default_service(web::to(not_found));
        }

        /// The operations of the OpenAPI document.
        #[derive(utoipa::OpenApi)]
        #[openapi(paths($($($module::$handler),+),+))]
        pub(super) struct Operations;
    };
}

// The router tries paths in this order: the one that miners use all the time comes first.
routes! {
    "/v1/work" { get => work::fetch, post => work::submit }
    "/v1/sessions" { post => sessions::open }
    "/v1/miners" { post => miners::register }
    "/v1/miners/{hotkey}" { get => miners::read }
    "/v1/miners/{hotkey}/submissions" { get => submissions::list }
    "/v1/miners/{hotkey}/submissions/{id}" { get => submissions::read, delete => submissions::remove }
    "/v1/miners/{hotkey}/credits" { get => miners::credits }
    "/v1/miners/{hotkey}/earnings" { get => earnings::read }
    "/v1/miners/{hotkey}/rounds/{id}" { get => examples::read }
    "/v1/miners/{hotkey}/payouts" { get => miners::payouts }
    "/v1/miners/{hotkey}/history" { get => history::miner }
    "/v1/miners/{hotkey}/watches" { get => watches::list, post => watches::hand_out }
    "/v1/miners/{hotkey}/watches/{id}" { delete => watches::take_back }
    "/v1/watch/{token}" { get => watches::open }
    "/v1/miners/{hotkey}/notifications" { get => notifications::read, put => notifications::write, delete => notifications::remove }
    "/v1/miners/{hotkey}/notifications/test" { post => notifications::test }
    "/v1/miners/{hotkey}/notifications/confirm" { post => notifications::confirm }
    "/v1/pool" { get => pool::read }
    "/v1/pool/history" { get => history::pool }
    "/v1/events" { get => events::listen }
    "/v1/chain" { get => chain::read }
    "/v1/connect" { get => chain::connect }
    "/v1/blocks" { get => blocks::list }
    "/v1/blocks/{hash}" { get => blocks::read }
    "/v1/luck" { get => luck::read }
    "/v1/payouts" { get => payouts::list }
    "/v1/payouts/{txid}" { get => payouts::read }
    "/v1/shares/{sequence}" { get => shares::read }
    "/v1/rounds" { get => rounds::list }
    "/v1/rounds/{id}" { get => rounds::read }
    "/v1/epochs" { get => epochs::list }
    "/v1/epochs/{id}" { get => epochs::read }
    "/v1/admin/control" { post => admin::control }
    "/v1/admin/state" { get => operator_state::read }
    "/v1/admin/session" { get => operator::read, post => operator::log_in, delete => operator::log_out }
    "/v1/admin/audit" { get => admin::audit }
    "/v1/admin/withholding" { get => admin::withholding }
    "/v1/admin/batches" { get => batches::list }
    "/v1/admin/batches/{batch}" { get => batches::read }
    "/v1/admin/batches/{batch}/payouts" { get => batches::payouts }
    "/v1/admin/weights" { get => weights::read }
    "/metrics" { get => metrics::read }
    "/healthz" { get => health::alive }
    "/readyz" { get => health::ready }
    "/openapi.json" { get => document::serve }
}

/// A cursor as the wire has it: text, whose meaning is the store's.
fn next_cursor(next: Option<Cursor>) -> Option<String> {
    next.map(|cursor| cursor.to_string())
}
