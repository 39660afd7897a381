//! Who is at the other end of a stream, before anything else is said.
//!
//! Each end sends [`MAGIC`] first. Then the dialler sends its [hello](super::hello), the acceptor
//! its own, the dialler its proof that it knows the secret, and the acceptor its own; a proof is
//! empty where no secret is set. Instead of any of these an end may send why it refuses.
//!
//! A proof covers its role and both hellos, and with them both nonces: no other handshake has the
//! same, so that what was heard before proves nothing, nor does what the other end itself has
//! sent. The acceptor proves last: who cannot prove anything gets nothing to guess the secret by.
//!
//! Mutual [TLS](super::tls) goes below: it makes of the stream another one, between the upgrade and
//! this. Then a hello counts only if the certificate of its sender names the same node.

use bytes::Bytes;
use catga_host::timeout;
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::LinkOptions;
use super::batch::Batch;
use super::connection::Wires;
use super::frame::{Frame, Header, Kind, ReadError};
use super::ground::Ground;
use super::hello::{HELLO_MAX, Hello, Met};
use super::secret::Role;
use super::tls::trouble;

/// What a link begins with. Not ASCII and with both line ends, as a text protocol never is.
pub(super) const MAGIC: [u8; 8] = *b"\xcaTGA\r\n1\n";

/// What a record of TLS begins with.
const TLS_FIRST: u8 = 0x14;
const TLS_LAST: u8 = 0x17;

/// A reason is cut there.
const REASON_BYTES: usize = 1 << 10;

/// What is read and forgotten of a peer that was refused, so that it hears why.
const DRAIN_BYTES: usize = 64 << 10;

/// Why there is no link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unmet {
    /// One end will not have the other: why.
    Refused(String),
    /// The other end says that it stops.
    Left,
    /// The stream failed.
    Failed(String),
}

/// Makes sure who is at the other end, of which this node plays `role`. The caller sees to it that
/// it ends in time.
pub(super) async fn shake<S>(
    ground: &Ground,
    wires: &mut Wires<S>,
    role: Role,
) -> Result<Met, Unmet>
where
    S: AsyncRead + AsyncWrite,
{
    let met = try_shake(ground, wires, role).await;
    met.map_err(|stop| match stop {
        Stop::Here(why) => Unmet::Refused(why),
        Stop::There(why) => Unmet::Refused(format!("it refuses: {why}")),
        Stop::Refused(why) => Unmet::Refused(why),
        Stop::Left => Unmet::Left,
        Stop::Failed(why) => Unmet::Failed(why),
    })
}

/// Tells the other end that it is refused, and gives it a while to hear it.
pub(super) async fn refuse<S>(ground: &Ground, wires: &mut Wires<S>, why: &str)
where
    S: AsyncRead + AsyncWrite,
{
    end(ground, wires, Kind::Refused, reason(why)).await;
}

/// Tells the other end, instead of a handshake, that this node stops.
pub(super) async fn say_farewell<S>(ground: &Ground, wires: &mut Wires<S>)
where
    S: AsyncRead + AsyncWrite,
{
    if wires.send_magic(&MAGIC).await.is_ok() {
        end(ground, wires, Kind::Goodbye, Bytes::new()).await;
    }
}

async fn end<S>(ground: &Ground, wires: &mut Wires<S>, kind: Kind, payload: Bytes)
where
    S: AsyncRead + AsyncWrite,
{
    if send(wires, kind, payload).await.is_ok() {
        // The stream has an end in any case.
        let _ = wires.writer.shutdown().await;
        let drain = wires.reader.drain(DRAIN_BYTES);
        let _ = timeout(&*ground.host, ground.options.silence, drain).await;
    }
}

/// `why` as the payload of [`Kind::Refused`].
pub(super) fn reason(why: &str) -> Bytes {
    let end = why.floor_char_boundary(REASON_BYTES);
    Bytes::copy_from_slice(&why.as_bytes()[..end])
}

/// The reason in the payload of [`Kind::Refused`], fit to be logged.
pub(super) fn reason_of(payload: &[u8]) -> String {
    let text = String::from_utf8_lossy(&payload[..payload.len().min(REASON_BYTES)]);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Why a handshake stops.
enum Stop {
    /// This node refuses the other.
    Here(String),
    /// The other refuses this node.
    There(String),
    /// One of them refuses the other, and neither can be told any more.
    Refused(String),
    Left,
    Failed(String),
}

async fn try_shake<S>(ground: &Ground, wires: &mut Wires<S>, role: Role) -> Result<Met, Stop>
where
    S: AsyncRead + AsyncWrite,
{
    let told = tell(ground, wires, role).await;
    if let Err(Stop::Here(why)) = &told {
        refuse(ground, wires, why).await;
    }
    told
}

async fn tell<S>(ground: &Ground, wires: &mut Wires<S>, role: Role) -> Result<Met, Stop>
where
    S: AsyncRead + AsyncWrite,
{
    wires.send_magic(&MAGIC).await.map_err(|error| Stop::Failed(error.to_string()))?;
    let ours = Bytes::from(Hello::new(ground).encode_to_vec());
    if ours.len() > HELLO_MAX {
        return Err(Stop::Here(format!("this node's hello has {} bytes", ours.len())));
    }
    if role == Role::Dialler {
        send(wires, Kind::Hello, ours.clone()).await?;
    }
    match wires.reader.differs_from(&MAGIC).await.map_err(failed)? {
        None => {}
        Some([TLS_FIRST..=TLS_LAST, ..]) => {
            return Err(Stop::Here("it speaks TLS: TLS is set there, and not here".to_owned()));
        }
        Some(_) => {
            return Err(Stop::Here("this is a link of Catga, and something else came".to_owned()));
        }
    }
    let theirs = receive(wires, Kind::Hello).await?;
    let met = Hello::read(&theirs).and_then(|hello| hello.meet(&ground.options));
    let met = met.map_err(Stop::Here)?;
    certify(ground, wires, &met)?;
    let (dialler, acceptor) = match role {
        Role::Dialler => (&ours, &theirs),
        Role::Acceptor => (&theirs, &ours),
    };
    let transcript = transcript(dialler, acceptor);
    let secret = ground.options.secret.as_ref();
    let proof = secret.map_or_else(Vec::new, |secret| secret.prove(role, &transcript));
    let holds = |theirs: &[u8]| match secret {
        Some(secret) if secret.verify(role.other(), &transcript, theirs) => Ok(()),
        Some(_) => Err(Stop::Here(format!("the secret of node {} differs", met.peer.name))),
        None => Ok(()),
    };
    match role {
        Role::Dialler => {
            send(wires, Kind::Proof, proof.into()).await?;
            holds(&receive(wires, Kind::Proof).await?)?;
        }
        Role::Acceptor => {
            send(wires, Kind::Hello, ours).await?;
            holds(&receive(wires, Kind::Proof).await?)?;
            send(wires, Kind::Proof, proof.into()).await?;
        }
    }
    Ok(met)
}

/// Whether the certificate of the other end, where there is TLS, is that of the node which its hello
/// names; at both ends in this one way.
fn certify<S>(ground: &Ground, wires: &Wires<S>, met: &Met) -> Result<(), Stop> {
    let LinkOptions { tls, cluster, .. } = &ground.options;
    let name = &met.peer.name;
    let certified = match (tls, &wires.certified) {
        (None, _) => return Ok(()),
        (Some(_), Some(certified)) => certified.must_name(cluster, name.as_str()),
        (Some(_), None) => Err("there is none".to_owned()),
    };
    certified.map_err(|why| Stop::Here(format!("the certificate of node {name}: {why}")))
}

/// Both hellos, so that none reads as another pair.
fn transcript(dialler: &[u8], acceptor: &[u8]) -> Vec<u8> {
    let length = (dialler.len() as u64).to_le_bytes();
    [&length, dialler, acceptor].concat()
}

async fn send<S>(wires: &mut Wires<S>, kind: Kind, payload: Bytes) -> Result<(), Stop>
where
    S: AsyncRead + AsyncWrite,
{
    let mut batch = Batch::<()>::new();
    batch.push(&Header::lone(kind, 0), vec![payload]);
    let written = batch.write(&mut wires.writer, |_| ()).await;
    written.map_err(|error| Stop::Failed(error.to_string()))
}

async fn receive<S>(wires: &mut Wires<S>, kind: Kind) -> Result<Bytes, Stop>
where
    S: AsyncRead + AsyncWrite,
{
    let Frame { header, payload } = wires.reader.next_within(HELLO_MAX).await.map_err(failed)?;
    match header.kind {
        Kind::Refused => Err(Stop::There(reason_of(&payload))),
        Kind::Goodbye => Err(Stop::Left),
        came if came == kind => Ok(payload),
        came => Err(Stop::Here(format!("{came:?} where {kind:?} was expected"))),
    }
}

fn failed(error: ReadError) -> Stop {
    // TLS may refuse this node after its own part of it is over.
    if let ReadError::Stream(stream) = &error
        && let Some(why) = trouble(stream)
    {
        return Stop::Refused(why);
    }
    match error {
        ReadError::Ended | ReadError::Truncated | ReadError::Stream(_) => {
            Stop::Failed(format!("in the handshake {error}"))
        }
        ReadError::Length { .. } | ReadError::Header | ReadError::Checksum => {
            Stop::Here(error.to_string())
        }
    }
}
