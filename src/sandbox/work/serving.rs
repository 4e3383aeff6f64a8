//! Endpoints as local model servers: one process per instance (docs/aws/sagemaker-endpoints.md).
//!
//! A deployment starts the first instance of each variant, which shows whether the model serves. The others,
//! and all after a restart of the sandbox, start when it is their turn to answer.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, oneshot};

use super::log::LogStream;
use super::objects::RoleObjects;
use super::training::texts;
use crate::authority::Session;
use crate::fault::Fault;
use crate::runners::families::{self, Handlers, Played};
use crate::runners::python::contents::Contents;
use crate::runners::serving::{InvokeError, ModelServer, ModelServerSpec, STARTUP_LIMIT, StartCause};
use crate::runners::training::last_error;
use crate::services::sagemaker::backend::{Invocation, Prediction, defect, model_error, no_ping};
use crate::services::sagemaker::{Endpoint, Variant};

/// Room for the last frames of a traceback; the log has all of it.
const LOG_IN_REASON: usize = 360;

/// Which instance: a variant that is updated has an old and a new one for a while.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct InstanceKey {
    region: String,
    endpoint: String,
    variant: String,
    /// Of the model's document: image, archive, environment.
    model: String,
    index: u64,
}

impl InstanceKey {
    fn of(endpoint: &Endpoint, variant: &Variant, index: u64) -> Self {
        Self {
            region: endpoint.region.clone(),
            endpoint: endpoint.name.clone(),
            variant: variant.name.clone(),
            model: blake3::hash(variant.model.to_string().as_bytes()).to_hex()[..8].to_owned(),
            index,
        }
    }

    /// The same after a restart, so that it continues its log stream.
    fn instance_id(&self) -> String {
        let Self { region, endpoint, variant, model, index } = self;
        let text = format!("{region}/{endpoint}/{variant}/{model}/{index}");
        format!("i-{}", &blake3::hash(text.as_bytes()).to_hex()[..17])
    }

    fn is_of(&self, endpoint: &Endpoint) -> bool {
        self.region == endpoint.region && self.endpoint == endpoint.name
    }
}

/// The instances of this process, and whose turn it is, by variant.
#[derive(Default)]
struct Servers {
    instances: Mutex<HashMap<InstanceKey, Arc<Instance>>>,
    turns: Mutex<HashMap<(String, String, String), u64>>,
}

impl Servers {
    fn of(endpoint: &Endpoint) -> Arc<Self> {
        endpoint.shared.extensions.get()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<InstanceKey, Arc<Instance>>> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn instance(&self, endpoint: &Endpoint, variant: &Variant, index: u64) -> Arc<Instance> {
        let place = InstanceKey::of(endpoint, variant, index);
        let make = || Arc::new(Instance::new(endpoint, variant, place.clone()));
        Arc::clone(self.all().entry(place.clone()).or_insert_with(make))
    }

    /// Round robin.
    fn next(&self, endpoint: &Endpoint, variant: &Variant) -> Arc<Instance> {
        let key = (endpoint.region.clone(), endpoint.name.clone(), variant.name.clone());
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = turns.entry(key).or_default();
            *turn += 1;
            *turn - 1
        };
        // A serverless variant has no count.
        self.instance(endpoint, variant, turn % variant.instances.max(1))
    }

    /// Ends the endpoint's instances that are not in `kept`.
    fn prune(&self, endpoint: &Endpoint, kept: &[Variant]) {
        let wanted = |place: &InstanceKey| {
            let stays = |variant: &Variant| {
                place.index < variant.instances.max(1)
                    && *place == InstanceKey::of(endpoint, variant, place.index)
            };
            !place.is_of(endpoint) || kept.iter().any(stays)
        };
        let ended: Vec<_> = self.all().extract_if(|place, _| !wanted(place)).collect();
        for (_, instance) in ended {
            endpoint.shared.spawn(async move { instance.end().await });
        }
    }
}

/// Brings what is wanted into service, or says why it does not serve. What serves keeps serving until then.
pub async fn deploy(endpoint: Endpoint) {
    match bring(&endpoint).await {
        Ok(()) => endpoint.ready(),
        Err(reason) => endpoint.failed(&reason),
    }
    Servers::of(&endpoint).prune(&endpoint, &endpoint.serving());
}

async fn bring(endpoint: &Endpoint) -> Result<(), String> {
    if let Some(reason) = defect(endpoint).await {
        return Err(reason);
    }
    let servers = Servers::of(endpoint);
    for variant in endpoint.wanted() {
        may_fetch(endpoint, &variant)?;
        servers.instance(endpoint, &variant, 0).server().await?;
    }
    Ok(())
}

/// On AWS the instances of every deployment are new ones: each fetches the archive with the role's rights of
/// now. Here one that serves the same model is kept, so whether it might is asked at least.
fn may_fetch(endpoint: &Endpoint, variant: &Variant) -> Result<(), String> {
    let container = &variant.model["PrimaryContainer"];
    let session = variant.model["ExecutionRoleArn"].as_str().map(|role| Session::new(role, "SageMaker"));
    let objects = RoleObjects::new(&endpoint.shared, session);
    match container["ModelDataUrl"].as_str().map(|uri| (uri, objects.may_read(uri))) {
        Some((uri, Err(why))) => {
            Err(not_started(&variant.name, &format!("{uri} cannot be downloaded: {why}")))
        }
        _ => Ok(()),
    }
}

fn not_started(variant: &str, cause: &str) -> String {
    format!("The container of production variant {variant} cannot be started: {cause}")
}

/// Ends all servers of an endpoint.
pub fn remove(endpoint: &Endpoint) {
    Servers::of(endpoint).prune(endpoint, &[]);
}

/// Asks the variant's next instance, which is started if need be.
pub async fn invoke(endpoint: Endpoint, variant: String, request: Invocation) -> Result<Prediction, Fault> {
    let Some(live) = endpoint.serving().into_iter().find(|live| live.name == variant) else {
        return Err(model_error(&endpoint, 0, "the variant is not in service any more"));
    };
    let instance = Servers::of(&endpoint).next(&endpoint, &live);
    let server = instance.server().await.map_err(|reason| model_error(&endpoint, 0, &reason))?;
    let Invocation { body, content_type, accept, .. } = request;
    let reply = server.invoke(body, content_type.as_deref(), accept.as_deref()).await;
    // A command may end right after the answer.
    instance.log.flush().await;
    match reply {
        Ok(reply) if reply.status == 200 => Ok(Prediction {
            body: reply.body,
            content_type: reply.content_type.unwrap_or_else(|| "application/json".to_owned()),
            custom_attributes: None,
        }),
        Ok(reply) => {
            let message = instance.log.inside(&String::from_utf8_lossy(&reply.body));
            Err(model_error(&endpoint, reply.status, &message))
        }
        Err(error @ (InvokeError::TimedOut | InvokeError::Gone(_))) => {
            Err(model_error(&endpoint, 0, &error.to_string()))
        }
    }
}

/// One instance, whose server starts when it is needed and again when it has died.
struct Instance {
    endpoint: Endpoint,
    variant: Variant,
    root: PathBuf,
    log: LogStream,
    server: AsyncMutex<Option<Arc<ModelServer>>>,
}

impl Instance {
    fn new(endpoint: &Endpoint, variant: &Variant, place: InstanceKey) -> Self {
        let (shared, id) = (&endpoint.shared, place.instance_id());
        let root = super::container(shared, &["serving", &place.region, &place.endpoint, &id]);
        let stream = format!("{}/{id}", variant.name);
        let log = LogStream::open(shared, &endpoint.region, &endpoint.log_group(), &stream, &root);
        Self {
            endpoint: endpoint.clone(),
            variant: variant.clone(),
            root,
            log,
            server: AsyncMutex::new(None),
        }
    }

    /// The running server. The error is a text for a `FailureReason`.
    async fn server(self: &Arc<Self>) -> Result<Arc<ModelServer>, String> {
        let (send, started) = oneshot::channel();
        let instance = Arc::clone(self);
        // Apart, so that a caller who gives up does not undo a long installation of packages.
        self.endpoint.shared.spawn(async move {
            let _ = send.send(instance.running().await);
        });
        started.await.unwrap_or_else(|_| Err("the sandbox is being stopped".to_owned()))
    }

    async fn running(&self) -> Result<Arc<ModelServer>, String> {
        let mut server = self.server.lock().await;
        if let Some(running) = server.as_ref().filter(|server| !server.ended()) {
            return Ok(Arc::clone(running));
        }
        let started = self.start().await;
        self.log.flush().await;
        let started = Arc::new(started.map_err(|reason| self.log.inside(&reason))?);
        *server = Some(Arc::clone(&started));
        Ok(started)
    }

    async fn start(&self) -> Result<ModelServer, String> {
        let shared = &self.endpoint.shared;
        let name = &self.variant.name;
        let not_started = |cause: String| not_started(name, &cause);
        super::empty(&self.root).map_err(|error| not_started(error.to_string()))?;
        let container = &self.variant.model["PrimaryContainer"];
        let environment = texts(&container["Environment"]);
        let Some(data) = container["ModelDataUrl"].as_str() else {
            let why =
                "the model has no ModelDataUrl: its container fetches it, and the sandbox has no containers";
            return Err(not_started(why.to_owned()));
        };
        let image = container["Image"].as_str().unwrap_or_default();
        if let Played::Not(why) = families::serving(image, true) {
            return Err(not_started(format!("the sandbox cannot play {image}: {why}")));
        }
        let role = self.variant.model["ExecutionRoleArn"].as_str();
        let session = role.map(|role| Session::new(role, "SageMaker"));
        let objects = RoleObjects::new(shared, session.clone());
        let fetch = async |uri: &str, name: &str| {
            let file = self.root.join(name);
            let failed = |error| not_started(format!("{uri} cannot be downloaded: {error}"));
            objects.download(uri, &file).await.map_err(failed)?;
            Ok::<_, String>(file)
        };
        let submitted = environment.get("SAGEMAKER_SUBMIT_DIRECTORY").filter(|uri| uri.starts_with("s3://"));
        let code = match submitted {
            Some(uri) => Some(fetch(uri, "sourcedir.tar.gz").await?),
            None => None,
        };
        let limit = self.variant.production_variant["ContainerStartupHealthCheckTimeoutInSeconds"].as_u64();
        let contents = Contents::of(image);
        let python = contents.as_ref().and_then(|image| image.python.clone());
        let spec = ModelServerSpec {
            root: self.root.clone(),
            model: fetch(data, "model.tar.gz").await?,
            code,
            handlers: Handlers::of(image),
            alone: families::serving(image, false),
            environment,
            packages: super::container_packages(),
            contents,
            startup_limit: limit.map_or(STARTUP_LIMIT, Duration::from_secs),
            reach: super::reach(shared, &self.endpoint.region, session.as_ref()),
        };
        let environments = super::environments(shared, python.as_deref())
            .await
            .map_err(|error| not_started(error.to_string()))?;
        ModelServer::start(spec, &environments, self.log.sink()).await.map_err(|failure| {
            match failure.cause {
                StartCause::Ended { .. } | StartCause::TimedOut { .. } => {
                    let said = last_error(&failure.log_tail);
                    // AWS says the first sentence and no more; the log has the same lines.
                    format!("{} The log ends with: {}", no_ping(name), last_lines(&said, LOG_IN_REASON))
                }
                cause => not_started(cause.to_string()),
            }
        })
    }

    /// SIGTERM, unless a request is still with the server, which then goes with that.
    async fn end(&self) {
        let server = self.server.lock().await.take();
        if let Some(server) = server.and_then(Arc::into_inner) {
            server.stop().await;
        }
        if let Err(error) = super::remove(&self.root) {
            tracing::debug!(%error, root = %self.root.display(), "a container's files are left");
        }
    }
}

/// The last whole lines that fit into `longest` bytes.
fn last_lines(text: &str, longest: usize) -> &str {
    if text.len() <= longest {
        return text;
    }
    let cut = &text[text.ceil_char_boundary(text.len() - longest)..];
    cut.split_once('\n').map_or(cut, |(_, whole)| whole).trim_start()
}
