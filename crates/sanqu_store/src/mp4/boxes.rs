//! The tree of boxes that an MP4 file is, without looking into them.

/// One box inside another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    pub(super) kind: [u8; 4],
    /// With its header, as mp4-atom decodes it.
    pub(super) whole: &'a [u8],
    pub(super) body: &'a [u8],
}

/// Size of a box's header and of the whole box; none when it lasts to the end of what it is in.
///
/// * `head`: the box's first bytes, 16 where there are as many.
pub(super) fn header(head: &[u8]) -> Result<([u8; 4], u64, Option<u64>), String> {
    let Some(([size, kind], rest)) = take2(head) else { return Err(format!("a box of {} bytes has no header", head.len())) };
    let name = kind.escape_ascii();
    let (header_bytes, bytes) = match u32::from_be_bytes(size) {
        0 => return Ok((kind, 8, None)),
        1 => {
            let long = rest.first_chunk::<8>().ok_or_else(|| format!("box {name:?} has no length"))?;
            (16, u64::from_be_bytes(*long))
        }
        bytes => (8, u64::from(bytes)),
    };
    if bytes < header_bytes {
        return Err(format!("box \"{name}\" says that it has {bytes} bytes, its header has {header_bytes}"));
    }
    Ok((kind, header_bytes, Some(bytes)))
}

fn take2(head: &[u8]) -> Option<([[u8; 4]; 2], &[u8])> {
    let (first, rest) = head.split_first_chunk::<4>()?;
    let (second, rest) = rest.split_first_chunk::<4>()?;
    Some(([*first, *second], rest))
}

/// The boxes directly inside `body`.
///
/// # Errors
/// A box that is larger than what it is in.
pub(super) fn parts(body: &[u8]) -> Result<Vec<Part<'_>>, String> {
    let mut rest = body;
    let mut found = Vec::new();
    // Some writers end a list of boxes with four zero bytes.
    while rest.len() >= 8 {
        let (kind, header_bytes, bytes) = header(rest)?;
        let bytes = match bytes {
            None => rest.len(),
            Some(bytes) => usize::try_from(bytes)
                .ok()
                .filter(|bytes| *bytes <= rest.len())
                .ok_or_else(|| format!("box \"{}\" has {bytes} bytes, {} are left of what it is in", kind.escape_ascii(), rest.len()))?,
        };
        let (whole, tail) = rest.split_at(bytes);
        let body = usize::try_from(header_bytes).ok().and_then(|from| whole.get(from..)).unwrap_or_default();
        found.push(Part { kind, whole, body });
        rest = tail;
    }
    Ok(found)
}

/// The only box of a kind among `parts`.
///
/// # Errors
/// There is none, or there are several.
pub(super) fn only<'a>(parts: &[Part<'a>], kind: &[u8; 4]) -> Result<Part<'a>, String> {
    optional(parts, kind)?.ok_or_else(|| format!("box \"{}\" is missing", kind.escape_ascii()))
}

/// The box of a kind among `parts`, if there is one.
///
/// # Errors
/// There are several.
pub(super) fn optional<'a>(parts: &[Part<'a>], kind: &[u8; 4]) -> Result<Option<Part<'a>>, String> {
    let mut fitting = parts.iter().filter(|part| &part.kind == kind);
    let first = fitting.next().copied();
    match fitting.next() {
        None => Ok(first),
        Some(_) => Err(format!("box \"{}\" appears twice", kind.escape_ascii())),
    }
}
