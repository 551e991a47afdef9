use bevy::math::UVec2;
use openh264::encoder::{
    Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, Profile, RateControlMode, SpsPpsStrategy, UsageType,
};
use openh264::formats::{RgbaSliceU8, YUVBuffer};
use openh264::{OpenH264API, Timestamp};
use sanqu_store::mp4::Mp4Writer;

use super::studio::Studio;
use super::{FILM_FPS, Progress, RenderJob};
use crate::ReplayError;

/// Ticks a second of the film's time stamps.
const TIMESCALE: u32 = 12_800;
/// A keyframe this often, pictures.
const KEYFRAME_EVERY: u32 = FILM_FPS;
/// [`FILM_FPS`] as the encoder wants it.
const FILM_HZ: f32 = 25.0;

/// Draws pictures from the playhead on and encodes them.
pub(super) fn film(studio: &mut Studio, job: &RenderJob, size: UVec2, progress: &mut dyn FnMut(Progress)) -> Result<(), ReplayError> {
    let total = pictures(job.seconds);
    let mut encoder = encoder()?;
    let mut yuv = YUVBuffer::new(size.x as usize, size.y as usize);
    let mut writer: Option<Mp4Writer> = None;
    for number in 0..total {
        progress(Progress { done: number, total });
        // The first picture shows the playhead where it stands.
        studio.play(number > 0);
        let picture = studio.picture()?;
        yuv.read_rgba8(RgbaSliceU8::new(&picture, (size.x as usize, size.y as usize)));
        let at = Timestamp::from_millis(u64::from(number) * 1000 / u64::from(FILM_FPS));
        let stream = encoder.encode_at(&yuv, at)?;
        let keyframe = matches!(stream.frame_type(), FrameType::IDR | FrameType::I);
        let access_unit = stream.to_vec();
        let pts = u64::from(number) * u64::from(TIMESCALE / FILM_FPS);
        let file = match &mut writer {
            Some(file) => file,
            None => writer.insert(create(job, size, &access_unit)?),
        };
        file.push(&access_unit, pts, keyframe)?;
    }
    if let Some(writer) = writer {
        writer.finish()?;
    }
    progress(Progress { done: total, total });
    Ok(())
}

fn create(job: &RenderJob, size: UVec2, first_unit: &[u8]) -> Result<Mp4Writer, ReplayError> {
    let (sps, pps) = sanqu_wire::h264::parameter_sets(first_unit)
        .ok_or_else(|| ReplayError::Render { reason: "the encoder's first picture has no parameter sets".to_owned() })?;
    Ok(Mp4Writer::create(&job.out, size.x, size.y, sps, pps, TIMESCALE)?)
}

/// Pictures of a film of this length; at least one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float to integer saturates; the command line bounds it")]
fn pictures(seconds: f64) -> u32 {
    ((seconds * f64::from(FILM_FPS)).round() as u32).max(1)
}

/// Quality is constant, so that still scenes stay sharp and the same pictures give the same bytes.
fn encoder() -> Result<Encoder, ReplayError> {
    let config = EncoderConfig::new()
        .usage_type(UsageType::ScreenContentRealTime)
        .profile(Profile::Baseline)
        .rate_control_mode(RateControlMode::Off)
        .max_frame_rate(FrameRate::from_hz(FILM_HZ))
        .intra_frame_period(IntraFramePeriod::from_num_frames(KEYFRAME_EVERY))
        .sps_pps_strategy(SpsPpsStrategy::ConstantId)
        .adaptive_quantization(false)
        .background_detection(false)
        .skip_frames(false);
    Ok(Encoder::with_api_config(OpenH264API::from_source(), config)?)
}
