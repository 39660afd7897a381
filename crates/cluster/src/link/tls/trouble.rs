//! What rustls says, as it is told to operators.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

/// Why TLS has failed, if that is what `error` says.
pub(in crate::link) fn trouble(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match error {
        Error::AlertReceived(alert) => format!("it refuses: {}", of_alert(*alert)),
        Error::InvalidCertificate(_) => format!("its certificate: {}", of_certificate(error)),
        Error::NoCertificatesPresented => "it has no certificate".to_owned(),
        Error::InvalidMessage(_) => {
            "it does not speak TLS, or not rightly: TLS is set here, and perhaps not there"
                .to_owned()
        }
        Error::NoApplicationProtocol => "it speaks TLS, and not catga/1 inside".to_owned(),
        error => format!("TLS failed: {error}"),
    })
}

/// What is wrong with a certificate.
pub(super) fn of_certificate(error: &Error) -> String {
    let Error::InvalidCertificate(why) = error else { return error.to_string() };
    match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "none of the CAs here has signed it".to_owned()
        }
        CertificateError::Expired => "it has expired".to_owned(),
        CertificateError::ExpiredContext { time, not_after } => {
            let ago = time.as_secs().saturating_sub(not_after.as_secs());
            format!("it has expired, {ago} s ago")
        }
        CertificateError::NotValidYet => "it is not valid yet".to_owned(),
        CertificateError::NotValidYetContext { time, not_before } => {
            let to_come = not_before.as_secs().saturating_sub(time.as_secs());
            format!("it is not valid yet, but in {to_come} s by this machine's clock")
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not for both ends of a connection (serverAuth and clientAuth)".to_owned()
        }
        other => other.to_string(),
    }
}

fn of_alert(alert: AlertDescription) -> String {
    match alert {
        // A CA that has the name of one that it knows, and another key, is the second.
        AlertDescription::UnknownCA | AlertDescription::DecryptError => {
            "it does not know the CA of this node's certificate".to_owned()
        }
        AlertDescription::CertificateExpired => "this node's certificate has expired".to_owned(),
        AlertDescription::CertificateRequired => "this node has shown no certificate".to_owned(),
        AlertDescription::NoApplicationProtocol => {
            "it does not speak catga/1 inside TLS".to_owned()
        }
        other => format!("TLS alert {other:?}"),
    }
}
