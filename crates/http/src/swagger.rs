use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use bytes::Bytes;
use utoipa_swagger_ui::Config;

/// The document, and the page on which people try it.
pub(crate) fn router(document: String) -> Router {
    let document = Bytes::from(document);
    let config = Arc::new(Config::from("/openapi.json"));
    let page = config.clone();
    Router::new()
        .route(
            "/openapi.json",
            get(async move || ([(CONTENT_TYPE, "application/json")], document.clone())),
        )
        .route("/swagger-ui", get(async || Redirect::permanent("/swagger-ui/")))
        .route("/swagger-ui/", get(async move || file("", page.clone())))
        .route(
            "/swagger-ui/{*path}",
            get(async move |Path(path): Path<String>| file(&path, config.clone())),
        )
}

fn file(path: &str, config: Arc<Config<'static>>) -> Response {
    let Ok(Some(file)) = utoipa_swagger_ui::serve(path, config) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = Response::new(Body::from(file.bytes.into_owned()));
    let headers = response.headers_mut();
    if let Ok(content_type) = HeaderValue::try_from(file.content_type) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    if file.gzpipped {
        // Kept compressed in the program, and every browser takes it so.
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}
