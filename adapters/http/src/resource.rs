//! A path and the methods that it takes.

use actix_web::{HttpRequest, HttpResponse, Resource, Route, guard, web};

use super::problem::{Code, Problem};

/// A route for GET, which answers HEAD too.
pub(super) fn get() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// A route for POST.
pub(super) fn post() -> Route {
    web::post()
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
