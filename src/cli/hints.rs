//! Commands that opsctl suggests have the same target as the user's command: the options that select it are
//! repeated.

use std::fmt::Write;

use super::args::Global;
use crate::domain::shell::quoted;

/// The options of a command line that decide where it goes.
#[derive(Clone, Debug, Default)]
pub struct Hints {
    config: String,
    env: String,
    place: String,
}

impl Hints {
    /// What has to stand in every suggested command for it to reach the same place.
    pub fn of(global: &Global) -> Self {
        let mut hints = Self::default();
        let option = |text: &mut String, name: &str, value: &str| {
            let _ = write!(text, " {name} {}", quoted(value));
        };
        if let Some(file) = &global.config {
            option(&mut hints.config, "-c", &file.to_string_lossy());
        }
        if global.env != crate::config::project::DEFAULT_ENVIRONMENT {
            option(&mut hints.env, "-e", &global.env);
        }
        if global.sandbox {
            hints.place += " --sandbox";
        }
        let named = [("--profile", &global.profile), ("--region", &global.region)];
        for (name, value) in named.into_iter().chain([("--endpoint-url", &global.endpoint_url)]) {
            if let Some(value) = value {
                option(&mut hints.place, name, value);
            }
        }
        hints
    }

    /// Puts the options into every command of opsctl that a text has between backticks.
    pub fn fill(&self, text: &str) -> String {
        const COMMAND: &str = "`opsctl ";
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(COMMAND) {
            let options = match after.split([' ', '`']).next().unwrap_or_default() {
                // They take none, or say their own.
                "init" | "schema" | "completions" | "explain" | "help" | "COMMAND" => String::new(),
                word if word.starts_with('-') => String::new(),
                "check" => format!("{}{}", self.config, self.env),
                "sandbox" => self.config.clone(),
                _ => format!("{}{}{}", self.place, self.config, self.env),
            };
            let options = options.trim_start();
            let space = if options.is_empty() { "" } else { " " };
            let _ = write!(filled, "{before}{COMMAND}{options}{space}");
            rest = after;
        }
        filled + rest
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    fn hints(line: &[&str]) -> Hints {
        let line = ["opsctl"].iter().chain(line).chain(&["status"]);
        Hints::of(&Cli::try_parse_from(line).expect("a good command line").global)
    }

    #[test]
    fn suggestions_go_where_the_command_goes() {
        let hints = hints(&["--sandbox", "-c", "my dir/o.toml", "-e", "prod"]);
        assert_eq!(
            hints.fill(
                "run `opsctl deploy` first, see `opsctl explain E212`; `opsctl check` and `opsctl init`"
            ),
            "run `opsctl --sandbox -c 'my dir/o.toml' -e prod deploy` first, see `opsctl explain E212`; \
             `opsctl -c 'my dir/o.toml' -e prod check` and `opsctl init`"
        );
        assert_eq!(hints.fill("`opsctl --help`, opsctl deploy"), "`opsctl --help`, opsctl deploy");
        assert_eq!(hints.fill("`opsctl sandbox reset`"), "`opsctl -c 'my dir/o.toml' sandbox reset`");
    }

    #[test]
    fn accounts_are_kept() {
        let hints = hints(&["--profile", "a", "--region", "eu-west-1", "--endpoint-url", "http://h:1"]);
        assert_eq!(
            hints.fill("`opsctl logs x/y`"),
            "`opsctl --profile a --region eu-west-1 --endpoint-url http://h:1 logs x/y`"
        );
        assert_eq!(super::Hints::default().fill("`opsctl plan`"), "`opsctl plan`");
    }
}
