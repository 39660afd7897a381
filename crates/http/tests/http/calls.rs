//! What a request says reaches the node, and what the node says reaches the caller.

use serde_json::json;

use crate::shop::start;

#[tokio::test]
async fn what_the_headers_say_reaches_the_handler() {
    let shop = start().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [
        ("idempotency-key", "k-7"),
        ("x-correlation-id", "c-7"),
        ("traceparent", trace),
        ("prefer", "wait=2.5"),
    ];
    let got = shop.send("POST /probe/echo", &headers, "{}").await;
    let echoed = json!({"key": "k-7", "correlation": "c-7", "trace": trace, "deadline_ms": 2500});
    assert_eq!((got.status.as_u16(), got.json()), (200, echoed));
    assert_eq!(got.header("preference-applied"), Some("wait=2.5"));

    let got = shop.send("POST /probe/echo", &[], "").await;
    let nothing = json!({"key": null, "correlation": null, "trace": null, "deadline_ms": null});
    assert_eq!((got.status.as_u16(), got.json()), (200, nothing));
    assert_eq!(got.header("preference-applied"), None);
}

#[tokio::test]
async fn a_deadline_that_passes_is_answered_as_what_it_is() {
    let shop = start().await;
    // The handler is too late before it is begun: certainly nothing ran.
    let got = shop.send("POST /probe/echo", &[("prefer", "wait=0.0000001")], "{}").await;
    assert_eq!(got.status, 503, "{got:?}");
    assert_eq!(got.json()["outcome"], "not-executed");
}

#[tokio::test]
async fn a_query_is_made_of_the_path_and_the_query_string() {
    let shop = start().await;
    let got = shop.send("GET /customers/a%20b/orders?limit=5&newestFirst=true", &[], "").await;
    let asked = json!({"customerId": "a b", "limit": 5, "newestFirst": true});
    assert_eq!((got.status.as_u16(), got.json()), (200, asked));
    let got = shop.send("GET /customers/7/orders", &[], "").await;
    assert_eq!(got.json(), json!({"customerId": "7", "limit": null, "newestFirst": false}));

    let got = shop.send("GET /customers/7/orders?limit=all&page=2&customerId=8", &[], "").await;
    assert_eq!(got.status, 400);
    assert_eq!(
        got.errors(),
        [
            "customerId: is given twice, as `7` and as `8`",
            "limit: invalid type: string \"all\", expected a whole number of 32 bits, not negative",
        ]
    );
    let got = shop.send("GET /customers/7/orders?page=2", &[], "").await;
    assert_eq!(got.errors(), ["page: is not a field of this message"]);
    let got = shop.send("GET /customers/%FF/orders", &[], "").await;
    assert_eq!(got.status, 400);
}

#[tokio::test]
async fn a_query_is_read_at_the_level_that_the_caller_names() {
    let shop = start().await;
    let order = shop.order(&[], "C").await;
    let line = format!("GET /orders/{}", order.json()["orderId"].as_str().expect("an id"));
    for level in ["local", "session", "linearizable"] {
        let got = shop.send(&line, &[("catga-read", level)], "").await;
        assert_eq!(got.status, 200, "{level}: {got:?}");
    }
    let got = shop.send(&line, &[("catga-read", "quorum")], "").await;
    assert_eq!(got.errors(), ["Catga-Read: must be `local`, `session` or `linearizable`"]);
    // A draining node refuses at every level, which shows that each took its way through the node.
    shop.node.shutdown().await;
    for level in ["local", "session", "linearizable"] {
        assert_eq!(shop.send(&line, &[("catga-read", level)], "").await.status, 503, "{level}");
    }
}

#[tokio::test]
async fn every_answer_carries_a_position() {
    let shop = start().await;
    let lines = [
        "GET /nowhere",
        "PATCH /orders/7",
        "GET /health",
        "GET /metrics",
        "GET /openapi.json",
        "GET /orders/7",
        "POST /orders",
        "DELETE /orders/7",
        "GET /cluster/status",
    ];
    for line in lines {
        let got = shop.send(line, &[], "").await;
        let position = got.header("catga-position").expect(line);
        assert_eq!(position, shop.node.position().to_string(), "{line}");
    }
    let created = shop.order(&[], "C").await;
    let position = created.header("catga-position").expect("a position");
    assert_eq!(position, shop.node.position().to_string());
    assert_eq!(created.header("catga-visible"), None, "the answer waited for the view");
}
