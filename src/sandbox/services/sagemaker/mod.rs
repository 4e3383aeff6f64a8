//! SageMaker's control plane: training jobs, models, endpoints, notebook instances and their tags.
//!
//! The documents and their rules are here; what really runs is a [`work::Work`].

mod endpoint;
mod endpoints;
mod hosting;
pub mod instances;
mod job;
mod notebooks;
mod resource;
mod roles;
#[cfg(test)]
mod tests;
mod traffic;
mod training;
pub mod work;

pub use endpoint::{Endpoint, Variant};
pub use job::{End, Ended, Job};
pub use traffic::{Traffic, close_minute};
pub use work::resume;

use resource::{INVALID, Kind, invalid};

use crate::call::{Fault, op, op_async};
use crate::protocol::constraint::Rule;
use crate::protocol::json11::Api;

// Names (docs/aws/sagemaker.md#names).
const JOB_NAME: Rule = Rule::ANY.length(1, 63).pattern("[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}");
const NAME: Rule = Rule::ANY.length(0, 63).pattern("[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}");
const MODEL_NAME: Rule = Rule::ANY.length(0, 63).pattern("[a-zA-Z0-9]([\\-a-zA-Z0-9]*[a-zA-Z0-9])?");
const NOTEBOOK_NAME: Rule = Rule::ANY.length(0, 63).pattern("[a-zA-Z0-9](-*[a-zA-Z0-9])*");
const ROLE_ARN: Rule =
    Rule::ANY.length(20, 2048).pattern("arn:aws[a-z\\-]*:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+");

const JOB_NAMED: &[Rule] = &[JOB_NAME.at("TrainingJobName").required()];
const MODEL_NAMED: &[Rule] = &[MODEL_NAME.at("ModelName").required()];
const CONFIG_NAMED: &[Rule] = &[NAME.at("EndpointConfigName").required()];
const ENDPOINT_NAMED: &[Rule] = &[NAME.at("EndpointName").required()];

const LIST: &[Rule] = &[
    Rule::ANY.at("MaxResults").range(1, 100),
    Rule::ANY.at("NameContains").length(0, 63).pattern("[a-zA-Z0-9\\-]+"),
    Rule::ANY.at("SortBy").one_of(&["Name", "CreationTime", "LastModifiedTime", "Status"]),
    Rule::ANY.at("SortOrder").one_of(&["Ascending", "Descending"]),
];

const TAGGED: Rule = Rule::ANY
    .at("ResourceArn")
    .required()
    .length(0, 256)
    .pattern("arn:aws[a-z-]*:sagemaker:[a-z0-9-]*:[0-9]{12}:.+");

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
            "Training job names must be unique within an AWS account and region, and a training job with this name \
             already exists ({arn})"
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
            "Unable to describe Notebook Instance Lifecycle Config '{arn}'. (Details: Notebook Instance Lifecycle \
             Config does not exist.)"
        ))
    },
    taken: |arn| {
        invalid(format!(
            "Unable to create Notebook Instance Lifecycle Config {arn}. (Details: Notebook Instance Lifecycle Config \
             already exists.)"
        ))
    },
    ..MODEL
};

/// Every kind that can be tagged.
const KINDS: &[Kind] = &[TRAINING_JOB, MODEL, ENDPOINT_CONFIG, ENDPOINT, NOTEBOOK, LIFECYCLE_CONFIG];

pub const API: Api = Api {
    name: "sagemaker",
    signing_name: "sagemaker",
    target: "SageMaker",
    invalid: INVALID,
    operations: &[
        op("CreateTrainingJob", training::CREATE, training::create),
        op("DescribeTrainingJob", JOB_NAMED, |call| TRAINING_JOB.describe(call)),
        op("ListTrainingJobs", LIST, |call| TRAINING_JOB.list(call)),
        op("StopTrainingJob", JOB_NAMED, training::stop),
        op("DeleteTrainingJob", JOB_NAMED, training::delete),
        op_async("CreateModel", hosting::CREATE_MODEL, |call| Box::pin(hosting::create_model(call))),
        op("DescribeModel", MODEL_NAMED, |call| MODEL.describe(call)),
        op("ListModels", LIST, |call| MODEL.list(call)),
        op("DeleteModel", MODEL_NAMED, |call| MODEL.delete(call)),
        op("CreateEndpointConfig", hosting::CREATE_ENDPOINT_CONFIG, hosting::create_endpoint_config),
        op("DescribeEndpointConfig", CONFIG_NAMED, |call| ENDPOINT_CONFIG.describe(call)),
        op("ListEndpointConfigs", LIST, |call| ENDPOINT_CONFIG.list(call)),
        op("DeleteEndpointConfig", CONFIG_NAMED, |call| ENDPOINT_CONFIG.delete(call)),
        op("CreateEndpoint", endpoints::CREATE, endpoints::create),
        op("DescribeEndpoint", ENDPOINT_NAMED, |call| ENDPOINT.describe(call)),
        op("ListEndpoints", LIST, |call| ENDPOINT.list(call)),
        op("UpdateEndpoint", endpoints::UPDATE, endpoints::update),
        op("UpdateEndpointWeightsAndCapacities", endpoints::UPDATE_CAPACITIES, endpoints::update_capacities),
        op("DeleteEndpoint", ENDPOINT_NAMED, endpoints::delete),
        op("CreateNotebookInstance", notebooks::CREATE, notebooks::create),
        op("DescribeNotebookInstance", notebooks::NAMED, |call| NOTEBOOK.describe(call)),
        op("ListNotebookInstances", LIST, |call| NOTEBOOK.list(call)),
        op("StartNotebookInstance", notebooks::NAMED, notebooks::start),
        op("StopNotebookInstance", notebooks::NAMED, notebooks::stop),
        op("UpdateNotebookInstance", notebooks::UPDATE, notebooks::update),
        op("DeleteNotebookInstance", notebooks::NAMED, notebooks::delete),
        op("CreatePresignedNotebookInstanceUrl", notebooks::PRESIGN, notebooks::presign),
        op(
            "CreateNotebookInstanceLifecycleConfig",
            notebooks::LIFECYCLE_CONTENT,
            notebooks::create_lifecycle_config,
        ),
        op("DescribeNotebookInstanceLifecycleConfig", notebooks::LIFECYCLE_NAMED, |call| {
            LIFECYCLE_CONFIG.describe(call)
        }),
        op("ListNotebookInstanceLifecycleConfigs", LIST, |call| LIFECYCLE_CONFIG.list(call)),
        op(
            "UpdateNotebookInstanceLifecycleConfig",
            notebooks::LIFECYCLE_CONTENT,
            notebooks::update_lifecycle_config,
        ),
        op(
            "DeleteNotebookInstanceLifecycleConfig",
            notebooks::LIFECYCLE_NAMED,
            notebooks::delete_lifecycle_config,
        ),
        op("AddTags", &[TAGGED, Rule::ANY.at("Tags").required().length(0, 50)], resource::add_tags),
        op("DeleteTags", &[TAGGED, Rule::ANY.at("TagKeys").required().length(1, 50)], resource::delete_tags),
        op("ListTags", &[TAGGED], resource::list_tags),
    ],
};
