//! What a client asks over HTTP, what it makes of the answer, and how that is written down.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use catga_check::{Action, Operation, Outcome, Recorder, Refusal, Reply, Shown};
use order_cluster::client::{Answer, Call, Client as Connection, NoAnswer};
use serde::Deserialize;
use serde_json::json;

/// Problem details, as far as they are needed here.
#[derive(Debug, Deserialize)]
struct Problem {
    r#type: String,
    #[serde(default)]
    detail: String,
    code: String,
    outcome: String,
}

/// The code of a key that comes with another payload.
const MISMATCH: &str = "payload-mismatch";

#[derive(Debug, Deserialize)]
struct Orders {
    orders: Vec<Shown>,
}

/// The request that asks for `action`, about the order of this product.
pub(crate) fn call(order: &str, action: &Action) -> Call {
    match action {
        Action::Create { customer, quantity } => Call::post(
            "/orders",
            &json!({ "productId": order, "quantity": quantity, "customerId": customer }),
        ),
        Action::Cancel { id, reason } => {
            Call::post(format!("/orders/{id}/cancel"), &json!({ "reason": reason }))
        }
        Action::Get { id, level, token } => {
            let level = match level {
                catga_check::Level::Local => "local",
                catga_check::Level::Session => "session",
                catga_check::Level::Linearizable => "linearizable",
            };
            let call = Call::get(format!("/orders/{id}")).header("catga-read", level);
            match token {
                Some(token) => call.header("catga-position", token.to_string()),
                None => call,
            }
        }
        Action::List { customer } => {
            let call = Call::get(format!("/orders/customer/{customer}"));
            call.header("catga-read", "linearizable")
        }
    }
}

/// Sends a request, and writes down that it was sent and what came of it.
///
/// # Errors
/// When it cannot be written down.
pub(crate) async fn sent(
    recorder: &Recorder,
    node: &mut Connection,
    operation: Operation,
    call: &Call,
    patience: Duration,
) -> Result<(Operation, Result<Answer, NoAnswer>)> {
    let mut operation = recorder.invoke(operation).context("write down what is sent")?;
    let answer = match tokio::time::timeout(patience, node.send(call)).await {
        Ok(answer) => answer,
        Err(_) => Err(NoAnswer::TooLate(patience)),
    };
    operation.outcome = outcome(&operation.action, &answer);
    if let Ok(answer) = &answer {
        operation.visible = answer.visible;
        let position = answer.position.as_ref().and_then(|text| text.parse().ok());
        operation.position = position.filter(|_| operation.is_answered());
    }
    recorder.returned(&mut operation).context("write down what came of it")?;
    Ok((operation, answer))
}

/// Sends a request again and again. False if it is not answered within `patience`.
///
/// # Errors
/// When it cannot be written down.
pub(crate) async fn until_answered(
    recorder: &Recorder,
    node: &mut Connection,
    mut operation: Operation,
    call: &Call,
    patience: Duration,
) -> Result<bool> {
    let since = Instant::now();
    loop {
        let (heard, _) = sent(recorder, node, operation.clone(), call, patience).await?;
        if heard.is_answered() || since.elapsed() > patience {
            return Ok(heard.is_answered());
        }
        operation.attempt += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What came of it, as its client knows it.
fn outcome(action: &Action, answer: &Result<Answer, NoAnswer>) -> Outcome {
    let answer = match answer {
        Ok(answer) => answer,
        // Nothing was sent.
        Err(NoAnswer::NoConnection(_)) => return Outcome::NotExecuted,
        Err(_) => return Outcome::Unknown,
    };
    if answer.status.is_success() {
        let reply = match action {
            Action::List { .. } => answer.json().map(|Orders { orders }| Reply::Orders(orders)),
            _ => answer.json().map(Reply::Order),
        };
        return reply.map_or_else(|| strange(answer), Outcome::Ok);
    }
    let Some(problem) = answer.json::<Problem>() else { return strange(answer) };
    match (problem.r#type.starts_with("urn:catga:refusal:"), &*problem.outcome) {
        // The same key with another payload, which is tried on purpose.
        (false, "not-executed") if problem.code == MISMATCH => Outcome::NotExecuted,
        // What the caller did wrong is an answer too, which the checkers do not expect here.
        (false, "not-executed") if answer.status.is_client_error() && answer.status != 429 => {
            Outcome::Refused(Refusal { code: problem.code, detail: problem.detail })
        }
        (false, "not-executed") => Outcome::NotExecuted,
        (false, _) => Outcome::Unknown,
        (true, _) => Outcome::Refused(Refusal { code: problem.code, detail: problem.detail }),
    }
}

/// An answer that is none of the service's: the checkers will say so.
fn strange(answer: &Answer) -> Outcome {
    let detail = String::from_utf8_lossy(&answer.body).into_owned();
    Outcome::Refused(Refusal { code: format!("status {}", answer.status), detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(status: u16, body: &str) -> Outcome {
        let status = status.try_into().expect("a status");
        let (body, position) = (body.to_owned().into(), None);
        let get = Action::Get { id: "1".to_owned(), level: catga_check::Level::Local, token: None };
        outcome(&get, &Ok(Answer { status, body, position, visible: true }))
    }

    #[test]
    fn an_answer_is_what_its_problem_says() {
        let problem = |kind: &str, outcome: &str| {
            format!(
                r#"{{"type":"urn:catga:{kind}:x","code":"x","detail":"d","outcome":"{outcome}"}}"#
            )
        };
        let refused = Outcome::Refused(Refusal { code: "x".to_owned(), detail: "d".to_owned() });
        assert_eq!(came(409, &problem("refusal", "not-executed")), refused);
        assert_eq!(came(422, &problem("fault", "not-executed")), refused);
        assert_eq!(came(503, &problem("fault", "not-executed")), Outcome::NotExecuted);
        let mismatch = problem("fault", "not-executed")
            .replace(r#""code":"x""#, r#""code":"payload-mismatch""#);
        assert_eq!(came(422, &mismatch), Outcome::NotExecuted);
        assert_eq!(came(429, &problem("fault", "not-executed")), Outcome::NotExecuted);
        assert_eq!(came(504, &problem("fault", "unknown")), Outcome::Unknown);
        assert_eq!(came(500, &problem("fault", "unknown")), Outcome::Unknown);
        assert!(matches!(came(200, "no order"), Outcome::Refused(_)));
    }
}
