//! The server: threads that serve connections, each with routes and connections of its own.
//!
//! It is put together here rather than by actix-web's `HttpServer`, because that one knows nothing of clients: it
//! accepts until it has as many connections as it may, whosever they are. What is between the two is
//! [`connections`](super::connections).
//!
//! Beyond these limits, actix-web itself refuses a request head of more than 131,072 bytes or 96 headers.

use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use actix_http::HttpService;
use actix_server::Server;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::AppConfig;
use actix_web::{App, ResponseError, web};
use dwarves_domain::time::Span;
use dwarves_ports::clock::poke_every;

use super::connections::line::Line;
use super::connections::stream::ClientStream;
use super::connections::{ConnectionLimits, Connections, handshake};
use super::listening;
use super::problem::Refusing;
use super::requests;
use super::routes::configure;
use super::state::HttpState;

/// How often it is looked which connections are of no use any more.
const LOOK_EVERY: Span = Span::from_secs(1);
/// Connections of one worker that are accepted beyond its places, to be refused or while others give way.
const PASSING_MAX: usize = 256;

/// How the server works.
#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// Threads that serve connections.
    pub workers: usize,
    /// How long a connection may be quiet. Bittensor's clients keep idle connections for 15 s and fail if the server
    /// closes them sooner; proxies in front commonly keep theirs for 60 s.
    pub keep_alive: Duration,
    /// How long a request's head may take to arrive.
    pub request_head_timeout: Duration,
    /// How long a closed connection may linger.
    pub disconnect_timeout: Duration,
    /// How long requests that were begun may take when the server stops, in whole seconds.
    pub drain: Duration,
    /// The connections of each worker.
    pub connections: ConnectionLimits,
}

/// Serves the API on this listener. `state` makes what the routes of a worker know, on the worker's own thread.
///
/// # Errors
/// If the listener cannot be used.
pub fn serve(
    listener: TcpListener,
    limits: ServerLimits,
    state: impl Fn() -> web::Data<HttpState> + Clone + Send + 'static,
) -> io::Result<Server> {
    let state = move || {
        let state = state();
        listening::start(&state);
        state
    };
    serve_routes(listener, limits, state, configure, ResponseError::error_response)
}

/// As [`serve`], what `routes` mounts on each worker.
///
/// # Errors
/// As [`serve`].
pub fn serve_routes(
    listener: TcpListener,
    limits: ServerLimits,
    state: impl Fn() -> web::Data<HttpState> + Clone + Send + 'static,
    routes: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
    refusing: Refusing,
) -> io::Result<Server> {
    let address = listener.local_addr()?;
    let connections = &limits.connections;
    let accepted_max = connections.places.total + connections.reserved + PASSING_MAX;
    let server = Server::build()
        .workers(limits.workers)
        .disable_signals()
        .max_concurrent_connections(accepted_max)
        .shutdown_timeout(limits.drain.as_secs());
    let stops = server.graceful_shutdown_signal();
    let server = server.listen("http", listener, move || {
        let connections = Connections::new(limits.connections.clone());
        look_at(&connections);
        let app = App::new()
            .app_data(state())
            .configure(&routes)
            .wrap_fn(move |req, routes| requests::attend(req, routes, refusing));
        let routes = IntoServiceFactory::<_, actix_http::Request>::into_factory(app)
            .map_err(|error: actix_web::Error| error.error_response());
        let stops = stops.clone();
        let known = Rc::clone(&connections);
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stops = stops.clone();
                async move { stops.notified().await }
            })
            .keep_alive(limits.keep_alive)
            .client_request_timeout(limits.request_head_timeout)
            .client_disconnect_timeout(limits.disconnect_timeout)
            .local_addr(address)
            .on_connect_ext(move |stream: &ClientStream, data: &mut actix_http::Extensions| {
                data.insert(Line::new(Rc::clone(&known), Rc::clone(stream.connection())));
            })
            .finish(map_config(routes, move |()| AppConfig::default()));
        let deadline = limits.request_head_timeout;
        fn_service(move |io| handshake::open(io, Rc::clone(&connections), deadline, refusing)).and_then(http)
    })?;
    Ok(server.run())
}

/// Looks at a worker's connections for as long as there is the worker.
fn look_at(connections: &Rc<Connections>) {
    let connections = Rc::downgrade(connections);
    actix_rt::spawn(poke_every(LOOK_EVERY, move || {
        let Some(connections) = connections.upgrade() else {
            return false;
        };
        connections.look();
        true
    }));
}
