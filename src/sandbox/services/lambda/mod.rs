//! Lambda: functions, versions, aliases, provisioned concurrency, invocations (docs/aws/lambda.md).
//!
//! What really runs is behind [`Backend`]: without one, everything but `Invoke` works. Documents are in the
//! tables of `lambda`, archives in files.

mod aliases;
mod backend;
mod code;
mod concurrency;
mod functions;
mod invoke;
mod lists;
mod permissions;
mod provisioned;
mod region;
mod role;
mod settings;
mod settled;
#[cfg(test)]
mod tests;
mod urls;
mod versions;

use std::sync::Arc;

pub use backend::{Backend, FunctionVersion, Invocation, Invoked};
pub use permissions::policy_of;
pub use provisioned::{provision, provisioned};

use region::LambdaRegion;

use crate::constraint::Constraint;
use crate::faults::FaultCodes;
use crate::operation::{op, op_async};
use crate::protocol::rest_json::{ANY, Api, raw_route, route};
use crate::state::SandboxState;

/// Whether a function has an alias or a version of this name.
pub fn has(shared: &Arc<SandboxState>, region: &str, function: &str, qualifier: &str) -> bool {
    let lambda = LambdaRegion { shared: Arc::clone(shared), region: region.to_owned() };
    let key = region::key(function, qualifier);
    lambda.aliases().has(&key) || lambda.versions().has(&key)
}

/// To be called once after a start: sweeps what a killed process left, and allocates again.
pub fn resume(shared: &Arc<SandboxState>) {
    code::sweep(shared);
    provisioned::resume(shared);
}

const ANY_NAME: Constraint = Constraint::ANY.at("FunctionName").required().pattern(
    "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?",
);
/// Where a qualifier may be in the name.
const QUALIFIED: Constraint = ANY_NAME.length(1, 256);
const QUALIFIER: Constraint = Constraint::ANY.at("Qualifier").length(1, 128).pattern("(|[a-zA-Z0-9$_-]+)");
const ALIAS: Constraint = Constraint::ANY.at("Name").required().length(1, 128).pattern("([a-zA-Z0-9-_]+)");
const VERSION: Constraint =
    Constraint::ANY.at("FunctionVersion").length(1, 1024).pattern("(\\$LATEST|[0-9]+)");
const STATEMENT: Constraint =
    Constraint::ANY.at("StatementId").required().length(1, 100).pattern("([a-zA-Z0-9-_]+)");
const STORAGE: Constraint = Constraint::ANY.at("EphemeralStorage.Size").required().range(512, 10_240);

/// The operations.
pub const API: Api = Api {
    name: "lambda",
    signing_name: "lambda",
    invalid: "ValidationException",
    faults: FaultCodes { throttle: (429, "TooManyRequestsException"), internal: (500, "ServiceException") },
    public: &["GetCode", "InvokeFunctionUrl"],
    routes: &[
        route(
            "POST",
            "/2015-03-31/functions",
            op_async("CreateFunction", &[STORAGE], |call| Box::pin(functions::create_function(call))),
        ),
        route("GET", "/2015-03-31/functions", op("ListFunctions", &[], functions::list_functions)),
        route(
            "GET",
            "/2015-03-31/functions/{FunctionName}",
            op("GetFunction", &[QUALIFIED, QUALIFIER], functions::get_function),
        ),
        route(
            "DELETE",
            "/2015-03-31/functions/{FunctionName}",
            op("DeleteFunction", &[QUALIFIED, QUALIFIER], functions::delete_function),
        ),
        route(
            "GET",
            "/2015-03-31/functions/{FunctionName}/configuration",
            op("GetFunctionConfiguration", &[QUALIFIED, QUALIFIER], functions::get_function_configuration),
        ),
        route(
            "PUT",
            "/2015-03-31/functions/{FunctionName}/configuration",
            op("UpdateFunctionConfiguration", &[STORAGE], functions::update_function_configuration),
        ),
        route(
            "PUT",
            "/2015-03-31/functions/{FunctionName}/code",
            op_async("UpdateFunctionCode", &[], |call| Box::pin(functions::update_function_code(call))),
        ),
        route(
            "POST",
            "/2015-03-31/functions/{FunctionName}/versions",
            op("PublishVersion", &[], versions::publish_version),
        ),
        route(
            "GET",
            "/2015-03-31/functions/{FunctionName}/versions",
            op("ListVersionsByFunction", &[QUALIFIED], versions::list_versions_by_function),
        ),
        route(
            "POST",
            "/2015-03-31/functions/{FunctionName}/aliases",
            op("CreateAlias", &[ALIAS, VERSION.required()], aliases::create_alias),
        ),
        route(
            "GET",
            "/2015-03-31/functions/{FunctionName}/aliases",
            op("ListAliases", &[VERSION], aliases::list_aliases),
        ),
        route(
            "GET",
            "/2015-03-31/functions/{FunctionName}/aliases/{Name}",
            op("GetAlias", &[ALIAS], aliases::get_alias),
        ),
        route(
            "PUT",
            "/2015-03-31/functions/{FunctionName}/aliases/{Name}",
            op("UpdateAlias", &[ALIAS, VERSION], aliases::update_alias),
        ),
        route(
            "DELETE",
            "/2015-03-31/functions/{FunctionName}/aliases/{Name}",
            op("DeleteAlias", &[ALIAS], aliases::delete_alias),
        ),
        route(
            "POST",
            "/2015-03-31/functions/{FunctionName}/policy",
            op("AddPermission", &[QUALIFIED, QUALIFIER], permissions::add_permission),
        ),
        route(
            "GET",
            "/2015-03-31/functions/{FunctionName}/policy",
            op("GetPolicy", &[QUALIFIED, QUALIFIER], permissions::get_policy),
        ),
        route(
            "DELETE",
            "/2015-03-31/functions/{FunctionName}/policy/{StatementId}",
            op("RemovePermission", &[QUALIFIED, QUALIFIER, STATEMENT], permissions::remove_permission),
        ),
        route(
            "POST",
            "/2021-10-31/functions/{FunctionName}/url",
            op("CreateFunctionUrlConfig", &[QUALIFIED, QUALIFIER], urls::create),
        ),
        route(
            "GET",
            "/2021-10-31/functions/{FunctionName}/url",
            op("GetFunctionUrlConfig", &[QUALIFIED, QUALIFIER], urls::get),
        ),
        route(
            "PUT",
            "/2021-10-31/functions/{FunctionName}/url",
            op("UpdateFunctionUrlConfig", &[QUALIFIED, QUALIFIER], urls::update),
        ),
        route(
            "DELETE",
            "/2021-10-31/functions/{FunctionName}/url",
            op("DeleteFunctionUrlConfig", &[QUALIFIED, QUALIFIER], urls::delete),
        ),
        route(
            "GET",
            "/2021-10-31/functions/{FunctionName}/urls",
            op("ListFunctionUrlConfigs", &[QUALIFIED], urls::list),
        ),
        route(
            "PUT",
            "/2017-10-31/functions/{FunctionName}/concurrency",
            op("PutFunctionConcurrency", &[], concurrency::put_function_concurrency),
        ),
        route(
            "DELETE",
            "/2017-10-31/functions/{FunctionName}/concurrency",
            op("DeleteFunctionConcurrency", &[], concurrency::delete_function_concurrency),
        ),
        route(
            "GET",
            "/2019-09-30/functions/{FunctionName}/concurrency",
            op("GetFunctionConcurrency", &[], concurrency::get_function_concurrency),
        ),
        route(
            "PUT",
            "/2019-09-30/functions/{FunctionName}/provisioned-concurrency",
            op("PutProvisionedConcurrencyConfig", &[], provisioned::put),
        ),
        route(
            "GET",
            "/2019-09-30/functions/{FunctionName}/provisioned-concurrency?List=ALL",
            op("ListProvisionedConcurrencyConfigs", &[], provisioned::list),
        ),
        route(
            "GET",
            "/2019-09-30/functions/{FunctionName}/provisioned-concurrency",
            op("GetProvisionedConcurrencyConfig", &[], provisioned::get),
        ),
        route(
            "DELETE",
            "/2019-09-30/functions/{FunctionName}/provisioned-concurrency",
            op("DeleteProvisionedConcurrencyConfig", &[], provisioned::delete),
        ),
        route(
            "GET",
            "/2016-08-19/account-settings",
            op("GetAccountSettings", &[], concurrency::get_account_settings),
        ),
        route("POST", "/2017-03-31/tags/{Resource}", op("TagResource", &[], functions::tag_resource)),
        route("DELETE", "/2017-03-31/tags/{Resource}", op("UntagResource", &[], functions::untag_resource)),
        route("GET", "/2017-03-31/tags/{Resource}", op("ListTags", &[], functions::list_tags)),
        raw_route(
            "POST",
            "/2015-03-31/functions/{FunctionName}/invocations",
            op_async("Invoke", &[QUALIFIED, QUALIFIER], |call| Box::pin(invoke::invoke(call))),
        ),
        // The other end of a function's URL.
        raw_route(ANY, urls::PLACE, op_async("InvokeFunctionUrl", &[], |call| Box::pin(urls::invoke(call)))),
        // What `Code.Location` of GetFunction points to; on AWS a presigned URL of S3.
        raw_route("GET", code::DOWNLOAD, op("GetCode", &[], code::get_code)),
    ],
};
