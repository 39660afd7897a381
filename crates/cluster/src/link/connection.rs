use std::pin::pin;

use bytes::BytesMut;
use catga_host::timeout;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};

use super::batch::Batch;
use super::frame::ReadError;
use super::ground::Ground;
use super::pulse::Pulse;
use super::reader::FrameReader;
use super::tls::Certified;

/// Both directions of a stream.
#[derive(Debug)]
pub(super) struct Wires<S> {
    pub(super) reader: FrameReader<ReadHalf<S>>,
    pub(super) writer: WriteHalf<S>,
    /// Who is at the other end by its certificate, where there is TLS.
    pub(super) certified: Option<Certified>,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The stream ended or failed: why.
    Lost(String),
    /// The peer said that it stops.
    Left,
    /// Nothing was heard of the peer.
    Silent,
    /// The peer sent what it must not: what.
    Broken(String),
    /// It was closed from here.
    Closed,
    /// Another one is to follow it: it is old, or there are new keys.
    Renewed,
}

impl End {
    /// Why the connection is no more.
    pub(super) fn why(&self) -> String {
        match self {
            Self::Lost(why) => why.clone(),
            Self::Left => "the node said that it stops".to_owned(),
            Self::Silent => "nothing was heard of the node".to_owned(),
            Self::Broken(what) => format!("the node sent what it must not: {what}"),
            Self::Closed => "this node ended it".to_owned(),
            Self::Renewed => "it is made anew".to_owned(),
        }
    }
}

impl From<ReadError> for End {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Ended | ReadError::Truncated | ReadError::Stream(_) => {
                Self::Lost(error.to_string())
            }
            ReadError::Length { .. } | ReadError::Header | ReadError::Checksum => {
                Self::Broken(error.to_string())
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite> Wires<S> {
    /// The directions of `stream`, of which `read` was read already.
    pub(super) fn new(stream: S, read: BytesMut) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self { reader: FrameReader::new(reader, read), writer, certified: None }
    }

    /// Sends what a link begins with.
    pub(super) async fn send_magic(&mut self, magic: &[u8]) -> std::io::Result<()> {
        self.writer.write_all(magic).await
    }
}

/// Runs a connection whose handshake is done: `read` takes what comes, `fill` gives what is to be
/// sent. Ends as the first of reading, writing and watching does.
///
/// # Cancel safety
/// Dropping the future drops the stream.
pub(super) async fn run<S, H>(
    ground: &Ground,
    pulse: &Pulse,
    writer: WriteHalf<S>,
    read: impl Future<Output = End>,
    fill: impl FnMut(&mut Batch<H>),
) -> End
where
    S: AsyncRead + AsyncWrite,
{
    let mut read = pin!(read);
    let mut write = pin!(write(pulse, writer, fill));
    let mut wrote = false;
    let end = tokio::select! {
        biased;
        end = &mut read => end,
        end = &mut write => {
            wrote = true;
            end
        }
        end = pulse.watch() => end,
    };
    let linger = ground.options.silence;
    match &end {
        // What came before the stream failed is still there to be read: answers, or a farewell.
        End::Lost(_) if wrote => {
            return timeout(&*ground.host, ground.options.keepalive, read).await.unwrap_or(end);
        }
        // It is told after what is being written.
        End::Broken(what) => {
            pulse.refuse(what);
            let _ = timeout(&*ground.host, linger, write).await;
        }
        // A stream that is dropped while something comes may lose what was written last.
        End::Closed => drop(timeout(&*ground.host, linger, read).await),
        End::Lost(_) | End::Left | End::Silent | End::Renewed => {}
    }
    end
}

/// Writes whatever there is, until the connection is closed from here.
async fn write<S, H>(
    pulse: &Pulse,
    mut writer: WriteHalf<S>,
    mut fill: impl FnMut(&mut Batch<H>),
) -> End
where
    S: AsyncRead + AsyncWrite,
{
    let mut batch = Batch::new();
    loop {
        let mut closes = pulse.fill_first(&mut batch);
        if !closes {
            fill(&mut batch);
            closes = batch.is_empty() && pulse.fill_last(&mut batch);
        }
        if batch.is_empty() {
            pulse.wake.notified().await;
            continue;
        }
        let frames = batch.frames();
        if let Err(error) = batch.write(&mut writer, |bytes| pulse.sent(bytes)).await {
            return End::Lost(format!("the stream failed: {error}"));
        }
        pulse.traffic.sent_frames(frames);
        if closes {
            // The stream ends in any case.
            let _ = writer.shutdown().await;
            return End::Closed;
        }
    }
}
