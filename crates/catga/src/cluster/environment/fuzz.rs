use std::collections::BTreeMap;

use catga_fuzz::{Choices, Counting, allocated};

use super::super::Cluster;
use super::super::member_address::MemberAddress;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const VARIABLES: [(&str, &str); 11] = [
    ("CLUSTER_MEMBERS", "http://node1:5001,http://node2:5001, http://[::1]:5003"),
    ("CLUSTER_MEMBERS", "http://localhost:5001,http://localhost:5002"),
    ("CLUSTER_ID", "shop"),
    ("NODE_ID", "node2"),
    ("PORT", "5001"),
    ("BIND", "0.0.0.0"),
    ("DATA_DIR", "data"),
    ("CLUSTER_ADDRESS", "http://node2:5001"),
    ("CLUSTER_SECRET", "0x5e-c4-e7_9zQ!x7w6v5u4"),
    ("CLUSTER_TLS_CA", "ca.pem"),
    ("CLUSTER_TLS_KEY", "key.pem"),
];

fn changed(choices: &mut Choices<'_>, good: &str) -> String {
    let mut bytes = good.as_bytes().to_vec();
    if choices.flip() {
        choices.change(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What cannot be used is named, all of it; what can be used says one place to listen at and who is meant.
#[test]
fn an_environment_is_a_cluster_or_says_why_not() {
    catga_fuzz::target!(4_000, 512, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let mut variables = BTreeMap::new();
        for _ in 0..choices.below(9) {
            let (name, good) = *choices.one_of(&VARIABLES);
            variables.insert(name, changed(&mut choices, good));
        }
        let find = |name: &str| variables.get(name).cloned();
        let cluster = match Cluster::read(&find) {
            Ok(cluster) => cluster,
            Err(error) => {
                assert!(!error.faults.is_empty());
                for fault in &error.faults {
                    let is_named = VARIABLES.iter().any(|(name, _)| fault.contains(name));
                    assert!(is_named || fault.contains("CLUSTER_TLS_CERT"), "{fault}");
                }
                let secret = variables.get("CLUSTER_SECRET");
                let text = error.to_string();
                assert!(secret.is_none_or(|it| it.len() < 8 || !text.contains(it)), "{text}");
                return;
            }
        };
        assert!(variables.contains_key("CLUSTER_MEMBERS"));
        for name in ["PORT", "BIND"] {
            let value = variables.get(name).map(|value| value.trim());
            let is_good = |value: &str| match name {
                "PORT" => value.parse::<u16>().is_ok(),
                _ => value.parse::<std::net::IpAddr>().is_ok(),
            };
            assert!(value.is_none_or(is_good), "{name}: {value:?}");
        }
        let mut faults = Vec::new();
        let members = cluster.members(&mut faults);
        if let Some(own) = cluster.own(&members, &mut faults) {
            let at = cluster.listening(&own);
            assert!(variables.contains_key("PORT") || at.port() == own.port(), "{at} {own}");
        }
        assert!(!format!("{cluster:?}").contains("0x5e-c4-e7_9zQ!x7w6v5u4"));
    });
}

#[test]
fn an_address_of_a_member_is_read_as_it_is_written() {
    catga_fuzz::target!(10_000, 128, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let all =
            ["http://node1:5001", "node1:5001", "[::1]:80", "https://node1:1", " http://a:1/ "];
        let good = *choices.one_of(&all);
        let mut text = changed(&mut choices, good);
        text.push_str(&choices.text(4));
        let (read, took) = allocated(|| MemberAddress::read(&text));
        assert!(took.total <= text.len(), "{took:?}");
        match read {
            Ok(read) => {
                let written = read.to_string();
                assert_eq!(MemberAddress::read(&written).as_ref(), Ok(&read));
                assert!(read.port() > 0 && !read.host().is_empty());
                assert!(!written.chars().any(|c| c.is_whitespace() || c.is_control()), "{written}");
                let _ = read.is_loopback();
            }
            Err(why) => assert!(why.contains("must") || why.contains("http"), "{why}"),
        }
    });
}
