//! The drawings of `docs/drives.md`, made by the same code that moves the robots.
//!
//! `SANQU_WRITE_PICTURES=1 cargo nextest run -p sanqu_robot pictures` writes them anew.

mod curves;
mod gears;
mod linkages;
mod svg;

use std::path::PathBuf;

/// Difference of a coordinate that is rounding and not another drawing, pixels.
const PIXEL_TOLERANCE: f64 = 0.15;

fn pictures() -> Vec<(&'static str, String)> {
    vec![
        ("drive-signs.svg", linkages::signs()),
        ("drive-strain-wave.svg", gears::strain_wave()),
        ("drive-planetary.svg", gears::planetary()),
        ("drive-roller-screw.svg", gears::roller_screw()),
        ("drive-torsion.svg", curves::torsion()),
        ("drive-crank-slider.svg", linkages::crank_slider()),
        ("drive-four-bar.svg", linkages::four_bar()),
        ("drive-ankle.svg", linkages::ankle()),
        ("drive-aliasing.svg", curves::aliasing()),
    ]
}

/// Whether two drawings are the same but for the last digit of coordinates.
fn same(a: &str, b: &str) -> bool {
    let words = |text: &str| text.split(|letter: char| " ,\"<>=\n".contains(letter)).map(str::to_owned).collect::<Vec<_>>();
    let (a, b) = (words(a), words(b));
    let alike = |(a, b): (&String, &String)| {
        a == b || a.parse::<f64>().ok().zip(b.parse::<f64>().ok()).is_some_and(|(a, b)| (a - b).abs() <= PIXEL_TOLERANCE)
    };
    a.len() == b.len() && a.iter().zip(&b).all(alike)
}

#[test]
fn pictures_are_up_to_date() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/pictures");
    let page = std::fs::read_to_string(folder.join("../drives.md")).unwrap();
    let mut stale = Vec::new();
    for (name, drawn) in pictures() {
        let path = folder.join(name);
        if std::env::var_os("SANQU_WRITE_PICTURES").is_some() {
            std::fs::write(&path, &drawn).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        if !same(&there, &drawn) {
            stale.push(name);
        }
        assert!(page.contains(&format!("(pictures/{name})")), "docs/drives.md does not show {name}");
    }
    assert!(stale.is_empty(), "not what the code draws: {stale:?}; write them anew with SANQU_WRITE_PICTURES=1");
}

#[test]
fn rounding_is_no_difference_and_everything_else_is() {
    let one = r#"<text x="1.0" y="2.0">R = 30</text>"#;
    assert!(same(one, &one.replace("1.0", "1.1")));
    assert!(!same(one, &one.replace("1.0", "1.5")) && !same(one, &one.replace("30", "31")) && !same(one, ""));
}
