use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

use super::{Link, Weather};

/// So many bytes are taken at a time.
const BYTES: usize = 16 << 10;
/// So many at a time come through a link that dribbles, and then nothing for a while.
const DRIBBLE: (usize, Duration) = (512, Duration::from_millis(5));

/// Carries bytes both ways between `from`, who dialed, and `to`, until one of them ends or somebody
/// resets it.
pub(super) async fn pipe(
    dialed: TcpStream,
    reached: TcpStream,
    (from, to): (usize, usize),
    mut seen: watch::Receiver<Weather>,
) {
    // Bytes that wait here would be told from a slow network by nobody.
    let _ = (dialed.set_nodelay(true), reached.set_nodelay(true));
    let resets = seen.borrow().resets((from, to));
    let (dialed_read, dialed_write) = dialed.into_split();
    let (reached_read, reached_write) = reached.into_split();
    let there = carry(dialed_read, reached_write, (from, to), seen.clone());
    let back = carry(reached_read, dialed_write, (to, from), seen.clone());
    tokio::select! {
        () = async { tokio::join!(there, back); } => {}
        // Dropped with bytes unread, a connection is reset and not closed.
        _ = seen.wait_for(|weather| weather.resets((from, to)) != resets) => {}
    }
}

/// Carries bytes one way.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    link: (usize, usize),
    mut seen: watch::Receiver<Weather>,
) {
    let mut bytes = vec![0; BYTES];
    loop {
        let Ok(count) = from.read(&mut bytes).await else { return };
        // Also the end of a connection comes only over a link that is whole.
        if seen.wait_for(|weather| weather.link(link) != Link::Cut).await.is_err() {
            return;
        }
        if count == 0 {
            let _ = to.shutdown().await;
            return;
        }
        let now = seen.borrow().link(link);
        let (piece, pause) = match now {
            Link::Late(late) => {
                tokio::time::sleep(late).await;
                (BYTES, Duration::ZERO)
            }
            Link::Dribbling => DRIBBLE,
            Link::Whole | Link::Cut => (BYTES, Duration::ZERO),
        };
        for piece in bytes[..count].chunks(piece) {
            if to.write_all(piece).await.is_err() {
                return;
            }
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
    }
}
