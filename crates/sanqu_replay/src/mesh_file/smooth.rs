use std::collections::HashMap;

use bevy::math::Vec3;

use super::Surface;

/// Cosine of the angle between faces from which an edge stays sharp (38°).
const CREASE_COS: f32 = 0.788;
/// Faces around one vertex up to which each corner asks every other; beyond, all are averaged.
const FAN_MAX: usize = 256;
/// Steps of a normal's component in which two corners count as equal.
const NORMAL_STEPS: f32 = 512.0;

/// Gives a surface without normals smooth ones, with edges where faces meet at more than 38°, and merges equal vertices.
pub(crate) fn smooth(surface: &Surface) -> Surface {
    let mut ids: HashMap<[u32; 3], u32> = HashMap::new();
    let mut points = Vec::new();
    let mut weld = |point: Vec3| {
        // Adding zero makes 0 of -0.
        *ids.entry((point + Vec3::ZERO).to_array().map(f32::to_bits)).or_insert_with(|| {
            points.push(point);
            index(points.len() - 1)
        })
    };
    let faces: Vec<[u32; 3]> = surface.triangles.iter().map(|face| face.map(|corner| weld(surface.positions[place(corner)]))).collect();
    let areas: Vec<Vec3> = faces
        .iter()
        .map(|face| {
            let [a, b, c] = face.map(|corner| points[place(corner)]);
            (b - a).cross(c - a)
        })
        .collect();
    let around = fans(&faces, points.len());
    let mut corners: HashMap<(u32, [i16; 3]), u32> = HashMap::new();
    let (mut positions, mut normals) = (Vec::new(), Vec::new());
    let triangles = faces.iter().enumerate().filter(|(face, _)| areas[*face].length_squared() > 0.0).map(|(face, points_of_face)| {
        points_of_face.map(|point| {
            let normal = normal_at(face, around.of(point), &areas);
            let key = normal.to_array().map(steps);
            *corners.entry((point, key)).or_insert_with(|| {
                positions.push(points[place(point)]);
                normals.push(normal);
                index(positions.len() - 1)
            })
        })
    });
    let triangles = triangles.collect();
    Surface { positions, normals: Some(normals), triangles, rgba: surface.rgba }
}

/// The faces around each point, one list after the other.
struct Fans {
    starts: Vec<usize>,
    faces: Vec<usize>,
}

impl Fans {
    fn of(&self, point: u32) -> &[usize] {
        &self.faces[self.starts[place(point)]..self.starts[place(point) + 1]]
    }
}

fn fans(faces: &[[u32; 3]], points: usize) -> Fans {
    let mut starts = vec![0; points + 1];
    for corner in faces.iter().flatten() {
        starts[place(*corner) + 1] += 1;
    }
    for point in 0..points {
        starts[point + 1] += starts[point];
    }
    let (mut next, mut list) = (starts.clone(), vec![0; faces.len() * 3]);
    for (face, corners) in faces.iter().enumerate() {
        for corner in corners {
            list[next[place(*corner)]] = face;
            next[place(*corner)] += 1;
        }
    }
    Fans { starts, faces: list }
}

/// The mean direction, weighted by area, of the faces around a corner that do not fold away from its own.
fn normal_at(face: usize, fan: &[usize], areas: &[Vec3]) -> Vec3 {
    let own = areas[face].normalize_or_zero();
    let near = |other: &Vec3| fan.len() > FAN_MAX || own.dot(*other) >= CREASE_COS * other.length();
    let sum: Vec3 = fan.iter().map(|other| areas[*other]).filter(near).sum();
    sum.try_normalize().unwrap_or(own)
}

fn place(index: u32) -> usize {
    index as usize
}

/// A vertex's number. Files have fewer corners than [`super::MESH_CORNERS_MAX`].
fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

#[expect(clippy::cast_possible_truncation, reason = "a unit vector's components in steps fit by far")]
fn steps(component: f32) -> i16 {
    (component * NORMAL_STEPS).round() as i16
}
