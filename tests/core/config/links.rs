//! What git does not keep: links, and folders that are not there.

use std::os::unix::fs::symlink;

use crate::project;

const TEXT: &str = r#"
[project]
name = "shop"

[data.shoes]
path = "shoes"
"#;

/// What is said about a project whose data folder `prepare` has filled, with the folder's own path taken out.
fn said(prepare: impl FnOnce(&std::path::Path)) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("shoes")).unwrap();
    prepare(folder.path());
    let file = folder.path().join("opsctl.toml");
    let (_, said) = project::said_about(&file, TEXT.to_owned(), "dev");
    said.replace(&folder.path().canonicalize().unwrap().display().to_string(), "HERE")
        .replace(&folder.path().display().to_string(), "HERE")
}

#[test]
fn a_link_out_of_the_folder_is_refused() {
    let said = said(|folder| {
        std::fs::write(folder.join("secret"), "x").unwrap();
        symlink(folder.join("secret"), folder.join("shoes/innocent")).unwrap();
    });
    assert!(
        said.starts_with("error[C017]: HERE/shoes/innocent leads out of its folder, to HERE/secret\n"),
        "{said}"
    );
    assert!(said.contains("HERE/opsctl.toml:6:8"), "{said}");
}

#[test]
fn a_link_to_a_folder_outside_is_refused() {
    let said = said(|folder| {
        std::fs::create_dir(folder.join("other")).unwrap();
        std::fs::write(folder.join("other/file"), "x").unwrap();
        symlink("../other", folder.join("shoes/other")).unwrap();
    });
    assert!(
        said.starts_with("error[C017]: HERE/shoes/other leads out of its folder, to HERE/other\n"),
        "{said}"
    );
}

#[test]
fn a_loop_of_links_is_refused() {
    let said = said(|folder| symlink(".", folder.join("shoes/again")).unwrap());
    assert!(said.starts_with("error[C017]: "), "{said}");
}

#[test]
fn a_broken_link_is_refused() {
    let said = said(|folder| symlink("nowhere", folder.join("shoes/lost")).unwrap());
    assert!(said.starts_with("error[C017]: "), "{said}");
}

#[test]
fn a_link_within_the_folder_is_followed() {
    let said = said(|folder| {
        std::fs::write(folder.join("shoes/a"), "x").unwrap();
        symlink("a", folder.join("shoes/b")).unwrap();
    });
    assert_eq!(said, "");
}

#[test]
fn a_file_is_data_of_one_file() {
    let said = said(|folder| {
        std::fs::remove_dir(folder.join("shoes")).unwrap();
        std::fs::write(folder.join("shoes"), "x").unwrap();
    });
    assert_eq!(said, "");
}

#[test]
fn a_link_to_itself_is_refused() {
    let said = said(|folder| symlink("self", folder.join("shoes/self")).unwrap());
    assert!(said.starts_with("error[C017]: "), "{said}");
}
