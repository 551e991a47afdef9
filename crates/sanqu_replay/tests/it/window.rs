//! The real program in a real window, on a display without a screen (Xvfb), driven by keys (xdotool).

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::picture::adapter;

/// How long a window may take, s: the processor draws it, and others may be at work.
const PATIENCE_SECS: &str = "150";

/// A display of its own; gone with the test.
struct Display {
    server: Child,
    name: String,
}

impl Display {
    /// None, visibly, where the tools are not there and pictures are not required.
    fn open(test: &str) -> Option<Self> {
        adapter(test)?;
        let arguments = ["-displayfd", "1", "-screen", "0", "800x500x24", "-nolisten", "tcp"];
        let started = Command::new("Xvfb").args(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut server = match started {
            Ok(server) if Command::new("xdotool").arg("version").output().is_ok() => server,
            other => {
                assert!(std::env::var("SANQU_REQUIRE_RENDER").as_deref() != Ok("1"), "{test}: Xvfb and xdotool are needed");
                eprintln!("{test}: skipped, Xvfb and xdotool are needed");
                other.into_iter().for_each(|mut server| drop(server.kill()));
                return None;
            }
        };
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        Some(Self { server, name: format!(":{}", number.trim()) })
    }

    fn xdotool(&self, arguments: &[&str]) -> String {
        // What waits for a window waits for ever; the test shall fail instead.
        let mut command = Command::new("timeout");
        let output = command.arg(PATIENCE_SECS).arg("xdotool").args(arguments).env("DISPLAY", &self.name).output().unwrap();
        assert!(output.status.success(), "xdotool {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Waits for a window of this title and gives it the keyboard.
    fn window(&self, title: &str) -> String {
        let found = self.xdotool(&["search", "--sync", "--onlyvisible", "--name", title]);
        let window = found.lines().next_back().unwrap().to_owned();
        self.xdotool(&["windowfocus", "--sync", &window]);
        window
    }

    fn press(&self, keys: &[&str]) {
        self.xdotool(&[&["key"], keys].concat());
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

/// The viewer; killed when the test ends before it.
struct Viewer(Child);

impl Drop for Viewer {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn an_episode_is_chosen_from_the_list_shown_and_left_again() {
    let Some(display) = Display::open("an_episode_is_chosen_from_the_list_shown_and_left_again") else { return };
    let folder = tempfile::tempdir().unwrap();
    let viewer = Command::new(env!("CARGO_BIN_EXE_sanqu-replay"))
        .args(["--lang", "en", "--size", "480x270", "--store", "recordings/golden/v1/store"])
        .current_dir(repository())
        .env("DISPLAY", &display.name)
        .env("XDG_CONFIG_HOME", folder.path())
        .env("XDG_RUNTIME_DIR", folder.path())
        .env_remove("WAYLAND_DISPLAY")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut viewer = Viewer(viewer.unwrap());
    display.window("choose an episode");
    display.press(&["k", "u", "a", "v", "o", "Return"]);
    // The program has put itself in its own place: another window, the same process.
    display.window("^sanqu replay: ");
    display.press(&["i"]);
    display.press(&["o"]);
    display.window("choose an episode");
    display.press(&["Escape"]);
    assert!(viewer.0.wait().unwrap().success());
    let remembered = std::fs::read_to_string(folder.path().join("sanqu/replay.toml")).unwrap();
    for part in ["interpolate = true", "lang = \"en\"", "golden/v1/store", "width = 480", "height = 270"] {
        assert!(remembered.contains(part), "{part} is not in\n{remembered}");
    }
}
