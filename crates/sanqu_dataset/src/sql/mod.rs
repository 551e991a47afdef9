//! Questions over a store, in SQL.
//!
//! | table | a row is |
//! |---|---|
//! | `episodes` | an episode, open ones included |
//! | `streams` | a stream of a sealed episode |
//! | `loss` | rows that are missing |
//! | `events` | something that happened |
//! | `joint`, `motor` | one joint or motor at one instant |
//! | `frames` | a picture of a camera |
//!
//! `t` is what the robot's clock said, `t_field` the same instant on the field timeline: rows of several robots are
//! compared by it. `SHOW TABLES` and `DESCRIBE joint` say what there is.
//!
//! Nothing is indexed and nothing is written: a table is read from the episodes' files when a query names it, one batch
//! at a time, so that memory does not grow with the store (a query that sorts or groups keeps what it must).

mod catalog;
mod lazy;
mod long;
mod print;

pub use print::{write_csv, write_json, write_parquet, write_table};

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::DataFusionError;
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use sanqu_model::EpisodeId;
use sanqu_store::Store;

use crate::DatasetError;
use lazy::{Lazy, Table};

/// Runs a query over the tables of a store. Read only: statements that would change or write something are refused.
///
/// # Errors
/// [`DatasetError::Sql`] with the engine's message for a wrong query, or naming what could not be read while it ran.
pub async fn sql(store: &Store, query: &str) -> Result<Vec<RecordBatch>, DatasetError> {
    let context = context(store).map_err(plain)?;
    let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let frame = context.sql_with_options(query, options).await.map_err(plain)?;
    let schema = Arc::clone(frame.schema().inner());
    let mut batches = frame.collect().await.map_err(plain)?;
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(schema)); // so that the columns' names are known
    }
    Ok(batches)
}

/// The sealed episodes for which a condition over the table `episodes` holds, sorted by id: what `--where` takes.
///
/// # Errors
/// As [`sql`].
pub async fn filter(store: &Store, condition: &str) -> Result<Vec<EpisodeId>, DatasetError> {
    let query = format!("SELECT episode FROM (SELECT * FROM episodes WHERE {condition}\n) WHERE state <> 'open' ORDER BY episode");
    let mut ids = Vec::new();
    for batch in sql(store, &query).await? {
        let column = batch.column(0);
        let Some(texts) = column.as_string_opt::<i32>() else {
            return Err(DatasetError::Sql { message: format!("episode has type {}", column.data_type()) });
        };
        for text in texts.iter().flatten() {
            ids.push(text.parse::<EpisodeId>()?);
        }
    }
    Ok(ids)
}

fn context(store: &Store) -> Result<SessionContext, DataFusionError> {
    // One partition: the tables stream in file order, and a laptop's memory is worth more than its second core here.
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1).with_information_schema(true));
    for table in [Table::Episodes, Table::Streams, Table::Loss, Table::Events, Table::Joint, Table::Motor, Table::Frames] {
        let lazy = Lazy::new(store.clone(), table);
        let schema = lazy.table_schema();
        context.register_table(table.name(), Arc::new(StreamingTable::try_new(schema, vec![Arc::new(lazy)])?))?;
    }
    Ok(context)
}

fn plain(error: DataFusionError) -> DatasetError {
    DatasetError::Sql { message: error.strip_backtrace() }
}
