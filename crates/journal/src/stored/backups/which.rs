use std::fmt;
use std::str::FromStr;

/// Which of the backups in a directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Which {
    /// The one that was made last.
    #[default]
    Latest,
    /// The one with this number.
    Number(u64),
}

/// The text names no backup.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no backup: it must be `latest`, or the number of one, such as 7")]
pub struct ParseWhichError(String);

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

impl FromStr for Which {
    type Err = ParseWhichError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "latest" => Ok(Self::Latest),
            number => {
                let number = number.parse().map_err(|_| ParseWhichError(text.to_owned()))?;
                Ok(Self::Number(number))
            }
        }
    }
}

impl From<u64> for Which {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_is_written() {
        for which in [Which::Latest, Which::Number(7)] {
            assert_eq!(which.to_string().parse(), Ok(which));
        }
        for wrong in ["", "newest", "-1", "7.backup"] {
            assert!(wrong.parse::<Which>().is_err_and(|error| error.to_string().contains(wrong)));
        }
    }
}
