"""Parquet, by the library pyarrow, which is an extra: tables of documents, and tables of results."""
