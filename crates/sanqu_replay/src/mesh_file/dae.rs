//! COLLADA 1.4: the visual scene's geometries with their diffuse colours. What robots use of it, no more: no skins, no
//! animations, no textures.

use std::collections::HashMap;

use bevy::math::{Mat4, Quat, Vec3};
use roxmltree::{Document, Node, ParsingOptions};

use super::{MESH_CORNERS_MAX, MESH_NODES_MAX, Refusal, Surface};

const EXPECTED: &str = "a COLLADA document with a visual scene of triangles, polylists or polygons";
/// Most XML elements of a file.
const ELEMENTS_MAX: u32 = 2_000_000;

/// Most indices of a corner.
const OFFSETS_MAX: usize = 64;

type Element<'a> = Node<'a, 'a>;

/// Triangles of the document's scene; a document without a scene gives all its geometries as they are.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Surface>, Refusal> {
    let text = std::str::from_utf8(bytes).map_err(|error| Refusal::new(EXPECTED, error.to_string()))?;
    let options = ParsingOptions { nodes_limit: ELEMENTS_MAX, ..ParsingOptions::default() };
    let text = text.trim_start_matches('\u{feff}');
    let document = Document::parse_with_options(text, options).map_err(|error| Refusal::new(EXPECTED, error.to_string()))?;
    let root = document.root_element();
    if root.tag_name().name() != "COLLADA" {
        return Err(Refusal::new(EXPECTED, format!("its root element is <{}>", root.tag_name().name())));
    }
    let ids = root.descendants().filter_map(|node| Some((node.attribute("id")?, node))).collect();
    Reader { root, ids, surfaces: Vec::new(), corners: 0 }.scene()
}

struct Reader<'a> {
    root: Element<'a>,
    ids: HashMap<&'a str, Element<'a>>,
    surfaces: Vec<Surface>,
    corners: usize,
}

/// Indices of one primitive: how many numbers a corner has, and which of them are position and normal.
struct Layout<'a> {
    stride: usize,
    position: (usize, Points),
    normal: Option<(usize, Points)>,
    material: Option<&'a str>,
}

type Points = Vec<Vec3>;

impl<'a> Reader<'a> {
    fn scene(mut self) -> Result<Vec<Surface>, Refusal> {
        let metre = child(self.root, "asset").and_then(|asset| child(asset, "unit")).and_then(|unit| unit.attribute("meter"));
        let scale: f32 = metre.map_or(Ok(1.0), str::parse).map_err(|_| Refusal::new("a number of metres", "its unit is none"))?;
        let base = Mat4::from_scale(Vec3::splat(scale));
        let instance = child(self.root, "scene").and_then(|scene| child(scene, "instance_visual_scene"));
        match instance.and_then(|instance| self.target(instance, "url")) {
            Some(scene) => self.walk(scene, base)?,
            None => {
                let geometries: Vec<_> = self.root.descendants().filter(|node| node.has_tag_name_any("geometry")).collect();
                for geometry in geometries {
                    self.geometry(geometry, base, &HashMap::new())?;
                }
            }
        }
        Ok(self.surfaces)
    }

    /// The element that `#id` in an attribute names.
    fn target(&self, node: Element<'a>, attribute: &str) -> Option<Element<'a>> {
        self.ids.get(node.attribute(attribute)?.strip_prefix('#')?).copied()
    }

    fn walk(&mut self, scene: Element<'a>, base: Mat4) -> Result<(), Refusal> {
        let mut stack: Vec<(Element<'a>, Mat4)> = children(scene, "node").map(|node| (node, base)).collect();
        let mut visited = 0;
        while let Some((node, parent)) = stack.pop() {
            visited += 1;
            if visited > MESH_NODES_MAX {
                return Err(Refusal::new("at most 65536 nodes, none below itself", "its scene has more"));
            }
            let matrix = parent * local_matrix(node)?;
            for instance in children(node, "instance_geometry") {
                let Some(geometry) = self.target(instance, "url") else { continue };
                let bound = instance.descendants().filter(|node| node.has_tag_name_any("instance_material"));
                let colours = bound.filter_map(|material| Some((material.attribute("symbol")?, self.colour(material)?))).collect();
                self.geometry(geometry, matrix, &colours)?;
            }
            stack.extend(children(node, "node").map(|below| (below, matrix)));
            let others: Vec<_> = children(node, "instance_node").filter_map(|instance| self.target(instance, "url")).collect();
            stack.extend(others.into_iter().map(|below| (below, matrix)));
        }
        Ok(())
    }

    /// The diffuse colour that an `<instance_material>` leads to.
    fn colour(&self, instance: Element<'a>) -> Option<[f32; 4]> {
        let material = self.target(instance, "target")?;
        let effect = self.target(child(material, "instance_effect")?, "url")?;
        let diffuse = effect.descendants().find(|node| node.has_tag_name_any("diffuse"))?;
        let values = floats(child(diffuse, "color")?).ok()?;
        // Opacity here means what `transparent` says; exporters leave it at 0 for bodies that are not transparent at all.
        (values.len() >= 3).then(|| [values[0], values[1], values[2], 1.0])
    }

    fn geometry(&mut self, geometry: Element<'a>, matrix: Mat4, colours: &HashMap<&str, [f32; 4]>) -> Result<(), Refusal> {
        let Some(mesh) = child(geometry, "mesh") else { return Ok(()) };
        for primitive in mesh.children().filter(Element::is_element) {
            let polygons: Vec<Vec<usize>> = match primitive.tag_name().name() {
                "triangles" => {
                    each_p(primitive)?.iter().flat_map(|p| p.chunks_exact(3 * stride(primitive)).map(<[usize]>::to_vec)).collect()
                }
                "polylist" => {
                    let counts = child(primitive, "vcount").map(integers).transpose()?.unwrap_or_default();
                    let indices = each_p(primitive)?.concat();
                    let stride = stride(primitive);
                    let mut rest = indices.as_slice();
                    let mut polygons = Vec::new();
                    for count in counts {
                        let taken = count.checked_mul(stride).filter(|taken| *taken <= rest.len());
                        let Some(taken) = taken else { return Err(Refusal::new(EXPECTED, "a polylist ends before its last polygon")) };
                        polygons.push(rest[..taken].to_vec());
                        rest = &rest[taken..];
                    }
                    polygons
                }
                "polygons" => each_p(primitive)?,
                _ => continue,
            };
            if polygons.is_empty() {
                continue;
            }
            let layout = self.layout(primitive)?;
            let rgba = layout.material.and_then(|symbol| colours.get(symbol)).copied();
            let surface = self.surface(&layout, &polygons)?;
            self.surfaces.push(Surface { rgba, ..surface.transformed(matrix) });
        }
        Ok(())
    }

    fn layout(&self, primitive: Element<'a>) -> Result<Layout<'a>, Refusal> {
        let (mut position, mut normal) = (None, None);
        for input in children(primitive, "input") {
            let offset = offset(input);
            if offset >= OFFSETS_MAX {
                return Err(Refusal::new("at most 64 inputs of a mesh", format!("one has offset {offset}")));
            }
            let Some(source) = self.target(input, "source") else { continue };
            match input.attribute("semantic") {
                Some("NORMAL") => normal = Some((offset, points(source)?)),
                Some("VERTEX") => {
                    for inner in children(source, "input") {
                        let Some(source) = self.target(inner, "source") else { continue };
                        match inner.attribute("semantic") {
                            Some("POSITION") => position = Some((offset, points(source)?)),
                            Some("NORMAL") => normal = Some((offset, points(source)?)),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        let position = position.ok_or_else(|| Refusal::new(EXPECTED, "a mesh has no positions"))?;
        Ok(Layout { stride: stride(primitive), position, normal, material: primitive.attribute("material") })
    }

    /// Polygons as fans of triangles, with one vertex for each pair of position and normal.
    fn surface(&mut self, layout: &Layout<'_>, polygons: &[Vec<usize>]) -> Result<Surface, Refusal> {
        let mut surface = Surface { normals: layout.normal.as_ref().map(|_| Vec::new()), ..Surface::default() };
        let mut known: HashMap<(usize, usize), u32> = HashMap::new();
        for polygon in polygons {
            let mut corners = Vec::new();
            for corner in polygon.chunks_exact(layout.stride) {
                let place = corner[layout.position.0];
                let (normal_place, normal) = match &layout.normal {
                    Some((offset, points)) => (corner[*offset], points.get(corner[*offset])),
                    None => (0, Some(&Vec3::Z)),
                };
                let (Some(point), Some(normal)) = (layout.position.1.get(place), normal) else {
                    return Err(Refusal::new("indices of existing vertices", format!("a corner names vertex {place}")));
                };
                let next = u32::try_from(surface.positions.len()).unwrap_or(u32::MAX);
                corners.push(*known.entry((place, normal_place)).or_insert_with(|| {
                    surface.positions.push(*point);
                    if let Some(normals) = &mut surface.normals {
                        normals.push(*normal);
                    }
                    next
                }));
            }
            self.corners += corners.len();
            if self.corners > MESH_CORNERS_MAX {
                return Err(Refusal::new("at most 2 million triangles", "its scene has more"));
            }
            surface.triangles.extend(corners.windows(2).skip(1).map(|pair| [corners[0], pair[0], pair[1]]));
        }
        Ok(surface)
    }
}

/// The transforms of a `<node>`, from the first to the last.
fn local_matrix(node: Element<'_>) -> Result<Mat4, Refusal> {
    let mut matrix = Mat4::IDENTITY;
    for element in node.children().filter(Element::is_element) {
        let step = match element.tag_name().name() {
            "matrix" => <[f32; 16]>::try_from(floats(element)?).ok().map(|values| Mat4::from_cols_array(&values).transpose()),
            "translate" => <[f32; 3]>::try_from(floats(element)?).ok().map(|values| Mat4::from_translation(values.into())),
            "scale" => <[f32; 3]>::try_from(floats(element)?).ok().map(|values| Mat4::from_scale(values.into())),
            "rotate" => <[f32; 4]>::try_from(floats(element)?).ok().map(|[x, y, z, degrees]| {
                let axis = Vec3::new(x, y, z).try_normalize();
                axis.map_or(Mat4::IDENTITY, |axis| Mat4::from_quat(Quat::from_axis_angle(axis, degrees.to_radians())))
            }),
            _ => continue,
        };
        matrix *= step.ok_or_else(|| Refusal::new(EXPECTED, format!("<{}> has too few numbers", element.tag_name().name())))?;
    }
    Ok(matrix)
}

/// The vectors of a `<source>` with `<float_array>` and accessor.
fn points(source: Element<'_>) -> Result<Points, Refusal> {
    let array = child(source, "float_array").map(floats).transpose()?.unwrap_or_default();
    let accessor = source.descendants().find(|node| node.has_tag_name_any("accessor"));
    let stride = accessor.and_then(|accessor| accessor.attribute("stride")?.parse::<usize>().ok()).unwrap_or(3).max(3);
    Ok(array.chunks_exact(stride).map(Vec3::from_slice).collect())
}

/// The indices of each `<p>`.
fn each_p(primitive: Element<'_>) -> Result<Vec<Vec<usize>>, Refusal> {
    children(primitive, "p").map(integers).collect()
}

fn offset(input: Element<'_>) -> usize {
    input.attribute("offset").and_then(|offset| offset.parse().ok()).unwrap_or(0)
}

/// How many indices a corner has.
fn stride(primitive: Element<'_>) -> usize {
    children(primitive, "input").map(offset).max().unwrap_or(0).min(OFFSETS_MAX - 1) + 1
}

fn numbers<T: std::str::FromStr>(element: Element<'_>) -> Result<Vec<T>, Refusal> {
    let words = element.text().unwrap_or("").split_ascii_whitespace();
    let bad = |word| Refusal::new("numbers", format!("<{}> has {word:?}", element.tag_name().name()));
    words.map(|word| word.parse().map_err(|_| bad(word))).collect()
}

fn floats(element: Element<'_>) -> Result<Vec<f32>, Refusal> {
    numbers(element)
}

fn integers(element: Element<'_>) -> Result<Vec<usize>, Refusal> {
    numbers(element)
}

fn child<'a>(node: Element<'a>, name: &str) -> Option<Element<'a>> {
    node.children().find(|child| child.has_tag_name_any(name))
}

fn children<'a>(node: Element<'a>, name: &'static str) -> impl Iterator<Item = Element<'a>> {
    node.children().filter(move |child| child.has_tag_name_any(name))
}

/// Names without their namespace: exporters write 1.4 and 1.5 and none.
trait AnyNamespace {
    fn has_tag_name_any(&self, name: &str) -> bool;
}

impl AnyNamespace for Element<'_> {
    fn has_tag_name_any(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}
