/// What to do, read from the bytes of an input. When they have come to an end it goes on with zeros,
/// so that every input means something and a shorter one means less.
#[derive(Clone, Debug)]
pub struct Choices<'a> {
    left: &'a [u8],
}

impl<'a> Choices<'a> {
    /// Those that `input` holds.
    pub fn new(input: &'a [u8]) -> Self {
        Self { left: input }
    }

    /// True when the input has come to its end.
    pub fn is_over(&self) -> bool {
        self.left.is_empty()
    }

    /// Everything that follows, as it is.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.left)
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        let (first, left) = self.left.split_first().unwrap_or((&0, &[]));
        self.left = left;
        *first
    }

    /// True in half of the cases.
    pub fn flip(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Any number; small ones, and those beside the powers of two, more often than others.
    pub fn number(&mut self) -> u64 {
        let how = self.byte();
        match how % 4 {
            0 => u64::from(self.byte()),
            1 => (1_u64 << (how / 4)).wrapping_add(u64::from(self.byte())),
            2 => u64::MAX.checked_shr(u32::from(how / 4)).unwrap_or(0),
            _ => (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte())),
        }
    }

    /// A number below `end`, or zero if that is zero.
    pub fn below(&mut self, end: usize) -> usize {
        let wide = u32::from_be_bytes([0, self.byte(), self.byte(), self.byte()]) as usize;
        let narrow = wide >> 16;
        // The bytes behind the first are not lost on a small range: few of them are there.
        if end <= 1 {
            0
        } else if end <= 256 {
            narrow % end
        } else {
            wide % end
        }
    }

    /// One of `all`, which are some.
    pub fn one_of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }

    /// At most `max` bytes.
    pub fn bytes(&mut self, max: usize) -> &'a [u8] {
        let len = self.below(max + 1).min(self.left.len());
        let (bytes, left) = self.left.split_at(len);
        self.left = left;
        bytes
    }

    /// A text of at most `max` bytes, most of them letters.
    pub fn text(&mut self, max: usize) -> String {
        let bytes = self.bytes(max);
        let text: String = match self.flip() {
            true => bytes.iter().map(|byte| char::from(b'a' + byte % 26)).collect(),
            false => String::from_utf8_lossy(bytes).into_owned(),
        };
        // What is no UTF-8 becomes longer.
        text[..text.floor_char_boundary(max)].to_owned()
    }

    /// Changes `good` a little: a bit, a byte, a number that stands in it, a part that is missing, comes
    /// twice or is foreign, an end that is cut. Now and then not at all.
    pub fn change(&mut self, good: &mut Vec<u8>) {
        for _ in 0..self.below(5) {
            let at = self.below(good.len().max(1));
            let end = good.len().min(at + 1 + self.below(16));
            match self.byte() % 8 {
                _ if good.is_empty() => good.extend_from_slice(self.bytes(32)),
                0 => good[at] ^= 1 << self.below(8),
                1 => good[at] = self.byte(),
                2 | 3 => {
                    let number = self.number().to_le_bytes();
                    let width = *self.one_of(&[1, 2, 4, 8]);
                    let width = width.min(good.len() - at);
                    good[at..at + width].copy_from_slice(&number[..width]);
                }
                4 => drop(good.drain(at..end)),
                5 => {
                    let part = good[at..end].to_vec();
                    drop(good.splice(at..at, part));
                }
                6 => drop(good.splice(at..at, self.bytes(32).iter().copied())),
                _ => good.truncate(at),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_that_is_over_goes_on_with_zeros() {
        let mut choices = Choices::new(&[7]);
        assert_eq!((choices.byte(), choices.is_over(), choices.byte()), (7, true, 0));
        assert_eq!((choices.number(), choices.below(9), choices.text(9)), (0, 0, String::new()));
        let mut good = b"good".to_vec();
        choices.change(&mut good);
        assert_eq!(good, b"good");
    }

    #[test]
    fn no_choice_is_outside_of_what_there_is() {
        let mut seed = 1_u64;
        for _ in 0..20_000 {
            let mut next = || {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 56) as u8
            };
            let input: Vec<u8> = (0..40).map(|_| next()).collect();
            let mut choices = Choices::new(&input);
            assert!(choices.below(300) < 300 && choices.below(3) < 3);
            assert!(choices.text(8).len() <= 8 && choices.bytes(4).len() <= 4);
            let mut good = b"a value as it was written".to_vec();
            choices.change(&mut good);
            let mut none = Vec::new();
            choices.change(&mut none);
        }
    }
}
