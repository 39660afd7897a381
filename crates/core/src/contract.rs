use std::any::TypeId;

use crate::{Message, Request};

/// A list of messages that a client may send: what a service offers, or part of it.
///
/// A service is its own contract. `contract!` declares one that stands in a crate of its own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a contract",
    label = "not a list of messages",
    note = "name a service, or what a `contract!` declares"
)]
pub trait Contract: 'static {
    /// The contract's name in errors.
    const NAME: &'static str;

    /// Adds every message of the contract to `list`.
    fn messages(list: &mut ContractList);
}

/// The contract holds the message `M`.
#[diagnostic::on_unimplemented(
    message = "`{M}` is outside the contract `{Self}`",
    label = "no message of this contract",
    note = "add a handler of `{M}` to the service, or name `{M}` in the `contract!`; or use the \
            client of the service that handles it"
)]
pub trait Offers<M: Request>: Contract {}

/// The messages of a contract.
#[derive(Debug, Default)]
pub struct ContractList {
    messages: Vec<(TypeId, &'static str)>,
}

impl ContractList {
    /// The messages of the contract `C`.
    pub fn of<C: Contract>() -> Self {
        let mut list = Self::default();
        C::messages(&mut list);
        list
    }

    /// Adds the message `M`.
    pub fn push<M: Request>(&mut self) {
        self.messages.push((TypeId::of::<M>(), <M as Message>::NAME));
    }

    /// Each message's type and written name.
    pub fn iter(&self) -> impl Iterator<Item = (TypeId, &'static str)> {
        self.messages.iter().copied()
    }
}
