use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::handshake::Unmet;

/// What a link is called where HTTP is spoken.
const PROTOCOL: &str = "catga/1";

/// How long the head of an answer may be.
const HEAD_MAX: usize = 8 << 10;

/// More headers than that are not read.
const HEADERS_MAX: usize = 32;

/// Asks the HTTP server at the other end of `stream`, which is reached as `host`, for a link. What
/// it sent after its answer is given back.
pub(super) async fn upgrade<S>(stream: &mut S, host: &str) -> Result<BytesMut, Unmet>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = format!(
        "GET /catga/peer HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: {PROTOCOL}\r\n\r\n"
    );
    let failed = |error: std::io::Error| Unmet::Failed(format!("in the upgrade: {error}"));
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    stream.flush().await.map_err(failed)?;
    let mut head = BytesMut::new();
    loop {
        if let Some(length) = accepted(&head)? {
            return Ok(head.split_off(length));
        }
        if head.len() >= HEAD_MAX {
            return Err(Unmet::Refused(format!("its answer has no end within {HEAD_MAX} bytes")));
        }
        let mut room = (&mut *stream).take((HEAD_MAX - head.len()) as u64);
        if room.read_buf(&mut head).await.map_err(failed)? == 0 {
            return Err(Unmet::Failed("the stream ended in the upgrade".to_owned()));
        }
    }
}

/// The length of the head that begins `answer` if the link was granted; none if it goes on.
fn accepted(answer: &[u8]) -> Result<Option<usize>, Unmet> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(answer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(Unmet::Refused(format!("it does not speak HTTP: {error}"))),
    };
    let code = response.code.unwrap_or_default();
    if code != 101 {
        let reason = response.reason.unwrap_or_default();
        return Err(Unmet::Refused(format!("it answers {code} {reason} and gives no link")));
    }
    let grants = |header: &&mut httparse::Header<'_>| {
        header.name.eq_ignore_ascii_case("upgrade") && header.value == PROTOCOL.as_bytes()
    };
    match response.headers.iter_mut().find(|header| grants(header)) {
        Some(_) => Ok(Some(length)),
        None => Err(Unmet::Refused(format!("it switches, but not to {PROTOCOL}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRANT: &str =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: catga/1\r\n\r\n";

    async fn ask(answer: Vec<u8>) -> (Result<BytesMut, Unmet>, String) {
        let (mut here, mut there) = tokio::io::duplex(64 << 10);
        let server = async move {
            let mut request = vec![0; 1024];
            let length = there.read(&mut request).await.expect("a request comes");
            there.write_all(&answer).await.expect("there is room");
            String::from_utf8_lossy(&request[..length]).into_owned()
        };
        tokio::join!(upgrade(&mut here, "node2:5001"), server)
    }

    #[tokio::test]
    async fn what_follows_the_grant_belongs_to_the_link() {
        let (granted, request) = ask([GRANT.as_bytes(), b"\xcaTGA"].concat()).await;
        assert_eq!(granted.as_deref(), Ok(&b"\xcaTGA"[..]));
        assert!(request.starts_with("GET /catga/peer HTTP/1.1\r\nHost: node2:5001\r\n"));
        assert!(request.contains("Upgrade: catga/1\r\n") && request.ends_with("\r\n\r\n"));
    }

    #[tokio::test]
    async fn anything_else_is_a_refusal_that_says_what_came() {
        let refused = async |answer: &[u8]| match ask(answer.to_vec()).await.0 {
            Err(Unmet::Refused(why)) => why,
            other => panic!("{other:?}"),
        };
        let why = refused(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
        assert!(why.contains("404 Not Found"), "{why}");
        assert!(refused(b"+PONG\r\n\r\n").await.contains("HTTP"));
        let why = refused(GRANT.replace("catga/1", "websocket").as_bytes()).await;
        assert!(why.contains("catga/1"), "{why}");
        let endless = [&GRANT.as_bytes()[..34], &vec![b'a'; HEAD_MAX]].concat();
        assert!(refused(&endless).await.contains("8192"));
        assert!(matches!(ask(b"HTTP/1.1 101 Sw".to_vec()).await.0, Err(Unmet::Failed(_))));
    }
}
