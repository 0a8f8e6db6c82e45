"""Set before numpy is imported anywhere: the tests run the arithmetic as the command line does, on one thread."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
