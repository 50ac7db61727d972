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

/// The `Allow` header for a path's methods.
const fn allow(methods: &[&str]) -> &'static str {
    match methods {
        [_, _] => "GET, HEAD, POST",
        [method] if method.len() == "get".len() => "GET, HEAD",
        _ => "POST",
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
