//! `sanqu drives`: the health of drives, from the motor and joint streams of episodes.

mod pairing;
mod read;
mod report;
mod trends;
mod write;

use anyhow::{Result, bail};
use sanqu_store::Episode;

use self::read::Assessed;
use self::report::EpisodeDrives;
use crate::cli::Drives;
use crate::outcome::Outcome;
use crate::progress::Waiting;

/// Assesses every drive of the episodes, prints tables and writes `derived/drive_health.parquet`. Exit code 3 when rows of the
/// streams were lost, values were not finite, or a ratio contradicts its description.
///
/// # Errors
/// When an episode is not found or cannot be read, none of its robots has drives that can be assessed, no drive moves the joint that
/// is asked for, or the table cannot be written.
pub(crate) fn run(args: &Drives) -> Result<Outcome> {
    let mut found: Vec<EpisodeDrives> = Vec::new();
    for what in &args.episodes {
        let episode = super::info::find(what, &args.store)?;
        if found.iter().any(|other| other.episode.manifest().episode == episode.manifest().episode) {
            continue;
        }
        found.push(assess(episode)?);
    }
    found.sort_by_key(|episode| (episode.episode.manifest().start_ns, episode.episode.manifest().episode));
    let shown = |drive: &Assessed| args.joint.as_ref().is_none_or(|joint| drive.is(joint));
    check_joint(args, &found, shown)?;
    let trends = if found.len() > 1 { trends::of(&found, shown) } else { Vec::new() };
    if !args.json {
        print(&found, &trends, args.joint.is_some(), shown)?;
    }
    if !args.dry_run {
        for episode in &mut found {
            let path = write::write(&episode.episode, &episode.robots)?;
            super::say(&format!("written: {}", path.display()));
            episode.written = Some(path.display().to_string());
        }
    }
    if args.json {
        super::print(&serde_json::to_string_pretty(&report::as_json(&found, &trends, shown))?)?;
    }
    let drives = || found.iter().flat_map(|episode| &episode.robots);
    let defects = drives().any(|robot| robot.lossy || robot.drives.iter().any(|drive| drive.defective));
    Ok(Outcome::defects(defects))
}

fn assess(episode: Episode) -> Result<EpisodeDrives> {
    let _waiting = Waiting::new(format!("assessing the drives of {}", episode.manifest().episode));
    let (mut robots, mut silent) = (Vec::new(), Vec::new());
    for entry in &episode.manifest().robots {
        match read::robot(&episode, entry) {
            Ok(robot) => robots.push(robot),
            Err(error) => silent.push((entry.robot.to_string(), format!("{error:#}"))),
        }
    }
    if robots.is_empty() {
        let reasons: Vec<String> = silent.iter().map(|(robot, reason)| format!("{robot}: {reason}")).collect();
        let reasons = if reasons.is_empty() { "it has no robot".to_owned() } else { reasons.join("\n  ") };
        bail!("nothing can be said of the drives of episode {}\n  {reasons}", episode.manifest().episode);
    }
    Ok(EpisodeDrives { episode, robots, silent, written: None })
}

fn check_joint(args: &Drives, found: &[EpisodeDrives], shown: impl Fn(&Assessed) -> bool) -> Result<()> {
    let drives = || found.iter().flat_map(|episode| &episode.robots).flat_map(|robot| &robot.drives);
    let Some(joint) = args.joint.as_ref().filter(|_| !drives().any(shown)) else { return Ok(()) };
    let mut known: Vec<String> = drives().flat_map(|drive| &drive.joints).map(|joint| read::short(joint).to_owned()).collect();
    known.sort();
    known.dedup();
    bail!("no drive moves a joint {joint:?}; there are: {}", known.join(", "))
}

fn print(found: &[EpisodeDrives], trends: &[trends::PartTrend], detailed: bool, shown: impl Fn(&Assessed) -> bool) -> Result<()> {
    for episode in found {
        for robot in &episode.robots {
            super::print(&format!("{} {} ({})", episode.episode.manifest().episode, robot.robot, robot.model))?;
            if detailed {
                for drive in robot.drives.iter().filter(|drive| shown(drive)) {
                    super::print(&format!("{}\n{}", drive.name(), report::details(drive)))?;
                }
            } else {
                super::print(&report::overview(robot))?;
            }
        }
        for (robot, reason) in &episode.silent {
            super::print(&format!("{robot}: not assessed: {reason}"))?;
        }
    }
    if !trends.is_empty() {
        super::print(&report::trends_table(trends))?;
        if trends.iter().any(|trend| trend.serial.is_none()) {
            super::print(
                "parts without a serial number in their description are followed by robot and motor: a replaced part looks like a change",
            )?;
        }
    } else if found.len() > 1 {
        super::print("no number is known in two of these episodes: no trend")?;
    }
    super::print(if detailed {
        "± is 2σ"
    } else {
        "± is 2σ; --joint J tells all that is known of one joint, and why numbers are missing"
    })
}
