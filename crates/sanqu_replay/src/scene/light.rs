use bevy::color::{Alpha, LinearRgba, Luminance};
use bevy::image::Image;
use bevy::light::{CascadeShadowConfigBuilder, DirectionalLight, DirectionalLightShadowMap, EnvironmentMapLight, GlobalAmbientLight};
use bevy::pbr::{DistanceFog, FogFalloff};
use bevy::prelude::{Assets, ClearColor, Color, Commands, Res, Transform, Vec3};

use super::Quality;
use super::floor::{FLOOR_RGB, sunlit};
use crate::replay::Replay;

/// What is behind everything, sRGB: the floor fades into it.
pub const SKY_RGB: [f32; 3] = [0.80, 0.86, 0.91];
/// Where the floor begins to fade and where it is gone: as multiples of the camera's distance from what it looks at.
const FADE: (f32, f32) = (1.5, 7.0);
/// Least distance that the fading is measured with, m.
const FADE_DISTANCE_MIN_M: f32 = 6.0;
/// How far shadows reach: for a few robots and for a whole field, m; and the number of robots that are a few.
const SHADOWS_M: (f32, f32) = (24.0, 75.0);
const FEW_ROBOTS: usize = 4;
/// Light of the hall on upright and level surfaces, cd/m².
const HALL: f32 = 620.0;

/// What hides the floor's end, for a camera this far from what it looks at.
pub(crate) fn fog(distance_m: f32) -> DistanceFog {
    let distance_m = distance_m.max(FADE_DISTANCE_MIN_M);
    let falloff = FogFalloff::Linear { start: FADE.0 * distance_m, end: FADE.1 * distance_m };
    DistanceFog { color: before_tones(SKY_RGB).into(), falloff, ..Default::default() }
}

/// The hall's own light, for the camera: a bright ceiling, walls, and what the floor gives back.
pub(crate) fn hall(images: &mut Assets<Image>) -> EnvironmentMapLight {
    let ceiling = Color::linear_rgb(1.15, 1.2, 1.28);
    let walls = Color::linear_rgb(0.62, 0.66, 0.70);
    let floor = Color::linear_rgb(0.36, 0.34, 0.31);
    EnvironmentMapLight { intensity: HALL, ..EnvironmentMapLight::hemispherical_gradient(images, ceiling, walls, floor) }
}

/// The linear colour that the camera's tone curve, which the fading goes through and the background does not, turns into
/// this sRGB colour. Of pale colours the curve keeps the hue and makes luminance L to 0.97 (1 - exp(-L)).
fn before_tones(srgb: [f32; 3]) -> LinearRgba {
    let wanted = Color::srgb_from_array(srgb).to_linear() * (1.0 / 0.97);
    let luminance = wanted.luminance().min(0.999);
    (wanted * (-(1.0 - luminance).ln() / luminance)).with_alpha(1.0)
}

/// Besides the hall's light, a sun from the front left that throws the shadows, and a weak light from the other side,
/// so that no face is flat. Cheap pictures have the sun and an even light.
pub(super) fn build_light(mut commands: Commands<'_, '_>, quality: Res<'_, Quality>, replay: Res<'_, Replay>) {
    let [r, g, b] = if quality.shadows { SKY_RGB } else { sunlit(FLOOR_RGB) };
    commands.insert_resource(ClearColor(Color::srgb(r, g, b)));
    let brightness = if quality.shadows { 0.0 } else { 560.0 };
    commands.insert_resource(GlobalAmbientLight { color: Color::srgb(0.92, 0.95, 1.0), brightness, ..Default::default() });
    commands.insert_resource(DirectionalLightShadowMap { size: 2048 });
    let far = if replay.robots.len() > FEW_ROBOTS { SHADOWS_M.1 } else { SHADOWS_M.0 };
    let shadows =
        CascadeShadowConfigBuilder { num_cascades: 2, maximum_distance: far, first_cascade_far_bound: far * 0.42, ..Default::default() };
    commands.spawn((
        DirectionalLight {
            illuminance: 6_400.0,
            color: Color::srgb(1.0, 0.965, 0.91),
            shadow_maps_enabled: quality.shadows,
            ..Default::default()
        },
        shadows.build(),
        Transform::from_translation(Vec3::new(3.0, 6.5, 3.5)).looking_at(Vec3::ZERO, Vec3::Y),
    ));
    if quality.shadows {
        commands.spawn((
            DirectionalLight { illuminance: 1_500.0, color: Color::srgb(0.84, 0.91, 1.0), ..Default::default() },
            Transform::from_translation(Vec3::new(-4.0, 3.0, -2.0)).looking_at(Vec3::ZERO, Vec3::Y),
        ));
    }
}
