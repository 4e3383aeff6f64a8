//! The small words: durations, names, fingerprints, images, ids, sizes.

use opsctl::config::Name;
use opsctl::config::section::nearest;
use opsctl::domain::{HumanDuration, KindName, Owner, ResourceId, Scope, codes, fingerprint};
use opsctl::resources::image::{self, Purpose};
use opsctl::resources::kinds;

#[test]
fn durations_are_read_as_people_write_them() {
    for (text, seconds) in
        [("30s", 30), ("15m", 900), ("1h 30m", 5_400), ("1.5h", 5_400), ("90d", 7_776_000), ("0s", 0)]
    {
        assert_eq!(text.parse::<HumanDuration>().unwrap().as_secs(), seconds, "{text}");
    }
    for text in ["", "30", "s", "-5s", "a month", "5 fortnights"] {
        assert!(text.parse::<HumanDuration>().is_err(), "{text}");
    }
}

#[test]
fn durations_are_shown_as_people_write_them() {
    for (seconds, text) in
        [(30, "30s"), (300, "5m"), (5_400, "1h30m"), (86_400, "1d"), (7_776_000, "90d"), (0, "0s")]
    {
        assert_eq!(HumanDuration::seconds(seconds).to_string(), text);
        assert_eq!(text.parse::<HumanDuration>().unwrap(), HumanDuration::seconds(seconds));
    }
    assert_eq!(HumanDuration::hours(47).as_days(), 1);
}

#[test]
fn names_are_what_all_services_take() {
    for name in ["a", "a1", "dog-breeds", "x-1-y"] {
        assert_eq!(name.parse::<Name>().unwrap().as_str(), name);
    }
    for name in ["", "1a", "-a", "a-", "a--b", "A", "a_b", "a.b", "ä", "a b", "a\n"] {
        assert!(name.parse::<Name>().is_err(), "{name:?}");
    }
}

/// The pattern in the schema and the parser are two tellings of one rule.
#[test]
fn the_schemas_pattern_of_names_says_the_same() {
    let schema = opsctl::resources::schema(&kinds());
    let pattern = schema["definitions"]["Name"]["pattern"].as_str().unwrap();
    let pattern = regex_lite::Regex::new(pattern).unwrap();
    for name in ["a", "a1", "a-1", "dog-breeds", "", "1a", "-a", "a-", "a--b", "A", "a_b", "ä", "a b"] {
        assert_eq!(pattern.is_match(name), name.parse::<Name>().is_ok(), "{name:?}");
    }
}

#[test]
fn the_nearest_word_is_the_likely_one() {
    let known = ["instance_type", "instance_count", "image", "data"];
    assert_eq!(nearest("instance_typ", known), Some("instance_type"));
    assert_eq!(nearest("imgae", known), Some("image"));
    assert_eq!(nearest("zebra", known), None);
}

#[test]
fn fingerprints_are_ten_hexadecimal_characters_of_all_that_goes_in() {
    let one = fingerprint::suffix(&("a", 1));
    assert!(fingerprint::is_suffix(&one), "{one}");
    assert_eq!(one, fingerprint::suffix(&("a", 1)));
    assert_ne!(one, fingerprint::suffix(&("a", 2)));
    for other in ["", "0123456789a", "ABCDEF0123", "012345678g"] {
        assert!(!fingerprint::is_suffix(other), "{other}");
    }
}

fn scope(region: &str) -> Scope {
    Scope::new("shop", "dev", Scope::NO_ACCOUNT, region)
}

#[test]
fn short_image_names_become_aws_registries() {
    let cases = [
        (
            "pytorch-2.6",
            Purpose::Training,
            "us-east-1",
            "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.6.0-cpu-py312",
        ),
        (
            "pytorch-2.6",
            Purpose::Hosting,
            "eu-south-2",
            "503227376785.dkr.ecr.eu-south-2.amazonaws.com/pytorch-inference:2.6.0-cpu-py312",
        ),
        (
            "pytorch-2.5",
            Purpose::Hosting,
            "cn-north-1",
            "727897471807.dkr.ecr.cn-north-1.amazonaws.com.cn/pytorch-inference:2.5.1-cpu-py311",
        ),
        (
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mine:7",
            Purpose::Hosting,
            "eu-west-1",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mine:7",
        ),
    ];
    for (image, purpose, region, uri) in cases {
        assert_eq!(image::uri(image, purpose, "ml.m5.xlarge", &scope(region)).as_deref(), Ok(uri));
    }
    assert!(image::uri("pytorch-2.8", Purpose::Training, "ml.m5.xlarge", &scope("us-east-1")).is_ok());
    assert!(image::uri("tensorflow-2.17", Purpose::Training, "ml.m5.xlarge", &scope("us-east-1")).is_err());
}

#[test]
fn scopes_know_their_partition() {
    let arn = |region: &str| scope(region).arn("sagemaker", "endpoint/x");
    assert_eq!(arn("eu-west-1"), "arn:aws:sagemaker:eu-west-1:000000000000:endpoint/x");
    assert_eq!(arn("cn-north-1"), "arn:aws-cn:sagemaker:cn-north-1:000000000000:endpoint/x");
    assert_eq!(arn("us-gov-west-1"), "arn:aws-us-gov:sagemaker:us-gov-west-1:000000000000:endpoint/x");
}

#[test]
fn owners_are_told_by_their_tags() {
    let scope = scope("us-east-1");
    let of = |tags: &[(&'static str, &'static str)]| Owner::of(tags.iter().copied(), &scope);
    let both = [("opsctl:project", "shop"), ("opsctl:environment", "dev")];
    let with = |more: &[(&'static str, &'static str)]| of(&[&both, more].concat());
    assert_eq!(with(&[("opsctl:resource", "role/a"), ("x", "y")]), Owner::Ours);
    // One tag less never makes somebody else's ours.
    let adopted = [("opsctl:resource", "adopted role/a"), ("opsctl:adopted", "true")];
    assert_eq!(with(&adopted), Owner::Adopted);
    assert_eq!(with(&adopted[..1]), Owner::Adopted);
    assert_eq!(with(&adopted[1..]), Owner::Adopted);
    assert_eq!(with(&[]), Owner::Partly { said: "shop/dev".into(), made: false });
    let made = |made| Owner::Partly { said: "shop/?".into(), made };
    assert_eq!(of(&[both[0], ("opsctl:resource", "role/a")]), made(true));
    assert_eq!(of(&[both[0], adopted[0]]), made(false));
    assert_eq!(
        of(&[("opsctl:project", "shop"), ("opsctl:environment", "prod")]),
        Owner::Other("shop/prod".into())
    );
    assert_eq!(of(&[("opsctl:project", "shop")]), Owner::Partly { said: "shop/?".into(), made: false });
    assert_eq!(of(&[("opsctl:environment", "dev")]), Owner::Partly { said: "?/dev".into(), made: false });
    assert_eq!(of(&[("opsctl:project", "other")]), Owner::Other("other/?".into()));
    assert_eq!(of(&[("Name", "shop")]), Owner::Nobody);
    let id = ResourceId::new(KindName::Endpoint, "breeds");
    let tags = scope.tags(&id);
    assert_eq!(Owner::of(tags.iter().map(|(k, v)| (k.as_str(), v.as_str())), &scope), Owner::Ours);
}

#[test]
fn ids_are_read_as_they_are_shown() {
    for kind in KindName::ALL {
        let id = ResourceId::new(*kind, "breeds");
        assert_eq!(id.to_string().parse::<ResourceId>().unwrap(), id);
    }
    assert!("breeds".parse::<ResourceId>().is_err());
    assert!("zebra/breeds".parse::<ResourceId>().unwrap_err().contains("kinds are bucket, data"));
}

#[test]
fn kinds_are_registered_once_and_in_order() {
    let registered: Vec<_> = kinds().iter().map(|k| k.name()).collect();
    assert_eq!(registered, KindName::ALL);
    for kind in kinds() {
        assert!(!kind.calls().is_empty(), "{} calls nothing", kind.name());
        assert!(
            kind.part_of().is_none_or(|whole| whole < kind.name()),
            "{} comes before its whole",
            kind.name()
        );
    }
}

#[test]
fn codes_are_explained_in_any_case() {
    assert_eq!(codes::explained("c002").unwrap().title, "Unknown key");
    assert_eq!(codes::PER_MINUTE.title(), "The target counts invocations per instance per MINUTE");
    assert!(codes::explained("C999").is_none());
    let numbers: Vec<_> = codes::ALL.iter().map(|e| (e.code.as_bytes()[0], &e.code[1..])).collect();
    assert!(numbers.windows(2).all(|w| w[0].1 < w[1].1), "codes are in order and unique");
}

#[test]
fn sizes_are_shown_as_people_say_them() {
    for (n, text) in
        [(0, "0 B"), (999, "999 B"), (1_000, "1.0 KB"), (273_100, "273.1 KB"), (5_000_000_000, "5.0 GB")]
    {
        assert_eq!(opsctl::report::bytes(n), text);
    }
}
