//! `opsctl scale`: autoscaling and provisioned concurrency of what is already deployed, and nothing else.

use clap::Args;
use serde_json::Value;

use crate::cli::Ended;
use crate::cli::act::{DEPLOY, Intent, can_consent, run_plan};
use crate::cli::args::{DryRun, Global};
use crate::cli::environment::Environment;
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::cli::ui::Ui;
use crate::config::Document;
use crate::desired::{AnySpec, Node};
use crate::domain::{KeyPath, KindName, codes};
use crate::engine::OpCx;
use crate::resources::autoscaling::{Autoscaling, Seen, Spec};
use crate::resources::concurrency::{Concurrency, Spec as Provisioned};

#[derive(Debug, Args)]
pub struct ScaleArgs {
    /// Only these endpoints and functions (default: all)
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Scale to keep this many invocations per instance per minute
    #[arg(long, value_name = "N")]
    pub target: Option<f64>,
    /// Keep at least this many instances
    #[arg(long, value_name = "N")]
    pub min: Option<i64>,
    /// Keep at most this many instances
    #[arg(long, value_name = "N")]
    pub max: Option<i64>,
    /// Keep this many environments of the function initialized
    #[arg(long, value_name = "N")]
    pub provisioned_concurrency: Option<i64>,
    #[command(flatten)]
    pub preview: DryRun,
}

pub async fn run(args: &ScaleArgs, global: &Global, ui: &Ui, env: &Environment) -> Ended {
    can_consent(args.preview.dry_run, global, ui)?;
    let session = Session::open(global, env, |document| add_tables(args, &global.env, document)).await?;
    let intent = match intended(args, &session, ui).await {
        Ok(intent) => intent,
        Err(failure) => {
            session.close().await;
            return Err(failure);
        }
    };
    run_plan(session, intent, args.preview, None, global, ui).await
}

/// The scaling parts that are meant, with the given numbers.
async fn intended(args: &ScaleArgs, session: &Session, ui: &Ui) -> Result<Intent, Failure> {
    let instances = args.target.is_some() || args.min.is_some() || args.max.is_some();
    let environments = args.provisioned_concurrency.is_some();
    // Numbers for one of the two leave the other alone; without any, both become what the file says.
    let wanted = |node: &Node| {
        let named = args.names.is_empty() || args.names.contains(&node.id.name);
        named
            && match node.id.kind {
                KindName::Autoscaling => instances || !environments,
                KindName::Concurrency => environments || !instances,
                _ => false,
            }
    };
    let mut desired = session.desired.only(wanted, false);
    if desired.nodes.is_empty() {
        let message = "nothing by that name is scaled in the config";
        let help =
            "add [endpoint.NAME.autoscaling] or `provisioned_concurrency`, or give --min, --max and --target";
        return Err(Failure::said(codes::UNKNOWN_NAME, Exit::Usage, message, help));
    }
    for node in &mut desired.nodes {
        deployed(session, node).await?;
        if node.id.kind == KindName::Autoscaling && instances {
            set_instances(args, session, node).await?;
        }
        if node.id.kind == KindName::Concurrency && environments {
            set_environments(args, node)?;
        }
    }
    if instances || environments {
        ui.say(&format!(
            "Note: the next deploy resets this to {}. Change it there to keep it.",
            session.config.document.file.display()
        ));
    }
    Ok(Intent { mode: DEPLOY, desired, whole: false, fixed: true })
}

/// What is scaled must be there; making it is not this command's business.
async fn deployed(session: &Session, node: &Node) -> Result<(), Failure> {
    let whole = if node.id.kind == KindName::Autoscaling { KindName::Endpoint } else { KindName::Function };
    let found = session.desired.nodes.iter().find(|n| n.id.kind == whole && n.id.name == node.id.name);
    let Some(whole) = found else { return Ok(()) };
    let cx = OpCx { world: &session.world, step: 0, target: whole.id.clone() };
    if session.registry.of(whole.id.kind).look(&cx, &whole.physical).await?.is_some() {
        return Ok(());
    }
    let message = format!("{} is not deployed yet", whole.id);
    Err(Failure::said(codes::NOT_DEPLOYED, Exit::Failed, message, "run `opsctl deploy` first"))
}

/// The given numbers; those not given stay as they live, whatever the file says.
async fn set_instances(args: &ScaleArgs, session: &Session, node: &mut Node) -> Result<(), Failure> {
    let Some(mut spec) = node.spec_as::<Autoscaling>().cloned() else { return Ok(()) };
    let cx = OpCx { world: &session.world, step: 0, target: node.id.clone() };
    if let Some(seen) = session.registry.of(node.id.kind).look(&cx, &node.physical).await? {
        let seen: Seen = serde_json::from_value(seen).expect("written by the same type");
        (spec.min, spec.max) = (seen.min, seen.max);
        if let Some(policy) = seen.policy {
            spec.target = policy.target;
            spec.scale_in_cooldown_s = policy.scale_in_cooldown_s;
            spec.scale_out_cooldown_s = policy.scale_out_cooldown_s;
        }
    }
    let count = |n: i64| i32::try_from(n).unwrap_or(i32::MAX);
    spec.min = args.min.map_or(spec.min, count);
    spec.max = args.max.map_or(spec.max, count);
    spec.target = args.target.unwrap_or(spec.target);
    let Spec { min, max, target, .. } = spec;
    let wrong = match () {
        () if min < 1 => Some(format!("a real-time endpoint keeps at least 1 instance, not {min}")),
        () if min > max => Some(format!("the minimum would be {min} and the maximum {max}")),
        () if target.is_nan() || target <= 0.0 => Some(format!("{target} is not a possible target")),
        () => None,
    };
    if let Some(message) = wrong {
        return Err(Failure::said(codes::BAD_RANGE, Exit::Usage, message, "give --min and --max together"));
    }
    node.spec = AnySpec::new::<Autoscaling>(spec);
    Ok(())
}

fn set_environments(args: &ScaleArgs, node: &mut Node) -> Result<(), Failure> {
    let requested = args.provisioned_concurrency.and_then(|n| i32::try_from(n).ok()).filter(|n| *n >= 1);
    let Some(requested) = requested else {
        let help = "for none, remove `provisioned_concurrency` from the config and deploy with --prune";
        return Err(Failure::said(
            codes::BAD_VALUE,
            Exit::Usage,
            "provisioned concurrency is at least 1",
            help,
        ));
    };
    node.spec = AnySpec::new::<Concurrency>(Provisioned { requested });
    Ok(())
}

/// Gives tables to what the file does not scale at all, from the numbers of the command line.
fn add_tables(args: &ScaleArgs, env: &str, document: &mut Document) -> Result<(), Failure> {
    let merged = document.environment(env);
    let named = |section: &str| -> Vec<(String, Value)> {
        let table = merged.values().get(section).and_then(Value::as_object).cloned().unwrap_or_default();
        table.into_iter().filter(|(name, _)| args.names.is_empty() || args.names.contains(name)).collect()
    };
    let (endpoints, functions) = (named("endpoint"), named("function"));
    let known = |name: &String| endpoints.iter().chain(&functions).any(|(known, _)| known == name);
    if let Some(unknown) = args.names.iter().find(|name| !known(name)) {
        let message = format!("there is no endpoint or function `{unknown}`");
        return Err(Failure::said(codes::UNKNOWN_NAME, Exit::Usage, message, "`opsctl status` lists them"));
    }
    // Into the environment's overlay, which has the last word.
    let at = |section: &str, name: &str| KeyPath::of(["env", env, section, name]);
    if let (Some(target), Some(min), Some(max)) = (args.target, args.min, args.max) {
        for (name, _) in endpoints.iter().filter(|(_, item)| item.get("autoscaling").is_none()) {
            let scaling = at("endpoint", name).join("autoscaling");
            document.set(&scaling.join("target_invocations_per_instance"), Value::from(target));
            document.set(&scaling.join("min"), Value::from(min));
            document.set(&scaling.join("max"), Value::from(max));
        }
    }
    if let Some(n) = args.provisioned_concurrency {
        for (name, _) in functions.iter().filter(|(_, item)| item.get("provisioned_concurrency").is_none()) {
            document.set(&at("function", name).join("provisioned_concurrency"), Value::from(n));
        }
    }
    Ok(())
}
