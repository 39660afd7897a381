use std::fmt::Write;

/// What the certificate of a node says of it: `catga://{cluster}/node/{node}`. Whatever is neither
/// a letter or digit of ASCII nor one of `-._~` is percent-encoded, so that no two nodes share one.
pub fn certificate_name(cluster: &str, node: &str) -> String {
    let mut name = "catga://".to_owned();
    encode(&mut name, cluster);
    name.push_str("/node/");
    encode(&mut name, node);
    name
}

fn encode(name: &mut String, part: &str) {
    for byte in part.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                name.push(char::from(byte));
            }
            other => write!(name, "%{other:02X}").expect("a String takes any text"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_nodes_share_a_name() {
        assert_eq!(certificate_name("order-cluster", "node1"), "catga://order-cluster/node/node1");
        let (one, other) = (certificate_name("a/node/b", "c"), certificate_name("a", "b/node/c"));
        assert_eq!(one, "catga://a%2Fnode%2Fb/node/c");
        assert_ne!(one, other);
        assert_ne!(certificate_name("a%2F", "b"), certificate_name("a/", "b"));
        assert_eq!(certificate_name("käse", ""), "catga://k%C3%A4se/node/");
    }
}
