//! The words of a run: in a pipe, on GitHub, and the live line at the widths that terminals have.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use expect_test::{Expect, expect};

use super::*;
use crate::aws::Calls;
use crate::domain::{ResourceId, Verb};
use crate::engine::Progress;

/// Reads events at times that the test says.
struct Watch {
    terminal: Terminal,
    said: Arc<Mutex<String>>,
    now: Arc<Mutex<Duration>>,
}

impl Watch {
    fn new(verbose: bool, github: bool) -> Self {
        let (said, now) = (Arc::new(Mutex::new(String::new())), Arc::new(Mutex::new(Duration::ZERO)));
        let (sink, clock) = (Arc::clone(&said), Arc::clone(&now));
        let look = TerminalLook {
            styles: Styles::plain(),
            bars: None,
            width: Box::new(|| 80),
            clock: Box::new(move || *clock.lock().unwrap()),
            verbose,
            github,
            title: "digits / dev".to_owned(),
            place: "SANDBOX, us-east-1".to_owned(),
        };
        let sink: Sink = Box::new(move |line| *sink.lock().unwrap() += &format!("{line}\n"));
        Self { terminal: Terminal::new(sink, look), said, now }
    }

    fn at(&self, seconds: u64) {
        *self.now.lock().unwrap() = Duration::from_secs(seconds);
    }

    fn start(&mut self, step: StepId, target: &str, usual_s: Option<u64>) {
        let usual_ms = usual_s.map(|s| s * 1000);
        let (target, op, physical) = (id(target), Verb::Create, String::new());
        self.terminal.read(&Event::StepStarted { step, target, op, physical, contents: None, usual_ms });
    }

    fn wait(&mut self, step: StepId, status: &str) {
        let (target, what, status) = (id("training/numbers"), "training job completed", status.to_owned());
        self.terminal.read(&Event::StepWaiting { step, target, what, status, elapsed_ms: 0 });
    }

    fn log(&mut self, step: StepId, line: &str) {
        let (target, line) = (id("training/numbers"), line.to_owned());
        self.terminal.read(&Event::StepLog { step, target, line });
    }

    fn measure(&mut self, step: StepId, name: &str, value: f64, of: Option<f64>) {
        let (target, name) = (id("training/numbers"), name.to_owned());
        self.terminal.read(&Event::StepMetric { step, target, name, value, of });
    }

    fn end(&mut self, step: StepId, target: &str, result: StepResult, elapsed_ms: u64) {
        let (target, op) = (id(target), Verb::Create);
        self.terminal.read(&Event::StepFinished { step, target, op, result, elapsed_ms });
    }

    fn finish(&mut self, result: RunResult) {
        let calls = Calls { reads: 12, writes: 3 };
        self.terminal.read(&Event::RunFinished { result, calls, elapsed_ms: 75_400 });
    }

    #[track_caller]
    fn said(&self, expected: Expect) {
        expected.assert_eq(&self.said.lock().unwrap());
    }
}

fn id(text: &str) -> ResourceId {
    text.parse().unwrap()
}

/// A training of which everything is told.
fn run(watch: &mut Watch, ends_well: bool) {
    watch.terminal.read(&Event::RunStarted { steps: 3 });
    watch.start(0, "bucket/main", None);
    watch.end(0, "bucket/main", StepResult::Ok, 400);
    watch.start(1, "training/numbers", Some(240));
    watch.at(3);
    watch.wait(1, "Starting");
    watch.at(10);
    watch.wait(1, "Starting");
    watch.terminal.tick();
    watch.at(33);
    watch.terminal.tick();
    watch.at(40);
    watch.wait(1, "Training");
    watch.log(1, "Collecting numpy==2.2");
    watch.log(1, "epoch=12 test_accuracy=0.9814 \u{1b}[31m::error::x");
    watch.measure(1, "epoch", 12.0, Some(40.0));
    watch.measure(1, "test:accuracy", 0.9814, None);
    watch.at(71);
    watch.terminal.tick();
    watch.at(75);
    if ends_well {
        watch.end(1, "training/numbers", StepResult::Ok, 75_000);
        watch.start(2, "model/numbers", None);
        watch.end(2, "model/numbers", StepResult::Ok, 200);
        watch.finish(RunResult::Ok);
    } else {
        let error = "Failed: ValueError: bad data\nmore of it".to_owned();
        let failed = StepResult::Failed { error, code: "E204", retryable: false };
        watch.end(1, "training/numbers", failed, 75_000);
        watch.end(2, "model/numbers", StepResult::Skipped { because_of: id("training/numbers") }, 0);
        watch.finish(RunResult::Failed);
    }
}

#[test]
fn a_pipe_has_one_timed_line_for_each_change_and_a_heartbeat() {
    let mut watch = Watch::new(false, false);
    run(&mut watch, true);
    watch.said(expect![[r#"
           0:00  [1/3] bucket/main  created
           0:03  [1/3] training/numbers  Starting
           0:33  [1/3] training/numbers  Starting  0:33 of about 4m
           0:40  [1/3] training/numbers  Training
            training/numbers | epoch=12 test_accuracy=0.9814 \u{1b}[31m::error::x
           1:11  [1/3] training/numbers  Training  epoch 12/40 · test:accuracy 0.981  1:11 of about 4m
           1:15  [2/3] training/numbers  created in 1:15
           1:15  [3/3] model/numbers  created
        ✓ digits / dev (SANDBOX, us-east-1): 3 created in 1:15
    "#]]);
}

#[test]
fn a_failure_is_short_here_and_shows_what_the_installer_said() {
    let mut watch = Watch::new(false, false);
    run(&mut watch, false);
    watch.said(expect![[r#"
           0:00  [1/3] bucket/main  created
           0:03  [1/3] training/numbers  Starting
           0:33  [1/3] training/numbers  Starting  0:33 of about 4m
           0:40  [1/3] training/numbers  Training
            training/numbers | epoch=12 test_accuracy=0.9814 \u{1b}[31m::error::x
           1:11  [1/3] training/numbers  Training  epoch 12/40 · test:accuracy 0.981  1:11 of about 4m
            training/numbers | Collecting numpy==2.2
           1:15  [2/3] training/numbers  failed[E204] after 1:15
           1:15  [3/3] model/numbers  skipped: training/numbers failed
        ✗ digits / dev (SANDBOX, us-east-1): 1 created, 1 failed, 1 skipped after 1:15
    "#]]);
}

#[test]
fn github_folds_the_run_and_verbose_shows_all() {
    let mut watch = Watch::new(true, true);
    run(&mut watch, true);
    watch.said(expect![[r#"
        ::group::3 steps in SANDBOX, us-east-1
           0:00  [1/3] bucket/main  created
           0:03  [1/3] training/numbers  Starting
           0:33  [1/3] training/numbers  Starting  0:33 of about 4m
           0:40  [1/3] training/numbers  Training
            training/numbers | Collecting numpy==2.2
            training/numbers | epoch=12 test_accuracy=0.9814 \u{1b}[31m::error::x
           1:11  [1/3] training/numbers  Training  epoch 12/40 · test:accuracy 0.981  1:11 of about 4m
           1:15  [2/3] training/numbers  created in 1:15
           1:15  [3/3] model/numbers  created
        ::endgroup::
        ✓ digits / dev (SANDBOX, us-east-1): 3 created in 1:15, 12 reads and 3 writes
    "#]]);
}

/// Somebody may print a whole file.
#[test]
fn a_long_line_of_a_log_is_cut_unless_all_is_asked_for() {
    for verbose in [false, true] {
        let mut watch = Watch::new(verbose, false);
        watch.start(1, "training/numbers", None);
        watch.log(1, &"ä".repeat(100_000));
        let said = watch.said.lock().unwrap().clone();
        assert_eq!(said.contains("… (and 99,500 characters more, in its log)"), !verbose, "{verbose}");
        assert_eq!(said.chars().filter(|c| *c == 'ä').count(), if verbose { 100_000 } else { 500 });
    }
}

#[test]
fn the_live_line_fits_every_width() {
    let steps = || {
        let target = |name: &str| id(name);
        let begun = Duration::from_secs(60);
        let mut training = Running::new(
            (9, 18),
            target("training/numbers"),
            Verb::Create,
            begun,
            Some(Duration::from_secs(240)),
        );
        training.phase = Some("Training".to_owned());
        training.measure("epoch", 12.0, Some(40.0));
        training.measure("test:accuracy", 0.9814, None);
        training.measure("train:loss", 0.009, None);
        let mut data = Running::new((3, 18), target("data/dogs"), Verb::Create, begun, None);
        data.advance(&Progress {
            done: 495_000_000,
            total: 1_100_000_000,
            files_done: 1204,
            files_total: 8351,
            bytes_per_second: 52_000_000,
            eta_ms: Some(11_600),
            slowest: Some("train/beagle/0123.jpg".to_owned()),
        });
        let long = "endpoint/a-name-of-sixty-three-characters-is-as-long-as-names-may-be-in-aws";
        let endpoint = Running::new((10, 18), target(long), Verb::Create, begun, None);
        [training, data, endpoint]
    };
    let mut text = String::new();
    for width in [120, 80, 40, 35, 24] {
        for step in steps() {
            let line = step.line(Duration::from_secs(132), width);
            assert!(line.chars().count() <= width, "{width}: {line}");
            text += &format!("{width:>3} {line}\n");
        }
    }
    expect![[r#"
        120 [9/18] training/numbers  Training  epoch 12/40 · test:accuracy 0.981 · train:loss 0.009  1:12 of about 4m
        120 [3/18] data/dogs  ████░░░░░░  45% · 11s left · 495.0 MB of 1.1 GB · 1,204 of 8,351 files · 52.0 MB/s  1:12
        120 [10/18] endpoint/a-name-of-sixty-three-characters-is-as-long-as-names-may-be-in-aws  creating  1:12
         80 [9/18] training/numbers  Training  epoch 12/40  1:12 of about 4m
         80 [3/18] data/dogs  ████░░░░░░  45% · 11s left · 495.0 MB of 1.1 GB  1:12
         80 [10/18] endpoint/a-name-of-sixty-three-characters-is-as-long-as…  creating  1:12
         40 [9/18] training/numbers  Training  1:12
         40 [3/18] data/dogs  ████░░░░░░  45%  1:12
         40 [10/18] endpoint/a-name…  creating  1:12
         35 [9/18] training/nu…  Training  1:12
         35 [3/18] data/dogs  ████░░░░░░  1:12
         35 endpoint/a-name-of…  creating  1:12
         24 [9/18] training/n…  1:12
         24 [3/18] data/dogs  1:12
         24 [10/18] endpoint/…  1:12
    "#]].assert_eq(&text);
}

/// A clock that has passed the usual time is not "of about" that.
#[test]
fn what_takes_longer_than_usual_says_so() {
    let usual = Some(Duration::from_secs(58));
    let mut training = Running::new((0, 4), id("training/numbers"), Verb::Create, Duration::ZERO, usual);
    training.phase = Some("Training".to_owned());
    let line = |seconds, width| training.line(Duration::from_secs(seconds), width);
    assert_eq!(line(58, 80), "[0/4] training/numbers  Training  0:58 of about 58s");
    assert_eq!(line(411, 80), "[0/4] training/numbers  Training  6:51, longer than usual (58s)");
    assert_eq!(line(411, 40), "[0/4] training/numbers  Training  6:51");
}
