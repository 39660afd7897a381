use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Result;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use catga::{Node, Position, Uuid};
use tokio::net::TcpListener;

use super::child;
use crate::orders::{self, CreateOrder, Order, OrderId};

const POSITION: HeaderName = HeaderName::from_static("catga-position");

/// What the handlers share.
#[derive(Clone)]
struct App {
    node: Node,
    orders: Arc<RwLock<HashMap<OrderId, Order>>>,
}

/// Serves with handlers as one writes them by hand.
pub(super) async fn serve() -> Result<()> {
    let app = App { node: orders::start().await?, orders: Arc::default() };
    let router = Router::new()
        .route("/orders", post(create))
        .route("/orders/first", post(create_first))
        .route("/orders/{order_id}", get(read))
        .with_state(app);
    let listener = TcpListener::bind(("127.0.0.1", child::port()?)).await?;
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        // A failure here shows as latency, and nothing else depends on it.
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, router).await?)
}

async fn create(State(app): State<App>, Json(command): Json<CreateOrder>) -> Response {
    let replied = app.node.send(command).reported().await;
    let Ok(order) = replied.answer else {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    };
    let recorded = replied.report.and_then(|report| report.position);
    let location = format!("/orders/{}", order.order_id);
    let headers = [(header::LOCATION, value(location)), (POSITION, position(recorded))];
    (StatusCode::CREATED, headers, Json(order)).into_response()
}

/// As `create`, and into the map; so that creating, as it is measured, pays for no second book.
async fn create_first(State(app): State<App>, Json(command): Json<CreateOrder>) -> Response {
    let Ok(order) = app.node.send(command).await else {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    };
    let location = format!("/orders/{}", order.order_id);
    let mut orders = app.orders.write().unwrap_or_else(PoisonError::into_inner);
    orders.insert(order.order_id, order);
    (StatusCode::CREATED, [(header::LOCATION, value(location))]).into_response()
}

async fn read(State(app): State<App>, Path(order_id): Path<Uuid>) -> Response {
    let orders = app.orders.read().unwrap_or_else(PoisonError::into_inner);
    let Some(order) = orders.get(&OrderId::from(order_id)).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    drop(orders);
    let headers = [(POSITION, position(Some(app.node.position())))];
    (headers, Json(order)).into_response()
}

fn position(position: Option<Position>) -> HeaderValue {
    value(position.unwrap_or_default().to_string())
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("paths of ids and positions are plain text")
}
