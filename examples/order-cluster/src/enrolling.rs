//! How a new node gets its certificate: what the operator does, and what the node does.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use catga::enrolment::{CreateJoinToken, JoinRequest, JoinToken, NodeCertificate};
use clap::{Args, Subcommand};
use hyper::StatusCode;
use order_cluster::certificates::{self, CA, CLUSTER};
use order_cluster::client::{Answer, Call, Client};

use crate::node_name::node_name;
use crate::operate::{refusal, resolve, token as operators_token};

/// What an operator does with tokens.
#[derive(Subcommand)]
pub(crate) enum Admitting {
    /// Make a token for one new node, and write it to standard output: whoever has it can be that
    /// node.
    Create {
        /// The node that it is for.
        #[arg(long, value_parser = node_name)]
        name: String,
        /// How long it is good, such as 90s, 30m, 1h or 7d.
        #[arg(long, default_value = "1h", value_parser = ttl)]
        ttl: Duration,
        /// Give a node that is a member another certificate.
        #[arg(long)]
        renews: bool,
        /// The node that is told of it, whichever it is.
        #[arg(long, default_value = "http://localhost:5001")]
        at: String,
        /// The certificate of the CA that the new node is to trust; as CLUSTER_TLS_CA says if it is
        /// left out, and `certificates/ca.pem` if that says nothing.
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
    },
}

/// How a new node gets its certificate.
#[derive(Args)]
pub(crate) struct Enrolling {
    /// The token. Others see the arguments of a process: better give it as JOIN_TOKEN, or in a file.
    token: Option<String>,
    /// A file that holds the token.
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
    /// The node that is asked: one that has the key of the CA.
    #[arg(long, default_value = "http://localhost:5001")]
    at: String,
    /// The name of the new node: that of the token.
    #[arg(long, value_parser = node_name)]
    name: String,
    /// Where ca.pem, NAME.pem and NAME.key are put, for --tls.
    #[arg(long, value_name = "DIR", default_value = "certificates")]
    into: PathBuf,
}

/// Makes a token and tells the cluster of it.
pub(crate) async fn admit(asked: Admitting, dir: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let Admitting::Create { name, ttl, renews, at, ca } = asked;
    let ca = ca.or_else(|| std::env::var_os("CLUSTER_TLS_CA").map(PathBuf::from));
    let ca = ca.unwrap_or_else(|| Path::new("certificates").join(CA));
    let pem = fs::read(&ca).map_err(|error| format!("{}: {error}", ca.display()))?;
    let token = JoinToken::make(&pem).map_err(|error| format!("{}: {error}", ca.display()))?;
    let creation = CreateJoinToken { renews, ..token.creation(name, ttl) };
    let call = Call::post("/cluster/join-tokens", &creation)
        .header("authorization", format!("Bearer {}", operators_token(&at, dir).await?));
    let answer = send(&at, &call).await?;
    if answer.status == StatusCode::NOT_FOUND {
        return Err(format!("{at} makes no tokens: it meets its peers by no certificates").into());
    }
    if answer.status != StatusCode::OK {
        return Err(refusal(&answer).into());
    }
    writeln!(io::stdout(), "{}", token.reveal())?;
    Ok(ExitCode::SUCCESS)
}

/// Gets the certificate of a new node.
pub(crate) async fn enroll(enrolling: Enrolling) -> Result<ExitCode, Box<dyn Error>> {
    let token = JoinToken::parse(&given(&enrolling)?)?;
    let Enrolling { at, name, into, .. } = enrolling;
    let file = |ending: &str| into.join(format!("{name}.{ending}"));
    let (certificate, key) = (file("pem"), file("key"));
    if certificate.exists() {
        return Err(
            format!("{} is there already: nothing is written over", certificate.display()).into()
        );
    }
    fs::create_dir_all(&into).map_err(|error| format!("{}: {error}", into.display()))?;
    let request = request(&token, &name, key)?;
    let answer = send(&at, &Call::post(JoinRequest::PATH, request.command())).await?;
    if answer.status != StatusCode::OK {
        return Err(refusal(&answer).into());
    }
    let NodeCertificate { ca_pem, certificate_pem, .. } = request.accept(&answer.body)?;
    trust(into.join(CA), &ca_pem)?;
    certificates::write(certificate, &certificate_pem, 0o644)?;
    let dir = into.display();
    writeln!(
        io::stdout(),
        "In {dir} is the certificate of {name}. If it is new, start it with\n\n  \
         NODE_ID={name} PORT=… order-cluster --join --tls {dir}\n\n\
         and, if the others are on other machines, with CLUSTER_MEMBERS, CLUSTER_ADDRESS and BIND.\n\
         If it is a member already, put {name}.key and {name}.pem in the place of those that it has: \
         it reads them by itself."
    )?;
    Ok(ExitCode::SUCCESS)
}

/// The request of this node: with a new key, which is kept before it is sent, or with the one that
/// is there from a time when no answer came.
fn request(token: &JoinToken, name: &str, key: PathBuf) -> Result<JoinRequest, Box<dyn Error>> {
    match fs::read_to_string(&key) {
        Ok(pem) => {
            let again = token.request_again(CLUSTER, name, &pem);
            Ok(again.map_err(|error| format!("{}: {error}", key.display()))?)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let request = token.request(CLUSTER, name)?;
            certificates::write(key, &request.key_pem(), 0o600)?;
            Ok(request)
        }
        Err(error) => Err(format!("{}: {error}", key.display()).into()),
    }
}

/// Puts the CA in place, unless it is there.
fn trust(path: PathBuf, pem: &str) -> Result<(), Box<dyn Error>> {
    match fs::read_to_string(&path) {
        Ok(known) if known == pem => Ok(()),
        Ok(_) => Err(format!("{} is there already, and another one", path.display()).into()),
        Err(_) => Ok(certificates::write(path, pem, 0o644)?),
    }
}

/// The token, from where it was given.
fn given(enrolling: &Enrolling) -> Result<String, String> {
    match (&enrolling.token, &enrolling.token_file) {
        (Some(token), _) => Ok(token.clone()),
        (None, Some(file)) => {
            fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
        }
        (None, None) => std::env::var("JOIN_TOKEN").map_err(|_| {
            "there is no token: set JOIN_TOKEN, or name a file with --token-file".to_owned()
        }),
    }
}

async fn send(at: &str, call: &Call) -> Result<Answer, String> {
    let answer = Client::new(resolve(at).await?).send(call).await;
    answer.map_err(|error| format!("{at}: {error}"))
}

/// How long a token is good at most.
const TTL_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long a token is good.
fn ttl(text: &str) -> Result<Duration, String> {
    let is_bounded = |ttl: &Duration| !ttl.is_zero() && *ttl <= TTL_MAX;
    let wrong = || "it must be from 1s to 7d, which is a week".to_owned();
    duration(text).and_then(|ttl| Some(ttl).filter(is_bounded).ok_or_else(wrong))
}

/// A number and what it counts.
fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.char_indices().last().and_then(|(at, unit)| {
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 24 * 3600,
            _ => return None,
        };
        text[..at].parse::<u64>().ok()?.checked_mul(seconds)
    });
    let wrong = || "it must be a number of seconds, minutes, hours or days: 90s, 30m, 1h, 7d";
    unit.map(Duration::from_secs).ok_or_else(|| wrong().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_a_letter() {
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("1h", 3600), ("7d", 604_800)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        for text in
            ["", "h", "1", "1ä", "-1h", "1.5h", "99999999999999999999d", "18446744073709551615d"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
