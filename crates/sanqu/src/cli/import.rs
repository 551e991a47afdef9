//! What `sanqu import` can be told.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// ROS 1 bags of 夸父; bags that overlap in time become one episode
    #[command(after_help = "Example: sanqu import rosbag session.bag --store S")]
    Rosbag(ImportRosbag),
    /// LeRobot datasets (v2.1, v3.0): each episode becomes one; video is passed through
    #[command(
        after_help = "Examples: sanqu import lerobot my-dataset --store S\n          sanqu import lerobot g1-set --store S --episode 0,4 \\\n            --description g1/ --map joints.toml\n\nA map file names joints: unit = \"rad\", then [joints] with\n\"<name in the dataset>\" = \"<joint of the description>\".\nExit code 3: something was left out; the output says what."
    )]
    Lerobot(ImportLerobot),
}

#[derive(Debug, Args)]
pub(crate) struct ImportRosbag {
    /// The bags
    #[arg(required = true)]
    pub(crate) bags: Vec<PathBuf>,
    /// The store; created if absent
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// Field the episode belongs to
    #[arg(long, default_value = "desk", value_name = "F")]
    pub(crate) field: String,
    /// Which robot of the field was recorded
    #[arg(long, default_value = sanqu_dataset::DEFAULT_ROBOT, value_name = "ID")]
    pub(crate) robot: String,
    /// The task that was taught
    #[arg(long, value_name = "ID")]
    pub(crate) task: Option<String>,
    /// The operator's pseudonym
    #[arg(long, value_name = "ID")]
    pub(crate) operator: Option<String>,
    /// JSON report
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImportLerobot {
    /// The datasets' folders
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// The store; created if absent
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// Map file: which name in the dataset is which joint
    #[arg(long, value_name = "F")]
    pub(crate) map: Option<PathBuf>,
    /// Only these episodes (numbers in the dataset)
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub(crate) episode: Vec<u64>,
    /// Field the episodes belong to
    #[arg(long, default_value = "desk", value_name = "F")]
    pub(crate) field: String,
    /// The robot's id; otherwise made of the dataset's robot_type
    #[arg(long, value_name = "ID")]
    pub(crate) robot: Option<String>,
    /// The robot's model; otherwise made of the dataset's robot_type
    #[arg(long, value_name = "ID")]
    pub(crate) model: Option<String>,
    /// Folder of the robot's description (robot.urdf and meshes); otherwise the shipped one of its model, if there is one
    #[arg(long, value_name = "DIR")]
    pub(crate) description: Option<PathBuf>,
    /// The station; "unknown" if the dataset does not say
    #[arg(long, value_name = "ID")]
    pub(crate) station: Option<String>,
    /// The task; the prompt is the dataset's text
    #[arg(long, value_name = "ID")]
    pub(crate) task: Option<String>,
    /// The operator's pseudonym
    #[arg(long, value_name = "ID")]
    pub(crate) operator: Option<String>,
    /// When the first episode began, as 2026-03-01T09:30:00+08:00; datasets do not say, 2000-01-01T00:00:00Z stands for that
    #[arg(long, value_name = "TIME")]
    pub(crate) start: Option<String>,
    /// JSON report
    #[arg(long)]
    pub(crate) json: bool,
}
