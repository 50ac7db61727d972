//! The pool's pages and the files that they load.
//!
//! They are no part of the API: what a page shows, its script asks of the routes beside this one. Everything here is in the
//! binary and the same for everybody, so no page asks an actor or the store anything by itself.

use actix_web::http::Method;
use actix_web::http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderName, HeaderValue, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use dwarves_web::Page;

use super::not_found;
use crate::problem::Problem;
use crate::resource::{get, resource};

const HTML: &str = "text/html; charset=utf-8";
/// Kept, but never shown without asking whether it is still the same: an upgrade of the pool is one of its pages, too.
const ASK_ALWAYS: &str = "no-cache";

static CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Mounts every page but the first, whose path miners over JSON-RPC have, too.
pub fn configure(cfg: &mut web::ServiceConfig) {
    for page in dwarves_web::PAGES.iter().filter(|page| page.path != "/") {
        let answer = move |req: HttpRequest| async move { show(&req, page) };
        cfg.service(resource(page.path, &["get"]).route(get().to(answer)));
    }
    cfg.service(resource("/assets/{name:.*}", &["get"]).route(get().to(asset)));
}

/// The first page.
pub async fn first(req: HttpRequest) -> HttpResponse {
    let page = Page::at("/").expect("the first page is among the pages");
    show(&req, page)
}

/// What stands where there is nothing: a page for people, a problem for everybody else and for what belongs to the API.
pub async fn missing(req: HttpRequest) -> Result<HttpResponse, Problem> {
    let is_read = [Method::GET, Method::HEAD].contains(req.method());
    if !is_read || req.path().starts_with("/v1/") || !wants_html(&req) {
        return not_found().await;
    }
    let mut response = HttpResponse::NotFound();
    guard(&mut response);
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static(HTML)));
    Ok(response.body(dwarves_web::MISSING.html.as_str()))
}

/// Whether a client asks for HTML, and not for JSON before it.
fn wants_html(req: &HttpRequest) -> bool {
    let accepts = req
        .headers()
        .get_all(ACCEPT)
        .filter_map(|accept| accept.to_str().ok());
    let wanted = accepts.flat_map(|accept| accept.split(',')).find_map(|kind| {
        match kind.split(';').next().unwrap_or_default().trim() {
            "text/html" => Some(true),
            "application/json" | "application/problem+json" => Some(false),
            _ => None,
        }
    });
    wanted.unwrap_or(false)
}

fn show(req: &HttpRequest, page: &'static Page) -> HttpResponse {
    answer(req, HTML, &page.etag, page.html.as_bytes(), &page.gzip)
}

async fn asset(req: HttpRequest) -> Result<HttpResponse, Problem> {
    match dwarves_web::file(req.match_info().query("name")) {
        Some(file) => Ok(answer(
            &req,
            file.content_type,
            &file.etag,
            file.content,
            &file.gzip,
        )),
        None => not_found().await,
    }
}

/// The content, or that it is still the same.
fn answer(
    req: &HttpRequest,
    content_type: &'static str,
    etag: &str,
    content: &'static [u8],
    gzip: &'static [u8],
) -> HttpResponse {
    let is_zipped = takes_gzip(req);
    // Other bytes, another tag.
    let etag = &match is_zipped {
        true => format!("{}-gzip\"", etag.trim_end_matches('"')),
        false => etag.to_owned(),
    };
    let is_known = req
        .headers()
        .get_all(IF_NONE_MATCH)
        .filter_map(|tags| tags.to_str().ok())
        .flat_map(|tags| tags.split(','))
        // Bytes that are the same are the same weakly, too: proxies that compress mark tags so.
        .any(|tag| matches!(tag.trim(), "*") || tag.trim().trim_start_matches("W/") == *etag);
    let mut response = match is_known {
        true => HttpResponse::NotModified(),
        false => HttpResponse::Ok(),
    };
    response
        .insert_header((ETAG, etag.as_str()))
        .insert_header((VARY, HeaderValue::from_static("accept-encoding")))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static(ASK_ALWAYS)));
    guard(&mut response);
    if is_known {
        return response.finish();
    }
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static(content_type)));
    if is_zipped {
        response.insert_header((CONTENT_ENCODING, HeaderValue::from_static("gzip")));
        return response.body(web::Bytes::from_static(gzip));
    }
    response.body(web::Bytes::from_static(content))
}

/// Says what a browser may do with a page or a file.
fn guard(response: &mut HttpResponseBuilder) {
    response
        .insert_header((
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(dwarves_web::CONTENT_SECURITY_POLICY),
        ))
        .insert_header((X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        // A path may hold a token that shows a miner.
        .insert_header((REFERRER_POLICY, HeaderValue::from_static("no-referrer")))
        .insert_header((
            CROSS_ORIGIN_RESOURCE_POLICY.clone(),
            HeaderValue::from_static("same-origin"),
        ));
}

/// Whether a client takes gzip, by its own words.
fn takes_gzip(req: &HttpRequest) -> bool {
    req.headers()
        .get_all(ACCEPT_ENCODING)
        .filter_map(|codings| codings.to_str().ok())
        .flat_map(|codings| codings.split(','))
        .any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let weight = weight.trim().trim_start_matches("q=").trim();
            let is_refused = weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0);
            name.trim().eq_ignore_ascii_case("gzip") && !is_refused
        })
}
