use std::io::Read;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use bytes::Bytes;
use flate2::read::GzDecoder;
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
        .route(
            "/swagger-ui/",
            get(async move |headers: HeaderMap| file("", page.clone(), &headers)),
        )
        .route(
            "/swagger-ui/{*path}",
            get(async move |Path(path): Path<String>, headers: HeaderMap| {
                file(&path, config.clone(), &headers)
            }),
        )
}

fn file(path: &str, config: Arc<Config<'static>>, request: &HeaderMap) -> Response {
    let Ok(Some(file)) = utoipa_swagger_ui::serve(path, config) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = Response::default();
    let headers = response.headers_mut();
    if let Ok(content_type) = HeaderValue::try_from(file.content_type) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    let mut bytes = file.bytes.into_owned();
    if file.gzpipped {
        // Kept compressed in the program, and every browser takes it so.
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if takes_gzip(request) {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        } else {
            let mut plain = Vec::new();
            if GzDecoder::new(&*bytes).read_to_end(&mut plain).is_err() {
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
            bytes = plain;
        }
    }
    *response.body_mut() = Body::from(bytes);
    response
}

fn takes_gzip(request: &HeaderMap) -> bool {
    let values = request.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight != Some(0.0)
    })
}
