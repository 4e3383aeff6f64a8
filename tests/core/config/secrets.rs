//! What a config says about an environment is never shown, whatever is wrong with the file around it.

use std::path::Path;

use opsctl::config::Document;
use proptest::prelude::*;

use crate::project;

const SECRET: &str = "Pl4nt3dS3cr3t";

/// A project with a secret, in each way that people write an environment.
const WAYS: &[&str] = &[
    "[training.t.environment]\nTOKEN = \"@\"\nURL = \"https://u:@@h/?a=b\"\n",
    "[training.t.environment] # a=b\nTOKEN = '@' # c = d\n",
    "[training.t]\nenvironment = { A = \"}\", TOKEN = \"@\" }\n",
    "[training.t]\nenvironment.TOKEN = \"@\"\nenvironment.JSON = '{\"a\": \"@\"}'\n",
    "[training.t]\nsource = \"src\"\nenvironment = [\n \"A=x\",\n \"B=@\",\n]\n",
    "[training.t.environment]\nKEY = \"\"\"-----BEGIN\n@==\n-----END\"\"\"\n",
    "[training]\nt = { source = \"src\", environment = { TOKEN = \"@\" }, entry = \"a.py\" }\n",
    "[env.prod.endpoint.e.environment]\nTOKEN = \"@\"\n",
    // In places and in languages that are none of a config.
    "[training.t]\nsecrets = { TOKEN = \"@\" }\ncontainer_env = { TOKEN = \"@\" }\nvars = \"TOKEN=@\"\n",
    "[training]\nvars = \"TOKEN=@\"\n",
    "[env]\nTOKEN = \"@\"\nprod = { environment = { TOKEN = \"@\" } }\n",
    "[env.prod]\nTOKEN = \"@\"\nenvironment.TOKEN = \"@\"\n",
    "[project.environment]\nTOKEN = \"@\"\n[variables]\nTOKEN = \"@\"\n[secrets]\nx = { TOKEN = \"@\" }\n",
    "[training.t]\nenvironment: { TOKEN: @ }\n",
    "[training.t]\n\"environment\": { \"TOKEN\": \"@\" },\n",
    "[training.t]\nenvironment { TOKEN = \"@\" }\n",
    "[training.t]\nexport TOKEN=@\n",
    "[training.t.environment]\n# TOKEN = @\nTOKEN = @\n",
];

fn config(way: &str, at_top: bool) -> String {
    let way = way.replace('@', SECRET);
    let (top, way) = if at_top {
        // The same without its header.
        (
            way.lines().filter(|line| !line.starts_with('[')).map(|line| format!("{line}\n")).collect(),
            String::new(),
        )
    } else {
        (String::new(), way)
    };
    format!("{top}[project]\nname = \"shop\"\n{way}[audit]\ngrace = 30\nunknown = \"seen\"\n")
}

fn said(text: &str) -> String {
    let file = Path::new("opsctl.toml");
    ["dev", "prod"].map(|environment| project::said_about(file, text.to_owned(), environment).1).concat()
}

#[test]
fn no_way_to_write_an_environment_is_shown() {
    for way in WAYS {
        for at_top in [false, true] {
            let text = config(way, at_top);
            let said = said(&text);
            assert!(said.contains("error["), "{text}");
            assert!(!said.contains(SECRET), "{text}\n{said}");
        }
    }
}

fn typos() -> impl Strategy<Value = (usize, bool, Vec<(prop::sample::Index, u8, char)>)> {
    let characters = prop::sample::select("=\"'{}[],.#:\n \\xTé\0".chars().collect::<Vec<_>>());
    let typo = (any::<prop::sample::Index>(), 0..3_u8, characters);
    (0..WAYS.len(), any::<bool>(), prop::collection::vec(typo, 1..3))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_500) })]

    #[test]
    fn no_typo_shows_a_secret((way, at_top, typos) in typos()) {
        let mut text: Vec<char> = config(WAYS[way], at_top).chars().collect();
        for (at, kind, character) in typos {
            let at = at.index(text.len());
            // One in the secret itself would hide it from the test.
            let whole: String = text.iter().collect();
            let mut held = text.clone();
            match kind {
                0 => drop(held.remove(at)),
                1 => held.insert(at, character),
                _ => held[at] = character,
            }
            let now: String = held.iter().collect();
            if now.matches(SECRET).count() == whole.matches(SECRET).count() {
                text = held;
            }
        }
        let text: String = text.into_iter().collect();
        let said = said(&text);
        prop_assert!(!said.contains(SECRET), "{text}\n{said}");
    }
}

/// What is about the whole file is not said of its first line, which may be a comment.
#[test]
fn of_what_is_on_no_line_none_is_shown() {
    for text in ["# a comment\n", "# a comment\n[data.digits]\npath = \"data\"\n"] {
        let (_, said) = project::said_about(Path::new("opsctl.toml"), text.into(), "dev");
        assert!(said.contains("error[C003]: there is no [project]\n --> opsctl.toml:1:1\n"), "{said}");
        assert!(!said.contains("1 |"), "{said}");
    }
}

/// Of a key that is there twice, which one and where; one of an environment is not named.
#[test]
fn a_key_that_is_there_twice_is_named_if_it_is_no_users() {
    let said = |text: &str| {
        let text = format!("[project]\nname = \"a\"\n{text}");
        let (_, problem) = *Document::parse(Path::new("x.toml"), text).unwrap_err();
        problem.message
    };
    assert_eq!(said("name = \"b\"\n"), "`name` is defined twice, first in line 2");
    assert_eq!(said("[data.a]\n[data.b]\n[ data.\"a\" ]\n"), "this key is defined twice, first in line 3");
    assert_eq!(said("[data.a]\n[data.a]\n"), "`a` is defined twice, first in line 3");
    let twice = "[training.t]\nenvironment = { TOKEN = \"x\",\n TOKEN = \"y\" }\n";
    assert_eq!(said(twice), "this key is defined twice, first in line 4");
    // What follows is not read, and need not be TOML.
    assert_eq!(said("name = 1\n[[[\n"), "`name` is defined twice, first in line 2");
}
