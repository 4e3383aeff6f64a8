//! What really runs when SageMaker is told to train or to serve, behind a trait: the control plane keeps the
//! documents and their rules, a [`Backend`] does the work and reports through [`Job`] and [`Endpoint`].
//!
//! One is plugged in before the sandbox serves: `shared.extensions.plug::<dyn Backend>(…)`. Without it,
//! [`StatesOnly`] goes through the states in AWS's times and refuses to predict.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::endpoint::Endpoint;
use super::job::{End, Job};
use super::resource::failure_reason;
use crate::clock::Millis;
use crate::extensions::Plug;
use crate::fault::Fault;
use crate::rules::AwsRule;
use crate::services::objects::Objects;
use crate::state::SandboxState;

/// Does what the control plane has accepted. All but `invoke` return at once and continue in background tasks
/// of the sandbox. After a restart of the sandbox the same calls are made again for whatever was in progress.
pub trait Backend: Send + Sync {
    /// Runs a job that is `InProgress`: [`Job::enter`] for each stage, then [`Job::end`].
    fn train(&self, job: Job);

    /// The job is `Stopping`: SIGTERM, 120 s of grace, upload of what is there, then [`Job::end`]
    /// (docs/aws/sagemaker-training.md#states).
    fn stop(&self, job: Job);

    /// Makes the servers be what [`Endpoint::wanted`] says, then [`Endpoint::ready`] or [`Endpoint::failed`].
    /// What [`Endpoint::serving`] says must keep serving until then.
    fn deploy(&self, endpoint: Endpoint);

    /// The endpoint is in service but the sandbox was restarted, so its servers are gone.
    fn restore(&self, endpoint: Endpoint);

    /// The endpoint is being deleted: ends its servers.
    fn remove(&self, endpoint: Endpoint);

    /// Asks a server of a variant that is in service; what it answers with, or [`model_error`].
    fn invoke(
        &self,
        endpoint: Endpoint,
        variant: String,
        request: Invocation,
    ) -> BoxFuture<'static, Result<Prediction, Fault>>;
}

/// [`Objects::holds`] of a sandbox.
pub async fn holds(shared: &Arc<SandboxState>, region: &str, uri: &str) -> bool {
    objects(shared).holds(Arc::clone(shared), region.to_owned(), uri.to_owned()).await
}

/// What `InvokeEndpoint` passes to the container; other headers are stripped
/// (docs/aws/sagemaker-endpoints.md#invoking).
#[derive(Clone, Debug, Default)]
pub struct Invocation {
    pub body: Bytes,
    pub content_type: Option<String>,
    pub accept: Option<String>,
    pub custom_attributes: Option<String>,
    pub inference_id: Option<String>,
}

/// What the container answered with a status of 200.
#[derive(Clone, Debug, Default)]
pub struct Prediction {
    pub body: Bytes,
    pub content_type: String,
    pub custom_attributes: Option<String>,
}

/// The 424 of a container that answered with another status than 200, or with none in time (status 0).
pub fn model_error(endpoint: &Endpoint, status: u16, message: &str) -> Fault {
    let side = if (400..500).contains(&status) { "client" } else { "server" };
    let (region, name, account) = (&endpoint.region, &endpoint.name, &endpoint.shared.account);
    let group = endpoint.log_group();
    let console = format!("https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}");
    let text = format!(
        "Received {side} error ({status}) from primary with message \"{message}\". See \
         {console}#logEventViewer:group={group} in account {account} for more information."
    );
    tracing::debug!(target: "opsctl::sandbox", endpoint = name, status, "model error");
    Fault::new(424, "ModelError", text)
        .with("OriginalStatusCode", status)
        .with("OriginalMessage", message)
        .with("LogStreamArn", endpoint.shared.arn("logs", region, &format!("log-group:{group}")))
}

impl Plug for dyn Backend {
    fn unplugged() -> Arc<Self> {
        Arc::new(StatesOnly)
    }
}

/// Who does the work of this sandbox.
pub fn of(shared: &SandboxState) -> Arc<dyn Backend> {
    shared.extensions.plugged()
}

fn objects(shared: &SandboxState) -> Arc<dyn Objects> {
    shared.extensions.plugged()
}

/// Walks through the states of AWS, in AWS's times, and does nothing on the way. It fails where it can know
/// that AWS would: no data, no archive, an image that does not serve. It never predicts.
#[derive(Debug)]
pub struct StatesOnly;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A container that never passes /ping keeps its endpoint `Creating` for so long
/// (docs/aws/sagemaker-endpoints.md#endpoint-states).
const PING_PATIENCE: Duration = seconds(24 * 60);

impl Backend for StatesOnly {
    fn train(&self, job: Job) {
        let shared = Arc::clone(&job.shared);
        shared.spawn(async move {
            if let Some(end) = walk(&job).await {
                job.end(end);
            }
        });
    }

    fn stop(&self, job: Job) {
        let shared = Arc::clone(&job.shared);
        shared.spawn(async move {
            wait(&job.shared, job.modified(), seconds(20)).await;
            job.end(End::stopped(None));
        });
    }

    fn deploy(&self, endpoint: Endpoint) {
        let shared = Arc::clone(&endpoint.shared);
        shared.spawn(async move {
            let failure = defect(&endpoint).await;
            let patience = if failure.is_some() { PING_PATIENCE } else { seconds(240) };
            wait(&endpoint.shared, endpoint.modified(), patience).await;
            match failure {
                Some(reason) => endpoint.failed(&reason),
                None => endpoint.ready(),
            }
        });
    }

    fn restore(&self, _: Endpoint) {}

    fn remove(&self, _: Endpoint) {}

    fn invoke(
        &self,
        endpoint: Endpoint,
        _: String,
        _: Invocation,
    ) -> BoxFuture<'static, Result<Prediction, Fault>> {
        let message = format!(
            "no model server runs behind the endpoint {}: this sandbox only walks through its states, and it \
             never makes up a prediction; see https://github.com/opsctl/opsctl/blob/main/docs/sandbox.md",
            endpoint.name
        );
        Box::pin(async move { Err(Fault::new(501, "NotImplemented", message)) })
    }
}

/// Waits until `lasts`, at the sandbox's pace, has passed since `begun`; answers with that time. Times come
/// from the documents, so that a clock advanced by an hour ends all stages, and a restart takes nothing back.
async fn wait(shared: &SandboxState, begun: Millis, lasts: Duration) -> Millis {
    let at = begun + shared.pace.of(lasts).as_millis() as Millis;
    shared.clock.until(at).await;
    at
}

/// One stage after the other. `None`: the job was stopped or deleted on the way.
async fn walk(job: &Job) -> Option<End> {
    let mut at = job.modified();
    let stages = [
        (seconds(60), "Downloading", "Downloading input data"),
        (seconds(60), "Training", "Training image download completed. Training in progress."),
        (seconds(120), "Uploading", "Uploading generated training model"),
    ];
    for (lasts, stage, message) in stages {
        at = wait(&job.shared, at, lasts).await;
        if !job.enter(stage, message) {
            return None;
        }
        if stage == "Downloading"
            && let Some(reason) = missing_data(job).await
        {
            return Some(End::failed(reason));
        }
    }
    let model = job.artifact("model.tar.gz");
    let uploaded = match archive() {
        Ok(archive) => {
            objects(&job.shared)
                .put(Arc::clone(&job.shared), job.region.clone(), model.clone(), archive.into())
                .await
        }
        Err(error) => Err(error.to_string()),
    };
    wait(&job.shared, at, seconds(20)).await;
    Some(match uploaded {
        Ok(()) => End::completed(model),
        Err(reason) => End::failed(format!("ClientError: Failed to upload {model}: {reason}")),
    })
}

/// AWS's failure of a channel that has no objects (docs/aws/sagemaker-training.md#failure-reasons).
pub async fn missing_data(job: &Job) -> Option<String> {
    let document = job.document()?;
    for channel in document["InputDataConfig"].as_array().into_iter().flatten() {
        let Some(uri) = channel["DataSource"]["S3DataSource"]["S3Uri"].as_str() else { continue };
        if !holds(&job.shared, &job.region, uri).await {
            let (role, region) = (document["RoleArn"].as_str().unwrap_or_default(), &job.region);
            return Some(format!(
                "ClientError: No S3 objects found under S3 URL \"{uri}\" given in input data source. Please \
                 ensure that the bucket exists in the selected region ({region}), that objects exist under \
                 that S3 prefix, and that the role \"{role}\" has \"s3:ListBucket\" permissions on the \
                 bucket."
            ));
        }
    }
    None
}

/// Why a fleet would not come into service, as far as its documents tell.
pub async fn defect(endpoint: &Endpoint) -> Option<String> {
    for variant in endpoint.wanted() {
        let container = &variant.model["PrimaryContainer"];
        let text = |member: &str| container[member].as_str().unwrap_or_default();
        let data = text("ModelDataUrl");
        if !data.is_empty() && !holds(&endpoint.shared, &endpoint.region, data).await {
            return Some(failure_reason(&format!(
                "Failed to download model data for container \"container_1\" from URL: \"{data}\". Please \
                 ensure that there is an object located at the URL and that the role passed to CreateModel \
                 has permissions to download the object."
            )));
        }
        // Training and inference images differ: one that only trains does not answer /ping
        // (docs/aws/sagemaker.md#framework-images).
        let trains_only = text("Image").contains("-training:") || text("Image").contains("/pytorch:");
        if trains_only && endpoint.shared.enforces(AwsRule::TrainingImageDoesNotServe) {
            return Some(no_ping(&variant.name));
        }
    }
    None
}

/// AWS's reason for a container that does not serve (docs/aws/sagemaker-endpoints.md#endpoint-states).
pub fn no_ping(variant: &str) -> String {
    format!(
        "The primary container for production variant {variant} did not pass the ping health check. Please \
         check CloudWatch logs for this endpoint."
    )
}

/// A real `model.tar.gz` that says what it is.
fn archive() -> std::io::Result<Vec<u8>> {
    const NOTE: &[u8] = b"The sandbox walked through the states of this job; nothing was trained.\n";
    let mut header = tar::Header::new_gnu();
    header.set_size(NOTE.len() as u64);
    header.set_mode(0o644);
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let mut archive = tar::Builder::new(gzip);
    archive.append_data(&mut header, "NOT_TRAINED.txt", NOTE)?;
    archive.into_inner()?.finish()
}

/// Takes up again what a restart of the sandbox interrupted, and what was in service.
pub fn resume(shared: &Arc<SandboxState>) {
    let work = of(shared);
    for (region, name, doc) in shared.everywhere(super::TRAINING_JOB.table) {
        let job = Job::new(shared, &region, &name);
        match doc["TrainingJobStatus"].as_str() {
            Some("InProgress") => work.train(job),
            Some("Stopping") => work.stop(job),
            _ => {}
        }
    }
    for (region, name, doc) in shared.everywhere(super::ENDPOINT.table) {
        let endpoint = Endpoint::new(shared, &region, &name);
        match doc["EndpointStatus"].as_str() {
            Some("InService") => work.restore(endpoint),
            // What served keeps serving during the update.
            Some("Updating") => {
                work.restore(endpoint.clone());
                work.deploy(endpoint);
            }
            Some("Creating") => work.deploy(endpoint),
            _ => {}
        }
    }
}
