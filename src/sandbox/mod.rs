//! A small AWS on loopback.

pub mod runners;
