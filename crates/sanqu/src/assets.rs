//! Where robot descriptions and field files come from.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use sanqu_model::FieldConfig;

/// The folder with `robots/` and `field/`.
#[derive(Clone, Debug)]
pub(crate) struct Assets {
    root: PathBuf,
}

impl Assets {
    /// `--assets` if given, else `./assets`, else the folder of the source tree that this program was built from.
    ///
    /// # Errors
    /// When none of them holds `robots` and `field`.
    pub(crate) fn locate(given: Option<&Path>) -> Result<Self> {
        let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets");
        let candidates = match given {
            Some(folder) => vec![folder.to_path_buf()],
            None => vec![PathBuf::from("assets"), built_from],
        };
        for root in &candidates {
            if root.join("robots").is_dir() && root.join("field").is_dir() {
                return Ok(Self { root: root.canonicalize().with_context(|| format!("cannot resolve {}", root.display()))? });
            }
        }
        let tried: Vec<String> = candidates.iter().map(|path| path.display().to_string()).collect();
        bail!("no folder with robots/ and field/ in it (tried {}); name one with --assets", tried.join(", "))
    }

    /// Folder of the robot descriptions.
    pub(crate) fn robots(&self) -> PathBuf {
        self.root.join("robots")
    }

    /// Folder of one robot model's description.
    ///
    /// # Errors
    /// When there is no such model; the message lists those that exist.
    pub(crate) fn robot(&self, model: &str) -> Result<PathBuf> {
        let folder = self.robots().join(model);
        if folder.join("robot.urdf").is_file() {
            return Ok(folder);
        }
        bail!(
            "no description of robot model {model:?}: {} does not exist (known: {})",
            folder.join("robot.urdf").display(),
            self.names("robots", "")?.join(", ")
        )
    }

    /// A field: a path of a TOML file, or the name of a shipped one (`desk`, `qingdao`).
    ///
    /// # Errors
    /// When the file is absent or its content is refused; the message names the file.
    pub(crate) fn field(&self, name: &str) -> Result<FieldConfig> {
        let shipped = self.root.join("field").join(format!("{name}.toml"));
        let path = if Path::new(name).is_file() { PathBuf::from(name) } else { shipped };
        if !path.is_file() {
            bail!("no field {name:?}: neither a file nor one of the shipped fields ({})", self.names("field", ".toml")?.join(", "));
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read field file {}", path.display()))?;
        FieldConfig::parse(&text).with_context(|| format!("field file {}", path.display()))
    }

    /// The path of a shipped field's file, for a sibling program.
    pub(crate) fn field_file(&self, name: &str) -> PathBuf {
        if Path::new(name).is_file() { PathBuf::from(name) } else { self.root.join("field").join(format!("{name}.toml")) }
    }

    fn names(&self, folder: &str, suffix: &str) -> Result<Vec<String>> {
        let folder = self.root.join(folder);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            names.extend(name.strip_suffix(suffix).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }
}
