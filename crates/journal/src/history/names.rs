use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

/// How many names are kept; more than any program declares. Names come with entries, so a log
/// full of invented ones must not make this grow without end.
const NAMES_MAX: usize = 4096;

/// One shared text for every written name of an event's type.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: HashSet<Arc<str>>,
    /// The last one: a run of events of one type needs no look-up.
    last: Option<Arc<str>>,
}

impl Names {
    /// The shared text that equals `name`.
    pub(super) fn intern(&mut self, name: Cow<'static, str>) -> Arc<str> {
        if let Some(last) = &self.last
            && **last == *name
        {
            return Arc::clone(last);
        }
        let shared = match self.known.get(&*name) {
            Some(known) => Arc::clone(known),
            None => self.learn(name.into()),
        };
        self.last = Some(Arc::clone(&shared));
        shared
    }

    fn learn(&mut self, name: Arc<str>) -> Arc<str> {
        if self.known.len() < NAMES_MAX {
            self.known.insert(Arc::clone(&name));
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_are_one_text() {
        let mut names = Names::default();
        let first = names.intern("a".into());
        let other = names.intern("b".into());
        assert_ne!(first, other);
        assert!(Arc::ptr_eq(&first, &names.intern("a".into())));
        assert!(Arc::ptr_eq(&first, &names.intern("a".into())));
    }
}
