//! URDF text to [`RobotModel`]: everything that can be wrong with a description is found here.

use std::collections::BTreeMap;
use std::path::Path;

use nalgebra::{Isometry3, Translation3, Unit, UnitQuaternion, Vector3};
use urdf_rs::{Geometry, JointType};

use crate::RobotError;
use crate::mesh;
use crate::model::{Driven, Joint, JointKind, Link, Mimic, Motion, RobotModel};
use crate::shape::{Shape, Visual};

/// Largest description that is read; the largest public humanoids stay below 1 MiB.
const URDF_BYTES_MAX: u64 = 16 << 20;

/// Shortest axis that still has a direction.
const AXIS_NORM_MIN: f64 = 1e-6;

/// Deepest nesting of elements that is read: the XML parser recurses. A URDF needs 6.
const DEPTH_MAX: usize = 256;

type Colours = BTreeMap<String, [f32; 4]>;

/// Reads a file; every refusal names it.
pub(crate) fn read(path: &Path) -> Result<RobotModel, RobotError> {
    let unreadable = |source| RobotError::Read { path: path.to_owned(), source };
    let refused = |source| RobotError::File { path: path.to_owned(), source: Box::new(source) };
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > URDF_BYTES_MAX {
        return Err(refused(RobotError::TooLarge { bytes, max: URDF_BYTES_MAX }));
    }
    let xml = std::fs::read_to_string(path).map_err(unreadable)?;
    build(&xml, Some(path.parent().unwrap_or(Path::new("")))).map_err(refused)
}

/// Builds the tree from text; `folder` is where mesh references start.
pub(crate) fn build(xml: &str, folder: Option<&Path>) -> Result<RobotModel, RobotError> {
    if depth_of(xml) > DEPTH_MAX {
        return Err(RobotError::UrdfSyntax { reason: format!("elements are nested more than {DEPTH_MAX} deep") });
    }
    let robot = urdf_rs::read_from_string(xml).map_err(|error| RobotError::UrdfSyntax { reason: error.to_string() })?;
    unique("link", robot.links.iter().map(|link| link.name.as_str()))?;
    unique("joint", robot.joints.iter().map(|joint| joint.name.as_str()))?;
    let order = tree_order(&robot)?;

    let mut joints = Vec::new();
    for joint in robot.joints.iter().filter(|joint| joint.mimic.is_none()) {
        if let Some(kind) = kind_of(joint)? {
            let child = order.iter().position(|place| robot.links[place.link].name == joint.child.link).unwrap_or_default();
            joints.push(independent_joint(joint, kind, child)?);
        }
    }
    let mimics = resolve_mimics(&robot.joints, &joints)?;

    let colours = named_colours(&robot);
    let mut links = Vec::with_capacity(order.len());
    for place in &order {
        let link = &robot.links[place.link];
        let motion = match place.joint {
            Some(joint) => motion_of(&robot.joints[joint], &joints, &mimics, place.parent == Some(0))?,
            None => Motion::fixed(Isometry3::identity()),
        };
        let element = format!("link {:?}", link.name);
        let mass_kg = number(&element, "mass", link.inertial.mass.value, |mass| mass >= 0.0, "a mass of at least 0 kg")?;
        let visuals = link.visual.iter().map(|visual| visual_of(visual, &element, &colours, folder)).collect::<Result<_, _>>()?;
        links.push(Link { name: link.name.clone(), parent: place.parent, visuals, mass_kg, motion });
    }
    Ok(RobotModel { name: robot.name, joints, mimics, links })
}

/// Greatest number of elements that are open at once, counted without understanding the text.
fn depth_of(xml: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for pair in xml.as_bytes().windows(2) {
        match pair {
            [b'<', b'/'] | [b'/', b'>'] => depth = depth.saturating_sub(1),
            [b'<', letter] if letter.is_ascii_alphabetic() || *letter == b'_' => depth += 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// A link's place in the tree: its index in the file, its parent's index in the result, the joint between.
struct Place {
    link: usize,
    parent: Option<usize>,
    joint: Option<usize>,
}

/// Links depth first from the root, children in the order of their joints.
fn tree_order(robot: &urdf_rs::Robot) -> Result<Vec<Place>, RobotError> {
    let index_of: BTreeMap<&str, usize> = robot.links.iter().enumerate().map(|(index, link)| (link.name.as_str(), index)).collect();
    let mut parent_joint: Vec<Option<usize>> = vec![None; robot.links.len()];
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); robot.links.len()];
    for (index, joint) in robot.joints.iter().enumerate() {
        let find = |role, link: &str| {
            let unknown = || RobotError::UnknownLink { joint: joint.name.clone(), role, link: link.to_owned() };
            index_of.get(link).copied().ok_or_else(unknown)
        };
        let parent = find("parent", &joint.parent.link)?;
        let child = find("child", &joint.child.link)?;
        if let Some(first) = parent_joint[child].replace(index) {
            let (link, first) = (joint.child.link.clone(), robot.joints[first].name.clone());
            return Err(RobotError::TwoParents { link, first, second: joint.name.clone() });
        }
        children[parent].push(index);
    }
    let roots: Vec<usize> = (0..robot.links.len()).filter(|&link| parent_joint[link].is_none()).collect();
    if roots.is_empty() && !robot.links.is_empty() {
        return Err(RobotError::Loop { links: robot.links.iter().map(|link| link.name.clone()).collect() });
    }
    let [root] = roots[..] else {
        return Err(RobotError::RootCount { roots: roots.iter().map(|&link| robot.links[link].name.clone()).collect() });
    };

    let mut order = Vec::with_capacity(robot.links.len());
    let mut reached = vec![false; robot.links.len()];
    let mut stack = vec![Place { link: root, parent: None, joint: None }];
    while let Some(place) = stack.pop() {
        reached[place.link] = true;
        let parent = Some(order.len());
        for &joint in children[place.link].iter().rev() {
            stack.push(Place { link: index_of[robot.joints[joint].child.link.as_str()], parent, joint: Some(joint) });
        }
        order.push(place);
    }
    if order.len() < robot.links.len() {
        let lost = robot.links.iter().zip(&reached).filter(|(_, reached)| !**reached);
        return Err(RobotError::Loop { links: lost.map(|(link, _)| link.name.clone()).collect() });
    }
    Ok(order)
}

fn unique<'a>(what: &'static str, names: impl Iterator<Item = &'a str>) -> Result<(), RobotError> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(RobotError::DuplicateName { what, name: name.to_owned() });
        }
    }
    Ok(())
}

/// `None` for joints that do not move.
fn kind_of(joint: &urdf_rs::Joint) -> Result<Option<JointKind>, RobotError> {
    let unsupported = |kind| Err(RobotError::UnsupportedJoint { joint: joint.name.clone(), kind });
    match joint.joint_type {
        JointType::Revolute => Ok(Some(JointKind::Revolute)),
        JointType::Continuous => Ok(Some(JointKind::Continuous)),
        JointType::Prismatic => Ok(Some(JointKind::Prismatic)),
        JointType::Fixed | JointType::Floating => Ok(None),
        JointType::Planar => unsupported("planar"),
        JointType::Spherical => unsupported("spherical"),
    }
}

fn independent_joint(joint: &urdf_rs::Joint, kind: JointKind, child: usize) -> Result<Joint, RobotError> {
    let element = format!("joint {:?}", joint.name);
    let finite = |field, value: f64| number(&element, field, value, f64::is_finite, "a finite number");
    let (lower, upper) = match kind {
        JointKind::Continuous => (f64::NEG_INFINITY, f64::INFINITY),
        JointKind::Revolute | JointKind::Prismatic => {
            (finite("lower limit", joint.limit.lower)?, finite("upper limit", joint.limit.upper)?)
        }
    };
    Ok(Joint {
        name: joint.name.clone(),
        kind,
        axis: axis_of(joint)?,
        lower,
        upper,
        velocity: finite("velocity limit", joint.limit.velocity)?,
        effort: finite("effort limit", joint.limit.effort)?,
        child,
    })
}

fn axis_of(joint: &urdf_rs::Joint) -> Result<Unit<Vector3<f64>>, RobotError> {
    let axis = Vector3::from(joint.axis.xyz.0);
    let norm = axis.norm();
    let too_short = || RobotError::BadNumber {
        element: format!("joint {:?}", joint.name),
        field: "length of the axis",
        value: norm,
        expected: "a finite length above 1e-6",
    };
    if !norm.is_finite() {
        return Err(too_short());
    }
    Unit::try_new(axis, AXIS_NORM_MIN).ok_or_else(too_short)
}

/// Follows every mimic chain to its independent joint; multipliers and offsets are composed on the way.
fn resolve_mimics(all: &[urdf_rs::Joint], joints: &[Joint]) -> Result<Vec<Mimic>, RobotError> {
    let mut mimics = Vec::new();
    for joint in all {
        let Some(first) = &joint.mimic else { continue };
        if kind_of(joint)?.is_none() {
            continue;
        }
        let bad = |reason| RobotError::BadMimic { joint: joint.name.clone(), master: first.joint.clone(), reason };
        let (mut multiplier, mut offset, mut link) = (1.0, 0.0, first);
        let mut steps = 0;
        let master = loop {
            offset += multiplier * link.offset.unwrap_or(0.0);
            multiplier *= link.multiplier.unwrap_or(1.0);
            let next = all.iter().find(|other| other.name == link.joint).ok_or_else(|| bad("that joint does not exist"))?;
            match &next.mimic {
                None => break joints.iter().position(|j| j.name == next.name).ok_or_else(|| bad("that joint does not move"))?,
                Some(further) => link = further,
            }
            steps += 1;
            if steps > all.len() {
                return Err(bad("the chain comes back to itself"));
            }
        };
        if !(multiplier.is_finite() && offset.is_finite()) {
            return Err(bad("multiplier and offset must be finite numbers"));
        }
        mimics.push(Mimic { name: joint.name.clone(), joint: master, multiplier, offset });
    }
    Ok(mimics)
}

fn motion_of(joint: &urdf_rs::Joint, joints: &[Joint], mimics: &[Mimic], at_root: bool) -> Result<Motion, RobotError> {
    if joint.joint_type == JointType::Floating && !at_root {
        return Err(RobotError::UnsupportedJoint { joint: joint.name.clone(), kind: "floating below the root" });
    }
    let parent_from_joint = pose_of(&joint.origin, &format!("joint {:?}", joint.name))?;
    let Some(kind) = kind_of(joint)? else { return Ok(Motion::fixed(parent_from_joint)) };
    let axis = axis_of(joint)?;
    let driven = if let Some(index) = joints.iter().position(|independent| independent.name == joint.name) {
        Some(Driven { joint: index, multiplier: 1.0, offset: 0.0, kind, axis })
    } else {
        let mimic = mimics.iter().find(|mimic| mimic.name == joint.name);
        mimic.map(|mimic| Driven { joint: mimic.joint, multiplier: mimic.multiplier, offset: mimic.offset, kind, axis })
    };
    Ok(Motion { parent_from_joint, driven })
}

fn pose_of(pose: &urdf_rs::Pose, element: &str) -> Result<Isometry3<f64>, RobotError> {
    for value in pose.xyz.0.iter().chain(&pose.rpy.0) {
        number(element, "origin", *value, f64::is_finite, "finite numbers")?;
    }
    let [roll, pitch, yaw] = pose.rpy.0;
    Ok(Isometry3::from_parts(Translation3::from(Vector3::from(pose.xyz.0)), UnitQuaternion::from_euler_angles(roll, pitch, yaw)))
}

/// Colours by material name, also those that a visual defines for others to name.
fn named_colours(robot: &urdf_rs::Robot) -> Colours {
    let inline = robot.links.iter().flat_map(|link| &link.visual).filter_map(|visual| visual.material.as_ref());
    let materials = inline.chain(&robot.materials);
    materials.filter_map(|material| Some((material.name.clone(), rgba(material.color.as_ref()?)))).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "a colour needs no more than f32")]
fn rgba(colour: &urdf_rs::Color) -> [f32; 4] {
    colour.rgba.0.map(|part| part as f32)
}

fn visual_of(visual: &urdf_rs::Visual, element: &str, colours: &Colours, folder: Option<&Path>) -> Result<Visual, RobotError> {
    let rgba = visual.material.as_ref().and_then(|material| match &material.color {
        Some(colour) => Some(rgba(colour)),
        None => colours.get(&material.name).copied(),
    });
    let link_from_visual = pose_of(&visual.origin, element)?;
    Ok(Visual { link_from_visual, shape: shape_of(&visual.geometry, element, folder)?, rgba })
}

fn shape_of(geometry: &Geometry, element: &str, folder: Option<&Path>) -> Result<Shape, RobotError> {
    let size = |field, value: f64| number(element, field, value, |v| v.is_finite() && v >= 0.0, "a finite size of at least 0 m");
    Ok(match geometry {
        Geometry::Box { size: edges } => {
            let [x, y, z] = edges.0;
            Shape::Box { size_m: [size("box size", x)?, size("box size", y)?, size("box size", z)?] }
        }
        Geometry::Cylinder { radius, length } => {
            Shape::Cylinder { radius_m: size("cylinder radius", *radius)?, length_m: size("cylinder length", *length)? }
        }
        Geometry::Capsule { radius, length } => {
            Shape::Capsule { radius_m: size("capsule radius", *radius)?, length_m: size("capsule length", *length)? }
        }
        Geometry::Sphere { radius } => Shape::Sphere { radius_m: size("sphere radius", *radius)? },
        Geometry::Mesh { filename, scale } => {
            let (path, exists) = mesh::locate(folder, filename);
            Shape::Mesh { path, file_name: filename.clone(), scale: scale.map_or([1.0; 3], |scale| scale.0), exists }
        }
    })
}

fn number(element: &str, field: &'static str, value: f64, accept: impl Fn(f64) -> bool, expected: &'static str) -> Result<f64, RobotError> {
    if value.is_finite() && accept(value) {
        return Ok(value);
    }
    Err(RobotError::BadNumber { element: element.to_owned(), field, value, expected })
}
