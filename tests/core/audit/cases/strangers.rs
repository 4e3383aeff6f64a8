//! Who is let in: subjects, variables, wildcards, and conditions that nobody meets.

use super::*;

const GITHUB: &str = "token.actions.githubusercontent.com";
const AUD: (&str, &str, &str) = ("StringEquals", "aud", "sts.amazonaws.com");

#[test]
fn tokens_of_one_of_two_issuers_lack_the_claims_of_the_other() {
    let (one, two) = ("token.actions.githubusercontent.com", "gitlab.com");
    let world = |operator: &str| {
        let arns = [one, two].map(|host| format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{host}"));
        let statement = json!({"Effect": "Allow", "Principal": {"Federated": arns},
            "Action": "sts:AssumeRoleWithWebIdentity"});
        let statement = when(statement, operator, &format!("{one}:aud"), "sts.amazonaws.com");
        trusting(when(statement, operator, &format!("{one}:sub"), "repo:octo/app:ref:refs/heads/main"))
    };
    check("strict", world("StringEquals"), &[], &["IAM305", "IAM306"]);
    check("if there", world("StringEqualsIfExists"), &["IAM305:critical"], &[]);
}

#[test]
fn subjects_without_an_owner_are_anybodys() {
    let subject = |host: &str, sub: &str| federated(host, &[("StringLike", "sub", sub), AUD]);
    for (host, sub) in [
        (GITHUB, "environment:prod"),
        (GITHUB, "ref:refs/heads/main"),
        (GITHUB, "workflow:deploy"),
        (GITHUB, "environment:prod:ref:refs/heads/main"),
        (GITHUB, "repository_owner:*:environment:prod"),
        ("gitlab.com", "ref_type:branch:ref:main"),
        ("gitlab.com", "user_login:somebody"),
        ("app.terraform.io", "workspace:prod:run_phase:apply"),
        ("agent.buildkite.com", "pipeline:deploy:ref:refs/heads/main"),
    ] {
        check(sub, subject(host, sub), &["IAM305:critical"], &[]);
    }
    for (host, sub) in [
        (GITHUB, "repo:octo-org/app:environment:prod"),
        (GITHUB, "repository_owner:octo-org:environment:prod"),
        (GITHUB, "repository_id:1234:environment:prod"),
        (GITHUB, "environment:prod:repository_owner_id:42"),
        (GITHUB, "job_workflow_ref:octo-org/shared/.github/workflows/deploy.yml@refs/heads/main"),
        ("gitlab.com", "project_path:group/project:ref_type:branch:ref:main"),
        ("app.terraform.io", "organization:o:project:p:workspace:w:run_phase:apply"),
        ("agent.buildkite.com", "organization:o:pipeline:deploy:ref:refs/heads/main:commit:*"),
        ("git.corp.example", "environment:prod"),
    ] {
        check(sub, subject(host, sub), &[], &["IAM305"]);
    }
}

#[test]
fn every_token_has_a_subject() {
    let sub = ("StringEqualsIfExists", "sub", "repo:octo-org/app:ref:refs/heads/main");
    check("if it exists", federated(GITHUB, &[sub, AUD]), &[], &["IAM305"]);
}

#[test]
fn ones_own_identity_provider_lets_in_colleagues() {
    for host in ["sso.corp.example/realms/main", "acme.okta.com", "acme.eu.auth0.com/"] {
        let aud = [("StringEquals", "aud", "client")];
        check(host, federated(host, &aud), &["IAM306:medium"], &["IAM305"]);
        check(host, federated(host, &[]), &["IAM305"], &[]);
    }
    check("a shared one", federated(GITHUB, &[AUD]), &["IAM305:critical"], &[]);
}

#[test]
fn variables_of_the_caller_name_nobody() {
    for (operator, key, value) in [
        ("StringLike", "aws:PrincipalAccount", "4444*"),
        ("StringEquals", "aws:PrincipalAccount", "${aws:PrincipalAccount}"),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::${aws:PrincipalAccount}:role/deploy"),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/deploy"),
        ("StringLike", "aws:PrincipalOrgID", "o-a*"),
        ("StringLike", "aws:PrincipalOrgID", "o-??????????"),
        ("StringEquals", "aws:PrincipalOrgID", "${aws:PrincipalOrgID}"),
        ("StringLike", "aws:userId", "*:admin"),
        ("StringLike", "aws:userId", "AROA*"),
        ("StringLike", "aws:userId", "AROA*:admin"),
    ] {
        check(value, anyone_if(operator, key, value), &["IAM301"], &["IAM302"]);
    }
    let halves = json!(["0.0.0.0/1", "128.0.0.0/1"]);
    check("both halves of the internet", anyone_if("IpAddress", "aws:SourceIp", halves), &["IAM301"], &[]);
    for (operator, key, value) in [
        ("StringEquals", "aws:PrincipalAccount", "444455556666"),
        ("StringEquals", "aws:PrincipalAccount", "${aws:ResourceAccount}"),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::444455556666:role/deploy"),
        ("StringEquals", "aws:PrincipalOrgID", "o-abcdefghij"),
        ("StringEquals", "aws:PrincipalOrgID", "${aws:ResourceOrgID}"),
        ("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", "o-abcdefghij/r-ab12/*"),
        ("StringLike", "aws:userId", "AROAEXAMPLEEXAMPLEID:*"),
        ("IpAddress", "aws:SourceIp", "192.0.2.0/24"),
    ] {
        check(value, anyone_if(operator, key, value), &[], &["IAM301"]);
    }
}

#[test]
fn a_whole_account_by_another_name() {
    let root = |arn: &str| {
        let statement = trust(json!({"AWS": "arn:aws:iam::444455556666:root"}));
        let id = when(statement, "StringEquals", "sts:ExternalId", "secret-of-ours");
        trusting(when(id, "ArnLike", "aws:PrincipalArn", arn))
    };
    check("all roles", root("arn:aws:iam::444455556666:role/*"), &["IAM304"], &[]);
    check("one", root("arn:aws:iam::444455556666:role/deploy"), &[], &["IAM304"]);
    check("of another account", root("arn:aws:iam::777788889999:role/x"), &[], &["IAM303", "IAM304"]);
}

#[test]
fn guests_of_a_pool() {
    let pool = |amr: Option<&str>, statement: Value| {
        let aud = "cognito-identity.amazonaws.com:aud";
        let trust = json!({"Effect": "Allow", "Principal": {"Federated": "cognito-identity.amazonaws.com"},
            "Action": "sts:AssumeRoleWithWebIdentity"});
        let mut trust = when(trust, "StringEquals", aud, "eu-west-1:11111111-2222-3333-4444-555555555555");
        if let Some(amr) = amr {
            trust = when(trust, "ForAnyValue:StringLike", "cognito-identity.amazonaws.com:amr", amr);
        }
        World::of([role("t").trusts(document(trust)).can(statement)])
    };
    let writes = || allow(&["s3:PutObject"], &["arn:aws:s3:::b/*"]);
    let reads = allow(&["s3:GetObject"], &["arn:aws:s3:::b/*"]);
    check("not told", pool(None, writes()), &["IAM314:medium"], &[]);
    check("told to be guests", pool(Some("unauthenticated"), writes()), &["IAM314:high"], &[]);
    check("told to be none", pool(Some("authenticated"), writes()), &[], &["IAM314"]);
    check("that read", pool(None, reads), &["IAM314:low"], &[]);
}

#[test]
fn conditions_that_nobody_meets() {
    const EKS: &str = "oidc.eks.eu-west-1.amazonaws.com/id/ABC";
    let star = federated(EKS, &[("StringEquals", "sub", "system:serviceaccount:*:autoscaler"), AUD]);
    check("a star taken literally", star, &["IAM604"], &["IAM316"]);
    let statement = json!({"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}")}});
    let aud = when(statement, "StringEquals", &format!("{GITHUB}:aud"), "sts.amazonaws.com");
    let other = when(aud, "StringLike", &format!("{GITHUB}/octo:sub"), "repo:octo-org/app:*");
    check("of another issuer", trusting(other), &["IAM605"], &["IAM305", "IAM306"]);
}

#[test]
fn pods_by_the_beginning_of_their_namespace() {
    const EKS: &str = "oidc.eks.eu-west-1.amazonaws.com/id/ABC";
    let pods = |host: &str, sub: &str| federated(host, &[("StringLike", "sub", sub), AUD]);
    check("some", pods(EKS, "system:serviceaccount:team-*:app"), &["IAM316:medium"], &[]);
    check("all", pods(EKS, "system:serviceaccount:*:*"), &["IAM316:high"], &[]);
    let kops = "oidc.kops.example/cluster";
    check(
        "of another cluster",
        pods(kops, "system:serviceaccount:*"),
        &["IAM316:high"],
        &["IAM305", "IAM306"],
    );
}

#[test]
fn claims_name_an_owner_as_a_whole_or_not_at_all() {
    let by = |operator: &str, claim: &str, value: &str| federated(GITHUB, &[(operator, claim, value), AUD]);
    check("an owner", by("StringEquals", "repository_owner", "octo-org"), &["IAM306:high"], &["IAM305"]);
    check("if it exists", by("StringEqualsIfExists", "repository_owner", "octo-org"), &[], &["IAM305"]);
    let any_branch = by("StringEquals", "repository", "octo-org/app");
    check("any branch of one repository", any_branch, &["IAM306:medium"], &["IAM305"]);
    let owner = ("StringEquals", "repository_owner", "octo-org");
    for pin in [("StringEquals", "ref", "refs/heads/main"), ("StringLike", "sub", "*:environment:prod")] {
        check(pin.2, federated(GITHUB, &[owner, pin, AUD]), &[], &["IAM305", "IAM306"]);
    }
    let any = ("StringLike", "sub", "*");
    check("any subject of an owner", federated(GITHUB, &[owner, any, AUD]), &["IAM306:high"], &["IAM305"]);
    check("repositories", by("StringLike", "repository", "octo-org/*"), &[], &["IAM305"]);
    for (claim, value) in
        [("repository_owner", "octo*"), ("repository", "octo*/app"), ("repository_owner_id", "12*")]
    {
        check(claim, by("StringLike", claim, value), &["IAM305:critical"], &[]);
    }
    let subject = |host: &str, sub: &str| federated(host, &[("StringLike", "sub", sub), AUD]);
    for (host, sub) in [
        ("api.pulumi.com/oidc", "pulumi:deploy:org:*"),
        ("oidc.vercel.com", "owner:*:project:site:environment:production"),
        ("oidc.vercel.com", "project:site:environment:production"),
        ("app.eu.terraform.io", "organization:*:project:p:workspace:w:run_phase:apply"),
    ] {
        check(sub, subject(host, sub), &["IAM305:critical"], &[]);
    }
    for (host, sub) in [
        ("api.pulumi.com/oidc", "pulumi:deploy:org:acme:project:p:stack:s:operation:update:scope:write"),
        ("oidc.vercel.com", "owner:acme:project:site:environment:production"),
        ("app.eu.terraform.io", "organization:acme:project:p:workspace:w:run_phase:apply"),
    ] {
        check(sub, subject(host, sub), &[], &["IAM305"]);
    }
}

#[test]
fn applications_and_pools_with_wildcards_are_anybodys() {
    let by = |host: &str, operator: &str, value: &str| {
        let trust = json!({"Effect": "Allow", "Principal": {"Federated": host},
            "Action": "sts:AssumeRoleWithWebIdentity"});
        trusting(when(trust, operator, &format!("{host}:aud"), value))
    };
    let google = "accounts.google.com";
    check("any application", by(google, "StringLike", "*.apps.googleusercontent.com"), &["IAM305"], &[]);
    check("one", by(google, "StringEquals", "1.apps.googleusercontent.com"), &[], &["IAM305"]);
    let pool = "cognito-identity.amazonaws.com";
    check("any pool of a region", by(pool, "StringLike", "us-east-1:*"), &["IAM314"], &[]);
}

#[test]
fn whose_request_it_is_told_in_other_words() {
    for (operator, key, value) in [
        ("StringEquals", "aws:PrincipalOrgMasterAccountId", "123412341234"),
        ("StringEquals", "aws:VpceOrgID", "o-abcdefghij"),
        ("StringEquals", "aws:VpceAccount", ACCOUNT),
        ("Bool", "aws:PrincipalIsAWSService", "true"),
    ] {
        check(key, anyone_if(operator, key, value), &[], &["IAM301"]);
    }
    let v6 = json!(["::/1", "8000::/1"]);
    check("both halves of IPv6", anyone_if("IpAddress", "aws:SourceIp", v6), &["IAM301"], &[]);
}

#[test]
fn a_private_address_is_nobodys_and_a_chosen_audience_is_anybodys() {
    check("private", anyone_if("IpAddress", "aws:VpcSourceIp", "10.0.0.0/8"), &["IAM301"], &[]);
    check("public", anyone_if("IpAddress", "aws:SourceIp", "192.0.2.0/24"), &[], &["IAM301"]);
    let both = when(trust(json!({"AWS": "*"})), "IpAddress", "aws:VpcSourceIp", "10.0.0.0/8");
    let both = when(both, "StringEquals", "aws:SourceVpc", "vpc-1");
    check("private, in one network", trusting(both), &[], &["IAM301"]);
    let google = |claim: &str| {
        let statement = json!({"Effect": "Allow", "Principal": {"Federated": "accounts.google.com"},
            "Action": "sts:AssumeRoleWithWebIdentity"});
        trusting(when(statement, "StringEquals", &format!("accounts.google.com:{claim}"), "x"))
    };
    check("asked for", google("oaud"), &["IAM305"], &[]);
    check("given", google("aud"), &[], &["IAM305"]);
}

#[test]
fn most_of_the_internet_is_everybody() {
    let from = |addresses: Value| anyone_if("IpAddress", "aws:SourceIp", addresses);
    for open in [
        json!(["0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/3"]),
        json!(["128.0.0.0/1"]),
        json!(["2000::/3"]),
        json!((1..=255).map(|n| format!("{n}.0.0.0/8")).collect::<Vec<_>>()),
    ] {
        check("nearly all", from(open), &["IAM301:critical"], &[]);
    }
    for closed in [json!(["203.0.113.0/24"]), json!(["52.0.0.0/8", "54.0.0.0/8"]), json!(["2001:db8::/32"])] {
        check("some", from(closed), &[], &["IAM301"]);
    }
}

#[test]
fn guests_of_an_identity_pool() {
    const POOLS: &str = "cognito-identity.amazonaws.com";
    let pool = |amr: &str, can: Value| {
        let mut statement = json!({"Effect": "Allow", "Principal": {"Federated": POOLS},
            "Action": "sts:AssumeRoleWithWebIdentity"});
        statement = when(statement, "StringEquals", &format!("{POOLS}:aud"), "eu-west-1:1111-2222");
        if !amr.is_empty() {
            statement = when(statement, "ForAnyValue:StringLike", &format!("{POOLS}:amr"), amr);
        }
        World::of([role("t").trusts(document(statement)).can(can)])
    };
    let read = || allow(&["s3:GetObject"], &["arn:aws:s3:::b/*"]);
    let secret = || allow(&["secretsmanager:GetSecretValue"], &["arn:aws:secretsmanager:*:*:secret:db-*"]);
    let write = || allow(&["s3:PutObject"], &["arn:aws:s3:::b/*"]);
    check("who read", pool("unauthenticated", read()), &["IAM314:medium"], &[]);
    check("who read secrets", pool("unauthenticated", secret()), &["IAM314:high"], &[]);
    check("who write", pool("unauthenticated", write()), &["IAM314:high"], &[]);
    check("who may read, perhaps", pool("", read()), &["IAM314:low"], &[]);
    check("who may write, perhaps", pool("", write()), &["IAM314:medium"], &[]);
    for meant in
        [&["rum:PutRumEvents"][..], &["mobileanalytics:PutEvents", "cognito-sync:*"], &["geo:GetMap*"]]
    {
        check(meant[0], pool("unauthenticated", allow(meant, &["*"])), &[], &["IAM314"]);
    }
    check("no guests", pool("authenticated", read()), &[], &["IAM314"]);
    let all = when(
        json!({"Effect": "Allow", "Principal": {"Federated": POOLS}}),
        "StringEquals",
        &format!("{POOLS}:aud"),
        "p",
    );
    let mut all = when(all, "ForAllValues:StringLike", &format!("{POOLS}:amr"), "authenticated");
    all["Action"] = json!("sts:AssumeRoleWithWebIdentity");
    check("every token tells", trusting(all), &[], &["IAM314"]);
}

#[test]
fn an_audience_may_name_the_customer() {
    for (host, own, others) in [
        ("oidc.vercel.com", "https://vercel.com/acme", "https://vercel.com/*"),
        ("api.pulumi.com/oidc", "aws:acme", "sts.amazonaws.com"),
    ] {
        check(own, federated(host, &[("StringEquals", "aud", own)]), &["IAM306"], &["IAM305"]);
        check(others, federated(host, &[("StringLike", "aud", others)]), &["IAM305"], &[]);
    }
}

#[test]
fn a_list_of_nobody_lets_nobody_in() {
    let nobody = json!({"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}")}});
    check(
        "no subject",
        trusting(when(nobody, "StringEquals", &format!("{GITHUB}:sub"), json!([]))),
        &[],
        &["IAM305", "IAM306"],
    );
}
