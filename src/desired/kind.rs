//! The pure half of a kind, as a developer writes it.

use std::borrow::Cow;
use std::fmt::Debug;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::desired::{Draft, Mistake, Mixed, Node, Seen};
use crate::domain::{
    Action, Attributes, Diagnostic, Facts, FieldChange, HumanDuration, KindName, Phase, ResourceId, Scale,
    Scope, Status, Tally, Usage, Verb,
};
use crate::inputs::{Remote, Source};
use crate::limits::Bound;

/// Where a log lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Log {
    /// The streams of a log group, or those of which the names begin so.
    Streams { group: String, prefix: Option<String> },
    /// An object of the project's bucket, which is there when its writer has ended. Before that, what it will
    /// hold comes in parts: `<parts>000000` and so on.
    Object(LogObject),
}

/// A log in the project's bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogObject {
    /// Of the whole.
    pub key: String,
    /// Before the number of a part.
    pub parts: String,
}

/// For what a service uses the project's key with the rights of its caller (docs/aws/kms.md#who-needs-what).
#[derive(Clone, Copy, Debug)]
pub struct KeyUse {
    pub service: &'static str,
    /// In a deploy.
    pub changes: &'static [Action],
    /// In a plan.
    pub looks: &'static [Action],
}

/// The numbers that a part is scaled from and to.
pub struct Scaling<'a, K: Kind + ?Sized> {
    pub whole: &'a Node,
    /// As the config says, if it does.
    pub want: Option<&'a K::Spec>,
    /// As it is, if it is there.
    pub seen: Option<&'a Seen<K::State>>,
    pub to: &'a Scale,
}

/// What a part becomes.
pub struct Scaled<S> {
    /// Its name, by that of its whole.
    pub physical: String,
    pub spec: S,
    /// What was not given and stays as it is: `max kept at 8`.
    pub kept: Vec<String>,
}

/// A kind of resource without its effects: what the config says, what differs, how it is doing.
pub trait Kind: Send + Sync + 'static {
    const NAME: KindName;
    /// Its table in the config file; inner kinds have none, they are made by other kinds' sections.
    const SECTION: Option<&'static str> = None;
    /// A part lives on another resource and goes with it: a scalable target on its endpoint. A part names its
    /// whole first among its needs.
    const PART_OF: Option<KindName> = None;
    /// What carries the tags for it, for a kind whose resources have none of their own: a part is owned as
    /// its whole is, a data set as the bucket that it is in. It is among its needs, and [`Self::whole_of`]
    /// names it.
    const OWNED_WITH: Option<KindName> = Self::PART_OF;
    /// Its content is in its name (docs/decisions/0003): a change makes a new one beside the old.
    const FINGERPRINTED: bool = false;
    /// What is ours can be put into somebody else's (`--adopt`) and taken out again: `diff` and the verbs
    /// then look only at that. A resource of another kind is taken over only when it is already as wanted.
    const ADOPTABLE: bool = false;
    /// AWS keeps the capitals of a name and does not distinguish them, as SageMaker does. Lambda and S3
    /// distinguish them.
    const IGNORES_CAPITALS: bool = false;

    /// It is left when the config no longer names it, until somebody prunes. What would act on what the
    /// config still names goes with the next deploy.
    const STAYS: bool = true;

    /// `opsctl scale` changes it: see [`Self::scaled`].
    const SCALED: bool = false;
    /// It costs money for as long as it runs, and can be stopped without being deleted.
    const STOPS: bool = false;
    /// What was stopped can be started again.
    const STARTS: bool = false;
    /// The call by which `opsctl invoke` sends it a payload; its driver makes it. Where nothing is named, the
    /// kind that is registered last is meant: it stands before the others.
    const INVOKED: Option<Action> = None;
    /// What `opsctl report` calls of it beside what its verbs do.
    const REPORTED: &'static [Action] = &[];
    /// What whoever makes or reads one must be allowed to do with the project's key.
    const KEY_USE: Option<KeyUse> = None;
    /// Whoever makes one grants the project's key to the service; for a training its role does
    /// (docs/aws/kms.md#who-needs-what).
    const GRANTS_KEY: bool = false;
    /// The user's code runs in it as soon as it is made: in the sandbox by the Python of this machine.
    const RUNS_CODE: bool = false;
    /// Where what the user's code prints in one lies, by its physical name; `None`: nothing is printed.
    const LOG: Option<fn(&str) -> Log> = None;
    /// Where one leaves what it made, as a key of the project's bucket; `None`: nothing is made.
    const ARTIFACT: Option<fn(&str) -> String> = None;
    /// The kind whose word the config has for it too: a training that runs on EC2 is `training/NAME` there.
    const ALSO_CALLED: Option<KindName> = None;
    /// Whether it ends by itself, as a job does: what is left then is a record, which costs nothing and which
    /// AWS may keep.
    const ENDS: bool = false;
    /// Whatever of the project is at work uses it, whether it names it or not: archives and data lie in it.
    const USED_BY_ALL: bool = false;
    /// Whether AWS itself says how long it takes: then [`Self::usual`] may be held against the clock.
    const USUAL_IS_AWSS: bool = false;

    /// [`crate::config::section::NoSection`] without [`Self::SECTION`].
    type Section: DeserializeOwned + JsonSchema;
    /// As it should be. Everything that goes over the wire is in it or in the local sources.
    type Spec: Serialize + PartialEq + Debug + Send + Sync + 'static;
    /// As it is, as far as opsctl cares, besides its owner and its status ([`Seen`]).
    type State: Serialize + DeserializeOwned + Debug + Send + Sync + 'static;

    /// For a kind with [`Self::OWNED_WITH`]: the physical name of that, from its own.
    fn whole_of(_physical: &str) -> Option<&str> {
        None
    }

    /// For a part: its physical name on a whole of this one.
    fn part_on(_whole: &str) -> Option<String> {
        None
    }

    /// The folders that the section names.
    fn sources(_section: &Self::Section) -> Vec<Source> {
        Vec::new()
    }

    /// What the section names in other buckets.
    fn remotes(_section: &Self::Section) -> Vec<Remote> {
        Vec::new()
    }

    /// Adds what the section asks for, of this kind and of inner kinds, and reports what is wrong with it.
    fn desired(_section: &Self::Section, _draft: &mut Draft<'_>) {}

    /// Which keys of an item are sent as which members: AWS's models are held against their values, wherever
    /// an item is written ([`Self::items`]).
    fn bound() -> &'static [Bound] {
        &[]
    }

    /// Where its items stand in the file; `*` is any name. A kind without a section is written in that of
    /// another.
    fn items() -> Vec<&'static str> {
        Self::SECTION.into_iter().flat_map(|section| [section, "*"]).collect()
    }

    /// Whether what stands there is of this kind, of two that share a section.
    fn is_item(_written: &Value) -> bool {
        true
    }

    /// The state of one that is exactly as wanted, and that nobody has touched since: from it `diff` finds no
    /// difference.
    fn wanted(want: &Self::Spec) -> Self::State;

    /// What differs. For a fingerprinted kind also the answer to "why a new one?", with the newest old one as
    /// `seen`.
    fn diff(want: &Self::Spec, seen: &Seen<Self::State>) -> Vec<FieldChange>;

    /// For a fingerprinted kind, whose name says that it was right: what of it is not there any more.
    fn gone(_want: &Self::Spec, _seen: &Self::State) -> Vec<FieldChange> {
        Vec::new()
    }

    /// Whether what it has made for others is gone. It is made again when one of them needs it.
    fn output_is_gone(_seen: &Self::State) -> bool {
        false
    }

    /// Whether it ended well and left nothing: made again from the same, it would end the same way.
    fn saved_nothing(_seen: &Self::State) -> bool {
        false
    }

    /// What it has put into something else, the bucket say, and goes with it. Known from a look alone.
    fn holds(_seen: &Self::State) -> Option<Tally> {
        None
    }

    /// Whether nobody has made it: it is just as AWS makes it for whoever uses its name. Of an adoptable kind
    /// it is adopted without being asked for.
    fn made_by_aws(_seen: &Self::State) -> bool {
        false
    }

    /// What lies in one that somebody else made, under a name that opsctl uses in what it adopts, and is not
    /// what opsctl would write there: a policy, a statement, a rule. Adopting would overwrite it, and a
    /// destroy remove it, so it is refused.
    fn taken(_want: &Self::Spec, _seen: &Self::State) -> Vec<String> {
        Vec::new()
    }

    /// What others have put into it, or in the place of what it made, that whoever reads it would take for a
    /// part of it.
    fn mixed(_seen: &Self::State) -> Option<Mixed> {
        None
    }

    /// Why a change of what opsctl made is refused though it can be made: most likely nobody means it.
    fn mistaken(_want: &Self::Spec, _seen: &Self::State) -> Option<Mistake> {
        None
    }

    /// The KMS keys that objects of the project may be under, as far as this one tells: a plan that names one
    /// of them nowhere is refused.
    fn keys(_seen: &Seen<Self::State>) -> Vec<String> {
        Vec::new()
    }

    /// The KMS key that what is put into it is under, whatever the config says, where somebody else made it.
    fn encrypts_with(_seen: &Self::State) -> Option<&str> {
        None
    }

    /// What it would have to be allowed with that key, and is not, to use the objects of this bucket.
    fn lacks_of_key(_want: &Self::Spec, _bucket: &str, _key: &str) -> Vec<Action> {
        Vec::new()
    }

    /// What somebody has set on it that opsctl leaves as it is (docs/managed.md), and that may be why
    /// something else fails.
    fn left(_want: Option<&Self::Spec>, _seen: &Self::State) -> Vec<String> {
        Vec::new()
    }

    /// What a verb says beyond the changes: sizes, types, what it costs (`ml.m5.large, 1 instance`).
    fn summary(_want: &Self::Spec) -> String {
        String::new()
    }

    /// How long AWS usually takes, where it is worth telling (docs/aws/durations.md).
    fn usual(_verb: Verb) -> Option<HumanDuration> {
        None
    }

    /// How long one that has ended well took, so that its successor can be expected to take as long.
    fn took(_seen: &Self::State) -> Option<HumanDuration> {
        None
    }

    /// What AWS bills of it when it is as wanted: of a whole without its parts, of a part what it adds.
    fn usage(_want: &Self::Spec) -> Usage {
        Usage::default()
    }

    /// What AWS bills of it now.
    fn used(_seen: &Seen<Self::State>) -> Usage {
        Usage::default()
    }

    /// What it serves, or was made from, by kind and exact name: with that it is in use.
    fn made_of(_seen: &Self::State) -> Option<(KindName, String)> {
        None
    }

    /// Whether one in this status is at work by itself. Then it keeps what it uses, also when it has lost its
    /// tags. What only serves others says no: they say that they use it.
    fn is_at_work(status: &Status) -> bool {
        match Self::ENDS {
            true => status.phase == Phase::Busy, // what has ended uses nothing
            false => status.phase != Phase::Leaving,
        }
    }

    /// What it may use of kinds before its own: each with its name, or a text that has the name in it, such
    /// as an ARN or a value of the environment.
    fn uses(_physical: &str, seen: &Self::State) -> Vec<(KindName, String)> {
        Self::made_of(seen).into_iter().collect()
    }

    /// What of it names whom it was made for, such as its own name or the ARNs in its policy. One that has
    /// left the config and lost its tags is in no list where lists go by tags, or where its name was fixed.
    fn made_for(_physical: &str, _seen: &Self::State) -> Vec<String> {
        Vec::new()
    }

    /// The name of one of this kind in such a text of another ([`Self::made_for`]).
    fn named_in<'t>(_text: &'t str, _scope: &Scope) -> Option<Cow<'t, str>> {
        None
    }

    /// What the job measured last, in the order of the names.
    fn measured(_seen: &Self::State) -> Vec<(String, f64)> {
        Vec::new()
    }

    /// What is worth knowing beside the state.
    fn facts(_seen: &Self::State) -> Facts {
        Facts::default()
    }

    /// What a person would look for on its page. Values of environment variables are on none.
    fn attributes(_seen: &Self::State) -> Attributes {
        Attributes::new()
    }

    /// Its page in AWS's console, as a path on the console's host; `None`: it has none, or not now.
    fn console_path(_physical: &str, _seen: &Self::State, _region: &str) -> Option<String> {
        None
    }

    /// What a person does with one that is there, in two or three words, and the command for it.
    fn next(_id: &ResourceId) -> Option<(&'static str, String)> {
        None
    }

    /// How a person gets back what was there before a deploy.
    fn way_back() -> Option<&'static str> {
        None
    }

    /// What is deleted with it that is not opsctl's and cannot be counted, as the rest of a sentence.
    const TAKES_ALONG: Option<&'static str> = None;

    /// What AWS does with it by itself when a run ends in the midst of this verb, as a sentence. Nothing need
    /// be said of what ends soon, or of what [`Self::STOPS`].
    fn continues(_verb: Verb) -> Option<&'static str> {
        None
    }

    /// A part with other numbers. What is not given stays as it is; what is not there yet becomes as the
    /// config says. `None`: the numbers are for others, or say too little of what the config does not scale.
    ///
    /// # Errors
    /// Numbers that cannot be.
    fn scaled(_scaling: &Scaling<'_, Self>) -> Option<Result<Scaled<Self::Spec>, Diagnostic>> {
        None
    }

    /// The objects of the project's bucket that a plan looks at, by their keys: what was made is only looked
    /// for, which is the same permission as reading it.
    fn read_keys(physical: &str) -> Vec<String> {
        Self::ARTIFACT.iter().map(|artifact| artifact(physical)).collect()
    }

    /// The objects of the project's bucket that its verbs read and write.
    fn object_keys(_want: &Self::Spec, physical: &str) -> Vec<String> {
        Self::read_keys(physical)
    }

    /// The ARNs of what its calls are about, besides the bucket and the logs of [`Self::LOG`]: what a policy
    /// names for whoever may make them. `physical` may have wildcards in it.
    fn arns(scope: &Scope, physical: &str) -> Vec<String>;

    /// The calls that its verbs make. What permissions they need follows ([`Action::needs`]).
    fn calls() -> &'static [Action];

    /// Those of [`Self::calls`] that are made for one which is so: some are made for one of its keys alone.
    fn calls_for(_want: &Self::Spec) -> Vec<Action> {
        Self::calls().to_vec()
    }

    /// What AWS checks of whoever makes one which is so, beside the calls of its verbs: each with the ARN
    /// that it is about, or `*`.
    fn also_needs(_want: &Self::Spec) -> Vec<(Action, String)> {
        Vec::new()
    }

    /// The id of one of its resources.
    fn id(name: &str) -> ResourceId {
        ResourceId::new(Self::NAME, name)
    }
}
