//! `cargo xtask pictures`: the README's pictures of replays, drawn from the committed episode.

use std::process::Command;

use crate::process::{root, run};
use crate::{Outcome, cargo, vulkan};

/// Most bytes of a picture: they are in the repository for good.
const PICTURE_BYTES_MAX: u64 = 450_000;
/// The committed episode and the field it was recorded in.
const EPISODE: [&str; 5] = ["last", "--store", "recordings/golden/v1/store", "--field", "assets/field/desk.toml"];
/// Name, and where from, when and how large.
const PICTURES: [(&str, &[&str]); 2] = [
    ("overview", &["--camera", "overview", "--at", "1", "--size", "880x496"]),
    ("xray", &["--camera", "robot2", "--xray", "walker-s-01:waist_yaw_joint", "--at", "1", "--size", "880x496"]),
];

/// Builds the programs, sees to a Vulkan driver, and draws every picture into `docs/pictures`.
///
/// # Errors
/// When something cannot be built or drawn, or a picture has more bytes than the repository takes.
pub(crate) fn draw() -> Outcome {
    cargo::build_programs()?;
    vulkan::ensure()?;
    let replay = cargo::program_folder()?.join("sanqu-replay").with_extension(std::env::consts::EXE_EXTENSION);
    for (name, how) in PICTURES {
        let out = root().join("docs/pictures").join(format!("{name}.png"));
        run(Command::new(&replay).current_dir(root()).args(EPISODE).args(how).arg("--render").arg(&out))?;
        let bytes = std::fs::metadata(&out).map_err(|error| format!("{}: {error}", out.display()))?.len();
        if bytes > PICTURE_BYTES_MAX {
            return Err(format!("{} has {bytes} bytes, more than {PICTURE_BYTES_MAX}: draw it smaller", out.display()));
        }
    }
    println!("{} pictures in docs/pictures", PICTURES.len());
    Ok(())
}
