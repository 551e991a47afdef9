//! How a command ended.

use std::io::Write as _;
use std::process::ExitCode;

/// The ends that are not errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is well.
    Ok,
    /// The work is done, but data was lost or is defective; the output says what.
    DataDefects,
    /// A sibling program ended with this code.
    Child(u8),
}

impl Outcome {
    /// [`Outcome::DataDefects`] when there are any.
    pub(crate) fn defects(any: bool) -> Self {
        if any { Self::DataDefects } else { Self::Ok }
    }

    pub(crate) fn exit_code(self) -> ExitCode {
        match self {
            Self::Ok => ExitCode::SUCCESS,
            Self::DataDefects => ExitCode::from(3),
            Self::Child(code) => ExitCode::from(code),
        }
    }
}

/// Whether the reader of our output went away (`sanqu ls | head`), which is no failure.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe))
}

/// One line a cause, on stderr.
pub(crate) fn report(error: &anyhow::Error) {
    let mut text = format!("error: {error}\n");
    let mut last = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Library errors often repeat their source in their own text.
        if !last.contains(&cause) {
            text.push_str(&format!("  cause: {cause}\n"));
        }
        last = cause;
    }
    // Nothing is left to tell anybody when stderr is gone.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
