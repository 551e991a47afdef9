//! The line under a camera's picture: as much as fits beside the next panel, the camera's name always.

/// What the line says, the parts that are empty left out.
pub(super) struct Caption<'a> {
    pub(super) robot: &'a str,
    pub(super) camera: &'a str,
    /// The picture's number.
    pub(super) number: String,
    pub(super) age: String,
    /// Why the picture is not that of the instant.
    pub(super) state: String,
}

impl Caption<'_> {
    /// The line in a room of this width, in heights of its font. Where not all of it fits, first the picture's age goes, then its
    /// number, then the robot's name; a state that is still too long is cut, and at last the camera's name.
    pub(super) fn fitting(&self, width: f32) -> String {
        let named = [self.robot, self.camera].join(" ");
        let state = self.state.as_str();
        let aged = [self.number.as_str(), &self.age].join(" ");
        let least = join(&[self.camera, state]);
        let lines = [join(&[&named, aged.trim(), state]), join(&[&named, &self.number, state]), join(&[&named, state]), least.clone()];
        lines.into_iter().find(|line| width_of(line) <= width).unwrap_or_else(|| cut(&least, width))
    }
}

fn join(parts: &[&str]) -> String {
    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("  ")
}

/// As much of the beginning as fits, with an ellipsis behind.
fn cut(line: &str, width: f32) -> String {
    let mut left = width - width_of("…");
    let fits = |char: &char| {
        left -= advance(*char);
        left >= 0.0
    };
    line.chars().take_while(fits).collect::<String>().trim_end().to_owned() + "…"
}

fn width_of(line: &str) -> f32 {
    line.chars().map(advance).sum()
}

/// Advance widths of [`crate::scene::ReplayFont`] from space to tilde, hundredths of the font's height, rounded up.
const ASCII: [u8; 95] = [
    23, 33, 48, 56, 56, 93, 68, 28, 34, 34, 47, 56, 28, 35, 28, 40, 56, 56, 56, 56, 56, 56, 56, 56, 56, 56, 28, 28, 56, 56, 56, 48, 95, 61,
    66, 64, 69, 59, 56, 69, 73, 30, 54, 65, 55, 82, 73, 75, 64, 75, 64, 60, 60, 73, 58, 88, 58, 54, 61, 34, 40, 34, 56, 56, 61, 57, 62, 51,
    62, 56, 33, 57, 61, 28, 28, 56, 29, 93, 61, 61, 62, 62, 39, 47, 38, 61, 53, 81, 50, 53, 48, 34, 27, 34, 56,
];

/// How wide a character is, in heights of the font.
fn advance(char: char) -> f32 {
    let ascii = u32::from(char).checked_sub(u32::from(' ')).and_then(|place| ASCII.get(place as usize));
    ascii.map_or(1.0, |hundredths| f32::from(*hundredths) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(width: f32, state: &str, expect: &str) {
        let caption = Caption {
            robot: "walker-s-01",
            camera: "wrist-left",
            number: "#359".to_owned(),
            age: "31 ms".to_owned(),
            state: state.to_owned(),
        };
        let line = caption.fitting(width);
        assert_eq!(line, expect, "{width}");
        assert!(width_of(&line) <= width || line == "…", "{line}");
    }

    #[test]
    fn what_fits_is_said_and_the_cameras_name_first() {
        check(23.2, "", "walker-s-01 wrist-left  #359 31 ms");
        check(23.2, "GAP", "walker-s-01 wrist-left  #359 31 ms  GAP");
        check(13.0, "", "walker-s-01 wrist-left  #359");
        check(16.0, "GAP", "walker-s-01 wrist-left  #359  GAP");
        check(13.0, "GAP", "walker-s-01 wrist-left  GAP");
        check(10.0, "GAP", "wrist-left  GAP");
        check(6.0, "", "wrist-left");
        check(3.0, "", "wris…");
        check(0.5, "", "…");
    }

    #[test]
    fn a_long_reason_is_cut_behind_the_cameras_name() {
        check(15.0, "frame 3: AV1: invalid argument", "wrist-left  frame 3: AV1: invali…");
        check(9.0, "解码中；显示的是 #358", "wrist-left  解码中…");
    }
}
