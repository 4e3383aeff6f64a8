//! Every code opsctl can print, with the text of `opsctl explain CODE`. Append-only: scripts match on them.

use std::fmt;

/// A stable code such as `C002`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(&'static str);

impl Code {
    /// As it is printed: `E202`.
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// Whether it is about local files only, which commands that delete or read do not need.
    pub fn is_of_files(self) -> bool {
        [
            NO_SUCH_PATH,
            NOT_IN_SOURCE,
            TOO_LARGE,
            SYMLINK,
            NOT_INSTALLED,
            LOCAL_IO,
            REMOTE_ABSENT,
            REMOTE_DENIED,
            REMOTE_ELSEWHERE,
            REMOTE_LARGE,
            REMOTE_AMBIGUOUS,
            NO_KEY,
        ]
        .contains(&self)
    }

    /// Whether it is about what an account allows; the sandbox's allows it.
    pub fn is_of_account(self) -> bool {
        self == SMALL_ACCOUNT
    }

    /// What it means, in a few words.
    pub fn title(self) -> &'static str {
        explained(self.0).map_or("", |e| e.title)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.0)
    }
}

impl schemars::JsonSchema for Code {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Code".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let description = "A stable code; `opsctl explain CODE` says what it means";
        let pattern = "^[A-Z]+[0-9]{3}$";
        schemars::json_schema!({ "type": "string", "description": description, "pattern": pattern })
    }
}

/// What `opsctl explain` says about a code.
#[derive(Debug)]
pub struct Explained {
    pub code: &'static str,
    pub title: &'static str,
    pub text: &'static str,
}

/// The entry of `code`, in any case.
pub fn explained(code: &str) -> Option<&'static Explained> {
    ALL.iter().find(|e| e.code.eq_ignore_ascii_case(code))
}

/// The warnings about a config: `check`, `plan` and `deploy` give them, and `[lint]` silences them.
pub const LINTS: &[Code] = &[
    PER_MINUTE,
    SHORT_COOLDOWN,
    SMALL_ACCOUNT,
    SHORT_TIMEOUT,
    SMALL_NOTEBOOK,
    OLD_RUNTIME,
    CPU_CREDITS,
    EMPTY_DATA,
    SPLIT_AT_SPACES,
    SPOT_WITHOUT_CHECKPOINTS,
    NEWER,
    DATA_IN_SOURCE,
    OUTLIVES_TTL,
    UNUSED_ALLOW,
    WIDE_PERMISSION,
    UNKNOWN_ACTION,
    FOREIGN_LIBRARY,
    UNUSED_MODEL,
    PUBLIC_URL,
    CODE_LEFT_OUT,
    NOT_AS_ON_AWS,
    LITERAL_SECRET,
    TRACKED_LEFT_OUT,
    SECRET_IN_CODE,
    NOT_THERE_TO_INSTALL,
];

macro_rules! codes {
    ($($name:ident $code:literal $title:literal $text:literal;)*) => {
        $(#[doc = $title] pub const $name: Code = Code($code);)*
        /// All codes, in the order of their numbers.
        pub const ALL: &[Explained] = &[$(Explained { code: $code, title: $title, text: $text }),*];
    };
}

codes! {
    SYNTAX "C001" "The file is not TOML"
        "opsctl reads TOML 1.1 (https://toml.io). The caret shows where reading stopped; usually a quote or a bracket is missing there or one line above.";
    UNKNOWN_KEY "C002" "Unknown key"
        "A key that opsctl does not know would be silently ignored, and the infrastructure would differ from what the file seems to say, so it is an error. `opsctl schema` prints every key; `opsctl init --template digits DIR` writes a file that has them all, with comments.";
    MISSING_KEY "C003" "A required key is missing"
        "The key has no sensible default. `opsctl schema` describes it, and the file that `opsctl init --template digits DIR` writes shows it with a comment.";
    BAD_VALUE "C004" "A value of the wrong type or outside its range"
        "The message names what is expected. Durations are text (\"30s\", \"15m\", \"90d\"), counts are integers, instance types are AWS's own names.";
    UNKNOWN_ENVIRONMENT "C005" "Unknown environment"
        "`--env NAME` needs a table `[env.NAME]` in the file (it may be empty), because a typing error would otherwise build a whole new environment. `dev` is the default and needs no table.";
    UNKNOWN_REFERENCE "C006" "A name that nothing defines"
        "Sections refer to each other by name: `data = [\"dogs\"]` needs `[data.dogs]`, `model = \"breeds\"` needs `[training.breeds]`, `endpoint = \"breeds\"` needs `[endpoint.breeds]`.";
    BAD_NAME "C007" "A name AWS would refuse"
        "Names become part of SageMaker, Lambda, IAM and S3 names. The common ground of those is: lowercase letters, digits and single hyphens, beginning and ending with a letter or digit (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html).";
    LONG_NAME "C008" "A name too long for AWS"
        "Physical names are `<project>-<environment>-<name>`, and for training jobs, models and endpoint configurations a fingerprint of ten characters follows. SageMaker allows 63 characters, IAM roles and Lambda functions 64, S3 buckets 63. Shorten the project's, the environment's or the resource's name.";
    NO_SUCH_PATH "C009" "No such file or folder"
        "Paths are relative to the folder of the config file.";
    NOT_IN_SOURCE "C010" "The entry file is not in the source folder"
        "`entry` names a file inside `source` (or `code`). Files that the .gitignore files of the project or of its git repository, or .opsctlignore, exclude are not packed, and so are not seen either; `exclude = [\"!/train.py\"]` takes along what a .gitignore leaves out. A function's `handler` names one that its file has, and the lines of a shell script end with LF: of others a shell says that the script is not found.";
    UNKNOWN_IMAGE "C011" "Unknown image"
        "`image` is a short name of an AWS Deep Learning Container (\"pytorch-2.6\") or a full registry URI (`<account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>`). With `on = \"ec2\"` it is an AMI id or the name of a public SSM parameter.";
    NO_REGION "C012" "No region"
        "Every name and ARN depends on the region. Set `region` under `[project]`, or AWS_REGION, or `--region`.";
    WRONG_ACCOUNT "C013" "The credentials belong to another account"
        "`[project] account` says which account this project is in. opsctl refuses to touch another.";
    BAD_RANGE "C014" "A minimum above its maximum"
        "Application Auto Scaling refuses a scalable target whose MinCapacity is above its MaxCapacity.";
    NOT_A_CONFIG "C015" "No config file"
        "opsctl looks for --config, OPSCTL_CONFIG, ./opsctl.toml, ./config/opsctl.toml, and then the same in the folders above up to the repository root. `opsctl init` writes one.";
    TOO_LARGE "C016" "Too large for AWS"
        "A Lambda function's zip may have 50 MB when it is sent directly, 250 MB unzipped, and 4 KB of environment variables; a call of it carries 6 MB, in which bytes that are no text are in base64 (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). An EC2 instance takes 16 KB of user data, which is where its program and values are.";
    SYMLINK "C017" "A symbolic link that leads out of its folder"
        "Links inside the folder are followed. A link that leaves the folder, or a loop, would upload what you did not name; copy the file or remove the link.";
    BAD_PATTERN "C018" "A pattern that cannot be read"
        "Metric patterns are regular expressions with a group, the first of which is the value, as SageMaker's MetricDefinitions want (https://docs.aws.amazon.com/sagemaker/latest/dg/training-metrics.html); file patterns have gitignore syntax.";
    LIMIT "C019" "A value that AWS refuses"
        "AWS's published service models say how many entries a list may have, how long a text may be, how large a number, and which words an enum has. opsctl checks the config against those that it was built with, because AWS itself would refuse only in the middle of a deploy. If AWS has raised a limit since, a newer opsctl knows it.";
    ENTRY_NAME "C020" "A name of an entry that AWS refuses"
        "Environment variables, hyperparameters and metrics have names of their own. Variables are letters, digits and underscores on SageMaker and Lambda; Lambda wants at least two of them, and keeps some names for itself (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html).";
    UNKNOWN_REGION "C021" "AWS has no such region"
        "The region is part of every host name that is called and of every ARN. opsctl knows the regions of all partitions that AWS had published when this version was made; one that looks newer is only warned of.";
    SET_BY_OPSCTL "C022" "A value that opsctl sets itself"
        "What is written here would be silently overwritten, so it is an error: the program and the folder of a job come from `entry` and `source`, those of an endpoint from `code`, and a function learns its endpoint as ENDPOINT_NAME. The SM_* variables of a training are set by the container.";
    IMAGE_PLACE "C023" "An image of another region"
        "SageMaker pulls images from the registry of its own region. AWS's Deep Learning Containers are in every region, under an account that differs by region (https://docs.aws.amazon.com/sagemaker/latest/dg-ecr-paths/sagemaker-algo-docker-registry-paths.html); your own are copied by `docker pull` and `docker push`, or by a replication rule of ECR.";
    IMAGE_DEVICE "C024" "An image for another kind of processor"
        "AWS has each Deep Learning Container twice. The one for CPUs does not see a GPU, which is paid for all the same; the one for GPUs is larger, and of no use without one. A short name such as `pytorch-2.6` follows from the instance type.";
    NOT_INSTALLED "C025" "Packages that the function will not have"
        "A function has its runtime, boto3 with what boto3 needs, the files of `source`, and the packages of its `requirements.txt` that have wheels for Lambda. What would have to be built (folders, repositories) is not installed: put such packages into the folder (`pip install -r requirements.txt -t FOLDER`; with compiled parts: `--platform manylinux2014_x86_64 --only-binary=:all:`) (https://docs.aws.amazon.com/lambda/latest/dg/python-package.html).";

    PER_MINUTE "C101" "The target counts invocations per instance per MINUTE"
        "`SageMakerVariantInvocationsPerInstance` is the average number of invocations per instance per minute, not how many an instance can handle at a time. 10 is one call every six seconds: a single user scales the endpoint out. AWS's method: find the highest rate one instance can sustain in a load test (MAX_RPS), then target = MAX_RPS × 0.5 × 60 (https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-scaling-loadtest.html).";
    SHORT_COOLDOWN "C102" "A cooldown shorter than the alarms can react"
        "Target tracking scales out after 3 one-minute points above the target and in after 15 below it, and a new instance takes minutes to start. A cooldown of 30 s does not shorten that; it only lets the next step begin before the last one serves. AWS's default for endpoints is 300 s (https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html).";
    NOT_HOSTED "C103" "An instance type that SageMaker does not offer there"
        "Endpoints cannot run on ml.t3.*; the burstable type offered for hosting is ml.t2.*. Types begin with `ml.` on SageMaker and have no `ml.` on EC2 (https://aws.amazon.com/sagemaker/pricing/).";
    BURSTABLE_SCALING "C104" "A burstable variant cannot autoscale"
        "Application Auto Scaling refuses to register a variant on ml.t2.* because burstable performance misleads the metric. Use ml.m5.large or larger, or drop `autoscaling`.";
    SMALL_ACCOUNT "C105" "Provisioned concurrency that a small account refuses"
        "Lambda keeps at least 100 executions unreserved (10 on accounts limited to 10), so on a fresh account with a limit of 10 any value is refused, and on the usual 1,000 at most 900 is allowed. `aws lambda get-account-settings` shows the limit. It cannot be on $LATEST, so opsctl puts it on the alias `live`, and callers that invoke the function without the alias do not use it; `provisioned_concurrency = 0` keeps no environment initialized (https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html).";
    SHORT_TIMEOUT "C106" "The function gives up before the endpoint does"
        "An endpoint may answer after up to 60 s. A function with a shorter timeout dies first, and its caller sees `Task timed out` instead of the answer or the model's error. Use 70s or more.";
    CLOSED_PLATFORM "C107" "A notebook platform that AWS has closed"
        "notebook-al1-* and notebook-al2-* can no longer be created, and since 2026-07-01 not restarted (https://docs.aws.amazon.com/sagemaker/latest/dg/nbi-al2.html). Use notebook-al2023-v1.";
    SMALL_NOTEBOOK "C108" "A notebook with little memory"
        "ml.t2.medium and ml.t3.medium have 4 GiB, and the project that opsctl was written for ran out of memory there. ml.t3.xlarge has 16 GiB.";
    OLD_RUNTIME "C109" "A Lambda runtime that is deprecated"
        "Lambda blocks creating, and later updating, functions on deprecated runtimes (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html). Use python3.13.";
    IMAGE_MISMATCH "C110" "An image for another purpose"
        "Training images do not answer /ping, so an endpoint on one fails after half an hour; inference images run no training script. AWS's PyTorch inference images end at 2.6; a model trained with a newer version may not load there.";
    CPU_CREDITS "C111" "Training on a burstable instance"
        "A t2 instance earns CPU credits slowly (t2.xlarge: 22.5 % of each vCPU) and is throttled to that when they are spent. Short or light training is fine; for hours of full load use m5 or c5.";
    EMPTY_DATA "C112" "The data set has no files"
        "The folder is there but holds no file that is not excluded. SageMaker fails a training job whose channel has no objects (ClientError).";
    SPLIT_AT_SPACES "C113" "Text that the container splits at spaces"
        "Every image runs a shell script by a line of a shell, and the toolkit in AWS's images of 2021 and 2022 (PyTorch 1.9 to 1.11, TensorFlow 2.4 to 2.8) any script: the arguments get no quotes, so `--name \"a b\"` arrives as three words (https://github.com/aws/sagemaker-training-toolkit/issues/128). The variables SM_HP_NAME and SM_HPS have the whole text.";
    SPOT_WITHOUT_CHECKPOINTS "C114" "Spot training without checkpoints"
        "A spot interruption starts the script again from nothing unless it resumes from /opt/ml/checkpoints. Set `checkpoints = true` and load the newest one at the start of the script (https://docs.aws.amazon.com/sagemaker/latest/dg/model-managed-spot-training.html).";
    NEWER "C115" "Newer than opsctl's data"
        "The value is not among those that AWS had published when this version of opsctl was made, but it looks like one that came later: a new generation of an instance family, a new region, a new runtime. opsctl sends it as it is.";
    DATA_IN_SOURCE "C116" "A data set is inside a source folder"
        "A source folder is packed whole: into the job's archive, the model, the function's zip. A data set in it makes those as large as the data, and every change of the data is then a change of the code, which trains and deploys again. A line in the source's .opsctlignore (`/data/`) leaves it out; data sets do not read that file.";
    UNUSED_ALLOW "C117" "A warning is allowed that nothing gives"
        "`[lint] allow` names a code that silences nothing in any environment of the file: what it was for has been changed. Remove it, so that the warning is heard when the cause comes back.";

    FOREIGN_LIBRARY "C118" "A library for another machine"
        "Compiled libraries (`.so`) run only on the processor and system that they are made for, and pip brings those of the machine that it runs on. Lambda runs Linux, on x86_64 or, with `architecture = \"arm64\"`, on Arm: any other library fails when it is imported, at the first call of the function. pip fetches others with `--platform manylinux2014_x86_64` or `manylinux2014_aarch64` and `--only-binary=:all:` (https://docs.aws.amazon.com/lambda/latest/dg/python-package.html#python-package-native-libraries).";
    OUTLIVES_TTL "C119" "A job may run longer than the project lives"
        "The `ttl` of the project ends endpoints, provisioned concurrency and notebooks. A training ends itself at its `max_runtime`, whether or not anybody watches, and the `ttl` does not cut it short: with a longer `max_runtime` it may go on, and be billed, after everything else has ended.";
    OWN_TAG "C120" "A tag that is not the user's to set"
        "Keys that begin with `aws:` are AWS's, and it refuses them. Those that begin with `opsctl:` say whose a resource is and what it was made of: another value there would make it somebody else's.";
    BAD_ARN "C121" "An ARN that is of something else"
        "ARNs in the config name what others have made: a permissions boundary, a role, a key. The message says what is expected there. Roles and boundaries are of the project's own account, because AWS takes no others.";
    WIDE_PERMISSION "C122" "A permission on more than is named"
        "`permissions` go into the role's policy as they are. A wildcard allows what nobody has thought of, and what AWS adds later: name the actions, and the ARNs of what they are about. `\"*\"` is right for actions that are about nothing in particular, and is not warned of there.";
    UNKNOWN_ACTION "C123" "An action that AWS does not have"
        "IAM takes any name of an action, and a misspelled one allows nothing. opsctl knows the actions of the day that its catalogue is of; a newer one is right all the same.";

    UNUSED_MODEL "C128" "A model that no endpoint serves"
        "`[model.NAME]` says where a model comes from; the model itself is made for each endpoint that names it. No endpoint does, so nothing is made of the section.";
    TWO_MODELS "C129" "A training and a model of the same name"
        "`endpoint.model` names a training or a model. With one name for both, nobody could say which is served: rename one of the sections.";
    BAD_URI "C130" "Not a place in S3"
        "Data and models of other buckets are named as `s3://BUCKET/PREFIX`, as S3's console and `aws s3 ls` show them. Access points, HTTP addresses and the hosts of buckets are not read.";
    SAME_NAME "C131" "Two resources of one name"
        "`name` fixes the exact name that a resource has in AWS. Two of one kind cannot have the same in one account and region, and SageMaker does not distinguish capitals. Each environment of a project has resources of its own: give them names of their own in `[env.NAME.…]`.";
    PUBLIC_URL "C132" "An address that everybody may call"
        "`url = \"public\"` lets everybody call the function who has its address, without credentials: Lambda, and the endpoint behind it, are billed to you for each call. `reserved_concurrency` bounds how many run at once; `url = \"iam\"` takes callers with credentials alone (https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html).";
    CODE_LEFT_OUT "C133" "Code where a job reads or writes"
        "What `inputs` and `outputs` of a training on EC2 name is not packed with the code: data and results of a run on this machine lie there, and are no code. Python files there are left out too, so an import of them fails on the instance, which is paid for by then. Give the data, or what the script leaves, a folder of its own.";
    NOT_AS_ON_AWS "C134" "The sandbox plays a container in another way"
        "With `--sandbox`, the user's code runs as a process of this machine. Of AWS's own images the sandbox knows what their containers do: script mode for training, and the defaults of PyTorch, scikit-learn, XGBoost and Hugging Face for serving. What other images hold and run it does not know, so a success here says that the code works, and not that the image does. What it cannot play at all, `deploy` refuses (E266).";
    LITERAL_SECRET "C135" "A secret in an environment"
        "AWS keeps the variables of a training, a model and a function as text, and shows it to everybody who may describe the resource; the file is in the repository besides. opsctl shows the value nowhere, but it cannot hide it there. Keep it in Secrets Manager or as a SecureString of SSM, and let the code read it: `boto3.client(\"secretsmanager\").get_secret_value(SecretId=…)`, with `permissions = [{ actions = [\"secretsmanager:GetSecretValue\"], resources = [\"arn:…\"] }]` beside it. A container that takes it from a variable alone, such as one that fetches a model with HF_TOKEN, has no other way: give it a token that may only read, and allow C135 in [lint].";
    TRACKED_LEFT_OUT "C136" "A file of the repository is left out of the code"
        "The project's .gitignore files say what is no code: what a script leaves in the folder of a machine must not be other code than that of a fresh checkout. A file that was committed all the same is in every checkout, and would be missed where the code runs. `exclude = [\"!/base.h5\"]` packs it; `exclude = [\"/base.h5\"]` leaves it out without this warning. Only ignore files of the project and of its git repository count, none above them.";
    SECRET_IN_CODE "C137" "A file of secrets is packed with the code"
        "The folder of the code is packed whole, with .env, .netrc and private keys that are in it: they are in the bucket then, in the archive of the code, the model or the function, and on every machine that runs it. Leave the file out by `exclude`, and let the code read what it needs from Secrets Manager or SSM, by `permissions`. Where it has nothing secret in it, allow C137 in [lint].";
    NOT_THERE_TO_INSTALL "C138" "Requirements name what is not there"
        "`requirements.txt` is installed by pip where the code runs: by AWS's containers and on EC2 from what was packed of its folder, for a function from the folder on this machine. Another list (`-r`, `-c`), a wheel or a folder that it names by a path has to be there; on an instance, which is paid for by then, pip fails otherwise, and with it the job. Files that .gitignore or `exclude` name are not packed: `exclude = [\"!/wheels/\"]` packs them. The servers of AWS's images for PyTorch and Hugging Face run pip in another folder, and find no path of the code's: modules beside the script need no installing.";

    CREDENTIALS "E201" "No usable AWS credentials"
        "opsctl uses the same chain as the AWS CLI: environment, profile, SSO, `aws login`, container or instance role. `aws sts get-caller-identity` must work in the same shell. To try opsctl without an account add --sandbox.";
    DENIED "E202" "AWS denied the call"
        "The identity lacks a permission, or a service control policy or boundary forbids it. The message names the action. `opsctl policy deployer` prints all that a deploy needs, and `opsctl policy planner` all that looking needs.";
    FOREIGN "E203" "A resource of that name exists and is not this project's"
        "By its tags it is not of this project and environment, so opsctl does not touch it. Rename yours. What has no tags of opsctl's, or has lost some, can be used with --adopt: a bucket, role or log group is then adopted, which means that what opsctl needs is put beside what is there, and that `destroy` takes only that out again. Any other resource is taken over only if it is already as the config says; nothing of others is overwritten, and what another project or environment of opsctl has is never taken.";
    FAILED "E204" "AWS failed to create the resource"
        "The resource reached a failed state; the message has AWS's reason, or the sandbox's. `opsctl logs KIND/NAME` shows its log.";
    TIMED_OUT "E205" "Timed out; AWS keeps working"
        "`--timeout` bounds the whole command, without the time at a prompt; each wait has a limit of its own. Nothing is lost: run the same command again to keep waiting, or `opsctl status` to look.";
    QUOTA "E206" "A quota of the account is too small"
        "New accounts have a quota of 0 for most ml.* instance types. Ask for an increase: https://console.aws.amazon.com/servicequotas. The message names the quota.";
    THROTTLED "E207" "AWS throttled the calls"
        "Another program is using up the account's request rate: run the command again in a moment, it resumes where it stopped. A function with `reserved_concurrency` runs so many calls at once and no more; with 0, none.";
    NETWORK "E208" "AWS could not be reached"
        "Connection, DNS or TLS failed. Check the network, the proxy, --endpoint-url and the region's spelling.";
    CONFLICT "E209" "Something else is changing the same resource"
        "Another deploy, a person in the console, or AWS itself (SystemUpdating) is changing it. Run the command again when that is done.";
    REFUSED "E210" "AWS refused the request"
        "The service found a value invalid. The message is AWS's own.";
    LEASE_HELD "E211" "Another deploy is running"
        "Changes of one project and environment are made one at a time. The message names the holder; its lease expires by itself, at most 90 s after the last renewal. `opsctl lease show` shows it, `opsctl lease break` takes it away from a run that is certainly dead.";
    NOT_DEPLOYED "E212" "Not deployed yet, or stopped"
        "The command needs a resource that does not exist, or does not run. `opsctl deploy` creates it; `opsctl start KIND/NAME` starts what has stopped.";
    INTERRUPTED "E213" "Interrupted"
        "Nothing new was started, and what was under way had a moment to finish. AWS keeps working on what it was asked to do. Run the same command again: it resumes where it stopped.";
    ROLLED_BACK "E214" "The endpoint went back to its old configuration"
        "SageMaker answers InService after a failed update too, on the old endpoint configuration. opsctl compares and reports it. The reason is in the endpoint's log: `opsctl logs endpoint/NAME`.";
    LOCAL_IO "E215" "A local file could not be read or written"
        "The message says which, and why: make room on the disk, give this user the file or folder, make a broken file again, or move away what is in its place. Then run the command again.";
    CHANGED_MEANWHILE "E216" "The plan is out of date"
        "Between planning and now the config, the sources or AWS changed. Make a new plan.";
    NOT_OFFERED "E217" "The service does not offer the operation"
        "Seen with emulators and with regions that lack a feature; `opsctl open` says so of what has no page in AWS's console.";
    MODEL_ERROR "E218" "The user's code failed or refused"
        "The model's container or the function answered with an error. Its own words are in the message; its log has the rest, and the line. Where AWS refused a call of the code (AccessDenied), its role lacks the action: `permissions = [{ actions = [\"s3:GetObject\"], resources = [\"arn:aws:s3:::BUCKET/*\"] }]` in the section of what runs it gives it that.";
    MISSING "E220" "The resource does not exist"
        "AWS accepted the request, or had the resource before, and has shown nothing of that name for longer than its answers lag behind. Somebody deleted it, or it was never created. Run the same command again: it is created again.";
    LEASE_LOST "E229" "The lease was lost during the run"
        "The run was stopped or cut off for longer than its lease holds, and another took it over, or somebody took it away (`opsctl lease break`). It began nothing more once it knew, but what it did last may have happened beside the other run, so it does not count as done. When the other run has ended, run the same command again: it continues from what is there.";
    NOT_VERIFIED "E230" "What was done could not be verified"
        "Every step succeeded, but not everything could be read afterwards, so it is unknown whether the changes lasted. Allow the call that the message names and run the same command again: it does only what is missing.";
    NOT_SENT "E235" "The request could not be made"
        "Something that opsctl was given (a region, a name, an endpoint) has a form that the rules of AWS's addresses do not allow. Nothing was sent.";
    NOT_AWS "E236" "The endpoint is not AWS"
        "The endpoint answers, but not in AWS's language: a web server, a proxy's login page, another program on that port. Check --endpoint-url, AWS_ENDPOINT_URL and the proxy variables.";
    NO_GOOD_ANSWER "E237" "AWS failed to answer"
        "The service failed by itself (HTTP 500 and above), or its answer was cut off or cannot be read. Nothing was changed because of it. Run the command again in a moment; https://health.aws.amazon.com reports outages.";
    SAVED_NOTHING "E240" "The training saved nothing"
        "The script ended well and wrote nothing to SM_MODEL_DIR (/opt/ml/model), so there is no model; SageMaker calls such a job Completed. Or it left not all that `outputs` of a training on EC2 names; what it left is stored, and `opsctl model pull` fetches it. The same code, data and settings would end the same way for the same money, so they are not trained again. In the sandbox /opt/ml/model itself is a folder of this machine: a script that writes to that path, and not to SM_MODEL_DIR, saves its model on AWS and none here, which the job's log says. Save the model there, or take out of `outputs` what is not written: what has changed is trained.";
    SANDBOX_ENDED "E241" "The sandbox has ended"
        "The sandbox was served by another process, and that has ended: by `opsctl sandbox stop --force`, by Ctrl-C in the terminal of `opsctl sandbox serve`, because it was killed, or because its folder was moved or renamed. Its state is kept, and what ran in it has ended with it. Run the same command again: it starts a sandbox of that state, which begins its unfinished trainings again.";
    NO_PYTHON "E242" "There is no Python for the sandbox"
        "The sandbox runs the training's, the model's and the function's code with a Python of this machine, 3.9 or newer, that can make virtual environments. Nothing was created. Install one and run the same command again.";
    OVER_BUDGET "E243" "It could cost more than it may"
        "`[budget] monthly` or --max-monthly says what a month may cost, and the plan could cost more: with everything that scales at its maximum for the whole month, and with each training that the plan runs as long as its `max_runtime`, at AWS's list prices. Nothing was done. Lower `autoscaling.max`, an instance type or `max_runtime`, or raise the budget.";
    COST_UNKNOWN "E244" "What it could cost is unknown"
        "`[budget] monthly` or --max-monthly says what a month may cost, but of something in the plan neither AWS's price list nor the table that opsctl carries has said a price (https://github.com/opsctl/opsctl/blob/main/docs/cost.md), so nobody knows whether it keeps to the budget. Nothing was done. Allow `pricing:GetProducts`, which has the prices of all regions; where that does not help, use another instance type, or leave the budget out and watch the cost yourself.";
    REPLACED "E245" "A model archive was replaced"
        "When a training has ended, opsctl notes the entity tag (ETag) of the model.tar.gz that it left: as the tag `opsctl:model-etag` of a SageMaker job, in the job's record on EC2. Now another object lies there, so nobody knows whose weights it holds: it is neither packed, served nor fetched, and not overwritten. Bring back the version that the job saved, where the bucket keeps versions, or delete the object: then it is trained again when something needs it. If the new one is meant to be used, take the tag off the job.";
    NO_CAPACITY "E246" "AWS has no such machine to spare"
        "EC2 has too few instances of that type in this region at the moment; it is no quota, and nothing is wrong with the config. Run the same command again later, or take another instance type or region.";
    NOT_POSSIBLE "E250" "The account cannot do what the plan needs"
        "Before the first write opsctl looks at what the account allows: quotas below what a resource of the plan needs, images that are not in their registry, Lambda's limit of concurrent executions for `provisioned_concurrency`, the default VPC for EC2 jobs, the policy that `permissions_boundary` names. The message says what is missing, and nothing was changed. What cannot be looked at stops nothing. `opsctl doctor` shows all of it, with what is in use.";
    REGION_OFF "E251" "The region is not enabled for the account"
        "Regions that AWS opened after March 2019 are off until somebody enables them for the account; until then they do not know its keys. Enable it in the console (Account, AWS Regions), which takes some minutes, or name another region. https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html";
    NOT_ALLOWED "E252" "The credentials may not make what the plan needs"
        "Before the first write opsctl queries IAM's simulator: whether the caller may make what the plan makes, each with its own name. It may not, so the deploy would have failed half-way; nothing was changed. `opsctl policy deployer` prints what is needed. A denial that depends on what the simulator is not told, such as MFA, and a caller that may not ask it, stop nothing.";
    ROLE_LACKS "E253" "A role that the config names lacks what is needed"
        "`role` names a role that somebody else made. Before the first write opsctl looks whether it is there, trusts the service that is to run with it, and may do what opsctl would have allowed a role of its own, by IAM's simulator; for a job on EC2 also whether an instance profile holds it. It does not, so the job would have failed after it was started; nothing was changed, and the role never is. `opsctl policy role` prints what it has to allow. What a policy of a bucket, key or registry may allow, and what cannot be asked, stops nothing.";
    REMOTE_ABSENT "E257" "Nothing is there to read"
        "`uri` of a data set or `artifact` of a model names a bucket or objects that are not there. They are looked for before anything is planned, so nothing was made. `aws s3 ls URI` shows what is there; S3 distinguishes capitals, and a prefix has no `/` at its beginning.";
    REMOTE_DENIED "E258" "A bucket that may not be listed"
        "The bucket of a data set's `uri`, or of a model's `artifact`, is somebody else's, and its owner or IAM does not let you list it, so opsctl cannot know what is in it. The caller needs s3:ListBucket on the bucket (`opsctl policy deployer` prints it), and the generated role of the job reads the objects: a bucket of another account must allow both in its policy.";
    REMOTE_ELSEWHERE "E259" "The data is in another region"
        "SageMaker reads training data and models only from buckets in its own region. Copy it to a bucket there (`aws s3 sync`), or deploy the project in the region of the data.";
    REMOTE_LARGE "E260" "Too many objects to list"
        "Data in S3 is known by the keys, sizes and entity tags of its objects, which takes a call for 1,000 of them each time a plan is made. opsctl lists up to 100,000. Name a smaller prefix, or say by `version = \"…\"` which data it is: then it is not listed, and a new version trains again.";
    REMOTE_AMBIGUOUS "E261" "A key that other keys begin with"
        "A channel of SageMaker reads every object whose key begins with the URI: `data.csv` reads `data.csv.bak` too. Put the file into a folder of its own, or move the others away.";
    NOT_PACKED "E262" "The packages of a function cannot be had"
        "`requirements.txt` of a function is installed while its code is packed, for the Python and the processor that Lambda runs it on: by `python3 -m pip`, else by uv, from wheels alone, because this machine cannot build for another. The message is the installer's. A package without a wheel for Lambda goes into the folder, or another version has one; `architecture` and `runtime` decide which wheels fit. With its packages a function may have 250 MB unzipped.";
    NO_KEY "E263" "The KMS key cannot be used"
        "`[encryption] kms_key` names an alias, which is looked up before anything is planned (kms:DescribeKey), because names and policies hold the key behind it. There is none, the caller may not see it, or it is disabled, about to be deleted, or no symmetric key for encryption. Nothing was made. `aws kms describe-key --key-id alias/NAME` shows what AWS knows; the ARN of the key itself is not looked up.";
    EMPTIES "E264" "A data set of which the folder has nothing any more"
        "The bucket has files of it, and there is none to upload: most often the folder is not mounted, or `include`, `exclude` or .opsctlignore leave out all of it. `delete = true` would remove them from the bucket; without it a training would read them and be known as one of no files. Nothing was sent or deleted. To delete a data set take its section out of the config and run `opsctl deploy --prune`; `opsctl data pull NAME` brings the files back from the bucket.";
    STRANDED "E265" "Objects under a key that would be given up"
        "What is in a bucket stays under the KMS key that it was written with: another `kms_key`, or none, is for what is written from then on. Jobs, endpoints and notebooks could not read data, code and models any more, so nothing was changed. `[encryption] former_kms_keys` names the keys of before: generated roles and `opsctl policy` may decrypt with them, through S3 alone. A role of your own (`role = \"arn:…\"`) needs the same. Keep each there for as long as the bucket holds objects of its time. The bucket's default encryption and the policies of this project's roles say under which keys those may be; somebody else may have set them. Of a key that nothing is under any more, take the policy `opsctl` off each role that names it (`aws iam delete-role-policy --policy-name opsctl --role-name ROLE`): the next deploy writes it again, without that key. An adopted bucket keeps its own encryption, so what is put into it is under its own key: that is the one for `kms_key`, or `permissions` allow kms:Decrypt and kms:GenerateDataKey on it. The key behind an alias is asked for, where the caller may (kms:DescribeKey); AWS's own key `aws/s3` is for all who may use S3 in the account.";
    NOT_PLAYED "E266" "The sandbox cannot play a container"
        "The sandbox pulls no images: what a program in the image does, a built-in algorithm, TensorFlow Serving, a container that fetches its own model, nobody does here. So `deploy` refuses before anything is made, where AWS would deploy it. A part of the project that does without can be deployed: `opsctl --sandbox train NAME`, `opsctl --sandbox upload`; `opsctl plan` without `--sandbox` shows the whole.";
    STILL_READ "E267" "A job still reads the data"
        "A training of this project is at work and may not have read the data set yet, or reads it again when AWS interrupts it (`spot = true`): with other files there, its model would be of these under the name of the old ones. Nothing was changed. Wait until it has ended, or end it with `opsctl stop`, and run the same command again. A training on SageMaker that copies its files (`input_mode = \"file\"`) is in nobody's way any more once its script runs.";
    CLASH "E268" "A file in the bucket where a folder has to be"
        "S3 keeps `a` and `a/b` side by side; no folder can. A file of the data set has become a folder, or the other way round, and what it was before stays in the bucket, because the section does not say `delete = true`. A training could not copy both, nor could `opsctl data pull`. Nothing was sent or deleted. What somebody has deleted by hand is still in the manifest: `opsctl upload --verify` compares it with the bucket.";
    BUG "E299" "A bug in opsctl"
        "This should not happen. Please report it with the message; nothing of your data is in it.";

    NEEDS_CONSENT "U301" "No terminal to ask for confirmation"
        "Without a terminal opsctl does not wait for an answer. Add --yes to go ahead; `opsctl plan` and --dry-run only look.";
    USAGE "U302" "The command line cannot be read"
        "`opsctl --help` and `opsctl COMMAND --help` show what is possible.";
    UNKNOWN_NAME "U303" "No resource of that name"
        "`opsctl status` lists the resources of this project as KIND/NAME.";
    EXISTS "U304" "The file is already there"
        "`opsctl init` never overwrites.";
    SANDBOX_BUSY "U305" "The sandbox is in use"
        "One opsctl at a time uses a sandbox folder. Where `opsctl sandbox serve` is running, or the sandbox that `opsctl --sandbox invoke` leaves in the background for five minutes, all share that one; `opsctl sandbox status` says whose it is, and `opsctl sandbox stop` ends it.";
    NOT_A_SANDBOX "U310" "The folder is not a sandbox"
        "OPSCTL_SANDBOX names a folder with other things in it. A sandbox keeps its state in a folder of its own, which it marks with the file `opsctl-sandbox`, and it touches no other: name an empty folder or one that is not there yet. `opsctl sandbox reset` removes only what a sandbox made.";
    SANDBOX_USED "U311" "Another command uses the sandbox"
        "Ending a sandbox ends what runs in it, such as the training that a deploy in another terminal waits for. The message says who uses it. `opsctl sandbox stop --force` ends it all the same.";
    YOURS_IS_THERE "U315" "A file of yours is in the place"
        "opsctl writes to the file that you name (`plan --out`, `report --out`, `audit-iam --save` and `--also`, `invoke --to`, `model pull`, `data pull`, `man`), and replaces what it wrote there itself. What it did not write, or somebody has changed since, is yours: nothing was done. Name another file, or replace this one with `--force`. What opsctl wrote is noted in `.opsctl/written.json` beside the config, so a file that came from another machine is yours too.";
    NOT_AUDITABLE "U316" "The file is nothing that can be audited"
        "`opsctl audit-iam --input` takes a dump (`aws iam get-account-authorization-details`, or --save), the JSON of a Terraform plan (`terraform show -json PLAN`) and a CloudFormation template in YAML or JSON; --policy a policy document or a folder of them; --resources policies of resources and of the organization. A file that is none of these has no roles, and would pass as a clean account.";
    UNKNOWN_RULE "U317" "No rule of that name"
        "`opsctl audit-iam --rule` takes an id (IAM103), a slug, or a pattern of them ('IAM2*'). `opsctl explain IAM103` says what a rule means. A rule that does not exist finds nothing, which would look like nothing wrong.";
    NOBODY "U318" "Nobody of that name is in the account"
        "`opsctl audit-iam --role` takes the name or ARN of a role, a user, a group, a policy, or of what a finding is about, and patterns such as 'deploy-*'. Somebody who is not there has no findings, which would look like nothing wrong.";
}
