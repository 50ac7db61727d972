//! The bare server: the most that this kind of HTTP server can do with such requests.
//!
//! It parses the JSON of a submission into owned fields of its own, as plainly as a server may, refuses unknown ones,
//! and answers a fixed text. It checks nothing, keeps nothing and asks nobody.

use std::net::Ipv4Addr;
use std::path::Path;

use actix_web::{App, HttpResponse, HttpServer, web};
use serde::Deserialize;

use crate::{Error, child};

/// As in the pool.
const BODY_MAX: usize = 1_048_576;

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

async fn submit(answer: web::Data<String>, submission: web::Json<Submission>) -> HttpResponse {
    // The parsed fields are used, or the compiler might leave some of the parsing out.
    std::hint::black_box(&submission.worker);
    for share in &submission.shares {
        std::hint::black_box((&share.job_id, share.nonce, share.time, share.version));
    }
    HttpResponse::Ok()
        .content_type("application/json")
        .body(answer.get_ref().clone())
}

/// Serves until killed, or until the generator is gone.
pub(crate) fn serve(answer: &Path, listen_file: &Path) -> Result<(), Error> {
    let answer = web::Data::new(std::fs::read_to_string(answer)?);
    child::end_with_the_generator();
    actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(move || {
            App::new()
                .app_data(answer.clone())
                .app_data(web::JsonConfig::default().limit(BODY_MAX))
                .route("/v1/work", web::post().to(submit))
        })
        .workers(workers())
        .bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = server.addrs().first().copied().ok_or("no address was bound")?;
        let listening = serde_json::json!({ "http": format!("http://{address}") });
        child::tell_address(listen_file, &listening)?;
        Ok(server.run().await?)
    })
}

/// As many workers as the pool starts by itself.
fn workers() -> usize {
    dwarves::config::HttpConfig::default()
        .worker_threads(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
}
