//! What stands before a station, by scene: a few primitive shapes in the station's frame (x where the robot looks, z up, metres).

use super::round::Section;

/// A shape, centred on its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// Edge lengths along x, y, z.
    Block([f64; 3]),
    /// Edge lengths along x, y, z, and the radius of its edges.
    Cushion([f64; 3], f64),
    /// Radius and length; the axis is z.
    Tube(f64, f64),
    /// Half axes.
    Ball([f64; 3]),
    /// Cross sections from the front to the back (in the station's frame, if the piece is at 0), and the exponent of the
    /// superellipse that they are.
    Loft(&'static [Section], f64),
}

/// One piece.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Piece {
    /// Its shape.
    pub form: Form,
    /// Its centre.
    pub at: [f64; 3],
    /// Roll, pitch, yaw, rad.
    pub rpy: [f64; 3],
    /// sRGB colour.
    pub rgb: [f32; 3],
    /// Roughness, 0 mirror to 1 chalk.
    pub roughness: f32,
    /// 0 paint to 1 metal.
    pub metallic: f32,
    /// How strongly it shines of itself.
    pub glow: f32,
}

const WHITE: [f32; 3] = [0.92, 0.93, 0.94];
const PALE: [f32; 3] = [0.78, 0.80, 0.82];
const STEEL: [f32; 3] = [0.55, 0.58, 0.61];
const DARK: [f32; 3] = [0.10, 0.11, 0.13];
const GLASS: [f32; 3] = [0.05, 0.065, 0.085];
const TYRE: [f32; 3] = [0.045, 0.045, 0.05];
const WOOD: [f32; 3] = [0.72, 0.55, 0.38];
const RED: [f32; 3] = [0.68, 0.10, 0.12];
const BLUE: [f32; 3] = [0.16, 0.36, 0.70];
const GREEN: [f32; 3] = [0.24, 0.58, 0.38];
const AMBER: [f32; 3] = [0.93, 0.68, 0.22];
const LAMP: [f32; 3] = [0.95, 0.97, 1.0];
const GOODS: [[f32; 3]; 5] = [RED, AMBER, GREEN, BLUE, WHITE];

const QUARTER: f64 = std::f64::consts::FRAC_PI_2;

const fn piece(form: Form, at: [f64; 3], rgb: [f32; 3]) -> Piece {
    Piece { form, at, rpy: [0.0; 3], rgb, roughness: 0.6, metallic: 0.0, glow: 0.0 }
}

const fn block(size: [f64; 3], at: [f64; 3], rgb: [f32; 3]) -> Piece {
    piece(Form::Block(size), at, rgb)
}

impl Piece {
    const fn turned(mut self, rpy: [f64; 3]) -> Self {
        self.rpy = rpy;
        self
    }

    const fn smooth(mut self) -> Self {
        self.roughness = 0.22;
        self
    }

    const fn polished(mut self) -> Self {
        self.roughness = 0.07;
        self
    }

    const fn metal(mut self) -> Self {
        self.roughness = 0.3;
        self.metallic = 0.8;
        self
    }

    const fn lit(mut self, glow: f32) -> Self {
        self.glow = glow;
        self
    }
}

/// The furniture of a scene by its id; a plain table for scenes that have none of their own.
pub fn furniture(scene: &str) -> Vec<Piece> {
    match scene {
        "vehicle-inspection" => car(),
        "guided-tour" => panels(),
        "kitchen" => kitchen(),
        "laundry" => laundry(),
        "shelf-picking" => shelf(&GOODS, 0.24),
        "parts-handling" => shelf(&[STEEL, BLUE, STEEL, AMBER], 0.34),
        "3c-assembly" => bench(),
        _ => table(1.4),
    }
}

const fn section(x: f64, half_width: f64, bottom: f64, top: f64) -> Section {
    Section { x, half_width, bottom, top }
}

/// The car's body from the bumper to behind the front doors, where it is cut off.
const BODY: [Section; 9] = [
    section(1.14, 0.60, 0.36, 0.56),
    section(1.17, 0.74, 0.27, 0.66),
    section(1.27, 0.83, 0.22, 0.73),
    section(1.50, 0.885, 0.20, 0.79),
    section(1.95, 0.91, 0.20, 0.855),
    section(2.45, 0.915, 0.20, 0.925),
    section(2.80, 0.915, 0.20, 0.955),
    section(3.30, 0.915, 0.20, 0.965),
    section(3.70, 0.915, 0.20, 0.965),
];
/// Its windows, and the roof above them.
const CABIN: [Section; 6] = [
    section(2.28, 0.76, 0.86, 0.92),
    section(2.45, 0.755, 0.86, 1.03),
    section(2.70, 0.735, 0.86, 1.21),
    section(2.98, 0.705, 0.86, 1.375),
    section(3.30, 0.69, 0.86, 1.44),
    section(3.68, 0.685, 0.86, 1.455),
];
const ROOF: [Section; 5] = [
    section(2.94, 0.57, 1.345, 1.372),
    section(3.02, 0.615, 1.345, 1.412),
    section(3.30, 0.63, 1.345, 1.462),
    section(3.50, 0.63, 1.345, 1.472),
    section(3.70, 0.63, 1.345, 1.476),
];

/// The front half of a car that faces the robot.
fn car() -> Vec<Piece> {
    let mut pieces = vec![
        piece(Form::Loft(&BODY, 4.4), [0.0; 3], RED).smooth(),
        piece(Form::Loft(&CABIN, 4.0), [0.0; 3], GLASS).polished(),
        piece(Form::Loft(&ROOF, 5.0), [0.0; 3], RED).smooth(),
        // Skirt, bumper, grille with its frame, number plate, badge.
        piece(Form::Cushion([2.2, 1.70, 0.14], 0.05), [2.58, 0.0, 0.21], DARK),
        piece(Form::Cushion([0.30, 1.46, 0.15], 0.06), [1.26, 0.0, 0.30], DARK),
        piece(Form::Cushion([0.12, 0.98, 0.20], 0.05), [1.175, 0.0, 0.555], DARK).polished(),
        piece(Form::Cushion([0.03, 0.90, 0.014], 0.006), [1.114, 0.0, 0.60], PALE).metal(),
        piece(Form::Cushion([0.03, 0.94, 0.014], 0.006), [1.112, 0.0, 0.555], PALE).metal(),
        piece(Form::Cushion([0.03, 0.90, 0.014], 0.006), [1.114, 0.0, 0.51], PALE).metal(),
        piece(Form::Tube(0.05, 0.03), [1.105, 0.0, 0.555], PALE).turned([0.0, QUARTER, 0.0]).metal(),
        piece(Form::Cushion([0.02, 0.46, 0.12], 0.008), [1.10, 0.0, 0.40], BLUE),
        piece(Form::Cushion([0.012, 0.36, 0.05], 0.004), [1.094, 0.0, 0.40], WHITE),
        // The crease of the bonnet, wipers, the cut.
        piece(Form::Cushion([0.90, 0.10, 0.02], 0.01), [1.92, 0.0, 0.852], RED).turned([0.0, -0.145, 0.0]).smooth(),
        piece(Form::Cushion([0.02, 1.70, 0.70], 0.01), [3.70, 0.0, 0.58], DARK),
    ];
    for side in [-1.0, 1.0] {
        pieces.extend([
            // Headlamp: a dark glass with two lights behind it; fog lamp.
            piece(Form::Ball([0.115, 0.215, 0.075]), [1.305, side * 0.64, 0.635], DARK).polished(),
            piece(Form::Ball([0.03, 0.062, 0.042]), [1.205, side * 0.575, 0.635], LAMP).lit(3.0),
            piece(Form::Ball([0.03, 0.058, 0.040]), [1.222, side * 0.715, 0.638], LAMP).lit(3.0),
            piece(Form::Ball([0.02, 0.05, 0.035]), [1.155, side * 0.60, 0.345], AMBER).lit(1.2),
            // Wheel, rim, hub, arch.
            piece(Form::Tube(0.385, 0.05), [1.99, side * 0.895, 0.37], DARK).turned([QUARTER, 0.0, 0.0]),
            piece(Form::Tube(0.33, 0.24), [1.99, side * 0.81, 0.33], TYRE).turned([QUARTER, 0.0, 0.0]),
            piece(Form::Tube(0.225, 0.246), [1.99, side * 0.812, 0.33], DARK).turned([QUARTER, 0.0, 0.0]),
            piece(Form::Tube(0.05, 0.26), [1.99, side * 0.812, 0.33], PALE).turned([QUARTER, 0.0, 0.0]).metal(),
            // Mirror, door handle, sill, the line between wing and door.
            piece(Form::Ball([0.085, 0.115, 0.075]), [2.60, side * 1.00, 1.01], RED).smooth(),
            piece(Form::Cushion([0.05, 0.16, 0.03], 0.01), [2.62, side * 0.90, 0.96], DARK),
            piece(Form::Cushion([0.18, 0.03, 0.025], 0.01), [3.42, side * 0.918, 0.80], PALE).metal(),
            piece(Form::Cushion([0.008, 0.02, 0.56], 0.003), [2.56, side * 0.91, 0.62], DARK),
            piece(Form::Cushion([0.80, 0.05, 0.03], 0.014), [2.66, side * 0.655, 1.165], RED).turned([0.0, -0.575, side * -0.085]).smooth(),
        ]);
        for spoke in 0..5_u8 {
            let turn = f64::from(spoke) * std::f64::consts::TAU / 5.0 + 0.3;
            let at = [1.99 + 0.125 * turn.cos(), side * 0.928, 0.33 + 0.125 * turn.sin()];
            pieces.push(piece(Form::Cushion([0.20, 0.02, 0.045], 0.009), at, PALE).turned([0.0, -turn, 0.0]).metal());
        }
        pieces.push(piece(Form::Tube(0.232, 0.02), [1.99, side * 0.922, 0.33], PALE).turned([QUARTER, 0.0, 0.0]).metal());
        pieces.push(piece(Form::Tube(0.205, 0.03), [1.99, side * 0.920, 0.33], DARK).turned([QUARTER, 0.0, 0.0]));
    }
    pieces
}

/// Three exhibit panels in an arc, printed on both sides, and an exhibit on a plinth.
fn panels() -> Vec<Piece> {
    let mut pieces = vec![
        piece(Form::Tube(0.28, 0.06), [1.15, 1.45, 0.03], STEEL).metal(),
        piece(Form::Tube(0.22, 0.70), [1.15, 1.45, 0.40], WHITE),
        piece(Form::Tube(0.25, 0.04), [1.15, 1.45, 0.77], WOOD).smooth(),
        piece(Form::Ball([0.15; 3]), [1.15, 1.45, 0.97], AMBER).metal(),
        piece(Form::Ball([0.22, 0.22, 0.012]), [1.15, 1.45, 0.97], PALE).turned([0.35, 0.2, 0.0]).metal(),
    ];
    for (yaw, rgb, second) in [(0.5, BLUE, AMBER), (0.0, GREEN, BLUE), (-0.5, RED, GREEN)] {
        let at = |ahead: f64, aside: f64, z: f64| {
            let (sin, cos) = f64::sin_cos(yaw);
            [0.35 + cos * ahead - sin * aside, sin * ahead + cos * aside, z]
        };
        let turned = |piece: Piece| piece.turned([0.0, 0.0, yaw]);
        let sheet = |size: [f64; 2], ahead: f64, aside: f64, z: f64, rgb: [f32; 3]| {
            turned(piece(Form::Cushion([0.008, size[0], size[1]], 0.003), at(ahead, aside, z), rgb))
        };
        pieces.extend([
            turned(piece(Form::Cushion([0.05, 1.00, 1.36], 0.02), at(2.30, 0.0, 1.16), WHITE)),
            turned(piece(Form::Tube(0.022, 0.52), at(2.30, 0.38, 0.25), STEEL)).metal(),
            turned(piece(Form::Tube(0.022, 0.52), at(2.30, -0.38, 0.25), STEEL)).metal(),
            turned(piece(Form::Cushion([0.36, 1.00, 0.03], 0.012), at(2.30, 0.0, 0.017), STEEL)).metal(),
        ]);
        for face in [2.272, 2.328] {
            pieces.extend([
                sheet([0.90, 0.16], face, 0.0, 1.73, rgb),
                sheet([0.52, 0.46], face, 0.19, 1.36, second.map(|c| 0.6 * c + 0.2)).lit(0.25),
                sheet([0.30, 0.20], face, -0.30, 1.49, rgb.map(|c| 0.5 * c + 0.4)),
                sheet([0.30, 0.20], face, -0.30, 1.23, rgb.map(|c| 0.3 * c + 0.6)),
                sheet([0.86, 0.03], face, 0.0, 1.03, STEEL),
                sheet([0.86, 0.022], face, 0.0, 0.95, PALE),
                sheet([0.86, 0.022], face, 0.0, 0.89, PALE),
                sheet([0.86, 0.022], face, 0.0, 0.83, PALE),
                sheet([0.50, 0.022], face, 0.18, 0.77, PALE),
                sheet([0.90, 0.05], face, 0.0, 0.56, rgb),
            ]);
        }
    }
    pieces
}

fn kitchen() -> Vec<Piece> {
    let mut pieces = vec![
        block([0.60, 2.6, 0.82], [1.05, 0.0, 0.43], WHITE),
        block([0.66, 2.66, 0.04], [1.05, 0.0, 0.88], WOOD).smooth(),
        piece(Form::Cushion([0.42, 0.54, 0.014], 0.006), [1.05, 0.55, 0.902], STEEL).metal(),
        piece(Form::Cushion([0.34, 0.44, 0.012], 0.005), [1.05, 0.55, 0.9055], DARK).smooth(),
        piece(Form::Tube(0.018, 0.34), [1.28, 0.55, 1.06], STEEL).metal(),
        piece(Form::Tube(0.016, 0.20), [1.19, 0.55, 1.22], STEEL).turned([0.0, QUARTER, 0.0]).metal(),
        piece(Form::Cushion([0.48, 0.56, 0.014], 0.006), [1.05, -0.55, 0.906], DARK).polished(),
        piece(Form::Tube(0.12, 0.15), [1.14, -0.42, 0.99], RED).smooth(),
        piece(Form::Tube(0.115, 0.012), [1.14, -0.42, 1.07], STEEL).metal(),
        piece(Form::Ball([0.02; 3]), [1.14, -0.42, 1.09], DARK),
        block([0.02, 2.6, 0.58], [1.345, 0.0, 1.19], PALE).smooth(),
        block([0.32, 2.6, 0.55], [1.22, 0.0, 1.75], WHITE),
    ];
    for row in 0..4_u8 {
        let y = -0.975 + 0.65 * f64::from(row);
        pieces.push(block([0.02, 0.62, 0.74], [0.742, y, 0.45], PALE).smooth());
        pieces.push(block([0.02, 0.62, 0.50], [1.052, y, 1.75], PALE).smooth());
        pieces.push(block([0.02, 0.18, 0.016], [1.04, y, 1.54], STEEL).metal());
        pieces.push(block([0.02, 0.22, 0.02], [0.73, y, 0.74], STEEL).metal());
    }
    for (plate, y) in [0.10, 0.16, 0.22].into_iter().enumerate() {
        let lift = f64::from(u8::try_from(plate).unwrap_or(0));
        pieces.push(piece(Form::Tube(0.11, 0.012), [0.95, 0.05 + 0.1 * y, 0.91 + 0.014 * lift], WHITE).smooth());
    }
    pieces
}

fn laundry() -> Vec<Piece> {
    let mut pieces = table(1.0);
    pieces.extend([
        block([0.60, 0.60, 0.85], [1.15, 1.15, 0.43], WHITE).smooth(),
        piece(Form::Tube(0.20, 0.04), [0.85, 1.15, 0.45], STEEL).turned([0.0, QUARTER, 0.0]).metal(),
        piece(Form::Tube(0.15, 0.05), [0.845, 1.15, 0.45], GLASS).turned([0.0, QUARTER, 0.0]).polished(),
        piece(Form::Cushion([0.42, 0.30, 0.06], 0.025), [0.95, -0.20, 0.84], BLUE),
        piece(Form::Cushion([0.40, 0.28, 0.05], 0.02), [0.95, 0.22, 0.835], AMBER),
        piece(Form::Tube(0.24, 0.45), [1.10, -1.10, 0.23], WOOD),
    ]);
    pieces
}

/// A rack of four boards with things of the given colours and size.
fn shelf(goods: &[[f32; 3]], size: f64) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for side in [-1.0, 1.0] {
        for ahead in [1.06, 1.44] {
            pieces.push(block([0.04, 0.04, 1.84], [ahead, side * 1.12, 0.92], STEEL).metal());
        }
    }
    for board in 0..4_u8 {
        let z = 0.25 + 0.48 * f64::from(board);
        pieces.push(block([0.42, 2.2, 0.03], [1.25, 0.0, z], PALE));
        for (slot, y) in [-0.84, -0.42, 0.0, 0.42, 0.84].into_iter().enumerate() {
            let rgb = goods[(slot + usize::from(board) * 2) % goods.len()];
            let height = size * if (slot + usize::from(board)) % 2 == 0 { 1.0 } else { 0.72 };
            let at = [1.20, y, z + 0.015 + height / 2.0];
            pieces.push(if slot % 2 == 0 {
                piece(Form::Cushion([0.24, size, height], 0.02), at, rgb)
            } else {
                piece(Form::Tube(size * 0.36, height), at, rgb).smooth()
            });
        }
    }
    pieces
}

fn bench() -> Vec<Piece> {
    let mut pieces = table(1.7);
    pieces.extend([
        block([0.30, 0.36, 0.02], [0.88, 0.0, 0.82], GREEN),
        block([0.10, 0.16, 0.02], [0.86, 0.0, 0.835], DARK).smooth(),
        block([0.03, 0.62, 0.38], [1.26, 0.0, 1.18], DARK).lit(0.05).smooth(),
        block([0.02, 0.56, 0.32], [1.24, 0.0, 1.18], BLUE).lit(0.6),
        block([0.04, 0.04, 0.22], [1.27, 0.0, 0.92], STEEL),
    ]);
    for (slot, y) in [-0.68, -0.44, 0.44, 0.68].into_iter().enumerate() {
        pieces.push(block([0.26, 0.20, 0.12], [1.10, y, 0.87], GOODS[slot]));
    }
    pieces
}

fn table(width: f64) -> Vec<Piece> {
    let mut pieces = vec![block([0.70, width, 0.04], [1.0, 0.0, 0.79], WOOD).smooth()];
    for x in [0.70, 1.30] {
        for side in [-1.0, 1.0] {
            pieces.push(block([0.05, 0.05, 0.77], [x, side * (width / 2.0 - 0.06), 0.385], STEEL).metal());
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn furniture_stands_before_the_robot_and_above_the_floor() {
        for scene in ["vehicle-inspection", "guided-tour", "kitchen", "laundry", "shelf-picking", "parts-handling", "3c-assembly", "other"]
        {
            let pieces = furniture(scene);
            assert!(pieces.len() >= 5, "{scene}");
            for piece in pieces {
                let [ahead, up] = match piece.form {
                    Form::Loft(sections, _) => [sections[0].x, sections[0].bottom],
                    _ => [piece.at[0], piece.at[2]],
                };
                assert!(ahead > 0.6 && up > 0.0, "{scene}: {piece:?} stands where the robot stands or below the floor");
                assert!(piece.rgb.iter().all(|c| (0.0..=1.0).contains(c)), "{scene}: {piece:?}");
            }
        }
    }
}
