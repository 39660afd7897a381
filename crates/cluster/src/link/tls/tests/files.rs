use std::sync::Arc;
use std::time::Duration;

use catga_core::NodeName;
use catga_host::Host;
use catga_testkit::VirtualHost;

use super::super::{Credentials, certificate_name};
use super::authority::{Authority, CLUSTER, Issued, credentials, put, put_all, tls};

/// What is wrong with these files for node 1.
async fn faults(ca: &str, certificate: &str, key: &str) -> String {
    let own = VirtualHost::new(1);
    let files = own.files();
    for (path, content) in
        [("/tls/ca.pem", ca), ("/tls/node.pem", certificate), ("/tls/node.key", key)]
    {
        put(&*files, path, content).await;
    }
    let load = Credentials::load(own as Arc<dyn Host>, tls(), CLUSTER, &NodeName::new("n1"));
    load.expect_err("something is wrong").to_string()
}

#[tokio::test(start_paused = true)]
async fn every_file_that_cannot_be_used_is_named() {
    let (ca, other) = (Authority::new(), Authority::new());
    let (ours, theirs) = (ca.issue("n1"), ca.issue("n2"));
    let own = VirtualHost::new(1);
    let load = Credentials::load(own as Arc<dyn Host>, tls(), CLUSTER, &NodeName::new("n1"));
    let none = load.expect_err("there are none");
    assert_eq!(none.faults.len(), 3, "{none}");
    for file in ["/tls/ca.pem", "/tls/node.pem", "/tls/node.key"] {
        assert!(none.to_string().contains(file), "{none}");
    }
    let not_pem = faults("no", "no", "no").await;
    for part in [
        "/tls/ca.pem holds no certificate",
        "/tls/node.pem holds no certificate",
        "/tls/node.key holds no private key",
    ] {
        assert!(not_pem.contains(part), "{not_pem}");
    }
    let Issued { certificate, key } = &ours;
    let mixed = faults(&ca.pem(), certificate, &theirs.key).await;
    assert!(mixed.contains("node.key does not belong to the certificate in /tls/node."), "{mixed}");
    let foreign = faults(&other.pem(), certificate, key).await;
    assert!(foreign.contains("none of the CAs here has signed it"), "{foreign}");
    let swapped = faults(&ca.pem(), key, certificate).await;
    assert!(!swapped.contains("BEGIN") && swapped.contains("node.key holds no private key"));
    let long = faults(&"x".repeat((1 << 20) + 1), certificate, key).await;
    assert!(long.contains("/tls/ca.pem cannot be read: it has 1048577 bytes"), "{long}");
    // Both at once.
    let both = faults(&other.pem(), &theirs.certificate, key).await;
    for part in ["catga://shop/node/n2, and not catga://shop/node/n1", "none of the CAs", "belong"]
    {
        assert!(both.contains(part), "{both}");
    }
    let shed = ca.issue_as(&[&certificate_name("shed", "n1")], None);
    let why = faults(&ca.pem(), &shed.certificate, &shed.key).await;
    assert!(why.contains("catga://shed/node/n1, and not catga://shop/node/n1"), "{why}");
    let old = ca.issue_as(&[&certificate_name(CLUSTER, "n1")], Some(Duration::from_secs(1 << 30)));
    let why = faults(&ca.pem(), &old.certificate, &old.key).await;
    assert!(why.contains("it has expired"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn files_that_do_not_fit_together_are_not_taken_and_it_is_said() {
    let (ca, new) = (Authority::new(), Authority::new());
    let own = VirtualHost::new(1);
    let until = Duration::from_secs(own.wall_ms() / 1000 + 1000);
    let first = ca.issue_as(&[&certificate_name(CLUSTER, "n1")], Some(until));
    let loaded = credentials(&own, &[&ca], &first, (CLUSTER, "n1")).await;
    let credentials = loaded.expect("they fit together");
    assert_eq!(credentials.certificate().not_after, until);
    assert_eq!(credentials.reload(), Ok(false), "nothing is new");
    own.sleep(Duration::from_secs(10)).await;
    let valid_for = credentials.certificate().valid_for;
    assert!(valid_for <= Duration::from_secs(990), "{valid_for:?}");

    let next = new.issue("n1");
    put(&*own.files(), "/tls/node.pem", &next.certificate).await;
    let error = credentials.reload().expect_err("neither CA nor key fit");
    assert_eq!(error.faults.len(), 2, "{error}");
    assert_eq!(credentials.certificate().reload_failure, Some(error));
    assert_eq!(credentials.certificate().not_after, until, "the old one goes on");

    // As it was, or as it should be.
    put(&*own.files(), "/tls/node.pem", &first.certificate).await;
    assert_eq!(credentials.reload(), Ok(false));
    assert_eq!(credentials.certificate().reload_failure, None);
    put_all(&*own.files(), &[&ca, &new], &next).await;
    assert_eq!(credentials.reload(), Ok(true));
    assert_ne!(credentials.certificate().not_after, until);
}
