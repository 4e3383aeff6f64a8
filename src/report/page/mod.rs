//! The report as a page: `content` says what is on it, once, and [`html()`] and [`markdown()`] write that
//! down. Every text on it may come from outside; both write it so that it stays text.

mod blocks;
mod content;
mod graph;
mod html;
mod markdown;
mod plot;
mod style;

use crate::evidence::Evidence;

/// Makes a command between backticks go where the user's own went.
pub type Suggest<'s> = &'s dyn Fn(&str) -> String;

/// One file that needs nothing else: no script, no font, no picture from anywhere.
pub fn html(evidence: &Evidence, suggest: Suggest<'_>) -> String {
    html::render(&content::page(evidence, suggest))
}

/// The same for terminals, pull requests and wikis.
pub fn markdown(evidence: &Evidence, suggest: Suggest<'_>) -> String {
    markdown::render(&content::page(evidence, suggest))
}
