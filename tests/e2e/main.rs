//! The real binary, run as a user runs it: in a folder of its own, with an environment of its own, and
//! everything it prints compared. `support` has what the tests stand on; each other file is one thing that
//! opsctl must show.

mod action;
mod allowed;
mod audit;
mod audit_pages;
mod behind;
mod broken;
mod cli;
mod clients;
mod contract;
mod cost;
mod doctor;
mod documents;
mod drift;
mod emulators;
mod endings;
mod faults;
mod folders;
mod following;
mod hostile;
mod init;
mod install;
mod library;
mod lost;
mod many;
mod models;
mod names;
mod one_instance;
mod pages;
mod person;
mod races;
mod readme;
mod report;
mod retrain;
mod run;
mod sandbox;
mod secrets;
mod shell;
mod stays;
mod stops;
mod strangers;
mod support;
mod upload;
mod waits;
mod wire;
