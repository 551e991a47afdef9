//! URDFs that must be refused, each with a message that names the culprit, and unusual ones that must be read.

use std::path::Path;

use nalgebra::{Isometry3, Vector3};
use proptest::prelude::*;
use sanqu_robot::{JointKind, LinkPoses, RobotError, RobotModel, Shape};

fn joint(name: &str, kind: &str, parent: &str, child: &str, more: &str) -> String {
    format!(
        r#"<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/><axis xyz="0 0 1"/>
           <limit lower="-1" upper="1" velocity="1" effort="1"/>{more}</joint>"#
    )
}

fn robot(links: &[&str], joints: &[String]) -> String {
    let links: String = links.iter().map(|link| format!(r#"<link name="{link}"/>"#)).collect();
    format!(r#"<robot name="r">{links}{}</robot>"#, joints.concat())
}

fn check(xml: &str, expect: &str) {
    let error = RobotModel::from_urdf_str(xml).unwrap_err().to_string();
    assert!(error.contains(expect), "{error}\nexpected {expect}");
}

#[test]
fn broken_trees_are_refused() {
    let ab = joint("ab", "fixed", "a", "b", "");
    check(&robot(&["a", "b", "c"], std::slice::from_ref(&ab)), "exactly one root link, found 2: a, c");
    check(&robot(&[], &[]), "exactly one root link, found 0");
    check(&robot(&["a", "b"], &[ab.clone(), joint("ba", "fixed", "b", "a", "")]), "form a loop");
    let loop_below = [ab.clone(), joint("cd", "fixed", "c", "d", ""), joint("dc", "fixed", "d", "c", "")];
    check(&robot(&["a", "b", "c", "d"], &loop_below), "cannot be reached from a root: c, d");
    check(&robot(&["a", "b"], &[joint("x", "fixed", "nowhere", "b", "")]), "joint \"x\": parent link \"nowhere\" does not exist");
    check(&robot(&["a"], &[joint("x", "fixed", "a", "nowhere", "")]), "joint \"x\": child link \"nowhere\" does not exist");
    check(&robot(&["a", "b"], &[ab.clone(), joint("ab2", "fixed", "a", "b", "")]), "child of both joint \"ab\" and joint \"ab2\"");
    check(&robot(&["a", "b", "b"], std::slice::from_ref(&ab)), "link name \"b\" is used twice");
    check(&robot(&["a", "b", "c"], &[ab.clone(), joint("ab", "fixed", "b", "c", "")]), "joint name \"ab\" is used twice");
    check(&robot(&["a", "b"], &[joint("p", "planar", "a", "b", "")]), "joint \"p\" is planar");
    let deep = [ab, joint("f", "floating", "b", "c", "")];
    check(&robot(&["a", "b", "c"], &deep), "floating below the root");
}

#[test]
fn broken_numbers_and_text_are_refused() {
    let hinge = robot(&["a", "b"], &[joint("j", "revolute", "a", "b", "")]);
    check(&hinge.replace("0 0 1", "0 0 0"), "joint \"j\": length of the axis is 0");
    check(&hinge.replace("upper=\"1\"", "upper=\"inf\""), "joint \"j\": upper limit is inf");
    check(&hinge.replace("upper=\"1\"", "upper=\"one\""), "not a URDF");
    check(&hinge.replace("<axis", "<origin xyz=\"0 NaN 0\"/><axis"), "joint \"j\": origin is NaN");
    let box_link = r#"<robot name="r"><link name="a"><visual><geometry><box size="1 -1 1"/></geometry></visual></link></robot>"#;
    check(box_link, "link \"a\": box size is -1");
    check(&hinge[..hinge.len() - 9], "not a URDF");
    check("", "not a URDF");
    check("not xml", "not a URDF");
    check(&"<a>".repeat(1_000_000), "nested more than 256 deep");
}

proptest! {
    /// Damaged text is read or refused, never a panic; what is read can be posed.
    #[test]
    fn damaged_text_never_panics(at in 0..1_000_usize, with in "[ -~]{0,3}", drop in 0..40_usize) {
        let hinge = robot(&["a", "b", "c"], &[joint("j", "revolute", "a", "b", "<mimic joint=\"k\"/>"), joint("k", "prismatic", "b", "c", "")]);
        let at = at % hinge.len();
        let text = format!("{}{with}{}", &hinge[..at], &hinge[(at + drop).min(hinge.len())..]);
        if let Ok(model) = RobotModel::from_urdf_str(&text) {
            let q = vec![0.5; model.joints().len()];
            prop_assert!(model.link_poses(&q, &Isometry3::identity(), &mut LinkPoses::default()).is_ok());
        }
    }
}

#[test]
fn broken_mimics_are_refused() {
    let follow = |name: &str, parent: &str, child: &str, master: &str| {
        joint(name, "revolute", parent, child, &format!(r#"<mimic joint="{master}"/>"#))
    };
    check(&robot(&["a", "b"], &[follow("j", "a", "b", "nobody")]), "joint \"j\" mimics \"nobody\": that joint does not exist");
    check(&robot(&["a", "b"], &[follow("j", "a", "b", "j")]), "comes back to itself");
    let fixed = [joint("f", "fixed", "a", "b", ""), follow("j", "b", "c", "f")];
    check(&robot(&["a", "b", "c"], &fixed), "that joint does not move");
}

#[test]
fn a_missing_file_is_named() {
    let error = RobotModel::from_urdf_file(Path::new("no/such/robot.urdf")).unwrap_err();
    assert!(matches!(&error, RobotError::Read { .. }) && error.to_string().contains("no/such/robot.urdf"), "{error}");
}

#[test]
fn missing_meshes_and_named_colours_are_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/data/package/robot/urdf/robot.urdf");
    let model = RobotModel::from_urdf_file(&path).unwrap();
    let [there, missing] = &model.links()[0].visuals[..] else { panic!("two visuals") };
    assert!(matches!(&there.shape, Shape::Mesh { exists: true, scale: [0.001, ..], path, .. } if path.is_file()), "{there:?}");
    assert_eq!(there.rgba, Some([1.0, 0.5, 0.0, 1.0]));
    assert!(matches!(&missing.shape, Shape::Mesh { exists: false, .. }), "{missing:?}");
    assert_eq!((missing.rgba, missing.link_from_visual.translation.z), (None, 0.1));
    assert_eq!(model.missing_meshes(), ["package://robot/meshes/missing.stl"]);
}

#[test]
fn mimic_chains_slides_and_a_floating_root_move() {
    let joints = [
        joint("float", "floating", "world", "base", ""),
        joint("outer", "prismatic", "base", "outer", r#"<mimic joint="inner" multiplier="-2" offset="0.5"/>"#),
        joint("inner", "revolute", "outer", "inner", r#"<mimic joint="turn" multiplier="3" offset="0.1"/>"#),
        joint("turn", "continuous", "inner", "tip", ""),
    ];
    let model = RobotModel::from_urdf_str(&robot(&["tip", "inner", "outer", "base", "world"], &joints)).unwrap();
    assert_eq!((model.joints().len(), model.joints()[0].kind, model.joints()[0].upper), (1, JointKind::Continuous, f64::INFINITY));
    let parents_first = model.links().iter().enumerate().all(|(index, link)| link.parent.is_none_or(|parent| parent < index));
    assert!(parents_first && model.links()[0].name == "world");

    let base = Isometry3::translation(1.0, 2.0, 3.0);
    let mut poses = LinkPoses::default();
    model.link_poses(&[0.2], &base, &mut poses).unwrap();
    let tip = poses[model.link_index("tip").unwrap()];
    // inner = 3 * 0.2 + 0.1 = 0.7 rad; outer = -2 * 0.7 + 0.5 = -0.9 m; tip turns 0.7 + 0.2 about z.
    let expect = Isometry3::new(Vector3::new(1.0, 2.0, 3.0 - 0.9), Vector3::z() * 0.9);
    assert!((tip.to_homogeneous() - expect.to_homogeneous()).norm() < 1e-12, "{tip}");
}
