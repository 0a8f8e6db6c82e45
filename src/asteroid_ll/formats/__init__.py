"""Bytes on the wire and on disk: recordIO-protobuf and inference payloads."""
