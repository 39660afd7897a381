//! Names made from other names.

/// `NotFound` as `not-found`.
pub(crate) fn kebab_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for (index, c) in name.trim_start_matches("r#").char_indices() {
        if c.is_uppercase() && index > 0 {
            out.push('-');
        }
        if c == '_' {
            out.push('-');
        } else {
            out.extend(c.to_lowercase());
        }
    }
    out
}

/// `confirm_order` as `ConfirmOrder`.
pub(crate) fn camel_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for word in name.trim_start_matches("r#").split('_') {
        let mut chars = word.chars();
        out.extend(chars.next().into_iter().flat_map(char::to_uppercase));
        out.push_str(chars.as_str());
    }
    out
}

/// The list as text: `` `a`, `b` ``.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// ``; did you mean `b`?`` if one of `known` is close to `name`, else nothing.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let lower = name.to_lowercase();
    known
        .into_iter()
        .map(|known| (distance(&lower, &known.to_lowercase()), known))
        .min_by_key(|(distance, _)| *distance)
        // A third of the letters may differ; more is another word.
        .filter(|(distance, known)| *distance <= known.len().max(3) / 3)
        .map(|(_, known)| format!("; did you mean `{known}`?"))
        .unwrap_or_default()
}

/// How many letters must be put in, left out or replaced (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_change_their_case() {
        assert_eq!(kebab_case("NotFound"), "not-found");
        assert_eq!(kebab_case("OutOfStock2"), "out-of-stock2");
        assert_eq!(camel_case("confirm_by_mail"), "ConfirmByMail");
        assert_eq!(camel_case("r#move"), "Move");
    }

    #[test]
    fn a_close_name_is_offered_and_a_far_one_is_not() {
        let known = ["name", "reply", "error", "version"];
        assert_eq!(did_you_mean("replay", known), "; did you mean `reply`?".to_owned());
        assert_eq!(did_you_mean("Versoin", known), "; did you mean `version`?");
        assert_eq!(did_you_mean("stream", known), "");
    }
}
