use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use catga_core::{CatchPanic, Failure, Fault, FaultCode, Outcome, Report};

use crate::AdminToken;
use crate::body::{self, Unread};
use crate::caller::Caller;
use crate::invalid::Invalid;
use crate::message;
use crate::observer::{Observer, Watch};
use crate::params::Params;
use crate::problem::Problem;
use crate::reply::{VISIBLE, json, set_location, set_position};
use crate::verb::Verb;

/// Where the path of what a command created comes from.
pub(crate) type Location<M> =
    Box<dyn Fn(&<M as catga_core::Request>::Reply) -> String + Send + Sync>;

/// One message at one path: makes it of the request, calls its handler, and answers.
pub(crate) struct Endpoint<M: catga_core::Request> {
    pub(crate) observer: Arc<Observer>,
    pub(crate) watch: Watch,
    pub(crate) created: Option<Location<M>>,
    /// The fields that the message cannot do without, if it is an object of fields.
    pub(crate) required: Option<Vec<String>>,
    pub(crate) has_path_params: bool,
    pub(crate) body_wait: Duration,
    /// What a caller must show, if it is for operators.
    pub(crate) operators: Option<AdminToken>,
}

/// Why a request has no answer of its own.
enum Failed<E> {
    NoOperator(&'static str),
    Invalid(Vec<Invalid>),
    Unread(Unread),
    Refused(E),
    Fault(Fault),
}

impl<M: catga_core::Request> Endpoint<M> {
    pub(crate) async fn call<V: Verb<M>>(&self, request: Request) -> Response {
        let node = &self.observer.node;
        let started = node.host().now();
        let (mut parts, body) = request.into_parts();
        let mut caller = Caller::read(&parts.headers, V::IS_COMMAND);
        let mut report = None;
        let answered = self.answer::<V>(&mut parts, body, &mut caller, &mut report);
        let answered = CatchPanic::new(answered).await.unwrap_or_else(|panic| {
            // Whoever writes a reply or a location runs after the handler.
            let fault = Fault::new(FaultCode::Panicked, panic);
            Err(Failed::Fault(after::<M, V>(fault)))
        });
        let mut trace = caller.trace_id();
        let mut response = answered.unwrap_or_else(|failed| {
            let trace = *trace.get_or_insert_with(|| self.observer.new_trace());
            match failed {
                Failed::NoOperator(why) => Problem::unauthorized(why, trace),
                Failed::Invalid(errors) => Problem::invalid(errors, trace),
                Failed::Unread(unread) => unread.problem(trace),
                Failed::Refused(error) => Problem::refusal(&error, trace),
                Failed::Fault(fault) => Problem::fault(&fault, caller.is_keyed(), trace),
            }
            .into_response()
        });
        let recorded = report.as_ref().and_then(|report| report.position);
        set_position(&mut response, recorded.unwrap_or_else(|| node.position()));
        if recorded.is_some() && report.as_ref().is_some_and(|report| !report.visible) {
            response.headers_mut().insert(VISIBLE, HeaderValue::from_static("false"));
        }
        if let Some(applied) = caller.preference_applied() {
            response.headers_mut().insert("preference-applied", applied);
        }
        let id = report.map(|report| report.message_id);
        self.watch.answered(response.status(), started, trace, id);
        response
    }

    async fn answer<V: Verb<M>>(
        &self,
        parts: &mut Parts,
        body: Body,
        caller: &mut Caller,
        report: &mut Option<Report>,
    ) -> Result<Response, Failed<M::Error>> {
        if let Some(token) = &self.operators {
            token.admit(&parts.headers).map_err(Failed::NoOperator)?;
        }
        let node = &self.observer.node;
        let body = if V::IS_COMMAND {
            body::read(node, &parts.headers, caller.sends_json, body, self.body_wait)
                .await
                .map_err(Failed::Unread)?
        } else {
            bytes::Bytes::new()
        };
        let message = self.message::<V>(parts, &body, caller).await.map_err(Failed::Invalid)?;
        let replied = V::call(node, message, caller).await;
        *report = replied.report;
        let reply = replied.answer.map_err(|failure| match failure {
            Failure::Domain(error) => Failed::Refused(error),
            Failure::Fault(fault) => Failed::Fault(fault),
        })?;
        self.reply(&reply).map_err(|fault| Failed::Fault(after::<M, V>(fault)))
    }

    async fn message<V: Verb<M>>(
        &self,
        parts: &mut Parts,
        body: &[u8],
        caller: &mut Caller,
    ) -> Result<M, Vec<Invalid>> {
        let mut invalid = std::mem::take(&mut caller.invalid);
        let path = if self.has_path_params {
            RawPathParams::from_request_parts(parts, &()).await.ok()
        } else {
            None
        };
        let query = parts.uri.query().filter(|_| !V::IS_COMMAND);
        if let (Some(path), None, true) = (&path, query, body.is_empty() && invalid.is_empty())
            && let Some(message) = message::of_path(path.iter())
        {
            return Ok(message);
        }
        let mut params: Params<'_> = Vec::new();
        match &path {
            Some(path) => params.extend(path.iter().map(|(k, v)| (k.into(), v.into()))),
            None if self.has_path_params => invalid.push(Invalid::body("the path is not UTF-8")),
            None => {}
        }
        if let Some(query) = query {
            for (name, text) in form_urlencoded::parse(query.as_bytes()) {
                add(&mut params, name, text, &mut invalid);
            }
        }
        match message::read(body, &params, self.required.as_deref(), &mut invalid) {
            Some(message) => Ok(message),
            None => Err(invalid),
        }
    }

    fn reply(&self, reply: &M::Reply) -> Result<Response, Fault> {
        let Some(location) = &self.created else { return json(StatusCode::OK, reply) };
        let mut response = json(StatusCode::CREATED, reply)?;
        set_location(&mut response, location(reply))?;
        Ok(response)
    }
}

/// Adds a parameter of the query string, unless there is one of that name.
fn add<'a>(
    params: &mut Params<'a>,
    name: Cow<'a, str>,
    text: Cow<'a, str>,
    invalid: &mut Vec<Invalid>,
) {
    match params.iter().find(|(known, _)| *known == name) {
        None => params.push((name, text)),
        Some((_, first)) if *first == text => {}
        Some((_, first)) => {
            let detail = format!("is given twice, as `{first}` and as `{text}`");
            invalid.push(Invalid::field(name, detail));
        }
    }
}

/// A fault after the handler: a command has had its effect.
#[cold]
fn after<M: catga_core::Request, V: Verb<M>>(fault: Fault) -> Fault {
    if V::IS_COMMAND { fault.with_outcome(Outcome::Unknown) } else { fault }
}
