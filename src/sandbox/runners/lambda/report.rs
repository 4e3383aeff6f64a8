//! The lines that Lambda itself writes into a function's log, and its own error documents.
//!
//! Source: AWS, "Using the Lambda log" (lambda/latest/dg/python-logging); the texts of the error documents
//! and `Status:` are [memory].

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde_json::json;

/// An error that the service finds, not the function's own code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Breakdown {
    /// The invocation, or a second init inside it, did not end within the function's timeout.
    TimedOut(Duration),
    /// The process ended, or was killed for its memory.
    Exited(String),
    /// The answer is larger than 6 MB.
    TooLarge,
}

impl Breakdown {
    /// Lambda's word for it.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::TimedOut(_) => "Sandbox.Timedout",
            Self::Exited(_) => "Runtime.ExitError",
            Self::TooLarge => "Function.ResponseSizeTooLarge",
        }
    }

    fn text(&self) -> String {
        match self {
            Self::TimedOut(limit) => format!("Task timed out after {:.2} seconds", limit.as_secs_f64()),
            Self::Exited(how) => format!("Runtime exited with error: {how}"),
            Self::TooLarge => {
                "Response payload size exceeded maximum allowed payload size (6291556 bytes).".to_owned()
            }
        }
    }

    /// The payload of the answer to Invoke.
    pub fn document(&self, request_id: &str) -> Bytes {
        let message = match self {
            Self::TooLarge => self.text(),
            _ => format!("RequestId: {request_id} Error: {}", self.text()),
        };
        json!({ "errorType": self.error_type(), "errorMessage": message }).to_string().into()
    }

    /// What the log says of it.
    pub fn log_lines(&self, request_id: &str) -> Vec<String> {
        match self {
            Self::TimedOut(_) => {
                let now = humantime::format_rfc3339_millis(SystemTime::now());
                vec![format!("{now} {request_id} {}", self.text())]
            }
            _ => {
                vec![format!("RequestId: {request_id} Error: {}", self.text()), self.error_type().to_owned()]
            }
        }
    }
}

pub(super) fn start(request_id: &str, version: &str) -> String {
    format!("START RequestId: {request_id} Version: {version}")
}

pub(super) fn end(request_id: &str) -> String {
    format!("END RequestId: {request_id}")
}

/// Written when the init phase did not end well. `status` is `timeout` or `error`.
pub(super) fn init(duration: Duration, status: &str, error_type: Option<&str>) -> String {
    let spent = duration.as_secs_f64() * 1000.0;
    let error_type = error_type.map(|name| format!("\tError Type: {name}")).unwrap_or_default();
    format!("INIT_REPORT Init Duration: {spent:.2} ms\tPhase: init\tStatus: {status}{error_type}")
}

/// The numbers of one invocation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    pub duration: Duration,
    pub init: Option<Duration>,
    pub memory_mb: u32,
    pub peak_mb: u32,
}

impl Usage {
    /// Whole milliseconds, rounded up. Since August 2025 the init of a cold start is billed too [memory].
    pub fn billed_ms(&self) -> u64 {
        let total = self.duration + self.init.unwrap_or_default();
        u64::try_from(total.as_micros().div_ceil(1000)).unwrap_or(u64::MAX)
    }

    /// The line REPORT of the log.
    pub fn report(&self, request_id: &str, breakdown: Option<&Breakdown>) -> String {
        let mut line = format!(
            "REPORT RequestId: {request_id}\tDuration: {:.2} ms\tBilled Duration: {} ms\tMemory Size: {} MB\t\
             Max Memory Used: {} MB",
            self.duration.as_secs_f64() * 1000.0,
            self.billed_ms(),
            self.memory_mb,
            self.peak_mb,
        );
        if let Some(init) = self.init {
            line += &format!("\tInit Duration: {:.2} ms", init.as_secs_f64() * 1000.0);
        }
        match breakdown {
            Some(Breakdown::TimedOut(_)) => line += "\tStatus: timeout",
            Some(other) => line += &format!("\tStatus: error\tError Type: {}", other.error_type()),
            None => {}
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_reads_as_on_aws() {
        let usage = Usage {
            duration: Duration::from_micros(3_120),
            init: Some(Duration::from_micros(250_500)),
            memory_mb: 128,
            peak_mb: 61,
        };
        let expected = "REPORT RequestId: r-1\tDuration: 3.12 ms\tBilled Duration: 254 ms\tMemory Size: 128 \
                        MB\tMax Memory Used: 61 MB\tInit Duration: 250.50 ms";
        assert_eq!(usage.report("r-1", None), expected);
    }

    #[test]
    fn a_timeout_reads_as_on_aws() {
        let breakdown = Breakdown::TimedOut(Duration::from_secs(3));
        let document = breakdown.document("r-1");
        assert_eq!(
            document,
            r#"{"errorMessage":"RequestId: r-1 Error: Task timed out after 3.00 seconds","errorType":"Sandbox.Timedout"}"#
        );
        assert!(breakdown.log_lines("r-1")[0].ends_with(" r-1 Task timed out after 3.00 seconds"));
    }
}
