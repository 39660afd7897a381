use proc_macro2::TokenStream;
use syn::Path;

use crate::errors::Errors;
use crate::options::{Options, list};

/// What stands in the parentheses of `#[service(…)]`.
pub(super) enum Settings {
    /// The one block that makes the service.
    Whole {
        /// The modules with the other blocks.
        parts: Vec<Path>,
        /// The contracts that the service must fulfil.
        contracts: Vec<Path>,
    },
    /// A block in another module.
    Part,
}

impl Settings {
    pub(super) fn read(tokens: TokenStream, errors: &mut Errors) -> (Self, TokenStream) {
        let mut part = None;
        let mut parts = Vec::new();
        let mut contracts = Vec::new();
        let mut attribute = Options::new("service", &["part", "parts", "contract"]);
        attribute.read(tokens, errors, |option, input| {
            match option.to_string().as_str() {
                "part" => part = Some(option.span()),
                "parts" => parts = list(option, input, "parts(cancelling, reading)")?,
                _ => contracts = list(option, input, "contract(OrdersApi)")?,
            }
            Ok(())
        });
        let settings = match part {
            None => Self::Whole { parts, contracts },
            Some(span) => {
                if !parts.is_empty() || !contracts.is_empty() {
                    errors.at(
                        span,
                        "`parts` and `contract` belong to the main block of the service: leave out \
                         `part`, or those",
                    );
                }
                Self::Part
            }
        };
        (settings, attribute.root())
    }
}
