use std::time::Duration;

/// The longest wait that a caller may ask for.
const LONGEST: Duration = Duration::from_secs(300);

/// The `wait` preference of one `Prefer` header (RFC 7240), fractions of a second allowed.
///
/// None if the header has no such preference; other preferences are not ours to judge.
pub(crate) fn wait(header: &str) -> Option<Result<Duration, &'static str>> {
    header.split(',').find_map(|preference| {
        // Parameters of a preference follow a semicolon; `wait` has none.
        let preference = preference.split(';').next().unwrap_or_default();
        let (name, value) = match preference.split_once('=') {
            Some((name, value)) => (name.trim(), value.trim()),
            None => (preference.trim(), ""),
        };
        name.eq_ignore_ascii_case("wait").then(|| seconds(value.trim_matches('"')))
    })
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    // `f64` would read signs, exponents and `inf` as well.
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let wait = plain
        .then(|| text.parse::<f64>().ok())
        .flatten()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    match wait {
        Some(wait) if !wait.is_zero() && wait <= LONGEST => Ok(wait),
        Some(_) => Err("wait must be above 0 and at most 300 seconds"),
        None => Err("wait must be a number of seconds, such as `wait=5` or `wait=0.5`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_found_among_other_preferences() {
        let ms = |ms| Some(Ok(Duration::from_millis(ms)));
        assert_eq!(wait("wait=5"), ms(5000));
        assert_eq!(wait("respond-async, WAIT=\"0.25\"; x=1, handling=lenient"), ms(250));
        assert_eq!(wait("wait=0.001"), ms(1));
        assert_eq!(wait("wait=300"), ms(300_000));
        assert_eq!(wait("respond-async, waiting=3"), None);
        assert_eq!(wait(""), None);
    }

    #[test]
    fn a_wait_that_is_none_is_refused() {
        for bad in ["wait", "wait=", "wait=0", "wait=-1", "wait=301", "wait=1e1", "wait=inf"] {
            assert!(matches!(wait(bad), Some(Err(_))), "{bad}");
        }
    }
}
