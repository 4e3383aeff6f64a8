//! Accounts that others gave, each with one truth about one role: what the audit missed, understated or
//! alarmed about wrongly when it was first held against public corpora. `cases` has the like of our own.

use opsctl::audit::{Account, Settings, Usage, audit};
use serde_json::Value;

use super::world::now;

/// The case, what must be found, what must not. `IAM202:critical` is with that severity.
const TRUTHS: &[(&str, &str, &str)] = &[
    ("abac-key-rotation", "IAM202:critical IAM208", ""),
    ("assume-account-wildcard", "IAM205", ""),
    ("assume-tag-abac", "IAM208", ""),
    ("attach-policyarn-custom-admin", "IAM201:critical", ""),
    ("auth0-aud", "IAM306", "IAM305"),
    ("bg-tag-prefix", "IAM103", "IAM402 IAM406"),
    ("cfn-changeset-pass", "IAM203:critical IAM208", ""),
    ("cond-ip-halves", "IAM103", "IAM104"),
    ("cond-null-false-token", "IAM103", "IAM104"),
    ("cond-null-true", "", "IAM103 IAM104 IAM201"),
    ("cond-principaltag-present", "IAM103", "IAM104"),
    ("cond-resourceaccount-foreign", "", "IAM103 IAM104 IAM201"),
    ("cpv-other-passed", "IAM202:critical IAM208", ""),
    ("deny-all-arns", "", "IAM110"),
    ("deny-notresource", "IAM105", "IAM103 IAM201"),
    ("deny-notresource-s3", "", "IAM102 IAM110 IAM111 IAM113 IAM114"),
    ("dormant-202", "IAM402:high", ""),
    ("dormant-204", "IAM402:high", ""),
    ("ecs-starttask-override", "IAM203:critical IAM208", ""),
    ("ecs-updateservice", "IAM203:critical IAM208", ""),
    ("eks-nsprefix", "IAM316", ""),
    ("gh-ifexists", "", "IAM305 IAM306"),
    ("gh-sub-environment-only", "IAM305:critical", ""),
    ("gh-wrong-key", "", "IAM305"),
    ("hostile-msd-str", "IAM103", ""),
    ("hostile-tag-num", "IAM103", ""),
    ("hostile-trav", "IAM103", ""),
    ("injection", "IAM103 IAM301", ""),
    ("keycloak-aud", "IAM306", "IAM305"),
    ("kms-callaccount", "IAM115", ""),
    ("macie-svc", "", "IAM317"),
    ("okta-aud", "IAM306", "IAM305"),
    ("pass-codepipeline", "IAM203:critical IAM208", ""),
    ("pass-ec2-replace", "IAM203:critical IAM208", ""),
    ("pass-iot", "IAM203:critical IAM208", ""),
    ("pass-lambda-updateconf", "IAM203:critical IAM208", ""),
    ("pass-regional-trust", "IAM203:critical IAM208", ""),
    ("profile-associate", "IAM203:critical IAM208", ""),
    ("pub-acct-like-star", "IAM301", ""),
    ("pub-arn-selfvar", "IAM301", ""),
    ("pub-org-a-star", "IAM301", ""),
    ("pub-org-question", "IAM301", ""),
    ("pub-userid-wild", "IAM301", ""),
    ("pub-userid-wild2", "IAM301", ""),
    ("put-and-trust", "IAM202:critical IAM208", ""),
    ("put-other-only", "IAM202", ""),
    ("readonly", "", "IAM109 IAM111"),
    ("rolesanywhere-create", "IAM203:critical IAM208", ""),
    ("step-update-pass", "IAM203:critical IAM208", ""),
    ("svc-regional-states", "IAM309", ""),
    ("trust-equals-star", "IAM604", ""),
    ("user-addgroup-named", "IAM202", ""),
    ("user-attach-and-key", "IAM202:critical IAM208", ""),
    ("user-createuser", "IAM202:critical IAM208", ""),
    ("user-put-and-key", "IAM202:critical IAM208", ""),
];

#[test]
fn what_others_gave_is_judged_as_they_say() {
    let given: Value = serde_json::from_str(include_str!("given.json")).expect("JSON");
    let names: Vec<&String> = given.as_object().expect("cases").keys().collect();
    assert_eq!(names, TRUTHS.iter().map(|(name, ..)| name).collect::<Vec<_>>(), "a truth for each");
    let mut wrong = Vec::new();
    for (name, must, must_not) in TRUTHS {
        let account = Account::from_json(given[name].to_string().as_bytes()).expect("a dump");
        let audit = audit(&account, &Usage::default(), &Settings::at(now()));
        // The truth is about the role `t`; some accounts have one role only.
        let about = account.roles.iter().find(|role| role.name == "t").unwrap_or(&account.roles[0]);
        let found = audit.findings.iter().filter(|f| f.resource == about.arn);
        let found: Vec<String> = found.map(|f| format!("{}:{}", f.rule, f.severity.word())).collect();
        let has = |rule: &str| found.iter().any(|f| f == rule || f.split(':').next() == Some(rule));
        let missed = must.split_whitespace().filter(|rule| !has(rule));
        let alarms = must_not.split_whitespace().filter(|rule| has(rule));
        let odd: Vec<&str> = missed.chain(alarms).collect();
        if !odd.is_empty() {
            wrong.push(format!("{name}: {odd:?} of {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
