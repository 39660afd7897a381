/// How long the name of a node may be.
const BYTES_MAX: usize = 255;

/// What can be the name of a node, as an argument of the command line.
///
/// # Errors
/// When no node can have it.
pub(crate) fn node_name(text: &str) -> Result<String, String> {
    let is_one =
        !text.trim().is_empty() && text.len() <= BYTES_MAX && !text.contains(char::is_control);
    let why = "it must be the name of a node: not blank, of 255 bytes at most, and without control \
               characters";
    if is_one { Ok(text.to_owned()) } else { Err(why.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_not_blank_nor_long_nor_unprintable() {
        for name in ["node1", "node 1", "node2?x", "ä", &"n".repeat(255)] {
            assert_eq!(node_name(name).as_deref(), Ok(name));
        }
        for name in ["", " ", "node\n1", &"n".repeat(256)] {
            assert!(node_name(name).is_err(), "{name:?}");
        }
    }
}
