//! The projects that `opsctl init` can start with: those in `config/`, made independent of their place.

use std::fs;
use std::path::Path;

use clap::ValueEnum;

use crate::config::Name;

/// What a new project begins as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Template {
    /// Data, a training and an endpoint, in a file of a dozen lines
    Minimal,
    /// All that opsctl can do, with every key and what it means
    Digits,
    /// The case that opsctl was written for: dog breeds in photographs, with PyTorch
    DogBreeds,
}

/// A file of a template: its path in the project, and what is in it.
pub struct Starter {
    pub path: &'static str,
    pub content: Vec<u8>,
}

impl Starter {
    /// Whether just that is in the folder.
    pub fn is_in(&self, folder: &Path) -> bool {
        fs::read(folder.join(self.path)).is_ok_and(|there| there == self.content)
    }
}

macro_rules! shipped {
    ($root:literal: $($path:literal)*) => {
        &[$(($path, include_bytes!(concat!("../../../../config/", $root, $path)).as_slice())),*]
    };
}

type Files = &'static [(&'static str, &'static [u8])];

const DIGITS: Files = shipped! {
    "":
    "sample.json"
    "training/train.py" "training/requirements.txt"
    "serving/inference.py" "serving/requirements.txt"
    "data/digits.md"
    "data/digits/train/0.csv" "data/digits/train/1.csv" "data/digits/train/2.csv" "data/digits/train/3.csv"
    "data/digits/train/4.csv" "data/digits/train/5.csv" "data/digits/train/6.csv" "data/digits/train/7.csv"
    "data/digits/train/8.csv" "data/digits/train/9.csv"
    "data/digits/test/0.csv" "data/digits/test/1.csv" "data/digits/test/2.csv" "data/digits/test/3.csv"
    "data/digits/test/4.csv" "data/digits/test/5.csv" "data/digits/test/6.csv" "data/digits/test/7.csv"
    "data/digits/test/8.csv" "data/digits/test/9.csv"
};
const ON_EC2: Files = shipped! { "": "training-ec2/train.py" "training-ec2/requirements.txt" };
const DOG_BREEDS: Files = shipped! {
    "dog-breeds/":
    "sample.json"
    "training/train.py"
    "training-ec2/train.py" "training-ec2/requirements.txt"
    "serving/inference.py"
    "data/dogImages.md"
    "data/dogImages/test/001.Affenpinscher/Affenpinscher_00004.jpg"
    "data/dogImages/test/002.Afghan_hound/Afghan_hound_00004.jpg"
    "data/dogImages/test/003.Airedale_terrier/Airedale_terrier_00004.jpg"
    "data/dogImages/test/004.Akita/Akita_00004.jpg"
    "data/dogImages/test/005.Alaskan_malamute/Alaskan_malamute_00004.jpg"
    "data/dogImages/train/001.Affenpinscher/Affenpinscher_00001.jpg"
    "data/dogImages/train/001.Affenpinscher/Affenpinscher_00002.jpg"
    "data/dogImages/train/002.Afghan_hound/Afghan_hound_00001.jpg"
    "data/dogImages/train/002.Afghan_hound/Afghan_hound_00002.jpg"
    "data/dogImages/train/003.Airedale_terrier/Airedale_terrier_00001.jpg"
    "data/dogImages/train/003.Airedale_terrier/Airedale_terrier_00002.jpg"
    "data/dogImages/train/004.Akita/Akita_00001.jpg"
    "data/dogImages/train/004.Akita/Akita_00002.jpg"
    "data/dogImages/train/005.Alaskan_malamute/Alaskan_malamute_00001.jpg"
    "data/dogImages/train/005.Alaskan_malamute/Alaskan_malamute_00002.jpg"
    "data/dogImages/valid/001.Affenpinscher/Affenpinscher_00003.jpg"
    "data/dogImages/valid/002.Afghan_hound/Afghan_hound_00003.jpg"
    "data/dogImages/valid/003.Airedale_terrier/Airedale_terrier_00003.jpg"
    "data/dogImages/valid/004.Akita/Akita_00003.jpg"
    "data/dogImages/valid/005.Alaskan_malamute/Alaskan_malamute_00003.jpg"
};

const MINIMAL_TOML: &str = include_str!("../../../../config/minimal.toml");
const DIGITS_TOML: &str = include_str!("../../../../config/opsctl.toml");
const DOG_BREEDS_TOML: &str = include_str!("../../../../config/dog-breeds.toml");
const README: &str = include_str!("README.md");

/// The config, which is written everywhere.
pub const CONFIG: &str = "opsctl.toml";

impl Template {
    /// The config file, with this project's name wherever the shipped one has its own.
    pub fn config(self, name: &Name) -> String {
        let (text, shipped) = match self {
            Self::Minimal => (MINIMAL_TOML, "digits"),
            Self::Digits => (DIGITS_TOML, "digits"),
            Self::DogBreeds => (DOG_BREEDS_TOML, "dog-breeds"),
        };
        let named = [("name   = \"{}\"", "name   = \"{}\""), ("{}-dev-…", "{}-dev-…")];
        let text = named.iter().fold(text.to_owned(), |text, (from, to)| {
            text.replace(&from.replace("{}", shipped), &to.replace("{}", name))
        });
        // In the repository two projects share a folder.
        text.replace("\"dog-breeds/", "\"")
    }

    /// Everything that the config names, a sample to invoke with, and what a person reads first.
    pub fn starters(self, name: &Name) -> Vec<Starter> {
        let parts: &[Files] = match self {
            Self::Minimal => &[DIGITS],
            Self::Digits => &[DIGITS, ON_EC2],
            Self::DogBreeds => &[DOG_BREEDS],
        };
        let starter = |(path, content): &(&'static str, &'static [u8])| {
            let content = match std::str::from_utf8(content) {
                Ok(text) if path.ends_with(".md") => text.replace("config/dog-breeds/", "").into_bytes(),
                _ => content.to_vec(),
            };
            Starter { path, content }
        };
        let mut starters: Vec<Starter> = parts.iter().copied().flatten().map(starter).collect();
        starters.push(Starter { path: "README.md", content: self.readme(name).into_bytes() });
        starters
    }

    fn readme(self, name: &Name) -> String {
        let (about, question) = match self {
            Self::Minimal => (
                "Handwritten digits: `training/train.py` trains a small network on `data/digits`, and \
                 `serving/inference.py` serves it.",
                "which digit is in sample.json?",
            ),
            Self::Digits => (
                "Handwritten digits: `training/train.py` trains a small network on `data/digits`, \
                 `training-ec2/train.py` the same on a plain EC2 instance, and `serving/inference.py` serves \
                 it, behind a Lambda function.",
                "which digit is in sample.json?",
            ),
            Self::DogBreeds => (
                "Dog breeds in photographs: `training/train.py` trains a ResNet-50 on `data/dogImages` (a \
                 stand-in until you download the real ones: `data/dogImages.md`), and `serving/inference.py` \
                 serves it, behind a Lambda function.",
                "which breed is in the photograph that sample.json names?",
            ),
        };
        README.replace("{name}", name).replace("{about}", about).replace("{question}", question)
    }
}
