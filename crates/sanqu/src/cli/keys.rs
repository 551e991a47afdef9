//! `sanqu keys`: the words.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make the field's certificate authority
    #[command(after_help = "Example: sanqu keys init --field desk --dir keys")]
    Init(KeysInit),
    /// Keys of a recorder, for the names and addresses under which it is dialled
    #[command(after_help = "Example: sanqu keys recorder rec-1 --host 10.0.3.1 --host rec-1.lan")]
    Recorder(KeysRecorder),
    /// Keys of robots; each publishes its own streams only
    #[command(after_help = "Examples: sanqu keys robot kuavo-01 walker-s-01\n          sanqu keys robot all")]
    Robot(KeysHolders),
    /// Keys of operators; each controls the stations that the field file gives them
    #[command(after_help = "Example: sanqu keys operator op-07")]
    Operator(KeysHolders),
    /// Keys of viewers; they read and change nothing
    #[command(after_help = "Example: sanqu keys viewer wall-1")]
    Viewer(KeysHolders),
    /// New certificates and private keys in place of the present ones, for the same names
    #[command(after_help = "Examples: sanqu keys renew robot-kuavo-01\n          sanqu keys renew all --days 365")]
    Renew(KeysRenew),
    /// Who has keys, until when, and what is wrong with them; exit code 3 when something is
    #[command(after_help = "Example: sanqu keys show keys")]
    Show(KeysShow),
}

#[derive(Debug, Args)]
pub(crate) struct KeysInit {
    /// The field: a shipped one (desk, qingdao) or a TOML file
    #[arg(long, default_value = "desk", value_name = "F")]
    pub(crate) field: String,
    /// Folder for everything
    #[arg(long, default_value = "keys", value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// A further domain or host name that recorders may have, beside private addresses, localhost, .lan, .local and .internal
    #[arg(long, value_name = "NAME")]
    pub(crate) domain: Vec<String>,
    /// How long the authority is valid
    #[arg(long, default_value_t = 3650, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36500))]
    pub(crate) days: u32,
    /// Replace an authority; all keys that it made are then worthless
    #[arg(long)]
    pub(crate) force: bool,
}

/// Where keys are made, and for how long.
#[derive(Debug, Args)]
pub(crate) struct KeysMade {
    /// Folder of the authority (`sanqu keys init`)
    #[arg(long, default_value = "keys", value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// How long they are valid
    #[arg(long, default_value_t = 365, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) days: u32,
}

#[derive(Debug, Args)]
pub(crate) struct KeysRecorder {
    /// The recorder's id
    pub(crate) id: String,
    /// A host name or address under which robots, operators and viewers dial it (localhost is always in)
    #[arg(long, required = true, value_name = "HOST")]
    pub(crate) host: Vec<String>,
    #[command(flatten)]
    pub(crate) made: KeysMade,
    /// Replace keys that are there
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct KeysHolders {
    /// Ids from the field file, or all
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) made: KeysMade,
    /// The field file, where it is not the shipped one of that name
    #[arg(long, value_name = "F")]
    pub(crate) field: Option<String>,
    /// Replace keys that are there
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct KeysRenew {
    /// Folders of keys in --dir, or all
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) made: KeysMade,
}

#[derive(Debug, Args)]
pub(crate) struct KeysShow {
    /// The authority's folder, or one holder's
    #[arg(default_value = "keys", value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// The field file, where it is not the shipped one of that name
    #[arg(long, value_name = "F")]
    pub(crate) field: Option<String>,
    /// JSON report
    #[arg(long)]
    pub(crate) json: bool,
}

/// `--keys` of everything that talks to a recorder.
#[derive(Clone, Debug, Args)]
pub(crate) struct WithKeys {
    /// Talk TLS with these keys: one holder's folder, or the folder of all (`sanqu keys`)
    #[arg(long = "keys", value_name = "DIR")]
    pub(crate) keys: Option<PathBuf>,
}
