use catga_http::Routes;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::ca::{CLUSTER, Ca};
use crate::enrolment::{Enrolment, JoinRequest};
use crate::prelude::*;

/// Sends `body` to a node of this process alone; what it answers.
async fn send(node: &Node, body: Vec<u8>) -> u16 {
    let router = Enrolment::routes(Routes::new("")).into_router(node.clone()).expect("they fit");
    let request = axum::http::Request::post(JoinRequest::PATH)
        .header("content-type", "application/json")
        .body(axum::body::Body::from(body))
        .expect("a request");
    router.oneshot(request).await.expect("it answers").status().as_u16()
}

#[test]
fn no_body_makes_a_node_panic_and_none_is_recorded() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let start = Catga::builder().service(|n| Enrolment::new(n, CLUSTER)).start();
    let node = runtime.block_on(start).expect("it starts");
    let request = Ca::new().token().request(CLUSTER, "node4").expect("a request");
    let good = request.body();
    let before = node.position();
    let answered = |body: Vec<u8>| runtime.block_on(send(&node, body));
    // Signed by somebody whose token nobody has made.
    assert_eq!(answered(good.clone()), 404);
    let config = ProptestConfig::with_cases(100);
    proptest!(config, |(bytes: Vec<u8>, place in 0..good.len(), byte: u8, field in 0_usize..4,
                        text in ".*", parts in vec(any::<u64>(), 0..4))| {
        let mut near = good.clone();
        near[place] = byte;
        let mut other: Value = serde_json::from_slice(&good).expect("JSON");
        let field = ["token", "name", "nodeKey", "signature"][field];
        other[field] = if parts.is_empty() { json!(text) } else { json!(parts) };
        for body in [bytes, near, other.to_string().into_bytes()] {
            let status = answered(body);
            prop_assert!((400..500).contains(&status), "{}", status);
        }
    });
    assert_eq!(node.position(), before, "nothing of it is in the journal");
}
