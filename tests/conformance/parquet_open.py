#!/usr/bin/env python3
"""Every Parquet file of a store opens in pyarrow and in DuckDB, with the rows, types, units and values of its manifest.

    parquet_open.py STORE
"""
import hashlib
import json
import sys
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from checks import check, finish

ARROW = {"f64": pa.float64(), "f32": pa.float32(), "u8": pa.uint8(), "u16": pa.uint16(), "u32": pa.uint32(), "u64": pa.uint64(),
         "i8": pa.int8(), "i16": pa.int16(), "i32": pa.int32(), "i64": pa.int64(), "bool": pa.bool_()}
LEADING = {"t": pa.timestamp("ns", "UTC"), "t_recv": pa.timestamp("ns", "UTC"), "seq": pa.uint64(), "run": pa.uint32()}


def metadata(field):
    return {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}


def rows_in_duckdb(path, what):
    """A query over one file; without the columns that DuckDB would make of folder names like date=2026-11-22."""
    return duckdb.sql(f"SELECT {what} FROM read_parquet('{path}', hive_partitioning = false)")


def same_in_duckdb(path, table):
    """Whether DuckDB reads the same values; times as fine as its release keeps them (before 2.0 microseconds)."""
    found = rows_in_duckdb(path, "*").fetchnumpy()
    if list(found) != table.column_names:
        return False
    for name, column in zip(table.column_names, table.columns):
        mine = column.to_numpy()
        theirs = np.ma.getdata(found[name])
        if pa.types.is_timestamp(column.type):
            mine = mine.astype(theirs.dtype)
        if mine.dtype.kind == "f":
            same = np.array_equal(mine, theirs, equal_nan=True)
        else:
            same = np.array_equal(mine, theirs)
        if not same:
            return False
    return True


def check_stream(folder, stream):
    name = f"{folder.name} {stream['robot']}/{stream['stream']}"
    files = [folder / entry["name"] for entry in stream["files"]]
    for path, entry in zip(files, stream["files"]):
        check(hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"], f"{name}: hash of {path.name}")
    tables = [(path, pq.read_table(path)) for path in files if path.suffix == ".parquet"]
    if not check(len(tables) == 1, f"{name}: one Parquet file"):
        return
    path, table = tables[0]
    check(table.num_rows == int(stream["rows"]), f"{name}: {table.num_rows} rows, manifest {stream['rows']}")
    check(all(table.schema.field(key).type == kind for key, kind in LEADING.items()), f"{name}: t, t_recv, seq, run")
    expected = [(element, quantity) for quantity in stream["quantities"] for element in quantity["elements"]]
    if expected:
        fields = [table.schema.field(index) for index in range(len(LEADING), table.num_columns)]
        check(len(fields) == len(expected), f"{name}: {len(fields)} value columns")
        for field, (element, quantity) in zip(fields, expected):
            meta = metadata(field)
            good = (field.type == ARROW[quantity["value_type"]] and meta.get("element") == element and meta.get("quantity") == quantity["name"]
                    and meta.get("unit", "") == quantity.get("unit", "") and meta.get("frame", "") == quantity.get("frame", ""))
            if not good:
                check(False, f"{name}: column {field.name} is {field.type} {meta}, manifest {element} { {k: v for k, v in quantity.items() if k != 'elements'} }")
        check(fields[0].name.endswith("." + expected[0][1]["name"]), f"{name}: columns are called <element>.<quantity>: {fields[0].name}")
    check(same_in_duckdb(path, table), f"{name}: DuckDB reads the same {table.num_rows} rows of {table.num_columns} columns")


def main():
    store = Path(sys.argv[1])
    manifests = sorted(store.glob("episodes/*/*/*/manifest.json"))
    check(bool(manifests), f"{len(manifests)} episodes in {store}")
    for path in manifests:
        manifest = json.loads(path.read_text())
        for stream in manifest["streams"]:
            check_stream(path.parent, stream)
        for entry in manifest["files"]:
            if entry["name"].endswith(".parquet"):
                table = pq.read_table(path.parent / entry["name"])
                rows = rows_in_duckdb(path.parent / entry["name"], "count(*)").fetchall()[0][0]
                check(table.num_rows == rows, f"{path.parent.name} {entry['name']}: {rows} rows in both")
    finish()


if __name__ == "__main__":
    main()
