//! The lines of a requirements file
//! (<https://pip.pypa.io/en/stable/reference/requirements-file-format/>).

const ARCHIVES: [&str; 7] = [".whl", ".zip", ".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".tar"];

/// The lines that mean something: one goes on after a backslash, and ends before a comment.
pub fn lines(text: &str) -> Vec<String> {
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace("\\\n", "");
    let code = |line: &str| {
        let comment = line
            .match_indices('#')
            .find(|(at, _)| line[..*at].chars().next_back().is_none_or(char::is_whitespace));
        line[..comment.map_or(line.len(), |(at, _)| at)].trim().to_owned()
    };
    text.lines().map(code).filter(|line| !line.is_empty()).collect()
}

/// The options of a line, which may be several: `-rFILE`, `-r FILE`, `--requirement FILE`,
/// `--requirement=FILE`.
pub fn options(line: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut words = words(line).into_iter().peekable();
    while let Some(word) = words.next() {
        let end = match word.starts_with("--") {
            true => word.find('=').unwrap_or(word.len()),
            false => word.char_indices().nth(2).map_or(word.len(), |(at, _)| at),
        };
        let (name, value) = word.split_at(end);
        let value = match value.is_empty() {
            true => words.next_if(|next| !next.starts_with('-')).unwrap_or_default(),
            false => value.trim_start_matches('=').to_owned(),
        };
        found.push((name.to_owned(), value));
    }
    found
}

/// Split at blanks that are in no quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quote) = (vec![String::new()], None);
    for c in line.chars() {
        match quote {
            Some(open) if open == c => quote = None,
            None if ['"', '\''].contains(&c) => quote = Some(c),
            None if c.is_whitespace() => words.push(String::new()),
            _ => words.last_mut().expect("there is one").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Without what is for some machines alone, and without options.
pub fn without_marker(line: &str) -> &str {
    let line = line.split(" --").next().unwrap_or_default();
    // In an address it may be a character like others.
    let marker = if is_place(line) { " ;" } else { ";" };
    line.split(marker).next().unwrap_or_default().trim()
}

/// Whether it is a path or an address, and no package's name.
pub fn is_place(wanted: &str) -> bool {
    let name = wanted.split(';').next().unwrap_or_default().trim();
    wanted.starts_with('.')
        || name.contains('/')
        || name.contains("file:")
        || ARCHIVES.iter().any(|end| name.ends_with(end))
}

/// The path of a `file:` URL; anything else as it is.
pub fn of_file_url(value: &str) -> &str {
    value.strip_prefix("file://").or_else(|| value.strip_prefix("file:")).unwrap_or(value)
}

/// The package that a line is about.
pub fn name_of(line: &str) -> Option<String> {
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c))).unwrap_or(line.len());
    let name = normal(&line[..end]);
    (!name.is_empty()).then_some(name)
}

/// <https://packaging.python.org/en/latest/specifications/name-normalization/>
pub fn normal(name: &str) -> String {
    let words: Vec<&str> = name.split(['-', '_', '.']).filter(|word| !word.is_empty()).collect();
    words.join("-").to_ascii_lowercase()
}
