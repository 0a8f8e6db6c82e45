"""The configuration: YAML files, validated, as frozen values.

``load`` returns a ``Config`` or raises one error with every problem; ``validate`` checks the hyperparameters with the
algorithm; ``dump_schema``, ``dump_yaml`` and ``dump_markdown`` document the file; ``template`` returns one to start
from. This package imports pydantic and
PyYAML, so ``--help`` must not import it.
"""

from asteroid_ll.config.algorithm import validate
from asteroid_ll.config.describe import SCHEMA_FILE, TEMPLATES, dump_markdown, dump_schema, dump_yaml, template
from asteroid_ll.config.loading import load
from asteroid_ll.config.models import Config

__all__ = [
    "SCHEMA_FILE",
    "TEMPLATES",
    "Config",
    "dump_markdown",
    "dump_schema",
    "dump_yaml",
    "load",
    "template",
    "validate",
]
