//! Requests as nobody should send them, through the whole router of a service.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use axum::response::Response;
use catga_fuzz::Choices;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::shop::{CreateOrder, Search, start};

const ITERATIONS: usize = 4_000;
const BYTES: usize = 1024;

/// The statuses that `docs/faults.md` and the routes speak of; a handler of these fails in no way that
/// is the node's own.
const STATUSES: [u16; 17] =
    [200, 201, 204, 400, 403, 404, 405, 408, 409, 413, 415, 422, 429, 501, 503, 504, 507];

const HEADERS: [(&str, &str); 9] = [
    ("content-type", "application/json"),
    ("content-length", "12"),
    ("idempotency-key", "key-1"),
    ("catga-position", "1a-0-3"),
    ("catga-read", "session"),
    ("prefer", "wait=0.02"),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ("x-correlation-id", "c-1"),
    ("accept", "application/json"),
];

const CALLS: [(&str, &str); 9] = [
    ("POST", "/orders"),
    ("POST", "/orders"),
    ("POST", "/orders"),
    ("GET", "/orders/0198f0a0-0000-7000-8000-000000000000"),
    ("POST", "/orders/0198f0a0-0000-7000-8000-000000000000/cancel"),
    ("GET", "/customers/C/orders?limit=5&newestFirst=true"),
    ("GET", "/customers/%C3%B6/orders"),
    ("POST", "/probe/echo"),
    ("DELETE", "/orders/7"),
];

fn changed(choices: &mut Choices<'_>, good: &str) -> Vec<u8> {
    let mut bytes = good.as_bytes().to_vec();
    if choices.byte() < 60 {
        choices.change(&mut bytes);
    }
    bytes
}

/// Some value of JSON.
fn value(choices: &mut Choices<'_>, depth: usize) -> Value {
    match choices.byte() % 8 {
        0 => Value::Null,
        1 => choices.flip().into(),
        2 => choices.number().into(),
        3 => json!(-(choices.byte() as f64) / 3.0),
        4 | 5 => choices.text(30).into(),
        6 if depth > 0 => {
            (0..choices.below(4)).map(|_| value(choices, depth - 1)).collect::<Vec<_>>().into()
        }
        7 if depth > 0 => {
            let names = ["customerId", "items", "productId", "quantity", "orderId", "reason", ""];
            let field = |choices: &mut Choices<'_>| {
                ((*choices.one_of(&names)).to_owned(), value(choices, depth - 1))
            };
            let fields = (0..choices.below(4)).map(|_| field(choices));
            Value::Object(fields.collect())
        }
        _ => Value::Null,
    }
}

fn body(choices: &mut Choices<'_>) -> Vec<u8> {
    let order =
        json!({"customerId": choices.text(9), "items": [{"productId": "P", "quantity": 2}]});
    let good = match choices.byte() % 14 {
        0 => Vec::new(),
        1 => choices.bytes(200).to_vec(),
        2 => "[{\"a\":".repeat(choices.below(400)).into_bytes(),
        3 => br#"{"customerId":"C","customerId":"D","items":[]}"#.to_vec(),
        4 => br#"{"customerId":"\ud800","items":[{"productId":"P","quantity":1e2}]}"#.to_vec(),
        5 => value(choices, 4).to_string().into_bytes(),
        6 => r#"{"reason":"r"}"#.into(),
        _ => order.to_string().into_bytes(),
    };
    let mut bytes = good;
    if choices.byte() < 80 {
        choices.change(&mut bytes);
    }
    bytes
}

struct Sent {
    method: Method,
    path: String,
    body: Vec<u8>,
    request: Request<Body>,
}

/// None if HTTP itself has no such request.
fn request(choices: &mut Choices<'_>) -> Option<Sent> {
    let methods = ["POST", "GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];
    let (method, path) = *choices.one_of(&CALLS);
    let method = match choices.byte() {
        0..10 => Method::from_bytes(choices.bytes(9)).ok()?,
        10..30 => Method::from_bytes(choices.one_of(&methods).as_bytes()).expect("a method"),
        _ => Method::from_bytes(method.as_bytes()).expect("a method"),
    };
    let path = String::from_utf8(changed(choices, path)).ok()?;
    let uri: Uri = path.parse().ok()?;
    let body = body(choices);
    let mut request = Request::new(Body::from(body.clone()));
    *request.method_mut() = method.clone();
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    if choices.byte() > 20 {
        headers.insert("content-type", HeaderValue::from_static("application/json"));
    }
    for _ in 0..choices.below(5) {
        let (name, value) = HEADERS[choices.below(HEADERS.len())];
        if let Ok(value) = HeaderValue::from_bytes(&changed(choices, value)) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    // So that nobody waits long for a position that does not come.
    headers.append("prefer", HeaderValue::from_static("wait=0.02"));
    Some(Sent { method, path, body, request })
}

async fn answered(app: &Router, request: Request<Body>) -> (Response<()>, Vec<u8>) {
    let response = app.clone().oneshot(request).await.expect("a router does not fail");
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("an answer ends");
    (Response::from_parts(parts, ()), body.to_vec())
}

/// Whatever is asked: the answer is one of those that are documented, an error is a problem document that
/// says the same as its status, and nothing that is no order becomes one.
#[test]
fn every_request_has_a_documented_answer() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let shop = runtime.block_on(start());
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let Some(Sent { method, path, body: sent, request }) = request(&mut choices) else {
            return;
        };
        let (response, body) = runtime.block_on(answered(&shop.app, request));
        let status = response.status();
        let said = String::from_utf8_lossy(&body);
        assert!(STATUSES.contains(&status.as_u16()), "{method} {path}: {status} {said}");
        let is_of =
            |media: &str| response.headers().get("content-type").is_some_and(|it| it == media);
        if status.is_success() {
            let is_order = method == Method::POST && path == "/orders";
            if is_order {
                assert_eq!(status, StatusCode::CREATED, "{said}");
                let order: CreateOrder = serde_json::from_slice(&sent).expect("it is an order");
                let reply: Value = serde_json::from_slice(&body).expect("a reply");
                assert_eq!(reply["customerId"], order.customer_id);
                assert!(response.headers().contains_key("location"));
                assert!(
                    !order.items.is_empty() && order.items.iter().all(|item| item.quantity > 0)
                );
            } else if method == Method::GET && path.starts_with("/customers/") {
                let _: Search = serde_json::from_slice(&body).expect("what was asked for");
            }
        } else if method != Method::HEAD {
            assert!(is_of("application/problem+json"), "{method} {path}: {status} {response:?}");
            let problem: Value = serde_json::from_slice(&body).expect("a problem");
            assert_eq!(problem["status"], status.as_u16(), "{problem}");
            for field in ["type", "title", "detail", "code", "outcome", "traceId"] {
                assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
            }
        }
    });
}
