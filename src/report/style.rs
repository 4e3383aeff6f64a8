//! Styles by meaning, not by color.

use anstyle::{AnsiColor, Style};

/// Wraps text in what a meaning looks like; plain text stays plain.
#[derive(Clone, Copy, Debug)]
pub struct Styles {
    colored: bool,
}

impl Styles {
    /// No escapes at all, for pipes, files and `NO_COLOR`.
    pub const fn plain() -> Self {
        Self { colored: false }
    }

    /// Escapes of a terminal.
    pub fn colored() -> Self {
        Self { colored: true }
    }

    /// Whether texts get escapes.
    pub fn is_colored(&self) -> bool {
        self.colored
    }

    fn paint(&self, text: &str, style: Style) -> String {
        if self.colored { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// What is made, or is as it should be.
    pub fn create(&self, text: &str) -> String {
        self.paint(text, AnsiColor::Green.on_default())
    }

    /// What is changed, or needs attention.
    pub fn update(&self, text: &str) -> String {
        self.paint(text, AnsiColor::Yellow.on_default())
    }

    /// What goes.
    pub fn delete(&self, text: &str) -> String {
        self.paint(text, AnsiColor::Red.on_default())
    }

    /// What is wrong.
    pub fn error(&self, text: &str) -> String {
        self.paint(text, AnsiColor::Red.on_default().bold())
    }

    /// What a person may do about it.
    pub fn help(&self, text: &str) -> String {
        self.paint(text, AnsiColor::Cyan.on_default())
    }

    /// A title.
    pub fn strong(&self, text: &str) -> String {
        self.paint(text, Style::new().bold())
    }

    /// What is read last.
    pub fn faint(&self, text: &str) -> String {
        self.paint(text, Style::new().dimmed())
    }
}
