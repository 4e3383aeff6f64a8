//! Where opsctl runs: its environment variables, the config file to use, and the folders beside it.

#![expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]

use std::path::{Path, PathBuf};

use super::args::endpoint;
use super::error::Failure;
use super::exit::Exit;
use super::ui::Screen;
use crate::aws::Proxies;
use crate::domain::codes;
use crate::engine::Cancel;
use crate::engine::lease::LeaseHolder;
use crate::inputs;

/// The environment variables that opsctl reads itself; the SDK reads AWS's own. Read once, passed down.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    pub region: Option<String>,
    /// A variable for an endpoint that holds none, and why: the SDK would panic, or go to AWS instead.
    pub bad_endpoint: Option<(String, String)>,
    /// Whether the profile's endpoint counts.
    pub profiles_endpoint: bool,
    /// The profile that the SDK will use.
    pub profile: Option<String>,
    /// Where the SDK will find credentials, as far as variables say.
    pub credentials: &'static str,
    pub no_color: bool,
    /// The terminal cannot rewrite lines.
    pub dumb: bool,
    /// A step of GitHub Actions runs the command.
    pub github: bool,
    /// The folder that its annotations are relative to.
    pub workspace: Option<PathBuf>,
    /// The lines that are being rewritten on the terminal, if any.
    pub screen: Screen,
    /// Who runs this command, for the lease.
    pub who: LeaseHolder,
    /// Another folder for the sandbox's state.
    #[cfg_attr(not(feature = "sandbox"), expect(dead_code, reason = "there is none to put there"))]
    pub sandbox: Option<PathBuf>,
    /// How long a sandbox stays after the command that started it, as it was written.
    #[cfg_attr(not(feature = "sandbox"), expect(dead_code, reason = "there is none to stay"))]
    pub sandbox_idle: Option<String>,
    /// The command that runs, by its name.
    pub command: String,
    /// The user's folder for what can be made again: the sandbox's Python environments.
    pub cache: Option<PathBuf>,
    /// A PEM file of certificates to trust: a proxy's, a private cloud's.
    pub ca_bundle: Option<PathBuf>,
    /// The variables that name the proxies.
    pub proxies: Proxies,
    /// One that names none that can be used, and why: the SDK would go past it. Its value may have a
    /// password in it.
    pub bad_proxy: Option<(&'static str, &'static str)>,
    /// What ends the command early.
    pub cancel: Cancel,
}

/// How long a sandbox lives that a command starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// As long as the command.
    OfCommand,
    /// Until nobody has used it for a while: what it has loaded is there for the next command.
    Stays,
}

impl Environment {
    /// All that a command wants to know of its surroundings, once.
    pub fn read() -> Self {
        // What is no text is not taken for unset: whoever reads the value finds it wrong.
        let text = |name: &str| Some(std::env::var_os(name)?.to_string_lossy().into_owned());
        let get = |name: &str| text(name).filter(|value| !value.is_empty());
        let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let ignored =
            get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_some_and(|v| v.eq_ignore_ascii_case("true"));
        let proxies = Proxies::read(text);
        Self {
            bad_proxy: proxies.as_ref().err().copied(),
            proxies: proxies.unwrap_or_default(),
            profiles_endpoint: !ignored && get("AWS_ENDPOINT_URL").is_none(),
            region: get("AWS_REGION").or_else(|| get("AWS_DEFAULT_REGION")),
            bad_endpoint: std::env::vars_os().find_map(|(name, value)| {
                let name = name.into_string().ok().filter(|name| name.starts_with("AWS_ENDPOINT_URL"))?;
                if ignored {
                    return None;
                }
                match value.to_string_lossy().as_ref() {
                    "" => Some((name, "is set but empty".to_owned())),
                    url => Some((name, endpoint(url).err()?)),
                }
            }),
            credentials: [
                ("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"),
                ("AWS_PROFILE", "AWS_PROFILE"),
                ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE"),
                ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "the role of the container"),
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "the role of the container"),
            ]
            .iter()
            .find(|(name, _)| get(name).is_some())
            .map_or("the default profile, or the role of this machine", |(_, words)| words),
            // Keys in the environment come before it.
            profile: get("AWS_PROFILE").filter(|_| get("AWS_ACCESS_KEY_ID").is_none()),
            no_color: get("NO_COLOR").is_some() || get("TERM").is_some_and(|term| term == "dumb"),
            dumb: get("TERM").is_none_or(|term| term == "dumb"),
            github: get("GITHUB_ACTIONS").is_some_and(|is| is == "true"),
            workspace: path("GITHUB_WORKSPACE"),
            screen: Screen::default(),
            who: LeaseHolder {
                user: get("GITHUB_ACTOR").or_else(|| get("USER")).unwrap_or_else(|| "somebody".into()),
                host: get("HOSTNAME").or_else(hostname).unwrap_or_else(|| "a host".into()),
                process: std::process::id(),
            },
            sandbox: path("OPSCTL_SANDBOX"),
            sandbox_idle: get("OPSCTL_SANDBOX_IDLE"),
            command: String::new(),
            cache: path("OPSCTL_CACHE")
                .or_else(|| path("XDG_CACHE_HOME").map(|folder| folder.join("opsctl")))
                .or_else(|| path("HOME").map(|home| home.join(".cache/opsctl"))),
            ca_bundle: path("AWS_CA_BUNDLE"),
            cancel: Cancel::default(),
        }
    }
}

/// The little that completions need of the environment.
pub struct Asked {
    pub config: Option<PathBuf>,
    pub environment: Option<String>,
    /// AWS's files of profiles.
    pub profiles: [PathBuf; 2],
}

impl Asked {
    /// Only what completions need: they must be quick, and say nothing.
    pub fn read() -> Self {
        let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = path("HOME").unwrap_or_default();
        Self {
            config: path("OPSCTL_CONFIG"),
            environment: path("OPSCTL_ENV").map(|name| name.to_string_lossy().into_owned()),
            profiles: [
                path("AWS_CONFIG_FILE").unwrap_or_else(|| home.join(".aws/config")),
                path("AWS_SHARED_CREDENTIALS_FILE").unwrap_or_else(|| home.join(".aws/credentials")),
            ],
        }
    }
}

/// Whether a variable is there and holds nothing.
pub fn is_empty_variable(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| value.is_empty())
}

fn hostname() -> Option<String> {
    std::fs::read_to_string("/etc/hostname")
        .ok()
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
}

/// The config file that the flags and the current folder mean.
pub fn find_config(flag: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(file) = flag {
        return Ok(file.to_owned());
    }
    let here = std::env::current_dir().unwrap_or_default();
    let names = ["opsctl.toml", "config/opsctl.toml"];
    for folder in here.ancestors() {
        if let Some(found) = names.iter().map(|name| folder.join(name)).find(|file| file.is_file()) {
            // Shown to the user again and again: as short as it can be.
            return Ok(found.strip_prefix(&here).map(Path::to_owned).unwrap_or(found));
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    Err(Failure::new(
        codes::NOT_A_CONFIG,
        Exit::Config,
        "there is no opsctl.toml here or in a folder above",
        "`opsctl init` writes one; `--config FILE` names another",
    ))
}

/// The folder that holds `.opsctl`: the one with the config, or above its `config/`.
pub fn home(config: &Path) -> PathBuf {
    inputs::home(config.parent().unwrap_or(Path::new(".")))
}
