//! The benchmark itself: which runs, in which order, and what becomes of their results.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;

use crate::kills;
use crate::machine::Machine;
use crate::plan::Step;
use crate::ramp;
use crate::report::{Results, TierRow};
use crate::sinks::Periods;
use crate::trial::{Bench, SinkKind, Trial};
use crate::writers;

/// What is run side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tier {
    /// 2 robots.
    Desk,
    /// 8 robots.
    #[value(name = "8")]
    Eight,
    /// The whole field: 31 robots.
    Field,
    /// 31 robots at a rate that grows until something is lost.
    Ramp,
    /// The writers alone, without a bus.
    Writers,
    /// Everything.
    All,
}

/// What `record` is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to run.
    #[arg(long, value_enum, default_value = "all")]
    tier: Tier,
    /// Length of each run, s.
    #[arg(long, default_value_t = 120)]
    seconds: u32,
    /// Sinks to run; all that are there by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    sinks: Vec<SinkKind>,
    /// ReductStore's program: cargo install reductstore --version 1.21.5 --no-default-features --features
    /// fs-backend,zenoh-api --root DIR, then DIR/bin/reductstore.
    #[arg(long)]
    reductstore: Option<PathBuf>,
    /// Seal what was recorded and read the sealed episodes back; otherwise the journals are read back.
    #[arg(long)]
    seal: bool,
    /// How often each sink is killed at a random moment.
    #[arg(long, default_value_t = 0)]
    kills: u32,
    /// Decides phases, payloads and the moments of the kills.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Where the results are kept; a run replaces what an earlier one had found for the same tier and sink.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write docs/benchmarks.md of the results that are kept.
    #[arg(long)]
    write_docs: bool,
    /// Attach `perf record -g` to the sinks and leave its files in this folder.
    #[arg(long)]
    perf: Option<PathBuf>,
    /// Where everything is written while it runs.
    #[arg(long)]
    out: PathBuf,
    /// The project's folder.
    #[arg(long, default_value = ".")]
    repo: PathBuf,
    #[command(flatten)]
    periods: Periods,
}

/// Runs what is asked for.
///
/// # Errors
/// When a run cannot be made; the others are made all the same, and what was found is kept.
pub(crate) fn run(args: &Args) -> Result<()> {
    let bench = Bench {
        program: std::env::current_exe().context("where is this program?")?,
        field: args.repo.join("assets/field/qingdao.toml"),
        robots: args.repo.join("assets/robots"),
        out: args.out.clone(),
        reductstore: args.reductstore.clone(),
        periods: args.periods,
        perf: args.perf.clone(),
    };
    ensure!(args.seconds > 0, "--seconds must be at least 1");
    let json = args.json.clone().unwrap_or_else(|| args.out.join("results.json"));
    let mut results = Results::open(&json)?;
    (results.sync_ms, results.flush_ms) = (args.periods.sync_ms, args.periods.flush_ms);
    results.machine = Machine::read(&args.repo, &args.out)?;
    let mut failed: Vec<String> = Vec::new();
    for (tier, robots) in [(Tier::Desk, 2), (Tier::Eight, 8), (Tier::Field, 31)] {
        if args.tier == tier || args.tier == Tier::All {
            for sink in args.sinks() {
                let trial = Trial { sink, robots, seed: args.seed, steps: args.steady(), until_loss: false, seal: args.seal };
                let name = tier.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
                eprintln!("{name}: {robots} robots into {}, {} s", sink.name(), args.seconds);
                match bench.run(&trial) {
                    Ok(outcome) => results.add_tier(TierRow { tier: name, outcome }),
                    Err(error) => failed.push(format!("{name}, {}: {error:#}", sink.name())),
                }
                results.keep(&json)?;
            }
        }
    }
    if matches!(args.tier, Tier::Ramp | Tier::All) {
        for sink in args.sinks() {
            eprintln!("ramp: 31 robots into {}", sink.name());
            match ramp::run(&bench, sink, args.seed) {
                Ok(ramp) => results.add_ramp(ramp),
                Err(error) => failed.push(format!("ramp, {}: {error:#}", sink.name())),
            }
            results.keep(&json)?;
        }
    }
    if matches!(args.tier, Tier::Writers | Tier::All) {
        eprintln!("writers alone");
        results.writers = writers::run(&bench)?;
        results.keep(&json)?;
    }
    for sink in args.sinks() {
        if args.kills > 0 {
            eprintln!("{} kills of {}", args.kills, sink.name());
            let mut rng = ChaCha8Rng::seed_from_u64(args.seed);
            match kills::run(&bench, sink, args.kills, args.seed, &mut rng) {
                Ok(kills) => results.add_kills(kills),
                Err(error) => failed.push(format!("kills, {}: {error:#}", sink.name())),
            }
            results.keep(&json)?;
        }
    }
    println!("{}", results.text());
    if args.write_docs {
        let path = args.repo.join("docs/benchmarks.md");
        std::fs::write(&path, results.page()).with_context(|| path.display().to_string())?;
        eprintln!("wrote {}", path.display());
    }
    eprintln!("results are kept in {}", json.display());
    ensure!(failed.is_empty(), "some runs could not be made:\n  {}", failed.join("\n  "));
    Ok(())
}

impl Args {
    fn sinks(&self) -> Vec<SinkKind> {
        if !self.sinks.is_empty() {
            return self.sinks.clone();
        }
        let mut sinks = vec![SinkKind::Recorder, SinkKind::Bare];
        sinks.extend(self.reductstore.is_some().then_some(SinkKind::Reductstore));
        sinks
    }

    fn steady(&self) -> Vec<Step> {
        let millis = u32::try_from(Duration::from_secs(u64::from(self.seconds)).as_millis()).unwrap_or(u32::MAX);
        vec![Step { permille: 1000, millis }]
    }
}
