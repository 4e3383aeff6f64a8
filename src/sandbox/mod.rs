//! A small AWS on loopback.
