use std::path::PathBuf;

use bevy::math::UVec2;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser};
use sanqu_replay::camera::Preset;
use sanqu_replay::compare::Align;
use sanqu_replay::live::{HOLD_SECS, LIVE_DELAY_SECS, LIVE_DELAY_SECS_MAX};
use sanqu_replay::render::{EDGE_RANGE_PX, SHEET_STILLS, SHEET_STILLS_MAX};
use sanqu_replay::timeline::SPEED_RANGE;

/// Longest film, s.
const FILM_SECS_MAX: f64 = 3600.0;
/// Farthest that ghosts can be moved in time, s.
const NUDGE_SECS_MAX: f64 = 86_400.0;

/// 3D replay of recorded episodes, in a window or as pictures.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Examples:\n  sanqu-replay --store recordings/demo/store\n  sanqu-replay last --store recordings/demo/store\n  sanqu-replay 01K8 01K9 --store recordings/demo/store --render both.mp4 --seconds 8\n  sanqu-replay recordings/demo/store/episodes/date=2026-11-21/station=a01/01K8… --at 3.5 --camera robot1 --render still.png\n  sanqu-replay last --store recordings/demo/store --contact-sheet --render sheet.png\n  sanqu-replay 01K8 01K9 --store recordings/demo/store --compare --align grasp\n  sanqu-replay last --store recordings/demo/store --compare --json\n  sanqu-replay --live --connect tcp/127.0.0.1:7447\n  sanqu-replay --live --render now.png"
)]
pub(crate) struct Args {
    /// Episodes: folders, or with --store the beginnings of ids, or `last`; none opens a list to choose from
    #[arg(value_name = "EPISODE")]
    pub(crate) episodes: Vec<String>,
    /// The store that ids are looked up in
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Follow the running field instead of an episode; the program sanqu-live subscribes for it
    #[arg(long, conflicts_with_all = ["episodes", "store", "contact_sheet", "repeat", "measure", "compare", "json"])]
    pub(crate) live: bool,
    /// With --live: the router to read from, a zenoh endpoint [default: tcp/127.0.0.1:7447, with --keys tls/127.0.0.1:7447]
    #[arg(long, value_name = "EP")]
    pub(crate) connect: Option<String>,
    /// With --live: talk TLS with these keys of a viewer (`sanqu keys`)
    #[arg(long, value_name = "DIR")]
    pub(crate) keys: Option<PathBuf>,
    /// With --live: how far behind the newest rows the picture is, so that slower streams are in it, too [default: 0.3]
    #[arg(long, value_name = "S", value_parser = delay)]
    pub(crate) delay: Option<f64>,
    /// Where to begin, seconds after the start [default: the start; the middle for a still]; of a still with --live: how long to
    /// wait once all robots have come [default: 0]
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    pub(crate) at: Option<f64>,
    /// Capture seconds per second
    #[arg(long, value_name = "X", default_value = "1", value_parser = speed)]
    pub(crate) speed: f64,
    /// Where to look from: overview, robot1, robot2, …, front, top
    #[arg(long, value_name = "PRESET", default_value = "overview", value_parser = preset)]
    pub(crate) camera: Preset,
    /// Look into the drive of this joint; robot:joint when several robots have it
    #[arg(long, value_name = "JOINT")]
    pub(crate) xray: Option<String>,
    /// Compare two episodes, or one's commands with what was measured: a translucent ghost in the robot's place, and the difference of each joint
    #[arg(long, conflicts_with_all = ["contact_sheet", "measure"])]
    pub(crate) compare: bool,
    /// Which instants of two episodes belong together: start, time, or an event of both (its name or words; mark#2 is the second) [default: time where they overlap, else start]
    #[arg(long, value_name = "start|time|EVENT", requires = "compare")]
    pub(crate) align: Option<Align>,
    /// Show the ghost this much later than aligned, seconds; negative: earlier
    #[arg(long, value_name = "S", default_value = "0", value_parser = nudge, allow_negative_numbers = true, requires = "compare")]
    pub(crate) nudge: f64,
    /// Print the differences as JSON instead of showing them
    #[arg(long, requires = "compare", conflicts_with = "render")]
    pub(crate) json: bool,
    /// Draw into this file instead of a window; needs no display
    #[arg(long, value_name = "OUT.png|OUT.mp4", value_parser = picture_path)]
    pub(crate) render: Option<PathBuf>,
    /// Draw a page of stills at even times, each with the video's frames, into the PNG that --render names
    #[arg(long, requires = "render")]
    pub(crate) contact_sheet: bool,
    /// How many stills a contact sheet has
    #[arg(long, value_name = "N", default_value_t = SHEET_STILLS, value_parser = clap::value_parser!(u32).range(1..=i64::from(SHEET_STILLS_MAX)), requires = "contact_sheet")]
    pub(crate) stills: u32,
    /// Measure instead of showing: opening, seeking, video, frames; with a number, for that many robots
    #[arg(long, hide = true, value_name = "ROBOTS", num_args = 0..=1, require_equals = true, default_missing_value = "0", conflicts_with = "render")]
    pub(crate) measure: Option<usize>,
    /// Print what was measured as one JSON object
    #[arg(long, hide = true, requires = "measure")]
    pub(crate) measure_json: bool,
    /// Size of the picture or window in pixels, as 1280x720
    #[arg(long, value_name = "WxH", value_parser = size)]
    pub(crate) size: Option<UVec2>,
    /// Length of a film, seconds [default: 10, or to the end of the episode]; with --live at most what is held, 60
    #[arg(long, value_name = "N", value_parser = film_seconds, requires = "render")]
    pub(crate) seconds: Option<f64>,
    /// What is shown between two samples: the last one, or the straight way to the next where both are there
    /// [default: hold; in a window as it was last time]
    #[arg(long, value_name = "HOW", value_parser = ["hold", "interpolate"])]
    pub(crate) between: Option<String>,
    /// Play these seconds after the start again and again, as 2.5-4
    #[arg(long, value_name = "A-B", value_parser = span)]
    pub(crate) repeat: Option<(f64, f64)>,
    /// Draw the scene alone, without timeline and video panels
    #[arg(long)]
    pub(crate) plain: bool,
    /// Language of words in the picture [default: in a window as last time, else the locale's]
    #[arg(long, value_name = "en|zh", value_parser = ["en", "zh"])]
    pub(crate) lang: Option<String>,
    /// The field file [default: the shipped one of the episode's field; with --live, where a shipped field's name will do, desk]
    #[arg(long, value_name = "F.toml")]
    pub(crate) field: Option<PathBuf>,
    /// The description of a robot that is not one of ours: its id, or its model's name, and a URDF; may be repeated
    #[arg(long = "robot", value_name = "ROBOT=URDF", value_parser = robot_urdf)]
    pub(crate) urdfs: Vec<(String, PathBuf)>,
    /// A folder of ROS packages, or a package, to look for mesh files in; may be repeated
    #[arg(long, value_name = "DIR", value_parser = folder)]
    pub(crate) packages: Vec<PathBuf>,
}

impl Args {
    /// Whether a window is to be opened.
    pub(crate) fn is_windowed(&self) -> bool {
        self.render.is_none() && self.measure.is_none() && !self.json
    }

    /// How far behind the newest rows a live replay is, s.
    pub(crate) fn delay_secs(&self) -> f64 {
        self.delay.unwrap_or(LIVE_DELAY_SECS)
    }

    /// What clap cannot say: only a window can ask for an episode, and what is for a live replay only.
    ///
    /// # Errors
    /// clap's, for the user.
    pub(crate) fn check(self) -> Result<Self, clap::Error> {
        let live_only = self.connect.is_some() || self.keys.is_some() || self.delay.is_some();
        if live_only && !self.live {
            return Err(Self::command().error(ErrorKind::MissingRequiredArgument, "--connect, --keys and --delay are for --live"));
        }
        let long = [self.at.unwrap_or(0.0), self.seconds.unwrap_or(0.0)].into_iter().find(|seconds| *seconds > f64::from(HOLD_SECS));
        if let Some(seconds) = long.filter(|_| self.live) {
            let what = format!("{seconds} s: with --live the last {HOLD_SECS} s are held");
            return Err(Self::command().error(ErrorKind::ValueValidation, what));
        }
        if self.episodes.is_empty() && !self.live && !self.is_windowed() {
            let what = "name an EPISODE: a folder, or with --store the beginning of an id, or `last`; `sanqu ls STORE` lists them";
            return Err(Self::command().error(ErrorKind::MissingRequiredArgument, what));
        }
        Ok(self)
    }
}

fn robot_urdf(text: &str) -> Result<(String, PathBuf), String> {
    let (robot, urdf) = text.split_once('=').filter(|(robot, _)| !robot.is_empty()).ok_or("expected ROBOT=URDF, as g1=g1.urdf")?;
    let urdf = PathBuf::from(urdf);
    if urdf.is_file() { Ok((robot.to_owned(), urdf)) } else { Err(format!("there is no file {}", urdf.display())) }
}

fn folder(text: &str) -> Result<PathBuf, String> {
    let folder = PathBuf::from(text);
    if folder.is_dir() { Ok(folder) } else { Err("expected a folder that is there".to_owned()) }
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected seconds".to_owned())?;
    if seconds.is_finite() && seconds >= 0.0 { Ok(seconds) } else { Err("expected seconds from 0".to_owned()) }
}

fn nudge(text: &str) -> Result<f64, String> {
    let seconds: Option<f64> = text.parse().ok().filter(|seconds: &f64| seconds.abs() <= NUDGE_SECS_MAX);
    seconds.ok_or_else(|| format!("expected seconds from -{NUDGE_SECS_MAX} to {NUDGE_SECS_MAX}"))
}

fn delay(text: &str) -> Result<f64, String> {
    let good = seconds(text).ok().filter(|seconds| *seconds <= LIVE_DELAY_SECS_MAX);
    good.ok_or_else(|| format!("expected seconds from 0 to {LIVE_DELAY_SECS_MAX}"))
}

fn span(text: &str) -> Result<(f64, f64), String> {
    let both = text.split_once('-').and_then(|(from, to)| Some((seconds(from).ok()?, seconds(to).ok()?)));
    both.filter(|(from, to)| from < to).ok_or_else(|| "expected two times in seconds, the first before the second, as 2.5-4".to_owned())
}

fn film_seconds(text: &str) -> Result<f64, String> {
    seconds(text)
        .ok()
        .filter(|seconds| *seconds > 0.0 && *seconds <= FILM_SECS_MAX)
        .ok_or_else(|| format!("expected seconds above 0 and up to {FILM_SECS_MAX}"))
}

fn speed(text: &str) -> Result<f64, String> {
    let (low, high) = SPEED_RANGE;
    text.parse().ok().filter(|speed| (low..=high).contains(speed)).ok_or_else(|| format!("expected a factor from {low} to {high}"))
}

fn preset(text: &str) -> Result<Preset, String> {
    Preset::parse(text).ok_or_else(|| format!("expected one of {} (or robotN)", Preset::NAMES.join(", ")))
}

fn picture_path(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let known = path.extension().is_some_and(|extension| extension == "png" || extension == "mp4");
    if known { Ok(path) } else { Err("expected a file name that ends in .png or .mp4".to_owned()) }
}

fn size(text: &str) -> Result<UVec2, String> {
    let (low, high) = EDGE_RANGE_PX;
    let edge = |text: &str| text.parse().ok().filter(|edge: &u32| (low..=high).contains(edge) && edge.is_multiple_of(2));
    let both = text.split_once('x').and_then(|(width, height)| Some(UVec2::new(edge(width)?, edge(height)?)));
    both.ok_or_else(|| format!("expected width and height as 1280x720, even numbers from {low} to {high}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn only_a_window_goes_without_an_episode() {
        let parse = |line: &str| Args::try_parse_from(line.split(' ')).unwrap().check();
        assert!(parse("sanqu-replay --store s").is_ok());
        assert!(parse("sanqu-replay last --render a.png").is_ok());
        let refused = parse("sanqu-replay --store s --render a.png").unwrap_err();
        assert_eq!((refused.exit_code(), refused.to_string().contains("EPISODE")), (2, true));
    }

    #[test]
    fn values_are_checked() {
        assert_eq!(size("640x360"), Ok(UVec2::new(640, 360)));
        for bad in ["640", "640x", "0x10", "641x360", "640x9999", "-2x4"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        for bad in ["-1", "nan", "x"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
        assert_eq!(span("2.5-4"), Ok((2.5, 4.0)));
        for bad in ["2.5", "4-2.5", "2--3", "a-b", "3-3"] {
            assert!(span(bad).is_err(), "{bad}");
        }
        assert!(nudge("-0.25").is_ok() && nudge("nan").is_err() && nudge("1e9").is_err());
        assert!(Args::try_parse_from(["sanqu-replay", "last", "--align", "start"]).is_err(), "--align is for --compare");
        assert!(Args::try_parse_from(["sanqu-replay", "last", "--json"]).is_err(), "--json is for --compare");
        let windowed = |more: &[&str]| Args::try_parse_from([&["sanqu-replay", "last", "--compare"], more].concat()).unwrap().is_windowed();
        assert!(windowed(&[]) && !windowed(&["--json"]));
        assert!(film_seconds("0").is_err() && film_seconds("3601").is_err() && film_seconds("1.5").is_ok());
        assert!(speed("0.009").is_err() && speed("0.01").is_ok() && speed("16.1").is_err() && picture_path("a.gif").is_err());
        assert!(robot_urdf("g1").is_err() && robot_urdf("=Cargo.toml").is_err() && robot_urdf("g1=absent.urdf").is_err());
        assert_eq!(robot_urdf("g1=Cargo.toml"), Ok(("g1".to_owned(), PathBuf::from("Cargo.toml"))));
        assert!(folder("src").is_ok() && folder("Cargo.toml").is_err());
        assert!(Args::try_parse_from(["sanqu-replay", "last", "--seconds", "3"]).is_err(), "--seconds is for films");
    }

    #[test]
    fn live_is_instead_of_an_episode() {
        let parse = |more: &[&str]| Args::try_parse_from(["sanqu-replay"].iter().chain(more)).and_then(Args::check);
        let live = parse(&["--live", "--delay", "0.5", "--connect", "tcp/a:1", "--field", "desk"]).unwrap();
        assert!(live.live && (live.delay_secs() - 0.5).abs() < 1e-9);
        assert!(
            (parse(&["--live"]).unwrap().delay_secs() - LIVE_DELAY_SECS).abs() < 1e-9 && parse(&["--live", "--render", "a.png"]).is_ok()
        );
        for bad in [
            &["last", "--live"][..],
            &["--live", "--store", "s"],
            &["--live", "--repeat", "1-2"],
            &["--live", "--compare"],
            &["--live", "--render", "a.png", "--contact-sheet"],
            &["--live", "--delay", "31"],
            &["--live", "--render", "a.mp4", "--seconds", "61"],
            &["--live", "--at", "61"],
            &["last", "--connect", "tcp/a:1"],
            &["last", "--delay", "1"],
        ] {
            assert_eq!(parse(bad).unwrap_err().exit_code(), 2, "{bad:?}");
        }
    }
}
