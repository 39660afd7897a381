//! Who comes and is no node.

use std::sync::Arc;

use catga_host::{Connection, Host, timeout};
use rustls::ClientConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS13;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::TlsConnector;

use super::super::keys::{ALPN, nobody};
use super::super::signed::SignedByOurs;
use super::authority::{Authority, CLUSTER, Issued, credentials, ground};
use crate::link::ground::Ground;
use crate::link::handshake::Unmet;
use crate::link::tests::{Net, Node, SECOND, options};
use crate::link::{accepted, dial};

/// A client that verifies what it meets, and shows `issued`, or nothing.
fn client(ca: &Authority, issued: Option<&Issued>, alpn: &[&[u8]]) -> TlsConnector {
    let provider = Arc::new(default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let mut roots = rustls::RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(ca.pem().as_bytes()).expect("a CA");
    roots.add(ca).expect("a CA");
    let verifier = Arc::new(SignedByOurs { roots: Arc::new(roots), algorithms });
    let client = ClientConfig::builder_with_provider(provider);
    let client = client.with_protocol_versions(&[&TLS13]).expect("it is built in");
    let client = client.dangerous().with_custom_certificate_verifier(verifier);
    let mut client = match issued {
        Some(Issued { certificate, key }) => {
            let chain = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
            client.with_client_auth_cert(vec![chain], key).expect("they belong together")
        }
        None => client.with_no_client_auth(),
    };
    client.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    client.enable_sni = false;
    TlsConnector::from(Arc::new(client))
}

/// Lets a client connect and read; what it hears, and what the node says.
async fn connect(client: TlsConnector, node: &Ground) -> (String, String) {
    let (here, there) = tokio::io::duplex(64 << 10);
    let connect = async {
        let mut stream = match client.connect(nobody(), here).await {
            Ok(stream) => stream,
            Err(error) => return error.to_string(),
        };
        let mut heard = Vec::new();
        match stream.read_to_end(&mut heard).await {
            Ok(_) => String::from_utf8_lossy(&heard).into_owned(),
            Err(error) => error.to_string(),
        }
    };
    let accept = accepted::meet(node, Connection::new(there), false);
    let accept = timeout(&*node.host, SECOND, accept);
    let (heard, accepted) = tokio::join!(connect, accept);
    match accepted {
        Ok(Err(Unmet::Refused(why))) => (heard, why),
        other => panic!("{other:?}, {heard}"),
    }
}

#[tokio::test(start_paused = true)]
async fn who_shows_no_certificate_is_refused() {
    let ca = Authority::new();
    let node = ground(2, &[&ca], &ca).await;
    let (heard, said) = connect(client(&ca, None, &[ALPN]), &node).await;
    assert!(heard.contains("CertificateRequired"), "{heard}");
    assert_eq!(said, "it has no certificate");
}

#[tokio::test(start_paused = true)]
async fn who_speaks_something_else_inside_is_refused() {
    let ca = Authority::new();
    let (node, issued) = (ground(2, &[&ca], &ca).await, ca.issue("n1"));
    let (heard, said) = connect(client(&ca, Some(&issued), &[b"h2"]), &node).await;
    assert!(heard.contains("NoApplicationProtocol"), "{heard}");
    assert!(said.contains("not catga/1 inside"), "{said}");
    let (_, said) = connect(client(&ca, Some(&issued), &[]), &node).await;
    assert!(said.contains("not catga/1 inside"), "{said}");
}

/// Whose certificate names nobody, or several, or the node only where names do not count.
#[tokio::test(start_paused = true)]
async fn a_certificate_names_one_node() {
    let ca = Authority::new();
    let uri = crate::certificate_name(CLUSTER, "n1");
    let cut = &uri[..uri.len() - 1];
    let longer = format!("{uri}0");
    let other_case = uri.replace("catga:", "CATGA:");
    for uris in [&[][..], &[&*uri, "catga://shop/node/n3"], &[cut], &[&longer], &[&other_case]] {
        let node = ground(2, &[&ca], &ca).await;
        let stranger = client(&ca, Some(&ca.issue_as(uris, None)), &[ALPN]);
        // It speaks as node 1 does, inside.
        let (here, there) = tokio::io::duplex(64 << 10);
        let speak = async {
            let stream = stranger.connect(nobody(), here).await.expect("TLS itself takes it");
            let plain = super::authority::on(catga_testkit::VirtualHost::new(1), options(1));
            dial::meet(&plain, Connection::new(stream), "node2:1").await
        };
        let accept = accepted::meet(&node, Connection::new(there), false);
        let (heard, said) = tokio::join!(speak, accept);
        for said in [heard.map(|_| ()), said.map(|_| ())] {
            let Err(Unmet::Refused(why)) = said else { panic!("{uris:?}: {said:?}") };
            assert!(why.contains("the certificate of node n1: it names"), "{uris:?}: {why}");
        }
    }
}

async fn node(net: &Net, ca: &Authority) -> Node {
    let own = catga_testkit::VirtualHost::new(1);
    let credentials = credentials(&own, &[ca], &ca.issue("n1"), (CLUSTER, "n1")).await;
    Node::on(net, own, options(1).with_tls(credentials.expect("they fit together")))
}

/// What a stream takes before its reader is gone, at most.
const TAKEN_MAX: usize = 256 << 10;

/// Writes `bytes` again and again until nobody takes more; how many were taken.
async fn pour(mut stream: DuplexStream, begin: &[u8], bytes: &[u8]) -> usize {
    stream.write_all(begin).await.expect("there is room");
    let mut poured = begin.len();
    while poured <= TAKEN_MAX && stream.write_all(bytes).await.is_ok() {
        poured += bytes.len();
    }
    poured
}

#[tokio::test(start_paused = true)]
async fn who_stalls_or_sends_garbage_is_cut_off_and_takes_no_room() {
    let (net, ca) = (Net::default(), Authority::new());
    let node = node(&net, &ca).await;
    // A record of TLS, which begins a hello of 16 MB.
    let hello = [&[0x16, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff][..], &[0; 0x3ffc]].concat();
    let more = [&[0x16, 3, 1, 0x40, 0][..], &[0; 0x4000]].concat();
    for (begin, more) in [(&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 4096][..]), (&hello, &more)] {
        let (here, there) = tokio::io::duplex(4 << 10);
        let accept = node.links.accept(Connection::new(there));
        let began = node.machine.now();
        let (poured, ()) = tokio::join!(pour(here, begin, more), accept);
        assert!(poured < TAKEN_MAX, "{poured} bytes were taken");
        assert!(node.machine.now() - began <= SECOND * 3);
    }
    // One that says nothing, and one that stops in the middle.
    for begin in [&b""[..], &hello[..100]] {
        let (mut here, there) = tokio::io::duplex(4 << 10);
        here.write_all(begin).await.expect("there is room");
        let began = node.machine.now();
        node.links.accept(Connection::new(there)).await;
        assert_eq!(node.machine.now() - began, SECOND * 3);
    }
}
