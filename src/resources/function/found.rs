//! A function as AWS describes it: its configuration, and what others have set beside it.

use std::collections::BTreeMap;

use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::operation::update_function_configuration::builders::UpdateFunctionConfigurationFluentBuilder;
use aws_sdk_lambda::types::{
    DeadLetterConfig, FunctionConfiguration, LogFormat, LoggingConfig, SnapStart, SnapStartApplyOn,
    TracingConfig, TracingMode,
};

use super::section::{USUAL_ARCHITECTURE, USUAL_MEMORY, USUAL_STORAGE, USUAL_TIMEOUT};
use super::send;
use super::spec::{Configuration, Live, Setting};
use crate::config::Network;
use crate::resources::encryption;
use crate::resources::log_group::LogGroup;

/// GetFunctionConfiguration describes a function as GetFunction does, in a type of its own: what is read of
/// it, as the other.
pub fn configuration(found: GetFunctionConfigurationOutput) -> FunctionConfiguration {
    FunctionConfiguration::builder()
        .set_function_name(found.function_name)
        .set_description(found.description)
        .set_role(found.role)
        .set_code_sha256(found.code_sha256)
        .set_handler(found.handler)
        .set_runtime(found.runtime)
        .set_architectures(found.architectures)
        .set_memory_size(found.memory_size)
        .set_timeout(found.timeout)
        .set_environment(found.environment)
        .set_ephemeral_storage(found.ephemeral_storage)
        .set_vpc_config(found.vpc_config)
        .set_layers(found.layers)
        .set_file_system_configs(found.file_system_configs)
        .set_kms_key_arn(found.kms_key_arn)
        .set_tracing_config(found.tracing_config)
        .set_dead_letter_config(found.dead_letter_config)
        .set_snap_start(found.snap_start)
        .set_logging_config(found.logging_config)
        .set_state(found.state)
        .set_state_reason(found.state_reason)
        .set_last_update_status(found.last_update_status)
        .set_last_update_status_reason(found.last_update_status_reason)
        .build()
}

/// What `$LATEST` or a version is. Emulators leave some of it out.
pub fn live(found: &FunctionConfiguration) -> Live {
    let variables = found.environment().and_then(|e| e.variables()).into_iter().flatten();
    let architecture = found.architectures().first().map_or(USUAL_ARCHITECTURE, |a| a.as_str());
    let vpc = found.vpc_config();
    Live {
        role_arn: found.role().unwrap_or_default().to_owned(),
        code_sha256: send::known_by(found.description(), found.code_sha256().unwrap_or_default()),
        configuration: Configuration {
            handler: found.handler().unwrap_or_default().to_owned(),
            runtime: found.runtime().map(|r| r.as_str().to_owned()).unwrap_or_default(),
            architecture: architecture.to_owned(),
            memory_mb: found.memory_size().unwrap_or(USUAL_MEMORY),
            timeout_s: found.timeout().unwrap_or(USUAL_TIMEOUT),
            environment: variables.map(|(k, v)| (k.clone(), v.clone())).collect(),
            storage_mb: found.ephemeral_storage().map_or(USUAL_STORAGE, |s| s.size()),
            network: vpc.and_then(|vpc| Network::found(vpc.subnet_ids(), vpc.security_group_ids())),
            kms_key: encryption::found(found.kms_key_arn()),
            layers: found.layers().iter().filter_map(|l| l.arn()).map(str::to_owned).collect(),
        },
        more: more(found),
    }
}

/// What others have set of what opsctl leaves as it is by default.
fn more(found: &FunctionConfiguration) -> BTreeMap<Setting, String> {
    let set = Setting::ALL.iter().filter_map(|setting| Some((*setting, value(*setting, found)?)));
    set.collect()
}

/// What it is set to; `None` by default.
fn value(setting: Setting, found: &FunctionConfiguration) -> Option<String> {
    let text = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    match setting {
        Setting::DeadLetters => text(found.dead_letter_config()?.target_arn()),
        Setting::FileSystems => {
            let systems: Vec<&str> = found.file_system_configs().iter().map(|system| system.arn()).collect();
            (!systems.is_empty()).then(|| systems.join(", "))
        }
        Setting::LogFormat => {
            let format = found.logging_config()?.log_format()?;
            (*format != LogFormat::Text).then(|| format.to_string())
        }
        Setting::LogGroup => {
            let own = own_group(found.function_name().unwrap_or_default());
            text(found.logging_config()?.log_group()).filter(|group| *group != own)
        }
        Setting::SnapStart => {
            let on = found.snap_start()?.apply_on()?;
            (*on != SnapStartApplyOn::None).then(|| on.to_string())
        }
        Setting::Tracing => {
            let mode = found.tracing_config()?.mode()?;
            (*mode == TracingMode::Active).then(|| mode.to_string())
        }
    }
}

/// Sets what somebody else has set back to what Lambda does without: nothing else is said to be so.
pub fn by_default(
    call: UpdateFunctionConfigurationFluentBuilder,
    setting: Setting,
    function: &str,
) -> UpdateFunctionConfigurationFluentBuilder {
    match setting {
        Setting::DeadLetters => call.dead_letter_config(DeadLetterConfig::builder().target_arn("").build()),
        Setting::FileSystems => call.set_file_system_configs(Some(Vec::new())),
        Setting::LogFormat | Setting::LogGroup => {
            let logging = LoggingConfig::builder().log_format(LogFormat::Text);
            call.logging_config(logging.log_group(own_group(function)).build())
        }
        Setting::SnapStart => call.snap_start(SnapStart::builder().apply_on(SnapStartApplyOn::None).build()),
        Setting::Tracing => {
            call.tracing_config(TracingConfig::builder().mode(TracingMode::PassThrough).build())
        }
    }
}

/// The log group that Lambda uses when nobody names one.
fn own_group(function: &str) -> String {
    format!("{}{function}", LogGroup::FUNCTIONS)
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::builders::FunctionConfigurationBuilder;
    use aws_sdk_lambda::types::{
        Architecture, EnvironmentResponse, EphemeralStorage, FileSystemConfig, LastUpdateStatus, Layer,
        Runtime, SnapStartResponse, State, TracingConfigResponse, VpcConfigResponse,
    };

    use super::*;

    /// All that somebody can set beside the config, set.
    fn decorated() -> FunctionConfigurationBuilder {
        FunctionConfiguration::builder()
            .function_name("f")
            .layers(Layer::builder().arn("arn:layer").build())
            .file_system_configs(
                FileSystemConfig::builder().arn("arn:files").local_mount_path("/mnt/f").build().unwrap(),
            )
            .kms_key_arn("arn:key")
            .tracing_config(TracingConfigResponse::builder().mode(TracingMode::Active).build())
            .dead_letter_config(DeadLetterConfig::builder().target_arn("arn:queue").build())
            .ephemeral_storage(EphemeralStorage::builder().size(1024).build().unwrap())
            .snap_start(SnapStartResponse::builder().apply_on(SnapStartApplyOn::PublishedVersions).build())
            .logging_config(LoggingConfig::builder().log_format(LogFormat::Json).log_group("/theirs").build())
    }

    /// What is seen of it can be put back: the request names it.
    #[tokio::test]
    async fn what_others_have_set_is_read_and_put_back() {
        let more = more(&decorated().build());
        assert_eq!(more.keys().copied().collect::<Vec<_>>(), Setting::ALL, "{more:?}");
        let lambda = aws_sdk_lambda::Client::from_conf(
            aws_sdk_lambda::Config::builder()
                .behavior_version(aws_sdk_lambda::config::BehaviorVersion::latest())
                .build(),
        );
        let plain = format!("{:?}", lambda.update_function_configuration().as_input());
        for setting in Setting::ALL {
            let call = by_default(lambda.update_function_configuration(), *setting, "f");
            assert_ne!(format!("{:?}", call.as_input()), plain, "{setting:?}");
        }
    }

    #[test]
    fn what_lambda_does_by_itself_nobody_has_set() {
        let bare = FunctionConfiguration::builder().function_name("f");
        let by_itself =
            LoggingConfig::builder().log_format(LogFormat::Text).log_group("/aws/lambda/f").build();
        let bare = bare.logging_config(by_itself);
        let bare =
            bare.tracing_config(TracingConfigResponse::builder().mode(TracingMode::PassThrough).build());
        assert_eq!(more(&bare.build()), BTreeMap::new());
    }

    /// Whatever is read of the one answer is there in the other: their members have the same names.
    #[test]
    fn both_answers_say_the_same() {
        let described = decorated()
            .description("Made by opsctl")
            .role("arn:role")
            .code_sha256("abc=")
            .handler("app.handler")
            .runtime(Runtime::from("python3.13"))
            .architectures(Architecture::Arm64)
            .memory_size(256)
            .timeout(9)
            .environment(EnvironmentResponse::builder().variables("A", "b").build())
            .vpc_config(
                VpcConfigResponse::builder().subnet_ids("subnet-1").security_group_ids("sg-1").build(),
            )
            .state(State::Active)
            .state_reason("why")
            .last_update_status(LastUpdateStatus::Failed)
            .last_update_status_reason("because")
            .build();
        let d = described.clone();
        let answer = GetFunctionConfigurationOutput::builder()
            .set_function_name(d.function_name)
            .set_description(d.description)
            .set_role(d.role)
            .set_code_sha256(d.code_sha256)
            .set_handler(d.handler)
            .set_runtime(d.runtime)
            .set_architectures(d.architectures)
            .set_memory_size(d.memory_size)
            .set_timeout(d.timeout)
            .set_environment(d.environment)
            .set_ephemeral_storage(d.ephemeral_storage)
            .set_vpc_config(d.vpc_config)
            .set_layers(d.layers)
            .set_file_system_configs(d.file_system_configs)
            .set_kms_key_arn(d.kms_key_arn)
            .set_tracing_config(d.tracing_config)
            .set_dead_letter_config(d.dead_letter_config)
            .set_snap_start(d.snap_start)
            .set_logging_config(d.logging_config)
            .set_state(d.state)
            .set_state_reason(d.state_reason)
            .set_last_update_status(d.last_update_status)
            .set_last_update_status_reason(d.last_update_status_reason)
            .build();
        assert_eq!(configuration(answer), described);
    }
}
