use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use catga_host::{Connection, Host, timeout};
use rustls::CommonState;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::certified::Certified;
use super::keys::{ALPN, Keys, nobody};
use super::trouble::trouble;
use crate::link::handshake::Unmet;

/// What is read at once, also of somebody who has proved nothing yet.
const READ_BYTES: usize = 16 << 10;

/// What is read and forgotten of a peer that was refused, so that it hears why.
const DRAIN_BYTES: u64 = 64 << 10;

/// How long it may take to hear it.
const DRAIN_WAIT: Duration = Duration::from_millis(100);

/// Puts TLS over a connection that this node has dialled, where `read` came before.
pub(super) async fn dial(
    keys: Arc<Keys>,
    host: &dyn Host,
    stream: Connection,
    read: &BytesMut,
) -> Result<(Connection, Certified), Unmet> {
    if !read.is_empty() {
        // Of TLS, it is the dialler who begins.
        let why = "it does not speak TLS: TLS is set here, and not there";
        return Err(Unmet::Refused(why.to_owned()));
    }
    let connector = TlsConnector::from(Arc::clone(&keys.client));
    match connector.connect(nobody(), buffered(stream)).into_fallible().await {
        Ok(stream) => {
            let certified = who(stream.get_ref().1)?;
            Ok((Connection::new(stream), certified))
        }
        Err((error, stream)) => Err(unmet(host, &error, stream).await),
    }
}

/// Puts TLS over a connection that somebody has dialled.
pub(super) async fn accept(
    keys: Arc<Keys>,
    host: &dyn Host,
    stream: Connection,
) -> Result<(Connection, Certified), Unmet> {
    let acceptor = TlsAcceptor::from(Arc::clone(&keys.server));
    match acceptor.accept(buffered(stream)).into_fallible().await {
        Ok(stream) => {
            let certified = who(stream.get_ref().1)?;
            Ok((Connection::new(stream), certified))
        }
        Err((error, stream)) => Err(unmet(host, &error, stream).await),
    }
}

/// rustls reads 4 KiB at once: a call of the machine for each would cost more than the cipher.
fn buffered(stream: Connection) -> BufReader<Connection> {
    BufReader::with_capacity(READ_BYTES, stream)
}

/// Who is at the other end.
fn who(state: &CommonState) -> Result<Certified, Unmet> {
    if state.alpn_protocol() != Some(ALPN) {
        return Err(Unmet::Refused("it speaks TLS, and not catga/1 inside".to_owned()));
    }
    // rustls has verified it, or there were none.
    let certificate = state.peer_certificates().and_then(<[_]>::first);
    let Some(certificate) = certificate else {
        return Err(Unmet::Refused("it has no certificate".to_owned()));
    };
    Certified::of(certificate).map_err(|why| Unmet::Refused(format!("its certificate: {why}")))
}

/// Why there is no TLS. The other end was told by an alert, and gets a while to hear it: a stream
/// that is dropped while something comes may lose what was written last.
async fn unmet(host: &dyn Host, error: &io::Error, mut stream: BufReader<Connection>) -> Unmet {
    let Some(why) = trouble(error) else {
        return Unmet::Failed(format!("in the handshake of TLS: {error}"));
    };
    // The stream ends in any case.
    let _ = stream.shutdown().await;
    let drain = async {
        let mut forgotten = tokio::io::sink();
        tokio::io::copy(&mut stream.take(DRAIN_BYTES), &mut forgotten).await
    };
    let _ = timeout(host, DRAIN_WAIT, drain).await;
    Unmet::Refused(why)
}
