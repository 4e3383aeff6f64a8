//! Which options of `opsctl audit-iam` go together.

use std::path::Path;

use super::args::AuditArgs;
use super::files::usage;
use crate::audit::report::{Format, change};
use crate::cli::args::Global;
use crate::cli::error::Failure;
use crate::cli::files::Place;

const BASELINE: &str = "--baseline";

/// Whether an option is given, by its name.
type Given = (&'static str, bool);

fn of_aws(args: &AuditArgs, global: &Global) -> Vec<Given> {
    vec![
        ("--profile", global.profile.is_some()),
        ("--region", global.region.is_some()),
        ("--endpoint-url", global.endpoint_url.is_some()),
        ("--sandbox", global.sandbox),
        ("--save", args.save.is_some()),
        ("--usage-from-aws", args.usage_from_aws.is_some()),
    ]
}

/// Those that choose what is shown.
fn of_choice(args: &AuditArgs) -> Vec<Given> {
    vec![
        ("--severity", args.severity.is_some()),
        ("--rule", !args.rule.is_empty()),
        ("--role", !args.role.is_empty()),
        ("--top", args.top.is_some()),
    ]
}

fn of_look(args: &AuditArgs) -> Vec<Given> {
    vec![("--group-by", args.group_by.is_some()), ("--details", args.details)]
}

fn of_report(args: &AuditArgs) -> Vec<Given> {
    let mut all = vec![
        (BASELINE, args.baseline.is_some()),
        ("--write", args.write.is_some()),
        ("--also", !args.also.is_empty()),
        ("--fail-on", args.fail_on != "none"),
    ];
    all.extend(of_choice(args).into_iter().chain(of_look(args)));
    all
}

fn of_use(args: &AuditArgs) -> Vec<Given> {
    vec![("--usage", args.usage.is_some()), ("--usage-from-aws", args.usage_from_aws.is_some())]
}

/// An option that does nothing would look as if it had done something.
pub fn none_is_idle(args: &AuditArgs, global: &Global, format: Format) -> Result<(), Failure> {
    let said = |options: Vec<Given>, is: bool, beside: &str, why: &str| match options
        .iter()
        .find(|(_, given)| *given && is)
    {
        Some((option, _)) => {
            let message = format!("{option} does nothing beside {beside}: {why}");
            Err(usage(message, format!("leave out {option}, or {beside}")))
        }
        None => Ok(()),
    };
    let of_whole = vec![("--format", args.format.is_some()), ("--against", args.against.is_some())];
    let explains = args.command.is_some();
    let one_answer = "one question is answered, and nothing is audited";
    said(of_aws(args, global), args.input.is_some(), "--input", "a file is read, and AWS is not called")?;
    said(of_aws(args, global), args.policy.is_some(), "--policy", "files are read, and AWS is not called")?;
    said(of_use(args), args.policy.is_some(), "--policy", "nobody has used a policy that is not deployed")?;
    said([of_report(args), of_whole].concat(), explains, "explain", one_answer)?;
    let compares = args.against.is_some();
    let only_gains = "only what a change gives is told, and it is not audited";
    said([of_report(args), of_use(args)].concat(), compares, "--against", only_gains)?;
    let around = vec![("--resources", args.resources.is_some())];
    said(around, compares, "--against", "what principals may do is compared, and not what holds them back")?;
    let (has_look, is_human) = (of_look(args), format == Format::Human);
    said(has_look, !is_human, "that format", "it is about the report for people")?;
    let is_junit = format == Format::Junit || args.also.iter().any(|(form, _)| *form == Format::Junit);
    said(of_choice(args), is_junit, "junit", "a rule whose findings are not shown would pass")?;
    if compares && !change::FORMATS.iter().any(|(_, known)| *known == format) {
        let known: Vec<_> = change::FORMATS.iter().map(|(word, _)| *word).collect();
        let message = "what a change gives has no finding, which that format is made of".to_owned();
        return Err(usage(message, format!("with --against, --format is one of {}", known.join(", "))));
    }
    stdin_is_read_once(args)
}

/// The files that are read.
fn files(args: &AuditArgs) -> Vec<(&'static str, &Path)> {
    let all = [
        ("--input", &args.input),
        ("--policy", &args.policy),
        ("--resources", &args.resources),
        ("--against", &args.against),
        ("--usage", &args.usage),
        (BASELINE, &args.baseline),
    ];
    all.into_iter().filter_map(|(option, file)| Some((option, file.as_deref()?))).collect()
}

fn stdin_is_read_once(args: &AuditArgs) -> Result<(), Failure> {
    let read: Vec<_> = files(args).into_iter().filter(|(_, file)| *file == Path::new("-")).collect();
    if let [(first, _), (second, _), ..] = read.as_slice() {
        let message = format!("{first} and {second} are both `-`, and stdin is read once");
        return Err(usage(message, "give one of them the name of a file".to_owned()));
    }
    Ok(())
}

/// A file that is written is named by one option only: it would be read after it was replaced, or replaced by
/// what comes after it.
pub fn files_differ(args: &AuditArgs) -> Result<(), Failure> {
    let is_written = |option| option == BASELINE && args.update_baseline;
    let read = files(args).into_iter().map(|(option, file)| (option, file, is_written(option)));
    let saved = args.save.iter().map(|file| ("--save", file.as_path(), true));
    let also = args.also.iter().map(|(_, file)| ("--also", file.as_path(), true));
    if args.update_baseline && args.baseline.as_deref() == Some(Path::new("-")) {
        let message = "--update-baseline writes a file, and --baseline is `-`".to_owned();
        return Err(usage(message, "give the baseline a name".to_owned()));
    }
    let mut known: Vec<(&str, Place, bool)> = Vec::new();
    let named = read.chain(saved).filter(|(_, file, _)| *file != Path::new("-"));
    for (option, file, is_written) in named.chain(also) {
        // Nothing is lost in a pipe or a terminal.
        if file.metadata().is_ok_and(|about| !about.is_file()) {
            continue;
        }
        let place = Place::of(file);
        let same = |(_, other, written): &&(&str, Place, bool)| other.is(&place) && (is_written || *written);
        if let Some((other, ..)) = known.iter().find(same) {
            let message = format!("{other} and {option} name the same file, {}", file.display());
            return Err(usage(message, "give one of them the name of another file".to_owned()));
        }
        known.push((option, place, is_written));
    }
    Ok(())
}
