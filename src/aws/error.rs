//! Remote errors, classified once: by code, and by message only where AWS gives no code.

use std::borrow::Cow;
use std::error::Error;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::http::SandboxEnded;
use super::proxy::Through;
use super::words::{shortened, without_stderr};
use crate::aws::LeaseLost;
use crate::domain::{Action, Code, codes};

/// What an error means for us, whatever service it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpErrorKind {
    NotFound,
    AlreadyExists,
    /// Something else is changing it; wait and try again.
    Conflict,
    Denied,
    Credentials,
    Throttled,
    /// Made a moment ago and not yet visible everywhere
    /// (docs/aws/errors-and-retries.md#eventual-consistency).
    NotYetConsistent,
    Quota,
    /// AWS has no such machine to spare now.
    NoCapacity,
    Invalid,
    /// It ended in a state that is not the wanted one.
    BadState,
    /// The script of a job ended well and left no model: it would do so again.
    SavedNothing,
    /// In service, but on the old configuration (docs/decisions/0023).
    RolledBack,
    /// The container of a model failed when it was invoked (docs/aws/sagemaker-endpoints.md#invoking).
    ModelFailed,
    TimedOut,
    /// AWS said that it was made, and it does not appear.
    Missing,
    /// Another deploy of the same project and environment is running.
    LeaseHeld,
    /// Our lease was taken over, or could not be renewed: nothing more may be written.
    LeaseLost,
    /// What was planned is no longer true.
    ChangedMeanwhile,
    Cancelled,
    Network,
    /// It was served by a process that has ended.
    SandboxEnded,
    /// The bytes arrived, but are not those that their checksum says.
    Damaged,
    NotOffered,
    /// It could not be sent at all.
    NotSent,
    /// Something answers, and it is not AWS.
    NotAws,
    /// The service failed (HTTP 500 and above), or its answer cannot be read.
    Unavailable,
    /// The packages of a function cannot be had for Lambda.
    NotPacked,
    /// An upload would leave nothing of a data set.
    Empties,
    /// An upload would leave a file where a folder has to be.
    Clash,
    /// A job has not read the data yet that would be changed.
    StillRead,
    /// A file of this machine.
    Local,
    Unexpected,
}

/// A failed call or wait: what was tried, what AWS said.
#[derive(Debug, thiserror::Error)]
#[error("{}{message}{}", tried(.action), request(.request_id.as_deref()))]
pub struct OpError {
    /// `sagemaker:CreateEndpoint`, or what was done here.
    pub action: Cow<'static, str>,
    pub kind: OpErrorKind,
    pub message: String,
    /// AWS's own code, with which [`Self::message`] begins then: `ResourceNotFoundException`.
    pub aws_code: Option<Box<str>>,
    pub request_id: Option<String>,
    /// What to do about it, where that is more than the code's explanation says.
    pub help: Option<Cow<'static, str>>,
    /// The run was stopped while AWS still refused the call: nothing was made.
    pub refused: bool,
    /// The run was stopped before AWS answered the call of [`Self::action`]: it may have been carried out.
    pub unanswered: bool,
}

/// What a call to AWS gives.
pub type OpResult<T> = Result<T, OpError>;

fn tried(action: &str) -> String {
    if action.is_empty() { String::new() } else { format!("{action}: ") }
}

fn request(id: Option<&str>) -> String {
    id.map(|id| format!(" (request {id})")).unwrap_or_default()
}

impl OpError {
    /// Why nothing more may be written.
    pub fn lease_lost(lost: &LeaseLost) -> Self {
        Self::new("lease", OpErrorKind::LeaseLost, lost.to_string())
    }

    /// An error of this call and kind; the message is for a person.
    pub fn new(action: impl Into<Cow<'static, str>>, kind: OpErrorKind, message: impl Into<String>) -> Self {
        let (action, message) = (action.into(), message.into());
        let (aws_code, request_id, help) = (None, None, None);
        Self { action, kind, message, aws_code, request_id, help, refused: false, unanswered: false }
    }

    /// With what to do about it.
    #[must_use]
    pub fn with_help(self, help: impl Into<Cow<'static, str>>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// What ended otherwise than it should: AWS's words alone say it.
    pub fn ended(kind: OpErrorKind, message: impl Into<String>) -> Self {
        Self::new("", kind, message)
    }

    /// Trouble on this machine, with a file for example.
    pub fn local(what: impl Into<Cow<'static, str>>, error: impl std::fmt::Display) -> Self {
        Self::new(what, OpErrorKind::Local, error.to_string())
    }

    /// Whether an object may not be looked at, such as one under a key of somebody's.
    pub fn is_no_look(&self) -> bool {
        matches!(self.kind, OpErrorKind::Denied | OpErrorKind::Invalid)
    }

    /// Whether this is AWS's code for it.
    pub fn is(&self, aws_code: &str) -> bool {
        self.aws_code.as_deref() == Some(aws_code)
    }

    /// The message without [`Self::aws_code`].
    pub fn said(&self) -> &str {
        let code = self.aws_code.as_deref();
        let said = code.and_then(|code| self.message.strip_prefix(code)?.strip_prefix(": "));
        said.unwrap_or(&self.message)
    }

    /// The stable code that the user sees.
    pub fn code(&self) -> Code {
        match self.kind {
            OpErrorKind::NotFound => codes::NOT_DEPLOYED,
            OpErrorKind::AlreadyExists => codes::FOREIGN,
            OpErrorKind::Conflict => codes::CONFLICT,
            OpErrorKind::Denied => codes::DENIED,
            OpErrorKind::Credentials => codes::CREDENTIALS,
            OpErrorKind::Throttled => codes::THROTTLED,
            OpErrorKind::NotYetConsistent | OpErrorKind::TimedOut => codes::TIMED_OUT,
            OpErrorKind::Missing => codes::MISSING,
            OpErrorKind::Quota => codes::QUOTA,
            OpErrorKind::NoCapacity => codes::NO_CAPACITY,
            OpErrorKind::Invalid => codes::REFUSED,
            OpErrorKind::BadState => codes::FAILED,
            OpErrorKind::SavedNothing => codes::SAVED_NOTHING,
            OpErrorKind::RolledBack => codes::ROLLED_BACK,
            OpErrorKind::ModelFailed => codes::MODEL_ERROR,
            OpErrorKind::LeaseHeld => codes::LEASE_HELD,
            OpErrorKind::LeaseLost => codes::LEASE_LOST,
            OpErrorKind::ChangedMeanwhile => codes::CHANGED_MEANWHILE,
            OpErrorKind::Cancelled => codes::INTERRUPTED,
            OpErrorKind::Network | OpErrorKind::Damaged => codes::NETWORK,
            OpErrorKind::SandboxEnded => codes::SANDBOX_ENDED,
            OpErrorKind::NotOffered => codes::NOT_OFFERED,
            OpErrorKind::NotSent => codes::NOT_SENT,
            OpErrorKind::NotAws => codes::NOT_AWS,
            OpErrorKind::Unavailable => codes::NO_GOOD_ANSWER,
            OpErrorKind::NotPacked => codes::NOT_PACKED,
            OpErrorKind::Empties => codes::EMPTIES,
            OpErrorKind::Clash => codes::CLASH,
            OpErrorKind::StillRead => codes::STILL_READ,
            OpErrorKind::Local => codes::LOCAL_IO,
            OpErrorKind::Unexpected => codes::FAILED,
        }
    }

    /// Whether the same command may simply be run again.
    pub fn retryable(&self) -> bool {
        matches!(
            self.kind,
            OpErrorKind::Conflict
                | OpErrorKind::Throttled
                | OpErrorKind::NoCapacity
                | OpErrorKind::NotYetConsistent
                | OpErrorKind::TimedOut
                | OpErrorKind::Missing
                | OpErrorKind::LeaseHeld
                | OpErrorKind::LeaseLost
                | OpErrorKind::Cancelled
                | OpErrorKind::Network
                | OpErrorKind::SandboxEnded
                | OpErrorKind::Damaged
                | OpErrorKind::Unavailable
        )
    }
}

/// Turns SDK results into ours.
pub trait SdkResultExt<T> {
    fn op(self, action: Action) -> OpResult<T>;
}

impl<T, E> SdkResultExt<T> for Result<T, SdkError<E, Response>>
where
    E: ProvideErrorMetadata + Error + 'static,
{
    fn op(self, action: Action) -> OpResult<T> {
        self.map_err(|error| from_sdk(action, &error))
    }
}

/// What drivers ask about a result.
pub trait OpResultExt<T> {
    /// Not found is an answer, not an error.
    fn found(self) -> OpResult<Option<T>>;
    /// Deleting what is gone is success.
    fn ignore_not_found(self) -> OpResult<()>;
    /// Making what is there is success: a run that was killed is being repeated.
    fn ignore_already_exists(self) -> OpResult<()>;
}

impl<T> OpResultExt<T> for OpResult<T> {
    fn found(self) -> OpResult<Option<T>> {
        match self {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind == OpErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn ignore_not_found(self) -> OpResult<()> {
        self.found().map(drop)
    }

    fn ignore_already_exists(self) -> OpResult<()> {
        match self {
            Err(error) if error.kind != OpErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }
}

fn from_sdk<E>(action: Action, error: &SdkError<E, Response>) -> OpError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let Some(lost) = cause::<LeaseLost>(error) {
        return OpError::new(action, OpErrorKind::LeaseLost, lost.to_string());
    }
    if cause::<SandboxEnded>(error).is_some() {
        return OpError::ended(OpErrorKind::SandboxEnded, SandboxEnded.to_string());
    }
    match error {
        SdkError::ServiceError(e) => refused(action, e.err().meta(), e.raw()),
        SdkError::TimeoutError(_) => OpError::new(action, OpErrorKind::Network, "no answer in time"),
        SdkError::DispatchFailure(e) => not_sent(action, e.is_io() || e.is_timeout(), error),
        SdkError::ResponseError(e) => unreadable(action, e.raw(), error),
        SdkError::ConstructionFailure(_) => OpError::new(action, OpErrorKind::NotSent, root(error)),
        _ => OpError::new(action, OpErrorKind::Network, on_the_way(error)),
    }
}

/// AWS's own answer; or that of something between, which has no code of AWS.
fn refused(action: Action, error: &ErrorMetadata, raw: &Response) -> OpError {
    let (service, status) = (action.service(), raw.status().as_u16());
    let code = error.code().unwrap_or_default();
    let message = shortened(error.message().unwrap_or_default());
    let message = message.as_str();
    let answer = raw.body().bytes().unwrap_or_default();
    if code.is_empty() && is_never_aws(status, service == "sts" || is_page(answer)) {
        return not_aws(action, status);
    }
    // HeadObject has no body, whatever it means; a proxy says in its own words that it is down.
    let is_of_a_proxy = status >= 500 && message.is_empty() && !answer.trim_ascii().is_empty();
    if code.is_empty() && (is_page(answer) || is_of_a_proxy) {
        return no_answer_but(action, status, if is_page(answer) { "a web page" } else { "a text" });
    }
    let kind = classify(service, code, message, status);
    let message = match (code, message) {
        ("", "") => format!("HTTP {status}"),
        (code, "") => code.to_owned(),
        ("", message) => message.to_owned(),
        (code, message) => format!("{code}: {message}"),
    };
    let message = match kind {
        OpErrorKind::Denied => format!("{message}{}", action.needed()),
        _ => message,
    };
    let request_id = ["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"]
        .iter()
        .find_map(|header| raw.headers().get(*header))
        .map(str::to_owned);
    let aws_code = Some(code).filter(|code| !code.is_empty()).map(Into::into);
    OpError { message, aws_code, request_id, ..OpError::new(action, kind, "") }
}

/// Nothing was sent, or nothing came back; `is_of_network` is the client's own word for it.
fn not_sent(action: Action, is_of_network: bool, error: &(dyn Error + 'static)) -> OpError {
    let text = chain(error);
    if !is_of_network && (text.contains("credential") || text.contains("token")) {
        return OpError::ended(OpErrorKind::Credentials, no_credentials(error, &text));
    }
    OpError::new(action, OpErrorKind::Network, on_the_way(error))
}

/// An answer that is no AWS's, or not all of it.
fn unreadable(action: Action, raw: &Response, error: &(dyn Error + 'static)) -> OpError {
    let status = raw.status().as_u16();
    let Some(answer) = raw.body().bytes() else {
        return OpError::new(action, OpErrorKind::Network, "the answer broke off");
    };
    let page = is_page(answer);
    // Emulators answer with a page for what they do not have.
    if action.service() == "sts" && is_never_aws(status, true) {
        return not_aws(action, status);
    }
    if page && status > 501 {
        return no_answer_but(action, status, "a web page");
    }
    let kind = if status == 501 || page { OpErrorKind::NotOffered } else { OpErrorKind::Unavailable };
    let message = format!("HTTP {status}, and the answer cannot be read: {}", chain(error));
    OpError::new(action, kind, message)
}

/// A cause that opsctl itself has put there, such as why a request never left.
fn cause<C: Error + 'static>(error: &dyn Error) -> Option<&C> {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref() {
            return Some(found);
        }
        next = cause.source();
    }
    None
}

/// STS, which every command asks first, has a code for all that it refuses; and no service answers with a
/// page.
fn not_aws(action: Action, status: u16) -> OpError {
    let message = format!("HTTP {status}, but not in AWS's error format");
    OpError::new(action, OpErrorKind::NotAws, message)
}

/// Web servers of others answer 501 to a POST. The other statuses from 500 on may come from a load balancer
/// of AWS's, which writes a page.
fn is_never_aws(status: u16, is_odd: bool) -> bool {
    is_odd && (status < 500 || status == 501)
}

/// Something on the way to AWS, or before it, is down.
fn no_answer_but(action: Action, status: u16, what: &str) -> OpError {
    let message = format!("HTTP {status}, with {what} in place of an answer of AWS's");
    OpError::new(action, OpErrorKind::Unavailable, message)
}

fn is_page(answer: &[u8]) -> bool {
    let start = answer.trim_ascii_start().get(..14).unwrap_or(answer.trim_ascii_start());
    let start = start.to_ascii_lowercase();
    start.starts_with(b"<!doctype html") || start.starts_with(b"<html")
}

/// The first cause. What lies between is the SDK's inside.
fn root(error: &dyn Error) -> String {
    tracing::debug!(error = chain(error), "not sent");
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    without_stderr(cause.to_string())
}

/// What kept a request from its answer, in a person's words: the first cause, and the proxy.
fn on_the_way(error: &dyn Error) -> String {
    let (mut proxy, mut next) = (None, error.source());
    while let Some(cause) = next {
        proxy = proxy.or_else(|| cause.downcast_ref::<Through>().map(ToString::to_string));
        next = cause.source();
    }
    let cause = root(error);
    let cause = cause.split(" (os error").next().unwrap_or_default();
    let cause = match cause.strip_prefix("tunnel error: ") {
        Some("unsuccessful") => "it refused to connect to the host",
        Some("proxy authorization required") => "it asks for a user and a password, or for others",
        Some("unexpected end of file") => "it closed the connection",
        Some(other) => other,
        None => cause,
    };
    let cause = match cause.strip_prefix("failed to lookup address information: ") {
        Some(why) => format!("the host's name has no address: {why}"),
        None => cause.to_owned(),
    };
    proxy.map_or_else(|| cause.clone(), |proxy| format!("{proxy}: {cause}"))
}

/// Why there are no credentials. `all` has all the causes; the last place that is tried, the metadata of an
/// instance, is what the SDK blames when there are none anywhere.
fn no_credentials(error: &dyn Error, all: &str) -> String {
    let cause = root(error);
    match ["IMDS", "no providers in chain"].iter().any(|last| all.contains(last)) {
        true => "no AWS credentials were found: not in the environment, not in a profile, and not in the \
                 metadata of a container or an instance"
            .to_owned(),
        false => format!("the AWS credentials cannot be used: {cause}"),
    }
}

/// The causes from the second on: the first only says "dispatch failure".
fn chain(error: &dyn Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(error) = next {
        let text = error.to_string();
        if texts.last() != Some(&text) {
            texts.push(text);
        }
        next = error.source();
    }
    without_stderr(if texts.is_empty() { error.to_string() } else { texts.join(": ") })
}

/// One error of AWS in our terms. Codes come from docs/aws/errors-and-retries.md, docs/aws/iam.md#limits,
/// docs/aws/sagemaker.md#not-found-and-wrong-state; messages are matched by the shortest sure part, and only
/// for services that have no code for the case.
pub fn classify(service: &str, code: &str, message: &str, status: u16) -> OpErrorKind {
    by_service(service, code, message).or_else(|| by_code(code)).unwrap_or_else(|| by_status(status))
}

/// What a code means to one service only.
fn by_service(service: &str, code: &str, message: &str) -> Option<OpErrorKind> {
    use OpErrorKind::*;
    let says = |part: &str| message.contains(part);
    Some(match (service, code) {
        ("sagemaker", "ValidationException") => invalid_to_sagemaker(message),
        // Of an invocation the code has another ending (docs/aws/sagemaker-endpoints.md#invoking).
        ("sagemaker", "ValidationError") if says("not found") => NotFound,
        ("sagemaker", "ModelError") => ModelFailed,
        ("sagemaker", "ResourceInUse") if says("already exists") || says("must be unique") => AlreadyExists,
        ("sagemaker", "ResourceInUse" | "ConflictException") => Conflict,
        ("lambda", "ResourceConflictException") if says("already exist") => AlreadyExists,
        ("lambda", "InvalidParameterValueException")
            if says("cannot be assumed") || says("does not have permissions") =>
        {
            NotYetConsistent
        }
        // Wildly different words for one cause: the instance profile has not reached EC2 yet
        // (docs/aws/errors-and-retries.md#new-instance-profiles).
        ("ec2", "InvalidParameterValue") if says("IAM Instance Profile") => NotYetConsistent,
        // https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
        ("ec2", c) if c.starts_with("Insufficient") && c.ends_with("Capacity") => NoCapacity,
        ("application-autoscaling", "ValidationException") if says("Unable to assume IAM role") => {
            NotYetConsistent
        }
        // AWS has ObjectNotFoundException for it, moto this.
        ("application-autoscaling", "ValidationException") if says("No scalable target found") => NotFound,
        ("application-autoscaling", "FailedResourceAccessException") => NotYetConsistent,
        ("application-autoscaling", "ConcurrentUpdateException") => Conflict,
        ("scheduler", "ConflictException") if says("already exist") => AlreadyExists,
        ("scheduler", "ValidationException") if says("must allow AWS EventBridge Scheduler to assume") => {
            NotYetConsistent
        }
        ("iam", "MalformedPolicyDocument") if says("Invalid principal") => NotYetConsistent,
        ("iam", "InvalidInput") if says("has been taken") => AlreadyExists,
        ("iam", "ConcurrentModification" | "EntityTemporarilyUnmodifiable") => Conflict,
        ("s3", "OperationAborted" | "ConditionalRequestConflict") => Conflict,
        // What arrived is not what was sent.
        ("s3", "BadDigest" | "XAmzContentChecksumMismatch" | "XAmzContentSHA256Mismatch") => Damaged,
        ("s3", "BucketAlreadyOwnedByYou") => AlreadyExists,
        // Another account's bucket: the name is taken, and nothing of ours is there.
        ("s3", "BucketAlreadyExists") => Denied,
        _ => return None,
    })
}

/// What a code means to any service.
fn by_code(code: &str) -> Option<OpErrorKind> {
    use OpErrorKind::*;
    Some(match code {
        c if c.contains("NotFound") || c.starts_with("NoSuch") || c == "ParameterNotFound" => NotFound,
        c if c.contains("AlreadyExists") => AlreadyExists,
        c if c.contains("Throttl") || c.contains("SlowDown") => Throttled,
        "TooManyRequestsException" | "RequestLimitExceeded" => Throttled,
        c if c.contains("AccessDenied") || c.contains("Unauthorized") || c == "OptInRequired" => Denied,
        c if c.contains("ExpiredToken") || c.contains("InvalidClientTokenId") => Credentials,
        "UnrecognizedClientException" | "InvalidAccessKeyId" => Credentials,
        "SignatureDoesNotMatch" | "AuthFailure" => Credentials,
        c if c.contains("LimitExceeded") || c.ends_with("QuotaExceeded") => Quota,
        "ResourceConflictException" | "DeleteConflict" | "IncorrectInstanceState" => Conflict,
        "UnknownOperationException" | "InvalidAction" | "NotImplemented" => NotOffered,
        "SandboxDiskFull" => Local, // the sandbox's own, and no outage of a service
        c if c.contains("Validation") || c.starts_with("Invalid") || c.starts_with("Malformed") => Invalid,
        "BucketNotEmpty" | "PreconditionFailed" => Conflict,
        _ => return None,
    })
}

/// HeadBucket and HeadObject answer without a body, so without a code
/// (docs/aws/s3.md#answers-without-a-body).
fn by_status(status: u16) -> OpErrorKind {
    use OpErrorKind::*;
    match status {
        404 => NotFound,
        403 => Denied,
        409 | 412 => Conflict,
        429 | 503 => Throttled,
        400 => Invalid,
        501 => NotOffered,
        500.. => Unavailable,
        _ => Unexpected,
    }
}

/// SageMaker calls nearly everything a ValidationException
/// (docs/aws/sagemaker.md#not-found-and-wrong-state).
fn invalid_to_sagemaker(message: &str) -> OpErrorKind {
    let says_any = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
    if says_any(&["ould not find", "RecordNotFound", "Requested resource not found", "does not exist"]) {
        OpErrorKind::NotFound
    } else if says_any(&["already exist", "duplicate"]) {
        OpErrorKind::AlreadyExists
    } else if says_any(&["ould not assume role", "ould not access model data", "does not grant ecr:"]) {
        OpErrorKind::NotYetConsistent
    } else if says_any(&["in-progress", "Unable to transition"]) {
        OpErrorKind::Conflict
    } else {
        OpErrorKind::Invalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_no_outage() {
        let message = "the sandbox cannot write: No space left on device";
        assert_eq!(classify("s3", "SandboxDiskFull", message, 507), OpErrorKind::Local);
        assert_eq!(classify("s3", "InternalError", "", 500), OpErrorKind::Unavailable);
    }

    #[test]
    fn an_endpoint_that_is_not_there_is_no_invalid_payload() {
        let of = |code: &str, message: &str, status| classify("sagemaker", code, message, status);
        let missing = "Endpoint e of account 123456789012 not found.";
        assert_eq!(of("ValidationError", missing, 400), OpErrorKind::NotFound);
        assert_eq!(of("ValidationError", "The payload is too large.", 400), OpErrorKind::Invalid);
        assert_eq!(of("ModelError", "The label was not found.", 424), OpErrorKind::ModelFailed);
    }

    #[test]
    fn what_aws_said_is_told_apart_from_its_code() {
        let error = OpError::new("", OpErrorKind::ModelFailed, "ModelError: it: failed");
        assert_eq!(error.said(), "ModelError: it: failed", "nobody says that AWS has a code for it");
        assert_eq!(OpError { aws_code: Some("ModelError".into()), ..error }.said(), "it: failed");
    }
}
