//! SageMaker's control plane: training jobs, models, endpoints, notebook instances and their tags.
//!
//! The documents and their rules are here; what really runs is a [`Backend`].

pub mod backend;
mod endpoint;
mod endpoints;
mod hosting;
pub mod instances;
mod job;
mod notebooks;
mod resource;
mod roles;
mod scaling;
#[cfg(test)]
mod tests;
mod traffic;
mod training;
mod usage;

pub use backend::Backend;
pub use backend::resume;
pub use endpoint::{Endpoint, Variant};
pub use job::{End, Ended, Job};
pub use scaling::Scaling;
pub use traffic::{Traffic, close_minute};
pub use usage::in_use;

use resource::{INVALID, Kind, invalid};

use crate::constraint::Constraint;
use crate::fault::Fault;
use crate::faults::FaultCodes;
use crate::operation::{op, op_async};
use crate::protocol::json11::Api;

const MODEL_NAME: Constraint =
    Constraint::ANY.length(0, 63).pattern("[a-zA-Z0-9]([\\-a-zA-Z0-9]*[a-zA-Z0-9])?");

const LIST: &[Constraint] = &[Constraint::ANY.at("NameContains").length(0, 63).pattern("[a-zA-Z0-9\\-]+")];

/// Unknown names and taken names have a text per kind (docs/aws/sagemaker.md; notebooks as moto quotes them).
const TRAINING_JOB: Kind = Kind {
    table: "sagemaker.training-job",
    path: "training-job",
    name: "TrainingJobName",
    arn: "TrainingJobArn",
    status: "TrainingJobStatus",
    list: "TrainingJobSummaries",
    summary: &[
        "TrainingJobName",
        "TrainingJobArn",
        "CreationTime",
        "TrainingEndTime",
        "LastModifiedTime",
        "TrainingJobStatus",
        "SecondaryStatus",
    ],
    order: ("CreationTime", "Descending"),
    filters_pages: true,
    missing: |_| invalid("Requested resource not found."),
    taken: |arn| {
        let message = format!(
            "Training job names must be unique within an AWS account and region, and a training job with \
             this name already exists ({arn})"
        );
        Fault::new(400, "ResourceInUse", message)
    },
};

const MODEL: Kind = Kind {
    table: "sagemaker.model",
    path: "model",
    name: "ModelName",
    arn: "ModelArn",
    status: "",
    list: "Models",
    summary: &["ModelName", "ModelArn", "CreationTime"],
    order: ("CreationTime", "Descending"),
    filters_pages: false,
    missing: |arn| invalid(format!("Could not find model \"{arn}\".")),
    taken: |arn| invalid(format!("Cannot create already existing model \"{arn}\".")),
};

const ENDPOINT_CONFIG: Kind = Kind {
    table: "sagemaker.endpoint-config",
    path: "endpoint-config",
    name: "EndpointConfigName",
    arn: "EndpointConfigArn",
    list: "EndpointConfigs",
    summary: &["EndpointConfigName", "EndpointConfigArn", "CreationTime"],
    missing: |arn| invalid(format!("Could not find endpoint configuration \"{arn}\".")),
    taken: |arn| invalid(format!("Cannot create already existing endpoint configuration \"{arn}\".")),
    ..MODEL
};

const ENDPOINT: Kind = Kind {
    table: "sagemaker.endpoint",
    path: "endpoint",
    name: "EndpointName",
    arn: "EndpointArn",
    status: "EndpointStatus",
    list: "Endpoints",
    summary: &["EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus"],
    missing: |arn| invalid(format!("Could not find endpoint \"{arn}\".")),
    taken: |arn| invalid(format!("Cannot create already existing endpoint \"{arn}\".")),
    ..MODEL
};

const NOTEBOOK: Kind = Kind {
    table: "sagemaker.notebook-instance",
    path: "notebook-instance",
    name: "NotebookInstanceName",
    arn: "NotebookInstanceArn",
    status: "NotebookInstanceStatus",
    list: "NotebookInstances",
    summary: &[
        "NotebookInstanceName",
        "NotebookInstanceArn",
        "NotebookInstanceStatus",
        "Url",
        "InstanceType",
        "CreationTime",
        "LastModifiedTime",
        "NotebookInstanceLifecycleConfigName",
        "DefaultCodeRepository",
        "AdditionalCodeRepositories",
    ],
    order: ("Name", "Ascending"),
    missing: |_| invalid("RecordNotFound"),
    taken: |arn| invalid(format!("Cannot create a duplicate Notebook Instance ({arn})")),
    ..MODEL
};

const LIFECYCLE_CONFIG: Kind = Kind {
    table: "sagemaker.notebook-instance-lifecycle-config",
    path: "notebook-instance-lifecycle-config",
    name: "NotebookInstanceLifecycleConfigName",
    arn: "NotebookInstanceLifecycleConfigArn",
    list: "NotebookInstanceLifecycleConfigs",
    summary: &[
        "NotebookInstanceLifecycleConfigName",
        "NotebookInstanceLifecycleConfigArn",
        "CreationTime",
        "LastModifiedTime",
    ],
    missing: |arn| {
        invalid(format!(
            "Unable to describe Notebook Instance Lifecycle Config '{arn}'. (Details: Notebook Instance \
             Lifecycle Config does not exist.)"
        ))
    },
    taken: |arn| {
        invalid(format!(
            "Unable to create Notebook Instance Lifecycle Config {arn}. (Details: Notebook Instance \
             Lifecycle Config already exists.)"
        ))
    },
    ..MODEL
};

/// Every kind that can be tagged.
const KINDS: &[Kind] = &[TRAINING_JOB, MODEL, ENDPOINT_CONFIG, ENDPOINT, NOTEBOOK, LIFECYCLE_CONFIG];

/// The operations.
pub const API: Api = Api {
    name: "sagemaker",
    signing_name: "sagemaker",
    target: "SageMaker",
    invalid: INVALID,
    faults: FaultCodes::USUAL,
    operations: &[
        op("CreateTrainingJob", training::CREATE, training::create),
        op("DescribeTrainingJob", &[], |call| TRAINING_JOB.describe(call)),
        op("ListTrainingJobs", &[], |call| TRAINING_JOB.list(call)),
        op("StopTrainingJob", &[], training::stop),
        op("DeleteTrainingJob", &[], training::delete),
        op_async("CreateModel", &[], |call| Box::pin(hosting::create_model(call))),
        op("DescribeModel", &[], |call| MODEL.describe(call)),
        op("ListModels", LIST, |call| MODEL.list(call)),
        op("DeleteModel", &[], |call| MODEL.delete(call)),
        op("CreateEndpointConfig", hosting::CREATE_ENDPOINT_CONFIG, hosting::create_endpoint_config),
        op("DescribeEndpointConfig", &[], |call| ENDPOINT_CONFIG.describe(call)),
        op("ListEndpointConfigs", LIST, |call| ENDPOINT_CONFIG.list(call)),
        op("DeleteEndpointConfig", &[], |call| ENDPOINT_CONFIG.delete(call)),
        op("CreateEndpoint", &[], endpoints::create),
        op("DescribeEndpoint", &[], |call| ENDPOINT.describe(call)),
        op("ListEndpoints", LIST, |call| ENDPOINT.list(call)),
        op("UpdateEndpoint", &[], endpoints::update),
        op("UpdateEndpointWeightsAndCapacities", endpoints::UPDATE_CAPACITIES, endpoints::update_capacities),
        op("DeleteEndpoint", &[], endpoints::delete),
        op("CreateNotebookInstance", notebooks::CREATE, notebooks::create),
        op("DescribeNotebookInstance", &[], |call| NOTEBOOK.describe(call)),
        op("ListNotebookInstances", LIST, |call| NOTEBOOK.list(call)),
        op("StartNotebookInstance", &[], notebooks::start),
        op("StopNotebookInstance", &[], notebooks::stop),
        op("UpdateNotebookInstance", notebooks::UPDATE, notebooks::update),
        op("DeleteNotebookInstance", &[], notebooks::delete),
        op("CreatePresignedNotebookInstanceUrl", &[], notebooks::presign),
        op("CreateNotebookInstanceLifecycleConfig", &[], notebooks::create_lifecycle_config),
        op("DescribeNotebookInstanceLifecycleConfig", &[], |call| LIFECYCLE_CONFIG.describe(call)),
        op("ListNotebookInstanceLifecycleConfigs", LIST, |call| LIFECYCLE_CONFIG.list(call)),
        op("UpdateNotebookInstanceLifecycleConfig", &[], notebooks::update_lifecycle_config),
        op("DeleteNotebookInstanceLifecycleConfig", &[], notebooks::delete_lifecycle_config),
        op("AddTags", &[], resource::add_tags),
        op("DeleteTags", &[], resource::delete_tags),
        op("ListTags", &[], resource::list_tags),
    ],
};
