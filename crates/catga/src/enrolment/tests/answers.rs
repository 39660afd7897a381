use proptest::prelude::*;

use super::ca::{CLUSTER, Ca};
use crate::enrolment::{IssuedCertificate, JoinError, JoinRequest};

/// What the joiner makes of an answer.
fn accept(request: &JoinRequest, answer: &IssuedCertificate) -> Result<(), JoinError> {
    let answer = serde_json::to_vec(answer).expect("JSON");
    request.accept(&answer).map(drop)
}

/// What is wrong with a certificate, in words.
fn refused(request: &JoinRequest, answer: &IssuedCertificate) -> String {
    match accept(request, answer) {
        Err(JoinError::Certificate(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_answered_is_what_a_node_starts_with() {
    let ca = Ca::new();
    let request = ca.token().request(CLUSTER, "node 4/ä").expect("a request");
    let issued = ca.sign(CLUSTER, request.command());
    let life_ms = issued.expires_at.as_millis() - issued.issued_at.as_millis();
    assert_eq!(life_ms, 1_000_000);
    let body = serde_json::to_vec(&issued).expect("JSON");
    let files = request.accept(&body).expect("it is its own");
    ca.put("node.pem", &files.certificate_pem);
    ca.put("node.key", &files.key_pem);
    ca.put("joined.pem", &files.ca_pem);
    // As the start of the node reads them.
    let [ca, pem, key] = ["joined.pem", "node.pem", "node.key"].map(|file| ca.path(file));
    let tls = crate::Tls::from_files(ca, pem, key);
    let load = |name| {
        let host = std::sync::Arc::new(crate::host::TokioHost::current());
        catga_cluster::Credentials::load(host, tls.clone(), CLUSTER, &crate::NodeName::new(name))
    };
    let loaded = load("node 4/ä").expect("they fit together");
    assert!(loaded.certificate().valid_for.as_secs() > 900, "{loaded:?}");
    assert!(load("node 4").is_err());
}

#[test]
fn a_ca_that_is_not_the_tokens_is_refused_whatever_it_signs() {
    let (ours, theirs) = (Ca::new(), Ca::new());
    let request = ours.token().request(CLUSTER, "node4").expect("a request");
    let answer = theirs.sign(CLUSTER, request.command());
    assert_eq!(accept(&request, &answer), Err(JoinError::OtherCa));
    // The right CA, shown with what another has signed.
    let mixed = IssuedCertificate { ca: ours.pem.clone(), ..answer.clone() };
    assert!(refused(&request, &mixed).contains("not the CA's"));
    let both = IssuedCertificate { ca: format!("{}{}", ours.pem, theirs.pem), ..answer };
    assert!(matches!(accept(&request, &both), Err(JoinError::Answer(_))));
}

#[test]
fn a_certificate_of_anybody_else_is_refused() {
    let ca = Ca::new();
    let token = ca.token();
    let request = token.request(CLUSTER, "node4").expect("a request");
    let own = ca.sign(CLUSTER, request.command());
    assert_eq!(accept(&request, &own), Ok(()));
    for (cluster, name) in [(CLUSTER, "node5"), ("shed", "node4")] {
        let mut other = request.command().clone();
        name.clone_into(&mut other.name);
        let why = refused(&request, &ca.sign(cluster, &other));
        assert!(why.contains("catga://shop/node/node4"), "{why}");
    }
    let again = token.request(CLUSTER, "node4").expect("a request");
    let why = refused(&request, &ca.sign(CLUSTER, again.command()));
    assert!(why.contains("another key"), "{why}");
    // With its key it is the same request.
    let resumed = token.request_again(CLUSTER, "node4", &request.key_pem()).expect("its key");
    assert_eq!(resumed.command(), request.command());
    assert_eq!(accept(&resumed, &own), Ok(()));
    let ca_key = std::fs::read_to_string(ca.path("ca.key")).expect("a key");
    for no_key in ["", "no", &ca_key, &own.ca] {
        let refused = token.request_again(CLUSTER, "node4", no_key);
        assert_eq!(refused.err(), Some(JoinError::Key), "{no_key}");
    }
    // The CA itself is nobody's certificate.
    let not_a_node = IssuedCertificate { certificate: ca.pem, ..own };
    assert!(matches!(accept(&request, &not_a_node), Err(JoinError::Certificate(_))));
}

#[test]
fn no_answer_makes_the_joiner_panic() {
    let ca = Ca::new();
    let request = ca.token().request(CLUSTER, "node4").expect("a request");
    let issued = ca.sign(CLUSTER, request.command());
    let good = serde_json::to_vec(&issued).expect("JSON");
    let certificate = issued.certificate.clone();
    proptest!(|(bytes: Vec<u8>, at in 0..certificate.len(), byte: u8, place in 0..good.len())| {
        prop_assert!(request.accept(&bytes).is_err());
        let mut near = good.clone();
        near[place] = byte;
        let _ = request.accept(&near);
        // A certificate with one byte changed is another, or none.
        let mut near = issued.clone();
        let mut pem = certificate.clone().into_bytes();
        let is_content = pem[at].is_ascii_alphanumeric() && (28..pem.len() - 28).contains(&at);
        pem[at] = if pem[at] == b'A' { b'B' } else { b'A' };
        near.certificate = String::from_utf8(pem).expect("ASCII");
        prop_assert!(!is_content || accept(&request, &near).is_err());
    });
}
