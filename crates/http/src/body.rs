use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use bytes::{Bytes, BytesMut};
use catga_core::FaultCode;
use catga_host::timeout;
use catga_runtime::Node;
use http_body_util::BodyExt;

use crate::problem::Problem;

/// Why a body could not be taken.
#[derive(Debug)]
pub(crate) enum Unread {
    TooLarge(usize),
    TooSlow(Duration),
    Broken,
    NotJson,
}

/// Reads a whole body of JSON, within a number of bytes and a time.
pub(crate) async fn read(
    node: &Node,
    headers: &HeaderMap,
    sends_json: bool,
    body: Body,
    wait: Duration,
) -> Result<Bytes, Unread> {
    let limit = node.limits().command_bytes;
    let announced =
        headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(Unread::TooLarge(limit));
    }
    let body = match timeout(&**node.host(), wait, collect(body, limit)).await {
        Ok(body) => body?,
        Err(_) => return Err(Unread::TooSlow(wait)),
    };
    if body.is_empty() || sends_json { Ok(body) } else { Err(Unread::NotJson) }
}

/// A small body comes in one piece, which is then not copied.
async fn collect(mut body: Body, limit: usize) -> Result<Bytes, Unread> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        if first.len() + all.len() + data.len() > limit {
            return Err(Unread::TooLarge(limit));
        }
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            if all.is_empty() {
                all.extend_from_slice(&std::mem::take(&mut first));
            }
            all.extend_from_slice(&data);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// True for the media type of JSON and for those that are made of it.
pub(crate) fn is_json(content_type: &HeaderValue) -> bool {
    if content_type == "application/json" {
        return true;
    }
    let Ok(text) = content_type.to_str() else { return false };
    let media = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media == "application/json" || media.starts_with("application/") && media.ends_with("+json")
}

impl Unread {
    pub(crate) fn problem(self, trace: u128) -> Problem {
        match self {
            Self::TooLarge(limit) => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                FaultCode::CommandTooLarge.as_str(),
                &format!("the body is over the limit of {limit} bytes"),
                trace,
            ),
            Self::TooSlow(wait) => Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "body-too-slow",
                &format!("the body did not arrive within {wait:?}"),
                trace,
            )
            .retryable(),
            Self::Broken => Problem::new(
                StatusCode::BAD_REQUEST,
                FaultCode::InvalidMessage.as_str(),
                "the body broke off",
                trace,
            )
            .retryable(),
            Self::NotJson => Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not-json",
                "send the body as `Content-Type: application/json`",
                trace,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_recognised() {
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/x+json"] {
            assert!(is_json(&HeaderValue::from_static(good)), "{good}");
        }
        for bad in ["text/plain", "application/jsonp", "text/json+x", ""] {
            assert!(!is_json(&HeaderValue::from_static(bad)), "{bad}");
        }
    }
}
