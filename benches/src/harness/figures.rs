use serde::{Deserialize, Serialize};

use super::Latency;

/// The figures of one case; those that do not apply are left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Figures {
    /// How many events there were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) events: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ops_per_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p50_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p999_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ns_per_op: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allocs_per_op: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_per_op: Option<f64>,
    /// From exec to the first answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rss_mb: Option<f64>,
    /// The size of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mb: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) crates: Option<usize>,
    /// What was acknowledged and is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lost: Option<u64>,
    /// What was sent once and is there twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) doubled: Option<u64>,
}

/// One line of the results: the median round of one subject in one case.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) case: String,
    pub(crate) subject: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) clients: Option<usize>,
    #[serde(flatten)]
    pub(crate) figures: Figures,
    pub(crate) rounds: usize,
    /// (max − min) / median of the rounds.
    pub(crate) spread: f64,
    /// The subject's version or settings; for the table.
    #[serde(skip)]
    pub(crate) settings: &'static str,
}

impl Figures {
    /// The figures of `ops` operations that took `seconds` together.
    pub(crate) fn of(ops: u64, seconds: f64, latency: &Latency) -> Self {
        Self {
            ops_per_s: Some(ops as f64 / seconds),
            ns_per_op: Some(seconds * 1e9 / ops as f64),
            p50_us: Some(latency.us(0.5)),
            p99_us: Some(latency.us(0.99)),
            p999_us: Some(latency.us(0.999)),
            ..Self::default()
        }
    }

    /// The one figure that rounds are ordered by.
    pub(super) fn key(&self) -> f64 {
        let keys = [self.ns_per_op, self.ms, self.rss_mb, self.mb, self.seconds];
        keys.into_iter().flatten().next().unwrap_or_default()
    }
}
