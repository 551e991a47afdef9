use std::path::PathBuf;

use super::*;

fn read_file(name: &str, bytes: &[u8]) -> Result<Vec<Surface>, ReplayError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    read(&path)
}

/// Least and greatest corner of all triangles, and how many there are.
fn extent(surfaces: &[Surface]) -> ([f32; 3], [f32; 3], usize) {
    let points = || surfaces.iter().flat_map(|surface| surface.triangles.iter().flatten().map(|i| surface.positions[*i as usize]));
    let low = points().reduce(Vec3::min).unwrap();
    let high = points().reduce(Vec3::max).unwrap();
    (low.to_array(), high.to_array(), surfaces.iter().map(|surface| surface.triangles.len()).sum())
}

/// One triangle (0,0,0) (1,0,0) (0,2,0).
fn binary_stl(claimed: u32, triangles: usize) -> Vec<u8> {
    let mut bytes = b"solid but binary".to_vec();
    bytes.resize(80, b' ');
    bytes.extend(claimed.to_le_bytes());
    for _ in 0..triangles {
        for value in [0.0_f32, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 2.0, 0.0] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend([0, 0]);
    }
    bytes
}

#[test]
fn stl_binary_and_ascii() {
    let expect = ([0.0, 0.0, 0.0], [1.0, 2.0, 0.0], 1);
    assert_eq!(extent(&read_file("a.STL", &binary_stl(1, 1)).unwrap()), expect);
    let ascii = "solid a\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 2 0\nendloop\nendfacet\nendsolid a\n";
    assert_eq!(extent(&read_file("a.stl", ascii.as_bytes()).unwrap()), expect);
}

#[test]
fn obj_with_the_colour_of_its_library() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.obj");
    std::fs::write(folder.path().join("a.mtl"), "newmtl red\nKd 0.8 0.1 0.2\n").unwrap();
    std::fs::write(&path, "mtllib a.mtl\nusemtl red\nv 0 0 0\nv 1 0 0\nv 1 2 0\nv 0 2 0\nf 1 2 3 4\n").unwrap();
    let surfaces = read(&path).unwrap();
    assert_eq!(extent(&surfaces), ([0.0, 0.0, 0.0], [1.0, 2.0, 0.0], 2), "a quadrangle is two triangles");
    assert_eq!(surfaces[0].rgba, Some([0.8, 0.1, 0.2, 1.0]));
    std::fs::remove_file(folder.path().join("a.mtl")).unwrap();
    assert_eq!(read(&path).unwrap()[0].rgba, None, "without its library the shape stays");
}

const DAE: &str = r##"<?xml version="1.0"?>
<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
  <asset><unit name="centimeter" meter="0.01"/><up_axis>Y_UP</up_axis></asset>
  <library_effects><effect id="e"><profile_COMMON><technique sid="c"><phong>
    <diffuse><color sid="d">0.1 0.6 0.3 1</color></diffuse></phong></technique></profile_COMMON></effect></library_effects>
  <library_materials><material id="m"><instance_effect url="#e"/></material></library_materials>
  <library_geometries><geometry id="g"><mesh>
    <source id="p"><float_array id="pa" count="12">0 0 0 100 0 0 100 200 0 0 200 0</float_array>
      <technique_common><accessor source="#pa" count="4" stride="3"/></technique_common></source>
    <source id="n"><float_array id="na" count="3">0 0 1</float_array>
      <technique_common><accessor source="#na" count="1" stride="3"/></technique_common></source>
    <vertices id="v"><input semantic="POSITION" source="#p"/></vertices>
    <polylist material="skin" count="1"><input semantic="VERTEX" source="#v" offset="0"/><input semantic="NORMAL" source="#n" offset="1"/>
      <vcount>4</vcount><p>0 0 1 0 2 0 3 0</p></polylist>
  </mesh></geometry></library_geometries>
  <library_visual_scenes><visual_scene id="s">
    <node><translate>0 0 50</translate>
      <node><matrix>1 0 0 100 0 0 -1 0 0 1 0 0 0 0 0 1</matrix>
        <instance_geometry url="#g"><bind_material><technique_common><instance_material symbol="skin" target="#m"/></technique_common></bind_material></instance_geometry>
      </node>
      <node><scale>-1 1 1</scale><instance_geometry url="#g"/></node>
    </node>
  </visual_scene></library_visual_scenes>
  <scene><instance_visual_scene url="#s"/></scene>
</COLLADA>"##;

#[test]
fn dae_with_unit_nested_nodes_colour_and_mirror() {
    let mut surfaces = read_file("a.dae", DAE.as_bytes()).unwrap();
    surfaces.sort_by_key(|surface| surface.rgba.is_none());
    let close = |found: ([f32; 3], [f32; 3], usize), low: [f32; 3], high: [f32; 3]| {
        assert!(Vec3::from(found.0).abs_diff_eq(low.into(), 1e-5) && Vec3::from(found.1).abs_diff_eq(high.into(), 1e-5), "{found:?}");
        assert_eq!(found.2, 2);
    };
    // Turned about x by 90 degrees, moved by 1 m along x in the parent, which lies 0.5 m up: centimetres become metres, the axis stays.
    close(extent(&surfaces[..1]), [1.0, 0.0, 0.5], [2.0, 0.0, 2.5]);
    assert_eq!(surfaces[0].rgba, Some([0.1, 0.6, 0.3, 1.0]));
    assert!(surfaces[0].normals.as_ref().unwrap()[0].abs_diff_eq(Vec3::NEG_Y, 1e-5), "normals turn with their node");
    close(extent(&surfaces[1..]), [-1.0, 0.0, 0.5], [0.0, 2.0, 0.5]);
    let [a, b, c] = surfaces[1].triangles[0].map(|corner| surfaces[1].positions[corner as usize]);
    assert!((b - a).cross(c - a).z > 0.0, "a mirrored body still faces outward");
}

/// A binary glTF of one triangle on a node that is moved, below one that is turned by 90° about z; `stride` and `count` as the file claims them.
fn glb(stride: &str, count: u32) -> Vec<u8> {
    let mut data = Vec::new();
    for value in [0.0_f32, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 2.0, 0.0] {
        data.extend(value.to_le_bytes());
    }
    let mut json = format!(
        r#"{{"asset":{{"version":"2.0"}},"scene":0,"scenes":[{{"nodes":[0]}}],
        "nodes":[{{"children":[1],"rotation":[0,0,0.70710678,0.70710678]}},{{"mesh":0,"translation":[5,0,3]}}],
        "meshes":[{{"primitives":[{{"attributes":{{"POSITION":0}},"material":0}}]}}],
        "materials":[{{"pbrMetallicRoughness":{{"baseColorFactor":[1.0,0.0,0.0,0.5]}}}}],
        "accessors":[{{"bufferView":0,"componentType":5126,"count":{count},"type":"VEC3","min":[0,0,0],"max":[1,2,0]}}],
        "bufferViews":[{{"buffer":0,"byteLength":36{stride}}}],"buffers":[{{"byteLength":36}}]}}"#
    )
    .into_bytes();
    json.resize(json.len().next_multiple_of(4), b' ');
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_le_bytes();
    let mut bytes = b"glTF\x02\0\0\0".to_vec();
    bytes.extend(u32::try_from(12 + 8 + json.len() + 8 + data.len()).unwrap().to_le_bytes());
    bytes.extend(length(&json));
    bytes.extend(b"JSON");
    bytes.extend(&json);
    bytes.extend(length(&data));
    bytes.extend(b"BIN\0");
    bytes.extend(&data);
    bytes
}

#[test]
fn glb_with_nested_nodes_and_colour() {
    let surfaces = read_file("a.glb", &glb("", 3)).unwrap();
    let (least, greatest, triangles) = extent(&surfaces);
    let near = |found: [f32; 3], expect: [f32; 3]| found.iter().zip(expect).all(|(found, expect)| (found - expect).abs() < 1e-5);
    assert!(near(least, [-2.0, 5.0, 3.0]) && near(greatest, [0.0, 6.0, 3.0]), "first moved, then turned: {least:?} to {greatest:?}");
    assert_eq!(triangles, 1);
    let [r, g, b, a] = surfaces[0].rgba.unwrap();
    assert!((r - 1.0).abs() < 1e-6 && g == 0.0 && b == 0.0 && a == 0.5, "{:?}", surfaces[0].rgba);
}

#[test]
fn what_is_wrong_is_named_with_the_file() {
    let no_index = DAE.replace("0 0 1 0 2 0 3 0", "0 0 1 0 2 0 9 0");
    let short = DAE.replace("<vcount>4</vcount>", "<vcount>99999999999</vcount>");
    let cases: [(&str, &[u8], &str); 10] = [
        ("a.stl", b"too short", "84 bytes"),
        ("a.stl", &binary_stl(0, 0), "at least one triangle"),
        ("a.dae", b"<COLLADA", "COLLADA"),
        ("a.dae", no_index.as_bytes(), "vertex 9"),
        ("a.dae", short.as_bytes(), "ends before its last polygon"),
        ("a.obj", b"v 0 0 0\nf 1 2 3\n", "Wavefront"),
        ("a.glb", b"glTF", "binary glTF"),
        ("a.glb", &glb(r#","byteStride":4"#, 3), "3 floats each"),
        ("a.glb", &glb("", 4_000_000_000), "3 floats each"),
        ("a.ply", b"ply", ".stl, .dae, .obj or .glb"),
    ];
    for (name, bytes, expect) in cases {
        let error = read_file(name, bytes).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(expect), "{name}: {error}");
    }
    let claims = read_file("a.stl", &binary_stl(4_000_000_000, 1)).unwrap();
    assert_eq!(extent(&claims).2, 1, "a count that the file does not hold is not believed");
}

#[test]
fn smoothing_shares_vertices_and_keeps_edges() {
    // A roof of two faces: shallow ones share their normals, steep ones do not.
    let roof = |height: f32| Surface {
        positions: vec![Vec3::ZERO, Vec3::Y, Vec3::new(1.0, 0.0, height), Vec3::ZERO, Vec3::new(-1.0, 0.0, height), Vec3::Y],
        triangles: vec![[0, 2, 1], [3, 5, 4]],
        ..Surface::default()
    };
    let shallow = smooth(&roof(0.1));
    assert_eq!((shallow.positions.len(), shallow.triangles.len()), (4, 2), "the ridge's two vertices are shared");
    assert_eq!(smooth(&roof(1.0)).positions.len(), 6, "a right angle stays an edge");
}

#[test]
fn packages_are_searched_for_what_is_not_beside_the_description() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("robot/meshes/arm.stl");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, binary_stl(1, 1)).unwrap();
    let shape = |exists: bool, file_name: &str| sanqu_robot::Shape::Mesh {
        path: PathBuf::from("/elsewhere/arm.stl"),
        file_name: file_name.to_owned(),
        scale: [1.0; 3],
        exists,
    };
    let find = |root: &Path, file_name: &str| MeshSearch { packages: vec![root.to_path_buf()] }.find(&shape(false, file_name));
    assert_eq!(find(folder.path(), "package://robot/meshes/arm.stl"), Some(file.clone()), "a folder of packages");
    assert_eq!(find(&folder.path().join("robot"), "package://robot/meshes/arm.stl"), Some(file), "the package itself");
    assert_eq!(find(folder.path(), "package://robot/meshes/leg.stl"), None);
    assert_eq!(MeshSearch::default().find(&shape(true, "arm.stl")), Some(PathBuf::from("/elsewhere/arm.stl")), "as the description says");
}
