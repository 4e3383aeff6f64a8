//! `install.sh`, against a release in a folder: what is downloaded is checked before it replaces anything.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::search_path;

/// A folder of releases with one archive, whose program says `opsctl VERSION`.
fn release(folder: &Path, version: &str) {
    let target = match std::env::consts::ARCH {
        arch if cfg!(target_os = "linux") => format!("{arch}-unknown-linux-gnu"),
        arch => format!("{arch}-apple-darwin"),
    };
    let (name, latest) = (format!("opsctl-{target}"), folder.join("latest/download"));
    fs::create_dir_all(latest.join(&name)).unwrap();
    fs::write(latest.join(&name).join("opsctl"), format!("#!/bin/sh\necho opsctl {version}\n")).unwrap();
    let script = format!(
        "cd '{}' && chmod +x {name}/opsctl && tar -czf {name}.tar.gz {name} && rm -r {name} && \
         {{ sha256sum {name}.tar.gz || shasum -a 256 {name}.tar.gz; }} > {name}.tar.gz.sha256",
        latest.display()
    );
    assert!(Command::new("sh").arg("-c").arg(script).status().unwrap().success());
}

/// Runs the installer in a home of its own; what it prints, on both streams, and whether it succeeded.
fn install(home: &Path, releases: &Path, path: &str) -> (bool, String) {
    let output = Command::new("sh")
        .arg(".ci/package/install.sh")
        .env_clear()
        .env("HOME", home)
        .env("PATH", path)
        .env("OPSCTL_DOWNLOAD", format!("file://{}", releases.display()))
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap().replace(&*home.to_string_lossy(), "~"))
}

fn path() -> String {
    search_path().into_string().unwrap()
}

fn installed(home: &Path) -> Option<String> {
    fs::read_to_string(home.join(".local/bin/opsctl")).ok()
}

#[test]
fn the_installer_installs_what_it_has_checked() {
    let (home, releases) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (home, releases, path) = (home.path(), releases.path(), path());
    release(releases, "1.0.0");
    let said = "Installed opsctl 1.0.0 in ~/.local/bin/opsctl\n\
                It is not on your PATH yet: export PATH=\"~/.local/bin:$PATH\"\n\
                Try it without an account: opsctl init my-project\n";
    assert_eq!(install(home, releases, &path), (true, said.to_owned()));

    // Once more, with a newer release.
    release(releases, "1.0.1");
    let (done, said) = install(home, releases, &path);
    assert!(done && said.starts_with("Installed opsctl 1.0.1"), "{said}");
    let before = installed(home);

    // A download that was cut off, and a release that is not there.
    let archive = fs::read_dir(releases.join("latest/download")).unwrap();
    let archive =
        archive.map(|entry| entry.unwrap().path()).find(|p| p.extension() == Some("gz".as_ref())).unwrap();
    let bytes = fs::read(&archive).unwrap();
    fs::write(&archive, &bytes[..bytes.len() - 9]).unwrap();
    let (done, said) = install(home, releases, &path);
    assert!(!done && said.ends_with("is damaged: its checksum is another one\n"), "{said}");
    let (done, said) = install(home, &releases.join("nowhere"), &path);
    assert!(
        !done && said.contains("opsctl was not installed: ") && said.ends_with("cannot be downloaded\n"),
        "{said}"
    );
    assert_eq!(installed(home), before, "the old one stays");
    let left: Vec<_> = fs::read_dir(home.join(".local/bin")).unwrap().collect();
    assert_eq!(left.len(), 1);
}

#[test]
fn a_machine_without_a_binary_is_told_so() {
    let home = tempfile::tempdir().unwrap();
    let bin = home.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let uname = bin.join("uname");
    fs::write(&uname, "#!/bin/sh\n[ \"$1\" = -s ] && echo FreeBSD || echo riscv64\n").unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&uname).status().unwrap().success());
    let path = format!("{}:{}", bin.display(), path());
    let said = "opsctl was not installed: there is no binary for FreeBSD on riscv64; build it from source, \
                as the README tells\n";
    assert_eq!(install(home.path(), home.path(), &path), (false, said.to_owned()));
    assert_eq!(installed(home.path()), None);
}
