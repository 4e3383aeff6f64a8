//! The planner on the real kinds: what is seen is made by hand, plans are compared whole.

mod breakages;
mod changes;
mod channels;
mod containers;
mod contents;
mod cost;
mod growth;
pub mod keys;
mod leaves;
mod mutants;
mod outside;
mod properties;
mod recipe;
mod scale;
mod spared;
mod states;
mod tags;
pub mod world;
mod written;
