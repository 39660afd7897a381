use serde::{Deserialize, Serialize};

/// What came of an operation, as its client knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was done.
    Ok(Reply),
    /// The service decided against it, which is recorded like a reply.
    Refused(Refusal),
    /// A fault which proves that this attempt had no effect.
    NotExecuted,
    /// Nobody knows: it had its effect, will have it, or never does.
    Unknown,
}

/// What a reply says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// One order.
    Order(Shown),
    /// The orders of a customer.
    Orders(Vec<Shown>),
}

/// An order as an answer shows it. The checkers have types of their own: one that shared the
/// service's would believe them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// Its id.
    pub order_id: String,
    /// Where it stands.
    pub status: Status,
    /// What was ordered.
    pub product_id: String,
    /// How many of it.
    pub quantity: u32,
    /// Who ordered.
    pub customer_id: String,
    /// When, as it was written.
    pub created_at: String,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It was placed.
    Created,
    /// It was cancelled.
    Cancelled,
}

/// Why the service refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Refusal {
    /// The stable code.
    pub code: String,
    /// In words.
    pub detail: String,
}

impl Refusal {
    /// The code of an order that is not there.
    pub const NOT_FOUND: &str = "order.not-found";
    /// The code of a customer who has never ordered.
    pub const NO_CUSTOMER: &str = "order.no-customer";
    /// The code of an order that was cancelled before.
    pub const CANCELLED: &str = "order.cancelled";
}
