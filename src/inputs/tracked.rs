//! Which files git tracks: those of a repository's index
//! (<https://git-scm.com/docs/index-format>). A file that is tracked and ignored is in every checkout.

use std::path::{Path, PathBuf};

use super::kept::read_kept;

/// Bytes of an entry before the name of the object.
const STAT: usize = 40;
/// Bytes of the name of an object: SHA-1, and SHA-256.
const OBJECTS: [usize; 2] = [20, 32];
/// Of the flags: more flags follow; the length of the path, or that it is longer.
const EXTENDED: u16 = 0x4000;
const LENGTH: u16 = 0x0fff;

/// The tracked files of one repository, sorted.
#[derive(Debug, Default)]
pub(super) struct Tracked {
    root: PathBuf,
    files: Vec<Vec<u8>>,
}

impl Tracked {
    /// Those of the repository that a real path is in. None where there is no repository, or nobody can read
    /// its index.
    pub fn around(path: &Path) -> Self {
        Self::read(path).unwrap_or_default()
    }

    fn read(path: &Path) -> Option<Self> {
        let root = path.ancestors().find(|folder| folder.join(".git").exists())?;
        let git = root.join(".git");
        // Of a worktree and of a submodule it is a file that names the folder.
        let folder = match git.is_dir() {
            true => git,
            false => {
                root.join(String::from_utf8(read_kept(&git).ok()?).ok()?.strip_prefix("gitdir: ")?.trim_end())
            }
        };
        let index = read_kept(&folder.join("index")).ok()?;
        let files = OBJECTS.iter().find_map(|object| files(&index, *object))?;
        Some(Self { root: root.to_owned(), files })
    }

    /// Whether this file is tracked, or a file in this folder.
    pub fn has(&self, path: &Path) -> bool {
        let Some(path) = path.strip_prefix(&self.root).ok().and_then(Path::to_str) else { return false };
        let (path, folder) = (path.as_bytes(), format!("{path}/").into_bytes());
        let is_file = self.files.binary_search_by(|file| file[..].cmp(path)).is_ok();
        let below = self.files.partition_point(|file| *file < folder);
        is_file || self.files.get(below).is_some_and(|file| file.starts_with(&folder))
    }
}

/// The paths of an index. `None`: it is none, or of other objects.
fn files(index: &[u8], object: usize) -> Option<Vec<Vec<u8>>> {
    let number = |at: usize| Some(u32::from_be_bytes(index.get(at..at + 4)?.try_into().ok()?));
    let (version, count) = (number(4)?, number(8)?);
    if !index.starts_with(b"DIRC") || !(2..=4).contains(&version) {
        return None;
    }
    let (mut at, mut files) = (12, Vec::new());
    for _ in 0..count {
        let start = at;
        at += STAT + object;
        let flags = u16::from_be_bytes(index.get(at..at + 2)?.try_into().ok()?);
        at += if flags & EXTENDED == 0 { 2 } else { 4 };
        let mut file = Vec::new();
        if version == 4 {
            // The path is that before, without so many bytes of its end, and more.
            let before: &Vec<u8> = files.last().unwrap_or(&file);
            let cut = varint(index, &mut at)?;
            file = before.get(..before.len().checked_sub(cut)?)?.to_vec();
        }
        let end = at + index.get(at..)?.iter().position(|byte| *byte == 0)?;
        file.extend(&index[at..end]);
        let length = usize::from(flags & LENGTH);
        if length != file.len().min(usize::from(LENGTH)) {
            return None;
        }
        at = if version == 4 { end + 1 } else { start + (end - start) / 8 * 8 + 8 };
        files.push(file);
    }
    Some(files)
}

/// Git's number of variable width: seven bits a byte, each byte but the last counted once more.
fn varint(index: &[u8], at: &mut usize) -> Option<usize> {
    let mut value = 0_usize;
    loop {
        let byte = *index.get(*at)?;
        *at += 1;
        value = value.checked_mul(128)?.checked_add(usize::from(byte & 0x7f))?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
        value = value.checked_add(1)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What git writes of these files, as far as it is read.
    fn index(version: u32, object: usize, names: &[&str]) -> Vec<u8> {
        let mut index = b"DIRC".to_vec();
        index.extend(version.to_be_bytes());
        index.extend(u32::try_from(names.len()).unwrap().to_be_bytes());
        let mut before = String::new();
        for name in names {
            let start = index.len();
            index.extend(vec![7; STAT + object]);
            index.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
            if version == 4 {
                let same = before.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
                index.push(u8::try_from(before.len() - same).unwrap());
                index.extend(name.as_bytes()[same..].iter().chain([&0]));
                before = (*name).to_owned();
            } else {
                index.extend(name.bytes());
                index.push(0);
                while !(index.len() - start).is_multiple_of(8) {
                    index.push(0);
                }
            }
        }
        index
    }

    #[test]
    fn an_index_of_any_version_is_read() {
        let names = ["README.md", "src/base.h5", "src/train.py", "src/weights/a.bin"];
        for version in [2, 3, 4] {
            for object in OBJECTS {
                let index = index(version, object, &names);
                let found = OBJECTS.iter().find_map(|object| files(&index, *object)).unwrap();
                assert_eq!(found, names.map(|name| name.as_bytes().to_vec()), "{version} {object}");
                for end in 0..index.len() - 9 {
                    assert!(OBJECTS.iter().all(|object| files(&index[..end], *object).is_none()), "{end}");
                }
            }
        }
        assert_eq!(files(b"no index at all", 20), None);
    }

    #[test]
    fn a_file_and_a_folder_of_tracked_files_are_known() {
        let files = ["a.py", "a/x", "src/weights/a.bin"].map(|name| name.as_bytes().to_vec()).to_vec();
        let tracked = Tracked { root: "/repository".into(), files };
        for (path, is_tracked) in
            [("a.py", true), ("a", true), ("src/weights", true), ("src/weights/b.bin", false), ("sr", false)]
        {
            assert_eq!(tracked.has(&Path::new("/repository").join(path)), is_tracked, "{path}");
        }
        assert!(!tracked.has(Path::new("/elsewhere/a.py")));
    }
}
