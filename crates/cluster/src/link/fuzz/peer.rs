use bytes::BytesMut;
use catga_fuzz::Choices;
use catga_host::{Connection, Host};
use tokio::io::AsyncWriteExt;
use tokio::runtime::Builder;

use super::super::connection::Wires;
use super::super::frame::Kind;
use super::super::handshake::shake;
use super::super::secret::Role;
use super::super::tests::{Net, Node, ground, ms, options};
use super::frames::{sent, write_checksums, written};

/// A peer that has proved who it is, and sends anything. Its requests reach their handler as they were
/// sent, each once and in the order of its lane; of what was changed on the way, nothing that it did not
/// send. The node goes on.
#[test]
fn a_handler_sees_the_requests_of_a_peer_and_nothing_else() {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let _within = runtime.enter();
    catga_fuzz::target!(800, 1024, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let (changes, mends) = (choices.flip(), choices.flip());
        let portion = 1 + choices.below(400);
        let changed_by = choices.bytes(32);
        let (batch, expected) = sent(&mut choices, &[Kind::Request]);
        let mut bytes = written(batch);
        if changes {
            Choices::new(changed_by).change(&mut bytes);
            if mends {
                write_checksums(&mut bytes);
            }
        }
        let seen = runtime.block_on(async {
            let node = Node::with(&Net::default(), options(1));
            let (here, there) = tokio::io::duplex(16 << 10);
            let accept = node.links.accept(Connection::new(there));
            let peer = async {
                let mut wires = Wires::new(here, BytesMut::new());
                let ground = ground(options(2));
                shake(&ground, &mut wires, Role::Dialler).await.expect("it is a peer");
                for portion in bytes.chunks(portion) {
                    if wires.writer.write_all(portion).await.is_err() {
                        break;
                    }
                }
                // Shorter than what a node waits for one that is silent.
                node.machine.sleep(ms(20)).await;
            };
            tokio::join!(accept, peer);
            let seen = node.desk.seen();
            node.kill().await;
            seen
        });
        let mut left: Vec<_> =
            expected.into_iter().map(|whole| (whole.topic, whole.payload)).collect();
        let sent = left.len();
        if !changes || !mends {
            for request in &seen {
                let place = left.iter().position(|sent| sent == request);
                left.remove(place.unwrap_or_else(|| panic!("{request:?} was not sent")));
            }
        }
        assert!(changes || seen.len() == sent, "{} of {sent} came", seen.len());
    });
}
