use std::path::PathBuf;
use std::sync::Arc;

use sanqu_model::{Id, StreamDescription, StreamName};
use sanqu_robot::{DriveTable, RobotModel};

use crate::body::Body;
use crate::camera::{SimCamera, Stage};
use crate::drives::Drives;
use crate::gesture::Gesture;
use crate::motion::Motion;
use crate::strip;
use crate::telemetry::{Act, Telemetry};
use crate::{PlannedFault, SimError};

/// A camera of a simulated robot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraSpec {
    /// Its name in the robot's `drives.toml` and in the stream `camera/<name>`.
    pub name: String,
    /// Pixels across: even, 80 to 1920.
    pub width: u16,
    /// Pixels down: even, 32 to 1080.
    pub height: u16,
    /// Pictures a second, 1 to 120.
    pub fps: u16,
}

impl CameraSpec {
    /// The largest picture that is drawn.
    pub const SIZE_MAX: (u16, u16) = (1920, 1080);
}

/// What a simulated robot is made from. The same spec and start give the same bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct SimSpec {
    /// The field.
    pub field: Id,
    /// The robot.
    pub robot: Id,
    /// Folder with `robot.urdf` and `drives.toml`: `assets/robots/kuavo-s45`.
    pub model_dir: PathBuf,
    /// Rate of `joint`, `motor` and `imu/torso`, Hz: 1 to 5000.
    pub rate_hz: f64,
    /// Cameras; may be none.
    pub cameras: Vec<CameraSpec>,
    /// Decides noise, phases and small differences between robots of one model.
    pub seed: u64,
    /// What goes wrong with its drives.
    pub faults: Vec<PlannedFault>,
}

/// One payload of a simulated robot, or of a recorded episode that is fed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimSample {
    /// The stream.
    pub stream: StreamName,
    /// Rows in the payload; 1 for a picture.
    pub rows: u32,
    /// Capture time of the first row, ns since the Unix epoch.
    pub capture_ns: i64,
    /// When the payload can leave: capture time of its last row, ns since the Unix epoch.
    pub due_ns: i64,
    /// Whether a decoder can begin here; false for rows.
    pub keyframe: bool,
    /// Arrow IPC stream or H.264 access unit.
    pub payload: Vec<u8>,
}

/// A robot that moves, whose drives wind up and whose cameras draw. Knows no clock: it is told how far to go.
pub struct SimRobot {
    pub(crate) spec: SimSpec,
    pub(crate) telemetry: Telemetry,
    pub(crate) cameras: Vec<SimCamera>,
}

impl SimRobot {
    /// Reads the description and stands the robot up at `start_ns` (ns since the Unix epoch).
    ///
    /// # Errors
    /// [`SimError::Description`] and [`SimError::Missing`] for the folder, a pose `stand`, a camera or a drive with a fault that is not there;
    /// [`SimError::BadSetting`] for sizes and rates out of range; [`SimError::Video`] when no encoder can be made.
    pub fn new(spec: SimSpec, start_ns: i64) -> Result<Self, SimError> {
        check(&spec)?;
        let folder = spec.model_dir.clone();
        let refused = |source| SimError::Description { folder: folder.clone(), source: Box::new(source) };
        let missing = |what: String| SimError::Missing { folder: folder.clone(), what };
        let model = RobotModel::from_urdf_file(&folder.join("robot.urdf")).map_err(refused)?;
        let table = DriveTable::from_toml_file(&folder.join("drives.toml")).map_err(refused)?;
        let pose = table.pose("stand").ok_or_else(|| missing("pose \"stand\"".to_owned()))?;
        let body = Body::new(model, pose)?;
        let gesture = Gesture::for_model(&body.model);
        let motion = Motion::new(&body.model, gesture, &body.stand, &body.in_leg, spec.seed);
        let act = Arc::new(Act { body, motion, start_ns });
        let stage = Arc::new(Stage::new(Arc::clone(&act), gesture.scene));
        let mut cameras = Vec::with_capacity(spec.cameras.len());
        for (index, camera) in (0_u8..).zip(&spec.cameras) {
            let mount = table.cameras().iter().find(|mount| mount.name == camera.name);
            let mount = mount.ok_or_else(|| missing(format!("camera {:?}", camera.name)))?;
            if act.body.model.link_index(&mount.link).is_none() {
                return Err(missing(format!("link {:?} for camera {:?}", mount.link, mount.name)));
            }
            cameras.push(SimCamera::new(camera, mount, Arc::clone(&stage), index, spec.seed)?);
        }
        let drives = Drives::new(table, &act.body, &spec)?;
        let telemetry = Telemetry::new(act, drives, &spec)?;
        Ok(Self { spec, telemetry, cameras })
    }

    /// What this robot was made from.
    pub fn spec(&self) -> &SimSpec {
        &self.spec
    }

    /// One description per stream: what a publisher is declared with.
    pub fn descriptions(&self) -> Vec<StreamDescription> {
        self.telemetry.descriptions().chain(self.cameras.iter().map(|camera| &camera.description)).cloned().collect()
    }

    /// Everything that is due by `until_ns` and was not given out yet, in the order of its times. Rows come in full
    /// payloads only, so the bytes do not depend on how often this is called. Memory grows with the time span.
    ///
    /// # Errors
    /// [`SimError::Video`], [`SimError::Encode`] or [`SimError::Robot`], naming stream and frame; the robot is then of no
    /// further use.
    pub fn advance(&mut self, until_ns: i64) -> Result<Vec<SimSample>, SimError> {
        let mut samples = Vec::new();
        self.telemetry.advance(until_ns, &mut samples)?;
        for camera in &mut self.cameras {
            while camera.next_ns() <= until_ns {
                samples.push(camera.shoot()?);
            }
        }
        samples.sort_by(|a, b| a.due_ns.cmp(&b.due_ns).then_with(|| a.stream.cmp(&b.stream)));
        Ok(samples)
    }
}

fn check(spec: &SimSpec) -> Result<(), SimError> {
    let bad = |setting: String, value: String, expected: String| {
        Err(SimError::BadSetting { robot: spec.robot.clone(), setting, value, expected })
    };
    if !(1.0..=5000.0).contains(&spec.rate_hz) {
        return bad("rate_hz".to_owned(), spec.rate_hz.to_string(), "1 to 5000 Hz".to_owned());
    }
    let (width_max, height_max) = CameraSpec::SIZE_MAX;
    for camera in &spec.cameras {
        let setting = |what| format!("{what} of camera {}", camera.name);
        if usize::from(camera.width) < strip::WIDTH_MIN || camera.width > width_max || !camera.width.is_multiple_of(2) {
            return bad(setting("width"), camera.width.to_string(), format!("an even number from {} to {width_max}", strip::WIDTH_MIN));
        }
        if !(32..=height_max).contains(&camera.height) || !camera.height.is_multiple_of(2) {
            return bad(setting("height"), camera.height.to_string(), format!("an even number from 32 to {height_max}"));
        }
        if !(1..=120).contains(&camera.fps) {
            return bad(setting("fps"), camera.fps.to_string(), "1 to 120".to_owned());
        }
    }
    if spec.cameras.len() > 16 {
        return bad("number of cameras".to_owned(), spec.cameras.len().to_string(), "at most 16".to_owned());
    }
    Ok(())
}
