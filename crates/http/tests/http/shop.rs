//! A small shop: one message for each thing that HTTP can do to one.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use catga::prelude::*;
use catga::{Builder, FaultCode, Limits};
use catga_http::{Routes, delete, get, post, put};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::sync::Notify;
use tower::ServiceExt;
use utoipa::ToSchema;

/// Places an order.
#[derive(Command, Debug, Serialize, Deserialize, ToSchema)]
#[command(name = "order.create", reply = Order, error = OrderError, check = check_order)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateOrder {
    pub(crate) customer_id: String,
    pub(crate) items: Vec<Item>,
}

fn check_order(order: &CreateOrder, faults: &mut FieldFaults) {
    faults.require(!order.items.is_empty(), "items", "must not be empty");
    for (index, item) in order.items.iter().enumerate() {
        faults.require(
            item.quantity > 0,
            &format!("items[{index}].quantity"),
            "must be at least 1",
        );
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Item {
    pub(crate) product_id: String,
    pub(crate) quantity: u32,
}

#[derive(Command, Debug, Serialize, Deserialize, ToSchema)]
#[command(name = "order.cancel", reply = Order, error = OrderError)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CancelOrder {
    pub(crate) order_id: Uuid,
    pub(crate) reason: String,
}

/// Changes nothing and replies nothing.
#[derive(Command, Debug, Serialize, Deserialize, ToSchema)]
#[command(name = "order.touch")]
#[serde(rename_all = "camelCase")]
pub(crate) struct TouchOrder {
    pub(crate) order_id: String,
}

#[derive(Query, Debug, Serialize, Deserialize, ToSchema)]
#[query(name = "order.get", reply = Order, error = OrderError)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GetOrder {
    pub(crate) order_id: Uuid,
}

/// Replies what it was asked.
#[derive(Query, Clone, Debug, Serialize, Deserialize, ToSchema)]
#[query(name = "order.search", reply = Search)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Search {
    pub(crate) customer_id: String,
    pub(crate) limit: Option<u32>,
    #[serde(default)]
    pub(crate) newest_first: bool,
}

/// Replies what the call carried.
#[derive(Command, Debug, Serialize, Deserialize, ToSchema)]
#[command(name = "probe.echo", reply = Echoed)]
pub(crate) struct Echo {}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Echoed {
    pub(crate) key: Option<String>,
    pub(crate) correlation: Option<String>,
    pub(crate) trace: Option<String>,
    pub(crate) deadline_ms: Option<u64>,
}

/// Fails as it is told.
#[derive(Command, Debug, Serialize, Deserialize, ToSchema)]
#[command(name = "probe.fail", reply = String, error = OrderError)]
pub(crate) struct Fail {
    pub(crate) how: String,
}

/// Is answered when the test says so.
#[derive(Command, Debug, Serialize, Deserialize, ToSchema)]
#[command(name = "probe.wait", reply = String)]
pub(crate) struct Wait {}

#[derive(Event, Debug, Serialize, Deserialize)]
#[event(name = "order.created", stream = Order, key = order_id)]
pub(crate) struct OrderCreated {
    pub(crate) order_id: Uuid,
    pub(crate) customer_id: String,
}

#[derive(Event, Debug, Serialize, Deserialize)]
#[event(name = "order.cancelled", stream = Order, key = order_id)]
pub(crate) struct OrderCancelled {
    pub(crate) order_id: Uuid,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Order {
    pub(crate) order_id: Uuid,
    pub(crate) customer_id: String,
    pub(crate) cancelled: bool,
}

#[aggregate(name = "order")]
impl Order {
    fn created(event: &OrderCreated) -> Self {
        let customer_id = event.customer_id.clone();
        Self { order_id: event.order_id, customer_id, cancelled: false }
    }

    fn cancelled(&mut self, _event: &OrderCancelled) {
        self.cancelled = true;
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Book(std::collections::HashMap<Uuid, Order>);

#[projection(name = "book", version = 1)]
impl Book {
    fn created(&mut self, event: &OrderCreated) {
        self.0.insert(event.order_id, Order::created(event));
    }

    fn cancelled(&mut self, event: &OrderCancelled) {
        if let Some(order) = self.0.get_mut(&event.order_id) {
            order.cancelled = true;
        }
    }
}

#[derive(DomainError, Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub(crate) enum OrderError {
    #[error("there is no such order")]
    #[refusal(code = "order.not-found", kind = NotFound)]
    NotFound,
    #[error("the order is cancelled already")]
    #[refusal(code = "order.cancelled")]
    Cancelled,
    #[error("it makes no sense")]
    #[refusal(kind = Invalid)]
    Nonsense,
    #[error("it is not yours")]
    #[refusal(kind = Forbidden)]
    NotYours,
    #[error("the bank is away")]
    #[refusal(kind = Unavailable, transient)]
    BankAway,
}

pub(crate) struct Shop {
    book: View<Book>,
    gate: Arc<Gate>,
}

/// Where a call waits until the test lets it go on.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    pub(crate) entered: Notify,
    pub(crate) released: Notify,
}

#[service]
impl Shop {
    async fn create(&self, cmd: CreateOrder, tx: &mut Tx) -> Answer<Order, OrderError> {
        let created = OrderCreated { order_id: tx.new_id(), customer_id: cmd.customer_id };
        let order = Order::created(&created);
        tx.emit(created);
        Ok(order)
    }

    async fn cancel(&self, cmd: CancelOrder, tx: &mut Tx) -> Answer<Order, OrderError> {
        let mut order = tx.load::<Order>(&cmd.order_id).await?.ok_or(OrderError::NotFound)?;
        if order.cancelled {
            return Err(OrderError::Cancelled.into());
        }
        order.emit(OrderCancelled { order_id: cmd.order_id });
        Ok(order.into_state())
    }

    async fn touch(&self, _cmd: TouchOrder) -> Answer<()> {
        Ok(())
    }

    async fn get(&self, query: GetOrder) -> Answer<Order, OrderError> {
        self.book.with(|book| book.0.get(&query.order_id).cloned().ok_or(OrderError::NotFound))
    }

    async fn search(&self, query: Search) -> Answer<Search> {
        Ok(query)
    }

    async fn echo(&self, _cmd: Echo, tx: &mut Tx) -> Answer<Echoed> {
        let context = tx.context();
        Ok(Echoed {
            key: context.key.as_deref().map(ToOwned::to_owned),
            correlation: context.correlation.as_deref().map(ToOwned::to_owned),
            trace: context.trace.map(|trace| trace.to_traceparent()),
            deadline_ms: context.deadline.map(|deadline| deadline.as_millis() as u64),
        })
    }

    async fn fail(&self, cmd: Fail) -> Answer<String, OrderError> {
        let how = cmd.how.as_str();
        if let Some(code) = FaultCode::ALL.iter().find(|code| code.as_str() == how) {
            return Err(Fault::new(*code, "the secret is 4711").into());
        }
        match how {
            "panic" => panic!("the secret is 4711"),
            "not-found" => Err(OrderError::NotFound.into()),
            "cancelled" => Err(OrderError::Cancelled.into()),
            "nonsense" => Err(OrderError::Nonsense.into()),
            "not-yours" => Err(OrderError::NotYours.into()),
            "bank-away" => Err(OrderError::BankAway.into()),
            _ => Ok(how.to_owned()),
        }
    }

    async fn wait(&self, _cmd: Wait) -> Answer<String> {
        self.gate.entered.notify_one();
        self.gate.released.notified().await;
        Ok("released".to_owned())
    }
}

pub(crate) fn routes() -> Routes {
    Routes::new("Shop")
        .version("1.2.3")
        .route(
            "/orders",
            post::<CreateOrder>().created(|order| format!("/orders/{}", order.order_id)),
        )
        .route("/orders/{orderId}", get::<GetOrder>())
        .route("/orders/{orderId}", delete::<TouchOrder>())
        .route("/orders/{orderId}/cancel", post::<CancelOrder>().summary("Gives an order up"))
        .route("/customers/{customerId}/orders", get::<Search>().operation("FindOrders"))
        .route("/probe/echo", post::<Echo>())
        .route("/probe/fail/{how}", put::<Fail>().created(|how| format!("/\n{how}")))
        .route("/probe/wait", post::<Wait>())
        .route("/operators/echo", post::<Echo>().operation("EchoForOperators").for_operators())
}

/// A shop on a node in memory.
pub(crate) struct Running {
    pub(crate) node: Node,
    pub(crate) app: Router,
}

pub(crate) async fn node(limits: Limits) -> (Node, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let builder = builder(limits, gate.clone());
    (builder.start().await.expect("the shop fits together"), gate)
}

/// A shop that runs on memory if nothing else is said.
pub(crate) fn builder(limits: Limits, gate: Arc<Gate>) -> Builder {
    Catga::builder().limits(limits).service(move |n| Shop { book: n.projection(), gate })
}

pub(crate) async fn start() -> Running {
    start_with(Limits::default()).await
}

pub(crate) async fn start_with(limits: Limits) -> Running {
    let (node, _) = node(limits).await;
    let app = routes().into_router(node.clone()).expect("the routes fit together");
    Running { node, app }
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a text"))
    }

    /// The header or field, and what is wrong with it.
    pub(crate) fn errors(&self) -> Vec<String> {
        let body = self.json();
        let errors = body["errors"].as_array().expect("a list of errors").clone();
        let place = |error: &Value| {
            let place = error["header"].as_str().or(error["field"].as_str()).unwrap_or("body");
            format!("{place}: {}", error["detail"].as_str().expect("a detail"))
        };
        errors.iter().map(place).collect()
    }
}

impl Running {
    /// Sends a request line such as `POST /orders`, headers, and a body of JSON if there is one.
    pub(crate) async fn send(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Got {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let mut request = Request::builder().method(method).uri(path);
        let typed = headers.iter().any(|(name, _)| *name == "content-type");
        if !body.is_empty() && !typed {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let response = self.app.clone().oneshot(request).await.expect("it never fails");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes().to_vec();
        Got { status: parts.status, headers: parts.headers, body }
    }

    /// Places an order.
    pub(crate) async fn order(&self, headers: &[(&str, &str)], customer: &str) -> Got {
        let body =
            format!(r#"{{"customerId":"{customer}","items":[{{"productId":"P","quantity":1}}]}}"#);
        self.send("POST /orders", headers, &body).await
    }
}
