//! `cargo xtask fuzz`: libFuzzer over the readers of strangers' bytes, on the stable toolchain.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{capture, root, run_logged, text};
use crate::{Outcome, cargo, python};

/// What `cargo fuzz --sanitizer none` passes: coverage for libFuzzer, with nothing that needs a nightly compiler.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=4";
/// How long each target runs when nobody says.
const SECONDS: u32 = 10;
/// The same numbers in every run when nobody says, so that a failure is about a change and not about luck.
const SEED: u32 = 1;
/// Targets that run at the same time.
const LANES: usize = 2;

/// What to run.
#[derive(Debug, PartialEq, Eq)]
struct Wish {
    target: Option<String>,
    seconds: u32,
    seed: u32,
}

/// Builds the targets and runs each, or the one that is named, first over its seeds and corpus and then on.
///
/// # Errors
/// When an argument is not understood, the build fails, or an input breaks a target; the text says which file it is in.
pub(crate) fn run(args: &[String]) -> Outcome {
    let wish = wish(args)?;
    let known = targets()?;
    let wanted: Vec<&String> = known.iter().filter(|name| wish.target.as_ref().is_none_or(|wanted| wanted == *name)).collect();
    if wanted.is_empty() {
        return Err(format!("no target {:?}; there are {}", wish.target.unwrap_or_default(), known.join(", ")));
    }
    let program = build()?;
    let mut failures = Vec::new();
    for lanes in wanted.chunks(LANES) {
        let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
            let running: Vec<_> = lanes.iter().map(|name| scope.spawn(|| fuzz(&program, name, &wish))).collect();
            running.into_iter().map(|lane| lane.join().unwrap_or_else(|_| Err("a fuzzing thread ended early".to_owned()))).collect()
        });
        failures.extend(outcomes.into_iter().filter_map(Result::err));
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

fn wish(args: &[String]) -> Result<Wish, String> {
    let mut wish = Wish { target: None, seconds: SECONDS, seed: SEED };
    for pair in args.chunks(2) {
        let number = |text: &String| text.parse().map_err(|_| format!("{text:?} is no number"));
        match pair {
            [flag, name] if flag == "--target" => wish.target = Some(name.clone()),
            [flag, count] if flag == "--seconds" => wish.seconds = number(count)?,
            [flag, seed] if flag == "--seed" => wish.seed = number(seed)?,
            _ => return Err(format!("expected --target NAME, --seconds N or --seed N, found {}", pair.join(" "))),
        }
    }
    Ok(wish)
}

/// Every target has a folder in the corpus.
fn targets() -> Result<Vec<String>, String> {
    let folder = root().join("fuzz/corpus");
    let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut names: Vec<String> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

/// Builds with coverage, in a target folder of its own: the flags would compile everything else again.
fn build() -> Result<PathBuf, String> {
    let folder = python::cache_folder()?.join("target-fuzz");
    let host = capture(Command::new("rustc").arg("-vV"))?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc does not say which machine this is")?;
    // `--target` keeps the flags away from build scripts and procedural macros.
    let mut command =
        cargo::cargo(&["build", "--package", "sanqu_fuzz", "--features", "libfuzzer", "--bin", "sanqu_fuzz", "--target", host]);
    command.arg("--target-dir").arg(&folder).env("RUSTFLAGS", COVERAGE);
    // Lints ran in the ordinary build; unified features would bring in crates that no target needs.
    command.env_remove("RUSTC_WORKSPACE_WRAPPER").env_remove("CARGO_RESOLVER_FEATURE_UNIFICATION");
    crate::process::run(&mut command)?;
    Ok(folder.join(host).join("debug/sanqu_fuzz"))
}

fn fuzz(program: &Path, name: &str, wish: &Wish) -> Outcome {
    let folder = python::cache_folder()?.join("fuzz").join(name);
    let (grown, seeds, log) = (folder.join("grown"), folder.join("seeds"), folder.join("log"));
    for made in [&grown, &seeds] {
        std::fs::create_dir_all(made).map_err(|e| format!("{}: {e}", made.display()))?;
    }
    let _ = std::fs::remove_file(&log);
    let mut command = Command::new(program);
    command.env("SANQU_FUZZ_TARGET", name).env("SANQU_FUZZ_SEEDS", &seeds).arg(&grown).arg(&seeds);
    command.arg(root().join("fuzz/corpus").join(name)).arg(format!("-artifact_prefix={}/", folder.display()));
    command.args([format!("-max_total_time={}", wish.seconds), format!("-seed={}", wish.seed)]);
    command.args(["-max_len=65536", "-timeout=20", "-rss_limit_mb=768", "-print_final_stats=1"]);
    eprintln!("+ SANQU_FUZZ_TARGET={name} {}", text(&command));
    run_logged(&mut command, &log).map_err(|reason| {
        let again = format!("SANQU_FUZZ_TARGET={name} {} -minimize_crash=1 -max_total_time=60 FILE", program.display());
        format!("{reason}\nsmaller: {again}\nthen mend it and keep FILE in fuzz/corpus/{name}")
    })?;
    let log = std::fs::read_to_string(&log).unwrap_or_default();
    let count = |what: &str| log.lines().find_map(|line| line.strip_prefix(what)).unwrap_or("?").trim().to_owned();
    let edges = log.lines().rev().find_map(|line| line.split("cov: ").nth(1)?.split(' ').next()).unwrap_or("?");
    println!("{name:10} {:>9} inputs, {edges:>6} edges, no defect", count("stat::number_of_executed_units:"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_understood_or_refused() {
        let read = |text: &str| wish(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(read("").unwrap(), Wish { target: None, seconds: SECONDS, seed: SEED });
        let all = read("--target mp4 --seconds 300 --seed 9").unwrap();
        assert_eq!(all, Wish { target: Some("mp4".to_owned()), seconds: 300, seed: 9 });
        for (bad, word) in [("--seconds many", "many"), ("--target", "--target"), ("mp4 5", "mp4")] {
            assert!(read(bad).unwrap_err().contains(word), "{bad}");
        }
    }
}
