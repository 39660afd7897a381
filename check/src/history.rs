use std::collections::BTreeMap;

use crate::{Operation, Unreadable};

/// What all clients saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// By their numbers.
    operations: BTreeMap<u64, Operation>,
    /// True if the last line was cut off: whoever wrote it died.
    pub is_torn: bool,
}

impl History {
    /// Reads what a [`Recorder`](crate::Recorder) wrote: an operation on each line. Of two lines
    /// with one number the later counts: the first says that it was sent, the second what came of
    /// it.
    ///
    /// # Errors
    /// When a line that is whole is no operation.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        let mut history = Self::default();
        let mut lines = text.split_inclusive('\n').enumerate().peekable();
        while let Some((number, line)) = lines.next() {
            let is_cut = lines.peek().is_none() && !line.ends_with('\n');
            match serde_json::from_str(line) {
                Ok(operation) => history.push(operation),
                Err(_) if is_cut => history.is_torn = true,
                Err(source) => return Err(Unreadable { line: number + 1, source }),
            }
        }
        Ok(history)
    }

    /// Notes an operation, in place of an earlier one with its number.
    pub fn push(&mut self, operation: Operation) {
        self.operations.insert(operation.number, operation);
    }

    /// The operation of that number.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut Operation> {
        self.operations.get_mut(&number)
    }

    /// All of them, by their numbers.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> + Clone {
        self.operations.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }
}

impl FromIterator<Operation> for History {
    fn from_iter<I: IntoIterator<Item = Operation>>(operations: I) -> Self {
        let mut history = Self::default();
        operations.into_iter().for_each(|operation| history.push(operation));
        history
    }
}
