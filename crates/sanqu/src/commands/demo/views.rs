//! The demo's pictures: the live view's recording and the 3D replay, made by the sibling programs.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sanqu_model::RobotConfig;
use sanqu_store::Store;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::assets::Assets;
use crate::commands::say;
use crate::sibling;
use crate::signals::stopped;

/// How long the live view may take to close its file.
const LIVE_CLOSE_WAIT: Duration = Duration::from_secs(30);
/// Length of the replay film.
const FILM_SECONDS: &str = "5";

/// A running `sanqu-live` that writes a rerun recording.
pub(super) struct Live {
    child: Child,
    file: PathBuf,
}

impl Live {
    /// Starts it; none, with a hint, when the program is absent.
    pub(super) fn start(assets: &Assets, field: &str, endpoint: &str, file: &Path) -> Result<Option<Self>> {
        let program = match sibling::find("sanqu-live") {
            Ok(program) => program,
            Err(error) => {
                say(&format!("no live view: {error}"));
                return Ok(None);
            }
        };
        let child = Command::new(&program)
            .args(["--connect", endpoint, "--field"])
            .arg(assets.field_file(field))
            .arg("--robots-dir")
            .arg(assets.robots())
            .arg("--rrd")
            .arg(file)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        say(&format!("live view into {}", file.display()));
        Ok(Some(Self { child, file: file.to_path_buf() }))
    }

    /// Asks it to close its file; returns the file.
    pub(super) async fn finish(mut self) -> Result<Option<PathBuf>> {
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw) {
            rustix::process::kill_process(pid, rustix::process::Signal::INT).context("cannot signal sanqu-live")?;
        }
        let status = tokio::time::timeout(LIVE_CLOSE_WAIT, self.child.wait()).await.context("sanqu-live did not close its file")??;
        ensure!(status.success(), "sanqu-live failed ({status})");
        Ok(Some(self.file))
    }
}

/// Four stills and a film of the last episode of every robot.
pub(super) async fn render(
    store: &Store,
    assets: &Assets,
    robots: &[RobotConfig],
    out: &Path,
    stop: watch::Receiver<bool>,
) -> Result<Vec<PathBuf>> {
    let program = match sibling::find("sanqu-replay") {
        Ok(program) => program,
        Err(error) => {
            say(&format!("no pictures: {error}"));
            return Ok(Vec::new());
        }
    };
    let mut episodes = Vec::new();
    for robot in robots {
        let last = store.episodes()?.into_iter().rfind(|episode| episode.manifest().robots.iter().any(|entry| entry.robot == robot.id));
        episodes.extend(last.map(|episode| episode.dir().to_path_buf()));
    }
    let folder = out.join("replay");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let stills = [("overview", "overview"), ("robot-1", "robot1"), ("robot-2", "robot2"), ("front", "front")];
    let mut pictures = Vec::new();
    for (name, preset) in stills {
        let file = folder.join(format!("{name}.png"));
        say(&format!("rendering {}", file.display()));
        picture(&program, assets, &episodes, &file, &["--camera", preset], stop.clone()).await?;
        pictures.push(file);
    }
    let film = folder.join("film.mp4");
    say(&format!("rendering {}", film.display()));
    picture(&program, assets, &episodes, &film, &["--camera", "overview", "--at", "0", "--seconds", FILM_SECONDS], stop).await?;
    pictures.push(film);
    Ok(pictures)
}

async fn picture(
    program: &Path,
    assets: &Assets,
    episodes: &[PathBuf],
    file: &Path,
    more: &[&str],
    stop: watch::Receiver<bool>,
) -> Result<()> {
    let mut child = Command::new(program)
        .args(episodes)
        .envs(sibling::quiet_graphics())
        .arg("--field")
        .arg(assets.field_file(super::FIELD))
        .arg("--render")
        .arg(file)
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    tokio::select! {
        status = child.wait() => {
            let status = status?;
            ensure!(status.success(), "sanqu-replay failed ({status}) on {}; the recording is safe, try again without pictures: --no-replay", file.display());
            Ok(())
        }
        () = stopped(stop) => anyhow::bail!("stopped by a signal while rendering {}; the store is valid", file.display()),
    }
}
