use catga::Routes;
use catga::http::{get, post};

use super::messages::{CreateOrder, GetOrder, Order};

/// The service as it is served.
pub(crate) fn routes() -> Routes {
    Routes::new("Orders")
        .route("/orders", post::<CreateOrder>().created(location))
        .route("/orders/{orderId}", get::<GetOrder>())
}

fn location(order: &Order) -> String {
    format!("/orders/{}", order.order_id)
}
