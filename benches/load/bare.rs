//! Bare servers: the most that this kind of HTTP server can do with such requests.
//!
//! They check nothing, keep nothing and ask nobody. The plain one parses the JSON of a submission into owned fields of
//! its own, as plainly as a server may, refuses unknown ones, and answers a fixed text. The strict one takes the request
//! as the pool does: through a middleware, with the same headers looked at, the body read piece by piece and parsed into
//! the API's own types; and it writes its answer anew.

use std::future::poll_fn;
use std::net::Ipv4Addr;
use std::path::Path;
use std::pin::Pin;

use actix_web::dev::Service;
use actix_web::error::ErrorBadRequest;
use actix_web::http::header::{self, HeaderName};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use clap::ValueEnum;
use dwarves_api_types::object::Object;
use dwarves_api_types::work::{SubmitAnswer, SubmitBody};
use futures_core::Stream;
use serde::Deserialize;

use crate::{Error, child};

/// As in the pool.
const BODY_MAX: usize = 1_048_576;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// As plain as can be.
    #[value(name = "bare")]
    Plain,
    /// As strict as the pool.
    #[value(name = "bare-strict")]
    Strict,
}

impl Kind {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Plain, Self::Strict];

    /// What it is called in the report and among the arguments.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "bare",
            Self::Strict => "bare-strict",
        }
    }
}

/// What is answered: as text, and as what it says.
struct Answer {
    text: String,
    said: SubmitAnswer,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Submission {
    worker: Option<String>,
    shares: Vec<Share>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Share {
    job_id: String,
    nonce: u32,
    time: Option<u32>,
    version: Option<u32>,
}

async fn submit(answer: web::Data<Answer>, submission: web::Json<Submission>) -> HttpResponse {
    // The parsed fields are used, or the compiler might leave some of the parsing out.
    std::hint::black_box(&submission.worker);
    for share in &submission.shares {
        std::hint::black_box((&share.job_id, share.nonce, share.time, share.version));
    }
    HttpResponse::Ok()
        .content_type("application/json")
        .body(answer.text.clone())
}

/// The headers that the pool looks for in every request for which a session is enough.
const HEADERS: [HeaderName; 4] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
];

async fn submit_strictly(
    req: HttpRequest,
    answer: web::Data<Answer>,
    payload: web::Payload,
) -> Result<HttpResponse, actix_web::Error> {
    for name in &HEADERS {
        std::hint::black_box(req.headers().get(name));
    }
    let mut payload = payload.into_inner();
    let mut body = web::Bytes::new();
    while let Some(piece) = poll_fn(|cx| Pin::new(&mut payload).poll_next(cx)).await {
        let piece = piece?;
        body = if body.is_empty() {
            piece
        } else {
            [body, piece].concat().into()
        };
    }
    let Object(submitted): Object<SubmitBody> = serde_json::from_slice(&body).map_err(ErrorBadRequest)?;
    std::hint::black_box(&submitted);
    let mut text = Vec::with_capacity(512);
    serde_json::to_writer(&mut text, &answer.said)?;
    Ok(HttpResponse::Ok().content_type("application/json").body(text))
}

/// Serves until killed, or until the generator is gone.
pub(crate) fn serve(kind: Kind, answer: &Path, listen_file: &Path) -> Result<(), Error> {
    let text = std::fs::read_to_string(answer)?;
    let said = serde_json::from_str(&text)?;
    let answer = web::Data::new(Answer { text, said });
    child::end_with_the_generator();
    actix_web::rt::System::new().block_on(async {
        let place = (Ipv4Addr::LOCALHOST, 0);
        let (addresses, server) = match kind {
            Kind::Plain => {
                let app = move || {
                    App::new()
                        .app_data(answer.clone())
                        .app_data(web::JsonConfig::default().limit(BODY_MAX))
                        .route("/v1/work", web::post().to(submit))
                };
                let server = HttpServer::new(app).workers(workers()).bind(place)?;
                (server.addrs(), server.run())
            }
            Kind::Strict => {
                let app = move || {
                    App::new()
                        .app_data(answer.clone())
                        .service(web::resource("/v1/work").route(web::post().to(submit_strictly)))
                        .wrap_fn(|req, routes| {
                            let answered = routes.call(req);
                            async move { answered.await }
                        })
                };
                let server = HttpServer::new(app).workers(workers()).bind(place)?;
                (server.addrs(), server.run())
            }
        };
        let address = addresses.first().ok_or("no address was bound")?;
        let listening = serde_json::json!({ "http": format!("http://{address}") });
        child::tell_address(listen_file, &listening)?;
        Ok(server.await?)
    })
}

/// As many workers as the pool starts by itself.
fn workers() -> usize {
    dwarves::config::HttpConfig::default()
        .worker_threads(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
}
