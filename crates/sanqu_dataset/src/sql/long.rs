//! The long forms of streams: a row for each joint, motor or picture.

use std::sync::Arc;

use arrow_array::{Array, RecordBatch, RecordBatchOptions, TimestampNanosecondArray};
use arrow_schema::{Field, Schema, SchemaRef};
use sanqu_model::{RUN, SEQ, StreamEntry, StreamKind, T, T_RECV};
use sanqu_store::{Episode, Store};

use super::catalog::{arrow_error, shaped};
use super::lazy::{Batches, T_FIELD, Table};
use crate::DatasetError;

/// Columns that every stream has in the long forms.
const LEADING: [&str; 5] = [T, T_FIELD, T_RECV, RUN, SEQ];

/// Adds the rows' times on the field timeline, which the files do not hold.
fn with_field_times(episode: &Episode, entry: &StreamEntry, batch: &RecordBatch) -> Result<RecordBatch, DatasetError> {
    let field_ns = TimestampNanosecondArray::from(episode.field_times(entry, batch)?).with_timezone("UTC");
    let mut fields = batch.schema_ref().fields().to_vec();
    fields.push(Arc::new(Field::new(T_FIELD, field_ns.data_type().clone(), false)));
    let mut columns = batch.columns().to_vec();
    columns.push(Arc::new(field_ns));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|source| arrow_error(T_FIELD, source))
}

fn streams_of(store: &Store, kind: StreamKind) -> Result<Vec<(Episode, StreamEntry)>, DatasetError> {
    let mut found = Vec::new();
    for episode in store.episodes()? {
        let entries: Vec<StreamEntry> = episode.manifest().streams.iter().filter(|entry| entry.stream.kind() == kind).cloned().collect();
        found.extend(entries.into_iter().map(|entry| (episode.clone(), entry)));
    }
    Ok(found)
}

/// The tables `joint` and `motor`. Elements are named as in the Parquet columns: `l_knee_pitch`.
pub(super) fn rows(store: &Store, table: Table, schema: SchemaRef) -> Result<Batches, DatasetError> {
    let kind = if table == Table::Motor { StreamKind::Motor } else { StreamKind::Joint };
    let batches = streams_of(store, kind)?.into_iter().flat_map(move |(episode, entry)| {
        let schema = Arc::clone(&schema);
        failing(stream_rows(episode, entry, table, schema))
    });
    Ok(Box::new(batches))
}

fn stream_rows(episode: Episode, entry: StreamEntry, table: Table, schema: SchemaRef) -> Result<Batches, DatasetError> {
    let file = episode.schema(&entry)?;
    let elements = elements(&file, table);
    let id = episode.manifest().episode.to_string();
    let batches = episode.read(&entry, None)?.flat_map(move |batch| -> Batches {
        let batch = match batch.map_err(DatasetError::from).and_then(|batch| with_field_times(&episode, &entry, &batch)) {
            Ok(batch) => batch,
            Err(error) => return Box::new(std::iter::once(Err(error))),
        };
        let (schema, id, robot) = (Arc::clone(&schema), id.clone(), entry.robot.to_string());
        Box::new(elements.clone().into_iter().map(move |element| {
            let one = one_element(&batch, &element, table)?;
            shaped(&schema, &id, &[("robot", &robot), (table.name(), &element)], &one)
        }))
    });
    Ok(Box::new(batches))
}

/// The elements of which the file has one of the table's quantities, in file order.
fn elements(file: &Schema, table: Table) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for field in file.fields() {
        if let Some((element, quantity)) = field.name().rsplit_once('.')
            && table.quantities().contains(&quantity)
            && !found.iter().any(|known| known == element)
        {
            found.push(element.to_owned());
        }
    }
    found
}

/// The leading columns and those of one element, named by quantity.
fn one_element(batch: &RecordBatch, element: &str, table: Table) -> Result<RecordBatch, DatasetError> {
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    let leading = LEADING.iter().map(|name| ((*name).to_owned(), *name));
    let values = table.quantities().iter().map(|quantity| (format!("{element}.{quantity}"), *quantity));
    for (column, name) in leading.chain(values) {
        if let Some(array) = batch.column_by_name(&column) {
            fields.push(Field::new(name, array.data_type().clone(), true));
            columns.push(Arc::clone(array));
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options).map_err(|source| arrow_error(element, source))
}

/// The table `frames`.
pub(super) fn frames(store: &Store, schema: SchemaRef) -> Result<Batches, DatasetError> {
    let batches = streams_of(store, StreamKind::Camera)?.into_iter().flat_map(move |(episode, entry)| {
        let schema = Arc::clone(&schema);
        failing(stream_frames(episode, entry, schema))
    });
    Ok(Box::new(batches))
}

fn stream_frames(episode: Episode, entry: StreamEntry, schema: SchemaRef) -> Result<Batches, DatasetError> {
    let file = episode.schema(&entry)?;
    // Not the pictures themselves, which some encodings keep in a column.
    let wanted: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).filter(|name| file.index_of(name).is_ok()).collect();
    let id = episode.manifest().episode.to_string();
    let batches = episode.read(&entry, Some(&wanted))?.map(move |batch| {
        let (robot, camera) = (entry.robot.to_string(), entry.stream.leaf().to_owned());
        let batch = with_field_times(&episode, &entry, &batch?)?;
        shaped(&schema, &id, &[("robot", &robot), ("camera", &camera)], &batch)
    });
    Ok(Box::new(batches))
}

/// An error becomes the only item.
fn failing(batches: Result<Batches, DatasetError>) -> Batches {
    batches.unwrap_or_else(|error| Box::new(std::iter::once(Err(error))))
}
