//! `cargo xtask bench replay`: makes recordings, lets a release build of `sanqu-replay` measure them, compares, writes a page.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{capture, root, run, text};
use crate::{Outcome, cargo, python};

/// What it writes.
const PAGE: &str = "docs/benchmarks-replay.md";
/// Every recording is measured so often, each time by a process of its own; figures are the middle ones.
const RUNS: usize = 3;
/// Length of the long recording, minutes.
const MINUTES: u32 = 30;
/// The program that makes recordings.
const MAKER: &str = "make_recording";
/// Two robots of one episode, in the field file `desk`.
const TWO: &str = "walker-s-01,kuavo-01";

/// Reads rows of both robots as a Python program would: the file stays open, its directory read; a row group is the least that is read.
/// argv: the episode's folder. Prints one object like those of `sanqu-replay --measure --measure-json`.
const PYARROW: &str = "
import glob, json, os, sys, time
import pyarrow.parquet as pq
files = [pq.ParquetFile(path) for path in sorted(glob.glob(os.path.join(sys.argv[1], '*.joint.parquet')))]
assert files
columns = [[name for name in file.schema_arrow.names if name.endswith('.pos')] for file in files]
starts = []
for file in files:
    counts = [file.metadata.row_group(g).num_rows for g in range(file.metadata.num_row_groups)]
    starts.append([sum(counts[:g]) for g in range(len(counts) + 1)])
times = []
for seek in range(100):
    begun = time.perf_counter()
    for file, names, start in zip(files, columns, starts):
        row = seek * 618034 % 1000000 * start[-1] // 1000000
        group = max(g for g in range(len(start) - 1) if start[g] <= row)
        table = file.read_row_group(group, columns=names, use_threads=False)
        values = [column[row - start[group]].as_py() for column in table.columns]
    times.append((time.perf_counter() - begun) * 1e3)
times.sort()
print(json.dumps({'seek_p99_ms': times[98], 'seek_median_ms': times[50]}))
";

#[derive(Debug, PartialEq)]
struct Options {
    minutes: u32,
    write_docs: bool,
    json: Option<PathBuf>,
    pyarrow: bool,
    /// Episodes to measure instead, as for `sanqu-replay`.
    episodes: Vec<String>,
}

impl Options {
    fn parse(args: &[String]) -> Result<Self, String> {
        let mut options = Self { minutes: MINUTES, write_docs: false, json: None, pyarrow: true, episodes: Vec::new() };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg}: expected a value"));
            match arg.as_str() {
                "--write-docs" => options.write_docs = true,
                "--no-pyarrow" => options.pyarrow = false,
                "--json" => options.json = Some(value()?.into()),
                "--minutes" => {
                    let minutes = value()?;
                    let parsed = minutes.parse().ok().filter(|minutes| (1..=60).contains(minutes));
                    options.minutes = parsed.ok_or_else(|| format!("--minutes {minutes}: expected 1 to 60"))?;
                }
                _ => {
                    options.episodes.push(arg.clone());
                    options.episodes.extend(args.by_ref().cloned());
                }
            }
        }
        if options.write_docs && (options.minutes != MINUTES || !options.episodes.is_empty()) {
            return Err(format!("--write-docs: the page is about its own recordings, the long one of {MINUTES} minutes"));
        }
        Ok(options)
    }
}

/// A recording that is measured.
struct Recording {
    name: String,
    field: &'static str,
    seconds: u32,
    more: Vec<&'static str>,
}

/// A recording and the middle figures of its runs.
struct Row {
    name: String,
    figures: Figures,
}

/// One object of `sanqu-replay --measure --measure-json`: numbers by name.
#[derive(Clone, Debug, Default, PartialEq)]
struct Figures(Vec<(String, Option<f64>)>);

impl Figures {
    fn parse(object: &str) -> Result<Self, String> {
        let wrong = || format!("expected one flat object of numbers, found {object:?}");
        let inner = object.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).ok_or_else(wrong)?;
        let member = |member: &str| {
            let (name, value) = member.split_once(':')?;
            let value = match value.trim() {
                "null" => None,
                number => Some(number.parse().ok()?),
            };
            Some((name.trim().trim_matches('"').to_owned(), value))
        };
        inner.split(',').map(member).collect::<Option<_>>().map(Self).ok_or_else(wrong)
    }

    fn get(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(known, _)| known == name)?.1
    }

    /// The middle of each number.
    fn middle(runs: &[Self]) -> Self {
        let Some(first) = runs.first() else { return Self::default() };
        let middle = |name: &str| {
            let mut values: Vec<f64> = runs.iter().filter_map(|run| run.get(name)).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied()
        };
        Self(first.0.iter().map(|(name, _)| (name.clone(), middle(name))).collect())
    }

    fn object(&self) -> String {
        let number = |value: &Option<f64>| value.map_or_else(|| "null".to_owned(), |value| value.to_string());
        let members: Vec<String> = self.0.iter().map(|(name, value)| format!("\"{name}\": {}", number(value))).collect();
        members.join(", ")
    }

    /// A cell of the page.
    fn cell(&self, name: &str, places: usize) -> String {
        self.get(name).map_or_else(|| "-".to_owned(), |value| format!("{value:.places$}"))
    }

    fn mib(&self, name: &str) -> String {
        self.get(name).map_or_else(|| "-".to_owned(), |kib| format!("{:.0}", kib / 1024.0))
    }
}

/// Builds `sanqu-replay` in release and measures recordings that are made for it, or those that `args` name.
///
/// # Errors
/// When an argument is unknown, a build, a recording or a measurement fails, or a file cannot be written.
pub(crate) fn run_bench(args: &[String]) -> Outcome {
    let options = Options::parse(args)?;
    let programs = cargo::program_folder()?;
    let target = programs.parent().unwrap_or(&programs).join("bench-replay");
    eprintln!("xtask: building sanqu-replay in release; the first build takes long on two cores");
    let mut build = cargo::cargo(&["build", "--release", "--package", "sanqu_replay", "--bin", "sanqu-replay"]);
    // clippy's compiler switches optimisations off in our own crates (docs/adr/0002). These figures are about them.
    run(build.env_remove("RUSTC_WORKSPACE_WRAPPER").env("CARGO_TARGET_DIR", &target))?;
    let program = target.join("release").join("sanqu-replay");
    if !options.episodes.is_empty() {
        let measured = ["--measure", "--measure=31"];
        return measured.into_iter().try_for_each(|robots| run(Command::new(&program).arg(robots).args(&options.episodes)));
    }
    cargo::build_programs()?;
    let recordings = target.join("recordings");
    let outcome = measure_all(&options, &program, &programs.join("examples").join(MAKER), &recordings);
    if recordings.exists() {
        std::fs::remove_dir_all(&recordings).map_err(|e| format!("{}: {e}", recordings.display()))?;
    }
    let (rows, peer) = outcome?;
    let page = page(&rows, peer.as_ref(), &machine());
    println!("{page}");
    let write = |path: &Path, text: &str| std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()));
    if let Some(path) = &options.json {
        let named = rows.iter().map(|row| (row.name.as_str(), &row.figures)).chain(peer.iter().map(|peer| ("pyarrow", peer)));
        let objects: Vec<String> = named.map(|(name, figures)| format!("{{\"name\": \"{name}\", {}}}", figures.object())).collect();
        write(path, &format!("[\n{}\n]\n", objects.join(",\n")))?;
    }
    if options.write_docs { write(&root().join(PAGE), &page) } else { Ok(()) }
}

/// Makes each recording and measures it; of the long one also how long pyarrow takes.
fn measure_all(options: &Options, program: &Path, maker: &Path, recordings: &Path) -> Result<(Vec<Row>, Option<Figures>), String> {
    let two = |name: String, seconds, more: &[&'static str]| {
        let more = ["--robots", TWO].into_iter().chain(more.iter().copied()).collect();
        Recording { name, field: "desk", seconds, more }
    };
    let all = [
        two("2 robots, 60 s".to_owned(), 60, &[]),
        two("2 robots, 60 s, small".to_owned(), 60, &["--small"]),
        two(format!("2 robots, {} min, small", options.minutes), 60 * options.minutes, &["--small"]),
        Recording { name: "31 robots, 30 s, small".to_owned(), field: "qingdao", seconds: 30, more: vec!["--small"] },
    ];
    let (mut rows, mut peer) = (Vec::new(), None);
    for (index, recording) in all.into_iter().enumerate() {
        let store = recordings.join(index.to_string());
        if store.exists() {
            std::fs::remove_dir_all(&store).map_err(|e| format!("{}: {e}", store.display()))?;
        }
        std::fs::create_dir_all(&store).map_err(|e| format!("{}: {e}", store.display()))?;
        let mut make = Command::new(maker);
        make.arg(&store).arg("--field").arg(root().join(format!("assets/field/{}.toml", recording.field)));
        make.args(["--seconds", &recording.seconds.to_string()]).args(&recording.more);
        eprintln!("+ {}", text(&make));
        let made = capture(&mut make)?;
        let episodes: Vec<&str> = made.lines().collect();
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            let mut measure = Command::new(program);
            measure.current_dir(root()).args(["--measure", "--measure-json"]).args(&episodes);
            runs.push(Figures::parse(&capture(&mut measure)?)?);
        }
        if options.pyarrow && index == 2 {
            let python = python::tools_interpreter()?;
            let mut read = Command::new(python);
            peer = Some(Figures::parse(&capture(read.args(["-c", PYARROW]).args(&episodes))?)?);
        }
        rows.push(Row { name: recording.name, figures: Figures::middle(&runs) });
        std::fs::remove_dir_all(&store).map_err(|e| format!("{}: {e}", store.display()))?;
    }
    Ok((rows, peer))
}

/// What the figures were measured on, one line.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let shell = |program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        capture(command.current_dir(root()).args(args)).map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
    };
    let cpu =
        read("/proc/cpuinfo").lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|it| it.1.trim().to_owned()));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let load = read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned();
    let commit = shell("git", &["describe", "--always", "--dirty", "--exclude=*"]);
    let (date, rustc) = (shell("date", &["-u", "+%F"]), shell("rustc", &["--version"]));
    format!("{}, {cores} cores, load {load} at the end; {date}, {commit}, {rustc}", cpu.unwrap_or_else(|| "unknown processor".to_owned()))
}

/// A demand, what was measured against it, and whether that is enough.
fn verdicts(rows: &[Row], peer: Option<&Figures>) -> Vec<String> {
    let figure = |row: usize, name: &str| rows.get(row).and_then(|row| row.figures.get(name));
    let demand = |what: &str, unit: &str, found: Option<f64>, most: f64| {
        let found = found.map_or("not measured: MISSED".to_owned(), |found| {
            format!("{found:.2} {unit}: {}", if found <= most { "met" } else { "MISSED" })
        });
        format!("{what} (<= {most} {unit}): {found}")
    };
    let mut lines = vec![
        demand("60 s of two robots open to their first state", "ms", figure(0, "open_ms"), 300.0),
        demand("seek of state, p99, in 60 s", "ms", figure(0, "seek_p99_ms"), 16.0),
        demand("seek of state, p99, in the long one", "ms", figure(2, "seek_p99_ms"), 16.0),
        demand("video after a seek, p99", "ms", figure(0, "video_p99_ms"), 150.0),
        demand("frame of our systems for 31 robots, p99", "ms", figure(3, "frame_p99_ms"), 4.0),
    ];
    if let (Some(short), Some(long), Some(values)) = (figure(1, "peak_kib"), figure(2, "peak_kib"), figure(2, "values_kib")) {
        lines.push(format!(
            "memory of the long recording: {:.2} x that of 60 s, {:.0} MiB more; its joint positions alone are {:.0} MiB",
            long / short,
            (long - short) / 1024.0,
            values / 1024.0
        ));
    }
    if let (Some(ours), Some(theirs)) = (figure(2, "seek_median_ms"), peer.and_then(|peer| peer.get("seek_median_ms"))) {
        lines.push(format!("a seek in the long recording, median: {ours:.2} ms; pyarrow {theirs:.2} ms, {:.1} x", theirs / ours));
    }
    lines
}

fn page(rows: &[Row], peer: Option<&Figures>, machine: &str) -> String {
    let mut page = format!(
        "# Benchmark of replay\n\n\
         Made by `cargo xtask bench replay --write-docs`; not edited by hand. `sanqu-replay` is built in release; recordings are those of `sanqu sim`'s\n\
         robots, written and sealed without waiting for the clock (`crates/sanqu/examples/make_recording.rs`). *Small*: one camera of 160x120 instead\n\
         of three of 320x240, and no motor rows. Every recording is measured by {RUNS} processes; figures are the middle ones.\n\n\
         *Open*: from nothing to the first posture of every robot (files lie in the system's cache). *Seek*: a jump to any instant, all robots\n\
         interpolated, forward kinematics of all links; what was read stays within 96 MiB for all robots. *Video*: pictures of all cameras with a panel, each\n\
         jump into another group of pictures. *Frame*: one update of the replay's own systems while it plays, no window, no renderer. *Positions*: what\n\
         all joint positions take as f64; they are not held. *Peak*: the most memory of the process (VmHWM), decoded pictures (up to 96 MiB) included.\n\n\
         pyarrow: positions of one row of both robots, file and directory open, its smallest reading (a row group, one minute), one thread.\n\n\
         {machine}\n\n\
         | recording | open ms | seek p99 ms | median | video p99 ms | frame p99 ms | positions MiB | peak MiB |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n"
    );
    for Row { name, figures } in rows {
        let times = ["open_ms", "seek_p99_ms", "seek_median_ms", "video_p99_ms", "frame_p99_ms"].map(|name| figures.cell(name, 2));
        page += &format!("| {name} | {} | {} | {} |\n", times.join(" | "), figures.mib("values_kib"), figures.mib("peak_kib"));
    }
    if let Some(peer) = peer {
        page += &format!(
            "| pyarrow, the long one | - | {} | {} | - | - | - | - |\n",
            peer.cell("seek_p99_ms", 2),
            peer.cell("seek_median_ms", 2)
        );
    }
    page += "\n";
    for verdict in verdicts(rows, peer) {
        page += &format!("- {verdict}\n");
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &[&str]) -> Result<Options, String> {
        Options::parse(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_are_ours_or_episodes() {
        let both = options(&["--write-docs", "--json", "f.json"]).unwrap();
        assert_eq!((both.write_docs, both.json, both.minutes), (true, Some(PathBuf::from("f.json")), 30));
        let named = options(&["last", "--store", "recordings/demo/store"]).unwrap();
        assert_eq!(named.episodes, ["last", "--store", "recordings/demo/store"]);
        for (bad, part) in [
            (&["--minutes", "0"][..], "1 to 60"),
            (&["--json"], "a value"),
            (&["--minutes", "2", "--write-docs"], "30 minutes"),
            (&["--write-docs", "last"], "its own recordings"),
        ] {
            let error = options(bad).unwrap_err();
            assert!(error.contains(part), "{bad:?}: {error}");
        }
    }

    #[test]
    fn figures_are_read_and_the_middle_is_taken() {
        let runs = [5.0, 1.0, 3.0].map(|ms| Figures::parse(&format!("{{\"open_ms\": {ms}, \"video_p99_ms\": null}}\n")).unwrap());
        let middle = Figures::middle(&runs);
        assert_eq!((middle.get("open_ms"), middle.get("video_p99_ms"), middle.get("other")), (Some(3.0), None, None));
        assert_eq!(middle.object(), "\"open_ms\": 3, \"video_p99_ms\": null");
        for bad in ["", "{\"a\": }", "{\"a\"}", "[1]"] {
            assert!(Figures::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_page_says_what_was_met_and_what_was_missed() {
        let row = |name: &str, text: &str| Row { name: name.to_owned(), figures: Figures::parse(text).unwrap() };
        let rows = [
            row("2 robots, 60 s", "{\"open_ms\": 300, \"seek_p99_ms\": 16.5, \"video_p99_ms\": 20.25}"),
            row("small", "{\"peak_kib\": 102400}"),
            row("long", "{\"peak_kib\": 204800, \"values_kib\": 614400, \"seek_p99_ms\": 8, \"seek_median_ms\": 4}"),
        ];
        let peer = Figures::parse("{\"seek_p99_ms\": 60, \"seek_median_ms\": 40}").unwrap();
        let page = page(&rows, Some(&peer), "a machine");
        for part in [
            "| 2 robots, 60 s | 300.00 | 16.50 | - | 20.25 | - | - | - |",
            "| long | - | 8.00 | 4.00 | - | - | 600 | 200 |",
            "- 60 s of two robots open to their first state (<= 300 ms): 300.00 ms: met",
            "- seek of state, p99, in 60 s (<= 16 ms): 16.50 ms: MISSED",
            "- frame of our systems for 31 robots, p99 (<= 4 ms): not measured: MISSED",
            "2.00 x that of 60 s, 100 MiB more; its joint positions alone are 600 MiB",
            "median: 4.00 ms; pyarrow 40.00 ms, 10.0 x",
        ] {
            assert!(page.contains(part), "{page}\nlacks {part}");
        }
    }
}
