use serde::Serialize;
use utoipa::ToSchema;

/// One thing that is wrong with a request: a header, a field, or the body as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Invalid {
    /// The header that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) header: Option<&'static str>,
    /// The field that is wrong, such as `items[2].unitPrice`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    /// What is wrong with it.
    pub(crate) detail: String,
}

impl Invalid {
    #[cold]
    pub(crate) fn header(header: &'static str, detail: impl Into<String>) -> Self {
        Self { header: Some(header), field: None, detail: detail.into() }
    }

    #[cold]
    pub(crate) fn field(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { header: None, field: Some(field.into()), detail: detail.into() }
    }

    #[cold]
    pub(crate) fn body(detail: impl Into<String>) -> Self {
        Self { header: None, field: None, detail: detail.into() }
    }

    /// The whole as one sentence.
    pub(crate) fn sentence(&self) -> String {
        match (self.header, &self.field) {
            (Some(name), _) => format!("{name}: {}", self.detail),
            (None, Some(name)) => format!("{name}: {}", self.detail),
            (None, None) => self.detail.clone(),
        }
    }
}
