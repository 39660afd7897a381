//! Asks the service over HTTP, as anybody may.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode, header, http};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A request, which can be sent again.
#[derive(Clone, Debug)]
pub struct Call {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Call {
    /// Asks for what is at `path`.
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), headers: Vec::new(), body: Bytes::new() }
    }

    /// Sends `body` to `path`, as JSON.
    pub fn post(path: impl Into<String>, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("what is sent are texts and numbers");
        Self { method: Method::POST, path: path.into(), headers: Vec::new(), body: body.into() }
    }

    /// Takes away what is at `path`.
    pub fn delete(path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, ..Self::get(path) }
    }

    /// The same under an `Idempotency-Key`: however often it is sent, it counts once.
    #[must_use]
    pub fn keyed(self, key: impl Into<String>) -> Self {
        self.header("idempotency-key", key)
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(&self.path)
            .header(header::HOST, "localhost");
        if self.method == Method::POST {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request.body(Full::new(self.body.clone()))
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Bytes,
    /// The session token: what the answer has seen.
    pub position: Option<String>,
    /// False if the answer says that the node does not show it yet.
    pub visible: bool,
}

impl Answer {
    /// The body, if it is what it should be.
    pub fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// True if it says to come again: nothing ran, or nobody knows whether something did.
    pub fn is_put_off(&self) -> bool {
        matches!(
            self.status,
            StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
                | StatusCode::INSUFFICIENT_STORAGE
        )
    }
}

/// Why nobody answered. Whether the request counted is unknown, unless there was no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// It is no request that could be sent, and nobody was asked.
    #[error("the request cannot be sent: {0}")]
    NoRequest(http::Error),
    /// Nobody listens.
    #[error("no connection: {0}")]
    NoConnection(io::Error),
    /// The connection ended in the middle.
    #[error("the connection broke: {0}")]
    Broken(hyper::Error),
    /// It took too long.
    #[error("no answer within {0:?}")]
    TooLate(Duration),
}

/// Asks one of several servers, over one connection that it keeps open.
#[derive(Debug)]
pub struct Client {
    servers: Vec<SocketAddr>,
    /// Which server it asks now.
    at: usize,
    connection: Option<Connection>,
    patience: Duration,
}

#[derive(Debug)]
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Client {
    /// A client of `servers`; it begins with the first, and goes on to the next one when one does
    /// not answer.
    ///
    /// # Panics
    /// If there are none.
    pub fn new(servers: Vec<SocketAddr>) -> Self {
        assert!(!servers.is_empty(), "a client needs a server");
        // Above the 10 s after which the service itself gives up on a request.
        let patience = Duration::from_secs(15);
        Self { servers, at: 0, connection: None, patience }
    }

    /// How long it waits for an answer: 15 s.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The server that it asks next.
    pub fn server(&self) -> SocketAddr {
        self.servers[self.at]
    }

    /// Goes on to the next server.
    pub fn move_on(&mut self) {
        if self.servers.len() > 1 {
            self.connection = None;
            self.at = (self.at + 1) % self.servers.len();
        }
    }

    /// Sends the request and waits for the answer.
    ///
    /// # Errors
    /// When there is none; the next request goes to the next server.
    ///
    /// # Cancel safety
    /// Dropping the future leaves a connection of no use; the next request fails or opens another.
    pub async fn send(&mut self, call: &Call) -> Result<Answer, NoAnswer> {
        let patience = self.patience;
        let answer = timeout(patience, self.exchange(call)).await;
        let answer = answer.unwrap_or(Err(NoAnswer::TooLate(patience)));
        let goes_on = matches!(&answer, Ok(answer) if !answer.is_put_off());
        if !goes_on {
            self.move_on();
        }
        answer
    }

    async fn exchange(&mut self, call: &Call) -> Result<Answer, NoAnswer> {
        let request = call.request().map_err(NoAnswer::NoRequest)?;
        let mut kept = self.connection.take();
        if let Some(connection) = &mut kept
            && connection.sender.ready().await.is_err()
        {
            // The server has closed it meanwhile.
            kept = None;
        }
        let mut connection = match kept {
            Some(connection) => connection,
            None => open(self.servers[self.at]).await?,
        };
        let response = connection.sender.send_request(request).await.map_err(NoAnswer::Broken)?;
        let status = response.status();
        let position = response.headers().get("catga-position");
        let position = position.and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
        let visible = response.headers().get("catga-visible").is_none_or(|value| value != "false");
        let body = response.into_body().collect().await.map_err(NoAnswer::Broken)?.to_bytes();
        self.connection = Some(connection);
        Ok(Answer { status, body, position, visible })
    }
}

async fn open(server: SocketAddr) -> Result<Connection, NoAnswer> {
    let stream = TcpStream::connect(server).await.map_err(NoAnswer::NoConnection)?;
    stream.set_nodelay(true).map_err(NoAnswer::NoConnection)?;
    let (sender, driver) = handshake(TokioIo::new(stream)).await.map_err(NoAnswer::Broken)?;
    // Whoever waits for an answer hears of its failure.
    let driver = tokio::spawn(async { drop(driver.await) });
    Ok(Connection { sender, driver })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_that_cannot_be_sent_is_an_error_and_nobody_is_asked() {
        let nobody = vec![([127, 0, 0, 1], 1).into()];
        let get = Call::get("/orders");
        for call in [Call::get("/orders/a b"), get.clone().header("authorization", "a\nb")] {
            let answer = Client::new(nobody.clone()).send(&call).await;
            assert!(matches!(answer, Err(NoAnswer::NoRequest(_))), "{answer:?}");
        }
        let answer = Client::new(nobody).send(&get).await;
        assert!(matches!(answer, Err(NoAnswer::NoConnection(_))), "{answer:?}");
    }
}
