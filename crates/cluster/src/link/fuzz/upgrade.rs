use catga_fuzz::{Choices, allocated};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::handshake::Unmet;
use super::super::upgrade::upgrade;

const GRANT: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: catga/1\r\n\r\n";

/// The longest head that is read.
const HEAD_MAX: usize = 8 << 10;

/// What comes of an answer that is sent in portions of `length`: all that belongs to the link then.
async fn ask(answer: &[u8], length: usize) -> Result<Vec<u8>, Unmet> {
    let (mut here, mut there) = tokio::io::duplex(32 << 10);
    let answer = async move {
        let mut request = [0; 256];
        let asked = there.read(&mut request).await.expect("a request comes");
        assert!(request[..asked].ends_with(b"\r\n\r\n"));
        for portion in answer.chunks(length) {
            there.write_all(portion).await.expect("there is room");
            tokio::task::yield_now().await;
        }
    };
    let asked = async {
        let mut link = upgrade(&mut here, "node2:5001").await?.to_vec();
        here.read_to_end(&mut link).await.expect("it ends");
        Ok(link)
    };
    tokio::join!(asked, answer).0
}

#[test]
fn an_answer_grants_a_link_only_where_it_says_so() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    catga_fuzz::target!(2_000, 2048, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let length = 1 + choices.below(400);
        let mut answer = match choices.byte() % 4 {
            0 => Vec::new(),
            1 => [GRANT.as_bytes(), b"\xcaTGA"].concat(),
            2 => GRANT.replace("101 Switching Protocols", "404 Not Found").into_bytes(),
            // One that has no end.
            _ => [&GRANT.as_bytes()[..34], &vec![b'a'; choices.below(2 * HEAD_MAX)]].concat(),
        };
        choices.change(&mut answer);
        answer.extend_from_slice(choices.rest());
        let (granted, took) = allocated(|| runtime.block_on(ask(&answer, 1 << 20)));
        // Beside the stream in memory and what comes behind the head.
        assert!(took.largest <= 64 << 10, "{took:?}");
        assert_eq!(granted, runtime.block_on(ask(&answer, length)), "in portions of {length}");
        match granted {
            Ok(link) => {
                let (head, rest) = answer.split_at(answer.len() - link.len());
                assert_eq!(link, rest);
                let head = String::from_utf8_lossy(head).to_ascii_lowercase();
                assert!(head.trim_start().starts_with("http/1."), "{head:?}");
                assert!(head.contains(" 101") && head.contains("upgrade:"), "{head:?}");
                assert!(head.len() <= HEAD_MAX && head.ends_with('\n'), "{head:?}");
            }
            Err(Unmet::Refused(why)) => assert!(!why.is_empty()),
            Err(Unmet::Failed(why)) => assert!(why.contains("upgrade"), "{why}"),
            Err(Unmet::Left) => panic!("HTTP has no farewell"),
        }
    });
}
