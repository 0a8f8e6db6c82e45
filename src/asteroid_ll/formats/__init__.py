"""Data formats: recordIO-protobuf, inference payloads, CSV, sparse matrices and archives of arrays."""
