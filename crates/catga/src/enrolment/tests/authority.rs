use super::ca::{CLUSTER, Ca};
use crate::enrolment::authority::Authority;
use crate::host::Disk;

/// Why it does not sign.
fn why(authority: &Authority) -> String {
    authority.open(&Disk).err().expect("something is missing")
}

#[test]
fn whatever_is_missing_is_named_and_no_file_is_quoted() {
    let (ca, other) = (Ca::new(), Ca::new());
    let whole = ca.authority();
    assert!(why(&Authority { key: None, ..whole.clone() }).contains("CLUSTER_TLS_CA_KEY is not"));
    assert!(why(&Authority { ca: None, ..whole.clone() }).contains("CLUSTER_TLS_CA is not"));
    let nowhere = Authority { key: Some(ca.path("nowhere")), ..whole.clone() };
    assert!(why(&nowhere).contains("nowhere cannot be read"));
    let foreign = Authority { key: Some(other.path("ca.key")), ..whole.clone() };
    assert!(why(&foreign).contains("belongs to no certificate"));
    let no_key = Authority { key: whole.ca.clone(), ..whole.clone() };
    assert!(why(&no_key).contains("holds no private key"), "{}", why(&no_key));
    let key_alone = Authority { ca: whole.key.clone(), ..whole };
    assert!(why(&key_alone).contains("holds no certificate"), "{}", why(&key_alone));
    assert!(!why(&key_alone).contains("BEGIN"));
}

#[test]
fn of_several_cas_the_one_signs_whose_key_it_is() {
    let (ca, other) = (Ca::new(), Ca::new());
    ca.put("ca.pem", &format!("{}{}", other.pem, ca.pem));
    let request = ca.token().request(CLUSTER, "node4").expect("a request");
    let issued = ca.sign(CLUSTER, request.command());
    request.accept_issued(&issued).expect("it is by the CA of the token");
}
