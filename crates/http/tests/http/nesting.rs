use crate::shop::start;

/// So deep that a reader which calls itself for each level ends the process.
const DEPTH: usize = 100_000;

#[tokio::test]
async fn a_body_of_any_depth_is_refused_and_the_node_goes_on() {
    let shop = start().await;
    let within = |before: &str, open: &str, close: &str| {
        format!("{before}{}{}", open.repeat(DEPTH), close.repeat(DEPTH))
    };
    let bodies = [
        within("", "[", "]"),
        within("", "{\"a\":", "}"),
        within("{\"customerId\":\"C\",\"items\":", "[", "]"),
        // A field that nobody reads.
        within(
            "{\"customerId\":\"C\",\"items\":[{\"productId\":\"P\",\"quantity\":1}],\"x\":",
            "[",
            "]",
        ) + "}",
        within("{\"x\":", "{\"a\":", "}"),
        // It has no end.
        "[".repeat(DEPTH),
        "{\"a\":".repeat(DEPTH),
    ];
    for body in &bodies {
        let got = shop.send("POST /orders", &[], body).await;
        assert_eq!(got.status, 400, "{}: {got:?}", &body[..40]);
        // With a field from the path the body is read in another way.
        let path = "POST /orders/0198f0a0-0000-7000-8000-000000000000/cancel";
        let got = shop.send(path, &[], body).await;
        assert_eq!(got.status, 400, "{}: {got:?}", &body[..40]);
    }
    assert_eq!(shop.order(&[], "C").await.status, 201);
}
