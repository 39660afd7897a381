use catga_core::Timestamp;

/// When tests take place unless they say otherwise: 2026-01-01T00:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// The time written as RFC 3339 text, for tests.
///
/// ```
/// use catga_testkit::time;
///
/// assert!(time("2026-11-21T09:30:00Z") < time("2026-11-21T09:30:00.001Z"));
/// ```
///
/// # Panics
/// If the text is not such a time.
#[track_caller]
pub fn time(rfc3339: &str) -> Timestamp {
    match rfc3339.parse() {
        Ok(time) => time,
        Err(error) => panic!("{rfc3339:?} is {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_start_with_the_year_2026() {
        assert_eq!(START, time("2026-01-01T00:00:00Z"));
    }

    #[test]
    #[should_panic(expected = "\"noon\" is not a time such as 2026-11-21T09:30:00Z")]
    fn what_is_not_a_time_is_named() {
        time("noon");
    }
}
