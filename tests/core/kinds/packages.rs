//! Tests of `packages` of a job, on SageMaker and on EC2.

use opsctl::resources::instance::Instance;
use opsctl::resources::training::Training;
use opsctl::resources::training::job::Code;

use crate::plan::world::Files;

/// Two jobs of one folder, which has no requirements.txt.
fn with(keys: &str) -> Files {
    let mut files = Files::new();
    files.write("alone/train.py", "import six\n");
    for (name, on) in [("cloud", "sagemaker"), ("plain", "ec2")] {
        files.append(&format!("[training.{name}]\non = \"{on}\"\nsource = \"alone\"\n{keys}\n"));
    }
    files
}

fn said(files: &Files) -> String {
    crate::project::said_about(&files.file(), files.text().to_owned(), "dev").1
}

/// Other packages, another job: the archive has them, and its digest is in the job's name.
#[test]
fn packages_are_packed_with_the_code() {
    let jobs = |keys: &str| {
        let want = with(keys).desired();
        let job = |id: &str| want.node(&id.parse().unwrap()).unwrap();
        let (cloud, plain) = (job("training/cloud"), job("instance/plain"));
        let of_cloud: Code = cloud.spec_as::<Training>().unwrap().code.clone().unwrap();
        let of_plain = plain.spec_as::<Instance>().unwrap().code.clone();
        assert_eq!((&of_cloud.key, &of_cloud.packages), (&of_plain.key, &of_plain.packages));
        ([cloud.physical.clone(), plain.physical.clone()], of_cloud.packages)
    };
    let (none, old, new) =
        (jobs(""), jobs("packages = [\"six==1.16.0\"]"), jobs("packages = [\"six==1.17.0\"]"));
    assert_eq!((jobs("packages = []"), &none.1[..]), (none.clone(), &[][..]));
    assert_eq!(old.1, ["six==1.16.0"]);
    for place in 0..2 {
        assert!(none.0[place] != old.0[place] && old.0[place] != new.0[place]);
    }
}

#[test]
fn what_nobody_would_install_is_refused() {
    for wrong in ["", "  ", "-r more.txt", "--no-index", "# later", "six\\n-r x"] {
        let said = said(&with(&format!("packages = [\"{wrong}\"]")));
        assert_eq!(said.matches("is not a package").count(), 2, "{wrong:?}: {said}");
    }
    let files = with("packages = [\"six\"]");
    assert!(!said(&files).contains("requirements.txt"), "{}", said(&files));
    files.write("alone/requirements.txt", "six\n");
    assert_eq!(said(&files).matches("`source` has a requirements.txt").count(), 2, "{}", said(&files));
    let mut files = Files::new();
    files.append("[training.whole]\nalgorithm = \"xgboost-1.7\"\npackages = [\"six\"]\n");
    assert!(said(&files).contains("where there is no `source`"), "{}", said(&files));
}

/// The user data of an EC2 job is for one system.
#[test]
fn an_ec2_job_runs_on_amazon_linux_2023() {
    const DLAMI: &str = "/aws/service/deeplearning/ami/x86_64/oss-nvidia-driver-gpu-pytorch-2.7";
    let refused = |image: &str| {
        let mut files = Files::new();
        files.write("alone/train.py", "");
        let keys = format!("image = \"{image}\"\nvolume_gb = 100\n");
        files.append(&format!("[training.plain]\non = \"ec2\"\nsource = \"alone\"\n{keys}"));
        said(&files).contains("is no Amazon Linux 2023")
    };
    assert!(refused(&format!("{DLAMI}-ubuntu-22.04/latest/ami-id")));
    assert!(refused("/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2"));
    assert!(!refused(&format!("{DLAMI}-amazon-linux-2023/latest/ami-id")));
    assert!(!refused("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"));
    assert!(!refused("ami-0123456789abcdef0") && !refused("/our/own/image"));
}
