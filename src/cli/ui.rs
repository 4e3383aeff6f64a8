//! The terminal, decided once: which streams are terminals, color, quiet, format. Results go
//! to stdout, everything else to stderr.

use std::io::{self, BufRead, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use indicatif::MultiProgress;
use serde_json::Value;
use tokio::sync::oneshot;

use super::args::{Color, Format};
use super::exit::Exit;
use super::fitted::fitted;
use super::hints::Hints;
use super::rewritten;
use crate::config::Document;
use crate::domain::{Code, Diagnostics, codes, shown, workflow};
use crate::engine::{Cancel, Cause};
use crate::report::diagnostics;
use crate::report::style::Styles;

/// The lines that are being rewritten on the terminal, if any: other lines go above them.
#[derive(Clone, Debug, Default)]
pub struct Screen(Arc<Mutex<Option<MultiProgress>>>);

impl Screen {
    /// From now on lines are rewritten.
    pub fn live(&self) -> MultiProgress {
        let bars = rewritten::bars();
        *self.0.lock().expect("nobody panics") = Some(bars.clone());
        bars
    }

    /// Writes to stderr. If that fails, there is nowhere to report it.
    pub fn write(&self, text: &str) {
        let write = || drop(io::stderr().lock().write_all(text.as_bytes()));
        match &*self.0.lock().expect("nobody panics") {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }
}

/// For the log, which writes whole lines.
impl Write for Screen {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        Screen::write(self, &String::from_utf8_lossy(text));
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How many columns a terminal has; `None`: it is none.
fn columns(stream: impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_col > 0).then(|| usize::from(size.ws_col))
}

/// The user's terminal.
#[derive(Clone, Debug)]
pub struct Ui {
    format: Format,
    quiet: bool,
    out: Styles,
    err: Styles,
    /// Why stdout takes nothing any more: what came first.
    cut: Arc<OnceLock<io::Error>>,
    /// Someone can answer.
    interactive: bool,
    /// Lines may be rewritten.
    pub live: bool,
    pub screen: Screen,
    /// `-v`: what is folded otherwise is shown.
    pub verbose: bool,
    /// The output is read by a runner of GitHub Actions, which obeys lines of its own.
    pub github: bool,
    /// The folder that its annotations are relative to.
    workspace: Option<PathBuf>,
    hints: Hints,
    /// The cursor stands behind a question.
    asking: Arc<AtomicBool>,
}

impl Ui {
    /// `no_color` is the variable NO_COLOR (https://no-color.org), `dumb` a terminal that cannot rewrite
    /// lines either.
    pub fn new(format: Format, color: Color, quiet: bool, no_color: bool, dumb: bool) -> Self {
        let styles = |terminal: bool| match color {
            Color::Always => Styles::colored(),
            Color::Auto if terminal && !no_color && !dumb => Styles::colored(),
            _ => Styles::plain(),
        };
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            format,
            quiet,
            out: styles(out),
            err: styles(err),
            cut: Arc::default(),
            interactive: io::stdin().is_terminal() && err,
            live: err && !dumb && !quiet,
            screen: Screen::default(),
            asking: Arc::default(),
            verbose: false,
            github: false,
            workspace: None,
            hints: Hints::default(),
        }
    }

    /// One that shows more, or tells GitHub Actions too.
    pub fn telling(self, verbose: bool, github: bool) -> Self {
        Self { verbose, github: github && self.format == Format::Human, ..self }
    }

    /// One whose annotations are of files below this folder.
    pub fn annotating(self, workspace: Option<&Path>) -> Self {
        Self { workspace: workspace.and_then(|folder| folder.canonicalize().ok()), ..self }
    }

    /// A file as an annotation names it: from the workspace on, wherever the command runs
    /// (<https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions>).
    fn annotated(&self, file: &Path) -> String {
        let whole = file.canonicalize().ok();
        let below = self
            .workspace
            .as_ref()
            .zip(whole.as_ref())
            .and_then(|(folder, file)| file.strip_prefix(folder).ok());
        below.unwrap_or(file).to_string_lossy().into_owned()
    }

    /// Columns of the terminal that stdout is; `None`: it is none.
    pub fn width_out(&self) -> Option<usize> {
        columns(io::stdout())
    }

    /// Whether stdout is a terminal, and no file or pipe.
    pub fn out_is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Whether stdout is a terminal whose lines may be rewritten.
    pub fn rewrites(&self) -> bool {
        self.live && self.out_is_terminal()
    }

    /// Shows a page in the place of the last one
    /// (<https://www.ecma-international.org/publications-and-standards/standards/ecma-48/>).
    pub fn repaint(&self, page: &str) {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
        let page = match size.filter(|size| size.ws_row > 0 && size.ws_col > 0) {
            Some(size) => fitted(page, size.ws_row.into(), size.ws_col.into()),
            None => page.to_owned(),
        };
        // From the corner to the end: what is scrolled out would pile up above.
        self.out(&format!("\u{1b}[H\u{1b}[J{page}"));
    }

    /// Columns of the terminal that stderr is, or as many as a terminal usually has.
    pub fn width_err() -> usize {
        columns(io::stderr()).unwrap_or(80)
    }

    /// One that repeats these options in the commands that it suggests.
    pub fn suggesting(self, hints: Hints) -> Self {
        Self { hints, ..self }
    }

    /// A text for a person, or a help in a document, whose commands go where this one goes.
    pub fn suggest(&self, text: &str) -> String {
        self.hints.fill(text)
    }

    /// Whether stdout is for a program: then all talk is on stderr.
    pub fn json(&self) -> bool {
        self.format == Format::Json
    }

    /// The styles of stdout, which may be a pipe while stderr is a terminal.
    pub fn styled_out(&self) -> &Styles {
        &self.out
    }

    /// The styles of stderr.
    pub fn styled_err(&self) -> &Styles {
        &self.err
    }

    /// The result. When it cannot be written, the run continues: [`Ui::settle`] has the last word.
    pub fn out(&self, text: &str) {
        if self.cut.get().is_some() {
            return;
        }
        let mut stdout = io::stdout().lock();
        if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            let _ = self.cut.set(error);
        }
    }

    /// Whether nobody reads on: the reader of a pipe has ended, or the disk is full.
    pub fn is_cut(&self) -> bool {
        self.cut.get().is_some()
    }

    /// Whether results could not be written though their reader did not leave.
    pub fn is_broken(&self) -> bool {
        self.cut.get().is_some_and(|error| error.kind() != io::ErrorKind::BrokenPipe)
    }

    /// How the process ends when `exit` is how the command did: never well without its whole result.
    pub fn settle(&self, exit: Exit) -> Exit {
        match self.cut.get() {
            Some(error) => self.unwritten(error, exit),
            None => exit,
        }
    }

    /// The same for what something else wrote to stdout.
    pub fn unwritten(&self, error: &io::Error, exit: Exit) -> Exit {
        match (error.kind(), exit) {
            (io::ErrorKind::BrokenPipe, Exit::Done) => Exit::Pipe,
            (io::ErrorKind::BrokenPipe, _) => exit,
            _ => {
                let help = "free space or write elsewhere; `opsctl status` shows what is there";
                self.error(codes::LOCAL_IO, &format!("stdout cannot be written: {error}"), help);
                if matches!(exit, Exit::Done | Exit::Changes) { Exit::Failed } else { exit }
            }
        }
    }

    /// The result as a document, over several lines.
    pub fn out_json(&self, value: &Value) {
        self.out(&shown::json(&format!("{value:#}\n")));
    }

    /// One line of JSON, also where more lines are or may follow.
    pub fn out_line(&self, value: &Value) {
        self.out(&shown::json(&format!("{value}\n")));
    }

    /// Talk that --quiet silences.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            self.err(text);
        }
    }

    /// Talk that nothing silences: errors, questions.
    pub fn err(&self, text: &str) {
        self.write(&self.suggest(text));
    }

    /// What others said (the lines of a program, AWS's own words), which --quiet silences.
    pub fn pass_on(&self, text: &str) {
        if !self.quiet {
            self.write(text);
        }
    }

    /// Problems whose helps go where this command goes.
    pub fn suggested(&self, problems: &Diagnostics) -> Diagnostics {
        let mut problems = problems.clone();
        for problem in &mut problems.0 {
            problem.help = self.suggest(&problem.help);
        }
        problems
    }

    /// Problems with the lines of the user's file. Warnings alone are silenced by --quiet.
    pub fn problems(&self, document: &Document, problems: &Diagnostics) {
        let shown = self.suggested(problems);
        if shown.0.is_empty() {
            return;
        }
        if !self.quiet || shown.has_errors() {
            self.write(&diagnostics::human(document, &shown, &self.err));
        }
        if self.github {
            self.write(&diagnostics::github(document, &self.annotated(&document.file), &shown));
        }
    }

    fn write(&self, text: &str) {
        let before = if self.asking.swap(false, Ordering::Relaxed) { "\n" } else { "" };
        let newline = if text.ends_with('\n') { "" } else { "\n" };
        // Without stderr there is nobody to tell.
        self.screen.write(&format!("{before}{text}{newline}"));
    }

    /// An error that is about no line of a file.
    pub fn error(&self, code: Code, message: &str, help: &str) {
        self.error_at(None, code, message, help);
    }

    /// An error that is about a line of a file.
    pub fn error_at(&self, place: Option<(&str, usize)>, code: Code, message: &str, help: &str) {
        let s = &self.err;
        // What AWS says, and what files and resources are called, is others' words.
        let message = shown::text(message);
        let help = if help.is_empty() { String::new() } else { format!("\n  {} {help}", s.help("help:")) };
        self.err(&format!("{} {message}{help}", s.error(&format!("error[{code}]:"))));
        if self.github {
            let (file, line) = place.map_or((String::new(), String::new()), |(f, l)| {
                (self.annotated(Path::new(f)), l.to_string())
            });
            let properties = [("file", &*file), ("line", &*line), ("title", code.as_str())];
            self.write(&workflow::command("error", &properties, &message));
        }
    }

    /// Asks for a yes, and says so when the answer is no. `None`: there is nobody to ask.
    pub async fn confirm(&self, question: &str, cancel: &Cancel) -> Option<bool> {
        self.confirm_by(question, None, cancel).await
    }

    /// The same, where a yes is not enough: the answer is to be `typed`.
    pub async fn confirm_by(&self, question: &str, typed: Option<&str>, cancel: &Cancel) -> Option<bool> {
        if !self.interactive || self.json() {
            return None;
        }
        let how = typed.map_or_else(|| "[y/N]".to_owned(), |typed| format!("Type {typed} to confirm:"));
        let _ = write!(io::stderr().lock(), "{question} {how} ").and_then(|()| io::stderr().flush());
        self.asking.store(true, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        // Nothing takes back a read from a terminal: whoever is stopped meanwhile leaves this thread behind.
        std::thread::spawn(move || {
            let mut answer = String::new();
            let read = io::stdin().lock().read_line(&mut answer);
            let _ = sender.send(read.map(|_| answer).unwrap_or_default());
        });
        let answer = cancel.asking(answer).await.unwrap_or_default();
        if answer.is_empty() && !io::stdin().is_terminal() {
            // It was closed, which is no answer. Nobody was told yet if the signal comes later than that.
            cancel.stop(Cause::Terminate);
            std::future::pending::<()>().await;
        }
        // At the end of the input (Ctrl-D) the cursor stays where it is.
        self.asking.store(!answer.ends_with('\n'), Ordering::Relaxed);
        let yes = match typed {
            Some(typed) => answer.trim() == typed,
            None => ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()),
        };
        if !yes {
            self.say("Nothing was changed.");
        }
        Some(yes)
    }
}
