//! `sanqu import`: outside recordings become episodes, through the same journal and seal as live ones.

use anyhow::{Context as _, Result};
use sanqu_dataset::RosbagOptions;
use sanqu_model::Id;
use sanqu_store::Store;

use crate::assets::Assets;
use crate::cli::ImportRosbag;
use crate::outcome::Outcome;
use crate::progress::Progress;

/// Imports ROS 1 bags.
///
/// # Errors
/// When a bag is damaged, a message does not fit its definition, or the store cannot be written.
pub(crate) fn rosbag(args: &ImportRosbag, assets: &Assets) -> Result<Outcome> {
    let field = assets.field(&args.field)?;
    let id = |what, text: &Option<String>| text.as_deref().map(|text| Id::new(what, text)).transpose();
    let store = Store::open_or_create(&args.store, &field.field, &field.time_zone)
        .with_context(|| format!("cannot open the store {}", args.store.display()))?;
    let options = RosbagOptions {
        robot: Some(Id::new("robot", &args.robot)?),
        station: None,
        task: id("task", &args.task)?,
        operator: id("operator", &args.operator)?,
        robots_dir: Some(assets.robots()),
        field,
    };
    let progress = Progress::new();
    let manifests = sanqu_dataset::import_rosbag(&store, &args.bags, &options, &mut |step| {
        progress.show(&format!("{} {}: {} of {}", step.stage, step.name, step.done, step.total));
    })?;
    progress.finish();
    if args.json {
        super::print(&serde_json::to_string_pretty(&manifests)?)?;
    } else {
        for manifest in &manifests {
            super::print(&super::info::streams_table(manifest))?;
        }
    }
    Ok(Outcome::defects(manifests.iter().any(super::info::has_loss)))
}
