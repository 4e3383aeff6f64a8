//! Every action that AWS documents: its access level and the resource types it takes.
//!
//! Embedded, compressed, pinned by the hashes in `data/SOURCES.md`, and made by `data/build.py`. An action
//! that is not here is never an error: policies name actions that AWS has since dropped or not yet published.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::ops::Range;
use std::rc::Rc;
use std::sync::{LazyLock, OnceLock};

use crate::action_set::{ActionId, ActionSet};
use crate::grams::Grams;
use crate::pattern;

/// What an action does, as AWS classes it. One action may have several levels; the worst one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Level {
    /// Lists resources.
    List = 1,
    /// Reads what is in them.
    Read = 2,
    /// Creates, changes or deletes them.
    Write = 4,
    /// Sets and removes tags.
    Tagging = 8,
    /// Grants or changes permissions.
    Permissions = 16,
}

impl Level {
    fn of(letter: u8) -> u8 {
        match letter {
            b'L' => Self::List as u8,
            b'R' => Self::Read as u8,
            b'W' => Self::Write as u8,
            b'T' => Self::Tagging as u8,
            b'P' => Self::Permissions as u8,
            _ => 0,
        }
    }
}

struct Action {
    /// `iam:PassRole`, a range of `Catalogue::names`.
    name: Range<u32>,
    levels: u8,
    /// Indices into `Catalogue::templates`.
    types: Box<[u16]>,
}

struct Service {
    prefix: Box<str>,
    actions: Range<ActionId>,
}

/// The action catalogue.
pub struct Catalogue {
    date: Box<str>,
    names: String,
    lower: String,
    actions: Vec<Action>,
    services: Vec<Service>,
    by_prefix: HashMap<Box<str>, usize>,
    templates: Vec<Box<str>>,
    /// ARN templates by the service field of the ARN, and the actions that take them.
    templates_by_arn_service: HashMap<Box<str>, Vec<u16>>,
    takers: Vec<Vec<ActionId>>,
    unscoped: Vec<ActionId>,
    /// See [`ASIDE`].
    aside: HashSet<(ActionId, u16)>,
    managed: HashSet<Box<str>>,
    /// What occurs in the names of actions, in lower case.
    grams: OnceLock<Grams>,
}

/// The most general ARN of every type in one account, in all regions or in one, see [`instance`].
struct Instances {
    partition: String,
    account: String,
    region: Option<String>,
    arns: Vec<String>,
    grams: Grams,
}

thread_local! {
    /// The latest: of the account under audit, and of any other.
    static INSTANCES: RefCell<Vec<Rc<Instances>>> = const { RefCell::new(Vec::new()) };
}

/// Resource types of an action that say nothing of how far it reaches, because another type must be allowed
/// as well: any document on one machine is one machine, and any database as one user is one user.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html>,
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonredshift.html>
const ASIDE: &[(&str, &str)] = &[
    ("ssm:SendCommand", ":document/"),
    ("ssm:SendCommand", ":s3:"),
    ("ssm:StartSession", ":document/"),
    ("redshift:GetClusterCredentials", ":dbname:"),
];

static ACTIONS: &[u8] = include_bytes!("data/actions.gz");

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let mut text = String::with_capacity(900_000);
    flate2::read::GzDecoder::new(ACTIONS)
        .read_to_string(&mut text)
        .expect("data/actions.gz is part of the program and covered by a test");
    Catalogue::parse(&text)
});

impl Catalogue {
    /// The embedded catalogue; unpacked on first use.
    pub fn embedded() -> &'static Self {
        &CATALOGUE
    }

    fn parse(text: &str) -> Self {
        let mut c = Self {
            date: "".into(),
            names: String::with_capacity(text.len()),
            lower: String::new(),
            actions: Vec::with_capacity(23_000),
            services: Vec::with_capacity(500),
            by_prefix: HashMap::with_capacity(500),
            templates: Vec::with_capacity(3_000),
            templates_by_arn_service: HashMap::new(),
            takers: Vec::new(),
            unscoped: Vec::new(),
            aside: HashSet::new(),
            managed: HashSet::with_capacity(1_600),
            grams: OnceLock::new(),
        };
        let mut first_template = 0;
        for line in text.lines() {
            let (kind, rest) = line.split_at(2);
            match kind {
                "d " => c.date = rest.into(),
                "p " => {
                    c.managed.insert(rest.into());
                }
                "s " => {
                    first_template = c.templates.len();
                    let next = id(c.actions.len());
                    c.by_prefix.insert(rest.into(), c.services.len());
                    c.services.push(Service { prefix: rest.into(), actions: next..next });
                }
                "r " => {
                    let service = rest.split(':').nth(2).unwrap_or_default();
                    let number = id(c.templates.len());
                    c.templates_by_arn_service.entry(service.into()).or_default().push(number);
                    c.templates.push(rest.into());
                    c.takers.push(Vec::new());
                }
                _ => c.push_action(rest, first_template),
            }
        }
        c.lower = c.names.to_ascii_lowercase();
        for (action, kind) in ASIDE {
            let Some(action) = c.find(action) else { continue };
            let types = c.actions[usize::from(action)].types.iter();
            let aside = types.filter(|&&t| c.templates[usize::from(t)].contains(kind));
            let aside: Vec<_> = aside.map(|&t| (action, t)).collect();
            c.aside.extend(aside);
        }
        c
    }

    fn push_action(&mut self, line: &str, first_template: usize) {
        let mut fields = line.split(' ');
        let mut field = || fields.next().unwrap_or_default();
        let (name, levels, types) = (field(), field(), field());
        let service = self.services.last_mut().expect("a service line comes before its actions");
        let number = id(self.actions.len());
        service.actions.end = number + 1;
        let start = self.names.len();
        self.names.push_str(&service.prefix);
        self.names.push(':');
        self.names.push_str(name);
        let types: Box<[u16]> = types
            .split(',')
            .filter_map(|n| n.parse::<usize>().ok())
            .map(|n| id(first_template + n))
            .collect();
        if types.is_empty() {
            self.unscoped.push(number);
        }
        for &template in &types {
            self.takers[usize::from(template)].push(number);
        }
        self.actions.push(Action {
            name: offset(start)..offset(self.names.len()),
            levels: levels.bytes().fold(0, |all, letter| all | Level::of(letter)),
            types,
        });
    }

    /// The day of the data, `YYYY-MM-DD`. Printed in every report.
    pub fn date(&self) -> &str {
        &self.date
    }

    /// Whether AWS had a managed policy of this ARN on that day. The list is of the partition `aws`; others
    /// have the same policies under their own name.
    pub fn has_managed_policy(&self, arn: &str) -> bool {
        self.managed.contains(arn) || self.managed.contains(&*in_partition_aws(arn))
    }

    /// How many actions are known.
    pub fn len(&self) -> usize {
        self.actions.len()
    }

    /// Whether nothing is known (never, for the embedded catalogue).
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// The number of an action written as `service:Name`, whatever the case.
    pub fn find(&self, action: &str) -> Option<ActionId> {
        let lower = action.to_ascii_lowercase();
        let service = self.service(lower.split_once(':')?.0)?;
        let first = self.first_from(service.clone(), &lower);
        (first < service.end && self.lower_name(first) == lower).then_some(first)
    }

    /// The first action of a service that does not come before `name`: they are sorted by lower-case name.
    fn first_from(&self, service: Range<ActionId>, name: &str) -> ActionId {
        let (mut low, mut high) = (service.start, service.end);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.lower_name(middle) < name { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// The actions of a service prefix (lower case), as a range of numbers.
    pub fn service(&self, prefix: &str) -> Option<Range<ActionId>> {
        self.by_prefix.get(prefix).map(|&index| self.services[index].actions.clone())
    }

    /// Every action.
    pub fn all(&self) -> Range<ActionId> {
        0..id(self.actions.len())
    }

    /// Every service prefix with its actions.
    pub fn services(&self) -> impl Iterator<Item = (&str, Range<ActionId>)> {
        self.services.iter().map(|s| (&*s.prefix, s.actions.clone()))
    }

    /// `iam:PassRole`, as AWS writes it.
    pub fn name(&self, action: ActionId) -> &str {
        &self.names[self.name_range(action)]
    }

    fn lower_name(&self, action: ActionId) -> &str {
        &self.lower[self.name_range(action)]
    }

    fn name_range(&self, action: ActionId) -> Range<usize> {
        let range = &self.actions[usize::from(action)].name;
        range.start as usize..range.end as usize
    }

    /// The service prefix of an action.
    pub fn service_of(&self, action: ActionId) -> &str {
        self.name(action).split(':').next().unwrap_or_default()
    }

    /// Whether AWS lists the action under this level.
    pub fn has_level(&self, action: ActionId, level: Level) -> bool {
        self.actions[usize::from(action)].levels & level as u8 != 0
    }

    /// The ARN templates of the resources that an action takes; empty when it takes none, and then only a
    /// resource of `*` matches.
    pub fn resource_templates(&self, action: ActionId) -> impl Iterator<Item = &str> {
        self.actions[usize::from(action)].types.iter().map(|&t| &*self.templates[usize::from(t)])
    }

    /// The actions that a pattern such as `s3:Get*`, `iam:create?olicyVersion` or `*` matches.
    pub fn expand(&self, pattern: &str) -> Vec<ActionId> {
        if pattern::is_everything(pattern) {
            return self.all().collect();
        }
        let lower = pattern.to_ascii_lowercase();
        let matches = |action: &ActionId| pattern::matches(&lower, self.lower_name(*action));
        match lower.split_once(':') {
            Some((prefix, _)) if !pattern::is_wild(prefix) => {
                let (service, start) =
                    (self.service(prefix).unwrap_or(0..0), pattern::literal_prefix(&lower));
                let from = self.first_from(service.clone(), start)..service.end;
                from.take_while(|&action| self.lower_name(action).starts_with(start))
                    .filter(matches)
                    .collect()
            }
            _ if !self.grams.get_or_init(|| Grams::of([&*self.lower])).may_match(&lower) => Vec::new(),
            _ => self.all().filter(matches).collect(),
        }
    }

    /// The actions for which a resource pattern leaves nothing out in this account: all that take a
    /// resource type whose every ARN the pattern matches, and those without resource types if it matches `*`.
    pub fn unlimited_by(&self, resource: &str, home: AccountRef<'_>) -> ActionSet {
        self.unlimited_in(resource, home, None)
    }

    /// As [`Self::unlimited_by`], for the one region (or `eu-*`) that a pattern names: most accounts use few.
    /// `None`: it names none.
    pub fn unlimited_in_region(&self, resource: &str, home: AccountRef<'_>) -> Option<ActionSet> {
        let region = resource.split(':').nth(3).filter(|_| resource.starts_with("arn:"))?;
        let is_named = !region.is_empty() && !pattern::is_everything(region) && !region.contains('$');
        let whole = || region.replace('*', ANYTHING).replace('?', "\u{1}");
        is_named.then(|| self.unlimited_in(resource, home, Some(&whole())))
    }

    fn unlimited_in(&self, resource: &str, home: AccountRef<'_>, region: Option<&str>) -> ActionSet {
        let mut set = self.without_resources(resource);
        for template in self.covered(resource, home, region) {
            let takers = self.takers[usize::from(template)].iter().copied();
            set.extend(takers.filter(|&action| !self.aside.contains(&(action, template))));
        }
        set
    }

    /// As [`Self::unlimited_by`], but only actions whose every resource type the pattern covers: what a Deny
    /// takes away for sure.
    pub fn wholly_covered_by(&self, resource: &str, home: AccountRef<'_>) -> ActionSet {
        let mut set = self.without_resources(resource);
        let covered: HashSet<u16> = self.covered(resource, home, None).collect();
        let takers = covered.iter().flat_map(|&template| self.takers[usize::from(template)].iter().copied());
        set.extend(
            takers.filter(|&id| self.actions[usize::from(id)].types.iter().all(|t| covered.contains(t))),
        );
        set
    }

    /// The actions that take a resource whose ARN names a service.
    pub fn on_resources_of(&self, service: &str) -> ActionSet {
        let templates = self.templates_by_arn_service.get(service).into_iter().flatten();
        // A template may leave the service open.
        let open = self.templates_by_arn_service.iter().filter(|(name, _)| name.contains(['$', '*']));
        let all = templates.chain(open.flat_map(|(_, templates)| templates));
        all.flat_map(|&template| self.takers[usize::from(template)].iter().copied()).collect()
    }

    /// The actions on objects and buckets for which patterns leave nothing but access points, which few
    /// accounts have. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points.html>
    pub fn covered_but_access_points(&self, patterns: &[String], home: AccountRef<'_>) -> ActionSet {
        let of_s3 = patterns.iter().filter(|p| p.contains(":s3:") && pattern::is_wild(p));
        let covered: HashSet<u16> = of_s3.flat_map(|pattern| self.covered(pattern, home, None)).collect();
        let is_left =
            |t: &u16| !covered.contains(t) && !self.templates[usize::from(*t)].contains("accesspoint");
        let takers = covered.iter().flat_map(|&template| self.takers[usize::from(template)].iter().copied());
        takers.filter(|&id| !self.actions[usize::from(id)].types.iter().any(&is_left)).collect()
    }

    fn without_resources(&self, resource: &str) -> ActionSet {
        match pattern::matches(resource, "*") {
            true => self.unscoped.iter().copied().collect(),
            false => ActionSet::default(),
        }
    }

    fn instances(&self, home: AccountRef<'_>, region: Option<&str>) -> Rc<Instances> {
        const KEPT: usize = 3;
        INSTANCES.with_borrow_mut(|all| {
            let is_home = |i: &Rc<Instances>| {
                i.partition == home.partition && i.account == home.account && i.region.as_deref() == region
            };
            if let Some(known) = all.iter().find(|i| is_home(i)) {
                return Rc::clone(known);
            }
            let arns: Vec<String> =
                self.templates.iter().map(|template| instance(template, home, region)).collect();
            let grams = Grams::of(arns.iter().map(String::as_str));
            let (partition, account) = (home.partition.to_owned(), home.account.to_owned());
            let region = region.map(str::to_owned);
            let made = Rc::new(Instances { partition, account, region, arns, grams });
            all.truncate(KEPT - 1);
            all.insert(0, Rc::clone(&made));
            made
        })
    }

    /// The resource types whose every ARN a pattern matches, in all regions or in one.
    fn covered<'c>(
        &'c self,
        resource: &'c str,
        home: AccountRef<'c>,
        region: Option<&'c str>,
    ) -> impl Iterator<Item = u16> + 'c {
        let named =
            resource.split(':').nth(2).filter(|s| !pattern::is_wild(s) && resource.starts_with("arn:"));
        let wild = pattern::is_wild(resource);
        let instances =
            wild.then(|| self.instances(home, region)).filter(|all| all.grams.may_match(resource));
        let candidates: Box<dyn Iterator<Item = u16>> = match named {
            _ if instances.is_none() => Box::new(std::iter::empty()),
            Some(service) => {
                Box::new(self.templates_by_arn_service.get(service).into_iter().flatten().copied())
            }
            None => Box::new(0..id(self.templates.len())),
        };
        candidates.filter(move |&t| {
            instances.as_ref().is_some_and(|all| pattern::matches(resource, &all.arns[usize::from(t)]))
        })
    }
}

/// What ARNs of an account begin with: the partition (`aws`, `aws-cn`, `aws-us-gov`) and the account's twelve
/// digits.
#[derive(Clone, Copy, Debug)]
pub struct AccountRef<'a> {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: &'a str,
    /// Twelve digits.
    pub account: &'a str,
}

impl<'a> AccountRef<'a> {
    /// Any account of the partition that a pattern names: only a wildcard covers it.
    pub fn any_for(pattern: &'a str) -> Self {
        let partition = pattern.split(':').nth(1).filter(|field| !pattern::is_wild(field));
        Self { partition: partition.unwrap_or("aws"), account: ANYTHING }
    }
}

/// Actions that the program names, looked up once.
pub struct KnownActions {
    names: &'static [&'static str],
    ids: OnceLock<Box<[ActionId]>>,
}

impl KnownActions {
    /// A list of actions, which must be catalogued.
    pub const fn new(names: &'static [&'static str]) -> Self {
        Self { names, ids: OnceLock::new() }
    }

    /// Their numbers, in the order of the names.
    pub fn ids(&self) -> &[ActionId] {
        self.ids.get_or_init(|| {
            let find = |name: &&str| {
                Catalogue::embedded()
                    .find(name)
                    .unwrap_or_else(|| unreachable!("{name} is catalogued: tests use every list"))
            };
            self.names.iter().map(find).collect()
        })
    }

    /// Those of them in a set.
    pub fn within(&self, set: &ActionSet) -> Vec<ActionId> {
        self.ids().iter().copied().filter(|&id| set.contains(id)).collect()
    }

    /// Whether any of them is in a set.
    pub fn any_in(&self, set: &ActionSet) -> bool {
        self.ids().iter().any(|&id| set.contains(id))
    }
}

/// The same ARN in the partition `aws`.
pub fn in_partition_aws(arn: &str) -> String {
    let rest = arn.splitn(3, ':').nth(2).unwrap_or_default();
    format!("arn:aws:{rest}")
}

/// What no one writes in a policy, so that only a `*` matches it.
const ANYTHING: &str = "\u{1}\u{2}\u{3}\u{4}";

/// The most general ARN of a type: each free field becomes [`ANYTHING`]. A pattern that matches this ARN
/// matches all of the type; with a region, all of it there.
fn instance(template: &str, home: AccountRef<'_>, region: Option<&str>) -> String {
    let mut arn = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("${") {
        let (variable, tail) = after.split_once('}').unwrap_or((after, ""));
        arn.push_str(before);
        arn.push_str(match variable {
            "Partition" => home.partition,
            "Account" => home.account,
            "Region" => region.unwrap_or(ANYTHING),
            _ => ANYTHING,
        });
        rest = tail;
    }
    arn.push_str(rest);
    arn
}

fn id(n: usize) -> u16 {
    u16::try_from(n).expect("the catalogue has fewer than 65,536 actions and types")
}

fn offset(n: usize) -> u32 {
    u32::try_from(n).expect("the catalogue's text is smaller than 4 GB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_actions_levels_and_wildcards() {
        let c = Catalogue::embedded();
        assert!(c.len() > 22_000, "{}", c.len());
        let pass = c.find("IAM:passrole").expect("known");
        assert_eq!(c.name(pass), "iam:PassRole");
        assert!(c.has_level(pass, Level::Write));
        assert_eq!(
            c.expand("IAM:create?olicyVersion"),
            vec![c.find("iam:CreatePolicyVersion").expect("known")]
        );
        assert_eq!(c.expand("**").len(), c.len());
        assert_eq!(c.expand("*:*").len(), c.len());
        assert!(c.expand("nosuch:*").is_empty());
    }

    #[test]
    fn a_pattern_is_unlimited_when_it_covers_a_whole_type() {
        let c = Catalogue::embedded();
        let of =
            |pattern: &str| c.unlimited_by(pattern, AccountRef { partition: "aws", account: "111122223333" });
        let get = c.find("s3:GetObject").expect("known");
        let pass = c.find("iam:PassRole").expect("known");
        let whoami = c.find("sts:GetCallerIdentity").expect("known");
        assert!(of("arn:aws:s3:::*").contains(get));
        assert!(!of("arn:aws:s3:::mine/*").contains(get));
        assert!(
            of("arn:aws:iam::*:role/*").contains(pass)
                && of("arn:aws:iam::111122223333:role/*").contains(pass)
        );
        assert!(!of("arn:aws:iam::111122223333:role/app-*").contains(pass));
        assert!(!of("arn:aws:iam::999999999999:role/*").contains(pass), "another account's roles");
        let command = c.find("ssm:SendCommand").expect("known");
        assert!(
            of("arn:aws:ec2:*:*:instance/*").contains(command)
                && !of("arn:aws:ssm:*:*:document/*").contains(command)
        );
        assert!(of("*").contains(whoami) && !of("arn:aws:sts::111122223333:*").contains(whoami));
    }

    #[test]
    fn a_pattern_may_cover_a_whole_type_in_one_region() {
        let c = Catalogue::embedded();
        let home = AccountRef { partition: "aws", account: "111122223333" };
        let code = c.find("lambda:UpdateFunctionCode").expect("known");
        for pattern in [
            "arn:aws:lambda:eu-west-1:111122223333:function:*",
            "arn:aws:lambda:eu-west-1:*:*",
            "arn:aws:lambda:eu-*:*:function:*",
            "arn:aws:lambda:eu-west-?:*:function:*",
        ] {
            assert!(!c.unlimited_by(pattern, home).contains(code), "{pattern}");
            assert!(!c.wholly_covered_by(pattern, home).contains(code), "{pattern}");
            let in_region = c.unlimited_in_region(pattern, home);
            assert!(in_region.is_some_and(|set| set.contains(code)), "{pattern}");
        }
        for pattern in
            ["arn:aws:lambda:eu-west-1:*:function:app-*", "arn:aws:lambda:eu-west-1:999999999999:*"]
        {
            let in_region = c.unlimited_in_region(pattern, home);
            assert!(in_region.is_some_and(|set| !set.contains(code)), "{pattern}");
        }
        for pattern in ["*", "arn:aws:s3:::*", "arn:aws:lambda:*:*:function:*"] {
            assert!(c.unlimited_in_region(pattern, home).is_none(), "{pattern}");
        }
    }

    /// The data must be what `data/SOURCES.md` says it is.
    #[test]
    fn data_has_the_pinned_hash() {
        use sha2::{Digest, Sha256};
        let sources = include_str!("data/SOURCES.md");
        for bytes in [ACTIONS, include_bytes!("data/managed.gz").as_slice()] {
            let hash: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(sources.contains(&hash), "{hash} is not in SOURCES.md: run data/build.py");
        }
    }
}
