use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use super::batch::Batch;
use super::connection::End;
use super::frame::{Frame, Header, Kind};
use super::ground::Ground;
use super::handshake::{reason, reason_of};
use super::stats::Traffic;

/// How many pings wait for their answers at most; a peer that sends more gets no more.
const PONGS_MAX: usize = 8;

/// Whether one connection lives, and what it has to say for itself.
#[derive(Debug)]
pub(super) struct Pulse {
    ground: Arc<Ground>,
    pub(super) traffic: Arc<Traffic>,
    /// When something was sent and heard last, in microseconds of the host's clock. Relaxed: they
    /// are looked at by the task that writes them.
    sent_us: AtomicU64,
    heard_us: AtomicU64,
    /// Nothing is read here at present, so that nothing can be heard.
    stands: AtomicBool,
    control: Mutex<Control>,
    /// There is something to send.
    pub(super) wake: Notify,
}

#[derive(Debug, Default)]
struct Control {
    ping: bool,
    /// The ping that was sent last: its number is the time, in microseconds.
    pinged: Option<u64>,
    pongs: Vec<u64>,
    close: Option<Close>,
}

/// How a connection is closed from here.
#[derive(Clone, Debug)]
enum Close {
    /// Once everything that waits is sent.
    Goodbye,
    /// At the next frame.
    Refused(String),
}

impl Pulse {
    /// Of a connection that begins now.
    pub(super) fn new(ground: Arc<Ground>, traffic: Arc<Traffic>) -> Arc<Self> {
        let now = micros(ground.host.now());
        Arc::new(Self {
            ground,
            traffic,
            sent_us: AtomicU64::new(now),
            heard_us: AtomicU64::new(now),
            stands: AtomicBool::new(false),
            control: Mutex::default(),
            wake: Notify::new(),
        })
    }

    /// The stream took `bytes`.
    pub(super) fn sent(&self, bytes: usize) {
        self.traffic.sent(bytes);
        self.sent_us.store(self.now(), Ordering::Relaxed);
    }

    /// The stream brought `bytes`.
    pub(super) fn heard(&self, bytes: usize) {
        self.traffic.received(bytes);
        self.heard_us.store(self.now(), Ordering::Relaxed);
    }

    /// Whether reading stands still here. The peer is not silent then.
    pub(super) fn stand(&self, stands: bool) {
        if self.stands.swap(stands, Ordering::Relaxed) && !stands {
            self.heard_us.store(self.now(), Ordering::Relaxed);
        }
    }

    /// Sends a ping at once.
    pub(super) fn ping(&self) {
        self.lock().ping = true;
        self.wake.notify_one();
    }

    /// Sends what waits, then a farewell, and ends the connection.
    pub(super) fn leave(&self) {
        self.lock().close.get_or_insert(Close::Goodbye);
        self.wake.notify_one();
    }

    /// Says why the connection ends, and ends it.
    pub(super) fn refuse(&self, why: &str) {
        self.lock().close = Some(Close::Refused(why.to_owned()));
        self.wake.notify_one();
    }

    /// True once the connection is being closed from here: what comes is not taken any more.
    pub(super) fn is_closing(&self) -> bool {
        self.lock().close.is_some()
    }

    /// Takes a frame that is about the connection itself.
    pub(super) fn take(&self, frame: &Frame) -> Result<(), End> {
        let Frame { header, payload } = frame;
        match header.kind {
            Kind::Ping => {
                let mut control = self.lock();
                if control.pongs.len() < PONGS_MAX {
                    control.pongs.push(header.number);
                }
                drop(control);
                self.wake.notify_one();
                Ok(())
            }
            Kind::Pong => {
                if self.lock().pinged.take_if(|number| *number == header.number).is_some() {
                    let took = self.now().saturating_sub(header.number);
                    self.traffic.round_trip(Duration::from_micros(took));
                }
                Ok(())
            }
            Kind::Goodbye => Err(End::Left),
            Kind::Refused => Err(End::Lost(format!("the peer ended it: {}", reason_of(payload)))),
            other => Err(End::Broken(format!("{other:?} does not belong here"))),
        }
    }

    /// Adds to `batch` what goes first. True if the connection ends with it.
    pub(super) fn fill_first<H>(&self, batch: &mut Batch<H>) -> bool {
        let mut control = self.lock();
        for number in control.pongs.drain(..) {
            batch.push(&Header::lone(Kind::Pong, number), Vec::new());
        }
        if std::mem::take(&mut control.ping) {
            let number = self.now();
            control.pinged = Some(number);
            batch.push(&Header::lone(Kind::Ping, number), Vec::new());
        }
        let Some(Close::Refused(why)) = &control.close else {
            return false;
        };
        batch.push(&Header::lone(Kind::Refused, 0), vec![reason(why)]);
        true
    }

    /// Adds to `batch` what goes when nothing else is left. True if the connection ends with it.
    pub(super) fn fill_last<H>(&self, batch: &mut Batch<H>) -> bool {
        if self.lock().close.is_none() {
            return false;
        }
        batch.push(&Header::lone(Kind::Goodbye, 0), Vec::<Bytes>::new());
        true
    }

    /// Pings while nothing is sent, and ends when nothing was heard for too long.
    ///
    /// A timer that fires late says that this process stood still: then it is the next one that
    /// judges, when what came meanwhile has been read.
    pub(super) async fn watch(&self) -> End {
        let (keepalive, silence) = {
            let options = &self.ground.options;
            (options.keepalive, options.silence)
        };
        let mut pinged = Duration::ZERO;
        let mut not_before = Duration::ZERO;
        let mut late_for = None;
        loop {
            let ping_at = self.at(&self.sent_us).max(pinged) + keepalive;
            let stands = self.stands.load(Ordering::Relaxed);
            let judge_at = (self.at(&self.heard_us) + silence).max(not_before);
            let until = if stands { ping_at } else { ping_at.min(judge_at) };
            let host = &self.ground.host;
            let before = host.now();
            host.sleep(until.saturating_sub(before)).await;
            let now = host.now();
            if now >= self.at(&self.sent_us).max(pinged) + keepalive {
                pinged = now;
                self.ping();
            }
            let heard = self.at(&self.heard_us);
            if self.stands.load(Ordering::Relaxed) || now < (heard + silence).max(not_before) {
                continue;
            }
            let late = now.saturating_sub(until.max(before)) > keepalive;
            if !late || late_for == Some(heard) {
                return End::Silent;
            }
            late_for = Some(heard);
            // A ping of a peer that stood still along with this process is on its way by then.
            not_before = now + keepalive * 2;
        }
    }

    fn at(&self, time_us: &AtomicU64) -> Duration {
        Duration::from_micros(time_us.load(Ordering::Relaxed))
    }

    fn now(&self) -> u64 {
        micros(self.ground.host.now())
    }

    fn lock(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
