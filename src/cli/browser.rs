//! Opens an address in the user's browser.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::hidden;

/// The program that the desktop has for addresses.
pub const PROGRAM: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

/// Hands an address to the program that the desktop has for them. Whether there is a desktop, it knows. One
/// that is a credential is not for its command line, which every user of the machine can read: it goes into
/// a file that only this user can, as Jupyter does
/// (<https://jupyter-server.readthedocs.io/en/latest/operators/security.html>).
pub async fn browse(program: &str, address: &str, is_secret: bool, folder: &Path) -> bool {
    /// Some of them end with the browser.
    const LONGEST: Duration = Duration::from_secs(10);
    let file = match is_secret.then(|| redirect(address, folder)).transpose() {
        Ok(file) => file,
        Err(error) => {
            tracing::debug!(%error, "no page can be written");
            return false;
        }
    };
    let place = file.as_deref().map_or(OsStr::new(address), Path::as_os_str);
    let mut command = Command::new(program);
    command.arg(place).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let opened = match command.spawn() {
        Ok(mut running) => match timeout(LONGEST, running.wait()).await {
            Ok(ended) => ended.is_ok_and(|status| status.success()),
            Err(_) => true,
        },
        Err(_) => false,
    };
    if let Some(file) = file.filter(|_| !opened) {
        let _ = std::fs::remove_file(file);
    }
    opened
}

/// Writes a page that leads to an address. The browser reads it when it likes; the next command removes it.
fn redirect(address: &str, folder: &Path) -> std::io::Result<PathBuf> {
    let escaped = address.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let page = format!(
        "<!doctype html>\n<meta charset=\"utf-8\"><meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta http-equiv=\"refresh\" content=\"0; url={escaped}\"><title>opsctl</title>\n\
         <a href=\"{escaped}\">open</a>\n"
    );
    std::fs::create_dir_all(folder)?;
    hidden::keep(folder);
    // It is readable by its user only from the beginning.
    let mut file = tempfile::Builder::new().prefix(hidden::PAGE).suffix(".html").tempfile_in(folder)?;
    file.write_all(page.as_bytes())?;
    std::path::absolute(file.into_temp_path().keep()?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn no_credential_is_on_a_command_line_and_no_program_is_awaited_forever() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("open");
        let script = "#!/bin/sh\nprintf %s \"$1\" > \"$(dirname \"$0\")/argument\"\n";
        std::fs::write(&program, script).expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).expect("ours");
        let (program, hidden) = (program.display().to_string(), folder.path().join(".opsctl"));
        let secret = "https://lab.notebook.aws?a=1&authToken=\"x";
        assert!(browse(&program, secret, true, &hidden).await);
        let argument = std::fs::read_to_string(folder.path().join("argument")).expect("it was started");
        assert!(!argument.contains("authToken"), "{argument}");
        let page = std::fs::read_to_string(&argument).expect("a file");
        assert!(page.contains("url=https://lab.notebook.aws?a=1&amp;authToken=&quot;x\""), "{page}");
        let mode = std::fs::metadata(&argument).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // Its address is worth nothing after some minutes, and is not kept longer.
        let old = std::fs::File::options().write(true).open(&argument).expect("ours");
        old.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("set");
        hidden::keep(&hidden);
        assert!(!Path::new(&argument).exists());
        assert!(!browse("/nonexistent/open", secret, true, &hidden).await);
        let left = std::fs::read_dir(&hidden).expect("there").flatten();
        assert!(left.map(|file| file.file_name()).all(|name| name == ".gitignore"));
    }
}
