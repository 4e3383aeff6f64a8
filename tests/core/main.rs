//! Tests of the pure core: no SDK, no network, no clock. `cargo test --no-default-features --test core`.
//!
//! Expected texts lie beside the tests; `UPDATE_EXPECT=1` rewrites them, and git shows what changed.

mod answers;
mod architecture;
mod archives;
mod audit;
mod citations;
mod config;
mod config_page;
mod cost;
mod docs;
mod encryption;
mod handler;
mod inputs;
mod kinds;
mod left_out;
mod limits;
mod managed;
mod memory;
mod names;
mod network;
mod package;
mod permissions;
mod plan;
mod plural;
mod policy;
mod project;
mod pull_request;
mod report;
mod site;
mod upload;
mod user_data;
mod words;
