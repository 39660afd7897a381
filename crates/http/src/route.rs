use std::fmt;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use catga_core::{Command, Query};

use crate::endpoint::{Endpoint, Location};
use crate::verb::{Asks, Sends, Verb};

/// A message on the way to its path: [`Routes::route`](crate::Routes::route) takes it.
///
/// [`get`] makes one of a query; [`post`], [`put`], [`patch`] and [`delete`] make one of a command.
#[must_use = "a route does nothing before it is given to `Routes::route`"]
pub struct Route<M: catga_core::Request> {
    pub(crate) method: Method,
    pub(crate) is_command: bool,
    pub(crate) mount: fn(Arc<Endpoint<M>>) -> MethodRouter,
    pub(crate) created: Option<Location<M>>,
    pub(crate) operation: Option<String>,
    pub(crate) summary: Option<String>,
    pub(crate) for_operators: bool,
}

/// The query `M`, whose fields stand in the path and the query string.
pub fn get<M: Query>() -> Route<M> {
    Route::new(Method::GET, false, |endpoint| mounted::<M, Asks>(MethodFilter::GET, endpoint))
}

/// The command `M`, whose fields stand in the path and the body.
pub fn post<M: Command>() -> Route<M> {
    Route::new(Method::POST, true, |endpoint| mounted::<M, Sends>(MethodFilter::POST, endpoint))
}

/// As [`post`], with `PUT`.
pub fn put<M: Command>() -> Route<M> {
    Route::new(Method::PUT, true, |endpoint| mounted::<M, Sends>(MethodFilter::PUT, endpoint))
}

/// As [`post`], with `PATCH`.
pub fn patch<M: Command>() -> Route<M> {
    Route::new(Method::PATCH, true, |endpoint| mounted::<M, Sends>(MethodFilter::PATCH, endpoint))
}

/// As [`post`], with `DELETE`.
pub fn delete<M: Command>() -> Route<M> {
    Route::new(Method::DELETE, true, |endpoint| mounted::<M, Sends>(MethodFilter::DELETE, endpoint))
}

fn mounted<M: catga_core::Request, V: Verb<M>>(
    filter: MethodFilter,
    endpoint: Arc<Endpoint<M>>,
) -> MethodRouter {
    on(filter, move |request: Request| async move { endpoint.call::<V>(request).await })
}

impl<M: catga_core::Request> Route<M> {
    fn new(method: Method, is_command: bool, mount: fn(Arc<Endpoint<M>>) -> MethodRouter) -> Self {
        let (created, operation, summary) = (None, None, None);
        Self { method, is_command, mount, created, operation, summary, for_operators: false }
    }

    /// Says that the command creates something: it is answered with 201, also when its key is
    /// repeated, and with the `Location` that `location` makes of the reply.
    pub fn created(
        mut self,
        location: impl Fn(&M::Reply) -> String + Send + Sync + 'static,
    ) -> Self {
        self.created = Some(Box::new(location));
        self
    }

    /// Keeps it for operators: it is there only where the server was given their token
    /// ([`Server::admin`](crate::Server::admin)), and open to those alone who show that.
    pub fn for_operators(mut self) -> Self {
        self.for_operators = true;
        self
    }

    /// The operation's name in OpenAPI, in place of the name of the message's type.
    pub fn operation(mut self, name: impl Into<String>) -> Self {
        self.operation = Some(name.into());
        self
    }

    /// What the operation does, in a few words, in place of the message's documentation.
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = Some(summary.into());
        self
    }
}

impl<M: catga_core::Request> fmt::Debug for Route<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("method", &self.method)
            .field("message", &M::NAME)
            .finish_non_exhaustive()
    }
}
