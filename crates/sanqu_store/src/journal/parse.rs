//! What stands between a journal's bytes and the MCAP library, which allocates whatever the length of a text says before it
//! looks for the text.

use mcap::records::{Record, op};

/// A record of a journal; none when it is not one, or a text in it would end outside.
pub(super) fn parse(code: u8, body: &[u8]) -> Option<Record<'_>> {
    texts_fit(code, body)?;
    mcap::parse_record(code, body).ok()
}

fn texts_fit(code: u8, body: &[u8]) -> Option<()> {
    // Where the texts begin, and how many there are.
    let (offset, count) = match code {
        op::HEADER => (0, 2),
        op::SCHEMA => (2, 2),
        op::CHANNEL => (4, 2),
        op::CHUNK => (28, 1),
        _ => return None,
    };
    let behind = (0..count).try_fold(body.get(offset..)?, |rest, _| behind_text(rest))?;
    if code == op::CHANNEL {
        let left = behind_text(behind)?.len();
        let mut metadata = behind.get(4..)?;
        while metadata.len() > left {
            metadata = behind_text(behind_text(metadata)?)?;
        }
    }
    Some(())
}

/// What follows a text and its length.
fn behind_text(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.get(usize::try_from(u32::from_le_bytes(*length)).ok()?..)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A channel with a topic, an encoding and two pairs of metadata.
    fn channel() -> Vec<u8> {
        let text = |text: &str| [&u32::try_from(text.len()).unwrap().to_le_bytes(), text.as_bytes()].concat();
        let metadata = [text("boot"), text("7"), text("encoding"), text("")].concat();
        [&[1, 0, 0, 0][..], &text("a/b"), &text("json"), &u32::try_from(metadata.len()).unwrap().to_le_bytes(), &metadata].concat()
    }

    #[test]
    fn a_text_that_ends_outside_never_reaches_the_library() {
        let whole = channel();
        assert!(parse(op::CHANNEL, &whole).is_some());
        assert!(parse(op::CHANNEL, &[&whole[..], &[0; 5]].concat()).is_some(), "MCAP lets later versions add fields");
        for at in [4, 11, 19, 23, 31, 36, 48] {
            let mut lying = whole.clone();
            lying[at + 3] = 0x7f;
            assert_eq!(texts_fit(op::CHANNEL, &lying), None, "length at {at}");
        }
        for (code, at) in [(op::HEADER, 0), (op::SCHEMA, 2), (op::CHUNK, 28)] {
            let mut body = [0; 48];
            assert!(texts_fit(code, &body).is_some());
            body[at + 3] = 0x7f;
            assert_eq!(texts_fit(code, &body), None, "record {code}");
        }
    }
}
