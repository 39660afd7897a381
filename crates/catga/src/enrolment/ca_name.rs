//! The name of a CA, so that what it signs can say who has signed it.

use rcgen::{DistinguishedName, DnType, DnValue};

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_ID: u8 = 0x06;
const UTF8: u8 = 0x0c;
const PRINTABLE: u8 = 0x13;
const IA5: u8 = 0x16;

/// The name that is written as `subject`, the content of a sequence in DER.
///
/// It is read here, and not by a parser of certificates: that would be a second one beside the one
/// that verifies, and fifteen crates. Whether it comes out as it was, the verifier says of what was
/// signed.
///
/// # Errors
/// When it has parts that cannot be written again.
pub(super) fn read(subject: &[u8]) -> Result<DistinguishedName, String> {
    name(subject).ok_or_else(|| {
        "the CA's name has parts of other kinds than UTF-8, printable and IA5 strings".to_owned()
    })
}

fn name(mut subject: &[u8]) -> Option<DistinguishedName> {
    let mut name = DistinguishedName::new();
    while !subject.is_empty() {
        let mut part = take(&mut subject, SET)?;
        let mut pair = take(&mut part, SEQUENCE)?;
        let kind = object_id(take(&mut pair, OBJECT_ID)?)?;
        let tag = *pair.first()?;
        let text = String::from_utf8(take(&mut pair, tag)?.to_vec()).ok()?;
        if !part.is_empty() || !pair.is_empty() {
            return None;
        }
        let value = match tag {
            UTF8 => DnValue::Utf8String(text),
            PRINTABLE => DnValue::PrintableString(text.try_into().ok()?),
            IA5 => DnValue::Ia5String(text.try_into().ok()?),
            _ => return None,
        };
        name.push(DnType::CustomDnType(kind), value);
    }
    Some(name)
}

/// Takes the content of the next value, which must have this tag.
fn take<'a>(rest: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let [found, length, after @ ..] = *rest else { return None };
    if *found != tag {
        return None;
    }
    let (length, after) = match *length {
        short if short < 0x80 => (usize::from(short), after),
        0x81 => (usize::from(*after.first()?), &after[1..]),
        0x82 => (usize::from(u16::from_be_bytes([*after.first()?, *after.get(1)?])), &after[2..]),
        _ => return None,
    };
    let (content, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(content)
}

/// The numbers of an object id: seven bits in a byte, and the first two numbers in one.
fn object_id(bytes: &[u8]) -> Option<Vec<u64>> {
    let (mut numbers, mut number) = (Vec::new(), 0_u64);
    for byte in bytes {
        number = number.checked_mul(128)? | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            match numbers.is_empty() {
                true => {
                    let first = (number / 40).min(2);
                    numbers.extend([first, number - 40 * first]);
                }
                false => numbers.push(number),
            }
            number = 0;
        }
    }
    let is_whole = bytes.last().is_some_and(|last| last & 0x80 == 0);
    is_whole.then_some(numbers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair};
    use webpki::EndEntityCert;

    use super::*;

    #[test]
    fn a_name_is_written_as_it_was() {
        let mut params = CertificateParams::default();
        let mut written = DistinguishedName::new();
        let long = "a name that is longer than one byte of length can say: ".repeat(6);
        written.push(DnType::CountryName, DnValue::PrintableString("CH".try_into().expect("it")));
        written.push(DnType::OrganizationName, long.as_str());
        written.push(DnType::CommonName, "Käse & Söhne");
        let domain = DnType::CustomDnType(vec![0, 9, 2342, 19_200_300, 100, 1, 25]);
        written.push(domain, DnValue::Ia5String("example".try_into().expect("it")));
        params.distinguished_name = written;
        let key = KeyPair::generate().expect("a key");
        let first = params.self_signed(&key).expect("signed");
        let subject = EndEntityCert::try_from(first.der()).expect("read").subject().to_vec();
        params.distinguished_name = read(&subject).expect("a name");
        let again = params.self_signed(&key).expect("signed");
        assert_eq!(EndEntityCert::try_from(again.der()).expect("read").subject(), subject);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&bytes);
            // Deeper in, where the tags fit.
            let content = u8::try_from(bytes.len()).expect("short");
            let mut pair = vec![SET, content + 2, SEQUENCE, content];
            pair.extend_from_slice(&bytes);
            let _ = read(&pair);
        }
    }
}
