//! What stands around a simulated robot: the front of a car, or the panels of an exhibition.
//!
//! The robot stands at the origin, its feet at z = 0, and looks along +x. All measures in metres.

use nalgebra::{Point3, Vector3};

use crate::solid::{Face, Solid, circle};

/// Half the width of the tiled part of the floor, in tiles.
const TILES: i32 = 9;
/// Edge of a floor tile.
const TILE_M: f64 = 0.6;
/// Distance of the walls.
const WALL_M: f64 = 9.0;

/// Height of the ceiling.
const CEILING_M: f64 = 4.0;
/// The layer of everything that is sorted by distance alone.
pub(crate) const FRONT: u8 = 2;

/// Which surroundings are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SceneKind {
    /// A car to inspect.
    Car,
    /// An exhibition to guide through.
    Exhibition,
}

/// The solids of a scene with their layers: 0 is the room, 1 what the things before it hide, [`FRONT`] all else.
pub(crate) fn build(kind: SceneKind) -> Vec<(u8, Solid)> {
    let (hidden, things) = match kind {
        SceneKind::Car => (wheels(), car()),
        SceneKind::Exhibition => (Vec::new(), exhibition()),
    };
    let layers = [(0, room(kind)), (1, hidden), (FRONT, things)];
    layers.into_iter().flat_map(|(layer, solids)| solids.into_iter().map(move |solid| (layer, solid))).collect()
}

/// An upright rectangle seen from -x: from `left` (greater y) to `right`.
fn upright(x: f64, [left, right]: [f64; 2], [low, high]: [f64; 2]) -> Vec<Point3<f64>> {
    vec![Point3::new(x, left, low), Point3::new(x, right, low), Point3::new(x, right, high), Point3::new(x, left, high)]
}

fn flat(low: [f64; 2], high: [f64; 2], z: f64) -> Vec<Point3<f64>> {
    vec![Point3::new(low[0], low[1], z), Point3::new(high[0], low[1], z), Point3::new(high[0], high[1], z), Point3::new(low[0], high[1], z)]
}

fn room(kind: SceneKind) -> Vec<Solid> {
    let (floor, tile, wall) = match kind {
        SceneKind::Car => ([0.55, 0.58, 0.60], [0.64, 0.67, 0.69], [0.72, 0.77, 0.82]),
        SceneKind::Exhibition => ([0.62, 0.55, 0.46], [0.72, 0.65, 0.55], [0.90, 0.87, 0.80]),
    };
    let mut ground = Solid::new(Vec::new()).paint(flat([-WALL_M; 2], [WALL_M; 2], 0.0), floor);
    for (row, column) in (-TILES..TILES).flat_map(|row| (-TILES..TILES).map(move |column| (row, column))) {
        if (row + column) % 2 == 0 {
            let low = [f64::from(row) * TILE_M, f64::from(column) * TILE_M];
            ground.faces.extend(Face::new(flat(low, low.map(|edge| edge + TILE_M), 0.0), tile));
        }
    }
    if kind == SceneKind::Car {
        for (low, high) in [([0.75, -1.5], [0.85, 1.5]), ([0.75, 1.4], [5.6, 1.5]), ([0.75, -1.5], [5.6, -1.4])] {
            ground.faces.extend(Face::new(flat(low, high, 0.0), [0.95, 0.78, 0.10]));
        }
    }
    let mut solids = Vec::new();
    for turn in 0..4_u8 {
        let turned = nalgebra::Rotation3::from_axis_angle(&Vector3::z_axis(), f64::from(turn) * std::f64::consts::FRAC_PI_2);
        let at = |corners: Vec<Point3<f64>>| corners.into_iter().map(|corner| turned * corner).collect::<Vec<_>>();
        let mut side = Solid::new(Vec::new()).paint(at(upright(WALL_M, [WALL_M, -WALL_M], [0.0, CEILING_M])), wall);
        side = side.paint(at(upright(WALL_M, [WALL_M, -WALL_M], [0.0, 0.5])), wall.map(|c| c * 0.7));
        for window in 0..4_i32 {
            let left = 7.5 - 4.0 * f64::from(window);
            side = side.paint(at(upright(WALL_M, [left, left - 2.4], [1.6, 3.0])), [0.70, 0.88, 0.98]);
        }
        solids.push(side);
    }
    let mut ceiling = Solid::new(Vec::new()).paint(overhead([-WALL_M; 2], [WALL_M; 2]), [0.97, 0.98, 0.99]);
    for beam in -4..=4_i32 {
        let x = 2.0 * f64::from(beam);
        ceiling = ceiling.paint(overhead([x, -WALL_M], [x + 0.25, WALL_M]), [0.72, 0.74, 0.76]);
    }
    for (row, column) in (-4..4_i32).flat_map(|row| (-3..3_i32).map(move |column| (row, column))) {
        let low = [2.0 * f64::from(row) + 0.75, 3.0 * f64::from(column) + 0.6];
        ceiling = ceiling.paint(overhead(low, [low[0] + 0.75, low[1] + 1.8]), [1.0, 0.98, 0.82]);
    }
    solids.push(ceiling);
    solids.push(ground);
    solids
}

/// A rectangle of the ceiling, seen from below.
fn overhead(low: [f64; 2], high: [f64; 2]) -> Vec<Point3<f64>> {
    let mut corners = flat(low, high, CEILING_M);
    corners.reverse();
    corners
}

/// The car's wheels, of which its body hides the upper part.
fn wheels() -> Vec<Solid> {
    let wheel = |x: f64, y: f64| Solid::block([x - 0.30, y - 0.10, 0.0], [x + 0.30, y + 0.10, 0.60], [0.10, 0.11, 0.13]);
    [1.95, 4.3].into_iter().flat_map(|x| [-0.83, 0.83].map(|y| wheel(x, y))).collect()
}

/// The front of a car, its bumper 1.1 m ahead of the robot.
fn car() -> Vec<Solid> {
    let paint = [0.16, 0.38, 0.78];
    let dark = [0.10, 0.11, 0.13];
    let glass = [0.25, 0.36, 0.44];
    let ring = |front: f64, back: f64, half: f64, front_z: f64, back_z: f64| {
        [[front, -half, front_z], [back, -half, back_z], [back, half, back_z], [front, half, front_z]]
    };
    let mut body = Solid::hexahedron(ring(1.16, 5.0, 0.9, 0.28, 0.28), ring(1.20, 2.4, 0.86, 0.80, 1.0), paint);
    body = body.paint(upright(1.15, [0.40, -0.40], [0.56, 0.74]), dark);
    for bar in 0..3_u8 {
        let low = 0.59 + 0.05 * f64::from(bar);
        body = body.paint(upright(1.15, [0.38, -0.38], [low, low + 0.02]), [0.70, 0.72, 0.75]);
    }
    body = body.paint(circle(Point3::new(1.14, 0.0, 0.66), -Vector3::y(), Vector3::z(), 0.06), [0.92, 0.93, 0.95]);
    for side in [-1.0, 1.0] {
        let middle = 0.64 * side;
        body = body.paint(upright(1.15, [middle + 0.22, middle - 0.22], [0.58, 0.77]), [0.20, 0.22, 0.26]);
        for (offset, radius) in [(0.09, 0.085), (-0.10, 0.070)] {
            let lamp = Point3::new(1.14, middle + offset * side, 0.675);
            body = body.paint(circle(lamp, -Vector3::y(), Vector3::z(), radius), [0.99, 0.97, 0.86]);
            body = body.paint(circle(lamp, -Vector3::y(), Vector3::z(), radius * 0.45), [0.62, 0.80, 0.98]);
        }
    }
    let mut bumper = Solid::block([1.08, -0.92, 0.26], [1.22, 0.92, 0.52], paint.map(|c| c * 0.85));
    bumper = bumper.paint(upright(1.075, [0.55, -0.55], [0.30, 0.38]), dark);
    bumper = bumper.paint(upright(1.07, [0.24, -0.24], [0.40, 0.50]), [0.35, 0.80, 0.45]);
    bumper = bumper.paint(upright(1.065, [0.20, -0.20], [0.43, 0.47]), [0.12, 0.15, 0.12]);
    for side in [-0.76, 0.76] {
        bumper = bumper.paint(circle(Point3::new(1.07, side, 0.36), -Vector3::y(), Vector3::z(), 0.06), [0.98, 0.90, 0.55]);
    }
    let mut cabin = Solid::hexahedron(ring(2.1, 4.7, 0.82, 0.97, 0.97), ring(2.8, 4.2, 0.62, 1.46, 1.46), paint);
    cabin = cabin.paint(
        vec![Point3::new(2.16, 0.74, 1.02), Point3::new(2.16, -0.74, 1.02), Point3::new(2.72, -0.60, 1.41), Point3::new(2.72, 0.60, 1.41)],
        glass,
    );
    let mut solids = vec![body, bumper, cabin];
    for side in [-1.9, 1.9] {
        solids.push(Solid::block([1.9, side - 0.05, 0.0], [2.0, side + 0.05, 2.3], [0.93, 0.55, 0.12]));
    }
    solids.push(
        Solid::block([1.9, -1.95, 2.25], [2.0, 1.95, 2.40], [0.93, 0.55, 0.12]).paint(upright(1.89, [1.7, -1.7], [2.29, 2.36]), [1.0; 3]),
    );
    solids.push(Solid::block([0.9, -1.75, 0.0], [1.3, -1.35, 0.75], [0.80, 0.30, 0.22]));
    solids.push(Solid::cylinder([1.1, 1.75, 0.0], 0.16, 0.5, [0.95, 0.45, 0.10]));
    solids
}

/// Three panels in an arc, two plinths with exhibits, posts and two visitors.
fn exhibition() -> Vec<Solid> {
    let mut solids = Vec::new();
    for (index, colour) in [(-1.0, [0.80, 0.22, 0.20]), (0.0, [0.18, 0.42, 0.72]), (1.0, [0.20, 0.58, 0.36])] {
        let (x, y) = (2.6 - 0.35 * f64::abs(index), 1.55 * index);
        solids.push(panel(x, y, colour));
    }
    for (y, rgb) in [(-0.85, [0.88, 0.70, 0.22]), (0.85, [0.55, 0.40, 0.75])] {
        solids.push(Solid::block([1.35, y - 0.22, 0.0], [1.79, y + 0.22, 0.80], [0.93, 0.93, 0.91]));
        let exhibit = if y < 0.0 {
            Solid::cylinder([1.57, y, 0.80], 0.13, 0.32, rgb)
        } else {
            Solid::block([1.43, y - 0.14, 0.80], [1.71, y + 0.14, 1.04], rgb)
        };
        solids.push(exhibit);
    }
    for y in [-1.6, 0.0, 1.6] {
        solids.push(Solid::cylinder([1.95, y, 0.0], 0.03, 0.95, [0.75, 0.62, 0.25]));
    }
    for y in [-1.6, 0.0] {
        solids.push(Solid::block([1.94, y, 0.80], [1.96, y + 1.6, 0.86], [0.70, 0.10, 0.14]));
    }
    for (x, y, rgb) in [(2.3, -2.1, [0.25, 0.32, 0.45]), (2.1, 2.25, [0.55, 0.25, 0.35])] {
        solids.push(Solid::cylinder([x, y, 0.0], 0.13, 0.85, [0.18, 0.19, 0.24]));
        solids.push(Solid::cylinder([x, y, 0.85], 0.20, 0.60, rgb));
        solids.push(Solid::cylinder([x, y, 1.48], 0.10, 0.24, [0.86, 0.68, 0.56]));
    }
    solids
}

fn panel(x: f64, y: f64, colour: [f32; 3]) -> Solid {
    let mut solid = Solid::block([x, y - 0.62, 0.25], [x + 0.06, y + 0.62, 2.05], [0.96, 0.96, 0.94]);
    solid = solid.paint(upright(x - 0.01, [y + 0.62, y - 0.62], [1.75, 2.05]), colour);
    solid = solid.paint(upright(x - 0.02, [y + 0.45, y - 0.20], [1.85, 1.95]), [1.0; 3]);
    solid = solid.paint(upright(x - 0.01, [y + 0.52, y + 0.02], [1.10, 1.62]), colour.map(|c| 0.5 + 0.4 * c));
    solid = solid.paint(circle(Point3::new(x - 0.02, y + 0.27, 1.36), -Vector3::y(), Vector3::z(), 0.16), colour);
    for line in 0..5_u8 {
        let low = 1.56 - 0.11 * f64::from(line);
        solid = solid.paint(upright(x - 0.01, [y - 0.06, y - 0.52], [low, low + 0.04]), [0.45, 0.46, 0.48]);
    }
    for line in 0..4_u8 {
        let low = 0.90 - 0.12 * f64::from(line);
        solid = solid.paint(upright(x - 0.01, [y + 0.52, y - 0.52 + 0.1 * f64::from(line)], [low, low + 0.04]), [0.45, 0.46, 0.48]);
    }
    solid
}
