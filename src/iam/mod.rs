//! IAM policy documents as AWS means them: when two are the same, and how one statement is put into somebody else's
//! document and taken out again. Pure, and names no other area.

mod equal;
mod statements;

pub use equal::same;
pub use statements::{has, with, without};
