//! A path and the methods that it takes.

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, Resource, Route, guard, web};

use super::problem::{Code, Problem};

// Guards of our own: those of actix-web write into every request which methods they were asked for, for an `Allow` header
// that paths here write themselves.

/// A route for GET, which answers HEAD too.
pub(super) fn get() -> Route {
    web::route().guard(guard::fn_guard(|asked| {
        asked.head().method == Method::GET || asked.head().method == Method::HEAD
    }))
}

/// A route for POST.
pub(super) fn post() -> Route {
    web::route().guard(guard::fn_guard(|asked| asked.head().method == Method::POST))
}

/// A route for PUT.
pub(super) fn put() -> Route {
    web::route().guard(guard::fn_guard(|asked| asked.head().method == Method::PUT))
}

/// A route for DELETE.
pub(super) fn delete() -> Route {
    web::route().guard(guard::fn_guard(|asked| asked.head().method == Method::DELETE))
}

/// Whether a list has this method.
const fn has(methods: &[&str], method: &str) -> bool {
    let mut at = 0;
    while at < methods.len() {
        // No two of them begin with the same two letters.
        let (one, other) = (methods[at].as_bytes(), method.as_bytes());
        if one[0] == other[0] && one[1] == other[1] {
            return true;
        }
        at += 1;
    }
    false
}

/// The `Allow` header for a path's methods.
const fn allow(methods: &[&str]) -> &'static str {
    if has(methods, "put") {
        return "GET, HEAD, PUT, DELETE";
    }
    match (has(methods, "get"), has(methods, "post"), has(methods, "delete")) {
        (true, true, true) => "GET, HEAD, POST, DELETE",
        (true, true, false) => "GET, HEAD, POST",
        (true, false, true) => "GET, HEAD, DELETE",
        (true, false, false) => "GET, HEAD",
        (false, true, true) => "POST, DELETE",
        (false, true, false) => "POST",
        (false, false, _) => "DELETE",
    }
}

/// A path that refuses the methods it does not take.
pub(super) fn resource(path: &'static str, methods: &'static [&'static str]) -> Resource {
    let allowed = allow(methods);
    web::resource(path).default_service(web::to(move |req: HttpRequest| async move {
        let detail = format!("this path takes {allowed}, not {}", req.method());
        Err::<HttpResponse, _>(Problem::new(Code::MethodNotAllowed, detail).allowing(allowed))
    }))
}
