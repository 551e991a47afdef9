//! AV1 temporal units in the low-overhead form, as far as they must be understood to be passed through.

use crate::WireError;

const OBU_SEQUENCE_HEADER: u8 = 1;
const OBU_FRAME_HEADER: u8 = 3;
const OBU_FRAME: u8 = 6;

/// Units of one temporal unit that are looked at.
const OBUS_MAX: usize = 4096;
/// Bytes of a length.
const LENGTH_BYTES_MAX: usize = 8;

/// One open bitstream unit: its type and what is in it.
type Obu<'a> = (u8, &'a [u8]);

/// Takes the first unit off.
fn take_obu(bytes: &[u8]) -> Option<(Obu<'_>, &[u8])> {
    let (head, mut rest) = bytes.split_first()?;
    if head & 0x80 != 0 {
        return None;
    }
    if head & 4 != 0 {
        rest = rest.split_first()?.1;
    }
    let kind = head >> 3 & 0xf;
    if head & 2 == 0 {
        // Without a length it lasts to the end.
        return Some(((kind, rest), &[]));
    }
    let mut length = 0u64;
    for position in 0..LENGTH_BYTES_MAX {
        let (byte, tail) = rest.split_first()?;
        rest = tail;
        length |= u64::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            let (body, tail) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            return Some(((kind, body), tail));
        }
    }
    None
}

/// Checks that the lengths of a temporal unit's parts fill it exactly.
///
/// # Errors
/// [`WireError::BadVideo`] naming the byte where they do not.
pub fn check(unit: &[u8]) -> Result<(), WireError> {
    let bad = |reason: String| WireError::BadVideo { what: "AV1 temporal unit", reason };
    let (mut rest, mut count) = (unit, 0);
    while !rest.is_empty() {
        let at = unit.len() - rest.len();
        let ((_, _), tail) = take_obu(rest).ok_or_else(|| bad(format!("byte {at}: no open bitstream unit fits there")))?;
        rest = tail;
        count += 1;
        if count > OBUS_MAX {
            return Err(bad(format!("more than {OBUS_MAX} units")));
        }
    }
    if count == 0 { Err(bad("it is empty".to_owned())) } else { Ok(()) }
}

/// Whether decoding can begin at this temporal unit: it has a sequence header, and its first frame is a key frame that is
/// shown.
pub fn is_keyframe(unit: &[u8]) -> bool {
    let (mut rest, mut sequence) = (unit, None);
    for _ in 0..OBUS_MAX {
        let Some(((kind, body), tail)) = take_obu(rest) else { return false };
        rest = tail;
        match (kind, body.first()) {
            (OBU_SEQUENCE_HEADER, Some(first)) => sequence = Some(*first),
            (OBU_FRAME_HEADER | OBU_FRAME, Some(first)) => {
                // seq_profile (3 bits), still_picture, reduced_still_picture_header: then every frame is a key frame.
                let is_still = |sequence: u8| sequence & 0b0000_1000 != 0;
                // show_existing_frame 0, frame_type 0 (2 bits), show_frame 1.
                return sequence.is_some_and(|sequence| is_still(sequence) || first >> 4 == 0b0001);
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEQUENCE: [u8; 4] = [0x0a, 2, 0, 0];

    #[track_caller]
    fn check_key(parts: &[&[u8]], expect: bool) {
        let unit = parts.concat();
        check(&unit).unwrap();
        assert_eq!(is_keyframe(&unit), expect, "{unit:02x?}");
    }

    #[test]
    fn a_shown_key_frame_behind_a_sequence_header_is_a_beginning() {
        let delimiter: &[u8] = &[0x12, 0];
        check_key(&[delimiter, &SEQUENCE, &[0x32, 2, 0b0001_0000, 7]], true);
        check_key(&[&SEQUENCE, &[0x30, 0b0001_0000, 7]], true);
        // Nothing before it says what it is coded with.
        check_key(&[delimiter, &[0x32, 2, 0b0001_0000, 7]], false);
        // An inter frame, an existing frame, a hidden key frame.
        for first in [0b0011_0000, 0b1000_0000, 0b0000_0000] {
            check_key(&[&SEQUENCE, &[0x32, 1, first]], false);
        }
        check_key(&[&[0x0a, 1, 0b0001_1000], &[0x32, 1, 0b1111_0000]], true);
    }

    #[test]
    fn lengths_that_lead_outside_are_refused() {
        for (unit, part) in [(&[][..], "empty"), (&[0x32, 3, 0], "byte 0"), (&[0x12, 0, 0x80], "byte 2"), (&[0x0a, 0x80], "byte 0")] {
            let error = check(unit).unwrap_err().to_string();
            assert!(error.contains(part) && !is_keyframe(unit), "{unit:02x?}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = (check(&bytes), is_keyframe(&bytes));
        }
    }
}
