use std::path::Path;
use std::sync::Arc;

use catga_fuzz::{Choices, allocated};
use catga_host::{Files, Host, Open};
use catga_testkit::VirtualHost;
use catga_testkit::disk::SimDisk;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use tokio::runtime::Builder;

use super::Tls;
use super::files::Contents;
use super::keys::{Keys, Owner};

const PATHS: [&str; 3] = ["/ca.pem", "/node.pem", "/node.key"];

/// What a file of a few KiB may take while it is read.
const READ_BYTES: usize = 256 << 10;

/// A CA, a certificate of node `n1` in the cluster `shop`, and its key.
fn good() -> [String; 3] {
    let ca_key = KeyPair::generate().expect("a key");
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).expect("signed").pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().expect("a key");
    let mut node = CertificateParams::default();
    let name = super::certificate_name("shop", "n1").try_into().expect("ASCII");
    node.subject_alt_names = vec![SanType::URI(name)];
    let node_pem = node.signed_by(&key, &issuer).expect("signed").pem();
    [ca_pem, node_pem, key.serialize_pem()]
}

/// Files of an operator: they are keys as a whole, or an error names those that are not, and shows nothing
/// of what is in them.
#[test]
fn files_of_tls_are_keys_or_an_error_that_does_not_quote_them() {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let _within = runtime.enter();
    let host = VirtualHost::new(1) as Arc<dyn Host>;
    let tls = Tls::from_files(PATHS[0], PATHS[1], PATHS[2]);
    let owner = Owner { cluster: "shop".to_owned(), node: "n1".to_owned() };
    let good = good();
    catga_fuzz::target!(400, 256, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let disk = SimDisk::new(1);
        let mut contents = good.clone().map(String::into_bytes);
        let which = choices.below(3);
        match choices.byte() {
            0..20 => contents[which] = choices.bytes(99).to_vec(),
            20..40 => contents.swap(which, choices.below(3)),
            // The same again behind it.
            40..60 => contents[which] = contents[which].repeat(2),
            _ => choices.change(&mut contents[which]),
        }
        for (path, content) in PATHS.iter().zip(&contents) {
            let file = disk.open(Path::new(path), Open::Create).expect("a file");
            file.write_at(content, 0).expect("written");
        }
        let made = || Keys::new(&host, &tls, &owner, Contents::read(&disk, &tls));
        let (keys, took) = allocated(made);
        assert!(took.largest <= READ_BYTES, "{took:?}");
        let Err(error) = keys else { return };
        assert!(!error.faults.is_empty());
        assert!(
            error.faults.iter().all(|fault| PATHS.iter().any(|path| fault.contains(path))),
            "{error}"
        );
        let text = error.to_string();
        for line in contents.iter().flat_map(|it| it.split(|byte| *byte == b'\n')) {
            let line = String::from_utf8_lossy(line);
            assert!(line.len() < 20 || !text.contains(&*line), "{text}");
        }
    });
}
