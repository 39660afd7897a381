//! Every status, and the problem details that come with it.

use crate::shop::{start, start_with};
use catga::{FaultCode, Limits};
use serde_json::json;

#[tokio::test]
async fn what_is_created_is_answered_with_201_also_when_the_key_is_repeated() {
    let shop = start().await;
    let key = [("idempotency-key", "k-1")];
    let first = shop.order(&key, "C").await;
    assert_eq!(first.status, 201, "{first:?}");
    let order = first.json();
    let id = order["orderId"].as_str().expect("an id");
    assert_eq!(first.header("location"), Some(format!("/orders/{id}").as_str()));
    assert_eq!(order, json!({"orderId": id, "customerId": "C", "cancelled": false}));

    let again = shop.order(&key, "C").await;
    assert_eq!((again.status.as_u16(), again.json()), (201, order.clone()));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.header("catga-position"), first.header("catga-position"));

    let other = shop.order(&key, "D").await;
    assert_eq!((other.status.as_u16(), &other.json()["code"]), (422, &json!("payload-mismatch")));
}

#[tokio::test]
async fn what_exists_is_200_and_what_does_not_is_404() {
    let shop = start().await;
    let order = shop.order(&[], "C").await.json();
    let id = order["orderId"].as_str().expect("an id");
    let got = shop.send(&format!("GET /orders/{id}"), &[], "").await;
    assert_eq!((got.status.as_u16(), got.json()), (200, order.clone()));
    assert_eq!(got.header("content-type"), Some("application/json"));
    let nobody = "00000000-0000-0000-0000-000000000000";
    let got = shop.send(&format!("GET /orders/{nobody}"), &[], "").await;
    assert_eq!((got.status.as_u16(), &got.json()["code"]), (404, &json!("order.not-found")));
}

#[tokio::test]
async fn a_reply_of_nothing_is_204() {
    let shop = start().await;
    let got = shop.send("DELETE /orders/7", &[], "").await;
    assert_eq!((got.status.as_u16(), got.body.as_slice()), (204, &[][..]));
}

#[tokio::test]
async fn a_refusal_is_answered_by_its_kind() {
    let shop = start().await;
    let cases = [
        ("not-found", 404, "order.not-found", "Order not found"),
        ("cancelled", 409, "order.cancelled", "Order cancelled"),
        ("nonsense", 400, "nonsense", "Nonsense"),
        ("not-yours", 403, "not-yours", "Not yours"),
        ("bank-away", 503, "bank-away", "Bank away"),
    ];
    for (how, status, code, title) in cases {
        let got = shop.send(&format!("PUT /probe/fail/{how}"), &[], "").await;
        let problem = got.json();
        assert_eq!(got.status, status, "{problem}");
        assert_eq!(got.header("content-type"), Some("application/problem+json"));
        assert_eq!(got.header("retry-after").is_some(), status == 503);
        assert_eq!(problem["type"], format!("urn:catga:refusal:{code}"));
        assert_eq!((&problem["code"], &problem["title"]), (&json!(code), &json!(title)));
        assert_eq!(problem["outcome"], "not-executed");
        assert_eq!(problem["retryable"], how == "bank-away");
        assert_eq!(problem["traceId"].as_str().map(str::len), Some(32));
    }
}

#[tokio::test]
async fn cancelling_twice_is_a_clear_409() {
    let shop = start().await;
    let order = shop.order(&[], "C").await.json();
    let line = format!("POST /orders/{}/cancel", order["orderId"].as_str().expect("an id"));
    let first = shop.send(&line, &[], r#"{"reason":"twice"}"#).await;
    assert_eq!((first.status.as_u16(), &first.json()["cancelled"]), (200, &json!(true)));
    let second = shop.send(&line, &[], r#"{"reason":"twice"}"#).await;
    assert_eq!(second.status, 409);
    assert_eq!(second.json()["detail"], "the order is cancelled already");
}

#[tokio::test]
async fn every_fault_has_its_status_and_says_what_became_of_the_command() {
    let shop = start().await;
    for code in FaultCode::ALL {
        let expected = match code.as_str() {
            "invalid-message" => 400,
            "denied" => 403,
            "stream-exists" => 409,
            "command-too-large" => 413,
            "payload-mismatch" | "position-unknown" => 422,
            "keys-exhausted" => 429,
            "backup-failed" | "panicked" | "unreadable" | "internal" | "answer-too-large" => 500,
            "no-handler" => 501,
            "deadline-in-doubt" | "expired" | "in-doubt" => 504,
            "storage-full" => 507,
            _ => 503,
        };
        let line = format!("PUT /probe/fail/{}", code.as_str());
        for keyed in [false, true] {
            let headers: &[_] = if keyed { &[("idempotency-key", "k")] } else { &[] };
            let got = shop.send(&line, headers, "").await;
            let problem = got.json();
            assert_eq!(got.status, expected, "{problem}");
            assert_eq!(problem["status"], expected);
            assert_eq!(problem["code"], code.as_str());
            assert_eq!(problem["type"], format!("urn:catga:fault:{}", code.as_str()));
            let unknown = expected == 504;
            assert_eq!(problem["outcome"], if unknown { "unknown" } else { "not-executed" });
            let retryable = catga::Fault::new(*code, "").is_retryable();
            assert_eq!(problem["retryable"], retryable && (keyed || !unknown), "{code:?}");
            assert_eq!(got.header("retry-after").is_some(), matches!(expected, 429 | 503));
        }
    }
}

#[tokio::test]
async fn a_panic_is_500_with_the_trace_id_and_without_what_it_said() {
    let shop = start().await;
    let trace = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let got = shop.send("PUT /probe/fail/panic", &[trace], "").await;
    assert_eq!((got.status.as_u16(), &got.json()["code"]), (500, &json!("panicked")));
    assert_eq!(got.json()["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert!(!String::from_utf8_lossy(&got.body).contains("4711"), "{got:?}");
}

#[tokio::test]
async fn a_failure_after_the_handler_does_not_claim_that_nothing_happened() {
    let shop = start().await;
    // The route's location is no header value.
    let got = shop.send("PUT /probe/fail/well", &[], "").await;
    assert_eq!((got.status.as_u16(), &got.json()["outcome"]), (500, &json!("unknown")));
}

#[tokio::test]
async fn everything_wrong_with_a_request_is_said_at_once() {
    let shop = start().await;
    let headers = [
        ("idempotency-key", "a b"),
        ("catga-position", "x"),
        ("prefer", "wait=0"),
        ("catga-read", "local"),
        ("x-correlation-id", ""),
    ];
    let body = r#"{"customerId":"C","colour":1,"items":[{"productId":"P","quantity":0,"size":2}]}"#;
    let got = shop.send("POST /orders", &headers, body).await;
    assert_eq!(got.status, 400);
    assert_eq!(got.json()["code"], "invalid-message");
    let mut errors = got.errors();
    errors.sort_unstable();
    assert_eq!(
        errors,
        [
            "Catga-Position: must be a position as an answer carries it, such as `1a2b-0-ff`",
            "Catga-Read: belongs on reads; this is a command",
            "Idempotency-Key: must be 1 to 255 visible ASCII characters without blanks",
            "Prefer: wait must be above 0 and at most 300 seconds",
            "X-Correlation-Id: must be 1 to 255 visible ASCII characters without blanks",
            "colour: is not a field of this message",
            "items[0].quantity: must be at least 1",
            "items[0].size: is not a field of this message",
        ]
    );
}

#[tokio::test]
async fn a_message_that_its_check_refuses_is_400() {
    let shop = start().await;
    let got = shop.send("POST /orders", &[], r#"{"customerId":"C","items":[]}"#).await;
    assert_eq!((got.status.as_u16(), got.errors()), (400, vec!["items: must not be empty".into()]));
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_400() {
    let shop = start().await;
    let got = shop.send("POST /orders", &[], "").await;
    assert_eq!(got.errors(), ["customerId: is required", "items: is required"]);
    let got = shop.send("POST /orders", &[], "{\"customerId\":").await;
    assert_eq!(got.status, 400);
    assert!(got.errors()[0].starts_with("body: the body is not JSON"), "{got:?}");
    // Its fields by their place: in another release they may stand in another order.
    let got = shop.send("POST /orders", &[], r#"["C",[["P",1]]]"#).await;
    let what = "body: the body must be an object of the message's fields, and is an array";
    assert_eq!((got.status.as_u16(), got.errors()), (400, vec![what.to_owned()]));
    let got = shop.send("POST /orders/7/cancel", &[], r#"{"orderId":"8"}"#).await;
    let errors = got.errors();
    assert!(errors[0].starts_with("orderId: "), "{errors:?}");
    assert!(errors.contains(&"reason: is required".to_owned()), "{errors:?}");
}

#[tokio::test]
async fn a_place_that_is_not_there_is_404_and_a_wrong_method_is_405_with_allow() {
    let shop = start().await;
    let got = shop.send("GET /nowhere", &[], "").await;
    assert_eq!((got.status.as_u16(), &got.json()["code"]), (404, &json!("no-route")));
    let got = shop.send("PATCH /orders/7", &[], "").await;
    assert_eq!((got.status.as_u16(), &got.json()["code"]), (405, &json!("method-not-allowed")));
    assert_eq!(got.header("allow"), Some("GET,HEAD,DELETE"));
    let got = shop.send("POST /health", &[], "").await;
    assert_eq!((got.status.as_u16(), got.header("allow")), (405, Some("GET,HEAD")));
}

#[tokio::test]
async fn a_body_of_another_type_is_415_and_one_over_the_limit_413() {
    let mut limits = Limits::default();
    limits.command_bytes = 100;
    let shop = start_with(limits).await;
    let got = shop.send("POST /orders", &[("content-type", "text/plain")], "{}").await;
    assert_eq!((got.status.as_u16(), &got.json()["code"]), (415, &json!("not-json")));
    let body = format!(r#"{{"customerId":"{}","items":[]}}"#, "C".repeat(100));
    for headers in [&[][..], &[("content-length", "137")]] {
        let got = shop.send("POST /orders", headers, &body).await;
        assert_eq!((got.status.as_u16(), &got.json()["code"]), (413, &json!("command-too-large")));
    }
}

#[tokio::test]
async fn a_position_of_another_incarnation_is_422_and_one_of_the_future_503() {
    let mut limits = Limits::default();
    limits.visible_wait = std::time::Duration::from_millis(20);
    let shop = start_with(limits).await;
    let seen = shop.order(&[], "C").await;
    let id = seen.json()["orderId"].as_str().expect("an id").to_owned();
    let position = seen.header("catga-position").expect("a position").to_owned();
    let (incarnation, _) = position.split_once('-').expect("three parts");
    let cases = [
        (position.clone(), 200, None),
        (format!("{incarnation}-0-ffff"), 503, Some("position-not-reached")),
        ("1-0-1".to_owned(), 422, Some("position-unknown")),
    ];
    for (position, status, code) in cases {
        let headers = [("catga-position", position.as_str())];
        let get = shop.send(&format!("GET /orders/{id}"), &headers, "").await;
        assert_eq!((get.status.as_u16(), get.json()["code"].as_str()), (status, code), "{get:?}");
        let cancel = format!("POST /orders/{id}/cancel");
        let post = shop.send(&cancel, &headers, r#"{"reason":"r"}"#).await;
        assert_eq!(
            (post.status.as_u16(), post.json()["code"].as_str()),
            (status, code),
            "{post:?}"
        );
    }
}

#[tokio::test]
async fn a_draining_node_refuses_with_503_and_retry_after() {
    let shop = start().await;
    shop.node.shutdown().await;
    let got = shop.order(&[], "C").await;
    assert_eq!((got.status.as_u16(), &got.json()["code"]), (503, &json!("shutting-down")));
    assert_eq!(got.header("retry-after"), Some("1"));
}
