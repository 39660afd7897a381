//! HTTP for a node: routes that are messages, problem details, OpenAPI, health, status, metrics,
//! and a server that drains.
//!
//! [`Routes`] says which message stands at which path; nothing else has to be written for it.
//! [`serve`] listens on `PORT` and ends when the process is asked to stop; [`Server`] is the same
//! with everything to choose. [`Entrance`] keeps the port of a node that is still starting.
//!
//! What a request may say besides its message:
//!
//! | header | on | what it does |
//! |---|---|---|
//! | `Idempotency-Key` | commands | makes repeating safe: one key is one command; 1 to 255 visible ASCII characters |
//! | `Catga-Position` | all | a session token from an earlier answer: nothing older answers; every answer carries one |
//! | `Catga-Read` | queries | `local`, `session` or `linearizable`, in place of what the query's type says |
//! | `Prefer: wait=SECONDS` | all | how long the caller waits (RFC 7240), fractions allowed, at most 300 |
//! | `traceparent` | all | W3C trace context; one that cannot be read counts as none |
//! | `X-Correlation-Id` | all | what the request belongs to; 1 to 255 visible ASCII characters |
//!
//! An answer whose effect this node's views do not show yet carries `Catga-Visible: false`. What
//! is not an answer is a problem document (RFC 9457), and `docs/faults.md` has a paragraph on each.
//!
//! This crate knows nothing of clusters: it asks the node, which forwards what must run elsewhere.

mod invalid;
mod operation;
mod route;
mod routes;
mod routes_error;

mod endpoint;
mod verb;

mod body;
mod caller;
mod joined;
mod message;
mod params;
mod prefer;

mod fault_status;
mod problem;
mod reply;

mod observer;
mod unmatched;

mod admin;
mod cluster_status;
mod document;
mod health;
mod metrics_page;
mod swagger;

mod connections;
mod crowd;
mod entrance;
mod from_env;
mod head_timer;
mod leaving;
mod patient;
mod serve_error;
mod server;
mod stop;
mod upgrade;

pub use admin::{AdminToken, AdminTokenError};
pub use entrance::Entrance;
pub use from_env::backups_from_env;
pub use route::{Route, delete, get, patch, post, put};
pub use routes::Routes;
pub use routes_error::RoutesError;
pub use serve_error::ServeError;
pub use server::{Server, serve};
