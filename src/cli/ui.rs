//! The terminal, decided once: which streams are terminals, colour, quiet, format. stdout is the result, stderr the
//! talk.

use std::io::{self, BufRead, IsTerminal, Write};

use serde_json::Value;

use crate::domain::Code;
use crate::report::style::Styles;

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    #[default]
    Human,
    Json,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// The user's terminal.
#[derive(Clone, Debug)]
pub struct Ui {
    format: Format,
    quiet: bool,
    out: Styles,
    err: Styles,
    /// Someone can answer.
    pub interactive: bool,
    /// Lines may be rewritten.
    pub live: bool,
}

impl Ui {
    /// `no_color` is the variable NO_COLOR (or `TERM=dumb`), see https://no-color.org.
    pub fn new(format: Format, color: Color, quiet: bool, no_color: bool) -> Self {
        let styles = |terminal: bool| match color {
            Color::Always => Styles::colored(),
            Color::Auto if terminal && !no_color => Styles::colored(),
            _ => Styles::plain(),
        };
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            format,
            quiet,
            out: styles(out),
            err: styles(err),
            interactive: io::stdin().is_terminal() && err,
            live: err && !no_color && !quiet,
        }
    }

    pub fn json(&self) -> bool {
        self.format == Format::Json
    }

    pub fn styled_out(&self) -> &Styles {
        &self.out
    }

    pub fn styled_err(&self) -> &Styles {
        &self.err
    }

    /// The result. A closed pipe ends the process quietly, as `head` expects.
    pub fn out(&self, text: &str) {
        let mut stdout = io::stdout().lock();
        if stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_err() {
            std::process::exit(0);
        }
    }

    pub fn out_json(&self, value: &Value) {
        self.out(&format!("{value:#}\n"));
    }

    /// Talk that --quiet silences.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            self.err(text);
        }
    }

    /// Talk that nothing silences: errors, questions.
    pub fn err(&self, text: &str) {
        let newline = if text.ends_with('\n') { "" } else { "\n" };
        // Without stderr there is nobody to tell.
        let _ = write!(io::stderr().lock(), "{text}{newline}");
    }

    pub fn error(&self, code: Code, message: &str, help: &str) {
        let s = &self.err;
        let help = if help.is_empty() { String::new() } else { format!("\n  {} {help}", s.help("help:")) };
        self.err(&format!("{} {message}{help}", s.error(&format!("error[{code}]:"))));
    }

    /// Asks for a yes. Only for terminals.
    pub fn confirm(&self, question: &str) -> bool {
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush());
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        read.is_ok() && ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str())
    }
}
