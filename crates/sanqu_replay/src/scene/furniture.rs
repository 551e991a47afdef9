//! What stands before a station, by scene: a few primitive shapes in the station's frame (x where the robot looks, z up, metres).

/// A shape, centred on its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// Edge lengths along x, y, z.
    Block([f64; 3]),
    /// Radius and length; the axis is z.
    Tube(f64, f64),
    /// Half axes.
    Ball([f64; 3]),
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
    /// How strongly it shines of itself.
    pub glow: f32,
}

const WHITE: [f32; 3] = [0.92, 0.93, 0.94];
const PALE: [f32; 3] = [0.78, 0.80, 0.82];
const STEEL: [f32; 3] = [0.55, 0.58, 0.61];
const DARK: [f32; 3] = [0.10, 0.11, 0.13];
const GLASS: [f32; 3] = [0.16, 0.20, 0.25];
const WOOD: [f32; 3] = [0.72, 0.55, 0.38];
const RED: [f32; 3] = [0.68, 0.10, 0.12];
const BLUE: [f32; 3] = [0.16, 0.36, 0.70];
const GREEN: [f32; 3] = [0.24, 0.58, 0.38];
const AMBER: [f32; 3] = [0.93, 0.68, 0.22];
const LAMP: [f32; 3] = [0.95, 0.97, 1.0];
const GOODS: [[f32; 3]; 5] = [RED, AMBER, GREEN, BLUE, WHITE];

const QUARTER: f64 = std::f64::consts::FRAC_PI_2;

const fn piece(form: Form, at: [f64; 3], rgb: [f32; 3]) -> Piece {
    Piece { form, at, rpy: [0.0; 3], rgb, roughness: 0.6, glow: 0.0 }
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

/// The front half of a car that faces the robot.
fn car() -> Vec<Piece> {
    let mut pieces = vec![
        block([2.40, 1.74, 0.40], [2.42, 0.0, 0.52], RED).smooth(),
        block([1.28, 1.62, 0.14], [1.86, 0.0, 0.745], RED).turned([0.0, -0.06, 0.0]).smooth(),
        block([1.06, 1.74, 0.18], [3.09, 0.0, 0.80], RED).smooth(),
        block([0.10, 1.80, 0.24], [1.19, 0.0, 0.42], DARK),
        block([0.06, 0.92, 0.17], [1.195, 0.0, 0.62], DARK).smooth(),
        block([0.03, 0.96, 0.018], [1.16, 0.0, 0.66], PALE).smooth(),
        block([0.03, 0.96, 0.018], [1.16, 0.0, 0.60], PALE).smooth(),
        piece(Form::Tube(0.055, 0.04), [1.155, 0.0, 0.63], PALE).turned([0.0, QUARTER, 0.0]).smooth(),
        block([0.02, 0.44, 0.11], [1.125, 0.0, 0.45], BLUE),
        // Windscreen, side windows, roof.
        block([0.78, 1.46, 0.04], [2.76, 0.0, 1.12], GLASS).turned([0.0, -0.76, 0.0]).smooth(),
        block([0.58, 1.50, 0.48], [3.32, 0.0, 1.12], GLASS).smooth(),
        block([0.36, 1.44, 0.24], [2.86, 0.0, 1.00], GLASS).smooth(),
        block([0.64, 1.54, 0.06], [3.31, 0.0, 1.39], RED).smooth(),
        block([0.06, 1.56, 0.52], [3.58, 0.0, 1.13], RED).smooth(),
    ];
    for side in [-1.0, 1.0] {
        pieces.extend([
            piece(Form::Ball([0.07, 0.19, 0.085]), [1.23, side * 0.66, 0.65], LAMP).smooth().lit(2.2),
            block([0.05, 0.42, 0.20], [1.235, side * 0.66, 0.65], DARK).smooth(),
            piece(Form::Ball([0.03, 0.055, 0.055]), [1.15, side * 0.70, 0.41], AMBER).smooth().lit(1.2),
            piece(Form::Tube(0.33, 0.22), [1.95, side * 0.80, 0.33], DARK).turned([QUARTER, 0.0, 0.0]),
            piece(Form::Tube(0.20, 0.235), [1.95, side * 0.80, 0.33], PALE).turned([QUARTER, 0.0, 0.0]).smooth(),
            block([0.14, 0.20, 0.13], [2.72, side * 0.95, 0.96], RED).smooth(),
        ]);
    }
    pieces
}

/// Three exhibit panels in an arc, and an exhibit on a plinth.
fn panels() -> Vec<Piece> {
    let mut pieces =
        vec![piece(Form::Tube(0.26, 0.62), [1.15, 1.45, 0.31], WHITE), piece(Form::Ball([0.17; 3]), [1.15, 1.45, 0.80], AMBER).smooth()];
    for (yaw, rgb) in [(0.5, BLUE), (0.0, GREEN), (-0.5, AMBER)] {
        let at = |ahead: f64, aside: f64, z: f64| {
            let (sin, cos) = f64::sin_cos(yaw);
            [0.35 + cos * ahead - sin * aside, sin * ahead + cos * aside, z]
        };
        let turned = |piece: Piece| piece.turned([0.0, 0.0, yaw]);
        pieces.extend([
            turned(block([0.06, 0.98, 1.30], at(2.30, 0.0, 1.15), WHITE)),
            turned(block([0.02, 0.86, 0.50], at(2.26, 0.0, 1.46), rgb)).lit(0.25),
            turned(block([0.02, 0.86, 0.06], at(2.26, 0.0, 1.11), STEEL)),
            turned(block([0.02, 0.86, 0.03], at(2.26, 0.0, 1.01), PALE)),
            turned(block([0.02, 0.86, 0.03], at(2.26, 0.0, 0.93), PALE)),
            turned(block([0.02, 0.55, 0.03], at(2.26, 0.155, 0.85), PALE)),
            turned(block([0.05, 0.06, 0.50], at(2.32, 0.36, 0.25), STEEL)),
            turned(block([0.05, 0.06, 0.50], at(2.32, -0.36, 0.25), STEEL)),
            turned(block([0.34, 0.96, 0.03], at(2.32, 0.0, 0.015), STEEL)),
        ]);
    }
    pieces
}

fn kitchen() -> Vec<Piece> {
    let mut pieces = vec![
        block([0.60, 2.6, 0.82], [1.05, 0.0, 0.43], WHITE),
        block([0.66, 2.66, 0.04], [1.05, 0.0, 0.88], WOOD).smooth(),
        block([0.40, 0.52, 0.012], [1.05, 0.55, 0.903], STEEL).smooth(),
        piece(Form::Tube(0.018, 0.34), [1.28, 0.55, 1.06], STEEL).smooth(),
        piece(Form::Tube(0.016, 0.20), [1.19, 0.55, 1.22], STEEL).turned([0.0, QUARTER, 0.0]).smooth(),
        block([0.48, 0.56, 0.012], [1.05, -0.55, 0.906], DARK).smooth(),
        piece(Form::Tube(0.13, 0.16), [1.14, -0.42, 0.99], RED).smooth(),
        block([0.32, 2.6, 0.55], [1.22, 0.0, 1.75], WHITE),
    ];
    for row in 0..4_u8 {
        let y = -0.975 + 0.65 * f64::from(row);
        pieces.push(block([0.02, 0.60, 0.72], [0.745, y, 0.44], PALE));
        pieces.push(block([0.02, 0.22, 0.02], [0.73, y, 0.74], STEEL).smooth());
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
        piece(Form::Tube(0.20, 0.04), [0.85, 1.15, 0.45], STEEL).turned([0.0, QUARTER, 0.0]).smooth(),
        piece(Form::Tube(0.15, 0.05), [0.845, 1.15, 0.45], DARK).turned([0.0, QUARTER, 0.0]).smooth(),
        block([0.42, 0.30, 0.05], [0.95, -0.20, 0.83], BLUE),
        block([0.40, 0.28, 0.04], [0.95, 0.22, 0.825], AMBER),
        piece(Form::Tube(0.24, 0.45), [1.10, -1.10, 0.23], WOOD),
    ]);
    pieces
}

/// A rack of four boards with things of the given colours and size.
fn shelf(goods: &[[f32; 3]], size: f64) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for side in [-1.0, 1.0] {
        pieces.push(block([0.42, 0.04, 1.80], [1.25, side * 1.12, 0.90], STEEL));
    }
    for board in 0..4_u8 {
        let z = 0.25 + 0.48 * f64::from(board);
        pieces.push(block([0.42, 2.2, 0.03], [1.25, 0.0, z], PALE));
        for (slot, y) in [-0.84, -0.42, 0.0, 0.42, 0.84].into_iter().enumerate() {
            let rgb = goods[(slot + usize::from(board) * 2) % goods.len()];
            let height = size * if (slot + usize::from(board)) % 2 == 0 { 1.0 } else { 0.72 };
            let at = [1.20, y, z + 0.015 + height / 2.0];
            pieces.push(if slot % 2 == 0 {
                block([0.24, size, height], at, rgb)
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
            pieces.push(block([0.05, 0.05, 0.77], [x, side * (width / 2.0 - 0.06), 0.385], STEEL));
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
                assert!(piece.at[0] > 0.6 && piece.at[2] > 0.0, "{scene}: {piece:?} stands where the robot stands or below the floor");
                assert!(piece.rgb.iter().all(|c| (0.0..=1.0).contains(c)), "{scene}: {piece:?}");
            }
        }
    }
}
