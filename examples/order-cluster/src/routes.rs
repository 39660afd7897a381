//! Where each message stands on the web.

use catga::http::{Routes, get, post};

use crate::messages::{CancelOrder, CreateOrder, GetCustomerOrders, GetOrder};

/// The service's HTTP interface.
pub fn routes() -> Routes {
    Routes::new("Order service")
        .route("/orders", post::<CreateOrder>().created(|it| format!("/orders/{}", it.order_id)))
        .route("/orders/{orderId}", get::<GetOrder>())
        .route("/orders/customer/{customerId}", get::<GetCustomerOrders>())
        .route("/orders/{orderId}/cancel", post::<CancelOrder>())
}
