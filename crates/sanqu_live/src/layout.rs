//! The viewer's layout: the field in 3D, each robot's cameras and plots, and what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use re_sdk::blueprint::components::{PanelState, PlayState};
use re_sdk::blueprint::{
    Blueprint, BlueprintActivation, BlueprintPanel, ContainerLike, Horizontal, SelectionPanel, Spatial2DView, Spatial3DView, Tabs,
    TextLogView, TimePanel, TimeSeriesView, Vertical,
};
use re_sdk::{RecordingStream, RecordingStreamResult};
use sanqu_model::{Id, StreamKey};

use crate::batch::TIMELINE;

/// A layout is sent this long after the last stream has joined, so that a starting robot does not cause one per stream:
/// rerun keeps every layout that it was ever sent.
const SETTLE: Duration = Duration::from_millis(500);
/// More robots than this are tabs instead of rows.
const ROWS_MAX: usize = 2;

/// Which robots, cameras and quantities there are, and whether the viewer knows.
#[derive(Default)]
pub(crate) struct Layout {
    robots: BTreeMap<Id, Panel>,
    changed: Option<Instant>,
    /// Whether the viewer should stay at the newest data.
    follow: bool,
}

#[derive(Default)]
struct Panel {
    cameras: BTreeSet<String>,
    /// (stream, quantity)
    plots: BTreeSet<(String, String)>,
}

impl Layout {
    pub(crate) fn new(follow: bool) -> Self {
        Self { follow, ..Self::default() }
    }

    /// A picture stream is there.
    pub(crate) fn picture(&mut self, key: &StreamKey) {
        let panel = self.robots.entry(key.robot.clone()).or_default();
        if panel.cameras.insert(key.stream.to_string()) {
            self.changed = Some(Instant::now());
        }
    }

    /// A quantity is there.
    pub(crate) fn plot(&mut self, key: &StreamKey, quantity: &str) {
        let panel = self.robots.entry(key.robot.clone()).or_default();
        if panel.plots.insert((key.stream.to_string(), quantity.to_owned())) {
            self.changed = Some(Instant::now());
        }
    }

    /// Sends the layout if it has changed and settled; `now` does not wait for it to settle.
    ///
    /// # Errors
    /// rerun's.
    pub(crate) fn send(&mut self, stream: &RecordingStream, now: bool) -> RecordingStreamResult<()> {
        if !self.changed.is_some_and(|changed| now || changed.elapsed() >= SETTLE) {
            return Ok(());
        }
        self.changed = None;
        self.blueprint().send(stream, BlueprintActivation { make_active: true, make_default: true })
    }

    fn blueprint(&self) -> Blueprint {
        // Pictures have no place in the 3D view: without a camera model rerun marks them as errors.
        let hidden =
            self.robots.iter().flat_map(|(robot, panel)| panel.cameras.iter().map(move |camera| format!("- /{robot}/{camera}/**")));
        let field = Spatial3DView::new("Field").with_origin("/").with_contents(std::iter::once("+ /**".to_owned()).chain(hidden));
        let left = Vertical::new([field.into(), TextLogView::new("Events").with_origin("/").into()]).with_row_shares([4.0, 1.0]);
        let robots: Vec<ContainerLike> = self.robots.iter().map(|(robot, panel)| panel.container(robot)).collect();
        let right: ContainerLike = if robots.len() <= ROWS_MAX { Vertical::new(robots).into() } else { Tabs::new(robots).into() };
        let mut time = TimePanel::new().with_timeline(TIMELINE).with_state(PanelState::Collapsed);
        if self.follow {
            time = time.with_play_state(PlayState::Following);
        }
        Blueprint::new(Horizontal::new([left.into(), right]).with_column_shares([1.0, 1.0]))
            .with_time_panel(time)
            .with_blueprint_panel(BlueprintPanel::from_state(PanelState::Collapsed))
            .with_selection_panel(SelectionPanel::from_state(PanelState::Collapsed))
    }
}

impl Panel {
    fn container(&self, robot: &Id) -> ContainerLike {
        let cameras = self.cameras.iter().map(|camera| {
            let origin = format!("/{robot}/{camera}");
            Spatial2DView::new(format!("{} ({robot})", camera.rsplit('/').next().unwrap_or(camera))).with_origin(origin).into()
        });
        // Positions first: the plot that is on top when the viewer opens.
        let mut plots: Vec<&(String, String)> = self.plots.iter().collect();
        plots.sort_by_key(|(stream, quantity)| (stream != "joint", quantity != "pos"));
        let plots = plots.into_iter().map(|(stream, quantity)| {
            let view = TimeSeriesView::new(format!("{stream} {quantity}"));
            view.with_origin(format!("/{robot}/{stream}/{quantity}")).into()
        });
        let rows =
            [Horizontal::new(cameras.collect::<Vec<ContainerLike>>()).into(), Tabs::new(plots.collect::<Vec<ContainerLike>>()).into()];
        Vertical::new(rows).with_name(robot.to_string()).into()
    }
}
