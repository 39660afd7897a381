use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn_with_state, map_response_with_state};
use axum::routing::MethodRouter;
use catga_host::BoxFuture;
use catga_runtime::{Backups, Node};
use utoipa::ToSchema;

use crate::document::BuiltIn;
use crate::endpoint::Endpoint;
use crate::leaving::{Door, Leaving};
use crate::observer::{Observer, observe};
use crate::operation::{Operation, path_params};
use crate::{
    AdminToken, Route, RoutesError, admin, cluster_status, crowd, document, health, leaving,
    metrics_page, swagger, unmatched, upgrade,
};

/// Which message stands at which path: the whole of a service's HTTP interface.
///
/// A message is its own description: its fields are the body, the path and the query string, its
/// reply is the answer, and its error says the status of a refusal. Fields in braces are taken
/// from the path by their JSON names.
///
/// ```
/// # use catga_core::{Command, Query};
/// # use catga_http::{Routes, get, post};
/// # use utoipa::ToSchema;
/// # struct Order { order_id: String }
/// # fn routes<CreateOrder, GetOrder, CancelOrder>() -> Routes
/// # where CreateOrder: Command<Reply = String> + ToSchema, CancelOrder: Command<Reply = String> + ToSchema,
/// #       GetOrder: Query<Reply = String> + ToSchema {
/// Routes::new("Order service")
///     .route("/orders", post::<CreateOrder>().created(|order| format!("/orders/{order}")))
///     .route("/orders/{orderId}", get::<GetOrder>())
///     .route("/orders/{orderId}/cancel", post::<CancelOrder>().summary("Cancels an order"))
/// # }
/// ```
#[must_use = "routes do nothing before they are served"]
pub struct Routes {
    title: String,
    version: String,
    routes: Vec<Registered>,
    others: Router<Node>,
}

/// One message at one path, its type forgotten.
struct Registered {
    operation: Operation,
    mount: Mount,
}

type Mount = Box<dyn FnOnce(&Arc<Observer>, &Settings) -> MethodRouter + Send>;

/// What the server tells its routes.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How long a body may take to arrive.
    pub(crate) body_wait: Duration,
    /// What operators show to change the cluster; without it nobody can.
    pub(crate) admin: Option<AdminToken>,
    /// Where operators may have backups made.
    pub(crate) backups: Option<Backups>,
    /// How far the server is on its way out.
    pub(crate) leaving: Leaving,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            body_wait: Duration::from_secs(30),
            admin: None,
            backups: None,
            leaving: Leaving::default(),
        }
    }
}

impl Routes {
    /// No routes yet; `title` names the service in OpenAPI.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            routes: Vec::new(),
            others: Router::new(),
        }
    }

    /// The version of the service in OpenAPI and in `/health`, such as
    /// `env!("CARGO_PKG_VERSION")`.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// Puts a message at a path.
    pub fn route<M>(mut self, path: &str, route: Route<M>) -> Self
    where
        M: catga_core::Request + ToSchema,
        M::Reply: ToSchema,
    {
        let operation = Operation::of(path, &route);
        let required = operation.required();
        let path = path.to_owned();
        let mount = move |observer: &Arc<Observer>, settings: &Settings| {
            let usual = if route.created.is_some() { StatusCode::CREATED } else { StatusCode::OK };
            let endpoint = Endpoint {
                observer: observer.clone(),
                watch: observer.watch(&route.method, &path, usual),
                created: route.created,
                required,
                has_path_params: path_params(&path).next().is_some(),
                body_wait: settings.body_wait,
                operators: settings.admin.clone().filter(|_| route.for_operators),
            };
            (route.mount)(Arc::new(endpoint))
        };
        self.routes.push(Registered { operation, mount: Box::new(mount) });
        self
    }

    /// Adds an axum router for anything else. Its handlers reach the node as `State<Node>`; its
    /// requests are counted and logged as all others. A fallback of its own is not taken.
    pub fn merge(mut self, router: Router<Node>) -> Self {
        self.others = self.others.merge(router);
        self
    }

    /// The routes and everything that a server answers by itself, as a router of axum: to nest it,
    /// or to call it in tests.
    ///
    /// # Errors
    /// Everything about the routes that does not fit, at once.
    pub fn into_router(self, node: Node) -> Result<Router, RoutesError> {
        Ok(self.assemble(node, &Settings::default())?.usual)
    }

    pub(crate) fn assemble(mut self, node: Node, settings: &Settings) -> Result<Apps, RoutesError> {
        if settings.admin.is_none() {
            self.routes.retain(|route| !route.operation.for_operators);
        }
        let operations: Vec<_> = self.routes.iter().map(|route| &route.operation).collect();
        let mut built_in: Vec<_> =
            std::iter::once(cluster_status::OPERATION).chain(admin::operations()).collect();
        check(&operations, &built_in)?;
        built_in.retain(|operation| settings.admin.is_some() || !operation.for_operators);
        let document = document::write(&self.title, &self.version, &operations, &built_in);
        let observer = Observer::new(node.clone());
        let mut messages = Router::new();
        for Registered { operation, mount } in self.routes {
            messages = messages.route(&operation.path, mount(&observer, settings));
        }
        let health = health::router(&node, self.version, &settings.leaving);
        let peers = peers(&node);
        let crowded = crowd::router(node.host(), health.clone().merge(peers.clone()));
        let door = Door { leaving: settings.leaving.clone(), observer: observer.clone() };
        let messages = messages.layer(from_fn_with_state(door.clone(), leaving::let_in));
        let others = self
            .others
            .with_state(node.clone())
            .layer(from_fn_with_state(door, leaving::let_in))
            .merge(health)
            .merge(cluster_status::router(&node, &settings.leaving))
            .merge(metrics_page::router(&node))
            .merge(swagger::router(document));
        let others = match &settings.admin {
            Some(token) => {
                let backups = settings.backups.clone();
                others.merge(admin::router(&node, &observer, token.clone(), backups))
            }
            None => others,
        };
        let others = others.layer(from_fn_with_state(observer.clone(), observe));
        // Not observed: a link is no request, and lasts.
        let usual = unmatched::answered(messages.merge(others).merge(peers), &observer);
        let usual = usual.layer(map_response_with_state(settings.leaving.clone(), leaving::last));
        Ok(Apps { usual, crowded })
    }
}

/// What answers on the connections of a server.
pub(crate) struct Apps {
    pub(crate) usual: Router,
    /// On those that are too many.
    pub(crate) crowded: Router,
}

/// Takes the links of peers, if the node has such.
fn peers(node: &Node) -> Router {
    if !node.has_peers() {
        return Router::new();
    }
    let (host, node) = (node.host().clone(), node.clone());
    let take = move |connection| -> BoxFuture<'static, ()> {
        let link = node.accept_peer(connection);
        Box::pin(async move {
            link.await;
        })
    };
    upgrade::router(&host, Arc::new(take))
}

/// Everything that does not fit together.
fn check(operations: &[&Operation], built_in: &[BuiltIn]) -> Result<(), RoutesError> {
    let mut faults = Vec::new();
    let mut places = HashSet::new();
    let mut names: HashSet<_> = built_in.iter().map(|operation| operation.name).collect();
    for operation in operations {
        operation.faults(&mut faults);
        let Operation { method, path, name, .. } = *operation;
        if !places.insert((method, path)) {
            faults.push(format!("two messages stand at {method} {path}"));
        }
        if !names.insert(name.as_str()) {
            faults.push(format!(
                "two operations are called `{name}`; give one of them another name with \
                 `.operation(…)`"
            ));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(RoutesError(faults)) }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes = self.routes.iter().map(|Registered { operation, .. }| {
            format!("{} {} -> {}", operation.method, operation.path, operation.message)
        });
        f.debug_struct("Routes")
            .field("title", &self.title)
            .field("routes", &routes.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
