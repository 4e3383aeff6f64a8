//! Plugs what really runs code ([`super::runners`]) into the services, which know it by their `Backend` only.
//!
//! Containers live under `<root>/containers`, one private root each, and end with the sandbox: what is found
//! there at the start was left by a killed process. Whatever was in progress is resumed by the services'
//! `resume`.

mod checkpoints;
mod ec2;
mod empty_results;
mod lambda;
mod lines;
mod log;
mod objects;
mod serving;
#[cfg(test)]
mod spot_tests;
#[cfg(test)]
mod tests;
mod training;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::Mutex;

use super::authority::Session;
use super::fault::{Fault, with_causes};
use super::root::remove;
use super::runners::python::{Environments, Python, PythonError};
use super::runners::{ApiAccess, Keys};
use super::services;
use super::services::objects::Objects;
use super::services::sagemaker::backend::{Invocation, Prediction};
use super::services::sagemaker::{self, Backend, Endpoint, Job};
use super::state::SandboxState;

pub(super) use training::interrupt;

const CONTAINERS: &str = "containers";

/// Says what is behind the services of this sandbox: training scripts, model servers, instances and functions
/// as local processes; or, without `runs`, only the states of it. To be called before it serves.
///
/// # Errors
/// What a killed process left cannot be removed.
pub(super) fn plug(shared: &Arc<SandboxState>) -> io::Result<()> {
    remove(&shared.root.join(CONTAINERS))?;
    services::access::plug(shared);
    shared.extensions.plug::<dyn Objects>(Arc::new(objects::S3Objects));
    shared.extensions.plug::<dyn sagemaker::Scaling>(Arc::new(services::autoscaling::EndpointTargets));
    shared.extensions.plug::<dyn services::cloudwatch::Usage>(Arc::new(services::usage::AccountUsage));
    if shared.runs {
        shared.extensions.plug::<dyn sagemaker::Backend>(Arc::new(Local));
        shared.extensions.plug::<dyn services::ec2::Backend>(Arc::new(ec2::host(shared)));
        shared.extensions.plug::<dyn services::lambda::Backend>(Arc::new(lambda::functions(shared)));
    } else {
        shared.extensions.plug::<dyn services::ec2::Backend>(Arc::new(empty_results::EmptyResults));
    }
    Ok(())
}

/// SageMaker's work as local processes.
struct Local;

impl Backend for Local {
    fn train(&self, job: Job) {
        training::start(job);
    }

    fn stop(&self, job: Job) {
        training::stop(&job);
    }

    fn deploy(&self, endpoint: Endpoint) {
        let shared = Arc::clone(&endpoint.shared);
        shared.spawn(serving::deploy(endpoint));
    }

    /// Nothing: a server starts when it is asked for the first time, so that a command that asks nothing is
    /// fast.
    fn restore(&self, _: Endpoint) {}

    fn remove(&self, endpoint: Endpoint) {
        serving::remove(&endpoint);
    }

    fn invoke(
        &self,
        endpoint: Endpoint,
        variant: String,
        request: Invocation,
    ) -> BoxFuture<'static, Result<Prediction, Fault>> {
        Box::pin(serving::invoke(endpoint, variant, request))
    }
}

/// The interpreters of this machine, each looked for once.
#[derive(Default)]
struct Interpreters(Mutex<BTreeMap<Option<String>, Python>>);

/// The cached environments for user code, for any Python or a preferred one (`python3.12`). They outlive the
/// sandbox's state: `<cache>/python`.
async fn environments(shared: &SandboxState, preferred: Option<&str>) -> Result<Environments, PythonError> {
    let interpreters = shared.extensions.get::<Interpreters>();
    let mut known = interpreters.0.lock().await;
    let wanted = preferred.and_then(|name| name.strip_prefix("python"));
    let python = match known.get(&wanted.map(str::to_owned)) {
        Some(python) => python.clone(),
        None => {
            let python = Python::find(None, wanted).await?;
            known.insert(wanted.map(str::to_owned), python.clone());
            python
        }
    };
    Ok(Environments { python, cache: absolute(shared.cache.join("python")) })
}

/// How code inside reaches this sandbox: with the credentials of its role, if it has one.
fn reach(shared: &SandboxState, region: &str, session: Option<&Session>) -> ApiAccess {
    let credentials = session.map(Session::credentials);
    ApiAccess {
        region: region.to_owned(),
        endpoint_url: shared.endpoint_url().to_owned(),
        keys: credentials.map(|c| Keys {
            access_key_id: c.access_key_id,
            secret_access_key: c.secret_access_key,
            session_token: c.session_token,
        }),
    }
}

/// Where a container has its private root.
fn container(shared: &SandboxState, name: &[&str]) -> PathBuf {
    absolute(name.iter().fold(shared.root.join(CONTAINERS), |path, part| path.join(part)))
}

/// Makes it an empty folder.
fn empty(root: &Path) -> io::Result<()> {
    remove(root)?;
    std::fs::create_dir_all(root)
}

/// Processes have directories of their own, where a relative path means something else.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// What AWS's images bring to training and to serving.
fn container_packages() -> Vec<String> {
    super::runners::python::CONTAINER_PACKAGES.iter().map(|package| (*package).to_owned()).collect()
}
