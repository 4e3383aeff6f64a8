//! A data set is not changed while a job may read it: the job is named after what was there when it was made.

use std::fs;

use aws_sdk_sagemaker::types::SecondaryStatus;

use crate::support::{Beside, World};

const BUCKET: &str = "small-dev-123456789012-eu-west-1";

/// Waits for a file in the project's folder.
const SCRIPT: &str = "import os, pathlib, time\n\
                      while not pathlib.Path(os.environ['GO']).exists(): time.sleep(.05)\n\
                      pathlib.Path(os.environ['SM_MODEL_DIR'], 'model').write_text('1')\n";

/// A project, and a sandbox that lives as long as this.
struct Trained {
    world: World,
    served: Beside,
}

impl Trained {
    /// Its job is at work, and nobody waits for it.
    fn with(keys: &str) -> Self {
        let world = World::with_config("").sandbox();
        world.write("code/train.py", SCRIPT);
        world.write("things/a", "1");
        let go = world.path("go").display().to_string();
        let text = format!(
            "[project]\nname = \"small\"\nregion = \"eu-west-1\"\n[data.things]\npath = \"things\"\n\
             [training.t]\nsource = \"code\"\ndata = [\"things\"]\nenvironment = {{ GO = \"{go}\" }}\n{keys}"
        );
        world.write("opsctl.toml", &text);
        let served = Beside::running(&world);
        let trained = Self { world, served };
        trained.world.kill_when(["deploy", "--yes"], || trained.is_at_work());
        trained
    }

    fn is_at_work(&self) -> bool {
        self.served.with("eu-west-1", async |aws| {
            let instances = aws.ec2.describe_instances().send().await.expect("a list");
            let jobs = aws.sagemaker.list_training_jobs().send().await.expect("a list");
            let Some(job) = jobs.training_job_summaries().first().and_then(|job| job.training_job_name())
            else {
                return !instances.reservations().is_empty();
            };
            let job = aws.sagemaker.describe_training_job().training_job_name(job).send().await;
            job.expect("it is there").secondary_status() == Some(&SecondaryStatus::Training)
        })
    }

    fn there(&self) -> Vec<u8> {
        self.served.with("eu-west-1", async |aws| {
            let object = aws.s3.get_object().bucket(BUCKET).key("data/things/a");
            object.send().await.expect("it is there").body.collect().await.expect("read").to_vec()
        })
    }
}

/// Spot instances are taken away and start again; what an instance of EC2 has copied, nobody is told.
#[test]
fn data_waits_for_the_job_that_may_read_it() {
    for keys in ["spot = true\nmax_wait = \"25h\"\n", "on = \"ec2\"\n"] {
        let trained = Trained::with(keys);
        trained.world.write("things/a", "22");
        for command in ["upload", "deploy"] {
            let refused = trained.world.run([command, "--yes"]).ended(1).says("error[E267]");
            refused.says("/small-dev-t-").says("is at work and may read s3://");
            assert_eq!(trained.there(), b"1");
        }
        // Nor when the config has no training any more.
        let config = trained.world.read("opsctl.toml");
        trained.world.write("opsctl.toml", config.split("[training").next().expect("what is before it"));
        trained.world.run(["upload", "--yes"]).ended(1).says("error[E267]");
        trained.world.write("opsctl.toml", &config);
        // What nobody changes is in nobody's way.
        trained.world.write("things/a", "1");
        trained.world.run(["upload", "--yes"]).success();
        fs::write(trained.world.path("go"), "").expect("written");
        trained.world.run(["deploy", "--yes"]).success();
        trained.world.write("things/a", "22");
        trained.world.run(["upload", "--yes"]).success();
        assert_eq!(trained.there(), b"22");
    }
}

/// Then nothing says that the data set is not a new one.
#[test]
fn a_manifest_that_was_deleted_is_no_reason_to_change_data() {
    let trained = Trained::with("spot = true\nmax_wait = \"25h\"\n");
    trained.served.with("eu-west-1", async |aws| {
        let key = "data/things.opsctl-manifest.json";
        aws.s3.delete_object().bucket(BUCKET).key(key).send().await.expect("deleted");
    });
    trained.world.write("things/a", "22");
    for command in ["upload", "deploy"] {
        let refused = trained.world.run([command, "--yes"]).ended(1).says("error[E267]");
        refused.says("end it by `opsctl --sandbox stop training/small-dev-t-");
    }
    assert_eq!(trained.there(), b"1");
    fs::write(trained.world.path("go"), "").expect("written");
}

#[test]
fn a_job_that_has_copied_its_files_is_in_nobodys_way() {
    let trained = Trained::with("");
    trained.world.write("things/a", "22");
    trained.world.run(["upload", "--yes"]).success();
    assert_eq!(trained.there(), b"22");
    fs::write(trained.world.path("go"), "").expect("written");
}
