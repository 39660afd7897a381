use axum::http::Method;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, Schema};
use utoipa::openapi::{Ref, RefOr};

use crate::reply;
use crate::route::Route;

/// What OpenAPI says of one route, and what is checked of it at start.
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) summary: Option<String>,
    pub(crate) is_command: bool,
    pub(crate) creates: bool,
    pub(crate) for_operators: bool,
    /// The written name of the message.
    pub(crate) message: &'static str,
    /// The message, if it is an object of fields.
    pub(crate) object: Option<Object>,
    /// None if there is nothing in it, and so no body.
    pub(crate) reply: Option<RefOr<Schema>>,
    /// Every schema that the others refer to.
    pub(crate) schemas: Vec<(String, RefOr<Schema>)>,
}

impl Operation {
    pub(crate) fn of<M>(path: &str, route: &Route<M>) -> Self
    where
        M: catga_core::Request + ToSchema,
        M::Reply: ToSchema,
    {
        let mut schemas = Vec::new();
        M::schemas(&mut schemas);
        let object = match M::schema() {
            RefOr::T(Schema::Object(object)) => Some(object),
            _ => None,
        };
        let summary = object.as_ref().and_then(|object| object.description.as_deref());
        let summary = summary.and_then(|text| text.lines().next()).map(ToOwned::to_owned);
        Self {
            method: route.method.clone(),
            path: path.to_owned(),
            name: route.operation.clone().unwrap_or_else(|| M::name().into_owned()),
            summary: route.summary.clone().or(summary),
            is_command: route.is_command,
            creates: route.created.is_some(),
            for_operators: route.for_operators,
            message: M::NAME,
            object,
            reply: (!reply::is_empty::<M::Reply>()).then(|| named::<M::Reply>(&mut schemas)),
            schemas,
        }
    }

    /// The names in the braces of the path.
    pub(crate) fn path_params(&self) -> Vec<&str> {
        path_params(&self.path).collect()
    }

    /// The fields that the message cannot do without, if it is an object of fields.
    pub(crate) fn required(&self) -> Option<Vec<String>> {
        Some(self.fields()?.required.clone())
    }

    /// Without properties it may still be a map or flattened: then nothing can be said.
    fn fields(&self) -> Option<&Object> {
        self.object.as_ref().filter(|object| !object.properties.is_empty())
    }

    /// What cannot work about this route.
    pub(crate) fn faults(&self, faults: &mut Vec<String>) {
        let Self { method, path, message, .. } = self;
        if !path.starts_with('/') {
            faults.push(format!("the path `{path}` must start with `/`"));
        }
        if BUILT_IN.iter().any(|taken| path == taken || path.starts_with(&format!("{taken}/"))) {
            faults.push(format!("the path `{path}` is taken by the server itself"));
        }
        let Some(object) = self.fields() else { return };
        for name in self.path_params() {
            if !object.properties.contains_key(name) {
                let fields: Vec<_> = object.properties.keys().map(String::as_str).collect();
                faults.push(format!(
                    "{method} {path}: `{message}` has no field `{name}`; its fields are {}",
                    fields.join(", ")
                ));
            }
        }
    }
}

/// What every server answers by itself.
pub(crate) const BUILT_IN: &[&str] = &[
    "/catga/peer",
    "/health",
    "/livez",
    "/readyz",
    "/startupz",
    "/cluster/backup",
    "/cluster/members",
    "/cluster/status",
    "/metrics",
    "/openapi.json",
    "/swagger-ui",
];

/// The names in the braces of a path.
pub(crate) fn path_params(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| {
        let (name, _) = rest.split_once('}')?;
        Some(name.trim_start_matches('*'))
    })
}

/// The schema of `T`: by name if it has one, in place if it is a list or nothing.
pub(crate) fn named<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) -> RefOr<Schema> {
    T::schemas(schemas);
    match T::schema() {
        RefOr::T(Schema::Object(object)) if object.properties.is_empty() => {
            RefOr::T(Schema::Object(object))
        }
        RefOr::T(Schema::Array(array)) => RefOr::T(Schema::Array(array)),
        schema => {
            let name = T::name().into_owned();
            schemas.push((name.clone(), schema));
            RefOr::Ref(Ref::from_schema_name(name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_params_are_found() {
        let params: Vec<_> = path_params("/a/{id}/b/{*rest}").collect();
        assert_eq!(params, ["id", "rest"]);
        assert_eq!(path_params("/a").count(), 0);
    }
}
