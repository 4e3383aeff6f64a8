//! What of a project a place that is not AWS plays in another way, or not at all: said before anything is
//! made.

use futures_util::future::BoxFuture;

use crate::desired::{Desired, Node};
use crate::domain::{Diagnostic, Diagnostics, KeyPath, KindName, codes};
use crate::plan::Plan;
use crate::resources::image::{PROGRAM, Reference, is_algorithm};
use crate::resources::model::Model;
use crate::resources::training::Training;

const ALGORITHM: &str = "a built-in algorithm is a program in the image, which the sandbox does not pull";
const WHOLE: &str = "its program is in the image, which the sandbox does not pull";
const HUB: &str = "it has no archive: its container fetches the model itself, and the sandbox pulls no image";

/// Who runs containers where that is not AWS: the sandbox, with what this machine has.
pub trait Player: Send + Sync {
    /// What becomes of a training's container, to which the user brings the program.
    fn training(&self, image: &str) -> Played;
    /// What becomes of a model's container; `has_code`: with a program of the user's.
    fn serving(&self, image: &str, has_code: bool) -> Played;
    /// Whether it can run code now, whatever the image.
    fn is_ready(&self) -> BoxFuture<'static, Result<(), Diagnostic>>;
}

/// What becomes of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Played {
    /// What AWS makes of it.
    AsAws,
    /// In another way, which this says.
    Otherwise(&'static str),
    /// Not at all, and this is why.
    Not(&'static str),
}

/// Whether code of this kind runs in a container, with what that holds; if not, on a machine that has Python.
pub fn has_container(kind: KindName) -> bool {
    kind != KindName::Instance
}

/// The image of a node that has a container, and what becomes of that.
fn of<'n>(node: &'n Node, player: &dyn Player) -> Option<(&'n str, Played)> {
    if let Some(job) = node.spec_as::<Training>() {
        let played = match job.code {
            Some(_) => player.training(&job.image),
            None if is_algorithm(&job.image) => Played::Not(ALGORITHM),
            None => Played::Not(WHOLE),
        };
        return Some((&job.image, played));
    }
    let model = node.spec_as::<Model>()?;
    // An archive may have its code in it, and the container is told so.
    let has_code = model.code.is_some() || model.environment.contains_key(PROGRAM);
    let played = if model.data_url(&node.physical).is_none() {
        Played::Not(HUB)
    } else if is_algorithm(&model.image) {
        Played::Not(ALGORITHM)
    } else {
        player.serving(&model.image, has_code)
    };
    Some((&model.image, played))
}

/// The name by which a person knows it.
fn named(image: &str) -> String {
    Reference::parse(image).map_or_else(|| image.to_owned(), |parts| parts.repository)
}

/// Warnings of both, where the config names it.
pub fn warnings(desired: &Desired, player: &dyn Player) -> Diagnostics {
    let warning = |node: &Node| {
        let (image, played) = of(node, player)?;
        let named = named(image);
        let (text, help) = match played {
            Played::AsAws => return None,
            Played::Otherwise(how) => (
                format!("the sandbox does not run the image {named}: {how}"),
                "on AWS the image itself runs; what it holds besides, name in requirements.txt",
            ),
            Played::Not(why) => (
                format!("the sandbox cannot play {named}, so it deploys on AWS only: {why}"),
                "`opsctl explain E266` says what can be tried here",
            ),
        };
        let at = desired.origin.get(&node.id).cloned().unwrap_or_default();
        Some(Diagnostic::warning(codes::NOT_AS_ON_AWS, at, text, help))
    };
    Diagnostics(desired.nodes.iter().filter_map(warning).collect())
}

/// Refuses a plan that makes what cannot be played.
pub(super) fn refuse(desired: &Desired, plan: &Plan, player: &dyn Player) -> Result<(), Diagnostic> {
    let makes =
        |node: &Node| plan.steps.iter().any(|step| step.target == node.id && !step.op.verb().removes());
    let wrong = desired.nodes.iter().filter(|node| makes(node)).filter_map(|node| match of(node, player)? {
        (image, Played::Not(why)) => Some((node.id.kind, format!("{}: {}: {why}", node.id, named(image)))),
        _ => None,
    });
    let wrong: Vec<(KindName, String)> = wrong.collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let trains = wrong.iter().any(|(kind, _)| *kind == KindName::Training);
    let wrong: Vec<String> = wrong.into_iter().map(|(_, why)| why).collect();
    let message = format!("the sandbox cannot play all of it, and nothing was made: {}", wrong.join("; "));
    let help = match trains {
        true => "deploy it to an account",
        false => "deploy it to an account, or a part that does without: `opsctl --sandbox train NAME`",
    };
    Err(Diagnostic::error(codes::NOT_PLAYED, KeyPath::default(), message, help))
}
