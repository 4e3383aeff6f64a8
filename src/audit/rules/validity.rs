//! 6xx: statements that do not do what they seem to. They never change what the other rules find.

use super::rule::{Check, Context, Hit, Rule};
use crate::audit::finding::Severity;
use crate::audit::role_view::RoleView;
use crate::audit::trust::is_of_other_issuer;
use opsctl_iam::arn::Arn;
use opsctl_iam::caller::contradiction;
use opsctl_iam::catalogue::Catalogue;
use opsctl_iam::condition::{Operator, restriction_of};
use opsctl_iam::grant::shorten;
use opsctl_iam::pattern;
use opsctl_iam::policy::{Condition, Policy, Selector, Statement};
use opsctl_iam::restriction::Restriction;
use opsctl_iam::time::Instant;

const GRAMMAR: &str = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html";
const OPERATORS: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html";
const CHECKS: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html";

/// The rules of the family. Each looks at the role's inline policies, and once at each customer managed
/// policy.
pub const RULES: &[Rule] = &[
    Rule {
        id: "IAM601",
        slug: "unknown-action",
        severity: Severity::Low,
        title: "An action that AWS does not know",
        what: "An action or wildcard matches nothing in the catalogue.",
        why: "It grants or denies nothing; often it is misspelled.",
        fix: "Correct it, or remove it.",
        page: CHECKS,
        check: Check::Documents(|cx, policy| each(policy, |s| unknown_actions(cx, s))),
    },
    Rule {
        id: "IAM602",
        slug: "never-matches",
        severity: Severity::Low,
        title: "An action that no listed resource fits",
        what: "An action takes no resources, or none of the kinds of the listed ARNs: s3:GetObject on a bucket without `/*`.",
        why: "The statement does nothing for it, and whoever wrote it thinks otherwise.",
        fix: "Give the action a statement of its own, with the right resource or `*`.",
        page: CHECKS,
        check: Check::Documents(|cx, policy| each(policy, |s| never_matching(cx.catalogue, s))),
    },
    Rule {
        id: "IAM603",
        slug: "duplicate-sid",
        severity: Severity::Low,
        title: "Two statements of one name",
        what: "A Sid occurs twice in one document.",
        why: "IAM may refuse the next update, and tools mix the statements up.",
        fix: "Rename one.",
        page: GRAMMAR,
        check: Check::Documents(|_, policy| duplicate_sids(policy)),
    },
    Rule {
        id: "IAM604",
        slug: "operator-mismatch",
        severity: Severity::Low,
        title: "An operator that does not fit the key or the value",
        what: "A condition compares addresses, numbers or days as text, or text with a wildcard by an operator that knows none.",
        why: "The condition never or always holds.",
        fix: "Use the operator of the key's type; for wildcards StringLike or ArnLike.",
        page: OPERATORS,
        check: Check::Documents(|_, policy| {
            each(policy, |s| s.conditions.iter().filter_map(mismatch).collect())
        }),
    },
    Rule {
        id: "IAM605",
        slug: "void-condition",
        severity: Severity::Low,
        title: "A condition that everybody meets, or nobody",
        what: "A condition of an Allow holds for every value or for requests without the key, or two conditions exclude each other.",
        why: "The first looks like a limit and is none; a statement with the second does nothing.",
        fix: "Drop IfExists, or name the values; of two that exclude each other remove one.",
        page: OPERATORS,
        check: Check::Documents(|_, policy| each(policy, void_conditions)),
    },
    Rule {
        id: "IAM606",
        slug: "old-version",
        severity: Severity::Low,
        title: "Policy variables in a document of 2008",
        what: "The document has Version 2008-10-17 or none, and uses variables such as ${aws:username}.",
        why: "That version takes them as plain text.",
        fix: "Set Version to 2012-10-17.",
        page: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html",
        check: Check::Documents(|_, policy| old_version(policy)),
    },
];

/// The facts about each statement, with its place.
fn each(policy: &Policy, look: impl Fn(&Statement) -> Vec<String>) -> Vec<String> {
    let facts = policy.statements.iter().enumerate().map(|(i, s)| (s.label(i), look(s)));
    facts.flat_map(|(label, facts)| facts.into_iter().map(move |fact| format!("{label}: {fact}"))).collect()
}

fn unknown_actions(cx: &Context<'_>, statement: &Statement) -> Vec<String> {
    let patterns = statement.actions.patterns().iter().filter(|p| !pattern::is_everything(p));
    patterns
        .filter(|p| cx.engine.expand(p).is_empty())
        .map(|p| format!("{p} is no known action{}", suggested(cx, p)))
        .collect()
}

fn suggested(cx: &Context<'_>, written: &str) -> String {
    let known = cx.suggestions.borrow().get(written).cloned();
    // Each is compared with hundreds of names. Whoever reads on after so many does not look for a slip of the
    // pen.
    const MOST: usize = 100;
    let many = cx.suggestions.borrow().len() >= MOST;
    known.or_else(|| many.then(String::new)).unwrap_or_else(|| {
        let text = suggestion(cx.catalogue, written);
        cx.suggestions.borrow_mut().insert(written.to_owned(), text.clone());
        text
    })
}

/// `, did you mean s3:GetObject?`
fn suggestion(catalogue: &Catalogue, written: &str) -> String {
    let lower = written.to_ascii_lowercase();
    let Some((prefix, _)) = lower.split_once(':') else { return String::new() };
    let near = |range: std::ops::Range<u16>| {
        let names = range.map(|id| catalogue.name(id));
        names
            .map(|name| (strsim::damerau_levenshtein(&name.to_ascii_lowercase(), &lower), name))
            .filter(|(d, _)| *d <= 2)
            .min()
    };
    let service = || {
        let prefixes = catalogue.services().filter(|(s, _)| strsim::damerau_levenshtein(s, prefix) == 1);
        prefixes.map(|(_, range)| range).filter_map(near).min()
    };
    let best = catalogue.service(prefix).map_or_else(service, near);
    best.map_or_else(String::new, |(_, name)| format!(", did you mean {name}?"))
}

fn never_matching(catalogue: &Catalogue, statement: &Statement) -> Vec<String> {
    let (Selector::Only(actions), Some(Selector::Only(resources))) =
        (&statement.actions, &statement.resources)
    else {
        return Vec::new();
    };
    if resources.iter().any(|r| pattern::matches(r, "*") || r.contains("${")) {
        return Vec::new();
    }
    // Many actions take the same type.
    let mut known: Vec<(&str, bool)> = Vec::new();
    let mut fits = |template| match known.iter().find(|(of, _)| *of == template) {
        Some(&(_, fits)) => fits,
        None => {
            let shape = shape_of(template);
            let fits = resources.iter().any(|resource| overlap(&shape, resource));
            known.push((template, fits));
            fits
        }
    };
    let fact = |name: &String| {
        let action = catalogue.find(name)?;
        let mut templates = catalogue.resource_templates(action).peekable();
        if templates.peek().is_none() {
            // `s3:ListAllMyBuckets` on `arn:aws:s3:::*` stands in AWS's own policies, and works.
            if resources.iter().any(|resource| is_all_of(resource, catalogue.service_of(action))) {
                return None;
            }
            return Some(format!("{name} takes no resources, so that only `*` matches it"));
        }
        (!templates.any(&mut fits)).then(|| {
            let wanted = catalogue.resource_templates(action).min_by_key(|t| t.len()).unwrap_or_default();
            format!("{name} takes resources such as {wanted}, and none of {} is one", shorten(resources))
        })
    };
    actions.iter().filter_map(fact).collect()
}

/// Whether a pattern is all that a service has: `arn:aws:s3:::*`, `arn:aws:sns:*:*:*`.
fn is_all_of(resource: &str, service: &str) -> bool {
    Arn::pattern(resource).is_some_and(|arn| arn.service == service && pattern::is_everything(arn.resource))
}

/// How the ARNs of a type look.
fn shape_of(template: &str) -> Vec<Part> {
    let mut shape = Vec::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("${") {
        let (variable, tail) = after.split_once('}').unwrap_or((after, ""));
        shape.extend(before.bytes().map(Part::One));
        shape.push(match variable {
            "Partition" | "Region" | "Account" => Part::Without(b':'),
            // The one name that may not hold the slash after which another type begins.
            "BucketName" => Part::Without(b'/'),
            _ => Part::Any,
        });
        rest = tail;
    }
    shape.extend(rest.bytes().map(Part::One));
    shape
}

/// A piece of the shape of a type's ARNs.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    One(u8),
    Any,
    /// Any run without this byte.
    Without(u8),
}

/// Whether some text has the shape and matches the pattern: the places in both that can be reached together,
/// byte by byte of the pattern. A place is a bit; a shape with more parts than bits is taken to overlap.
fn overlap(shape: &[Part], resource: &str) -> bool {
    let Some(end) = 1u128.checked_shl(shape.len() as u32) else { return true };
    let bits =
        |of: fn(&Part) -> bool| (0..shape.len()).filter(|&i| of(&shape[i])).fold(0, |all, i| all | 1 << i);
    // Where any run may stand, none may, too.
    let runs: u128 = bits(|part| !matches!(part, Part::One(_)));
    let skip = |mut places: u128| {
        while (places & runs) << 1 & !places != 0 {
            places |= (places & runs) << 1;
        }
        places
    };
    let mut places = skip(1);
    for byte in resource.bytes() {
        if byte == b'*' {
            // Any run: whatever the shape still asks for may be in it.
            let first = places & places.wrapping_neg();
            places = (end | (end - 1)) & !(first - 1);
            continue;
        }
        let (mut next, mut rest) = (0, places & (end - 1));
        while rest != 0 {
            let place = rest & rest.wrapping_neg();
            rest ^= place;
            match shape[place.trailing_zeros() as usize] {
                Part::One(one) if byte == b'?' || one == byte => next |= place << 1,
                Part::Any => next |= place,
                Part::Without(not) if byte != not => next |= place,
                _ => {}
            }
        }
        if next == 0 {
            return false;
        }
        places = skip(next);
    }
    places & end != 0
}

fn duplicate_sids(policy: &Policy) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    let sids = policy.statements.iter().filter_map(|s| s.sid.as_deref());
    sids.filter(|sid| !seen.insert(*sid)).map(|sid| format!("two statements are called {sid}")).collect()
}

/// Keys whose values are not text, and the operators that fit them.
const TYPED: &[(&str, &str)] = &[
    ("aws:sourceip", "ipaddress"),
    ("aws:vpcsourceip", "ipaddress"),
    ("aws:currenttime", "date"),
    ("aws:tokenissuetime", "date"),
    ("aws:multifactorauthage", "numeric"),
];

fn mismatch(c: &Condition) -> Option<String> {
    let operator = Operator::parse(&c.operator);
    let base = operator.base.to_ascii_lowercase();
    if !operator.is_known() || base == "null" {
        return None;
    }
    let key = c.key.to_ascii_lowercase();
    if let Some((_, kind)) = TYPED.iter().find(|(name, _)| *name == key) {
        let fits = base.contains(kind) || (*kind == "date" && base.starts_with("numeric"));
        if !fits {
            return Some(format!("{} does not fit {}", c.operator, c.key));
        }
    }
    let value = |test: &dyn Fn(&str) -> bool| c.values.iter().find(|v| !v.contains("${") && test(v)).cloned();
    let wrong = if base.starts_with("numeric") {
        value(&|v| v.parse::<f64>().is_err())
    } else if base.starts_with("date") {
        value(&|v| Instant::parse(v).is_none() && v.parse::<i64>().is_err())
    } else if base == "bool" {
        value(&|v| !v.eq_ignore_ascii_case("true") && !v.eq_ignore_ascii_case("false"))
    } else if base.ends_with("ipaddress") {
        let address = |v: &str| v.split('/').next().is_some_and(|a| a.parse::<std::net::IpAddr>().is_ok());
        value(&|v| !address(v))
    } else if base.starts_with("stringequals") || base.starts_with("stringnotequals") {
        value(&|v| v.contains('*'))
    } else {
        None
    };
    wrong.map(|v| format!("{} takes {v} for {} literally or not at all", c.operator, c.key))
}

fn void_conditions(statement: &Statement) -> Vec<String> {
    let all = &statement.conditions;
    // ForAllValues is the documented way to limit tag keys; that the list may be empty is meant.
    let void = |c: &&Condition| {
        statement.allow
            && restriction_of(c, all) == Restriction::Void
            && !Operator::parse(&c.operator).for_all
    };
    let mut facts: Vec<String> = all.iter().filter(void).map(|c| format!("{c} holds back nobody")).collect();
    let never = all.iter().filter(|c| is_of_other_issuer(c, statement));
    facts.extend(never.map(|c| format!("{c} never holds: it is of another issuer's tokens")));
    facts.extend(contradiction(all).map(|(a, b)| format!("{a} and {b} never hold together")));
    facts
}

fn old_version(policy: &Policy) -> Vec<String> {
    if policy.version.as_deref() == Some("2012-10-17") {
        return Vec::new();
    }
    each(policy, |s| {
        let resources = s.resources.iter().flat_map(|scope| scope.patterns());
        let values = s.conditions.iter().flat_map(|c| &c.values);
        resources
            .chain(values)
            .find(|text| text.contains("${"))
            .map(|text| format!("{text} is taken as plain text"))
            .into_iter()
            .collect()
    })
}

/// The hits of a rule about documents: one for a role's inline policies.
pub(super) fn inline(
    cx: &Context<'_>,
    view: &RoleView<'_>,
    look: fn(&Context<'_>, &Policy) -> Vec<String>,
) -> Option<Hit> {
    let mut evidence = Vec::new();
    for policy in &view.role.inline {
        let facts = policy.document.policy().map(|document| look(cx, document)).unwrap_or_default();
        evidence.extend(facts.into_iter().map(|fact| format!("inline policy {}, {fact}", policy.name)));
    }
    let trust = view.role.trust.policy().map(|document| look(cx, document)).unwrap_or_default();
    evidence.extend(trust.into_iter().map(|fact| format!("trust policy, {fact}")));
    (!evidence.is_empty()).then(|| Hit::new(evidence.join("; "), evidence))
}

/// And one for each customer managed policy.
pub(super) fn managed(cx: &Context<'_>, look: fn(&Context<'_>, &Policy) -> Vec<String>) -> Vec<Hit> {
    let policies = cx.account.policies.iter().filter(|policy| !policy.is_aws_owned());
    policies
        .filter_map(|policy| {
            let evidence = look(cx, policy.default_document()?.policy()?);
            (!evidence.is_empty()).then(|| Hit::new(evidence.join("; "), evidence).on(&*policy.arn))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_may_name_what_has_the_shape() {
        let object = shape_of("arn:${Partition}:s3:::${BucketName}/${ObjectName}");
        for yes in
            ["arn:aws:s3:::b/k", "arn:aws:s3:::b*", "arn:*", "arn:aws:s3:::?/*/x", "*b/k", "arn:aws*:s3:::*"]
        {
            assert!(overlap(&object, yes), "{yes}");
        }
        for no in ["arn:aws:s3:::b", "arn:aws:sqs:::b/k", "arn:a:b:s3:::b/k", ""] {
            assert!(!overlap(&object, no), "{no}");
        }
    }

    #[test]
    fn shapes_have_fewer_parts_than_bits() {
        let catalogue = Catalogue::embedded();
        let templates = catalogue.all().flat_map(|action| catalogue.resource_templates(action));
        // AWS once wrote two ARNs into one field.
        let long = templates.filter(|template| shape_of(template).len() >= 128 && !template.contains(", "));
        assert_eq!(long.collect::<Vec<_>>(), [""; 0]);
    }
}
