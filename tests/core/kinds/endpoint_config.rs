//! Tests of one kind: `endpoint-config`.

use opsctl::resources::endpoint_config::{EndpointConfig, Spec};

use super::made_again;
use crate::plan::world::{Account, DEPLOY, Files, shown};
use crate::project::said_about;

#[test]
fn what_is_gone_is_made_again() {
    made_again("endpoint-config/numbers");
}

fn with(lines: &str) -> Files {
    let mut files = Files::new();
    files.edit("[endpoint.numbers]", &format!("[endpoint.numbers]\n{lines}"));
    files
}

/// A large model needs them; AWS cannot change them in place.
#[test]
fn the_disk_and_the_time_outs_make_another_configuration() {
    let spec = |files: &Files| -> (String, Spec) {
        let want = files.desired();
        let node = want.node(&"endpoint-config/numbers".parse().unwrap()).unwrap();
        (node.physical.clone(), node.spec_as::<EndpointConfig>().unwrap().clone())
    };
    let (bare, none) = spec(&Files::new());
    assert_eq!((none.volume_gb, none.download_timeout_s, none.startup_timeout_s), (None, None, None));
    let lines = ["volume_gb = 100", "download_timeout = \"30m\"", "startup_timeout = \"20m\""];
    let (_, all) = spec(&with(&lines.join("\n")));
    assert_eq!(
        (all.volume_gb, all.download_timeout_s, all.startup_timeout_s),
        (Some(100), Some(1800), Some(1200))
    );
    for line in lines {
        assert_ne!(spec(&with(line)).0, bare, "{line}");
    }
}

#[test]
fn the_plan_says_which_of_them_is_another() {
    let said = |before: &Files, now: &Files| {
        let mut account = Account::with(&before.desired());
        shown(&account.deploy(&now.desired(), DEPLOY))
    };
    let chosen = with("volume_gb = 100\nstartup_timeout = \"20m\"");
    let text = said(&Files::new(), &chosen);
    assert!(text.contains("volume_gb: AWS's own -> 100"), "{text}");
    assert!(text.contains("startup_timeout: AWS's own -> 20m"), "{text}");
    let text = said(&chosen, &Files::new());
    assert!(text.contains("volume_gb: 100 -> AWS's own") && !text.contains("download_timeout"), "{text}");
}

#[test]
fn what_aws_refuses_of_them_is_refused() {
    let said = |lines: &str| {
        let files = with(lines);
        said_about(&files.file(), files.text().to_owned(), "dev").1
    };
    for (lines, problem) in [
        ("volume_gb = 513", "volume_gb"),
        ("startup_timeout = \"59s\"", "startup_timeout"),
        ("download_timeout = \"61m\"", "download_timeout"),
    ] {
        let text = said(lines);
        assert!(text.contains("error[") && text.contains(problem), "{text}");
    }
    let mut files = with("volume_gb = 100");
    files.edit("instance_type = \"ml.m5.large\"", "instance_type = \"ml.g5.xlarge\"");
    let text = said_about(&files.file(), files.text().to_owned(), "dev").1;
    assert!(text.contains("ml.g5.xlarge has a disk of its own"), "{text}");
}
