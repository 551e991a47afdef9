//! The real programs' output against outside tools. The scripts are in `tests/conformance`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{root, run};
use crate::{Outcome, cargo, python, vulkan};

/// Seconds of simulated work that are recorded.
const RECORDED_SECONDS: &str = "4";

/// Records with the real program, then lets every script look at the result. All run, so that one fault does not hide
/// another. `lerobot` is the interpreter with the real LeRobot package; without it its checks are left out.
///
/// # Errors
/// When the recording or any script fails.
pub(crate) fn check(tools: &Path, lerobot: Option<&Path>) -> Outcome {
    let programs = cargo::program_folder()?;
    cargo::build_programs()?;
    let sanqu = programs.join("sanqu");
    let out = programs.join("conformance");
    if out.exists() {
        std::fs::remove_dir_all(&out).map_err(|e| format!("{}: {e}", out.display()))?;
    }
    let mut demo = Command::new(&sanqu);
    demo.args(["demo", "--seconds", RECORDED_SECONDS, "--out"]).arg(&out);
    if let Err(reason) = vulkan::ensure() {
        eprintln!("SKIPPED replay pictures: {reason}");
        demo.arg("--no-replay");
    }
    run(&mut demo)?;

    let mut checks = vec![
        script(tools, "parquet_open.py", &[&out.join("store")]),
        script(tools, "frames.py", &[&out.join("lerobot")]),
        script(tools, "rrd_check.py", &[&out.join("live.rrd"), &out.join("store")]),
        script(tools, "publisher.py", &[&sanqu, &root().join("README.md"), &out.join("publisher")]),
    ];
    if let (Some(lerobot), Some(shared)) = (lerobot, python::shared_folder()) {
        for set in datasets(&out.join("lerobot"))? {
            let mut command = Command::new(lerobot);
            command.arg(shared.join("conformance/lerobot/check_lerobot.py")).arg(set);
            checks.push(command);
        }
    }
    let faults: Vec<String> = checks.iter_mut().filter_map(|command| run(command).err()).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

fn script(python: &Path, name: &str, args: &[&Path]) -> Command {
    let mut command = Command::new(python);
    command.arg(root().join("tests/conformance").join(name)).args(args);
    command
}

/// The exported sets, one folder a robot.
fn datasets(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut sets: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.join("meta/info.json").exists()).collect();
    sets.sort();
    if sets.is_empty() { Err(format!("{} holds no LeRobot set", folder.display())) } else { Ok(sets) }
}
