"""The configuration: a YAML file, checked whole, as frozen values.

``load`` reads files and what is laid over them into a ``Config`` or names every problem at once; ``validate`` asks
the algorithm about the hyperparameters' values; ``json_schema`` and ``dump_yaml`` describe the file to editors and to
people.
Importing this package costs pydantic and PyYAML, so ``--help`` must not.
"""

from asteroid_ll.config.algorithm import validate
from asteroid_ll.config.describe import SCHEMA_FILE, dump_markdown, dump_schema, dump_yaml, json_schema
from asteroid_ll.config.loading import load
from asteroid_ll.config.models import Config

__all__ = [
    "SCHEMA_FILE",
    "Config",
    "dump_markdown",
    "dump_schema",
    "dump_yaml",
    "json_schema",
    "load",
    "validate",
]
