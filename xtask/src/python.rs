//! Python environments for the checks against outside tools, made once in the cache folder and reused.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::JoinHandle;

use crate::process::{root, run_logged};

/// Outside readers and publishers, pinned where their version decides a result.
const TOOLS: [&str; 8] = [
    "eclipse-zenoh==1.10.2",
    "rerun-sdk[catalog]==0.36.3",
    "pyarrow>=18",
    "duckdb>=1.1",
    "rosbags>=0.10",
    "av>=14",
    "numpy>=2",
    "pandas>=2",
];

/// What the forward kinematics are timed beside.
const PINOCCHIO: &str = "pin==4.1.0";

/// Packages that hold the URDFs which the forward kinematics are compared on.
const URDF_PACKAGES: [&str; 2] = ["jvrc-description", "example-robot-data"];

/// Copies the URDFs (no meshes) of wheels in argv[1] flat into argv[2].
const UNPACK_URDFS: &str = "
import glob, os, sys, zipfile
for wheel in glob.glob(os.path.join(sys.argv[1], '*.whl')):
    with zipfile.ZipFile(wheel) as z:
        for name in z.namelist():
            if name.endswith('.urdf'):
                with open(os.path.join(sys.argv[2], os.path.basename(name)), 'wb') as out:
                    out.write(z.read(name))
";

/// What is there after preparation. A part that could not be made says why instead.
#[derive(Debug)]
pub(crate) struct Environments {
    /// Interpreter with [`TOOLS`].
    pub(crate) tools: Result<PathBuf, String>,
    /// Interpreter with the real LeRobot package.
    pub(crate) lerobot: Result<PathBuf, String>,
    /// Folder with URDF files, flat.
    pub(crate) urdfs: Result<PathBuf, String>,
}

/// The project's cache folder, outside the clone: `SANQU_CACHE`, else `~/.cache/sanqu`.
pub(crate) fn cache_folder() -> Result<PathBuf, String> {
    if let Some(folder) = std::env::var_os("SANQU_CACHE").filter(|folder| !folder.is_empty()) {
        return Ok(folder.into());
    }
    let home = std::env::var_os("HOME").ok_or("neither SANQU_CACHE nor HOME is set")?;
    Ok(Path::new(&home).join(".cache/sanqu"))
}

/// The shared test data: `SANQU_SHARED`, else `../shared` beside the project.
pub(crate) fn shared_folder() -> Option<PathBuf> {
    let folder = match std::env::var_os("SANQU_SHARED").filter(|folder| !folder.is_empty()) {
        Some(named) => PathBuf::from(named),
        None => root().join("../shared"),
    };
    folder.canonicalize().ok().filter(|found| found.is_dir())
}

/// Starts preparing all environments beside the build.
pub(crate) fn prepare_in_background() -> Result<JoinHandle<Environments>, String> {
    std::thread::Builder::new().name("python".into()).spawn(prepare).map_err(|e| format!("cannot start a thread: {e}"))
}

/// Makes what is missing; a second call finds everything and takes no time.
pub(crate) fn prepare() -> Environments {
    match (cache_folder(), interpreter()) {
        (Ok(cache), Ok(python)) => {
            Environments { tools: tools(&cache, &python), lerobot: lerobot(&cache, &python), urdfs: urdfs(&cache, &python) }
        }
        (Err(reason), _) | (_, Err(reason)) => {
            Environments { tools: Err(reason.clone()), lerobot: Err(reason.clone()), urdfs: Err(reason) }
        }
    }
}

/// The newest suitable Python: 3.12 or 3.13 first, because LeRobot's current release wants them.
fn interpreter() -> Result<PathBuf, String> {
    let mut candidates: Vec<PathBuf> = ["python3.12", "python3.13"].map(PathBuf::from).to_vec();
    if let Some(home) = std::env::var_os("HOME")
        && let Ok(versions) = std::fs::read_dir(Path::new(&home).join(".pyenv/versions"))
    {
        let mut found: Vec<PathBuf> = versions.flatten().map(|entry| entry.path().join("bin/python")).collect();
        found.sort();
        candidates.extend(found.into_iter().filter(|path| ["/3.12", "/3.13"].iter().any(|v| path.to_string_lossy().contains(v))));
    }
    candidates.extend(["python3.11", "python3"].map(PathBuf::from));
    let fits = "import sys, venv; sys.exit(sys.version_info < (3, 11))";
    candidates
        .into_iter()
        .find(|python| crate::process::succeeds(Command::new(python).args(["-c", fits])))
        .ok_or_else(|| "no Python of at least 3.11 with venv was found".into())
}

fn tools(cache: &Path, python: &Path) -> Result<PathBuf, String> {
    let venv = cache.join("venv-tools");
    once(&venv, &TOOLS.join(" "), |log| {
        run_logged(Command::new(python).args(["-m", "venv", "--clear"]).arg(&venv), log)?;
        run_logged(pip(&venv.join("bin/python")).arg("install").args(TOOLS), log)
    })?;
    Ok(venv.join("bin/python"))
}

/// Interpreter with [`TOOLS`]; made when it is first asked for.
///
/// # Errors
/// When there is no Python, or pip fails.
pub(crate) fn tools_interpreter() -> Result<PathBuf, String> {
    tools(&cache_folder()?, &interpreter()?)
}

/// Interpreter with Pinocchio; made when it is first asked for.
///
/// # Errors
/// When there is no Python, or pip fails.
pub(crate) fn pinocchio() -> Result<PathBuf, String> {
    let (cache, python) = (cache_folder()?, interpreter()?);
    let venv = cache.join("venv-pinocchio");
    once(&venv, PINOCCHIO, |log| {
        run_logged(Command::new(python).args(["-m", "venv", "--clear"]).arg(&venv), log)?;
        run_logged(pip(&venv.join("bin/python")).args(["install", PINOCCHIO]), log)
    })?;
    Ok(venv.join("bin/python"))
}

fn lerobot(cache: &Path, python: &Path) -> Result<PathBuf, String> {
    let shared = shared_folder().ok_or("the shared test data (../shared) is not there")?;
    let recipe = shared.join("conformance/lerobot");
    let requirements = std::fs::read_to_string(recipe.join("requirements.txt")).map_err(|e| format!("{}: {e}", recipe.display()))?;
    let venv = cache.join("venv-lerobot");
    once(&venv, &requirements, |log| run_logged(Command::new("sh").arg(recipe.join("install.sh")).arg(&venv).arg(python), log))?;
    Ok(venv.join("bin/python"))
}

fn urdfs(cache: &Path, python: &Path) -> Result<PathBuf, String> {
    let folder = cache.join("urdfs");
    once(&folder, &URDF_PACKAGES.join(" "), |log| {
        let wheels = cache.join("urdf-wheels");
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        run_logged(pip(python).args(["download", "--no-deps", "--only-binary=:all:", "--dest"]).arg(&wheels).args(URDF_PACKAGES), log)?;
        run_logged(Command::new(python).args(["-c", UNPACK_URDFS]).arg(&wheels).arg(&folder), log)?;
        std::fs::remove_dir_all(&wheels).map_err(|e| format!("{}: {e}", wheels.display()))
    })?;
    Ok(folder)
}

fn pip(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "--disable-pip-version-check", "--quiet", "--no-input"]);
    command
}

/// Runs `make` unless an earlier run finished for the same `recipe`; the recipe is kept in a file inside `folder`, written
/// last. What an interrupted run left is removed first.
fn once(folder: &Path, recipe: &str, make: impl FnOnce(&Path) -> Result<(), String>) -> Result<(), String> {
    let marker = folder.join(".sanqu-ready");
    if std::fs::read_to_string(&marker).is_ok_and(|found| found == recipe) {
        return Ok(());
    }
    let io = |e: std::io::Error| format!("{}: {e}", folder.display());
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(io)?;
    }
    std::fs::create_dir_all(folder.parent().unwrap_or(folder)).map_err(io)?;
    let log = folder.with_extension("log");
    std::fs::write(&log, "").map_err(io)?;
    make(&log)?;
    std::fs::write(&marker, recipe).map_err(io)
}
