//! `sanqu-live`: the live view of a running field. `sanqu live` starts it.
#![expect(clippy::print_stderr, reason = "a program for people: it says where its view is")]

use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use sanqu_ingest::{Keys, Node, Role};
use sanqu_live::{ArrowPipe, DEFAULT_PORT, LiveView, Stage, Target};
use sanqu_model::{FieldConfig, now_ns};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Live view of a field with rerun: joints, motors, cameras and the robots in 3D, while it happens.
///
/// Reads the bus like any other subscriber and may drop what a slow viewer cannot take; the recorder never notices.
/// Without --rrd, --serve or --spawn it serves on 127.0.0.1:9876. Ctrl-C ends it and completes the file.
#[derive(Debug, Parser)]
#[command(
    name = "sanqu-live",
    version,
    after_help = "Example: sanqu-live --connect tcp/127.0.0.1:7447 --serve 127.0.0.1:9876 --rrd live.rrd"
)]
struct Args {
    /// The router to read from, a zenoh endpoint [default: tcp/127.0.0.1:7447, with --keys tls/127.0.0.1:7447]
    #[arg(long, value_name = "EP")]
    connect: Option<String>,
    /// Talk TLS with these keys of a viewer: its folder, or the folder of all (`sanqu keys`)
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// Field: a shipped one (desk, qingdao) or a TOML file
    #[arg(long, value_name = "F", default_value = "desk")]
    field: String,
    /// Folder with one folder per robot model (default: the shipped one)
    #[arg(long, value_name = "DIR")]
    robots_dir: Option<PathBuf>,
    /// Write a rerun recording; an existing file is replaced
    #[arg(long, value_name = "FILE")]
    rrd: Option<PathBuf>,
    /// Serve viewers that dial this address; rerun has no authentication, so keep to a loopback address
    #[arg(long, value_name = "ADDR")]
    serve: Option<SocketAddr>,
    /// Show it in a rerun viewer on this computer; one is started if none runs
    #[arg(long)]
    spawn: bool,
    /// Write all samples to stdout as one Arrow IPC stream instead (docs/live-pipe.md): what `sanqu-replay --live` reads
    #[arg(long, conflicts_with_all = ["rrd", "serve", "spawn"])]
    arrow: bool,
    /// End after this time
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sanqu-live: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<()> {
    let length = args.seconds.map(Duration::try_from_secs_f64).transpose().context("--seconds")?;
    // Before anything is opened, so that no signal finds a half-open file.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let config = field(&args.field)?;
    if args.arrow {
        return pipe(args, &config, length, (interrupt, terminate)).await;
    }
    let robots_dir = args.robots_dir.clone().unwrap_or_else(|| assets().join("robots"));
    let stage = Stage::load(&config, &robots_dir)?;
    let node = dial(args).await?;
    let view = LiveView::start(&node, &config.field, stage, &targets(args)).await?;
    for target in view.targets() {
        let everybody = matches!(&target, Target::Serve(address) if !address.ip().is_loopback());
        let warning = if everybody { " to everybody who can reach this computer" } else { "" };
        match target {
            Target::Serve(_) => eprintln!("sanqu-live: serving {target}{warning}; open it with: rerun {target}"),
            other => eprintln!("sanqu-live: drawing into {other}"),
        }
    }
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = tokio::time::sleep(length.unwrap_or_default()), if length.is_some() => {}
    }
    let mut outcome = Ok(());
    for report in view.close() {
        match report {
            Ok(report) => eprintln!("sanqu-live: {report}"),
            Err(error) => outcome = outcome.and(Err(error)),
        }
    }
    node.close().await?;
    Ok(outcome?)
}

/// Writes the field's samples to stdout until a signal comes, the time is over or the reader is gone.
async fn pipe(args: &Args, config: &FieldConfig, length: Option<Duration>, (mut interrupt, mut terminate): (Signal, Signal)) -> Result<()> {
    let node = dial(args).await?;
    // Not Rust's own stdout, which looks for line ends in what is written.
    let stdout = std::fs::File::from(std::io::stdout().as_fd().try_clone_to_owned().context("stdout")?);
    let pipe = ArrowPipe::start(&node, &config.field, stdout).await?;
    eprintln!("sanqu-live: writing samples of field {} as Arrow IPC", config.field);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = pipe.follow(&node) => {}
        () = tokio::time::sleep(length.unwrap_or_default()), if length.is_some() => {}
    }
    let report = pipe.close()?;
    eprintln!("sanqu-live: {report}");
    Ok(node.close().await?)
}

async fn dial(args: &Args) -> Result<Node> {
    let endpoint = |default: &str| args.connect.clone().unwrap_or_else(|| default.to_owned());
    Ok(match &args.keys {
        Some(dir) => {
            let keys = Keys::find(dir, Role::Viewer, None, now_ns())?;
            Node::secured_client(&endpoint("tls/127.0.0.1:7447"), &keys).await?
        }
        None => {
            let endpoint = endpoint("tcp/127.0.0.1:7447");
            let node = Node::client(&endpoint).await;
            // What refuses strangers does not answer them either.
            if endpoint.starts_with("tls/") { node.context("without --keys (the keys of a viewer)")? } else { node? }
        }
    })
}

fn targets(args: &Args) -> Vec<Target> {
    let mut targets: Vec<Target> = args.rrd.iter().cloned().map(Target::File).collect();
    targets.extend(args.serve.map(Target::Serve));
    if args.spawn {
        targets.push(Target::Viewer);
    }
    if targets.is_empty() {
        targets.push(Target::Serve(SocketAddr::from(([127, 0, 0, 1], DEFAULT_PORT))));
    }
    targets
}

/// `./assets`, else the folder of the source tree that this program was built from.
fn assets() -> PathBuf {
    let here = PathBuf::from("assets");
    if here.join("robots").is_dir() { here } else { Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets") }
}

fn field(name: &str) -> Result<FieldConfig> {
    let shipped = assets().join("field").join(format!("{name}.toml"));
    let path = if Path::new(name).is_file() { PathBuf::from(name) } else { shipped };
    if !path.is_file() {
        bail!("no field {name:?}: neither a file nor {}", path.display());
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read field file {}", path.display()))?;
    FieldConfig::parse(&text).with_context(|| format!("field file {}", path.display()))
}
