//! A simulated camera: draws what it sees and encodes it as H.264.

use std::collections::BTreeMap;
use std::sync::Arc;

use nalgebra::{Isometry3, Rotation3, UnitQuaternion};
use openh264::OpenH264API;
use openh264::encoder::{
    BitRate, Complexity, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, Profile, RateControlMode, UsageType, VuiConfig,
};
use sanqu_model::{StreamDescription, StreamName};
use sanqu_robot::{CameraMount, LinkPoses, RobotModel};
use sanqu_wire::ENCODING_H264;

use crate::canvas::{Canvas, Yuv};
use crate::motion::JointState;
use crate::noise::Noise;
use crate::scene::{self, SceneKind};
use crate::solid::Solid;
use crate::telemetry::{Act, offset_ns};
use crate::view::{Painter, Placed};
use crate::{CameraSpec, SimError, SimSample, strip};

/// Frames from one IDR to the next.
pub const GOP: u32 = 15;
/// Greatest deviation of a frame from its even spacing, ns.
const JITTER_NS: f64 = 800_000.0;
/// Colour of a robot's bodies that the URDF gives none.
const PLAIN: [f32; 3] = [0.82, 0.83, 0.85];
/// Colour where nothing is.
const NOTHING: [f32; 3] = [0.90, 0.92, 0.94];

/// Everything that can be drawn; shared by a robot's cameras.
pub(crate) struct Stage {
    act: Arc<Act>,
    scenery: Vec<(u8, Solid)>,
    /// Link, pose on it, body.
    robot: Vec<(usize, Isometry3<f64>, Solid)>,
}

impl Stage {
    pub(crate) fn new(act: Arc<Act>, kind: SceneKind) -> Self {
        Self { scenery: scene::build(kind), robot: robot_solids(&act.body.model), act }
    }
}

fn robot_solids(model: &RobotModel) -> Vec<(usize, Isometry3<f64>, Solid)> {
    let visuals = model.links().iter().enumerate().flat_map(|(link, body)| body.visuals.iter().map(move |visual| (link, visual)));
    let drawn = visuals.filter_map(|(link, visual)| {
        let rgb = visual.rgba.map_or(PLAIN, |[r, g, b, _]| [r, g, b]);
        Some((link, visual.link_from_visual, Solid::from_shape(&visual.shape, rgb)?))
    });
    drawn.collect()
}

/// One camera. Frames are numbered from 0; the number is burnt into the picture, see [`strip`].
pub(crate) struct SimCamera {
    pub(crate) description: StreamDescription,
    stage: Arc<Stage>,
    link: usize,
    link_from_optical: Isometry3<f64>,
    focal_px: f64,
    fps: f64,
    phase_ns: i64,
    noise: Noise,
    next_frame: u32,
    next_ns: i64,
    canvas: Canvas,
    painter: Painter,
    encoder: Encoder,
    joints: JointState,
    poses: LinkPoses,
}

impl SimCamera {
    /// * `index`: which camera of the robot, from 0; decides its phase.
    ///
    /// # Errors
    /// [`SimError::Video`] when the encoder cannot be made; [`SimError::Model`] for the stream's name.
    pub(crate) fn new(spec: &CameraSpec, mount: &CameraMount, stage: Arc<Stage>, index: u8, seed: u64) -> Result<Self, SimError> {
        let stream: StreamName = format!("camera/{}", spec.name).parse()?;
        let failed = |error: openh264::Error| SimError::Video { stream: stream.clone(), frame: 0, reason: error.to_string() };
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), encoder_config(spec.fps)).map_err(failed)?;
        let facts = [
            ("evidence", "simulated".to_owned()),
            ("width", spec.width.to_string()),
            ("height", spec.height.to_string()),
            ("fps", spec.fps.to_string()),
            ("gop", GOP.to_string()),
            ("encoder", "openh264".to_owned()),
            ("strip", "frame number".to_owned()),
            ("fov_rad", mount.fov_rad.to_string()),
        ];
        let facts: BTreeMap<String, String> = facts.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let mut noise = Noise::new(seed, 16 + u64::from(index));
        let (width, height) = (usize::from(spec.width), usize::from(spec.height));
        let act = &stage.act;
        #[expect(clippy::cast_possible_truncation, reason = "some milliseconds")]
        let phase_ns = i64::from(index) * 7_300_000 + (2e6 + 1e6 * noise.uniform()) as i64;
        let mut camera = Self {
            description: StreamDescription {
                stream,
                encoding: ENCODING_H264.to_owned(),
                rate_hz: f64::from(spec.fps),
                clock: 1,
                quantities: Vec::new(),
                facts,
            },
            link: act.body.model.link_index(&mount.link).unwrap_or(0),
            // The mount looks along +x with +z up; a picture has x right, y down, z forward.
            link_from_optical: mount.link_from_camera() * optical_axes(),
            focal_px: f64::from(spec.width) / 2.0 / (mount.fov_rad / 2.0).tan(),
            fps: f64::from(spec.fps),
            phase_ns,
            noise,
            next_frame: 0,
            next_ns: 0,
            canvas: Canvas::new(width, height),
            painter: Painter::default(),
            encoder,
            joints: JointState::default(),
            poses: LinkPoses::default(),
            stage,
        };
        camera.next_ns = camera.schedule();
        Ok(camera)
    }

    /// When the next frame is captured.
    pub(crate) fn next_ns(&self) -> i64 {
        self.next_ns
    }

    /// Cameras run freely: an even spacing from their own phase, with a jitter below a millisecond.
    fn schedule(&mut self) -> i64 {
        #[expect(clippy::cast_possible_truncation, reason = "below a millisecond")]
        let jitter_ns = (JITTER_NS * self.noise.uniform()) as i64;
        self.stage.act.start_ns + self.phase_ns + offset_ns(u64::from(self.next_frame), self.fps) + jitter_ns
    }

    /// Draws and encodes the next frame.
    ///
    /// # Errors
    /// [`SimError::Video`] naming the frame.
    pub(crate) fn shoot(&mut self) -> Result<SimSample, SimError> {
        let (number, t_ns) = (self.next_frame, self.next_ns);
        self.draw(t_ns)?;
        let width = self.canvas.width();
        self.canvas.fill_rows(0, strip::rows(width), Yuv::from_rgb([0.0; 3]));
        strip::draw(self.canvas.luma_mut(), width, width, number);
        let failed = |reason: String| SimError::Video { stream: self.description.stream.clone(), frame: number, reason };
        let encoded = self.encoder.encode(&self.canvas).map_err(|error| failed(error.to_string()))?;
        let keyframe = encoded.frame_type() == FrameType::IDR;
        let payload = encoded.to_vec();
        if payload.is_empty() || keyframe != number.is_multiple_of(GOP) {
            return Err(failed(format!("a frame of {} bytes, keyframe {keyframe}", payload.len())));
        }
        self.next_frame += 1;
        self.next_ns = self.schedule();
        Ok(SimSample { stream: self.description.stream.clone(), rows: 1, capture_ns: t_ns, due_ns: t_ns, keyframe, payload })
    }

    fn draw(&mut self, t_ns: i64) -> Result<(), SimError> {
        let stage = Arc::clone(&self.stage);
        stage.act.joints_at(t_ns, &mut self.joints);
        let world_from_base = stage.act.body.place(&self.joints.pos, &mut self.poses)?;
        let world_from_link = |link: usize| world_from_base * self.poses[link];
        let camera_from_world = (world_from_link(self.link) * self.link_from_optical).inverse();
        let scenery = stage.scenery.iter().map(|(layer, solid)| Placed { solid, world_from_solid: Isometry3::identity(), layer: *layer });
        let robot = stage.robot.iter().map(|(link, link_from_visual, solid)| {
            let world_from_solid = world_from_link(*link) * link_from_visual;
            Placed { solid, world_from_solid, layer: scene::FRONT }
        });
        let things: Vec<Placed<'_>> = scenery.chain(robot).collect();
        let height = self.canvas.height();
        self.canvas.fill_rows(0, height, Yuv::from_rgb(NOTHING));
        self.painter.draw(&mut self.canvas, &things, &camera_from_world, self.focal_px);
        Ok(())
    }
}

fn optical_axes() -> UnitQuaternion<f64> {
    UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(nalgebra::Matrix3::new(
        0.0, 0.0, 1.0, //
        -1.0, 0.0, 0.0, //
        0.0, -1.0, 0.0,
    )))
}

/// Baseline, one thread, constant quantiser: cheap, and the same bytes on every run.
fn encoder_config(fps: u16) -> EncoderConfig {
    EncoderConfig::new()
        .profile(Profile::Baseline)
        .usage_type(UsageType::CameraVideoRealTime)
        .complexity(Complexity::Low)
        .rate_control_mode(RateControlMode::Off)
        .bitrate(BitRate::from_bps(2_000_000))
        .max_frame_rate(FrameRate::from_hz(f32::from(fps)))
        .skip_frames(false)
        .scene_change_detect(false)
        .adaptive_quantization(false)
        .background_detection(false)
        .intra_frame_period(IntraFramePeriod::from_num_frames(GOP))
        .num_threads(1)
        .vui(VuiConfig::bt601())
}
