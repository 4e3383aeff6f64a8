//! At most one writer at any time, proved by the sandbox's own log of calls: each run signs with a key of its
//! own. What takes minutes, a run that sleeps over its lease and clocks that are wrong, is in
//! `tests/bench/races.py`.

use serde_json::Value;

use crate::support::{Beside, Ran, World};

/// A machine of its own, with its copy of the shipped project and its own key.
struct Machine {
    world: World,
    key: String,
    url: String,
}

impl Machine {
    fn new(name: &str, beside: &Beside) -> Self {
        let key = format!("AKIA{name}");
        let world = World::shipped().env("AWS_ACCESS_KEY_ID", &key).env("AWS_SECRET_ACCESS_KEY", "test");
        Self { world, key, url: beside.url() }
    }

    /// Scales to another maximum than everybody else.
    fn wanting(self, max: usize) -> Self {
        self.world.edit("config/opsctl.toml", "max = 4\n", &format!("max = {max}\n"));
        self
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.world.run(["--endpoint-url", &self.url].into_iter().chain(arguments.iter().copied()))
    }
}

/// Runs them at the same time.
fn at_once(machines: &[Machine], arguments: &[&[&str]]) -> Vec<Ran> {
    std::thread::scope(|scope| {
        let started: Vec<_> = machines
            .iter()
            .zip(arguments.iter().cycle())
            .map(|(machine, arguments)| scope.spawn(move || machine.run(arguments)))
            .collect();
        started.into_iter().map(|run| run.join().expect("it ends")).collect()
    })
}

/// Who wrote, one after the other, since the log was last cleared. The bucket is made by all of them, and by
/// AWS's rules once: it is what the lease lies in.
#[track_caller]
fn writers(beside: &Beside) -> Vec<String> {
    let log = beside.calls()["log"].clone();
    let wrote = |line: &&Value| {
        line["effect"] == "writes"
            && line["status"].as_u64().is_some_and(|status| status < 300)
            && line["operation"] != "s3:CreateBucket"
    };
    let lines = log.as_array().into_iter().flatten().filter(wrote);
    let mut writers: Vec<String> =
        lines.map(|line| line["caller"].as_str().unwrap_or_default().to_owned()).collect();
    writers.dedup();
    let mut known = writers.clone();
    known.sort();
    known.dedup();
    assert_eq!(known.len(), writers.len(), "somebody wrote, another one, and the first again: {writers:?}");
    writers
}

/// Who succeeded has written, or there was nothing to do; all others were refused by the lease; and what the
/// last writer said is so.
#[track_caller]
fn told_the_truth(machines: &[Machine], ran: &[Ran], beside: &Beside) {
    let writers = writers(beside);
    assert!(ran.iter().any(|ran| ran.code == Some(0)), "nobody has won: {}", ran[0]);
    for (machine, ran) in machines.iter().zip(ran) {
        let wrote = writers.contains(&machine.key);
        match ran.code {
            Some(0) => assert!(wrote || ran.stdout.contains("Nothing to do"), "{ran}"),
            // Refused before the first write, or under the lease: what was shown was no longer so.
            Some(5) => assert!(ran.stderr.contains("E211"), "{ran}"),
            _ => panic!("{ran}"),
        }
    }
    beside.strike(&[]);
    let last = writers.last().expect("somebody wrote");
    let last = machines.iter().find(|machine| machine.key == *last).expect("one of them");
    let _ = last.run(&["plan", "--detailed-exitcode"]).success();
    assert_eq!(last.run(&["lease", "show", "-o", "json"]).success().json()["held"], false);
}

#[test]
fn of_many_deploys_one_writes_at_a_time() {
    let here = World::empty();
    let beside = Beside::start(&here, &[]);
    let first: Vec<Machine> = ["ANN", "BOB"].iter().map(|name| Machine::new(name, &beside)).collect();
    let ran = at_once(&first, &[&["deploy", "--yes"]]);
    told_the_truth(&first, &ran, &beside);

    let eight: Vec<Machine> =
        (0..8).map(|i| Machine::new(&format!("N{i}"), &beside).wanting(5 + i)).collect();
    beside.forget_calls();
    let ran = at_once(&eight, &[&["deploy", "--yes"]]);
    told_the_truth(&eight, &ran, &beside);

    let two: Vec<Machine> = ["CID", "DOT"].iter().map(|name| Machine::new(name, &beside)).collect();
    beside.forget_calls();
    let ran = at_once(&two, &[&["scale", "--max", "20", "--yes"], &["scale", "--max", "30", "--yes"]]);
    let writers = writers(&beside);
    for (machine, ran) in two.iter().zip(&ran) {
        // Its numbers were worked out from what it saw: what changed since makes them wrong.
        let refused = ran.stderr.contains("E211") || ran.stderr.contains("E216");
        assert!(if ran.code == Some(0) { writers.contains(&machine.key) } else { refused }, "{ran}");
    }

    beside.forget_calls();
    let ran = at_once(&two, &[&["deploy", "--yes"], &["destroy", "--yes"]]);
    let writers = self::writers(&beside);
    for (machine, ran) in two.iter().zip(&ran) {
        let refused = ["E211", "E216", "E203"].iter().any(|code| ran.stderr.contains(code));
        assert!(if ran.code == Some(0) { writers.contains(&machine.key) } else { refused }, "{ran}");
    }
}
