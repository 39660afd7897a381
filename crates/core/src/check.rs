use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Fault;

/// One field of a message that cannot be taken as it is, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FieldFault {
    /// The field as callers write it, such as `quantity` or `items[2].unitPrice`.
    pub field: String,
    /// What is wrong with it, such as `must be at least 1`.
    pub what: String,
}

impl fmt::Display for FieldFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.what)
    }
}

/// What [`Message::check`](crate::Message::check) found, all of it at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldFaults(Vec<FieldFault>);

impl FieldFaults {
    /// Notes that `field` cannot be taken as it is, and why.
    ///
    /// ```
    /// # use catga_core::FieldFaults;
    /// let (quantity, mut faults) = (0, FieldFaults::default());
    /// if quantity == 0 {
    ///     faults.add("quantity", "must be at least 1");
    /// }
    /// let fault = faults.into_fault().expect("the quantity is bad");
    /// assert_eq!(fault.message(), "quantity: must be at least 1");
    /// ```
    #[cold]
    pub fn add(&mut self, field: impl Into<String>, what: impl Into<String>) {
        let (field, what) = (field.into(), what.into());
        self.0.push(FieldFault { field, what });
    }

    /// Notes the field unless what it must keep to `holds`.
    pub fn require(&mut self, holds: bool, field: &str, what: &str) {
        if !holds {
            self.add(field, what);
        }
    }

    /// True if nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is wrong, in the order in which it was found.
    pub fn into_vec(self) -> Vec<FieldFault> {
        self.0
    }

    /// The fault that names every field, or none if nothing is wrong.
    pub fn into_fault(self) -> Option<Fault> {
        (!self.0.is_empty()).then(|| Fault::invalid_fields(self.0))
    }
}
