"""New rows: read, scored and written."""
