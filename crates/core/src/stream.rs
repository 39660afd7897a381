use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

/// A category of streams; usually the aggregate whose state each stream holds.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a category of streams",
    label = "not an aggregate",
    note = "name an aggregate, or put `#[aggregate(name = \"…\")]` on the impl block with the event \
            methods of `{Self}`"
)]
pub trait Stream: 'static {
    /// The written name of the category, such as `order`.
    const CATEGORY: &'static str;
}

/// The name of one stream: a category and key parts, `order/0198…`.
///
/// Parts are escaped (`%` and `/`, percent-encoded), so that no two keys meet.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName(Arc<str>);

/// More room than this is given back.
const ROOM_MAX: usize = 1024;

thread_local! {
    /// Where names are put together.
    static ROOM: Cell<String> = const { Cell::new(String::new()) };
}

impl StreamName {
    /// The stream of `key` in the category `S`.
    pub fn of<S: Stream>(key: &(impl StreamKey + ?Sized)) -> Self {
        Self::new(S::CATEGORY, key)
    }

    /// The stream of `key` in a category given by name.
    pub fn new(category: &str, key: &(impl StreamKey + ?Sized)) -> Self {
        // Written elsewhere first: its length is known only then, and the name is made once.
        let mut room = ROOM.take();
        room.clear();
        push_escaped(&mut room, category);
        key.parts(&mut |part| {
            room.push('/');
            push_escaped(&mut room, part);
        });
        let name = Self(room.as_str().into());
        if room.capacity() <= ROOM_MAX {
            ROOM.set(room);
        }
        name
    }

    /// A name as it was stored.
    pub fn from_stored(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The whole name, escaped.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The category, escaped.
    pub fn category(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }
}

fn push_escaped(out: &mut String, part: &str) {
    if !part.bytes().any(|byte| byte == b'/' || byte == b'%') {
        return out.push_str(part);
    }
    for c in part.chars() {
        match c {
            '/' => out.push_str("%2F"),
            '%' => out.push_str("%25"),
            c => out.push(c),
        }
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// What can name a stream within its category: text, a number, an id, or a tuple of them.
///
/// `#[derive(Id)]` writes it for a newtype.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the key of a stream",
    note = "use text, an integer, a `Uuid`, a tuple of them, or a newtype with `#[derive(Id)]`"
)]
pub trait StreamKey {
    /// Hands over each part of the key in order.
    fn parts(&self, part: &mut dyn FnMut(&str));
}

impl StreamKey for str {
    fn parts(&self, part: &mut dyn FnMut(&str)) {
        part(self);
    }
}

impl StreamKey for String {
    fn parts(&self, part: &mut dyn FnMut(&str)) {
        part(self);
    }
}

impl StreamKey for Uuid {
    fn parts(&self, part: &mut dyn FnMut(&str)) {
        part(self.as_hyphenated().encode_lower(&mut Uuid::encode_buffer()));
    }
}

impl<T: StreamKey + ?Sized> StreamKey for &T {
    fn parts(&self, part: &mut dyn FnMut(&str)) {
        (**self).parts(part);
    }
}

macro_rules! integer_keys {
    ($($integer:ty),*) => {$(
        impl StreamKey for $integer {
            fn parts(&self, part: &mut dyn FnMut(&str)) {
                part(&self.to_string());
            }
        }
    )*};
}

integer_keys!(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128);

macro_rules! tuple_keys {
    ($($name:ident $index:tt),*) => {
        impl<$($name: StreamKey),*> StreamKey for ($($name,)*) {
            fn parts(&self, part: &mut dyn FnMut(&str)) {
                $(self.$index.parts(part);)*
            }
        }
    };
}

tuple_keys!(A 0, B 1);
tuple_keys!(A 0, B 1, C 2);
tuple_keys!(A 0, B 1, C 2, D 3);

/// A key and a value by which events of any stream are found: `#[event(tag = customer_id)]`.
///
/// A handler that decided from a view says `tx.require(tag)`: its effect counts only if no event
/// with the tag has come since. (Dynamic consistency boundaries: Sara Pellegrini, "Killing the
/// aggregate", 2023.)
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Arc<str>);

impl Tag {
    /// The tag `key` with `value`, such as `customer_id` and the customer's id.
    pub fn new(key: &str, value: &(impl StreamKey + ?Sized)) -> Self {
        Self(StreamName::new(key, value).0)
    }

    /// A tag as it was stored.
    pub fn from_stored(tag: impl Into<Arc<str>>) -> Self {
        Self(tag.into())
    }

    /// The whole tag, escaped.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_keys_meet() {
        let names = [
            StreamName::new("order", "a/b"),
            StreamName::new("order", &("a", "b")),
            StreamName::new("order", "a%2Fb"),
            StreamName::new("order/a", "b"),
            StreamName::new("order", &("a", "", "b")),
        ];
        for (i, left) in names.iter().enumerate() {
            for right in &names[i + 1..] {
                assert_ne!(left, right);
            }
        }
        assert_eq!(names[1].as_str(), "order/a/b");
        assert_eq!(names[1].category(), "order");
        assert_eq!(StreamName::new("n", &7u32).as_str(), "n/7");
    }
}
