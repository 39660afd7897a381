use anyhow::Result;
use catga::Routes;
use catga::http::{get, post};

use crate::orders::{self, CreateOrder, GetOrder, Order};

/// Serves as a program would; `PORT` says where.
pub(super) async fn serve() -> Result<()> {
    let node = orders::start().await?;
    Ok(catga::serve(node, routes()).await?)
}

fn routes() -> Routes {
    Routes::new("Orders")
        .route("/orders", post::<CreateOrder>().created(location))
        .route("/orders/{orderId}", get::<GetOrder>())
}

fn location(order: &Order) -> String {
    format!("/orders/{}", order.order_id)
}
