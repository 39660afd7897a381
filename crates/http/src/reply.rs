use std::any::TypeId;
use std::io::Write;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use catga_core::{Fault, Position};
use serde::Serialize;

/// Carries a session token: what the answer has seen.
pub(crate) const POSITION: HeaderName = HeaderName::from_static("catga-position");
/// `false` on an answer whose effect this node's views do not show yet.
pub(crate) const VISIBLE: HeaderName = HeaderName::from_static("catga-visible");

/// Whether a reply of this type has no body.
pub(crate) fn is_empty<T: 'static>() -> bool {
    TypeId::of::<T>() == TypeId::of::<()>()
}

/// A reply as JSON; one of type `()` has no body.
pub(crate) fn json<T: Serialize + 'static>(
    status: StatusCode,
    reply: &T,
) -> Result<Response, Fault> {
    if is_empty::<T>() {
        let mut response = Response::new(Body::empty());
        *response.status_mut() =
            if status == StatusCode::OK { StatusCode::NO_CONTENT } else { status };
        return Ok(response);
    }
    let mut body = Vec::with_capacity(256);
    serde_json::to_writer(&mut body, reply).map_err(|error| {
        Fault::internal(format!("the reply cannot be written as JSON: {error}"))
    })?;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

/// Says where what was created stands.
pub(crate) fn set_location(response: &mut Response, location: String) -> Result<(), Fault> {
    let value = HeaderValue::try_from(location)
        .map_err(|error| Fault::internal(format!("the location is no header value: {error}")))?;
    response.headers_mut().insert(LOCATION, value);
    Ok(())
}

/// Says what the answer has seen.
pub(crate) fn set_position(response: &mut Response, position: Position) {
    // Two numbers of 64 bits and one of 32, in hexadecimal, and what stands between them.
    let mut text = [0; 16 + 1 + 8 + 1 + 16];
    let mut rest = &mut text[..];
    let written = write!(rest, "{position}").map(|()| rest.len());
    let length = written.map_or(0, |rest| text.len() - rest);
    if let Ok(value) = HeaderValue::from_bytes(&text[..length]) {
        response.headers_mut().insert(POSITION, value);
    }
}

#[cfg(test)]
mod tests {
    use catga_core::Offset;

    use super::*;

    #[test]
    fn the_longest_position_fits() {
        let position =
            Position { incarnation: u64::MAX, partition: u32::MAX, offset: Offset(u64::MAX) };
        let mut response = Response::new(Body::empty());
        set_position(&mut response, position);
        assert_eq!(response.headers()[POSITION], position.to_string());
    }
}
