use axum::http::Method;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Operation, OperationBuilder};
use utoipa::openapi::schema::Schema;

use super::{Schemas, answer, by_operators, in_path, refusal, text, trace_context};

/// What OpenAPI says of a route that is no message: one of the server's own.
pub(crate) struct BuiltIn {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) for_operators: bool,
    /// The name in the braces of the path, and what it stands for.
    pub(crate) param: Option<(&'static str, &'static str)>,
    /// With what it is answered when all is well.
    pub(crate) status: &'static str,
    pub(crate) answer: &'static str,
    /// The schema of the answer's body, if it has one.
    pub(crate) reply: Option<fn(&mut Schemas) -> RefOr<Schema>>,
}

impl BuiltIn {
    pub(super) fn described(&self, problem: &RefOr<Schema>, schemas: &mut Schemas) -> Operation {
        let reply = self.reply.map(|reply| reply(schemas));
        let mut builder = OperationBuilder::new()
            .operation_id(Some(self.name))
            .summary(Some(self.summary))
            .tag("cluster")
            .response(self.status, answer(self.answer, reply));
        if let Some((name, what)) = self.param {
            let param = in_path(name).description(Some(what)).schema(Some(text()));
            builder = builder.parameter(param);
        }
        if self.for_operators {
            builder = builder
                .security(by_operators())
                .parameter(trace_context())
                .response("4XX", refusal("The request is refused", problem))
                .response("5XX", refusal("The node cannot answer", problem));
        }
        builder.build()
    }
}
