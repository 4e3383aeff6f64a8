//! What installers say while they install: of interest only when they fail.

/// How pip and the package managers of Amazon's images begin their lines.
const BEGINNINGS: &[&str] = &[
    "Collecting ",
    "Downloading ",
    "Using cached ",
    "Requirement already satisfied",
    "Installing collected packages",
    "Installing build dependencies",
    "Successfully installed ",
    "Successfully uninstalled ",
    "Successfully built ",
    "Looking in indexes",
    "Looking in links",
    "Obtaining ",
    "Preparing metadata",
    "Getting requirements to build",
    "Building wheel",
    "Building wheels",
    "Created wheel",
    "Created temporary directory",
    "Stored in directory",
    "Attempting uninstall",
    "Found existing installation",
    "Uninstalling ",
    "Processing ./",
    "Processing /",
    "Defaulting to user installation",
    "WARNING: Running pip as",
    "[notice] ",
    "Dependencies resolved.",
    "Transaction test",
    "Transaction check",
    "Running transaction",
];

/// Whether a line of a log is an installer's, and says nothing that went wrong.
pub(super) fn is_installers(line: &str) -> bool {
    let line = line.trim_start();
    // pip's bars: `━━━━━━━━ 1.2/1.2 MB 3.4 MB/s eta 0:00:00`.
    line.starts_with(['━', '╸', '╺']) || BEGINNINGS.iter().any(|beginning| line.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::is_installers;

    #[test]
    fn what_a_script_prints_is_never_folded() {
        for line in [
            "Collecting numpy==2.2 (from -r requirements.txt (line 1))",
            "  Downloading numpy-2.2-cp312-manylinux.whl (16.1 MB)",
            "     ━━━━━━━━━━━━━━━━━━━━ 16.1/16.1 MB 52.3 MB/s eta 0:00:00",
            "Installing collected packages: numpy",
            "[notice] A new release of pip is available: 24.0 -> 25.1",
        ] {
            assert!(is_installers(line), "{line}");
        }
        for line in [
            "ERROR: No matching distribution found for torch==9",
            "epoch=3 train_loss=0.1 test_accuracy=0.9",
            "opsctl: install requirements.txt",
            "Collected 3 samples",
        ] {
            assert!(!is_installers(line), "{line}");
        }
    }
}
