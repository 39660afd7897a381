mod built_in;

use std::collections::BTreeMap;

use axum::http::Method;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ComponentsBuilder, Object, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Content, HttpMethod, InfoBuilder, OpenApiBuilder, Paths, Ref, RefOr, Required, Response,
    ResponseBuilder,
};

pub(crate) use self::built_in::BuiltIn;
use crate::operation::{Operation, named};
use crate::problem::ProblemBody;

/// What OpenAPI calls the token of operators.
const OPERATORS: &str = "operators";

type Schemas = Vec<(String, RefOr<Schema>)>;

/// The OpenAPI document of the routes, and of what the server answers by itself, as JSON.
pub(crate) fn write(
    title: &str,
    version: &str,
    operations: &[&Operation],
    built_in: &[BuiltIn],
) -> String {
    let mut schemas = Vec::new();
    let problem = named::<ProblemBody>(&mut schemas);
    let mut paths = Paths::new();
    for operation in operations {
        schemas.extend(operation.schemas.iter().cloned());
        let described = described(operation, &problem, &mut schemas);
        paths.add_path_operation(&operation.path, methods(&operation.method), described);
    }
    for operation in built_in {
        let described = operation.described(&problem, &mut schemas);
        paths.add_path_operation(operation.path, methods(&operation.method), described);
    }
    let mut components =
        ComponentsBuilder::new().schemas_from_iter(schemas.into_iter().collect::<BTreeMap<_, _>>());
    let for_operators = operations.iter().any(|operation| operation.for_operators);
    if for_operators || built_in.iter().any(|operation| operation.for_operators) {
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components = components.security_scheme(OPERATORS, bearer);
    }
    OpenApiBuilder::new()
        .info(InfoBuilder::new().title(title).version(version).build())
        .paths(paths)
        .components(Some(components.build()))
        .build()
        .to_json()
        .expect("a document is texts and numbers")
}

fn described(
    operation: &Operation,
    problem: &RefOr<Schema>,
    schemas: &mut Schemas,
) -> utoipa::openapi::path::Operation {
    let params = operation.path_params();
    let mut builder = OperationBuilder::new()
        .operation_id(Some(&operation.name))
        .summary(operation.summary.as_ref());
    let empty = Object::new();
    let object = operation.object.as_ref().unwrap_or(&empty);
    for name in &params {
        let schema = object.properties.get(*name).cloned();
        builder = builder.parameter(in_path(name).schema(schema));
    }
    let rest = without(object, &params);
    if operation.is_command {
        if let Some(body) = body(operation, rest, schemas) {
            builder = builder.request_body(Some(body));
        }
    } else {
        for (name, schema) in rest.properties {
            let required = rest.required.contains(&name);
            builder = builder.parameter(
                ParameterBuilder::new()
                    .name(name)
                    .parameter_in(ParameterIn::Query)
                    .required(if required { Required::True } else { Required::False })
                    .schema(Some(schema)),
            );
        }
    }
    for header in headers(operation.is_command) {
        builder = builder.parameter(header);
    }
    let (status, what) = match &operation.reply {
        _ if operation.creates => ("201", "It was created"),
        Some(_) => ("200", "The answer"),
        None => ("204", "It is done"),
    };
    if operation.for_operators {
        builder = builder.security(by_operators());
    }
    let mut success = answer(what, operation.reply.clone());
    if operation.creates {
        success.headers.insert("Location".to_owned(), header("Where it stands").into());
    }
    builder
        .response(status, success)
        .response("4XX", refusal("The request is refused", problem))
        .response("5XX", refusal("The node cannot answer", problem))
        .build()
}

/// What is left of a message for its body, if anything is.
fn body(
    operation: &Operation,
    rest: Object,
    schemas: &mut Schemas,
) -> Option<utoipa::openapi::request_body::RequestBody> {
    if rest.properties.is_empty() && operation.object.is_some() {
        return None;
    }
    let name = match operation.path_params().is_empty() {
        true => operation.name.clone(),
        false => format!("{}Body", operation.name),
    };
    let required = !rest.required.is_empty();
    schemas.push((name.clone(), RefOr::T(Schema::Object(rest))));
    let content = Content::new(Some(RefOr::<Schema>::Ref(Ref::from_schema_name(name))));
    let body = RequestBodyBuilder::new().content("application/json", content);
    Some(body.required(Some(if required { Required::True } else { Required::False })).build())
}

fn without(object: &Object, params: &[&str]) -> Object {
    let mut rest = object.clone();
    rest.properties.retain(|name, _| !params.contains(&name.as_str()));
    rest.required.retain(|name| !params.contains(&name.as_str()));
    rest
}

/// The headers that every message may have.
fn headers(is_command: bool) -> Vec<Parameter> {
    let mut headers = vec![
        in_header("Catga-Position", "What the caller has seen: nothing older answers"),
        in_header("Prefer", "`wait=SECONDS`: how long the caller waits, fractions allowed"),
        trace_context(),
        in_header("X-Correlation-Id", "What the request belongs to"),
    ];
    headers.push(if is_command {
        in_header("Idempotency-Key", "Makes repeating safe: one key is one command")
    } else {
        in_header("Catga-Read", "`local`, `session` or `linearizable`")
    });
    headers
}

fn trace_context() -> Parameter {
    in_header("traceparent", "W3C trace context")
}

fn in_header(name: &str, what: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(what))
        .schema(Some(text()))
        .build()
}

fn in_path(name: &str) -> ParameterBuilder {
    ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True)
}

/// Only who shows the token of operators comes through.
fn by_operators() -> SecurityRequirement {
    SecurityRequirement::new::<_, [&str; 0], _>(OPERATORS, [])
}

/// An answer with this in its body, or with no body.
fn answer(what: &str, schema: Option<RefOr<Schema>>) -> Response {
    let mut answer = ResponseBuilder::new()
        .description(what)
        .header("Catga-Position", header("What the answer has seen"));
    if schema.is_some() {
        answer = answer.content("application/json", Content::new(schema));
    }
    answer.build()
}

fn refusal(what: &str, problem: &RefOr<Schema>) -> Response {
    ResponseBuilder::new()
        .description(what)
        .content("application/problem+json", Content::new(Some(problem.clone())))
        .header("Catga-Position", header("What the answer has seen"))
        .build()
}

fn header(what: &str) -> utoipa::openapi::Header {
    HeaderBuilder::new().schema(Some(text())).description(Some(what)).build()
}

fn text() -> Schema {
    Schema::Object(ObjectBuilder::new().schema_type(Type::String).build())
}

fn methods(method: &Method) -> Vec<HttpMethod> {
    vec![match *method {
        Method::PUT => HttpMethod::Put,
        Method::PATCH => HttpMethod::Patch,
        Method::DELETE => HttpMethod::Delete,
        Method::POST => HttpMethod::Post,
        _ => HttpMethod::Get,
    }]
}
