//! Lambda: functions, versions, aliases, provisioned concurrency, invocations (docs/aws/lambda.md).
//!
//! What really runs is behind [`Work`]: without one, everything but `Invoke` works. Documents are in the tables of
//! [`place`], archives in files.

mod aliases;
mod code;
mod concurrency;
mod functions;
mod invoke;
mod permissions;
mod place;
mod provisioned;
mod role;
mod settings;
#[cfg(test)]
mod tests;
mod versions;
mod work;

use std::sync::Arc;

pub use concurrency::set_concurrency_limit;
pub use provisioned::{provision, provisioned};
pub use work::{FunctionVersion, Invocation, Invoked, ObjectName, Objects, Seams, Work};

use crate::call::{op, op_async};
use crate::protocol::constraint::Rule;
use crate::protocol::rest_json::{Api, raw_route, route};
use crate::world::World;

/// The service, with what is behind it.
pub fn open(world: &Arc<World>, seams: Seams) -> Api {
    world.parts.offer(seams);
    code::sweep(world);
    provisioned::resume(world);
    API
}

const ANY_NAME: Rule = Rule::ANY.at("FunctionName").required().pattern(
    "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?",
);
const FUNCTION: Rule = ANY_NAME.length(1, 140);
/// Where a qualifier may be in the name.
const QUALIFIED: Rule = ANY_NAME.length(1, 256);
const QUALIFIER: Rule = Rule::ANY.at("Qualifier").length(1, 128).pattern("(|[a-zA-Z0-9$_-]+)");
const ALIAS: Rule = Rule::ANY.at("Name").required().length(1, 128).pattern("([a-zA-Z0-9-_]+)");
const VERSION: Rule = Rule::ANY.at("FunctionVersion").length(1, 1024).pattern("(\\$LATEST|[0-9]+)");
const STATEMENT: Rule = Rule::ANY.at("StatementId").required().length(1, 100).pattern("([a-zA-Z0-9-_]+)");
const DESCRIPTION: Rule = Rule::ANY.at("Description").length(0, 256);
const RESOURCE: Rule = Rule::ANY.at("Resource").required().length(1, 10_000);
const MAX_ITEMS: Rule = Rule::ANY.at("MaxItems").range(1, 10_000);
const ARCHITECTURE: Rule = Rule::ANY.at("Architectures[]").one_of(&["x86_64", "arm64"]);
const ROLE: Rule =
    Rule::ANY.at("Role").pattern("arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+");
const HANDLER: Rule = Rule::ANY.at("Handler").length(0, 128).pattern("[^\\s]+");
const MEMORY: Rule = Rule::ANY.at("MemorySize").range(128, 32_768);
const TIMEOUT: Rule = Rule::ANY.at("Timeout").range(1, 5_400);
const STORAGE: Rule = Rule::ANY.at("EphemeralStorage.Size").required().range(512, 10_240);
const LOG_GROUP: Rule =
    Rule::ANY.at("LoggingConfig.LogGroup").length(1, 512).pattern("[\\.\\-_/#A-Za-z0-9]+");

const API: Api = Api {
    name: "lambda",
    signing_name: "lambda",
    invalid: "ValidationException",
    public: &["GetCode"],
    routes: &[
        route(
            "POST",
            "/2015-03-31/functions",
            op_async(
                "CreateFunction",
                &[
                    FUNCTION,
                    ROLE.required(),
                    Rule::ANY.at("Code").required(),
                    HANDLER,
                    DESCRIPTION,
                    MEMORY,
                    TIMEOUT,
                    STORAGE,
                    LOG_GROUP,
                    ARCHITECTURE,
                ],
                |call| Box::pin(functions::create_function(call)),
            ),
        ),
        route("GET", "/2015-03-31/functions", op("ListFunctions", &[MAX_ITEMS], functions::list_functions)),
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
            op(
                "UpdateFunctionConfiguration",
                &[FUNCTION, ROLE, HANDLER, DESCRIPTION, MEMORY, TIMEOUT, STORAGE, LOG_GROUP],
                functions::update_function_configuration,
            ),
        ),
        route(
            "PUT",
            "/2015-03-31/functions/{FunctionName}/code",
            op_async("UpdateFunctionCode", &[FUNCTION, ARCHITECTURE], |call| {
                Box::pin(functions::update_function_code(call))
            }),
        ),
        route(
            "POST",
            "/2015-03-31/functions/{FunctionName}/versions",
            op("PublishVersion", &[FUNCTION, DESCRIPTION], versions::publish_version),
        ),
        route(
            "GET",
            "/2015-03-31/functions/{FunctionName}/versions",
            op("ListVersionsByFunction", &[QUALIFIED, MAX_ITEMS], versions::list_versions_by_function),
        ),
        route(
            "POST",
            "/2015-03-31/functions/{FunctionName}/aliases",
            op("CreateAlias", &[FUNCTION, ALIAS, VERSION.required(), DESCRIPTION], aliases::create_alias),
        ),
        route(
            "GET",
            "/2015-03-31/functions/{FunctionName}/aliases",
            op("ListAliases", &[FUNCTION, VERSION, MAX_ITEMS], aliases::list_aliases),
        ),
        route(
            "GET",
            "/2015-03-31/functions/{FunctionName}/aliases/{Name}",
            op("GetAlias", &[FUNCTION, ALIAS], aliases::get_alias),
        ),
        route(
            "PUT",
            "/2015-03-31/functions/{FunctionName}/aliases/{Name}",
            op("UpdateAlias", &[FUNCTION, ALIAS, VERSION, DESCRIPTION], aliases::update_alias),
        ),
        route(
            "DELETE",
            "/2015-03-31/functions/{FunctionName}/aliases/{Name}",
            op("DeleteAlias", &[FUNCTION, ALIAS], aliases::delete_alias),
        ),
        route(
            "POST",
            "/2015-03-31/functions/{FunctionName}/policy",
            op(
                "AddPermission",
                &[
                    QUALIFIED,
                    QUALIFIER,
                    STATEMENT,
                    Rule::ANY.at("Action").required().pattern("(lambda:[*]|lambda:[a-zA-Z]+|[*])"),
                    Rule::ANY.at("Principal").required().pattern("[^\\s]+"),
                ],
                permissions::add_permission,
            ),
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
            "PUT",
            "/2017-10-31/functions/{FunctionName}/concurrency",
            op(
                "PutFunctionConcurrency",
                &[FUNCTION, Rule::ANY.at("ReservedConcurrentExecutions").required().range(0, i64::MAX)],
                concurrency::put_function_concurrency,
            ),
        ),
        route(
            "DELETE",
            "/2017-10-31/functions/{FunctionName}/concurrency",
            op("DeleteFunctionConcurrency", &[FUNCTION], concurrency::delete_function_concurrency),
        ),
        route(
            "GET",
            "/2019-09-30/functions/{FunctionName}/concurrency",
            op("GetFunctionConcurrency", &[FUNCTION], concurrency::get_function_concurrency),
        ),
        route(
            "PUT",
            "/2019-09-30/functions/{FunctionName}/provisioned-concurrency",
            op(
                "PutProvisionedConcurrencyConfig",
                &[
                    FUNCTION,
                    QUALIFIER.required(),
                    Rule::ANY.at("ProvisionedConcurrentExecutions").required().range(1, i64::MAX),
                ],
                provisioned::put,
            ),
        ),
        route(
            "GET",
            "/2019-09-30/functions/{FunctionName}/provisioned-concurrency?List=ALL",
            op(
                "ListProvisionedConcurrencyConfigs",
                &[FUNCTION, Rule::ANY.at("MaxItems").range(1, 50)],
                provisioned::list,
            ),
        ),
        route(
            "GET",
            "/2019-09-30/functions/{FunctionName}/provisioned-concurrency",
            op("GetProvisionedConcurrencyConfig", &[FUNCTION, QUALIFIER.required()], provisioned::get),
        ),
        route(
            "DELETE",
            "/2019-09-30/functions/{FunctionName}/provisioned-concurrency",
            op("DeleteProvisionedConcurrencyConfig", &[FUNCTION, QUALIFIER.required()], provisioned::delete),
        ),
        route(
            "GET",
            "/2016-08-19/account-settings",
            op("GetAccountSettings", &[], concurrency::get_account_settings),
        ),
        route(
            "POST",
            "/2017-03-31/tags/{Resource}",
            op("TagResource", &[RESOURCE, Rule::ANY.at("Tags").required()], functions::tag_resource),
        ),
        route(
            "DELETE",
            "/2017-03-31/tags/{Resource}",
            op("UntagResource", &[RESOURCE, Rule::ANY.at("tagKeys").required()], functions::untag_resource),
        ),
        route("GET", "/2017-03-31/tags/{Resource}", op("ListTags", &[RESOURCE], functions::list_tags)),
        raw_route(
            "POST",
            "/2015-03-31/functions/{FunctionName}/invocations",
            op_async("Invoke", &[QUALIFIED, QUALIFIER], |call| Box::pin(invoke::invoke(call))),
        ),
        // What `Code.Location` of GetFunction points to; on AWS a presigned URL of S3.
        raw_route("GET", code::DOWNLOAD, op("GetCode", &[], code::get_code)),
    ],
};
