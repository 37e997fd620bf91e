"""The flight log: records from workers to durable Parquet, each exactly once."""
