/// So many of what `one` names, in words.
pub(crate) fn amount(count: u64, one: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {one}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        let said = [0, 1, 2].map(|count| amount(count, "table"));
        assert_eq!(said, ["0 tables", "1 table", "2 tables"]);
    }
}
