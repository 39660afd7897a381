use catga_fuzz::Choices;

use super::{endpoint, read};
use crate::{AdminToken, ServeError};

fn changed(choices: &mut Choices<'_>, good: &str) -> String {
    let mut bytes = good.as_bytes().to_vec();
    choices.change(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn an_environment_says_where_to_listen_or_which_variable_is_wrong() {
    catga_fuzz::target!(10_000, 128, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let port = choices.flip().then(|| changed(&mut choices, "5001"));
        let good = *choices.one_of(&["127.0.0.1", "::1", "0.0.0.0", "localhost"]);
        let bind = choices.flip().then(|| changed(&mut choices, good));
        let find = |name: &str| match name {
            "PORT" => port.clone(),
            "BIND" => bind.clone(),
            other => panic!("{other} is not asked for"),
        };
        match read(find) {
            Ok(address) => {
                let said = port.as_ref().map_or(Ok(5001), |port| port.trim().parse());
                assert_eq!(said, Ok(address.port()));
                assert!(endpoint(address).starts_with("http://"));
            }
            Err(ServeError::Environment { name, value, .. }) => {
                let wrong = if name == "PORT" { &port } else { &bind };
                assert_eq!(wrong.as_ref(), Some(&value));
            }
            Err(other) => panic!("{other}"),
        }
        // What operators show: a token that is taken is long, and an error does not show it.
        let token = changed(&mut choices, "0x5e-c4-e7_9zQ!x7w6v5u4");
        if let Err(error) = AdminToken::new(&token) {
            assert!(token.len() < 8 || !error.to_string().contains(&token), "{error}");
        }
    });
}
