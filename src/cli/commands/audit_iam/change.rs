//! `opsctl audit-iam --against OLD`: whether a change gives new access.

use std::path::Path;

use super::args::AuditArgs;
use super::{files, input, policies};
use crate::audit::planned::Kind;
use crate::audit::report::change::{self, Change};
use crate::audit::report::{Format, Layout, Options};
use crate::audit::{Account, Instant, against};
use crate::cli::error::{CommandResult, Failure};
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::domain::codes;
use crate::run;

/// The account as it was. A policy is compared with policies, and anything else with an account.
pub fn before(args: &AuditArgs, old: &Path, now: Instant) -> Result<Account, Failure> {
    let Some(policy) = &args.policy else {
        let read = input::taken(old, None, now)?;
        return match read.kind {
            Kind::Policy => Err(unlike(old, "a policy, and no --policy is given to compare with it")),
            _ => Ok(read.account),
        };
    };
    match (policy.is_dir(), old.is_dir()) {
        (true, true) => policies::policies(old, now),
        // Two files are two versions of one policy, whatever they are called.
        (false, false) => run::audit::policies(&[(policies::name(policy), files::read(old)?)], now)
            .map_err(|why| files::refused(old, &why)),
        _ => Err(unlike(old, "not to be compared: --policy and --against are two files or two folders")),
    }
}

fn unlike(old: &Path, why: &str) -> Failure {
    let help = "--policy NEW --against OLD compares policies, --input NEW --against OLD what has roles";
    Failure::new(codes::USAGE, Exit::Usage, format!("{} is {why}", old.display()), help)
}

/// Prints the answer: 2 when there is new access, 10 when that is not known.
pub fn run(
    (before, after): (&Account, &Account),
    (old, form): (&Path, Format),
    (options, look): (Options<'_>, Layout),
    (now, ui): (Instant, &Ui),
) -> CommandResult {
    let gains = against::new_access(before, after, now);
    let unknown = against::unknown(before, after, now);
    let mut gaps = against::gaps(before, after);
    unknown.iter().for_each(|gap| {
        if !gaps.contains(&gap) {
            gaps.push(gap)
        }
    });
    let against = old.to_string_lossy();
    let told = Change { against: &against, gains: &gains, gaps: &gaps };
    ui.out(&change::render(told, form, options, look).unwrap_or_default());
    Ok(match (gains.is_empty(), gaps.is_empty()) {
        (false, _) => Exit::Changes,
        (true, false) => Exit::Incomplete,
        (true, true) => Exit::Done,
    })
}
