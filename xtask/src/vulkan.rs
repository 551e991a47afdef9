//! A Vulkan driver for replay pictures. Machines without a graphics card draw through Mesa's software driver.

use std::path::Path;
use std::process::Command;

use crate::Outcome;
use crate::process::{is_root, run, succeeds};

const INSTALL: &str = "apt-get update && apt-get install -y --no-install-recommends mesa-vulkan-drivers libvulkan1";

/// Folders in which the Vulkan loader looks for driver descriptions.
const DRIVER_FOLDERS: [&str; 4] =
    ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/etc/vulkan/icd.d"];

/// Finds a Vulkan driver or installs Mesa's. Other systems than Linux bring their own graphics interface.
///
/// # Errors
/// When there is none and it cannot be installed; the text holds the command that would do it.
pub(crate) fn ensure() -> Outcome {
    if !cfg!(target_os = "linux") || present() {
        return Ok(());
    }
    if !succeeds(Command::new("apt-get").arg("--version")) {
        return Err(
            "no Vulkan driver found; install Mesa's with this system's package manager (Debian: mesa-vulkan-drivers libvulkan1)".into()
        );
    }
    if !is_root() {
        return Err(format!("no Vulkan driver found; as root: {INSTALL}"));
    }
    eprintln!("xtask: no Vulkan driver found, installing Mesa's software driver");
    run(Command::new("sh").args(["-c", INSTALL]).env("DEBIAN_FRONTEND", "noninteractive"))?;
    if present() { Ok(()) } else { Err(format!("still no Vulkan driver after: {INSTALL}")) }
}

fn present() -> bool {
    let named = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES"].iter().any(|name| std::env::var_os(name).is_some());
    (named || DRIVER_FOLDERS.iter().any(|folder| has_description(Path::new(folder)))) && has_loader()
}

fn has_description(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| entry.path().extension().is_some_and(|extension| extension == "json"))
}

fn has_loader() -> bool {
    let multiarch = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    [multiarch.as_str(), "/usr/lib64", "/usr/lib", "/usr/local/lib", "/lib64"]
        .iter()
        .any(|folder| Path::new(folder).join("libvulkan.so.1").exists())
        || std::env::var_os("LD_LIBRARY_PATH")
            .is_some_and(|folders| std::env::split_paths(&folders).any(|folder| folder.join("libvulkan.so.1").exists()))
}
