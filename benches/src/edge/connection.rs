use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that stays open, and as little HTTP as a load needs: it costs the servers'
/// machine hardly anything.
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// One answer: its head and its body.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) head: &'a str,
    pub(super) body: &'a [u8],
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends a request and waits for the whole answer, which has to be a success.
    pub(super) async fn call(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let (head, length) = loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed the connection");
            }
            if let Some(head) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = head + 4;
                let text = std::str::from_utf8(&self.buffer[..head])?;
                break (head, content_length(text)?);
            }
        };
        while self.buffer.len() < head + length {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed the connection within an answer");
            }
        }
        let (head, body) = self.buffer.split_at(head);
        let head = std::str::from_utf8(head)?;
        if !head.starts_with("HTTP/1.1 2") {
            bail!("the server answered {head}{}", String::from_utf8_lossy(body));
        }
        Ok(Answer { head, body })
    }
}

impl Answer<'_> {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        header(self.head, name)
    }
}

fn content_length(head: &str) -> Result<usize> {
    let length = header(head, "content-length").context("an answer without a content-length")?;
    Ok(length.parse()?)
}

fn header<'a>(head: &'a str, wanted: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case(wanted).then(|| value.trim())
    })
}
