//! AWS's partitions, as botocore lists them (`src/limits/data/build.py`).

const DATA: &str = include_str!("places.txt");

/// The records of one kind, split into their fields.
pub fn records(kind: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    DATA.lines().map(|line| line.split('\t').collect::<Vec<_>>()).filter(move |fields| fields[0] == kind)
}

/// The partition of a region (`aws`, `aws-cn` …) and the suffix of its host names. A region that is not
/// listed belongs where its name begins as others there do.
pub fn partition(region: &str) -> (&'static str, &'static str) {
    let partitions: Vec<Vec<&str>> = records("p").collect();
    let listed = records("r").find(|fields| fields[1] == region).map(|fields| fields[2]);
    // `us-gov-` comes before `us-`: the longest beginning that a region of the partition has.
    let stem = |name: &'static str| name.rsplitn(3, '-').last().unwrap_or(name);
    let alike = || {
        let near = records("r").filter(|fields| region.starts_with(&format!("{}-", stem(fields[1]))));
        near.max_by_key(|fields| stem(fields[1]).len()).map(|fields| fields[2])
    };
    let name = listed.or_else(alike).unwrap_or("aws");
    let found = partitions.into_iter().find(|fields| fields[1] == name);
    found.map_or(("aws", "amazonaws.com"), |fields| (fields[1], fields[2]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_have_their_partition_and_suffix() {
        let of = |region| partition(region);
        assert_eq!(of("eu-central-1"), ("aws", "amazonaws.com"));
        assert_eq!(of("cn-north-1"), ("aws-cn", "amazonaws.com.cn"));
        assert_eq!(of("us-gov-west-1"), ("aws-us-gov", "amazonaws.com"));
        assert_eq!(of("eusc-de-east-1"), ("aws-eusc", "amazonaws.eu"));
        assert_eq!(of("us-iso-east-1"), ("aws-iso", "c2s.ic.gov"));
        assert_eq!(of("us-isob-east-1"), ("aws-iso-b", "sc2s.sgov.gov"));
        // Not listed yet.
        assert_eq!(of("cn-south-1"), ("aws-cn", "amazonaws.com.cn"));
        assert_eq!(of("us-gov-north-1"), ("aws-us-gov", "amazonaws.com"));
        assert_eq!(of("eusc-de-west-1"), ("aws-eusc", "amazonaws.eu"));
        assert_eq!(of("eu-west-9"), ("aws", "amazonaws.com"));
        assert_eq!(of("moon-1"), ("aws", "amazonaws.com"));
    }
}
