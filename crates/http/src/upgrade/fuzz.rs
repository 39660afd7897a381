use std::sync::{Arc, Mutex};
use std::time::Duration;

use catga_fuzz::Choices;
use catga_host::{Host, TokioHost};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Connection, router};

const ASKS: &str =
    "GET /catga/peer HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: catga/1\r\n\r\n";

/// How long somebody waits for an answer, of a clock that jumps.
const HEARS: Duration = Duration::from_secs(1);

/// What comes of `request`, which is sent in portions of `length` bytes: the answer, and what reached a
/// link, if one was given.
async fn asked(request: Vec<u8>, length: usize) -> (Vec<u8>, Option<Vec<u8>>) {
    let host = Arc::new(TokioHost::current()) as Arc<dyn Host>;
    let link = Arc::<Mutex<Option<Vec<u8>>>>::default();
    let (given, (ended, wait)) = (Arc::clone(&link), tokio::sync::watch::channel(false));
    let take = move |mut connection: Connection| -> catga_host::BoxFuture<'static, ()> {
        *given.lock().expect("nobody panics") = Some(Vec::new());
        let (given, ended) = (Arc::clone(&given), ended.clone());
        Box::pin(async move {
            let mut came = Vec::new();
            let _ = connection.read_to_end(&mut came).await;
            *given.lock().expect("nobody panics") = Some(came);
            ended.send_replace(true);
        })
    };
    let (mut here, there) = tokio::io::duplex(8 << 10);
    let service = TowerToHyperService::new(router(&host, Arc::new(take)));
    let serve = http1::Builder::new().serve_connection(TokioIo::new(there), service);
    let serve = serve.with_upgrades();
    let asks = async {
        for portion in request.chunks(length) {
            if here.write_all(portion).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        // Whoever hangs up before he has heard gets no link.
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let heard = tokio::time::timeout(HEARS, here.read_u8()).await;
            let Ok(Ok(byte)) = heard else { break };
            answer.push(byte);
        }
        let _ = here.shutdown().await;
        let _ = here.read_to_end(&mut answer).await;
        answer
    };
    let (_, answer) = tokio::join!(serve, asks);
    if link.lock().expect("nobody panics").is_some() {
        let mut wait = wait;
        wait.wait_for(|ended| *ended).await.expect("it is there");
    }
    let link = link.lock().expect("nobody panics").take();
    (answer, link)
}

/// Somebody gets a link where he has asked for one, and what he sends behind it reaches it unchanged; what
/// he hears otherwise says that it is for nodes, or that it is no request.
#[test]
fn who_asks_for_a_link_gets_one_and_nobody_else() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    catga_fuzz::target!(3_000, 512, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let length = 1 + choices.below(200);
        let mut request = ASKS.as_bytes().to_vec();
        if choices.byte() < 180 {
            choices.change(&mut request);
        }
        let is_whole = request == ASKS.as_bytes();
        let behind = choices.rest();
        request.extend_from_slice(behind);
        let (answer, link) = runtime.block_on(asked(request.clone(), length));
        let said = String::from_utf8_lossy(&answer);
        match link {
            Some(came) => {
                assert!(said.starts_with("HTTP/1.1 101 "), "{said}");
                assert!(request.ends_with(&came), "the link hears what was sent");
                let (head, _) = request.split_at(request.len() - came.len());
                let head = String::from_utf8_lossy(head).to_ascii_lowercase();
                assert!(head.contains("catga/1") && head.contains("upgrade"), "{head}");
                assert!(!is_whole || came == behind);
            }
            None => {
                assert!(!is_whole && !said.contains("HTTP/1.1 101 "), "{said}");
                // None where it is no whole request.
                let status = said.get(9..12).unwrap_or("400");
                assert!(["400", "404", "405", "426", "431", "505"].contains(&status), "{said}");
            }
        }
    });
}
