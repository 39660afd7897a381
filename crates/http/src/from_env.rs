#[cfg(test)]
mod fuzz;

use std::env;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use catga_runtime::Backups;

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

/// Where operators may have backups made, `BACKUP_DIR`, and how many of the newest are kept,
/// `BACKUP_KEEP`; none if no directory is set.
///
/// [`serve`](crate::serve) reads it; this is for who runs a [`Server`](crate::Server).
///
/// # Errors
/// When `BACKUP_KEEP` is no number of backups.
pub fn backups_from_env() -> Result<Option<Backups>, ServeError> {
    read_backups(|name| env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
}

fn read_backups(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Backups>, ServeError> {
    let Some(dir) = variable("BACKUP_DIR") else { return Ok(None) };
    let Some(value) = variable("BACKUP_KEEP") else { return Ok(Some(Backups::new(dir))) };
    match value.trim().parse() {
        Ok(keep @ 1..) => Ok(Some(Backups::new(dir).keep(keep))),
        _ => Err(ServeError::Environment {
            name: "BACKUP_KEEP",
            value,
            expected: "it must say how many of the newest backups are kept, such as 30",
        }),
    }
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
    fn backups_go_where_the_environment_says() {
        let with = |dir: Option<&str>, keep: Option<&str>| {
            let find = |name: &str| if name == "BACKUP_DIR" { dir } else { keep };
            read_backups(|name| find(name).map(ToOwned::to_owned))
                .map_err(|error| error.to_string())
        };
        assert_eq!(with(None, Some("3")), Ok(None));
        assert_eq!(with(Some("/b"), None), Ok(Some(Backups::new("/b"))));
        assert_eq!(with(Some("/b"), Some(" 3 ")), Ok(Some(Backups::new("/b").keep(3))));
        for wrong in ["0", "-1", "all"] {
            let why = with(Some("/b"), Some(wrong)).expect_err("it is no number of backups");
            assert!(why.contains("BACKUP_KEEP") && why.contains(wrong), "{why}");
        }
    }

    #[test]
    fn an_endpoint_names_localhost_where_that_is_what_is_meant() {
        let told = |address: &str| endpoint(address.parse().expect("an address"));
        assert_eq!(told("127.0.0.1:5001"), "http://localhost:5001");
        assert_eq!(told("0.0.0.0:80"), "http://localhost:80");
        assert_eq!(told("10.0.0.7:80"), "http://10.0.0.7:80");
    }
}
