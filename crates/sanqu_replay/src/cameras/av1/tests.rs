use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

/// Damaged variants of each film. Every bit and every length of them were tried by hand (docs/adr/0023).
const VARIANTS: u32 = 60;
/// Pictures from one keyframe to the next.
const GROUP: usize = 6;

/// The temporal units of an IVF file.
fn units(mut file: &[u8]) -> Vec<Vec<u8>> {
    let mut units = Vec::new();
    file = &file[32..];
    while let Some((header, rest)) = file.split_at_checked(12) {
        let length = u32::from_le_bytes(header[..4].try_into().unwrap()) as usize;
        units.push(rest[..length].to_vec());
        file = &rest[length..];
    }
    units
}

/// Scattered numbers, always the same.
struct Scatter(u64);

impl Scatter {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }
}

/// Bits turned, bytes cut out, a unit cut off, two of them changed with each other.
fn damage(units: &mut [Vec<u8>], scatter: &mut Scatter) {
    for _ in 0..=scatter.below(3) {
        let (index, other) = (scatter.below(units.len()), scatter.below(units.len()));
        let place = scatter.below(units[index].len());
        match scatter.below(6) {
            0 => units[index].truncate(place),
            1 => units.swap(index, other),
            2 => drop(units[index].drain(place..)),
            3 => units[index].insert(place, 0xa5),
            _ if units[index].is_empty() => {}
            _ => units[index][place] ^= 1 << scatter.below(8),
        }
    }
}

/// What a decoder gives for units, until it fails. Its panics are caught by whoever asked ([`super::super::library`]).
fn pictures(units: &[Vec<u8>]) -> Vec<Result<Option<Pixels>, String>> {
    let mut decoder = Av1::new().unwrap();
    let decoded = units.iter().map(|unit| catch_unwind(AssertUnwindSafe(|| decoder.decode(unit.clone(), true))));
    decoded.map_while(Result::ok).collect()
}

/// A panic inside the decoder's C functions cannot be caught: the process would end here.
#[test]
fn damaged_units_never_end_the_process_and_harm_no_other_film() {
    let films = [
        include_bytes!("../../../tests/it/video/numbers-8bit.ivf").as_slice(),
        include_bytes!("../../../tests/it/video/numbers-10bit.ivf"),
    ];
    let mut scatter = Scatter(1);
    for film in films.map(units) {
        let whole = pictures(&film[..GROUP]);
        assert!(whole.len() == GROUP && whole.iter().all(|picture| matches!(picture, Ok(Some(_)))));
        let mut harmed = 0;
        for _ in 0..VARIANTS {
            let mut damaged = film[..GROUP].to_vec();
            damage(&mut damaged, &mut scatter);
            harmed += u32::from(pictures(&damaged) != whole);
        }
        assert!(harmed > VARIANTS / 2, "{harmed} of {VARIANTS} variants are damaged");
        assert_eq!(pictures(&film[..GROUP]), whole);
    }
}
