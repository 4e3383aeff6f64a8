//! What one job sees of an environment: a virtual environment of its own on top of the shared one. What its
//! code installs is in there, comes before what is shared, and goes with the job.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::alike::{link, program};
use super::{Environments, LineSink, OfEachJob, PythonError, Venv, Wanted};

/// In a folder of packages: the shared one and what its own such files add. pip leaves alone what it finds
/// there, because it is outside of the job's environment.
const SHARED: &str = "opsctl-shared.pth";

impl Environments {
    /// The environment of one job, made in this folder, with what is installed for each job.
    pub async fn of_job(
        &self,
        wanted: &Wanted,
        at: PathBuf,
        progress: &LineSink,
    ) -> Result<Venv, PythonError> {
        let shared = self.ensure(wanted, progress).await?;
        let venv = shared.on_top(at.clone()).await.map_err(|source| PythonError::Io { path: at, source })?;
        if let Some(install) = &wanted.of_each_job {
            let index = self.origin(&venv, wanted).await.index();
            let mut pip = self.pip(&venv, index);
            pip.args(&install.arguments).current_dir(&install.folder);
            let installed = self.run(&mut pip, &install.wanted(), progress).await;
            installed.map_err(PythonError::of_each_job).inspect_err(|error| error.tell(progress))?;
        }
        Ok(venv)
    }
}

impl OfEachJob {
    /// What a failure is about: what is shared is there.
    fn wanted(&self) -> Wanted {
        let is_file = self.arguments.iter().any(|argument| argument == "-r");
        let is_package = self.arguments.iter().any(|argument| argument == ".");
        let names =
            [(is_file, "requirements.txt"), (is_package, "the package that the folder is (setup.py)")];
        let names = names.into_iter().filter_map(|(named, name)| named.then_some(name));
        Wanted::of(&names.collect::<Vec<_>>())
    }
}

impl Venv {
    /// A virtual environment in this folder that has all of this one.
    pub async fn on_top(&self, at: PathBuf) -> io::Result<Self> {
        let (from, to) = (self.directory.clone(), at.clone());
        let made = tokio::task::spawn_blocking(move || lay(&from, &to));
        made.await.map_err(io::Error::other)??;
        Ok(Self { directory: at })
    }
}

fn lay(from: &Path, to: &Path) -> io::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?; // a restart has a container of its own
    }
    fs::create_dir_all(to.join("bin"))?;
    link(&from.join("bin"), &to.join("bin"), &|file, link| program(file, link, from, to))?;
    fs::copy(from.join("pyvenv.cfg"), to.join("pyvenv.cfg"))?;
    let foreign = from.join("foreign");
    if foreign.exists() {
        std::os::unix::fs::symlink(foreign, to.join("foreign"))?;
    }
    // `lib/python3.12/site-packages`: of a virtual environment there is one.
    for entry in fs::read_dir(from.join("lib"))? {
        let entry = entry?;
        let packages = entry.path().join("site-packages");
        if packages.is_dir() {
            let own = to.join("lib").join(entry.file_name()).join("site-packages");
            fs::create_dir_all(&own)?;
            let shared = serde_json::Value::from(&*packages.to_string_lossy());
            fs::write(own.join(SHARED), format!("import site; site.addsitedir({shared})\n"))?;
        }
    }
    Ok(())
}
