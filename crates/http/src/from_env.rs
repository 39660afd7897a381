#[cfg(test)]
mod fuzz;

use std::env;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::{AdminToken, ServeError};

/// The port of a node for which nothing is said.
const PORT: u16 = 5001;

/// Where to listen: `PORT` (5001) at the address `BIND` (127.0.0.1).
///
/// Loopback, because nobody is authenticated yet: to be reached from elsewhere is a decision.
pub(crate) fn address() -> Result<SocketAddr, ServeError> {
    read(|name| env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
}

/// What operators show: `ADMIN_TOKEN`, if it is set.
pub(crate) fn admin_token() -> Result<Option<AdminToken>, ServeError> {
    let token = env::var("ADMIN_TOKEN").ok();
    let token = token.map(|token| AdminToken::new(&token)).transpose();
    token.map_err(ServeError::AdminToken)
}

fn read(variable: impl Fn(&str) -> Option<String>) -> Result<SocketAddr, ServeError> {
    let port = match variable("PORT") {
        None => PORT,
        Some(value) => value.trim().parse().map_err(|_| ServeError::Environment {
            name: "PORT",
            value,
            expected: "it must be a port number from 0 to 65535, such as 5001",
        })?,
    };
    let ip = match variable("BIND") {
        None => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Some(value) => value.trim().parse().map_err(|_| ServeError::Environment {
            name: "BIND",
            value,
            expected: "it must be an IP address, such as 127.0.0.1, or 0.0.0.0 for all",
        })?,
    };
    Ok(SocketAddr::new(ip, port))
}

/// What peers and people are told: `http://localhost:5001`.
pub(crate) fn endpoint(address: SocketAddr) -> String {
    let ip = address.ip();
    if ip.is_loopback() || ip.is_unspecified() {
        format!("http://localhost:{}", address.port())
    } else {
        format!("http://{address}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &'static [(&'static str, &'static str)]) -> Result<String, String> {
        let find = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name)?;
            Some(found.1.to_owned())
        };
        match read(find) {
            Ok(address) => Ok(address.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn port_and_bind_say_where_to_listen() {
        assert_eq!(with(&[]), Ok("127.0.0.1:5001".to_owned()));
        assert_eq!(with(&[("PORT", "8080"), ("BIND", "::")]), Ok("[::]:8080".to_owned()));
        assert_eq!(
            with(&[("PORT", "http")]),
            Err("the environment variable PORT is `http`: it must be a port number from 0 to \
                 65535, such as 5001"
                .to_owned())
        );
        assert!(with(&[("BIND", "localhost")]).is_err_and(|error| error.contains("BIND")));
    }

    #[test]
    fn an_endpoint_names_localhost_where_that_is_what_is_meant() {
        let told = |address: &str| endpoint(address.parse().expect("an address"));
        assert_eq!(told("127.0.0.1:5001"), "http://localhost:5001");
        assert_eq!(told("0.0.0.0:80"), "http://localhost:80");
        assert_eq!(told("10.0.0.7:80"), "http://10.0.0.7:80");
    }
}
