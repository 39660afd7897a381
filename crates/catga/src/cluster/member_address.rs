use std::fmt;
use std::net::IpAddr;

use catga_cluster::Address;

/// Where a member is reached: `http://host:port`, or `host:port` alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MemberAddress {
    host: String,
    port: u16,
}

impl MemberAddress {
    /// What `text` says.
    ///
    /// # Errors
    /// Why it says nothing.
    pub(super) fn read(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.starts_with("https://") {
            return Err(
                "peers are reached by http, at the port of the application: write http://, \
                        and set TLS between them (CLUSTER_TLS_CA) where it is needed",
            );
        }
        let rest = text.strip_prefix("http://").unwrap_or(text);
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = rest
            .rsplit_once(':')
            .ok_or("it must be a host and a port, such as http://node1:5001")?;
        let port = match port.parse() {
            Ok(0) | Err(_) => return Err("its port must be a number from 1 to 65535"),
            Ok(port) => port,
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        if host.is_empty() || !host.chars().all(is_name) {
            return Err(
                "its host must be a name or an IP address, and nothing may follow the port",
            );
        }
        Ok(Self { host: host.to_ascii_lowercase(), port })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// True if it is one of this machine alone.
    pub(super) fn is_loopback(&self) -> bool {
        let ip = self.host.trim_matches(['[', ']']).parse::<IpAddr>();
        self.host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
    }

    pub(super) fn address(&self) -> Address {
        self.to_string().into()
    }
}

impl fmt::Display for MemberAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_port_are_read_however_they_are_written() {
        let read = |text| MemberAddress::read(text).map(|address| address.to_string());
        for text in ["http://Node1:5001", "node1:5001", " http://node1:5001/ "] {
            assert_eq!(read(text), Ok("node1:5001".to_owned()), "{text}");
        }
        assert_eq!(read("http://[::1]:80"), Ok("[::1]:80".to_owned()));
        for text in ["", "node1", "node1:0", "node1:70000", "http://node1:5001/path", ":5001"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read("https://node1:5001").is_err_and(|why| why.contains("http")));
    }

    #[test]
    fn loopback_is_this_machine_alone() {
        let is_loopback = |text| MemberAddress::read(text).is_ok_and(|read| read.is_loopback());
        assert!(is_loopback("localhost:1") && is_loopback("127.0.0.1:1") && is_loopback("[::1]:1"));
        assert!(!is_loopback("node1:1") && !is_loopback("10.0.0.1:1"));
    }
}
