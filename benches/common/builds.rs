//! Which builds of the pool are measured, and with which settings.

use std::path::PathBuf;

use clap::Args;

use crate::Error;

/// The builds that were asked for.
#[derive(Debug, Args)]
pub(crate) struct Builds {
    /// Another build of the pool, measured in turns with this one. It can be named several times.
    #[arg(long, value_name = "BINARY")]
    against: Vec<PathBuf>,
    /// A setting for this build alone, such as `hashing.lanes=avx2`; another may not know it. It can be named several times.
    #[arg(long, value_name = "SECTION.KEY=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
    /// The pool's binary.
    #[arg(long, value_name = "BINARY", default_value = env!("CARGO_BIN_EXE_dwarves"))]
    binary: PathBuf,
    /// Where the data directories are made; it should be on the disk that matters.
    #[arg(long, value_name = "DIR", default_value = env!("CARGO_TARGET_TMPDIR"))]
    pub(crate) dir: PathBuf,
}

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Build {
    /// What it is called in the report.
    pub(crate) name: String,
    /// Its program.
    pub(crate) binary: PathBuf,
    /// What is set for it alone: variables of the environment.
    pub(crate) settings: Vec<(String, String)>,
    /// Whether there may be settings that it does not know.
    pub(crate) may_be_older: bool,
}

impl Builds {
    /// The build that is measured, by this name.
    pub(crate) fn this(&self, name: &str) -> Build {
        Build {
            name: name.to_owned(),
            binary: self.binary.clone(),
            settings: self.set.clone(),
            may_be_older: false,
        }
    }

    /// Those beside which it is measured, each by the name of its file.
    pub(crate) fn others(&self) -> impl Iterator<Item = Build> {
        self.against.iter().map(|binary| Build {
            name: binary
                .file_name()
                .unwrap_or(binary.as_os_str())
                .display()
                .to_string(),
            binary: binary.clone(),
            settings: Vec::new(),
            may_be_older: true,
        })
    }

    /// Whether every build is there, so that it is known before anything is measured.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let missing = self
            .against
            .iter()
            .chain([&self.binary])
            .find(|path| !path.is_file());
        missing.map_or(Ok(()), |path| {
            Err(format!("there is no {}", path.display()).into())
        })
    }
}

/// A setting as the variable by which the pool is told of it.
fn setting(text: &str) -> Result<(String, String), String> {
    let parts = text
        .split_once('=')
        .and_then(|(key, value)| Some((key.split_once('.')?, value)));
    let ((section, key), value) = parts.ok_or("expected section.key=value")?;
    let name = format!("DWARVES__{}__{}", section.to_uppercase(), key.to_uppercase());
    Ok((name, value.to_owned()))
}
