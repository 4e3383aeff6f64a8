//! What AWS's published models allow, held against what a config will send: a refusal in the file, not in
//! mid-deploy.
//!
//! `data/build.py` takes the shapes of the members that the drivers send from botocore; a kind binds its keys
//! to them ([`Bound`]); [`check`] reports what AWS would refuse at the key's place. Pure.

mod arns;
mod bound;
mod hard;
pub mod images;
mod model;
mod places;
mod tags;

pub use arns::ArnOf;
pub use bound::{Bound, check, found};
pub use hard::{BUCKET_NAMES, LAMBDA_RESERVED, bucket_name};
pub use model::{DATE, Member, members};
pub use places::{Processor, account, has_gpu, has_own_disk, processor, region, regions, registry};
pub use tags::tags;
