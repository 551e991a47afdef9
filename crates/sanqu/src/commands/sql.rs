//! `sanqu sql`.

use anyhow::{Context as _, Result};
use sanqu_store::Store;

use crate::cli::{Sql, SqlFormat};
use crate::outcome::Outcome;

/// Runs the query and prints its rows.
///
/// # Errors
/// When the store cannot be opened or the query is refused.
pub(crate) async fn run(args: &Sql) -> Result<Outcome> {
    let store = Store::open(&args.store).with_context(|| format!("cannot open the store {}", args.store.display()))?;
    let rows = sanqu_dataset::sql(&store, &args.query).await?;
    let mut out = std::io::stdout().lock();
    match args.format {
        SqlFormat::Table => sanqu_dataset::write_table(&rows, &mut out)?,
        SqlFormat::Csv => sanqu_dataset::write_csv(&rows, &mut out)?,
        SqlFormat::Json => sanqu_dataset::write_json(&rows, &mut out)?,
        SqlFormat::Parquet => sanqu_dataset::write_parquet(&rows, &mut out)?,
    }
    Ok(Outcome::Ok)
}
