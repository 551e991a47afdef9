//! `sanqu sql`.

use std::io::{ErrorKind, Write};

use anyhow::{Context as _, Result};
use sanqu_store::Store;

use crate::cli::{Sql, SqlFormat};
use crate::outcome::Outcome;
use crate::progress::Waiting;

/// Runs the query and prints its rows; exit code 3 when an episode's manifest could not be read.
///
/// # Errors
/// When the store cannot be opened or the query is refused.
pub(crate) async fn run(args: &Sql) -> Result<Outcome> {
    let store = Store::open(&args.store).with_context(|| format!("cannot open the store {}", args.store.display()))?;
    let waiting = Waiting::new("querying".to_owned());
    let rows = sanqu_dataset::sql(&store, &args.query)
        .await
        .context("the query cannot be answered (\"SHOW TABLES\" and \"DESCRIBE joint\" say what can be asked)")?;
    drop(waiting);
    let mut out = Output { inner: std::io::stdout().lock(), gone: false };
    let written = match args.format {
        SqlFormat::Table => sanqu_dataset::write_table(&rows, &mut out),
        SqlFormat::Csv => sanqu_dataset::write_csv(&rows, &mut out),
        SqlFormat::Json => sanqu_dataset::write_json(&rows, &mut out),
        SqlFormat::Parquet => sanqu_dataset::write_parquet(&rows, &mut out),
    };
    match written {
        Err(_) if out.gone => Ok(Outcome::Ok),
        written => {
            written?;
            let damaged = super::ls::damaged(&store)?;
            damaged.iter().for_each(|reason| super::say(&format!("warning: an episode was left out: {reason}")));
            Ok(Outcome::defects(!damaged.is_empty()))
        }
    }
}

/// Remembers that the reader went away (`sanqu sql … | head`): the writers of rows turn that into errors of their own,
/// from which it cannot be told any more.
struct Output<W> {
    inner: W,
    gone: bool,
}

impl<W: Write> Output<W> {
    fn note<T>(&mut self, result: std::io::Result<T>) -> std::io::Result<T> {
        self.gone |= result.as_ref().is_err_and(|error| error.kind() == ErrorKind::BrokenPipe);
        result
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let result = self.inner.write(bytes);
        self.note(result)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let result = self.inner.flush();
        self.note(result)
    }
}
