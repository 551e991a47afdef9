use crate::support::*;
use openh264::formats::YUVSource as _;
#[test]
fn look() {
    for which in ROBOTS {
        let cams = cameras(320, 240);
        let mut robot = robot(which, &cams);
        let t = std::time::Instant::now();
        let samples = robot.advance(START_NS + 14 * SECOND_NS).unwrap();
        eprintln!("14 s of {which:?} took {:?}", t.elapsed());
        let mut r2 = crate::support::robot(which, &[]);
        let t = std::time::Instant::now();
        r2.advance(START_NS + 14 * SECOND_NS).unwrap();
        eprintln!("rows only took {:?}", t.elapsed());
        for cam in &cams {
            let mine: Vec<_> = samples.iter().filter(|s| s.stream.as_str() == format!("camera/{}", cam.name)).collect();
            let bytes: usize = mine.iter().map(|s| s.payload.len()).sum();
            eprintln!("{}: {} frames {} bytes/s, biggest {}", cam.name, mine.len(), bytes / 14, mine.iter().map(|s| s.payload.len()).max().unwrap());
            let mut d = openh264::decoder::Decoder::new().unwrap();
            for (i, s) in mine.iter().enumerate() {
                let p = d.decode(&s.payload).unwrap().unwrap();
                if i % 60 == 55 {
                    let mut rgb = vec![0; p.rgb8_len()];
                    p.write_rgb8(&mut rgb);
                    let mut out = b"P6 320 240 255\n".to_vec();
                    out.extend(rgb);
                    std::fs::write(format!("/tmp/look/{}-{}-{:03}.ppm", which.0, cam.name, i), out).unwrap();
                }
            }
        }
    }
}
