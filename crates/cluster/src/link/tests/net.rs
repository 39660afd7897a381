//! Streams in memory that can be slow, stand still, and count.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use catga_host::{Accept, BoxFuture, Connection, Files, Host, Listener, Task};
use catga_testkit::VirtualHost;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio::time::Sleep;

/// What a stream holds in each direction.
const BUFFER: usize = 64 << 10;

/// What a slow stream takes at once.
const CHUNK: usize = 8 << 10;

#[derive(Clone, Debug, Default)]
pub(in crate::link) struct Net(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    listeners: BTreeMap<String, mpsc::UnboundedSender<Connection>>,
    /// Where connects hang.
    holes: BTreeSet<String>,
    /// To where nothing is carried.
    frozen: BTreeSet<String>,
    /// Bytes per millisecond towards an address.
    rates: BTreeMap<String, usize>,
    /// What was written towards an address.
    written: BTreeMap<String, usize>,
    /// How often the connections to an address were broken.
    breaks: BTreeMap<String, usize>,
    wakers: Vec<Waker>,
}

impl State {
    fn breaks(&self, address: &str) -> usize {
        self.breaks.get(address).copied().unwrap_or_default()
    }
}

impl Net {
    pub(in crate::link) fn listen(&self, address: &str) -> Listener {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.lock().listeners.insert(address.to_owned(), sender);
        Listener::new(Incoming(AsyncMutex::new(receiver)))
    }

    /// Connects to `address` hang from now on.
    pub(in crate::link) fn hole(&self, address: &str) {
        self.lock().holes.insert(address.to_owned());
    }

    /// What was connected to `address` carries nothing until it thaws, either way.
    pub(in crate::link) fn freeze(&self, address: &str) {
        self.lock().frozen.insert(address.to_owned());
    }

    pub(in crate::link) fn thaw(&self, address: &str) {
        let mut state = self.lock();
        state.frozen.remove(address);
        state.holes.remove(address);
        state.wakers.drain(..).for_each(Waker::wake);
    }

    /// Breaks the connections that were made to `address`; new ones can be made.
    pub(in crate::link) fn sever(&self, address: &str) {
        let mut state = self.lock();
        *state.breaks.entry(address.to_owned()).or_default() += 1;
        state.wakers.drain(..).for_each(Waker::wake);
    }

    pub(in crate::link) fn slow(&self, address: &str, bytes_per_ms: usize) {
        self.lock().rates.insert(address.to_owned(), bytes_per_ms);
    }

    pub(in crate::link) fn written(&self, address: &str) -> usize {
        self.lock().written.get(address).copied().unwrap_or_default()
    }

    fn connect(&self, address: &str) -> Option<io::Result<Connection>> {
        let state = self.lock();
        if state.holes.contains(address) {
            return None;
        }
        let refused = || Some(Err(io::ErrorKind::ConnectionRefused.into()));
        let Some(listener) = state.listeners.get(address) else { return refused() };
        let (here, there) = tokio::io::duplex(BUFFER);
        let cable = |stream, counts| Cable {
            stream,
            net: self.clone(),
            address: address.to_owned(),
            counts,
            breaks: state.breaks(address),
            pause: None,
        };
        match listener.send(Connection::new(cable(there, false))) {
            Ok(()) => Some(Ok(Connection::new(cable(here, true)))),
            Err(_) => refused(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test goes on after a panic")
    }
}

struct Incoming(AsyncMutex<mpsc::UnboundedReceiver<Connection>>);

impl Accept for Incoming {
    fn accept(&self) -> BoxFuture<'_, io::Result<(Connection, SocketAddr)>> {
        Box::pin(async {
            let next = self.0.lock().await.recv().await;
            let connection = next.ok_or(io::Error::from(io::ErrorKind::ConnectionAborted))?;
            Ok((connection, SocketAddr::from(([127, 0, 0, 1], 1))))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::from(([127, 0, 0, 1], 1)))
    }
}

struct Cable {
    stream: DuplexStream,
    net: Net,
    address: String,
    /// Of the end that dialled: what it writes is counted, and slow.
    counts: bool,
    /// How often connections to the address had been broken when this one was made.
    breaks: usize,
    pause: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for Cable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.net.lock();
        if state.breaks(&self.address) > self.breaks {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if !state.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
        if state.frozen.contains(&self.address) {
            return Poll::Pending;
        }
        drop(state);
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Cable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if let Some(pause) = &mut this.pause {
            if pause.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            this.pause = None;
        }
        let rate = this.net.lock().rates.get(&this.address).copied().filter(|_| this.counts);
        let buf = if rate.is_some() { &buf[..buf.len().min(CHUNK)] } else { buf };
        let poll = Pin::new(&mut this.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(bytes)) = &poll
            && this.counts
        {
            *this.net.lock().written.entry(this.address.clone()).or_default() += bytes;
            if let Some(rate) = rate {
                let ms = (bytes / rate) as u64;
                this.pause = Some(Box::pin(tokio::time::sleep(Duration::from_millis(ms))));
            }
        }
        poll
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A machine on a [`Net`].
#[derive(Debug)]
pub(in crate::link) struct Machine {
    pub(in crate::link) own: Arc<VirtualHost>,
    pub(in crate::link) net: Net,
}

impl Host for Machine {
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) -> Task {
        self.own.spawn(name, task)
    }

    fn spawn_thread(&self, name: &'static str, task: BoxFuture<'static, ()>) -> Task {
        self.own.spawn_thread(name, task)
    }

    fn now(&self) -> Duration {
        self.own.now()
    }

    fn wall_ms(&self) -> u64 {
        self.own.wall_ms()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.own.sleep(duration)
    }

    fn random(&self) -> u64 {
        self.own.random()
    }

    fn listen(&self, address: SocketAddr) -> BoxFuture<'static, io::Result<Listener>> {
        self.own.listen(address)
    }

    fn connect(&self, address: &str) -> BoxFuture<'static, io::Result<Connection>> {
        match self.net.connect(address) {
            Some(made) => Box::pin(std::future::ready(made)),
            None => Box::pin(std::future::pending()),
        }
    }

    fn files(&self) -> Arc<dyn Files> {
        self.own.files()
    }
}
