//! Catalog, SQL, import and export of datasets.
