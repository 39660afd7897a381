use std::time::Duration;

use proptest::prelude::*;

use super::ca::{CLUSTER, Ca};
use crate::Timestamp;
use crate::enrolment::{
    Admission, Base64, EnrolmentError, JoinError, JoinToken, JoinTokenCreated, JoinTokenRedeemed,
};

#[test]
fn a_token_is_read_as_it_was_written_and_shows_nothing_else() {
    let token = Ca::new().token();
    let text = token.reveal();
    let read = JoinToken::parse(&format!("  {text}\n")).expect("it is a token");
    assert_eq!((read.public_key(), read.reveal()), (token.public_key(), text.clone()));
    let seed = text.split('.').nth(1).expect("a seed");
    let request = read.request(CLUSTER, "node4").expect("a request");
    let sent = String::from_utf8(request.body()).expect("JSON");
    let creation = token.creation("node4", Duration::from_secs(60));
    for shown in [format!("{token:?} {request:?} {creation:?}"), sent] {
        assert!(!shown.contains(seed), "{shown}");
        assert!(shown.contains(&token.public_key().to_string()), "{shown}");
        assert!(!shown.contains("PRIVATE"), "{shown}");
    }
}

#[test]
fn a_token_is_bound_to_one_ca() {
    let (ca, other) = (Ca::new(), Ca::new());
    let both = format!("{}{}", ca.pem, other.pem);
    for (pem, said) in [(&*both, "2 certificates"), ("", "no certificate"), ("no", "no cert")] {
        let why = JoinToken::make(pem.as_bytes()).expect_err(pem).to_string();
        assert!(why.contains(said), "{why}");
    }
    let key = std::fs::read(ca.path("ca.key")).expect("a key");
    let why = JoinToken::make(&key).expect_err("it is a key").to_string();
    assert!(!why.contains("BEGIN"), "{why}");
}

#[test]
fn a_token_admits_one_key_of_one_name_until_it_expires() {
    let token = Ca::new().token();
    let at = Timestamp::from_millis;
    let mut admission = Admission::created(&JoinTokenCreated {
        token: token.public_key(),
        name: "node4".to_owned(),
        renews: false,
        expires_at: at(2000),
    });
    let request = |name| token.request(CLUSTER, name).expect("a request").command().clone();
    let (first, second, other) = (request("node4"), request("node4"), request("node5"));
    assert_eq!(admission.admits(&first, at(1999)), Ok(true));
    assert_eq!(admission.admits(&first, at(2000)), Err(EnrolmentError::Expired(at(2000))));
    let other = admission.admits(&other, at(0));
    assert_eq!(other, Err(EnrolmentError::OtherName("node4".to_owned())));
    let node_key = first.node_key;
    admission.redeemed(&JoinTokenRedeemed { token: token.public_key(), node_key });
    assert_eq!(admission.admits(&first, at(1999)), Ok(false), "it is answered again");
    assert_eq!(admission.admits(&second, at(1999)), Err(EnrolmentError::Used));
    assert_eq!(admission.admits(&first, at(2000)), Err(EnrolmentError::Expired(at(2000))));
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in ".*", seed: [u8; 32], cut in 0_usize..96) {
        prop_assert_eq!(JoinToken::parse(&text).err(), Some(JoinError::NoToken));
        // Close to one.
        let mut near = format!("catga1.{}.{}", Base64(seed), Base64(seed));
        prop_assert!(JoinToken::parse(&near).is_ok());
        let cut = cut.min(near.len() - 1);
        near.remove(cut);
        prop_assert!(JoinToken::parse(&near).is_err());
        near.insert_str(cut, text.get(..1).unwrap_or("."));
        let _ = JoinToken::parse(&near);
    }
}
