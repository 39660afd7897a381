use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use catga_core::{DomainError, Fault, FaultCode, Outcome};
use serde::Serialize;
use utoipa::ToSchema;

use crate::fault_status;
use crate::invalid::Invalid;

/// Why a request has no answer of its own, as problem details (RFC 9457).
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    body: ProblemBody,
}

/// Problem details (RFC 9457): why a request has no answer of its own.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProblemBody {
    /// The kind of problem: `urn:catga:fault:…` for the framework's, `urn:catga:refusal:…` for
    /// the service's own.
    #[schema(example = "urn:catga:refusal:order.not-found")]
    r#type: String,
    /// The kind of problem in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What happened this time, and what to do.
    detail: String,
    /// The stable code of the kind.
    code: &'static str,
    /// `not-executed`: proved to have had no effect. `unknown`: it may have had one.
    #[schema(example = "not-executed")]
    outcome: &'static str,
    /// True if the same request may succeed later without doing anything twice.
    retryable: bool,
    /// Under this id the node has logged the request.
    trace_id: String,
    /// Each thing that is wrong with the request, if that is the problem.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Invalid>,
}

impl Problem {
    /// A fault of the framework. `keyed` says whether the caller can repeat the request by key.
    #[cold]
    pub(crate) fn fault(fault: &Fault, keyed: bool, trace: u128) -> Self {
        let status = fault_status::of_fault(fault);
        let unknown = fault.outcome() == Outcome::Unknown;
        let mut problem = Self::new(status, fault.code().as_str(), fault.message(), trace);
        problem.body.outcome = if unknown { "unknown" } else { "not-executed" };
        problem.body.retryable = fault.is_retryable() && (keyed || !unknown);
        let fields = fault.fields().iter();
        problem.body.errors =
            fields.map(|fault| Invalid::field(&fault.field, &fault.what)).collect();
        if let FaultCode::Panicked | FaultCode::Unreadable | FaultCode::Internal = fault.code() {
            tracing::error!(trace_id = problem.body.trace_id, %fault, "a request failed");
            // What a panic or a bug says may hold what callers must not see.
            problem.body.detail =
                "the node failed; its log has the reason under this trace id".to_owned();
        }
        problem
    }

    /// A refusal of the domain.
    #[cold]
    pub(crate) fn refusal<E: DomainError>(error: &E, trace: u128) -> Self {
        let status = fault_status::of_refusal(error.kind());
        let mut problem = Self::new(status, error.code(), &error.to_string(), trace);
        problem.body.r#type = format!("urn:catga:refusal:{}", error.code());
        problem.body.retryable = error.is_transient();
        problem
    }

    /// A request that cannot be taken as it is.
    #[cold]
    pub(crate) fn invalid(errors: Vec<Invalid>, trace: u128) -> Self {
        let code = FaultCode::InvalidMessage.as_str();
        let detail: Vec<_> = errors.iter().map(Invalid::sentence).collect();
        let mut problem = Self::new(StatusCode::BAD_REQUEST, code, &detail.join("; "), trace);
        problem.body.errors = errors;
        problem
    }

    /// A problem of HTTP itself, before there is a call.
    #[cold]
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: &str, trace: u128) -> Self {
        Self {
            status,
            body: ProblemBody {
                r#type: format!("urn:catga:fault:{code}"),
                title: title(code),
                status: status.as_u16(),
                detail: detail.to_owned(),
                code,
                outcome: "not-executed",
                retryable: false,
                trace_id: format!("{trace:032x}"),
                errors: Vec::new(),
            },
        }
    }

    /// A request for operators, of somebody who has not shown to be one.
    #[cold]
    pub(crate) fn unauthorized(why: &str, trace: u128) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", why, trace)
    }

    /// A problem that the same request may not meet again.
    pub(crate) fn retryable(mut self) -> Self {
        self.body.retryable = true;
        self
    }

    pub(crate) fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.body).expect("a problem is texts and numbers");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE
            || self.status == StatusCode::TOO_MANY_REQUESTS
        {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// `order.not-found` in words: `Order not found`.
fn title(code: &str) -> String {
    let mut title = code.replace(['.', '-', '_'], " ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}
