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
        script(tools, "rerun_lerobot.py", &[&out.join("lerobot"), &out.join("lerobot.rrd")]),
        script(tools, "publisher.py", &[&sanqu, &root().join("README.md"), &out.join("publisher")]),
    ];
    let mut sets = datasets(&out.join("lerobot"))?;
    if let Some(shared) = python::shared_folder() {
        for bag in files(&shared.join("data/kuavo"), "bag")? {
            checks.extend(import_bag(&sanqu, tools, &bag, &out, &mut sets)?);
        }
        if let Some(lerobot) = lerobot {
            let checker = shared.join("conformance/lerobot/check_lerobot.py");
            checks.extend(sets.iter().map(|set| {
                let mut command = Command::new(lerobot);
                command.arg(&checker).arg(set);
                command
            }));
        }
    } else {
        eprintln!("SKIPPED recorded bags and LeRobot's own loader: ../shared is not there");
    }
    let faults: Vec<String> = checks.iter_mut().filter_map(|command| run(command).err()).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

/// Imports a real session and exports its joints again; what compares the results. The exported set joins `sets`.
fn import_bag(sanqu: &Path, tools: &Path, bag: &Path, out: &Path, sets: &mut Vec<PathBuf>) -> Result<Vec<Command>, String> {
    let name = bag.file_stem().unwrap_or_default();
    let store = out.join("bags").join(name);
    run(Command::new(sanqu).args(["import", "rosbag"]).arg(bag).arg("--store").arg(&store))?;
    let episodes = episodes(&store)?;
    let [episode] = episodes.as_slice() else { return Err(format!("{}: {} episodes, expected one", store.display(), episodes.len())) };
    // A bag of headset poses alone is an episode, but no dataset.
    if entries(episode)?.iter().any(|file| file.to_string_lossy().ends_with(".joint.parquet")) {
        let set = out.join("bag-sets").join(name);
        run(Command::new(sanqu).args(["export", "lerobot", "--store"]).arg(&store).arg("--out").arg(&set))?;
        sets.push(set);
    }
    Ok(vec![script(tools, "rosbag_bits.py", &[bag, episode]), script(tools, "parquet_open.py", &[&store])])
}

/// Folders of a store's episodes: `episodes/<date>/<station>/<episode>`.
fn episodes(store: &Path) -> Result<Vec<PathBuf>, String> {
    let mut folders = vec![store.join("episodes")];
    for _ in 0..3 {
        let entered: Result<Vec<Vec<PathBuf>>, String> = folders.iter().map(|folder| entries(folder)).collect();
        folders = entered?.concat();
    }
    Ok(folders)
}

fn script(python: &Path, name: &str, args: &[&Path]) -> Command {
    let mut command = Command::new(python);
    command.arg(root().join("tests/conformance").join(name)).args(args);
    command
}

/// The exported sets, one folder a robot.
fn datasets(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let sets: Vec<PathBuf> = entries(folder)?.into_iter().filter(|path| path.join("meta/info.json").exists()).collect();
    if sets.is_empty() { Err(format!("{} holds no LeRobot set", folder.display())) } else { Ok(sets) }
}

/// Files of one kind.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, String> {
    Ok(entries(folder)?.into_iter().filter(|path| path.extension().is_some_and(|found| found == extension)).collect())
}

/// What a folder holds, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}
