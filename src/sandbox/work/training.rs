//! Training jobs as local processes (docs/aws/sagemaker-training.md).
//!
//! One process plays the first instance, whatever `InstanceCount` says. Data and code come from the sandbox's
//! S3, and results go there. `Pipe` mode and images without script mode are refused: the job fails and says
//! so.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::future::pending;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::checkpoints::{self, Checkpoints};
use super::log::LogStream;
use super::objects::RoleObjects;
use crate::authority::Session;
use crate::call::Answer;
use crate::clock::Millis;
use crate::fault::Fault;
use crate::runners::container::ContainerFolders;
use crate::runners::metrics::{LastValues, Metric};
use crate::runners::process::{Line, LineSink};
use crate::runners::python::contents::Contents;
use crate::runners::training::{STOP_GRACE, StartError, Training, TrainingEnd, TrainingRun};
use crate::services::cloudwatch::{self, MetricId};
use crate::services::sagemaker::backend::missing_data;
use crate::services::sagemaker::{End, Ended, Job};
use crate::state::SandboxState;

const LOG_GROUP: &str = "/aws/sagemaker/TrainingJobs";

/// What a running job can be told.
#[derive(Default)]
struct Signals {
    stop: CancellationToken,
    interrupt: Notify,
}

/// The jobs that this process runs, by region and name.
#[derive(Default)]
struct Running(Mutex<HashMap<(String, String), Arc<Signals>>>);

impl Running {
    fn change<T>(&self, change: impl FnOnce(&mut HashMap<(String, String), Arc<Signals>>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn find(&self, job: &Job) -> Option<Arc<Signals>> {
        self.change(|jobs| jobs.get(&key(job)).cloned())
    }
}

fn key(job: &Job) -> (String, String) {
    (job.region.clone(), job.name.clone())
}

/// Runs a job from its beginning; a job that a restart of the sandbox interrupted begins again, with its
/// checkpoints.
pub fn start(job: Job) {
    let running = job.shared.extensions.get::<Running>();
    let signals = Arc::new(Signals::default());
    running.change(|jobs| jobs.insert(key(&job), Arc::clone(&signals)));
    let shared = Arc::clone(&job.shared);
    shared.spawn(async move {
        let end = run(&job, &signals).await;
        running.change(|jobs| jobs.remove(&key(&job)));
        job.end(end);
    });
}

/// The job is `Stopping`; one that nothing runs has stopped.
pub fn stop(job: &Job) {
    match job.shared.extensions.get::<Running>().find(job) {
        Some(signals) => signals.stop.cancel(),
        None => job.end(End::stopped(None)),
    }
}

/// `POST /_sandbox/interrupt {"job": …, "region": …}`: takes a spot job's instance away
/// (docs/aws/sagemaker-training.md#spot).
pub fn interrupt(shared: &Arc<SandboxState>, posted: &Value) -> Answer {
    let name = posted["job"].as_str().unwrap_or_default();
    let job = Job::new(shared, posted["region"].as_str().unwrap_or(&shared.region), name);
    let spot = job.document().is_some_and(|document| document["EnableManagedSpotTraining"] == true);
    match job.shared.extensions.get::<Running>().find(&job) {
        Some(signals) if spot => {
            signals.interrupt.notify_one();
            Ok(json!({}))
        }
        _ => Err(Fault::new(404, "NotFound", format!("no managed spot training job {name} is running"))),
    }
}

/// Attempt after attempt, for as long as a spot job may wait and run in all
/// (docs/aws/sagemaker-training.md#spot).
async fn run(job: &Job, signals: &Signals) -> End {
    let document = job.document().unwrap_or_default();
    let shared = &job.shared;
    let created = document["CreationTime"].as_f64().map_or(shared.clock.now(), |at| (at * 1_000.0) as Millis);
    let patience = document["StoppingCondition"]["MaxWaitTimeInSeconds"].as_u64();
    let over = async {
        match patience {
            Some(seconds) => shared.clock.until(created.saturating_add(seconds.saturating_mul(1_000))).await,
            None => pending().await,
        }
    };
    // An instance of AWS outlives a restart of the sandbox, and has its files.
    if job.began_with().is_some_and(|then| inputs(job).is_ok_and(|now| now != then)) {
        return End::failed(
            "ClientError: the sandbox ended before this job did, and its data has changed since, so it \
             cannot begin again with what it was made for"
                .to_owned(),
        );
    }
    let mut attempts = pin!(attempts(job, signals));
    tokio::select! {
        end = &mut attempts => end,
        () = over => {
            signals.stop.cancel();
            End { status: Ended::MaxWaitTimeExceeded, ..attempts.await }
        }
    }
}

/// What the channels hold.
fn inputs(job: &Job) -> Result<String, String> {
    let document = job.document().unwrap_or_default();
    let (objects, mut digest) = (RoleObjects::new(&job.shared, None), blake3::Hasher::new());
    for channel in document["InputDataConfig"].as_array().into_iter().flatten() {
        let uri = channel["DataSource"]["S3DataSource"]["S3Uri"].as_str().unwrap_or_default();
        objects.add_all(uri, &mut digest)?;
    }
    Ok(digest.finalize().to_string())
}

/// One attempt after the other, until one is not interrupted.
async fn attempts(job: &Job, signals: &Signals) -> End {
    loop {
        let ended = match Container::new(job, signals) {
            Ok(container) => container.run().await,
            Err(reason) => Some(End::failed(reason)),
        };
        if let Some(end) = ended {
            return end;
        }
        job.enter("Interrupted", "Interrupted: the Spot capacity was taken back");
        job.enter("Restarting", "Preparing the instances for training");
    }
}

/// One attempt: a fresh instance. Its private root goes with it.
struct Container<'a> {
    job: &'a Job,
    signals: &'a Signals,
    document: Value,
    root: PathBuf,
    log: LogStream,
    metrics: Arc<LastValues>,
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        if let Err(error) = super::remove(&self.root) {
            tracing::debug!(%error, root = %self.root.display(), "a container's files are left");
        }
    }
}

impl<'a> Container<'a> {
    fn new(job: &'a Job, signals: &'a Signals) -> Result<Self, String> {
        let document = job.document().unwrap_or_default();
        let root = super::container(&job.shared, &["training", &job.region, &job.name]);
        super::empty(&root)
            .map_err(|error| format!("ClientError: the container cannot be prepared: {error}"))?;
        let stream = format!("{}/algo-1-{}", job.name, job.shared.clock.now() / 1_000);
        let log = LogStream::open(&job.shared, &job.region, LOG_GROUP, &stream, &root);
        let metrics = Arc::new(watched(&document["AlgorithmSpecification"]["MetricDefinitions"], &log));
        Ok(Self { job, signals, document, root, log, metrics })
    }

    /// SageMaker's session of the job's role.
    fn session(&self) -> Option<Session> {
        self.document["RoleArn"].as_str().map(|role| Session::new(role, "SageMaker"))
    }

    fn objects(&self) -> RoleObjects {
        RoleObjects::new(&self.job.shared, self.session())
    }

    /// None: interrupted, to be run again.
    async fn run(&self) -> Option<End> {
        let ended = self.attempt().await;
        self.log.flush().await;
        let mut end = match ended {
            Ok(end) => end?,
            Err(reason) => End::failed(self.log.inside(&reason)),
        };
        end.metrics = self.metrics.all();
        Some(end)
    }

    async fn attempt(&self) -> Result<Option<End>, String> {
        let mut checkpoints = Checkpoints::of(
            self.objects(),
            &self.document["CheckpointConfig"],
            &ContainerFolders::new(&self.root),
        );
        let training = tokio::select! {
            training = self.start(checkpoints.as_mut()) => training?,
            () = self.signals.stop.cancelled() => return Ok(Some(End::stopped(None))),
        };
        let outcome = self.watch(&training, checkpoints.as_mut()).await;
        if let Some(checkpoints) = &mut checkpoints {
            checkpoints
                .save()
                .await
                .map_err(|error| format!("ClientError: Failed to upload checkpoints: {error}"))?;
        }
        let status = match outcome {
            TrainingEnd::Interrupted => return Ok(None),
            TrainingEnd::Completed => Ended::Completed,
            TrainingEnd::Failed { reason } => Ended::Failed(self.log.inside(&reason)),
            TrainingEnd::Stopped => Ended::Stopped,
            TrainingEnd::MaxRuntimeExceeded => Ended::MaxRuntimeExceeded,
        };
        let model = self.upload(&training, matches!(status, Ended::Failed(_))).await?;
        Ok(Some(End { status, ..End::stopped(model) }))
    }

    /// Brings data and code, makes the environment, starts the script.
    async fn start(&self, checkpoints: Option<&mut Checkpoints>) -> Result<Training, String> {
        self.job.enter("Downloading", "Downloading input data");
        if let Some(reason) = missing_data(self.job).await {
            return Err(reason);
        }
        self.job.begins_with(&inputs(self.job)?);
        let count = self.document["ResourceConfig"]["InstanceCount"].as_u64().unwrap_or(1);
        if count > 1 {
            self.log.say(&format!(
                "opsctl sandbox: 1 of {count} instances runs here. On AWS each of them runs the script, and SM_HOSTS names them all."
            ));
        }
        let run = self.prepare(checkpoints).await.map_err(|error| format!("ClientError: {error}"))?;
        self.job.enter("Training", "Training image download completed. Training in progress.");
        let contents = self.contents();
        let python = contents.as_ref().and_then(|image| image.python.as_deref());
        let environments = super::environments(&self.job.shared, python)
            .await
            .map_err(|error| StartError::Python(error).failure_reason())?;
        run.start(&environments, self.sink()).await.map_err(|error| error.failure_reason())
    }

    async fn prepare(&self, checkpoints: Option<&mut Checkpoints>) -> Result<TrainingRun, String> {
        let (shared, document) = (&self.job.shared, &self.document);
        let layout = ContainerFolders::new(&self.root);
        let mut channels = Vec::new();
        for channel in document["InputDataConfig"].as_array().into_iter().flatten() {
            let (name, uri) = self.source_of(channel)?;
            let folder = layout.channel(&name);
            std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
            self.objects().download_all(&uri, &folder).await?;
            channels.push((name, folder));
        }
        let hyperparameters = texts(&document["HyperParameters"]);
        let mut environment = texts(&document["Environment"]);
        let toolkit = |name: &str| {
            let given = hyperparameters.get(&format!("sagemaker_{name}"));
            given
                .or_else(|| environment.get(&format!("SAGEMAKER_{}", name.to_uppercase())))
                .map(|text| decoded(text))
        };
        let (Some(program), Some(code)) = (toolkit("program"), toolkit("submit_directory")) else {
            return Err("the sandbox runs scripts, not images: the job needs the hyperparameters \
                        sagemaker_program and sagemaker_submit_directory"
                .to_owned());
        };
        let source = self.root.join("sourcedir.tar.gz");
        self.objects()
            .download(&code, &source)
            .await
            .map_err(|error| format!("the source code {code} cannot be downloaded: {error}"))?;
        if let Some(checkpoints) = checkpoints {
            checkpoints.restore().await?;
            // The one variable that AWS does not set: scripts cannot look at /opt/ml/checkpoints here.
            let usual = document["CheckpointConfig"]["LocalPath"].as_str().unwrap_or(checkpoints::USUAL);
            environment.entry("SM_CHECKPOINT_DIR".to_owned()).or_insert_with(|| usual.to_owned());
        }
        // Processes run in real time; the limit is of sandbox time.
        let limit = document["StoppingCondition"]["MaxRuntimeInSeconds"].as_u64().unwrap_or(86_400);
        Ok(TrainingRun {
            root: self.root.clone(),
            source,
            program,
            channels,
            input: input_data(document),
            hyperparameters,
            environment,
            job_name: self.job.name.clone(),
            job_arn: document["TrainingJobArn"].as_str().unwrap_or_default().to_owned(),
            instance_type: document["ResourceConfig"]["InstanceType"].as_str().unwrap_or_default().to_owned(),
            packages: super::container_packages(),
            contents: self.contents(),
            max_runtime: Duration::from_secs(limit).div_f64(shared.clock.speed()),
            reach: super::reach(shared, &self.job.region, self.session().as_ref()),
        })
    }

    fn contents(&self) -> Option<Contents> {
        Contents::of(self.document["AlgorithmSpecification"]["TrainingImage"].as_str()?)
    }

    /// Name and URI of a channel whose files the sandbox can bring.
    fn source_of(&self, channel: &Value) -> Result<(String, String), String> {
        let name = channel["ChannelName"].as_str().unwrap_or_default();
        let source = &channel["DataSource"]["S3DataSource"];
        let mode = &self.document["AlgorithmSpecification"]["TrainingInputMode"];
        let mode = channel["InputMode"].as_str().or(mode.as_str()).unwrap_or("File");
        match (source["S3DataType"].as_str(), source["S3Uri"].as_str()) {
            (Some("S3Prefix"), Some(uri)) if mode != "Pipe" => Ok((name.to_owned(), uri.to_owned())),
            (data_type, _) => Err(format!(
                "the sandbox brings channels of type S3Prefix in File or FastFile mode, not {name}'s {} in {mode} mode",
                data_type.unwrap_or("source")
            )),
        }
    }

    /// Waits for the end, passes signals on, and saves checkpoints meanwhile.
    async fn watch(&self, training: &Training, checkpoints: Option<&mut Checkpoints>) -> TrainingEnd {
        let ending = async {
            tokio::select! {
                () = self.signals.stop.cancelled() => training.stop(STOP_GRACE).await,
                () = self.signals.interrupt.notified() => training.interrupt(STOP_GRACE).await,
            }
            pending::<Infallible>().await
        };
        let saving = async {
            match checkpoints {
                Some(checkpoints) => checkpoints.keep_saving().await,
                None => pending().await,
            }
        };
        tokio::select! {
            outcome = training.outcome() => outcome,
            never = ending => match never {},
            never = saving => match never {},
        }
    }

    /// Packs and stores the model, unless the job failed, and what is in the output directory. Answers with
    /// the model's URI, if there is a model.
    async fn upload(&self, training: &Training, failed: bool) -> Result<Option<String>, String> {
        if !failed {
            self.job.enter("Uploading", "Uploading generated training model");
        }
        let artifacts = training
            .pack(&self.root)
            .await
            .map_err(|error| format!("ClientError: the model cannot be packed: {error}"))?;
        let store = async |file: Option<PathBuf>, name: &str| {
            let Some(file) = file else { return Ok(None) };
            let uri = self.job.artifact(name);
            self.objects()
                .upload(&uri, &file)
                .await
                .map_err(|error| format!("ClientError: Failed to upload {uri}: {error}"))?;
            Ok::<_, String>(Some(uri))
        };
        store(artifacts.output, "output.tar.gz").await?;
        store(artifacts.model.filter(|_| !failed), "model.tar.gz").await
    }

    fn sink(&self) -> LineSink {
        let (log, metrics, job) = (self.log.sink(), Arc::clone(&self.metrics), self.job.clone());
        Arc::new(move |line: Line| {
            for (metric, value) in metrics.see(&line.text) {
                measured(&job, metric, value);
            }
            log(line);
        })
    }
}

/// SageMaker sends each value to CloudWatch when it reads it
/// (<https://docs.aws.amazon.com/sagemaker/latest/dg/training-metrics.html>).
fn measured(job: &Job, metric: &str, value: f64) {
    let dimensions = [("TrainingJobName", job.name.clone())];
    let namespace = "/aws/sagemaker/TrainingJobs";
    let metric = MetricId { namespace, metric, dimensions: &dimensions, unit: "None" };
    cloudwatch::record(&job.shared, &job.region, &metric, value);
}

/// What a job's log is read for. An expression that cannot be read here is named in the log; the others
/// count.
fn watched(definitions: &Value, log: &LogStream) -> LastValues {
    let metric = |definition: &Value| {
        let text = |member: &str| definition[member].as_str().unwrap_or_default();
        Metric::new(text("Name"), text("Regex"))
            .inspect_err(|error| log.say(&format!("the metric {} is not read: {error}", text("Name"))))
            .ok()
    };
    LastValues::of(definitions.as_array().into_iter().flatten().filter_map(metric))
}

/// A map of texts, as the API has it.
pub(super) fn texts(map: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(map.clone()).unwrap_or_default()
}

/// AWS's SDK writes hyperparameters as JSON, so a text comes in quotes; others write it as it is
/// (docs/aws/sagemaker-training.md#script-mode).
fn decoded(text: &str) -> String {
    serde_json::from_str(text).unwrap_or_else(|_| text.to_owned())
}

/// `inputdataconfig.json` of a request.
/// <https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html#your-algorithms-training-algo-running-container-inputdataconfig>
fn input_data(document: &Value) -> Value {
    let channels = document["InputDataConfig"].as_array().into_iter().flatten();
    let of_channel = |channel: &Value| {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let mode = text(&channel["InputMode"]);
        let mode = mode.or_else(|| text(&document["AlgorithmSpecification"]["TrainingInputMode"]));
        let distribution = text(&channel["DataSource"]["S3DataSource"]["S3DataDistributionType"]);
        let wrapper = text(&channel["RecordWrapperType"]);
        let mut config = json!({
            "TrainingInputMode": mode.as_deref().unwrap_or("File"),
            "S3DistributionType": distribution.as_deref().unwrap_or("FullyReplicated"),
            "RecordWrapperType": wrapper.as_deref().unwrap_or("None"),
        });
        if let Some(content_type) = text(&channel["ContentType"]) {
            config["ContentType"] = content_type.into();
        }
        (channel["ChannelName"].as_str().unwrap_or_default().to_owned(), config)
    };
    channels.map(of_channel).collect::<Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_container_is_told_of_channels_what_the_request_says() {
        let s3 = json!({ "S3Uri": "s3://b/x/", "S3DataDistributionType": "ShardedByS3Key" });
        let told = input_data(&json!({
            "AlgorithmSpecification": { "TrainingInputMode": "FastFile" },
            "InputDataConfig": [
                { "ChannelName": "a", "DataSource": { "S3DataSource": s3 }, "ContentType": "text/csv" },
                { "ChannelName": "b", "InputMode": "File" },
            ],
        }));
        let (a, b) = (&told["a"], &told["b"]);
        assert_eq!(a["TrainingInputMode"], "FastFile");
        assert_eq!(
            (&a["S3DistributionType"], &a["ContentType"]),
            (&json!("ShardedByS3Key"), &json!("text/csv"))
        );
        assert_eq!(
            (&b["TrainingInputMode"], &b["S3DistributionType"]),
            (&json!("File"), &json!("FullyReplicated"))
        );
        assert!(b.get("ContentType").is_none(), "{b}");
    }
}
