/// What a subject has to reach in a case, and whether it did.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) case: String,
    pub(crate) subject: &'static str,
    pub(crate) clients: Option<usize>,
    /// Such as `≤ 30 ns over direct: 12`.
    what: String,
    reached: bool,
}

impl Bar {
    /// `value` must be at most `limit`.
    pub(crate) fn at_most(
        case: &str,
        subject: &'static str,
        what: &str,
        value: f64,
        limit: f64,
    ) -> Self {
        Self {
            case: case.to_owned(),
            subject,
            clients: None,
            what: format!("{what} {} ≤ {}", short(value), short(limit)),
            reached: value <= limit,
        }
    }

    /// `value` must be at least `limit`.
    pub(crate) fn at_least(
        case: &str,
        subject: &'static str,
        what: &str,
        value: f64,
        limit: f64,
    ) -> Self {
        Self {
            case: case.to_owned(),
            subject,
            clients: None,
            what: format!("{what} {} ≥ {}", short(value), short(limit)),
            reached: value >= limit,
        }
    }

    /// The bar of a row with so many clients.
    pub(crate) fn clients(mut self, clients: usize) -> Self {
        self.clients = Some(clients);
        self
    }

    pub(super) fn text(&self) -> String {
        let verdict = if self.reached { "ok" } else { "missed" };
        format!("{verdict}: {}", self.what)
    }
}

/// A figure as people read it: three places where it is small, none where it is large.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        size if size < 10.0 && value.fract() != 0.0 => format!("{value:.2}"),
        size if size < 100.0 && value.fract() != 0.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
