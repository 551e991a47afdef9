//! The command line's words. Every verb's `--help` shows an example.

mod import;
mod keys;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::fault::Fault;

pub(crate) use import::{Import, ImportLerobot, ImportRosbag};
pub(crate) use keys::{Keys, KeysHolders, KeysInit, KeysRecorder, KeysRenew, KeysShow, WithKeys};

/// The flight recorder of a robot training field.
///
/// Records humanoids' joints, motors and cameras over zenoh into Parquet and MP4, proves that nothing was lost,
/// exports datasets that LeRobot trains on, and shows episodes live and again in 3D.
#[derive(Debug, Parser)]
#[command(name = "sanqu", version, propagate_version = true, subcommand_required = true, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 ok, 1 failed, 2 usage,\n            3 finished but data was lost or is defective.\nStart here: sanqu demo"
)]
pub(crate) struct Cli {
    /// Folder with robots/ and field/ (default: ./assets, else the source tree's)
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) assets: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// The whole trip on this machine: simulated robots, router, recorder, verify, LeRobot, live view, 3D replay
    #[command(after_help = "Example: sanqu demo --seconds 10 --out /tmp/demo")]
    Demo(Demo),
    /// Simulated robots that publish over zenoh, or a recorded episode published again at its own pace
    #[command(
        after_help = "Examples: sanqu sim --connect tcp/127.0.0.1:7447 --seconds 60\n          sanqu sim --seconds 60 --fault lose@10:5 --fault restart@30\n          sanqu sim --fault backlash@5:leg_l4_joint --fault tooth@8:all\n          sanqu sim --from last --store S --connect tcp/127.0.0.1:7447"
    )]
    Sim(Sim),
    /// The recorder: an embedded zenoh router by default, episodes into a store
    #[command(after_help = "Example: sanqu record --store S --field desk --listen tcp/127.0.0.1:7447")]
    Record(Record),
    /// Start, stop and judge episodes of a running recorder
    #[command(
        subcommand,
        after_help = "Examples: sanqu episode start --station a01 --task inspect-vehicle\n          sanqu episode stop --station a01 --outcome success --wait"
    )]
    Episode(Episode),
    /// List a store's episodes
    #[command(after_help = "Example: sanqu ls recordings/demo/store")]
    Ls(Ls),
    /// What an episode or a file holds; exit code 3 when rows were lost
    #[command(after_help = "Example: sanqu info last --store recordings/demo/store")]
    Info(Info),
    /// Prove that stores and episodes are whole: hashes, row counts, loss accounts, pictures
    #[command(after_help = "Example: sanqu verify recordings/demo/store")]
    Verify(Verify),
    /// Recover what a killed recorder left behind, and say what was lost
    #[command(after_help = "Example: sanqu repair S")]
    Repair(Repair),
    /// SQL over a store: episodes, streams, loss, joint, motor, …
    #[command(
        after_help = "Examples: sanqu sql S \"SELECT robot, stream, rows, lost FROM streams\"\n          sanqu sql S \"SHOW TABLES\""
    )]
    Sql(Sql),
    /// Outside recordings become episodes
    #[command(subcommand, after_help = "Example: sanqu import rosbag session.bag --store S")]
    Import(Import),
    /// Datasets out
    #[command(subcommand, after_help = "Example: sanqu export lerobot --store S --out my-dataset")]
    Export(Export),
    /// Live view with rerun (program sanqu-live)
    #[command(after_help = "Example: sanqu live --connect tcp/127.0.0.1:7447 --rrd live.rrd", disable_help_flag = true)]
    Live(Passed),
    /// 3D replay of episodes (program sanqu-replay); --render needs no display
    #[command(after_help = "Example: sanqu replay last --store S --render k.png", disable_help_flag = true)]
    Replay(Passed),
    /// Robot descriptions: validate, forward kinematics
    #[command(subcommand, after_help = "Example: sanqu robot check assets/robots/kuavo-s45/robot.urdf")]
    Robot(Robot),
    /// Health of the drives that episodes recorded: wind-up, lost motion, stiffness, transmission error, efficiency, heat, life
    #[command(
        after_help = "Examples: sanqu drives last --store S\n          sanqu drives last --store S --joint l_knee_pitch\n          sanqu drives 01M7 01M8 --store S --json"
    )]
    Drives(Drives),
    /// Certificates of a field: who may record, publish, control and watch over TLS
    #[command(
        subcommand,
        after_help = "Examples: sanqu keys init --field desk --dir keys\n          sanqu keys recorder rec-1 --dir keys --host 10.0.3.1\n          sanqu keys robot all --dir keys"
    )]
    Keys(Keys),
    /// The effective configuration
    #[command(after_help = "Example: sanqu config --show --field qingdao")]
    Config(Config),
    /// Shell completions on stdout
    #[command(after_help = "Example: sanqu completions bash > /etc/bash_completion.d/sanqu")]
    Completions(Completions),
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Seconds recorded per robot, split into two episodes
    #[arg(long, default_value_t = 20.0, value_name = "S")]
    pub(crate) seconds: f64,
    /// How many of the field's robots take part
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub(crate) robots: usize,
    /// Where everything goes; must not exist yet, or be empty
    #[arg(long, default_value = "recordings/demo", value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Joint and motor rate
    #[arg(long, default_value_t = 500.0, value_name = "HZ")]
    pub(crate) rate: f64,
    /// Do not write a rerun recording of the live view
    #[arg(long)]
    pub(crate) no_live: bool,
    /// Do not render replay pictures
    #[arg(long)]
    pub(crate) no_replay: bool,
    /// Print the summary as JSON on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Sim {
    /// Field: a shipped one (desk, qingdao) or a TOML file
    #[arg(long, default_value = "desk", value_name = "F")]
    pub(crate) field: String,
    /// Robot ids with commas, or all
    #[arg(long, default_value = "all", value_name = "IDS")]
    pub(crate) robots: String,
    /// The router to publish to; with --keys tls/… [default: tcp/127.0.0.1:7447, with --keys tls/127.0.0.1:7447]
    #[arg(long, value_name = "EP")]
    pub(crate) connect: Option<String>,
    #[command(flatten)]
    pub(crate) keys: WithKeys,
    /// Stop after this time; without it, at Ctrl-C
    #[arg(long, value_name = "S")]
    pub(crate) seconds: Option<f64>,
    /// Seed of motions and noise
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// Joint and motor rate
    #[arg(long, default_value_t = 500.0, value_name = "HZ")]
    pub(crate) rate: f64,
    /// What goes wrong, and when: `mute@T:S` nothing leaves for S seconds from second T on, `lose@T:S` the same but the
    /// robots take it for sent, `restart@T` they crash and begin anew. Of one DRIVE (a motor or joint; `all`):
    /// `backlash@T:DRIVE[:RAD]` more play, `stiffness@T:DRIVE[:SHARE]` what is left of its stiffness (both grow for 10 s),
    /// `tooth@T:DRIVE[:RAD]` a damaged flexspline tooth, `hot@T:DRIVE[:W]` more heat in its winding
    #[arg(long, value_name = "KIND@T", conflicts_with = "from")]
    pub(crate) fault: Vec<Fault>,
    /// Publish this recorded episode instead: id, prefix, `last`, or its folder
    #[arg(long, value_name = "EPISODE")]
    pub(crate) from: Option<PathBuf>,
    /// The store of `--from`
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) store: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Record {
    /// The store; created if absent
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// Field: a shipped one (desk, qingdao) or a TOML file
    #[arg(long, default_value = "desk", value_name = "F")]
    pub(crate) field: String,
    /// Endpoint of the embedded router [default: tcp/127.0.0.1:7447, with --keys tls/127.0.0.1:7447]
    #[arg(long, value_name = "EP")]
    pub(crate) listen: Option<String>,
    /// Join this router instead of embedding one
    #[arg(long, value_name = "EP", conflicts_with = "listen")]
    pub(crate) connect: Option<String>,
    #[command(flatten)]
    pub(crate) keys: WithKeys,
    /// Record robots that the field does not know, too
    #[arg(long)]
    pub(crate) allow_unknown: bool,
    /// Journal flush period
    #[arg(long, default_value_t = 100, value_name = "MS")]
    pub(crate) flush_ms: u64,
    /// Journal fdatasync period
    #[arg(long, default_value_t = 1000, value_name = "MS")]
    pub(crate) sync_ms: u64,
    /// Kept from before a start
    #[arg(long, default_value_t = 2.0, value_name = "S")]
    pub(crate) pre_roll: f64,
    /// Serve /metrics (Prometheus) and /status (JSON) over HTTP, to whoever reaches this address
    #[arg(long, value_name = "ADDR")]
    pub(crate) http: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Episode {
    /// Begin an episode
    #[command(after_help = "Example: sanqu episode start --station a01 --task inspect-vehicle")]
    Start {
        /// The task taught, one of the field's
        #[arg(long, value_name = "ID")]
        task: Option<String>,
        #[command(flatten)]
        to: Station,
    },
    /// End it
    #[command(after_help = "Example: sanqu episode stop --station a01 --outcome success --wait")]
    Stop {
        /// How the task went
        #[arg(long, value_enum)]
        outcome: Option<OutcomeWord>,
        /// Wait until the episode is sealed and say whether rows were lost (exit code 3)
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        to: Station,
    },
    /// Mark the last episode as good
    #[command(after_help = "Example: sanqu episode keep --station a01")]
    Keep(Judgement),
    /// Mark the last episode as bad; nothing is deleted
    #[command(after_help = "Example: sanqu episode discard --station a01 --reason \"the cup fell\"")]
    Discard(Judgement),
    /// Take the last mark back
    #[command(after_help = "Example: sanqu episode undo --station a01")]
    Undo(Judgement),
    /// Say how the last episode's task ended
    #[command(after_help = "Example: sanqu episode outcome --station a01 --outcome failure")]
    Outcome {
        /// How the task went
        #[arg(long, value_enum)]
        outcome: OutcomeWord,
        #[command(flatten)]
        to: Station,
    },
    /// Note an event in the running episode
    #[command(after_help = "Example: sanqu episode mark --station a01 --text \"second attempt\"")]
    Mark {
        /// What happened
        #[arg(long, alias = "reason", default_value = "", hide_default_value = true, value_name = "TEXT")]
        text: String,
        #[command(flatten)]
        to: Station,
    },
    /// What the station is doing, how its last episode ended, and which of its robots are heard
    #[command(after_help = "Example: sanqu episode status --station a01")]
    Status {
        #[command(flatten)]
        to: Station,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Judgement {
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) to: Station,
}

/// A station of a running recorder, and who asks.
#[derive(Debug, Args)]
pub(crate) struct Station {
    /// The station
    #[arg(long, value_name = "ID")]
    pub(crate) station: String,
    /// The operator's pseudonym
    #[arg(long, value_name = "ID")]
    pub(crate) operator: Option<String>,
    /// The recorder's router [default: tcp/127.0.0.1:7447, with --keys tls/127.0.0.1:7447]
    #[arg(long, value_name = "EP")]
    pub(crate) connect: Option<String>,
    #[command(flatten)]
    pub(crate) keys: WithKeys,
    /// The recorder's field: a shipped one (desk, qingdao) or a TOML file
    #[arg(long, default_value = "desk", value_name = "F")]
    pub(crate) field: String,
    /// Print the reply as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum OutcomeWord {
    /// The task was done
    Success,
    /// It was not
    Failure,
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// The store
    pub(crate) store: PathBuf,
    /// JSON: episodes, open journals, and what cannot be read
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Info {
    /// An episode (id, prefix, `last`, folder) or a journal, Parquet or MP4 file
    pub(crate) what: PathBuf,
    /// The store that ids are looked up in
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// Print the manifest as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Stores or episode folders
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// JSON report
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Repair {
    /// The store
    pub(crate) store: PathBuf,
    /// JSON report
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Sql {
    /// The store
    pub(crate) store: PathBuf,
    /// The query
    pub(crate) query: String,
    /// Output form
    #[arg(long, value_enum, default_value_t = SqlFormat::Table)]
    pub(crate) format: SqlFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SqlFormat {
    /// For people
    Table,
    /// With a header line
    Csv,
    /// One array of objects
    Json,
    /// A Parquet file on stdout
    Parquet,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Export {
    /// A LeRobot v3.0 dataset; video is passed through
    #[command(after_help = "Example: sanqu export lerobot --store S --out set --where \"station = 'c01'\"")]
    Lerobot(ExportLerobot),
}

#[derive(Debug, Args)]
pub(crate) struct ExportLerobot {
    /// Episodes (id, prefix, `last`); none means all, or those of --where
    pub(crate) episodes: Vec<String>,
    /// The store
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// The dataset's folder; must not exist yet, or be empty
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Condition over the table `episodes`
    #[arg(long = "where", value_name = "SQL")]
    pub(crate) condition: Option<String>,
    /// Rows a second
    #[arg(long, default_value_t = 30, value_name = "N")]
    pub(crate) fps: u32,
    /// Only this robot, where episodes hold several
    #[arg(long, value_name = "ID")]
    pub(crate) robot: Option<String>,
    /// JSON report
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments handed to a sibling program as they are.
#[derive(Debug, Args)]
pub(crate) struct Passed {
    /// Arguments of the sibling program; `--help` shows them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    pub(crate) arguments: Vec<OsString>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Robot {
    /// Validate a description
    #[command(
        after_help = "Examples: sanqu robot check assets/robots/kuavo-s45/robot.urdf \\\n            --drives assets/robots/kuavo-s45/drives.toml\n          sanqu robot check R.urdf --drives D.toml --episode last --store S"
    )]
    Check(RobotCheck),
    /// Forward kinematics of every link
    #[command(after_help = "Example: sanqu robot fk assets/robots/kuavo-s45/robot.urdf \\\n           --q \"zarm_l4_joint=-1.57\" --json")]
    Fk(RobotFk),
}

#[derive(Debug, Args)]
pub(crate) struct RobotCheck {
    /// The URDF
    pub(crate) urdf: PathBuf,
    /// Its drives.toml
    #[arg(long, value_name = "F")]
    pub(crate) drives: Option<PathBuf>,
    /// An episode (id, prefix, `last`, folder) that the drives' ratios and signs are checked against
    #[arg(long, value_name = "EP", requires = "drives")]
    pub(crate) episode: Option<PathBuf>,
    /// The store that ids are looked up in
    #[arg(long, default_value = ".", value_name = "DIR", requires = "episode")]
    pub(crate) store: PathBuf,
    /// Which robot of the episode, where it holds several
    #[arg(long, value_name = "ID", requires = "episode")]
    pub(crate) robot: Option<String>,
    /// JSON report
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RobotFk {
    /// The URDF
    pub(crate) urdf: PathBuf,
    /// Joint positions, rad or m; joints not named are 0
    #[arg(long, default_value = "", value_name = "NAME=VAL,…", allow_hyphen_values = true)]
    pub(crate) q: String,
    /// Base pose: x,y,z,qx,qy,qz,qw
    #[arg(long, value_name = "POSE", allow_hyphen_values = true)]
    pub(crate) base: Option<String>,
    /// JSON: {"links": {"<link>": {"xyz": […], "quat_xyzw": […]}}}
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Drives {
    /// Episodes (id, prefix, `last`, folder); several give a trend of each part
    #[arg(required = true, value_name = "EPISODE")]
    pub(crate) episodes: Vec<PathBuf>,
    /// The store that ids are looked up in
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// Show only the drives of this joint (or this motor), and all that is known of them
    #[arg(long, value_name = "J")]
    pub(crate) joint: Option<String>,
    /// Leave derived/drive_health.parquet as it is
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// JSON report
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Config {
    /// Print it
    #[arg(long, required = true)]
    pub(crate) show: bool,
    /// Field: a shipped one or a TOML file
    #[arg(long, default_value = "desk", value_name = "F")]
    pub(crate) field: String,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _, Parser as _};

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// Words as a shell would split them: blanks part, double quotes keep together, a backslash continues a line.
    fn words(line: &str) -> Vec<String> {
        let pieces = line.split('"').enumerate();
        let split = |(index, piece): (usize, &str)| match index % 2 {
            0 => piece.split_whitespace().map(str::to_owned).collect(),
            _ => vec![piece.to_owned()],
        };
        pieces.flat_map(split).collect()
    }

    fn check(command: &Command, path: &str) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples: Vec<String> = help.replace("\\\n", " ").lines().map(str::to_owned).collect();
        let examples: Vec<&str> = examples.iter().filter_map(|line| Some(&line[line.find("sanqu ")?..])).collect();
        assert!(!examples.is_empty(), "{path} --help has no example");
        assert!(help.lines().all(|line| line.len() <= 80), "{path}: a terminal would break a line of the example");
        for example in examples {
            let example = example.split(" > ").next().unwrap();
            if let Err(error) = Cli::try_parse_from(words(example)) {
                panic!("{path}: the example {example:?} is refused: {error}");
            }
        }
        command
            .get_subcommands()
            .filter(|verb| verb.get_name() != "help")
            .for_each(|verb| check(verb, &format!("{path} {}", verb.get_name())));
    }

    #[test]
    fn every_verb_shows_an_example_that_is_accepted() {
        check(&Cli::command(), "sanqu");
    }
}
