//! Styles by meaning, not by color.

use anstyle::{AnsiColor, Style};

/// Wraps text in what a meaning looks like; plain text stays plain.
#[derive(Clone, Copy, Debug)]
pub struct Styles {
    colored: bool,
}

impl Styles {
    pub fn plain() -> Self {
        Self { colored: false }
    }

    pub fn colored() -> Self {
        Self { colored: true }
    }

    pub fn is_colored(&self) -> bool {
        self.colored
    }

    fn paint(&self, text: &str, style: Style) -> String {
        if self.colored { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    pub fn create(&self, text: &str) -> String {
        self.paint(text, AnsiColor::Green.on_default())
    }

    pub fn update(&self, text: &str) -> String {
        self.paint(text, AnsiColor::Yellow.on_default())
    }

    pub fn delete(&self, text: &str) -> String {
        self.paint(text, AnsiColor::Red.on_default())
    }

    pub fn error(&self, text: &str) -> String {
        self.paint(text, AnsiColor::Red.on_default().bold())
    }

    pub fn help(&self, text: &str) -> String {
        self.paint(text, AnsiColor::Cyan.on_default())
    }

    pub fn strong(&self, text: &str) -> String {
        self.paint(text, Style::new().bold())
    }

    pub fn faint(&self, text: &str) -> String {
        self.paint(text, Style::new().dimmed())
    }
}
