//! `cargo xtask test`: every check in one command, timed.

use std::process::Command;
use std::thread::JoinHandle;
use std::time::Instant;

use crate::python::{self, Environments};
use crate::{Outcome, borders, cargo, conformance, display, fuzz, process, tidy, vulkan};

/// Names for `--only`, in the order in which they run.
const PARTS: [&str; 8] = ["fmt", "build", "deps", "tidy", "tests", "fuzz", "doc", "conformance"];

/// What parts need from each other.
struct Bench {
    /// Nothing may be skipped: `SANQU_CI=1`.
    strict: bool,
    preparing: Option<JoinHandle<Environments>>,
    environments: Option<Environments>,
}

/// Runs all parts, or those named by `--only`, and prints a table.
///
/// # Errors
/// When an argument is unknown or any part failed; later parts run all the same.
pub(crate) fn run(args: &[String]) -> Outcome {
    let wanted = selection(args)?;
    let strict = std::env::var("SANQU_CI").is_ok_and(|value| value == "1");
    if strict && python::shared_folder().is_none() {
        return Err("SANQU_CI=1, but the shared test data (../shared or SANQU_SHARED) is not there".into());
    }
    let needs_python = wanted.iter().any(|part| matches!(*part, "tests" | "conformance"));
    let preparing = if needs_python { Some(python::prepare_in_background()?) } else { None };
    let mut bench = Bench { strict, preparing, environments: None };
    let mut rows = Vec::new();
    let begin = Instant::now();
    for part in wanted {
        eprintln!("\n=== {part} ===");
        let start = Instant::now();
        let outcome = bench.run_part(part);
        if let Err(reason) = &outcome {
            eprintln!("{part} FAILED: {reason}");
        }
        rows.push((part, start.elapsed(), outcome));
    }
    println!("\n{:<12} {:>9}  result", "part", "time");
    for (part, elapsed, outcome) in &rows {
        let result =
            outcome.as_ref().map_or_else(|reason| format!("FAILED: {}", reason.lines().next().unwrap_or_default()), |()| "ok".into());
        println!("{part:<12} {:>7.1} s  {result}", elapsed.as_secs_f64());
    }
    println!("{:<12} {:>7.1} s", "total", begin.elapsed().as_secs_f64());
    let failed: Vec<&str> = rows.iter().filter(|(_, _, outcome)| outcome.is_err()).map(|(part, _, _)| *part).collect();
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

/// The parts to run, in their own order.
fn selection(args: &[String]) -> Result<Vec<&'static str>, String> {
    let mut named = Vec::new();
    for pair in args.chunks(2) {
        match pair {
            [flag, name] if flag == "--only" && PARTS.contains(&name.as_str()) => named.push(name.as_str()),
            _ => return Err(format!("expected --only with one of {}, found {}", PARTS.join(", "), pair.join(" "))),
        }
    }
    Ok(PARTS.into_iter().filter(|part| named.is_empty() || named.contains(part)).collect())
}

impl Bench {
    fn run_part(&mut self, part: &str) -> Outcome {
        match part {
            "fmt" => process::run(&mut cargo::cargo(&["fmt", "--all", "--check"])),
            "build" => cargo::build_all_without_warnings(),
            "deps" => borders::check(),
            "tidy" => tidy::check(),
            "tests" => self.tests(),
            "fuzz" => self.fuzz(),
            "doc" => process::run(&mut cargo::cargo(&["test", "--workspace", "--doc", "--quiet"])),
            _ => self.conformance(),
        }
    }

    fn tests(&mut self) -> Outcome {
        if let Err(reason) = vulkan::ensure() {
            self.skip(&format!("replay pictures: {reason}"))?;
        } else if let Err(reason) = display::ensure() {
            self.skip(&format!("replay's window: {reason}"))?;
        }
        let has_nextest = process::succeeds(&mut cargo::cargo(&["nextest", "--version"]));
        let mut command = if has_nextest {
            cargo::cargo(&["nextest", "run", "--workspace"])
        } else {
            cargo::cargo(&["test", "--workspace", "--all-targets"])
        };
        self.hand_over(&mut command)?;
        process::run(&mut command)
    }

    /// A short run after the tests have replayed the corpus.
    fn fuzz(&self) -> Outcome {
        if !process::succeeds(Command::new("c++").arg("--version")) {
            return self.skip("fuzzing: libFuzzer needs a C++ compiler (c++)");
        }
        fuzz::run(&[])
    }

    fn conformance(&mut self) -> Outcome {
        let strict = self.strict;
        let environments = self.environments();
        let tools = match &environments.tools {
            Ok(tools) => tools.clone(),
            Err(reason) => {
                let what = format!("outside readers of what was recorded: {reason}");
                return self.skip(&what);
            }
        };
        let lerobot = environments.lerobot.clone();
        match lerobot {
            Ok(lerobot) => conformance::check(&tools, Some(&lerobot)),
            Err(reason) if strict => Err(format!("no LeRobot environment: {reason}")),
            Err(reason) => {
                self.skip(&format!("LeRobot's own loader: {reason}"))?;
                conformance::check(&tools, None)
            }
        }
    }

    /// Tells the tests where outside data and tools are, and in CI that they must be used.
    fn hand_over(&mut self, command: &mut Command) -> Outcome {
        match python::shared_folder() {
            Some(shared) => {
                command.env("SANQU_SHARED", shared);
            }
            None => self.skip("tests on the shared test data: ../shared is not there")?,
        }
        if self.strict {
            command.env("SANQU_REQUIRE_SHARED", "1").env("SANQU_REQUIRE_RENDER", "1").env("SANQU_REQUIRE_NETNS", "1");
        }
        let mut missing = Vec::new();
        let environments = self.environments();
        for (name, found) in [
            ("SANQU_PYTHON", &environments.tools),
            ("SANQU_LEROBOT_PYTHON", &environments.lerobot),
            ("SANQU_FK_URDFS", &environments.urdfs),
        ] {
            match found {
                Ok(path) => {
                    command.env(name, path);
                }
                Err(reason) => missing.push(format!("tests that need {name}: {reason}")),
            }
        }
        missing.iter().try_for_each(|what| self.skip(what))
    }

    /// Waits for the background preparation the first time.
    fn environments(&mut self) -> &Environments {
        let preparing = self.preparing.take();
        self.environments.get_or_insert_with(|| match preparing.map(JoinHandle::join) {
            Some(Ok(environments)) => environments,
            _ => python::prepare(),
        })
    }

    /// Says what is left out; in CI that is a failure.
    fn skip(&self, what: &str) -> Outcome {
        if self.strict {
            return Err(format!("SANQU_CI=1 allows no skipping, but: {what}"));
        }
        eprintln!("SKIPPED {what}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(args: &[&str], expect: Result<&[&str], &str>) {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        match (selection(&args), expect) {
            (Ok(parts), Ok(expect)) => assert_eq!(parts, expect),
            (Err(error), Err(word)) => assert!(error.contains(word), "{error} should name {word}"),
            (found, _) => panic!("{args:?}: {found:?}"),
        }
    }

    #[test]
    fn only_selects_in_running_order() {
        check(&[], Ok(&PARTS));
        check(&["--only", "tidy", "--only", "fmt"], Ok(&["fmt", "tidy"]));
        check(&["--only", "nothing"], Err("nothing"));
        check(&["--only"], Err("--only"));
        check(&["fmt"], Err("fmt"));
    }
}
