use axum::http::StatusCode;
use catga_core::{Fault, FaultCode, Outcome, RefusalKind};

/// The status of a fault. `docs/faults.md` lists the same.
pub(crate) fn of_fault(fault: &Fault) -> StatusCode {
    let status = of_code(fault.code());
    // 503 promises that nothing ran. A failure of the node itself stays one, whatever is known.
    if fault.outcome() == Outcome::Unknown && status != StatusCode::INTERNAL_SERVER_ERROR {
        return StatusCode::GATEWAY_TIMEOUT;
    }
    status
}

/// The status of a code with its usual outcome.
pub(crate) fn of_code(code: FaultCode) -> StatusCode {
    match code {
        FaultCode::InvalidMessage => StatusCode::BAD_REQUEST,
        FaultCode::NoHandler => StatusCode::NOT_IMPLEMENTED,
        FaultCode::Denied => StatusCode::FORBIDDEN,
        FaultCode::PayloadMismatch | FaultCode::PositionUnknown => StatusCode::UNPROCESSABLE_ENTITY,
        FaultCode::CommandTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        FaultCode::KeysExhausted => StatusCode::TOO_MANY_REQUESTS,
        FaultCode::StreamExists => StatusCode::CONFLICT,
        FaultCode::Overloaded
        | FaultCode::Starting
        | FaultCode::ShuttingDown
        | FaultCode::PositionNotReached
        | FaultCode::Contention
        | FaultCode::ProjectionQuarantined
        | FaultCode::HistoryDamaged
        | FaultCode::NotLeader
        | FaultCode::LogUnavailable
        | FaultCode::DeadlineBeforeStart => StatusCode::SERVICE_UNAVAILABLE,
        FaultCode::DeadlineInDoubt | FaultCode::Expired | FaultCode::InDoubt => {
            StatusCode::GATEWAY_TIMEOUT
        }
        FaultCode::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        // BackupFailed, Panicked, Unreadable, Internal, AnswerTooLarge, and what this build does not
        // know yet.
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The status of a refusal of the domain.
pub(crate) fn of_refusal(kind: RefusalKind) -> StatusCode {
    match kind {
        RefusalKind::NotFound => StatusCode::NOT_FOUND,
        RefusalKind::Invalid => StatusCode::BAD_REQUEST,
        RefusalKind::Forbidden => StatusCode::FORBIDDEN,
        RefusalKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::CONFLICT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_unknown_outcome_never_says_that_nothing_ran() {
        for code in FaultCode::ALL {
            let status = of_fault(&Fault::new(*code, "").with_outcome(Outcome::Unknown));
            assert!(status == 504 || status == 500, "{code:?}: {status}");
        }
    }

    #[test]
    fn docs_faults_has_a_section_on_every_code_with_its_status_and_outcome() {
        let docs = include_str!("../../../docs/faults.md");
        for code in FaultCode::ALL {
            let status = of_code(*code);
            let outcome = match code.outcome() {
                Outcome::NotExecuted => "not-executed",
                Outcome::Unknown => "unknown",
            };
            let retryable = match Fault::new(*code, "").is_retryable() {
                true => "retryable",
                false => "not retryable",
            };
            let heading = format!(
                "\n### {}\n\n*{}, {outcome}, {retryable}.* ",
                code.as_str(),
                status.as_u16()
            );
            assert!(docs.contains(&heading), "docs/faults.md lacks:{heading}");
        }
    }
}
