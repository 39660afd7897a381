//! What a server answers by itself: health, status, metrics, OpenAPI, Swagger UI.

use axum::extract::State;
use axum::routing::get as axum_get;
use catga::{Limits, Node};
use catga_http::{Routes, get, post};
use serde_json::{Value, json};

use crate::shop::{CancelOrder, CreateOrder, GetOrder, Running, node, start};

#[tokio::test]
async fn health_and_probes_say_how_the_node_is() {
    let shop = start().await;
    for path in ["/health", "/livez", "/readyz", "/startupz"] {
        let got = shop.send(&format!("GET {path}"), &[], "").await;
        let healthy =
            json!({"status": "Healthy", "node": "node1", "version": "1.2.3", "reasons": []});
        assert_eq!((got.status.as_u16(), got.json()), (200, healthy), "{path}");
    }
    shop.node.shutdown().await;
    for (path, status, word) in [
        ("/health", 503, "Unhealthy"),
        ("/readyz", 503, "Unhealthy"),
        ("/livez", 200, "Healthy"),
        ("/startupz", 200, "Healthy"),
    ] {
        let got = shop.send(&format!("GET {path}"), &[], "").await;
        assert_eq!((got.status.as_u16(), &got.json()["status"]), (status, &json!(word)), "{path}");
        let reasons = got.json()["reasons"].clone();
        assert_eq!(reasons == json!([]), status == 200, "{path}: {reasons}");
    }
}

#[tokio::test]
async fn cluster_status_shows_a_single_process_as_its_own_leader() {
    let shop = start().await;
    shop.node.set_endpoint("http://localhost:5001");
    shop.order(&[], "C").await;
    let (position, hash) = shop.node.rolling_hash();
    let got = shop.send("GET /cluster/status", &[], "").await;
    let mut status = got.json();
    assert!(status["term"].is_u64());
    status["term"] = json!(0);
    assert_eq!(
        status,
        json!({
            "nodeId": "node1", "isLeader": true, "leaderId": "node1", "term": 0,
            "status": "leader", "engineVersion": 1,
            "members": [{
                "id": "node1", "endpoint": "http://localhost:5001", "status": "available",
                "isLeader": true, "hasVote": true, "engineVersion": catga::ENGINE_VERSION,
            }],
            "durability": {"log": "memory", "survives": "nothing"},
            "journal": {"position": position.to_string(), "hash": format!("{hash:016x}")},
        })
    );
}

#[tokio::test]
async fn metrics_count_requests_by_route_and_status() {
    let shop = start().await;
    shop.order(&[], "C").await;
    shop.order(&[], "D").await;
    shop.send("GET /orders/7", &[], "").await;
    shop.send("GET /nowhere", &[], "").await;
    let got = shop.send("GET /metrics", &[], "").await;
    let open_metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(got.header("content-type"), Some(open_metrics));
    let text = String::from_utf8(got.body).expect("a text");
    for line in [
        r#"catga_http_requests_total{method="POST",route="/orders",status="201"} 2"#,
        r#"catga_http_requests_total{method="GET",route="/orders/{orderId}",status="400"} 1"#,
        r#"catga_http_requests_total{method="GET",route="none",status="404"} 1"#,
        r#"catga_http_request_duration_seconds_count{method="POST",route="/orders"} 2"#,
    ] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn openapi_describes_the_messages_and_swagger_ui_shows_it() {
    let shop = start().await;
    let document = shop.send("GET /openapi.json", &[], "").await.json();
    assert_eq!(document["info"], json!({"title": "Shop", "version": "1.2.3"}));
    let paths = document["paths"].as_object().expect("paths");
    let operations = |path: &Value| path.as_object().expect("operations").clone();
    let mut ids: Vec<_> = paths
        .values()
        .flat_map(|path| operations(path).into_iter().map(|(_, operation)| operation))
        .map(|operation| operation["operationId"].as_str().expect("an id").to_owned())
        .collect();
    ids.sort_unstable();
    assert_eq!(
        ids,
        [
            "CancelOrder",
            "ClusterStatus",
            "CreateOrder",
            "Echo",
            "Fail",
            "FindOrders",
            "GetOrder",
            "TouchOrder",
            "Wait",
        ]
    );

    let create = &document["paths"]["/orders"]["post"];
    assert_eq!(create["summary"], "Places an order.");
    assert_eq!(
        create["requestBody"]["content"]["application/json"]["schema"],
        json!({"$ref": "#/components/schemas/CreateOrder"})
    );
    assert!(create["responses"]["201"]["headers"]["Location"].is_object());
    assert!(create["responses"]["201"]["headers"]["Catga-Position"].is_object());
    let touched = &document["paths"]["/orders/{orderId}"]["delete"]["responses"];
    assert!(touched["204"].is_object() && touched["204"]["content"].is_null(), "{touched}");
    assert!(touched["200"].is_null(), "a reply of nothing has no body: {touched}");
    let problem = &create["responses"]["4XX"]["content"]["application/problem+json"]["schema"];
    assert_eq!(problem, &json!({"$ref": "#/components/schemas/Problem"}));

    // What the path says is no part of the body.
    let cancel = &document["paths"]["/orders/{orderId}/cancel"]["post"];
    assert_eq!(cancel["summary"], "Gives an order up");
    let body = &document["components"]["schemas"]["CancelOrderBody"];
    assert_eq!(body["required"], json!(["reason"]));
    assert!(body["properties"]["orderId"].is_null());
    let names = |operation: &Value| -> Vec<String> {
        let parameters = operation["parameters"].as_array().expect("parameters").clone();
        let name = |one: &Value| format!("{}:{}", one["in"], one["name"]).replace('"', "");
        parameters.iter().map(name).collect()
    };
    assert!(names(cancel).contains(&"path:orderId".to_owned()));
    assert!(names(cancel).contains(&"header:Idempotency-Key".to_owned()));
    let find = names(&document["paths"]["/customers/{customerId}/orders"]["get"]);
    for name in ["path:customerId", "query:limit", "query:newestFirst", "header:Catga-Read"] {
        assert!(find.contains(&name.to_owned()), "{find:?}");
    }
    check_references(&document, &document);

    let got = shop.send("GET /swagger-ui", &[], "").await;
    assert_eq!((got.status.as_u16(), got.header("location")), (308, Some("/swagger-ui/")));
    assert_eq!(shop.send("GET /swagger-ui/", &[], "").await.status, 200);
    for accepts in ["", "identity", "br, gzip;q=0"] {
        let got = shop.send("GET /swagger-ui/", &[("accept-encoding", accepts)], "").await;
        assert_eq!(
            (got.header("content-encoding"), got.header("vary")),
            (None, Some("accept-encoding"))
        );
        assert!(got.body.trim_ascii_start().starts_with(b"<"), "{accepts}: {got:?}");
    }
    let got = shop.send("GET /swagger-ui/", &[("accept-encoding", "br;q=1.0, gzip")], "").await;
    assert_eq!(got.header("content-encoding"), Some("gzip"));
    assert_eq!(got.body[..2], [0x1f, 0x8b]);
    let got = shop.send("GET /swagger-ui/swagger-initializer.js", &[], "").await;
    assert!(String::from_utf8_lossy(&got.body).contains("/openapi.json"));
    assert_eq!(shop.send("GET /swagger-ui/nothing.js", &[], "").await.status, 404);
}

/// Every `$ref` leads somewhere.
pub(crate) fn check_references(document: &Value, part: &Value) {
    match part {
        Value::Object(object) => {
            if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
                let found = document.pointer(reference.trim_start_matches('#'));
                assert!(found.is_some(), "{reference} leads nowhere");
            }
            object.values().for_each(|part| check_references(document, part));
        }
        Value::Array(list) => list.iter().for_each(|part| check_references(document, part)),
        _ => {}
    }
}

#[tokio::test]
async fn an_axum_router_is_merged_and_observed() {
    let (node, _) = node(Limits::default()).await;
    let name = async |State(node): State<Node>| node.name().to_string();
    let more = axum::Router::new().route("/more/{id}", axum_get(name));
    let app = Routes::new("Shop").merge(more).into_router(node.clone()).expect("it fits");
    let shop = Running { node, app };
    let got = shop.send("GET /more/7", &[], "").await;
    assert_eq!((got.status.as_u16(), got.body.as_slice()), (200, &b"node1"[..]));
    assert!(got.header("catga-position").is_some());
    let text = String::from_utf8(shop.send("GET /metrics", &[], "").await.body).expect("a text");
    assert!(text.contains(r#"route="/more/{id}",status="200"} 1"#), "{text}");
}

#[tokio::test]
async fn routes_that_do_not_fit_are_reported_at_once() {
    let (node, _) = node(Limits::default()).await;
    let error = Routes::new("Shop")
        .route("/orders/{id}", get::<GetOrder>())
        .route("/orders", post::<CreateOrder>())
        .route("/orders", post::<CreateOrder>())
        .route("health", post::<CancelOrder>())
        .route("/metrics/more", post::<CancelOrder>().operation("More"))
        // Also where the server was given no token.
        .route("/cluster/backup", post::<CancelOrder>().operation("MakeBackup"))
        .into_router(node)
        .expect_err("nothing fits");
    assert_eq!(
        error.reasons(),
        [
            "GET /orders/{id}: `order.get` has no field `id`; its fields are orderId",
            "two messages stand at POST /orders",
            "two operations are called `CreateOrder`; give one of them another name with \
             `.operation(…)`",
            "the path `health` must start with `/`",
            "the path `/metrics/more` is taken by the server itself",
            "the path `/cluster/backup` is taken by the server itself",
            "two operations are called `MakeBackup`; give one of them another name with \
             `.operation(…)`",
        ]
    );
}
