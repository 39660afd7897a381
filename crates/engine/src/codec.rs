//! The entry as bytes: protobuf, so that fields can be added by number.
//!
//! It is written and read by hand, straight from and to the domain types: with generated types in
//! between, an effect took twice as long. The tests hold it against `prost`.
//!
//! A reader passes over fields that it does not know, as everywhere in protobuf. Where that would
//! be to decide otherwise than a node which knows them (another kind of answer, condition or
//! directive), the kind stands in a message of its own, and one that is empty is refused.

mod decode;
mod encode;
mod fields;
mod layout;
mod message;

pub(crate) use decode::decode;
pub(crate) use encode::encode;
